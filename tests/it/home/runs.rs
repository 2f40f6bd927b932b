//! How automations ran and what was logged, on a real house.

use super::raw::Raw;
use super::rig::{on_real, until};
use hearth::error::Kind;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_told_step_by_step() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let house = crate::harness::real_house().unwrap();
    let own = format!("hearth_trace_{}", std::process::id());
    let path = format!("/api/config/automation/config/{own}");
    house.post(
        &path,
        &json!({"alias": own, "mode": "single",
            "triggers": [{"trigger": "event", "event_type": own}], "conditions": [],
            "actions": [{"variables": {"answer": "{{ 40 + 2 }}"}},
                        {"event": format!("{own}_done"), "event_data": {"answer": "{{ answer }}"}},
                        {"action": "input_number.set_value", "data": {"value": 999},
                         "target": {"entity_id": "input_number.target_level"}}]}),
    );
    let id = format!("automation.{own}");
    let known = async || rig.try_tool("home_get", json!({"entity_ids": [id]})).await.is_ok();
    until("the automation is known", known).await;
    let none = rig.tool("home_trace", json!({"entity_id": id})).await;
    assert!(none["total"] == 0 && none["hint"].is_string(), "{none}");
    raw.ask(json!({"type": "fire_event", "event_type": own})).await;
    let ran = async || {
        let got = rig.tool("home_trace", json!({"entity_id": id})).await;
        got["runs"][0]["result"] == "error"
    };
    until("the run is over", ran).await;
    let got = rig.tool("home_trace", json!({"entity_id": id})).await;
    let theirs =
        raw.ask(json!({"type": "trace/list", "domain": "automation", "item_id": own})).await;
    let (ours, theirs) = (&got["runs"][0], &theirs[0]);
    assert_eq!(ours["run_id"], theirs["run_id"]);
    assert_eq!(ours["last_step"], theirs["last_step"]);
    assert_eq!(ours["trigger"], theirs["trigger"]);
    assert_eq!(ours["id"], id);
    let run = rig.tool("home_trace", json!({"entity_id": id, "run": "last"})).await;
    assert_eq!(run["run_id"], theirs["run_id"]);
    let steps = run["steps"].as_array().unwrap();
    let paths: Vec<&str> = steps.iter().map(|step| step["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["trigger/0", "action/0", "action/1", "action/2"], "{run}");
    assert_eq!(steps[1]["changed"]["answer"], 42, "{run}");
    let failed = steps[3]["error"].as_str().unwrap();
    assert!(failed.contains("999"), "{failed}");
    let by_id = json!({"entity_id": id, "run": theirs["run_id"]});
    assert_eq!(rig.tool("home_trace", by_id).await["steps"], run["steps"]);
    // Among the runs of all it is there too.
    let all = rig.tool("home_trace", json!({})).await;
    assert!(all["runs"].as_array().unwrap().iter().any(|r| r["run_id"] == theirs["run_id"]));
    for (args, kind, word) in [
        (json!({"entity_id": id, "run": "x"}), Kind::NotFound, "no run 'x'"),
        (json!({"entity_id": "light.bed_light"}), Kind::Invalid, "neither an automation"),
        (json!({"entity_id": "automation.nope"}), Kind::NotFound, "no entity"),
        (json!({"run": "last"}), Kind::Invalid, "entity_id"),
    ] {
        let e = rig.try_tool("home_trace", args.clone()).await.unwrap_err();
        assert!(e.kind() == kind && e.what().contains(word), "{args}: {e}");
    }
    house.delete(&path);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_leaves_traces_too() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let house = crate::harness::real_house().unwrap();
    let own = format!("hearth_steps_{}", std::process::id());
    let path = format!("/api/config/script/config/{own}");
    house.post(&path, &json!({"alias": own, "sequence": [{"variables": {"x": 1}}]}));
    let id = format!("script.{own}");
    let known = async || rig.try_tool("home_get", json!({"entity_ids": [id]})).await.is_ok();
    until("the script is known", known).await;
    raw.call("script.turn_on", &id, json!({})).await;
    let ran = async || {
        let args = json!({"entity_id": id, "run": "last"});
        let got = rig.try_tool("home_trace", args).await;
        got.is_ok_and(|got| got["steps"][0]["changed"]["x"] == 1)
    };
    until("the script has run", ran).await;
    house.delete(&path);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_filtered_by_level_logger_and_text() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let own = format!("hearth.test{}", std::process::id());
    // What one logger says at one place is one entry there: so these are two.
    let mut write = async |level: &str, message: &str| {
        raw.ask(json!({"type": "call_service", "domain": "system_log", "service": "write",
            "service_data": {"logger": format!("{own}.{level}"), "level": level, "message": message}}))
            .await;
    };
    write("warning", "the kettle is empty").await;
    write("error", "the kettle is\u{202e} broken").await;
    let logs = async |args: Value| rig.tool("home_logs", args).await;
    let both = json!({"component": own});
    let there = async || logs(both.clone()).await["total"] == 2;
    until("both are in the log", there).await;
    let got = logs(both).await;
    assert_eq!(got["entries"][0]["message"], "the kettle is\\u{202e} broken", "{got}");
    assert_eq!(got["entries"][1]["level"], "warning");
    let theirs = Raw::on_real().await.ask(json!({"type": "system_log/list"})).await;
    let is_own = |entry: &&Value| entry["name"].as_str().unwrap().starts_with(&own);
    assert_eq!(theirs.as_array().unwrap().iter().filter(is_own).count(), 2);
    assert_eq!(logs(json!({"component": own, "level": "error"})).await["total"], 1);
    let empty = logs(json!({"component": own, "search": "EMPTY"})).await;
    assert!(empty["total"] == 1 && empty["entries"][0]["level"] == "warning", "{empty}");
    let file = async || {
        let got = logs(json!({"file": true, "component": own, "level": "error"})).await;
        let lines = got["lines"].as_array().unwrap();
        lines.len() == 1 && lines[0].as_str().unwrap().contains("the kettle is")
    };
    until("the file has it", file).await;
    let e = rig.try_tool("home_logs", json!({"level": "loud"})).await.unwrap_err();
    assert!(e.kind() == Kind::Invalid && e.what().contains("warning, error"), "{e}");
    let all = logs(json!({})).await;
    assert!(all.to_string().len() <= 8192);
}
