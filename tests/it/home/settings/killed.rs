//! Hearth is killed between the version and the write, and between the write and the note of it.

use super::super::raw::Raw;
use super::super::rig::{real, until};
use super::{rest, theirs};
use crate::harness::{Folder, Hearth, TOKEN, hearth, wait_for};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What the gate does with the message that holds the word.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    /// It never arrives.
    Stop,
    /// It arrives, and no answer comes back.
    Mute,
}

/// A way to Home Assistant on which one message is waited for.
struct Gate {
    address: SocketAddr,
    wanted: Arc<Mutex<Option<(String, Rule)>>>,
    seen: Arc<Mutex<bool>>,
}

impl Gate {
    fn to(url: &str) -> Gate {
        let to = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Gate { address, wanted: Arc::default(), seen: Arc::default() };
        let (wanted, seen) = (gate.wanted.clone(), gate.seen.clone());
        std::thread::spawn(move || {
            for here in listener.incoming() {
                let (here, there) = (here.unwrap(), TcpStream::connect(&to).unwrap());
                let (wanted, seen) = (wanted.clone(), seen.clone());
                let muted = Arc::new(Mutex::new(false));
                let (a, b, m) =
                    (here.try_clone().unwrap(), there.try_clone().unwrap(), muted.clone());
                std::thread::spawn(move || {
                    pass(a, b, |part| {
                        let mut wanted = wanted.lock().unwrap();
                        let Some((word, rule)) = wanted.clone() else { return true };
                        if !says(part, &word) {
                            return true;
                        }
                        *wanted = None;
                        *m.lock().unwrap() = true;
                        *seen.lock().unwrap() = true;
                        rule == Rule::Mute
                    })
                });
                std::thread::spawn(move || pass(there, here, |_| !*muted.lock().unwrap()));
            }
        });
        gate
    }

    fn wait_for(&self, word: &str, rule: Rule) {
        *self.seen.lock().unwrap() = false;
        *self.wanted.lock().unwrap() = Some((word.into(), rule));
    }

    fn has_seen(&self) -> bool {
        *self.seen.lock().unwrap()
    }
}

/// Passes on what `may` lets through; once it did not, nothing more gets through.
fn pass(mut from: TcpStream, mut to: TcpStream, mut may: impl FnMut(&[u8]) -> bool) {
    let (mut part, mut open) = ([0u8; 65536], true);
    while let Ok(n @ 1..) = from.read(&mut part) {
        open = open && may(&part[..n]);
        if open && to.write_all(&part[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Whether a request, or a masked frame of a WebSocket, holds the word.
fn says(part: &[u8], word: &str) -> bool {
    let holds = |bytes: &[u8]| bytes.windows(word.len()).any(|w| w == word.as_bytes());
    let at = match part.get(1).map(|length| length & 127) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    let Some(mask) = part.get(at..at + 4) else { return holds(part) };
    let plain: Vec<u8> =
        part[at + 4..].iter().enumerate().map(|(n, byte)| byte ^ mask[n % 4]).collect();
    holds(part) || holds(&plain)
}

fn start(folder: &Path) -> Hearth {
    let mut command = hearth(folder);
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]).env("AUTH_TOKEN", TOKEN);
    let started = Hearth::start(command, Folder::new());
    started.until_ready();
    started
}

/// Asks for a change, kills Hearth when the gate has seen the write (and Home Assistant has it, where
/// it gets through), starts it again and returns it with the row of the change.
async fn killed(
    args: Value,
    word: &str,
    rule: Rule,
    mut written: impl AsyncFnMut() -> bool,
) -> (Hearth, Folder, Value) {
    let (url, token) = real();
    let gate = Gate::to(&url);
    let folder = Folder::new();
    let toml = format!("[home]\nurl = \"http://{}\"\ntoken = \"{token}\"\n", gate.address);
    std::fs::write(folder.path().join("hearth.toml"), toml).unwrap();
    let mut first = start(folder.path());
    let mut mcp = first.mcp("/mcp");
    gate.wait_for(word, rule);
    let asked = std::thread::spawn(move || mcp.call("home_config_set", args));
    until("the write is at the gate", async || gate.has_seen()).await;
    if rule == Rule::Mute {
        until("Home Assistant has it", async || written().await).await;
    }
    assert!(!asked.is_finished(), "nobody was told yet that it is done");
    first.kill();
    let _ = asked.join();
    let second = start(folder.path());
    let row = wait_for("the change", || {
        let (status, list) = second.get("/api/home/changes");
        assert_eq!(status, 200, "{list}");
        Some(list["changes"][0].clone())
    });
    (second, folder, row)
}

fn undo(hearth: &Hearth, row: &Value) -> (u16, Value) {
    hearth.post(&format!("/api/home/changes/{}/undo", row["id"].as_str().unwrap()), &json!({}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_never_reached_the_house_is_known_as_such() {
    let mut raw = Raw::on_real().await;
    let config = json!({"alias": "Killed never", "triggers": [], "actions": []});
    let file = json!({"kind": "automation", "id": "killed_never", "config": config});
    let area = json!({"kind": "area", "config": {"name": "Killed never"}});
    for (args, word) in [(file, "POST /api/config/automation"), (area, "area_registry/create")] {
        let (hearth, _folder, row) = killed(args, word, Rule::Stop, async || true).await;
        assert!(row["outcome"].as_str().unwrap().starts_with("failed"), "{row}");
        let (status, e) = undo(&hearth, &row);
        assert!(status == 409 && e.to_string().contains("never came into effect"), "{e}");
    }
    assert!(theirs(&mut raw, "automation", "killed_never").await.is_null());
    assert!(theirs(&mut raw, "area", "killed_never").await.is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_whose_answer_was_lost_can_be_undone() {
    let mut raw = Raw::on_real().await;
    let name = "Killed late";
    let args = json!({"kind": "area", "config": {"name": name, "icon": "mdi:sofa"}});
    let written = async || !theirs(&mut raw, "area", "killed_late").await.is_null();
    let (hearth, _folder, row) = killed(args, "area_registry/create", Rule::Mute, written).await;
    assert!(row.get("outcome").is_none() && row["object"] == "killed_late", "{row}");
    let (status, done) = undo(&hearth, &row);
    assert!(status == 200 && done["action"] == "deleted", "{done}");
    assert!(theirs(&mut raw, "area", "killed_late").await.is_null());

    let path = "config/script/config/killed_late";
    let old = json!({"alias": "Killed late", "sequence": [{"delay": {"seconds": 1}}]});
    let new = json!({"alias": "Killed late", "sequence": [{"delay": {"seconds": 2}}]});
    rest("POST", path, Some(old.clone())).await;
    let hash = {
        let rig = super::super::rig::on_real().await;
        rig.tool("home_config_get", json!({"kind": "script", "id": "killed_late"})).await["hash"]
            .clone()
    };
    let args = json!({"kind": "script", "id": "killed_late", "config": new, "hash": hash});
    let written = async || rest("GET", path, None).await == new;
    let (hearth, _folder, row) = killed(args, "POST /api/config/script", Rule::Mute, written).await;
    assert!(row.get("outcome").is_none(), "{row}");
    let (status, done) = undo(&hearth, &row);
    assert!(status == 200 && done["action"] == "changed", "{done}");
    assert_eq!(rest("GET", path, None).await, old);
    rest("DELETE", path, None).await;
}
