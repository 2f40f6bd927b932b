//! Home Assistant itself: health, repairs, updates, notifications, check, reload, restart.

use super::raw::Raw;
use super::rig::{config, on_real, real, start, until};
use hearth::error::Kind;
use hearth::policy::{EntityScope, Level};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn rows(answer: &Value) -> &Vec<Value> {
    answer["rows"].as_array().unwrap_or_else(|| panic!("no rows: {answer}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_repairs_are_home_assistants_own() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let about = raw.ask(json!({"type": "get_config"})).await;
    let got = rig.tool("home_system", json!({"what": "health"})).await;
    let own = rows(&got).iter().find(|row| row["part"] == "homeassistant").unwrap();
    let version = own["version"].as_str().unwrap();
    assert!(version.ends_with(about["version"].as_str().unwrap()), "{own}");
    assert!(rows(&got).iter().any(|row| row["part"] == "recorder"), "{got}");
    let ids = |rows: &Value, name: &str| -> BTreeSet<String> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    // Other tests may cause one at any moment.
    let alike = async || {
        let got = rig.tool("home_system", json!({"what": "repairs"})).await;
        let theirs = raw.ask(json!({"type": "repairs/list_issues"})).await;
        assert!(got.to_string().len() <= 8192);
        ids(&got["rows"], "issue") == ids(&theirs["issues"], "issue_id")
    };
    until("both list the same issues", alike).await;
    // In Home Assistant's words, with their places filled in.
    let got = rig.tool("home_system", json!({"what": "repairs"})).await;
    let (words, all) = (rows(&got).iter().filter_map(|row| row["title"].as_str()), rows(&got));
    let words: Vec<&str> = words.collect();
    // The oldest release has nothing to repair here.
    assert!(all.is_empty() || !words.is_empty(), "{got}");
    assert!(words.iter().all(|title| !title.contains('{')), "{got}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_are_listed_and_bring_their_notes() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let got = rig.tool("home_system", json!({"what": "updates"})).await;
    let ours: BTreeSet<&str> = rows(&got).iter().map(|row| row["id"].as_str().unwrap()).collect();
    let states = raw.ask(json!({"type": "get_states"})).await;
    let waits = |state: &&Value| {
        state["entity_id"].as_str().unwrap().starts_with("update.") && state["state"] == "on"
    };
    let theirs = states.as_array().unwrap().iter().filter(waits);
    let theirs: BTreeSet<&str> = theirs.map(|state| state["entity_id"].as_str().unwrap()).collect();
    assert!(!ours.is_empty() && ours == theirs, "{ours:?} {theirs:?}");
    let id = "update.demo_update_with_progress";
    let got = rig.tool("home_system", json!({"what": "updates", "target": id})).await;
    let theirs = raw.ask(json!({"type": "update/release_notes", "entity_id": id})).await;
    assert_eq!(got["notes"], theirs, "{got}");
    let args = json!({"what": "updates", "target": "light.bed_light"});
    let e = rig.try_tool("home_system", args).await.unwrap_err();
    assert!(e.kind() == Kind::Invalid && e.what().contains("is no update"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notifications_are_read_and_the_configuration_is_checked() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let own = format!("hearth_{}", std::process::id());
    let mut call = async |service: &str, data: Value| {
        raw.ask(json!({"type": "call_service", "domain": "persistent_notification",
                       "service": service, "service_data": data}))
            .await
    };
    let data = json!({"notification_id": own, "title": "Kettle", "message": "It is\u{7} empty"});
    call("create", data).await;
    let got = rig.tool("home_system", json!({"what": "notifications"})).await;
    let row = rows(&got).iter().find(|row| row["id"] == own).unwrap();
    assert_eq!((&row["title"], &row["message"]), (&json!("Kettle"), &json!("It is\\u{7} empty")));
    call("dismiss", json!({"notification_id": own})).await;
    let got = rig.tool("home_system", json!({"what": "check"})).await;
    assert_eq!(got["result"], "valid", "{got}");
    let e = rig.try_tool("home_system", json!({})).await.unwrap_err();
    assert!(e.kind() == Kind::Invalid && e.what().contains("notifications, check"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloading_and_restarting_are_for_administrators_who_confirm() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let resident = rig.token("resident", Level::Control, EntityScope::default()).await;
    let reload = json!({"what": "reload", "target": "input_button"});
    for args in [&reload, &json!({"what": "restart"}), &json!({"what": " Restart "})] {
        let e = rig.tool_as(&resident, "home_system", args.clone()).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Refused, "{args}: {e}");
    }
    assert!(rig.tool_as(&resident, "home_system", json!({"what": "check"})).await.is_ok());
    raw.ask(json!({"type": "subscribe_events", "event_type": "call_service"})).await;
    let e = rig.try_tool("home_system", reload.clone()).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Conflict, "{e}");
    let (_, token) = e.what().split_once("confirm=\"").unwrap_or_else(|| panic!("{e}"));
    let mut agreed = reload;
    agreed["confirm"] = token.split_once('"').unwrap().0.into();
    let done = rig.tool("home_system", agreed).await;
    assert_eq!(done["result"], "reloaded", "{done}");
    // Home Assistant has heard it once: the unconfirmed one never reached it.
    loop {
        let event = raw.event().await["event"]["data"].clone();
        if event["domain"] == "input_button" && event["service"] == "reload" {
            break;
        }
    }
    let e = rig.try_tool("home_system", json!({"what": "restart"})).await.unwrap_err();
    assert!(e.kind() == Kind::Conflict && e.what().contains("homeassistant.restart"), "{e}");
    let odd = json!({"what": "reload", "target": "elephant"});
    let e = rig.try_tool("home_system", odd).await.unwrap_err();
    assert!(e.kind() == Kind::NotFound && e.what().contains("no service"), "{e}");
    let audit = rig.policy.audit();
    let lines = |action: &str, outcome: &str| {
        let is_it =
            |line: &&hearth::events::Audit| line.action == action && line.outcome == outcome;
        audit.iter().filter(is_it).count()
    };
    assert_eq!(lines("input_button.reload", "allowed"), 1, "{audit:?}");
    assert_eq!(lines("input_button.reload", "asked"), 1, "{audit:?}");
    assert_eq!(lines("home_system", "denied"), 3, "{audit:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_house_is_looked_at_and_not_changed() {
    let (url, token) = real();
    let closed = hearth::home::Config { read_only: true, ..config(&url, &token) };
    let rig = start(&closed).await;
    rig.connected().await;
    assert!(rig.try_tool("home_todo", json!({"list": "Chores"})).await.is_ok());
    let start = "2026-12-01";
    for (tool, args) in [
        ("home_todo", json!({"list": "Chores", "action": "add", "item": "never"})),
        (
            "home_calendar",
            json!({"calendar": "Family", "action": "create", "summary": "never",
                                 "start": start}),
        ),
        ("home_system", json!({"what": "restart"})),
    ] {
        let e = rig.try_tool(tool, args).await.unwrap_err();
        assert!(e.kind() == Kind::Refused && e.what().contains("read-only"), "{tool}: {e}");
    }
    until("nothing came of it", async || {
        let items = rig.tool("home_todo", json!({"list": "Chores", "item": "never"})).await;
        items["total"] == 0
    })
    .await;
}
