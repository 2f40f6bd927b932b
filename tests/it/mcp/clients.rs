//! The official clients and conformance suites against the fixtures of `examples/conformance`,
//! through the same toolbox, listener and guard as the program.
//!
//! `HEARTH_SKIP_CLIENTS=1` leaves them out, for machines that cannot fetch packages.

use crate::harness::Folder;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The fixtures, served over HTTP and on a local socket.
pub(crate) struct Fixtures {
    child: Child,
    pub(crate) url: String,
    pub(crate) socket: PathBuf,
    _folder: Folder,
}

impl Fixtures {
    pub(crate) fn start() -> Fixtures {
        let folder = Folder::new();
        let socket = folder.path().join("mcp.sock");
        let mut child = Command::new(example())
            .arg("--socket")
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("no address").to_owned();
        Fixtures { child, url: format!("{url}/mcp"), socket, _folder: folder }
    }
}

impl Drop for Fixtures {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program `examples/conformance`, built as these tests are.
pub(crate) fn example() -> PathBuf {
    crate::harness::example("conformance")
}

/// The folder with the clients; `None` when they are to be left out.
pub fn clients() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        if std::env::var("HEARTH_SKIP_CLIENTS").is_ok_and(|v| v == "1") {
            return None;
        }
        let out = Command::new("tests/clients/install").stderr(Stdio::inherit()).output().unwrap();
        assert!(out.status.success(), "tests/clients/install failed");
        Some(PathBuf::from(String::from_utf8(out.stdout).unwrap().trim()))
    });
    if folder.is_none() {
        println!("left out: HEARTH_SKIP_CLIENTS is set");
    }
    folder.as_deref()
}

fn plan(to: Value, lifecycle: &str) -> Value {
    let mut plan = json!({
        "lifecycle": lifecycle,
        "call": { "name": "test_simple_text", "arguments": {} },
        "read": "test://watched-resource",
        "touch": { "name": "test_touch_resource", "arguments": {} },
        "progress": { "name": "test_tool_with_progress", "arguments": {} },
        "wait": { "name": "test_wait", "arguments": {} },
        "stopped": { "name": "test_cancellations", "arguments": {} },
    });
    plan.as_object_mut().unwrap().extend(to.as_object().unwrap().clone());
    plan
}

/// Runs one client through the plan, over HTTP, on stdio in-process and by the relay.
fn drive(client: &str, lifecycle: &str) {
    let Some(folder) = clients() else { return };
    let fixtures = Fixtures::start();
    let example = example();
    for to in [
        json!({ "url": fixtures.url }),
        json!({ "command": [&example, "--stdio"] }),
        json!({ "command": [&example, "--relay", &fixtures.socket] }),
    ] {
        let plan = plan(to, lifecycle).to_string();
        let mut command = match client {
            "python.py" => Command::new(folder.join("python/bin/python")),
            _ => Command::new(folder.join("node")),
        };
        let out = command.arg(folder.join(client)).arg(&plan).output().unwrap();
        let (said, faults) =
            (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{client} {plan}\n{said}{faults}");
        for step in ["list", "call", "read", "subscribe", "progress", "cancel", "close"] {
            assert!(said.lines().any(|line| line == format!("ok {step}")), "{step}: {said}");
        }
    }
}

#[test]
fn the_typescript_client_of_version_1_does_everything() {
    drive("typescript1.mjs", "legacy");
}

#[test]
fn the_typescript_client_of_version_2_does_everything_with_sessions() {
    drive("typescript2.mjs", "legacy");
}

#[test]
fn the_typescript_client_of_version_2_does_everything_without_sessions() {
    drive("typescript2.mjs", "modern");
}

#[test]
fn the_python_client_does_everything_with_sessions() {
    drive("python.py", "legacy");
}

#[test]
fn the_python_client_does_everything_without_sessions() {
    drive("python.py", "modern");
}

#[test]
fn the_official_suites_find_no_fault() {
    if clients().is_none() {
        return;
    }
    let fixtures = Fixtures::start();
    let out = Command::new("tests/clients/conformance.sh").arg(&fixtures.url).output().unwrap();
    let (said, faults) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}{faults}");
    println!("{said}");
}
