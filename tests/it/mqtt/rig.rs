//! A running Hearth with MQTT alone, and what the tests ask it.

use crate::harness::{Folder, Hearth, Mcp, TOKEN, hearth, wait_for};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Hearth, asked over MCP at `/mcp/mqtt`.
pub struct Rig {
    pub hearth: Hearth,
    pub mcp: Mcp,
}

impl Rig {
    /// Starts with these lines of `[mqtt]`.
    pub fn start(lines: &str) -> Rig {
        Rig::with(&format!("[mqtt]\n{lines}"))
    }

    /// Starts with the home's broker at `address` and these lines more.
    pub fn at(address: &str, lines: &str) -> Rig {
        Rig::start(&format!("broker = \"{address}\"\n{lines}"))
    }

    /// Starts with a whole configuration.
    pub fn with(toml: &str) -> Rig {
        let folder = Folder::new();
        std::fs::write(folder.path().join("hearth.toml"), toml).unwrap();
        let mut command = hearth(folder.path());
        command.args(["serve", "--only", "mqtt", "--host", "127.0.0.1", "--port", "0"]);
        command.env("AUTH_TOKEN", TOKEN).env("LOG_LEVEL", "debug").env("MDNS", "false");
        let hearth = Hearth::start(command, folder);
        let mcp = hearth.mcp("/mcp/mqtt");
        Rig { hearth, mcp }
    }

    /// Calls a tool that must succeed.
    pub fn tool(&mut self, name: &str, args: Value) -> Value {
        self.mcp.tool(name, args)
    }

    /// Calls a tool that must fail, and returns what it says.
    pub fn fails(&mut self, name: &str, args: Value) -> String {
        let result = self.mcp.call(name, args);
        assert_eq!(result["isError"], true, "{name} did not fail: {result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// The home's broker as `mqtt_list_active_connections` shows it.
    pub fn home(&mut self) -> Value {
        let all = self.tool("mqtt_list_active_connections", json!({}));
        all["connections"][0].clone()
    }

    /// Waits until the home's broker is connected and the subscriptions are granted.
    pub fn connected(&mut self) {
        wait_for("the connection", || {
            let home = self.home();
            let is_granted = !home["subscribed_topics"].as_array().unwrap().is_empty();
            (home["is_connected"] == true && is_granted).then_some(())
        });
    }

    /// Waits until the home's broker is away for a reason with this word, and returns the reason.
    pub fn away(&mut self, word: &str) -> String {
        let mut last = Value::Null;
        wait_for(&format!("an error with '{word}'"), || {
            last = self.home();
            let error = last["error"].as_str()?;
            error.contains(word).then(|| error.to_owned())
        })
    }

    /// Waits until this many messages came, and returns the connection.
    pub fn messages(&mut self, many: u64) -> Value {
        wait_for(&format!("{many} messages"), || {
            let home = self.home();
            (home["messages"].as_u64().unwrap() >= many).then_some(home)
        })
    }

    /// Waits until a topic is known, and returns how long that took.
    pub fn knows(&mut self, topic: &str) -> Duration {
        let began = Instant::now();
        wait_for(topic, || {
            let listed = self.tool("mqtt_list_topics", json!({}));
            listed.to_string().contains(topic).then_some(())
        });
        began.elapsed()
    }

    /// Everything that Hearth wrote: its log, and every file in its folder.
    pub fn all_written(&self) -> Vec<(String, Vec<u8>)> {
        fn walk(dir: &std::path::Path, out: &mut Vec<(String, Vec<u8>)>) {
            for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, out);
                } else if let Ok(bytes) = std::fs::read(&path) {
                    out.push((path.display().to_string(), bytes));
                }
            }
        }
        let mut all = vec![("the log".to_owned(), self.hearth.log().into_bytes())];
        walk(self.hearth.folder.path(), &mut all);
        all
    }
}
