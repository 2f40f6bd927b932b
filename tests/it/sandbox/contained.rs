//! The first process of a container: the environment by stdin, the mark, and whom Hearth does not serve.

use crate::harness::{Folder, hearth};
use crate::sandbox::escapes::{ATTACKER, Target};
use crate::sandbox::rig::PYTHON;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn first(folder: &std::path::Path) -> Command {
    let mut command = hearth(folder);
    command.args(["sandbox-first", "--stdin-env", "--"]);
    command
}

/// Runs a command with this frame, and `rest` behind it.
fn run(command: &mut Command, frame: &[u8], rest: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
    // Whoever refuses the frame may be gone before its end.
    let _ = stdin.write_all(&length).and_then(|()| stdin.write_all(frame));
    let _ = stdin.write_all(rest);
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
fn the_environment_comes_from_stdin_and_the_rest_is_the_servers() {
    let folder = Folder::new();
    let script = "printf '%s|' \"$API_KEY\"; cat; printf '|'; tr '\\0' ' ' < /proc/$$/cmdline";
    let frame = json!({ "API_KEY": "canary-51" }).to_string();
    let mut command = first(folder.path());
    command.args(["/bin/sh", "-c", script]);
    let done = run(&mut command, frame.as_bytes(), b"for the server\n");
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.starts_with("canary-51|for the server\n|"), "{said:?}");
    assert_eq!(said.matches("canary").count(), 1, "in no argument: {said}");
}

#[test]
fn a_bad_frame_or_command_is_said_and_nothing_starts() {
    let folder = Folder::new();
    for (frame, argv, words) in [
        (&b"no json"[..], "/bin/true", "no plan"),
        (br#"{"A=B":"x"}"#, "/bin/true", "'A=B' cannot be in an environment"),
        (b"{}", "/no/such/program", "cannot start /no/such/program"),
    ] {
        let done = run(first(folder.path()).arg(argv), frame, b"");
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(said.contains(words), "{said}");
        assert_eq!(done.status.code(), Some(126), "{said}");
    }
}

#[test]
fn a_process_of_a_sandbox_is_not_served_by_the_local_sockets() {
    let target = Target::start();
    let folder = Folder::new();
    let targets = target.described(folder.path().to_str().unwrap());
    let frame = json!({ "TARGETS": targets }).to_string();
    let mut command = first(folder.path());
    command.args([PYTHON, "-c", ATTACKER]);
    let done = run(&mut command, frame.as_bytes(), b"");
    let said: Map<String, Value> = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)));
    // Nothing but the mark is on it: it reaches everything, and is not served.
    for name in ["read data", "environ", "control.sock", "mcp.sock"] {
        assert_eq!(said[name], "ok", "{said:?}");
    }
    assert_ne!(said["ask control.sock"], "ok", "{said:?}");
    assert_ne!(said["ask mcp.sock"], "ok", "{said:?}");
    let log = target.log();
    assert!(log.contains("descends from a sandbox"), "{log}");
    assert_eq!(target.attacked_bare()["ask control.sock"], "ok");
}

#[test]
fn the_probe_prints_the_level_and_each_limit() {
    let folder = Folder::new();
    let done = hearth(folder.path()).args(["sandbox", "probe"]).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.starts_with("level reached here: "), "{said}");
    for level in ["\nlevel 3: ", "\nlevel 2: ", "\nlevel 1: "] {
        assert!(said.contains(level), "{said}");
    }
    if said.contains("\nlevel 3: yes") {
        for limit in ["memory", "processes", "processor", "scratch", "open files", "asked: 256"] {
            assert!(said.contains(limit), "{limit}: {said}");
        }
    }
    assert_eq!(done.status.success(), said.contains(": yes"));
}
