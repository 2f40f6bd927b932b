//! What `home.deny` denies to everybody is told by no way out: not by a tool, not on the bus.

use super::furniture::Furniture;
use super::raw::Raw;
use super::rig::{self, Rig, config, on_real, real, start, until};
use crate::harness::{Folder, Hearth};
use hearth::events::{Event, Next};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex};

/// Serves the real house with one entity denied, and a script that notes what it hears.
fn serving(denied: &str) -> Hearth {
    let folder = Folder::new();
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::write(
        plugins.join("ear.lua"),
        r#"local heard = {}
on("entity", { entity_id = "input_boolean.*" }, function(e) heard[#heard + 1] = e.entity_id end)
tool{ name = "heard", level = "read", about = "What it heard", run = function() return { heard = heard } end }"#,
    )
    .unwrap();
    std::fs::write(folder.path().join("hearth.toml"), format!("[home]\ndeny = [\"{denied}\"]\n"))
        .unwrap();
    rig::serve(folder)
}

/// Notes what comes on a stream until it ends.
fn listen(hearth: &Hearth, path: &str, session: Option<&str>) -> Arc<Mutex<String>> {
    let request = ureq::get(format!("{}{path}", hearth.url))
        .header("authorization", format!("Bearer {}", hearth.token))
        .header("accept", "text/event-stream");
    let request = match session {
        Some(session) => {
            request.header("mcp-session-id", session).header("mcp-protocol-version", "2025-11-25")
        }
        None => request,
    };
    let stream = request.call().unwrap();
    let told = Arc::new(Mutex::new(String::new()));
    let copy = told.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream.into_body().into_reader()).lines() {
            let Ok(line) = line else { return };
            copy.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_denied_to_everybody_reaches_no_stream_no_notice_and_no_script() {
    let (secret, open) = ("input_boolean.denied_secret", "input_boolean.denied_open");
    let mut raw = Raw::on_real().await;
    for name in ["denied secret", "denied open"] {
        raw.ask(json!({"type": "input_boolean/create", "name": name})).await;
    }
    let uri = |id: &str| format!("home://home/entity/{id}");
    let (hearth, told, mut mcp) = tokio::task::block_in_place(|| {
        let hearth = serving(secret);
        let mut mcp = hearth.mcp("/mcp");
        let streams =
            [listen(&hearth, "/events", None), listen(&hearth, "/mcp", Some(mcp.session()))];
        // Asking about what is denied is answered as for what there is not.
        let asked = |mcp: &mut crate::harness::Mcp, id: &str| {
            let mut said = mcp.try_ask("resources/subscribe", json!({ "uri": uri(id) }));
            said["id"].take();
            said.to_string().replace(id, "")
        };
        let none = asked(&mut mcp, "input_boolean.denied_never_was");
        assert_eq!(asked(&mut mcp, secret), none);
        mcp.ask("resources/subscribe", json!({ "uri": uri(open) }));
        assert!(mcp.tools().contains(&"plugins_ear_heard".to_owned()), "the script runs");
        (hearth, streams, mcp)
    });
    // Each change of the one that is denied comes before one of the other.
    for _ in 0..3 {
        raw.call("input_boolean.toggle", secret, json!({})).await;
        raw.call("input_boolean.toggle", open, json!({})).await;
    }
    raw.ask(json!({"type": "input_boolean/delete", "input_boolean_id": "denied_secret"})).await;
    raw.call("input_boolean.toggle", open, json!({})).await;
    raw.ask(json!({"type": "input_boolean/delete", "input_boolean_id": "denied_open"})).await;
    let is_over = |told: &Arc<Mutex<String>>, last: &str| {
        let told = told.lock().unwrap();
        told.lines().any(|line| line.contains(open) && line.contains(last))
    };
    until("the stream tells that the other is gone", async || is_over(&told[0], "\"state\":null"))
        .await;
    until("a notice about the other", async || is_over(&told[1], "resources/updated")).await;
    let mut heard = Value::Null;
    until("the script heard all of the other", async || {
        heard = tokio::task::block_in_place(|| mcp.tool("plugins_ear_heard", json!({})));
        let all = heard["heard"].as_array();
        all.is_some_and(|all| all.iter().filter(|id| *id == open).count() >= 4)
    })
    .await;
    assert!(!heard.to_string().contains(secret), "{heard}");
    for told in &told {
        let told = told.lock().unwrap();
        assert!(!told.contains(secret), "{told}");
    }
    // Nor in what was kept for readers that come back, nor anywhere else in what it says of itself.
    let (_, activity) = tokio::task::block_in_place(|| hearth.get("/api/home/entities"));
    assert!(!activity.to_string().contains(secret));
    assert!(!hearth.log().contains(secret), "{}", hearth.log());
}

/// Whether `text` names the entity, and not only one whose id begins like it.
fn names(text: &str, id: &str) -> bool {
    text.match_indices(id).any(|(at, _)| {
        let next = text[at + id.len()..].chars().next();
        !next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_tool_tells_of_what_is_denied_to_everybody() {
    let mut raw = Raw::on_real().await;
    let made = Furniture::new(&mut raw, "denied_all", false).await;
    let id = made.id();
    raw.call("automation.trigger", "automation.denied_all", json!({})).await;
    let open = on_real().await;
    let (url, token) = real();
    let mut closed = config(&url, &token);
    closed.deny = vec![id.clone()];
    let closed = start(&closed).await;
    closed.connected().await;
    let questions = [
        ("home_overview", json!({})),
        ("home_find", json!({"query": "denied all"})),
        ("home_find", json!({"domain": "input_number"})),
        ("home_history", json!({"domain": "input_number"})),
        ("home_history", json!({"kind": "logbook"})),
        ("home_config_get", json!({"kind": "input_number"})),
        ("home_config_get", json!({"kind": "entity", "query": "denied_all"})),
        ("home_config_get", json!({"kind": "automation", "id": "denied_all"})),
        ("home_config_get", json!({"kind": "script", "id": "denied_all"})),
        ("home_config_get", json!({"kind": "scene", "id": "denied_all"})),
        ("home_config_get", json!({"kind": "dashboard", "id": made.board()})),
        ("home_refs", json!({"id": "automation.denied_all"})),
        ("home_trace", json!({"entity_id": "automation.denied_all", "run": "last"})),
        ("home_logs", json!({})),
        ("home_logs", json!({"file": true})),
        ("home_undo", json!({})),
        ("home_system", json!({"what": "notifications"})),
        ("home_assist", json!({})),
        ("home_template", json!({"template": "{{ states.input_number | list }}"})),
    ];
    let ask =
        async |rig: &Rig, tool: &str, args: &Value| match rig.try_tool(tool, args.clone()).await {
            Ok(answer) => answer.to_string(),
            Err(e) => e.to_string(),
        };
    until("the house knows it", async || {
        names(&ask(&open, "home_find", &json!({"query": "denied all"})).await, &id)
    })
    .await;
    let mut told = 0;
    for (tool, args) in &questions {
        told += usize::from(names(&ask(&open, tool, args).await, &id));
        let answer = ask(&closed, tool, args).await;
        assert!(!names(&answer, &id), "{tool} {args}: {answer}");
    }
    // Without the rule many of these do tell of it.
    assert!(told >= 8, "only {told} of the questions are about it");
    made.clear(&mut raw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_is_neither_told_on_the_bus_nor_guessed() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let id = "input_text.denied_password";
    // Without a first value it would begin with the last one that it had in another run.
    raw.ask(json!({"type": "input_text/create", "name": "denied password", "mode": "password",
                   "initial": "closed"}))
        .await;
    until("the house knows it", async || {
        rig.try_tool("home_get", json!({"entity_ids": [id]})).await.is_ok()
    })
    .await;
    let mut bus = rig.events.read();
    raw.call("input_text.set_value", id, json!({"value": "opensesame"})).await;
    let told = async {
        loop {
            let Next::Event(stamped) = bus.next().await else { panic!("the bus went on") };
            if let Event::Entity(e) = &stamped.event
                && &*e.entity_id == id
            {
                return serde_json::to_string(&stamped.event).unwrap();
            }
        }
    };
    let told = tokio::time::timeout(super::rig::PATIENCE, told).await.expect("it is told of");
    assert!(told.contains("(hidden)") && !told.contains("opensesame"), "{told}");
    for (tool, args) in [
        ("home_find", json!({"domain": "input_text", "state": "opensesame"})),
        ("home_watch", json!({"entity_ids": [id], "state": "opensesame", "seconds": 1})),
    ] {
        let answer = rig.tool(tool, args).await;
        assert!(answer["total"] == 0 || answer["happened"].is_null(), "{tool}: {answer}");
        assert!(!answer.to_string().contains(id), "{tool}: {answer}");
    }
    raw.ask(json!({"type": "input_text/delete", "input_text_id": "denied_password"})).await;
}
