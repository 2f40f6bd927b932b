//! `hearth worker`: its tools, and what its folder holds against.

use crate::harness::{Folder, SOON, hearth, wait_for};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

/// A worker on pipes.
struct Worker {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    next: u64,
}

impl Worker {
    fn start(root: &Path, more: &[&str]) -> Worker {
        let mut command = hearth(root);
        command.args(["worker", "--root"]).arg(root).args(more);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Worker { stdin: child.stdin.take(), child, lines, next: 0 }
    }

    fn send(&mut self, line: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(line).and_then(|()| stdin.write_all(b"\n")).unwrap();
    }

    fn hear(&self) -> Value {
        self.lines.recv_timeout(SOON).expect("an answer of the worker")
    }

    fn begin(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        let id = self.next;
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.send(message.to_string().as_bytes());
        id
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        let answer = self.hear();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// Calls a tool; its result.
    fn call(&mut self, name: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({ "name": name, "arguments": arguments }));
        answer["result"].clone()
    }

    /// Calls a tool that must succeed; its text.
    fn text(&mut self, name: &str, arguments: Value) -> String {
        let result = self.call(name, arguments);
        assert_eq!(result["isError"], false, "{result}");
        text(&result)
    }

    /// Calls a tool that must be refused; what it says.
    fn refused(&mut self, name: &str, arguments: Value) -> String {
        let result = self.call(name, arguments);
        assert_eq!(result["isError"], true, "{result}");
        text(&result)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(result: &Value) -> String {
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

#[test]
fn it_speaks_every_version_and_survives_what_is_no_message() {
    let folder = Folder::new();
    let mut worker = Worker::start(folder.path(), &[]);
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {},
                        "clientInfo": { "name": "t", "version": "1" } });
    let welcome = worker.ask("initialize", hello);
    assert_eq!(welcome["result"]["protocolVersion"], "2025-06-18");
    worker.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    for bad in [&b"{nonsense"[..], b"[1,2]", b"\xff\xfe", b"{\"id\":4}"] {
        worker.send(bad);
        assert!(worker.hear()["error"]["code"].as_i64().unwrap() <= -32600);
    }
    worker.send(&vec![b'x'; 9 << 20]);
    assert_eq!(worker.hear()["error"]["code"], -32600);
    assert_eq!(worker.ask("no/such", json!({}))["error"]["code"], -32601);
    assert_eq!(worker.ask("tools/call", json!({ "name": "rm" }))["error"]["code"], -32602);
    let found = worker.ask("server/discover", json!({}));
    assert_eq!(found["result"]["supportedVersions"][0], "2026-07-28");
    let tools = worker.ask("tools/list", json!({}))["result"]["tools"].clone();
    let names: Vec<&str> =
        tools.as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["read_file", "write_file", "list_files", "execute_command"]);
    drop(worker.stdin.take());
    let end = wait_for("the end", || worker.child.try_wait().unwrap());
    assert!(end.success(), "{end}");
}

#[test]
fn a_file_is_written_read_in_parts_and_listed() {
    let folder = Folder::new();
    let mut worker = Worker::start(folder.path(), &["--no-execute"]);
    let words = "größer ".repeat(2000);
    worker.text("write_file", json!({ "path": "a/b/c.txt", "content": words }));
    worker.text("write_file", json!({ "path": "a/b/c.txt", "content": "end", "append": true }));
    assert_eq!(
        std::fs::read_to_string(folder.path().join("a/b/c.txt")).unwrap(),
        words.clone() + "end"
    );

    let (mut whole, mut offset, mut parts) = (String::new(), Some(0), 0);
    while let Some(at) = offset {
        let part = worker.call("read_file", json!({ "path": "a/b/c.txt", "offset": at }));
        assert!(part.to_string().len() <= 8 << 10);
        whole += &text(&part);
        offset = part["_meta"]["hearth/next_offset"].as_u64();
        parts += 1;
    }
    assert_eq!((whole, parts), (words + "end", 3));

    let bytes = json!({ "path": "bytes", "content": "//4A", "encoding": "base64" });
    worker.text("write_file", bytes);
    assert!(worker.refused("read_file", json!({ "path": "bytes" })).contains("base64"));
    let read = json!({ "path": "bytes", "encoding": "base64" });
    assert_eq!(worker.text("read_file", read), "//4A");

    for n in 0..250 {
        std::fs::write(folder.path().join(format!("a/n{n:03}")), "").unwrap();
    }
    let (mut names, mut cursor) = (Vec::new(), json!(""));
    while !cursor.is_null() {
        let page = worker.call("list_files", json!({ "path": "a", "cursor": cursor }));
        assert!(page.to_string().len() <= 12 << 10, "{}", page.to_string().len());
        let page = &page["structuredContent"];
        names.extend(page["entries"].as_array().unwrap().iter().map(|e| e["name"].clone()));
        cursor = page["next_cursor"].clone();
    }
    assert_eq!(names.len(), 251);
    assert_eq!((&names[0], &names[250]), (&json!("b"), &json!("n249")));
    for (name, args) in [
        ("read_file", json!({})),
        ("read_file", json!({ "path": "x", "extra": 1 })),
        ("write_file", json!({ "path": "x", "content": "!", "encoding": "base64" })),
        ("list_files", json!({ "path": "nowhere" })),
    ] {
        worker.refused(name, args);
    }
    assert!(worker.call("execute_command", json!({ "command": "id" })).is_null());
}

