//! What is allowed, on the built binary and its demo house: approvals and rules, the audit log.

mod approvals;
mod asked;
mod audit;
mod quotas;

use crate::harness::{Folder, Hearth, Mcp, hearth};
use serde_json::{Value, json};
use std::process::{Command, Output};

/// A demo house with this section `[policy]`, and a token `tablet` of level control.
struct House {
    hearth: Hearth,
    tablet: String,
}

impl House {
    fn new(policy: &str) -> House {
        House::of(Folder::new(), policy)
    }

    /// A house whose table `[policy]` ends with these lines, in a folder that may have been used before.
    fn of(folder: Folder, policy: &str) -> House {
        std::fs::write(folder.path().join("hearth.toml"), format!("[policy]\n{policy}")).unwrap();
        let mut command = hearth(folder.path());
        command.args(["demo", "--port", "0", "--only", "home"]);
        let mut hearth = Hearth::start(command, folder);
        let path = hearth.folder.path().join("demo-token");
        hearth.token = std::fs::read_to_string(path).unwrap().trim().to_owned();
        hearth.until_ready();
        let wanted = json!({"name": "tablet", "grant": {"level": "control"}});
        // Of an earlier start, perhaps.
        hearth.delete("/api/web/tokens", &json!({"name": "tablet"}));
        let (status, made) = hearth.post("/api/web/tokens", &wanted);
        assert_eq!(status, 200, "{made}");
        let tablet = made["secret"].as_str().unwrap().to_owned();
        House { hearth, tablet }
    }

    /// An MCP session of the tablet.
    fn assistant(&self) -> Mcp {
        Mcp::open(&format!("{}/mcp", self.hearth.url), &self.tablet)
    }

    fn rule(&self, rule: Value) {
        let (status, made) = self.hearth.post("/api/policy/rules", &rule);
        assert_eq!(status, 200, "{made}");
    }

    fn approvals(&self) -> Vec<Value> {
        let (status, list) = self.hearth.get("/api/policy/approvals");
        assert_eq!(status, 200, "{list}");
        list["approvals"].as_array().unwrap().clone()
    }

    /// Ends it, as a power cut does or well, and starts it again on the same folder.
    fn again(mut self, killed: bool, policy: &str) -> House {
        match killed {
            true => self.hearth.kill(),
            false => assert_eq!(self.hearth.stop(), Some(0)),
        }
        let folder = std::mem::replace(&mut self.hearth.folder, Folder::new());
        House::of(folder, policy)
    }

    /// Runs `hearth` beside it.
    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = hearth(self.hearth.folder.path());
        command.args(args);
        command
    }

    /// Runs `hearth` beside it, which must succeed, and returns what it prints.
    fn said(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The arguments of a call that turns on a lamp.
fn lamp(entity: &str) -> Value {
    json!({"service": "light.turn_on", "target": {"entity_id": entity}})
}
