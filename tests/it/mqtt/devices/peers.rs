//! The programs that make and read devices' messages.

use crate::mqtt::mosquitto::Mosquitto;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The folder with the programs; `None` when they are to be left out.
pub fn folder() -> Option<&'static Path> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        if std::env::var("HEARTH_SKIP_CLIENTS").is_ok_and(|v| v == "1") {
            return None;
        }
        let out =
            Command::new("tests/peers/devices/install").stderr(Stdio::inherit()).output().unwrap();
        assert!(out.status.success(), "tests/peers/devices/install failed");
        Some(PathBuf::from(String::from_utf8(out.stdout).unwrap().trim()))
    });
    if folder.is_none() {
        println!("skipped: devices of other makers, HEARTH_SKIP_CLIENTS is set");
    }
    folder.as_deref()
}

/// Runs a Node script and returns its lines as JSON.
pub fn node(folder: &Path, args: &[&str]) -> Vec<Value> {
    // Node comes along with the MCP clients for machines that have an old one; any does here.
    let mut command = Command::new("node");
    command.current_dir(folder).args(args);
    lines(command, &[])
}

/// Runs a Python script with these lines as its input and returns its lines as JSON.
pub fn python(folder: &Path, args: &[&str], input: &[Value]) -> Vec<Value> {
    let mut command = Command::new(folder.join("python/bin/python"));
    command.current_dir(folder).args(args);
    lines(command, input)
}

/// Publishes each `{topic, payload or hex, retain}`, in order; returns when the broker has all.
pub fn publish(folder: &Path, broker: &Mosquitto, messages: &[Value]) {
    python(folder, &["publish.py", &broker.port.to_string()], messages);
}

fn lines(mut command: Command, input: &[Value]) -> Vec<Value> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text: String = input.iter().map(|line| format!("{line}\n")).collect();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{command:?} failed");
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