#[test]
fn nothing_leads_out_of_its_folder() {
    let outside = Folder::new();
    std::fs::write(outside.path().join("secret"), "canary").unwrap();
    let folder = Folder::new();
    let root = folder.path();
    symlink(outside.path().join("secret"), root.join("link")).unwrap();
    symlink(outside.path(), root.join("door")).unwrap();
    symlink("link", root.join("twice")).unwrap();
    nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let up = format!("../{}/secret", outside.path().file_name().unwrap().to_str().unwrap());
    let absolute = outside.path().join("secret").display().to_string();
    let ways = ["link", "twice", "door/secret", "./door//secret", &up, &absolute, "pipe", "door"];

    let mut worker = Worker::start(root, &["--no-execute"]);
    for way in ways {
        let said = worker.refused("read_file", json!({ "path": way }));
        assert!(!said.contains("canary"), "{way}: {said}");
        for append in [false, true] {
            let write = json!({ "path": way, "content": "gone", "append": append });
            worker.refused("write_file", write);
        }
    }
    worker.refused("write_file", json!({ "path": "door/new/file", "content": "" }));
    worker.refused("list_files", json!({ "path": "door" }));
    worker.refused("list_files", json!({ "path": ".." }));
    let read = |name: &str| std::fs::read_to_string(outside.path().join(name));
    assert_eq!(read("secret").unwrap(), "canary");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    // Without the guard each of these ways leads there.
    for way in ["link", "twice", "door/secret", &up, &absolute] {
        assert_eq!(std::fs::read_to_string(root.join(way)).unwrap(), "canary", "{way}");
    }
    let listed = worker.call("list_files", json!({}));
    let kinds: Vec<&str> = listed["structuredContent"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["link", "link", "other", "link"]);
}

