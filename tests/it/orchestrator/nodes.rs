//! Several nodes on one real Redis: whose a session is, and what happens when a node dies or sleeps.

use super::rig::{SESSIONS, acquire, ask, call, start_in, until_gone};
use crate::harness::{Folder, Hearth, wait_for};
use crate::store::Dir;
use crate::store::redis_server::RedisServer;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A lease, what it takes to notice, and a slow machine.
const TAKEN: Duration = Duration::from_secs(60);

fn node(server: &RedisServer) -> Hearth {
    node_in(Folder::new(), server)
}

/// Starts a node at an address that was free just now.
fn node_in(folder: Folder, server: &RedisServer) -> Hearth {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let toml = format!("[orchestrator]\nnode_address = \"{free}\"\n");
    let own = start_in(folder, &toml, &[("REDIS_URL", server.url().reveal())]);
    wait_for("Redis", || own.log().contains("Redis connected").then_some(()));
    own
}

fn signal(own: &Hearth, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(own.pid()).unwrap()), signal).unwrap();
}

fn files(own: &Hearth, id: &str) -> (u16, Value) {
    ask(own, "POST", &format!("{SESSIONS}/{id}/tools/list_files"), &json!({}))
}

/// The nodes' address answers nobody without their key, whatever token they have.
fn strangers_are_not_heard(own: &Hearth) {
    let file = std::fs::read_to_string(own.folder.path().join("hearth.toml")).unwrap();
    let address = file.split('"').nth(1).unwrap();
    let step = json!({ "name": "local", "token": 0, "grant": { "level": "admin" },
                       "tool": "orchestrator_list_sessions", "args": { "all": true } });
    let url = format!("http://{address}");
    let answer = super::rig::send(&url, &own.token, "POST", "/nodes/step", &step);
    assert_eq!(answer.0, 401, "{}", answer.1);
    assert_eq!(super::rig::send(&url, &own.token, "GET", SESSIONS, &Value::Null).0, 404);
}

/// Asks `own` until the session is its own.
fn until_taken(own: &Hearth, id: &str) {
    let began = Instant::now();
    while files(own, id).0 != 200 {
        assert!(began.elapsed() < TAKEN, "not taken over: {:?}", files(own, id));
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn epoch(own: &Hearth, id: &str) -> u64 {
    let all = super::rig::list(own);
    all.iter().find(|s| s["id"] == id).unwrap()["epoch"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_or_sleeps_loses_its_sessions_to_another() {
    let dir = Dir::new();
    let server = RedisServer::start(dir.path()).await;
    tokio::task::block_in_place(|| {
        let (mut one, two) = (node(&server), node(&server));
        let made = acquire(&one, &json!({ "id": "moving" }));
        call(&one, "moving", "write_file", &json!({ "path": "a.txt", "content": "x" }));
        // The other sees it, and does not touch it as long as its node lives.
        let seen = super::rig::list(&two)[0].clone();
        assert_eq!((&seen["state"], &seen["node"]), (&json!("elsewhere"), &made["node"]));
        // What the other is asked is done where the session is.
        assert_eq!(call(&two, "moving", "read_file", &json!({ "path": "a.txt" })), "x");
        let renewed = acquire(&two, &json!({ "id": "moving", "ttl": 700 }));
        assert_eq!((&renewed["sandbox"], renewed["ttl"].as_u64()), (&made["sandbox"], Some(700)));
        let limits = ask(&two, "GET", &format!("{SESSIONS}/moving/limits"), &Value::Null);
        assert_eq!(limits.0, 200, "{}", limits.1);
        assert_eq!(epoch(&two, "moving"), made["epoch"].as_u64().unwrap());
        acquire(&one, &json!({ "id": "short-lived" }));
        let path = format!("{SESSIONS}/short-lived");
        let ended = ask(&two, "DELETE", &path, &Value::Null).1;
        assert_eq!(ended["state"], "ended", "{ended}");
        strangers_are_not_heard(&one);
        one.kill();
        until_taken(&two, "moving");
        let taken = epoch(&two, "moving");
        assert!(taken > made["epoch"].as_u64().unwrap());
        until_gone(made["sandbox"].as_str().unwrap());
        // The first comes back: the session stays where it is now.
        let folder = std::mem::replace(&mut one.folder, Folder::new());
        let one = node_in(folder, &server);
        wait_for("the list", || (!super::rig::list(&one).is_empty()).then_some(()));
        assert_eq!(super::rig::list(&one)[0]["state"], "elsewhere");

        // Now the second sleeps for longer than a lease, with the session in its hands.
        let pid = super::rig::list(&two)[0]["sandbox"].as_str().unwrap().to_owned();
        signal(&two, Signal::SIGSTOP);
        until_taken(&one, "moving");
        let later = epoch(&one, "moving");
        assert!(later > taken);
        signal(&two, Signal::SIGCONT);
        // It notices, lets its sandbox go, and is a node again that has nothing.
        until_gone(&pid);
        wait_for("its waking", || two.log().contains("this node lost its sessions").then_some(()));
        wait_for("its place among the nodes", || {
            let seen = ask(&two, "GET", SESSIONS, &Value::Null);
            (seen.1["sessions"][0]["state"] == "elsewhere").then_some(())
        });
        assert_eq!(epoch(&one, "moving"), later, "the sleeper wrote");
        acquire(&two, &json!({ "id": "new" }));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_sessions_stop_in_time_and_go_on_when_it_is_back() {
    let dir = Dir::new();
    let mut server = RedisServer::start(dir.path()).await;
    let own = tokio::task::block_in_place(|| {
        let own = node(&server);
        wait_for("the node", || {
            (ask(&own, "POST", SESSIONS, &json!({ "id": "kept" })).0 == 200).then_some(())
        });
        own
    });
    server.kill();
    tokio::task::block_in_place(|| {
        // Nobody else can have taken it yet; soon that is not sure any more, and it stops.
        let began = Instant::now();
        let refused = loop {
            let (status, answer) = files(&own, "kept");
            if status != 200 {
                break (status, answer);
            }
            assert!(began.elapsed() < Duration::from_secs(20), "it goes on without a lease");
            std::thread::sleep(Duration::from_millis(100));
        };
        assert_eq!(refused.0, 503, "{}", refused.1);
    });
    server.restart().await;
    tokio::task::block_in_place(|| {
        let began = Instant::now();
        while files(&own, "kept").0 != 200 {
            assert!(began.elapsed() < TAKEN, "{:?}", files(&own, "kept"));
            std::thread::sleep(Duration::from_millis(100));
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_may_lose_what_it_acknowledged_is_named_by_check() {
    for (fsync, warned) in [("always", false), ("everysec", true)] {
        let dir = Dir::new();
        let server = RedisServer::start_with(dir.path(), &["--appendfsync", fsync]).await;
        let folder = Folder::new();
        let mut command = crate::harness::hearth(folder.path());
        command.args(["check", "--only", "talk"]).env("REDIS_URL", server.url().reveal());
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.contains("note  redis: Redis at"), warned, "{fsync}: {said}");
    }
}
