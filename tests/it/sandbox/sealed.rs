//! Our own worker in a sandbox, and the filter of level 1, behind which nothing can be opened.

use crate::harness::{Folder, Hearth, SOON};
use crate::sandbox::rig::{PYTHON, Rig};
use hearth::orchestrator::first::{Filter, Guards, apply_filter};
use hearth::orchestrator::kernel::Kernel;
use hearth::orchestrator::sandbox::{Level, Program, Sandbox};
use serde_json::{Map, Value, json};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

async fn ask(sandbox: &mut Sandbox, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    sandbox.stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    let mut line = Vec::new();
    let read = async {
        while line.last() != Some(&b'\n') {
            line.push(sandbox.stdout.read_u8().await.unwrap());
        }
    };
    let done = tokio::time::timeout(SOON, read).await;
    assert!(done.is_ok(), "no answer; {:?}", sandbox.hold.stderr().lines());
    serde_json::from_slice(&line).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_worker_runs_at_every_level_and_starts_nothing_at_the_lowest() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    for level in [Level::Apart, Level::Confined, Level::Filtered] {
        if !rig.offers(level).await {
            continue;
        }
        let mut order = rig.order("worker", &[], &[]);
        order.program = Program::Worker;
        let mut sandbox = rig.start(&order, level, Kernel::guards(level)).await;
        let tools = ask(&mut sandbox, "tools/list", json!({})).await.to_string();
        assert_eq!(tools.contains("execute_command"), level > Level::Filtered, "{tools}");
        let call = |name: &str, arguments: Value| json!({ "name": name, "arguments": arguments });
        let write = call("write_file", json!({ "path": "a/b.txt", "content": "kept here" }));
        let said = ask(&mut sandbox, "tools/call", write).await.to_string();
        assert!(!said.contains("\"isError\":true"), "level {level:?}: {said}");
        let read = call("read_file", json!({ "path": "a/b.txt" }));
        let said = ask(&mut sandbox, "tools/call", read).await.to_string();
        assert!(said.contains("kept here"), "level {level:?}: {said}");
        if level > Level::Filtered {
            let run = call("execute_command", json!({ "command": "cat a/b.txt; id -u" }));
            let said = ask(&mut sandbox, "tools/call", run).await.to_string();
            assert!(said.contains("kept here"), "level {level:?}: {said}");
        }
        let guards = sandbox.hold.in_force().await.unwrap();
        let filter = guards.iter().find(|g| g.name == "system calls").unwrap();
        assert!(filter.in_force.is_some(), "{guards:?}");
        sandbox.hold.end().await.unwrap();
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_others_does_not_start_at_level_1() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    let order = rig.order("other", &[PYTHON, "-c", "print('in')"], &[]);
    let level = Level::Filtered;
    let refused = rig.kernel.start_guarded(&order, level, Kernel::guards(level)).await;
    assert!(refused.err().unwrap().to_string().contains("needs level 2"));
    // Nor could it: the filter denies starting it. Where another filter is put up, it runs.
    for (filter, runs) in [(Filter::Worker, false), (Filter::Apart, true)] {
        let guards = Guards { landlock: false, filter, ..Kernel::guards(Level::Confined) };
        let sandbox = rig.start(&order, Level::Confined, guards).await;
        let (said, end, stderr) = crate::sandbox::rig::to_the_end(sandbox).await;
        assert_eq!(said == "in\n", runs, "{said:?} {end:?} {stderr}");
        assert_eq!(stderr.contains("cannot start"), !runs, "{stderr}");
    }
    rig.close().await;
}

/// Everything that reaches out, tried by the thread that calls it.
fn tries(target: &Value) -> Map<String, Value> {
    let pid = i32::try_from(target["pid"].as_i64().unwrap()).unwrap();
    let data = Path::new(target["data"].as_str().unwrap());
    let own = target["own"].as_str().unwrap();
    let port = u16::try_from(target["port"].as_u64().unwrap()).unwrap();
    let mut said = Map::new();
    let mut note = |name: &str, worked: bool| drop(said.insert(name.into(), worked.into()));
    note("read data", std::fs::File::open(data.join("hearth.toml")).is_ok());
    note("list data", std::fs::read_dir(data).is_ok());
    note("write", std::fs::write(Path::new(own).join("planted"), "x").is_ok());
    note("environ", std::fs::File::open(format!("/proc/{pid}/environ")).is_ok());
    note("mem", std::fs::File::open(format!("/proc/{pid}/mem")).is_ok());
    note("fd", std::fs::read_dir(format!("/proc/{pid}/fd")).is_ok());
    let target = nix::unistd::Pid::from_raw(pid);
    note("signal", nix::sys::signal::kill(target, nix::sys::signal::Signal::SIGWINCH).is_ok());
    note("control.sock", UnixStream::connect(data.join("control.sock")).is_ok());
    note("mcp.sock", UnixStream::connect(data.join("mcp.sock")).is_ok());
    note("http", std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    note("run", Command::new("/bin/true").status().is_ok());
    let user = nix::sched::CloneFlags::CLONE_NEWIPC;
    let unshared = nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS);
    note("unshare", unshared.is_ok() || nix::sched::unshare(user).is_ok());
    let limit = nix::sys::resource::Resource::RLIMIT_RTTIME;
    let (soft, hard) = nix::sys::resource::getrlimit(limit).unwrap();
    note("limits", nix::sys::resource::setrlimit(limit, soft, hard).is_ok());
    // What the worker needs still works: threads and memory.
    assert_eq!(std::thread::spawn(|| vec![7_u8; 8 << 20].len()).join().unwrap(), 8 << 20);
    said
}

#[test]
#[ignore = "the process that the next test starts"]
fn the_process_behind_the_filter() {
    let target: Value = serde_json::from_str(&std::env::var("TARGET").unwrap()).unwrap();
    let filter = match target["filter"].as_bool().unwrap() {
        true => Filter::Worker,
        false => Filter::None,
    };
    // The harness goes on unfiltered.
    let tried = std::thread::spawn(move || {
        nix::sys::prctl::set_no_new_privs().unwrap();
        apply_filter(filter).unwrap();
        tries(&target)
    });
    println!("\nTRIED {}", Value::Object(tried.join().unwrap()));
}

#[test]
fn nothing_gets_out_of_level_1_but_without_its_filter_everything_does() {
    let hearth = Hearth::serve("");
    let own = Folder::new();
    let port: u16 = hearth.url.rsplit(':').next().unwrap().parse().unwrap();
    for filter in [true, false] {
        let target = json!({
            "pid": hearth.pid(), "data": hearth.folder.path(), "own": own.path(), "port": port,
            "filter": filter,
        });
        let done = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("sandbox::sealed::the_process_behind_the_filter")
            .env("TARGET", target.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&done.stdout);
        let line = text.lines().find_map(|line| line.strip_prefix("TRIED "));
        let line =
            line.unwrap_or_else(|| panic!("{text} {}", String::from_utf8_lossy(&done.stderr)));
        let said: Map<String, Value> = serde_json::from_str(line).unwrap();
        assert!(said.len() > 10);
        assert!(said.values().all(|worked| *worked == !filter), "filter: {filter}: {said:?}");
    }
}