#[test]
fn a_folder_that_becomes_a_link_while_it_is_used_leads_nowhere() {
    let outside = Folder::new();
    std::fs::write(outside.path().join("file"), "canary").unwrap();
    let folder = Folder::new();
    let root = folder.path().to_owned();
    std::fs::create_dir(root.join("inside")).unwrap();
    std::fs::write(root.join("inside/file"), "harmless").unwrap();
    symlink(outside.path(), root.join("trap")).unwrap();
    let done = std::sync::Arc::new(AtomicBool::new(false));
    let (stop, at) = (done.clone(), root.clone());
    // `way` is the folder and the link in turns, without a moment in which it is neither.
    std::fs::rename(root.join("inside"), root.join("way")).unwrap();
    let swapper = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            let (one, two) = (at.join("way"), at.join("trap"));
            nix::fcntl::renameat2(
                nix::fcntl::AT_FDCWD,
                &one,
                nix::fcntl::AT_FDCWD,
                &two,
                nix::fcntl::RenameFlags::RENAME_EXCHANGE,
            )
            .unwrap();
        }
    });
    let mut worker = Worker::start(&root, &["--no-execute"]);
    let (mut right, mut refused, mut naive) = (0, 0, 0);
    for n in 0..1500 {
        let result = worker.call("read_file", json!({ "path": "way/file" }));
        match text(&result).as_str() {
            "harmless" => right += 1,
            said => {
                assert!(result["isError"] == true && !said.contains("canary"), "{said}");
                refused += 1;
            }
        }
        worker.call("write_file", json!({ "path": "way/new", "content": n.to_string() }));
        let plain = std::fs::read_to_string(root.join("way/file")).unwrap_or_default();
        naive += usize::from(plain == "canary");
    }
    done.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(right > 0 && refused > 0 && naive > 0, "{right} {refused} {naive}");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn commands_run_beside_each_other_and_end_at_their_time_or_when_taken_back() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let mut worker = Worker::start(folder.path(), &[]);
    let said =
        worker.text("execute_command", json!({ "command": "pwd; echo no >&2", "folder": "sub" }));
    assert!(said.contains("/sub\n") && said.contains("--- stderr\nno\n"), "{said}");
    let failed = worker.refused("execute_command", json!({ "command": "exit 7" }));
    assert!(failed.starts_with("exit code 7"), "{failed}");
    worker.refused("execute_command", json!({ "command": "pwd", "folder": ".." }));

    // The first waits for what the second makes: one after the other it would never end.
    let call =
        |command: &str| json!({ "name": "execute_command", "arguments": { "command": command } });
    let waits = worker.begin("tools/call", call("until [ -e go ]; do sleep 0.01; done; echo went"));
    let makes = worker.begin("tools/call", call("touch go"));
    assert_eq!(worker.hear()["id"], makes);
    let went = worker.hear();
    assert!(went["id"] == waits && text(&went["result"]).contains("went"), "{went}");

    let late = worker.call(
        "execute_command",
        json!({ "command": "echo begun; sleep 1000 & sleep 1000", "timeout_seconds": 1 }),
    );
    assert_eq!(late["_meta"]["hearth/timed_out"], true);
    assert!(text(&late).contains("begun"), "{late}");

    let long = worker.begin("tools/call", call("echo $$ > pid; sleep 1000"));
    let pid = wait_for("the command", || {
        let pid = std::fs::read_to_string(folder.path().join("pid")).ok()?;
        pid.trim().parse::<i32>().ok()
    });
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
                         "params": { "requestId": long } });
    worker.send(cancel.to_string().as_bytes());
    wait_for("its end", || {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_err().then_some(())
    });
    // Nobody is answered for it: the next answer is the next request's.
    let much = worker.text("execute_command", json!({ "command": "seq 100000" }));
    assert!(much.len() < 8 << 10 && much.contains("99999\n100000"), "{much}");
    assert!(much.contains("bytes before this are not shown"), "{much}");
}

#[test]
fn in_memory_it_opens_nothing_and_writes_nothing() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("there"), "canary").unwrap();
    let mut worker = Worker::start(folder.path(), &["--memory", "1"]);
    worker.refused("read_file", json!({ "path": "there" }));
    worker.text("write_file", json!({ "path": "x/y", "content": "mine" }));
    assert_eq!(worker.text("read_file", json!({ "path": "x/y" })), "mine");
    let full = worker.refused("write_file", json!({ "path": "z", "content": "z".repeat(2 << 20) }));
    assert!(full.contains("no room"), "{full}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn sigterm_ends_it_and_its_commands() {
    let folder = Folder::new();
    let mut worker = Worker::start(folder.path(), &[]);
    let call = json!({ "name": "execute_command",
                       "arguments": { "command": "echo $$ > pid; sleep 1000" } });
    worker.begin("tools/call", call);
    let pid = wait_for("the command", || {
        let pid = std::fs::read_to_string(folder.path().join("pid")).ok()?;
        pid.trim().parse::<i32>().ok()
    });
    let own = nix::unistd::Pid::from_raw(i32::try_from(worker.child.id()).unwrap());
    nix::sys::signal::kill(own, nix::sys::signal::Signal::SIGTERM).unwrap();
    let end = wait_for("the end", || worker.child.try_wait().unwrap());
    assert!(end.success(), "{end}");
    let command = Path::new("/proc").join(pid.to_string());
    wait_for("the command's end", || {
        let stat = std::fs::read_to_string(command.join("stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z")).then_some(())
    });
}
