//! Tests of conversations: on disk and on a real Redis, over tools and routes, across a kill.

use crate::harness::{Folder, Hearth, TOKEN, hearth};
use crate::store::Dir;
use crate::store::redis_server::RedisServer;
use serde_json::{Value, json};

fn start(folder: Folder, env: &[(&str, &str)]) -> Hearth {
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0", "--only", "talk"]);
    command.env("AUTH_TOKEN", TOKEN).envs(env.iter().copied());
    Hearth::start(command, folder)
}

fn say(own: &Hearth, id: &str, role: &str, content: &str) -> Value {
    let body = json!({ "role": role, "content": content });
    let (status, made) = own.post(&format!("/api/talk/{id}"), &body);
    assert_eq!(status, 200, "{made}");
    made
}

/// The texts of a window.
fn read(own: &Hearth, id: &str, query: &str) -> Vec<String> {
    let (status, window) = own.get(&format!("/api/talk/{id}{query}"));
    assert_eq!(status, 200, "{window}");
    let messages = window["messages"].as_array().unwrap();
    messages.iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect()
}

fn everything(own: &Hearth) {
    for n in 0..75 {
        let made =
            say(own, "long", if n % 2 == 0 { "user" } else { "assistant" }, &format!("m{n}"));
        assert_eq!(made["number"], n);
        assert!(made["messages"].as_u64().unwrap() <= 50);
    }
    let kept = read(own, "long", "");
    assert_eq!((kept.len(), &*kept[0], &*kept[49]), (50, "m25", "m74"));
    // Each counts as one token.
    assert_eq!(read(own, "long", "?max_tokens=3"), ["m72", "m73", "m74"]);
    say(own, "parts", "user", "Küche");
    let parts = json!([{ "functionCall": { "name": "x" }, "thoughtSignature": "c2ln" }]);
    let body = json!({ "role": "assistant", "content": parts, "tokens": 7 });
    assert_eq!(own.post("/api/talk/parts", &body).0, 200);
    let window = own.get("/api/talk/parts").1;
    assert_eq!(window["messages"][1]["content"], parts, "parts of a provider stay as they are");
    assert_eq!(window["messages"][1]["tokens"], 7);
    let all = own.get("/api/talk").1["conversations"].clone();
    let ids: Vec<&str> =
        all.as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["long", "parts"]);
    assert_eq!((&all[0]["messages"], &all[1]["tokens"]), (&json!(50), &json!(9)));
    // Another token has conversations of its own.
    let grant = json!({ "name": "bob", "grant": { "level": "control" } });
    let bob = own.post("/api/web/tokens", &grant).1["secret"].as_str().unwrap().to_owned();
    let mut mcp = crate::harness::Mcp::open(&format!("{}/mcp/talk", own.url), &bob);
    assert_eq!(mcp.tools().len(), 4);
    let none = mcp.call("talk_window", json!({ "conversation": "parts" }));
    assert_eq!(none["isError"], true, "{none}");
    let said = json!({ "conversation": "parts", "role": "user", "content": "bob's" });
    assert_eq!(mcp.tool("talk_append", said)["number"], 0);
    assert_eq!(read(own, "long", "").len(), 50);
    assert_eq!(mcp.tool("talk_list", json!({}))["conversations"].as_array().unwrap().len(), 1);
    assert_eq!(mcp.tool("talk_delete", json!({ "conversation": "parts" }))["deleted"], true);
    assert_eq!(own.get("/api/talk/parts").1["messages"].as_array().unwrap().len(), 2);
    // Bad ones are refused.
    for (path, body, status) in [
        ("/api/talk/a%20b", json!({ "role": "user", "content": "x" }), 400),
        ("/api/talk/a", json!({ "role": "robot", "content": "x" }), 400),
        ("/api/talk/a", json!({ "role": "user", "content": "" }), 400),
        ("/api/talk/a", json!({ "role": "user" }), 400),
        ("/api/talk/a", json!({ "role": "user", "content": "x".repeat(300_000) }), 400),
    ] {
        let (got, answer) = own.post(path, &body);
        assert_eq!(got, status, "{path}: {answer}");
    }
    assert_eq!(own.get("/api/talk/none").0, 404);
}

#[test]
fn conversations_hold_on_disk_and_across_a_kill() {
    let mut own = start(Folder::new(), &[]);
    everything(&own);
    say(&own, "last", "user", "said before the kill");
    own.kill();
    let folder = std::mem::replace(&mut own.folder, Folder::new());
    let own = start(folder, &[]);
    assert_eq!(read(&own, "last", ""), ["said before the kill"]);
    assert_eq!(read(&own, "long", "").len(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_hold_on_redis_and_two_nodes_append_at_once() {
    let dir = Dir::new();
    let server = RedisServer::start(dir.path()).await;
    let url = server.url();
    let env = [("REDIS_URL", url.reveal())];
    tokio::task::block_in_place(|| {
        let one = start(Folder::new(), &env);
        crate::harness::wait_for("Redis", || one.log().contains("Redis connected").then_some(()));
        everything(&one);
        let two = start(Folder::new(), &env);
        std::thread::scope(|scope| {
            for own in [&one, &two] {
                scope.spawn(move || (0..20).for_each(|_| drop(say(own, "both", "user", "x"))));
            }
        });
        let numbers = |own: &Hearth| {
            let window = own.get("/api/talk/both").1;
            let all = window["messages"].as_array().unwrap().clone();
            all.iter().map(|m| m["number"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(numbers(&one), (0..40).collect::<Vec<u64>>());
        assert_eq!(numbers(&one), numbers(&two));
    });
}

#[test]
fn a_conversation_is_forgotten_after_its_time() {
    let env = [("HISTORY_TTL_SECONDS", "1"), ("MAX_HISTORY_TOKENS", "2")];
    let own = start(Folder::new(), &env);
    say(&own, "short", "user", "old");
    assert_eq!(own.get("/api/talk/short").0, 200);
    crate::harness::wait_for("the end of it", || {
        (own.get("/api/talk/short").0 == 404).then_some(())
    });
    assert_eq!(own.get("/api/talk").1["conversations"], json!([]));
    // What begins under its id begins anew.
    say(&own, "short", "user", "abcdefgh");
    say(&own, "short", "user", "new");
    assert_eq!(read(&own, "short", ""), ["new"], "two tokens are configured");
    assert_eq!(read(&own, "short", "?max_tokens=3"), ["abcdefgh", "new"]);
}
