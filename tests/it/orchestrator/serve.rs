//! Sessions as scripts and assistants use them, in real sandboxes.

use super::rig::{
    SESSIONS, acquire, ask, call, kill_and_restart, list, run, send, start, token, until_gone,
};
use crate::harness::{hearth, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn a_session_is_acquired_used_renewed_and_ended() {
    let own = start("");
    let made = acquire(&own, &json!({ "id": "chat-1", "ttl": 600 }));
    assert_eq!((made["state"].as_str(), made["ttl"].as_u64()), (Some("running"), Some(600)));
    assert!(made["server"].as_str().unwrap().starts_with("hearth-worker"), "{made}");
    assert!(made["level"].as_u64().unwrap() >= 1, "{made}");
    let tools = ask(&own, "GET", &format!("{SESSIONS}/chat-1/tools"), &Value::Null).1;
    let names: BTreeSet<&str> =
        tools["tools"].as_array().unwrap().iter().filter_map(|t| t["name"].as_str()).collect();
    assert!(names.is_superset(&BTreeSet::from(["read_file", "write_file", "list_files"])));
    call(&own, "chat-1", "write_file", &json!({ "path": "a/b.txt", "content": "Küche\n" }));
    // The same id and token renews: the folder is still there.
    let again = acquire(&own, &json!({ "id": "chat-1", "image": "mcp-server:latest" }));
    assert_eq!((&again["epoch"], &again["sandbox"]), (&made["epoch"], &made["sandbox"]));
    assert_eq!((again["ttl"].as_u64(), again["left"].as_u64()), (Some(600), Some(600)));
    assert_eq!(call(&own, "chat-1", "read_file", &json!({ "path": "a/b.txt" })), "Küche\n");
    let limits = ask(&own, "GET", &format!("{SESSIONS}/chat-1/limits"), &Value::Null).1;
    let read_back = limits["limits"].as_array().unwrap();
    assert!(read_back.iter().any(|limit| !limit["in_force"].is_null()), "{limits}");
    let pid = made["sandbox"].as_str().unwrap().to_owned();
    let (status, ended) = ask(&own, "DELETE", &format!("{SESSIONS}/chat-1"), &Value::Null);
    assert_eq!((status, ended["state"].as_str()), (200, Some("ended")));
    let used = &ended["receipt"];
    assert_eq!((used["calls"].as_u64(), used["sandboxes"].as_u64()), (Some(2), Some(1)));
    assert!(used["bytes_in"].as_u64() > Some(200) && used["bytes_out"].as_u64() > Some(200));
    until_gone(&pid);
    // Ended is ended, and asking twice is no fault.
    let path = format!("{SESSIONS}/chat-1");
    assert_eq!(ask(&own, "DELETE", &path, &Value::Null).0, 200);
    assert_eq!(ask(&own, "POST", &format!("{path}/tools/list_files"), &json!({})).0, 404);
    let next = acquire(&own, &json!({ "id": "chat-1" }));
    assert!(next["epoch"].as_u64() > made["epoch"].as_u64(), "{next}");
    assert_eq!(
        ask(&own, "POST", &format!("{path}/tools/read_file"), &json!({"path": "a/b.txt"})).1["isError"],
        true,
        "the folder of another session"
    );
    let log = own.log();
    let provisioned = log.lines().filter(|line| line.contains("Session provisioned"));
    assert_eq!(provisioned.count(), 2, "{log}");
}

#[test]
fn a_session_is_its_tokens_alone() {
    let own = start("");
    let (ann, bob) = (token(&own, "ann", "control"), token(&own, "bob", "control"));
    let reader = token(&own, "eve", "read");
    let body = json!({ "id": "chat" });
    let with = |token: &str, method: &str, path: &str, body: &Value| {
        send(&own.url, token, method, &format!("{SESSIONS}{path}"), body)
    };
    let made = with(&ann, "POST", "", &body).1;
    let write = json!({ "path": "secret.txt", "content": "ann's" });
    assert_eq!(with(&ann, "POST", "/chat/tools/write_file", &write).0, 200);
    // To others it is not there, whatever they ask.
    let read = json!({ "path": "secret.txt" });
    assert_eq!(with(&bob, "POST", "/chat/tools/read_file", &read).0, 404);
    for path in ["/chat/tools", "/chat/limits", "/chat/stderr"] {
        assert_eq!(with(&bob, "GET", path, &Value::Null).0, 404, "{path}");
    }
    assert_eq!(with(&bob, "DELETE", "/chat", &Value::Null).0, 404);
    assert_eq!(with(&bob, "GET", "", &Value::Null).1["sessions"], json!([]));
    assert_eq!(with(&bob, "GET", "?all=true", &Value::Null).0, 403);
    // The same id of another token is another session.
    let other = with(&bob, "POST", "", &body).1;
    assert_ne!(other["sandbox"], made["sandbox"]);
    assert_eq!(with(&bob, "POST", "/chat/tools/read_file", &read).1["isError"], true);
    // Who may only look makes none, and is not shown what a server could do.
    assert_eq!(with(&reader, "POST", "", &body).0, 403);
    assert_eq!(with(&reader, "GET", "/chat/tools", &Value::Null).0, 403);
    // An admin sees and ends all, and calls nothing of others.
    let all = with(&own.token, "GET", "?all=true", &Value::Null).1;
    assert_eq!(all["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(with(&own.token, "POST", "/chat/tools/read_file", &read).0, 404);
    assert_eq!(with(&own.token, "DELETE", "/chat", &Value::Null).0, 409, "whose of the two");
    // A token that is revoked takes its sessions along.
    let revoked = hearth(own.folder.path()).args(["token", "revoke", "ann"]).output().unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    until_gone(made["sandbox"].as_str().unwrap());
    let (status, ended) = with(&own.token, "DELETE", "/chat", &Value::Null);
    assert!(status == 200 || status == 409, "{ended}");
}

#[test]
fn a_session_ends_without_activity_and_not_before() {
    let own = start("");
    let made = acquire(&own, &json!({ "id": "short", "ttl": 2 }));
    // A call that runs is activity, though it takes longer than the ttl.
    run(&own, "short", "sleep 3; echo done");
    assert_eq!(list(&own)[0]["state"], "running");
    let left = list(&own)[0]["left"].as_u64().unwrap();
    assert!((1..=2).contains(&left), "{left}");
    until_gone(made["sandbox"].as_str().unwrap());
    let ended = wait_for("the end", || {
        let session = list(&own)[0].clone();
        (session["state"] == "ended").then_some(session)
    });
    assert_eq!(ended["why"], "2 s without activity");
    assert_eq!(ended["receipt"]["calls"], 1);
}

#[test]
fn a_kill_of_hearth_loses_no_session_and_leaves_no_sandbox() {
    let own = start("");
    let made = acquire(&own, &json!({ "id": "kept", "ttl": 900 }));
    let with_env = json!({ "id": "with-env", "env": { "CANARY": "canary-5f2b8c" } });
    let second = acquire(&own, &with_env);
    acquire(&own, &json!({ "id": "over" }));
    assert_eq!(ask(&own, "DELETE", &format!("{SESSIONS}/over"), &Value::Null).0, 200);
    assert!(run(&own, "with-env", "echo $CANARY").contains("canary-5f2b8c"));
    call(&own, "kept", "write_file", &json!({ "path": "a.txt", "content": "x" }));
    let own = kill_and_restart(own, "");
    until_gone(made["sandbox"].as_str().unwrap());
    until_gone(second["sandbox"].as_str().unwrap());
    let all = list(&own);
    let states: Vec<(&str, &str)> =
        all.iter().map(|s| (s["id"].as_str().unwrap(), s["state"].as_str().unwrap())).collect();
    assert_eq!(states, [("kept", "stopped"), ("over", "ended"), ("with-env", "stopped")]);
    // The next call starts it anew, with the next epoch and an empty folder.
    let files = call(&own, "kept", "list_files", &json!({}));
    assert!(!files.contains("a.txt"), "{files}");
    let kept = list(&own)[0].clone();
    assert!(kept["state"] == "running" && kept["epoch"].as_u64() > made["epoch"].as_u64());
    // Its environment is nowhere on the disk, so it must be given again.
    let path = format!("{SESSIONS}/with-env/tools/list_files");
    let (status, refused) = ask(&own, "POST", &path, &json!({}));
    assert_eq!(status, 409, "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("'CANARY'"), "{refused}");
    let written = std::process::Command::new("grep")
        .args(["-rl", "canary-5f2b8c"])
        .arg(own.folder.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&written.stdout), "");
    acquire(&own, &with_env);
    assert!(run(&own, "with-env", "echo $CANARY").contains("canary-5f2b8c"));
}

#[test]
fn a_server_that_ends_fails_its_call_and_the_next_call_starts_it_anew() {
    let own = start("");
    let made = acquire(&own, &json!({ "id": "fragile" }));
    let pid: i32 = made["sandbox"].as_str().unwrap().parse().unwrap();
    let victim = nix::unistd::Pid::from_raw(pid);
    std::thread::scope(|scope| {
        let call = scope.spawn(|| {
            let path = format!("{SESSIONS}/fragile/tools/execute_command");
            ask(&own, "POST", &path, &json!({ "command": "echo begun; sleep 30" }))
        });
        wait_for("the call", || (list(&own)[0]["receipt"]["calls"] == 1).then_some(()));
        nix::sys::signal::kill(victim, nix::sys::signal::Signal::SIGKILL).unwrap();
        let (status, failed) = call.join().unwrap();
        assert_eq!(status, 503, "{failed}");
        let text = failed["error"]["message"].as_str().unwrap();
        assert!(text.contains("The next call starts it anew"), "{text}");
    });
    assert!(run(&own, "fragile", "echo again").contains("again"));
    let after = list(&own)[0].clone();
    assert_eq!(after["epoch"].as_u64(), made["epoch"].as_u64().map(|n| n + 1));
    assert_eq!(after["receipt"]["sandboxes"], 2);
    // One that ends again and again is left alone for a while, and says so.
    let refused = (0..8).find_map(|_| {
        let (_, session) = (0, list(&own)[0].clone());
        if let Some(pid) = session["sandbox"].as_str() {
            let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            until_gone(session["sandbox"].as_str().unwrap());
            wait_for("the fall", || (list(&own)[0]["state"] == "stopped").then_some(()));
        }
        let path = format!("{SESSIONS}/fragile/tools/list_files");
        let (status, answer) = ask(&own, "POST", &path, &json!({}));
        (status != 200).then_some((status, answer))
    });
    let (status, answer) = refused.expect("it was started without end");
    assert_eq!(status, 503, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("times within"), "{answer}");
}

#[test]
fn an_assistant_uses_a_session_over_mcp_in_parts_and_can_cancel() {
    let own = start("");
    let mut mcp = own.mcp("/mcp/orchestrator");
    let tools = mcp.tools();
    assert_eq!(tools.len(), 7, "{tools:?}");
    let made = mcp.tool("orchestrator_acquire_session", json!({}));
    let id = made["id"].as_str().unwrap().to_owned();
    let called = |tool: &str, arguments: Value| json!({ "session_id": id, "tool": tool, "arguments": arguments });
    let whole = "0123456789abcdef".repeat(1200);
    let write = json!({ "path": "long.txt", "content": whole });
    mcp.tool("orchestrator_call_tool", called("write_file", write));
    let args = called("read_file", json!({ "path": "long.txt", "length": 100_000 }));
    let mut told = mcp.tool("orchestrator_call_tool", args.clone());
    assert!(told["of_bytes"].as_u64().unwrap() > 19_000, "{told}");
    let mut text = told["part"].as_str().unwrap().to_owned();
    while let Some(next) = told["next"].as_str() {
        let mut more = args.clone();
        more["cursor"] = next.into();
        told = mcp.tool("orchestrator_call_tool", more);
        let part = told["part"].as_str().unwrap();
        assert!(part.len() <= 6144);
        text.push_str(part);
    }
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["content"][0]["text"].as_str().unwrap(), whole);
    // A call has its own time.
    let mut slow = called("execute_command", json!({ "command": "sleep 30" }));
    slow["seconds"] = 1.into();
    let late = mcp.call("orchestrator_call_tool", slow);
    assert!(late["isError"] == true && late.to_string().contains("within 1 s"), "{late}");
    assert_eq!(mcp.tool("orchestrator_list_sessions", json!({}))["total"], 1);
    let limits = mcp.tool("orchestrator_show_limits", json!({ "session_id": id }));
    assert!(limits["level"].as_u64().unwrap() >= 1);
    mcp.tool("orchestrator_show_logs", json!({ "session_id": id }));
    mcp.tool("orchestrator_end_session", json!({ "session_id": id }));
    // What went into the server is not in the audit log.
    let audit = std::fs::read_to_string(own.folder.path().join("audit.jsonl")).unwrap();
    assert!(audit.contains("orchestrator_call_tool"), "{audit}");
    assert!(!audit.contains("0123456789abcdef") && !audit.contains("sleep 30"), "{audit}");
    // The default profile stays small.
    let names = own.mcp("/mcp").tools();
    assert!(!names.iter().any(|name| name.starts_with("orchestrator_")), "{names:?}");
}

#[test]
fn what_stands_ready_is_used_once() {
    let own = start("[orchestrator]\nready = 2\nsession_ttl = 60\n");
    let ready = || {
        let text = ureq::get(format!("{}/metrics", own.url))
            .header("authorization", format!("Bearer {}", own.token))
            .call()
            .unwrap()
            .body_mut()
            .read_to_string()
            .unwrap();
        let line = text.lines().find(|l| l.starts_with("hearth_orchestrator_ready")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    wait_for("two that stand ready", || (ready() == 2.0).then_some(()));
    let (ann, bob) = (token(&own, "ann", "control"), token(&own, "bob", "control"));
    let mut seen = BTreeSet::new();
    for round in 0..4 {
        for (who, secret) in [("ann", &ann), ("bob", &bob)] {
            let at = |method, path: &str, body: &Value| {
                send(&own.url, secret, method, &format!("{SESSIONS}{path}"), body)
            };
            let made = at("POST", "", &json!({ "id": "pooled" })).1;
            assert!(seen.insert(made["sandbox"].to_string()), "{who} got a used one: {made}");
            let files = at("POST", "/pooled/tools/list_files", &json!({})).1;
            assert!(!files.to_string().contains("mark-"), "round {round}: {files}");
            let mark = json!({ "path": format!("mark-{who}"), "content": "x" });
            assert_eq!(at("POST", "/pooled/tools/write_file", &mark).0, 200);
            assert_eq!(at("DELETE", "/pooled", &Value::Null).0, 200);
        }
    }
    wait_for("the pool is filled again", || (ready() == 2.0).then_some(()));
    // Another wish is not served from it.
    let small = acquire(&own, &json!({ "id": "small", "limits": { "memory_mb": 32 } }));
    assert!(ready() >= 2.0 && !seen.contains(&small["sandbox"].to_string()));
}

#[test]
fn the_command_line_lists_sessions_and_shows_stderr() {
    let own = start("");
    let said = |args: &[&str]| {
        let output = hearth(own.folder.path()).args(args).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said(&["sandbox", "list"]), "no sessions\n");
    acquire(&own, &json!({ "id": "chat-1" }));
    let line = said(&["sandbox", "list"]);
    assert!(line.contains("chat-1") && line.contains("running"), "{line}");
    said(&["sandbox", "logs", "chat-1"]);
    let none = hearth(own.folder.path()).args(["sandbox", "logs", "x"]).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
}

#[test]
fn at_the_end_of_hearth_no_sandbox_is_left() {
    let mut own = start("[orchestrator]\nready = 1\n");
    let made: Vec<Value> =
        (0..3).map(|n| acquire(&own, &json!({ "id": format!("s{n}") }))).collect();
    let began = std::time::Instant::now();
    assert_eq!(own.stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for session in made {
        until_gone(session["sandbox"].as_str().unwrap());
    }
}
