//! Files that come, change and go while Hearth runs.

use super::rig::rig;
use hearth::plugins::Config;
use serde_json::json;

fn says(word: &str) -> String {
    format!(
        "tool{{ name = 'say', about = 'Say', level = 'read', run = function() return {{ w = '{word}' }} end }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_nothing_runs_until_there_is_one() {
    let rig = rig(Config::default()).await;
    assert!(rig.plugins.scripts().is_empty());
    let threads = || {
        let all = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        all.filter(|entry| name_is(&entry.path(), "plugin:lonely")).count()
    };
    assert_eq!(threads(), 0);
    rig.runs("lonely", &says("here")).await;
    assert_eq!(rig.tool("plugins_lonely_say", json!({})).await, Ok(json!({"w": "here"})));
    assert_eq!(threads(), 1);
    rig.remove("lonely");
    crate::home::rig::until("its thread ends", async || threads() == 0).await;
}

fn name_is(task: &std::path::Path, name: &str) -> bool {
    std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_script_is_loaded_again_and_the_others_go_on() {
    let rig = rig(Config::default()).await;
    rig.runs("other", "local n = 0 tool{ name = 'n', about = 'N', run = function() n = n + 1 return { n = n } end }")
        .await;
    assert_eq!(rig.tool("plugins_other_n", json!({})).await, Ok(json!({"n": 1})));
    rig.runs("talk", &says("one")).await;
    assert_eq!(rig.tool("plugins_talk_say", json!({})).await, Ok(json!({"w": "one"})));
    let mut lists = rig.toolbox.changes();
    lists.borrow_and_update();
    rig.write("talk", &says("two"));
    rig.until("talk", "runs anew", |facts| facts.state == "running" && facts.runs == 0).await;
    assert_eq!(rig.tool("plugins_talk_say", json!({})).await, Ok(json!({"w": "two"})));
    assert!(lists.has_changed().unwrap(), "clients are told");

    let why = rig.fails("talk", "tool{").await;
    assert!(why.starts_with("talk.lua:1: "), "{why}");
    let gone = rig.tool("plugins_talk_say", json!({})).await.unwrap_err();
    assert!(gone.contains("there is no tool"), "{gone}");
    let line = || rig.tasks.health().into_iter().find(|line| line.name == "plugins").unwrap();
    crate::home::rig::until("health says so", async || line().state.word() == "degraded").await;
    assert!(line().state.reason().unwrap().contains("talk.lua:1: "));

    rig.remove("talk");
    crate::home::rig::until("it is gone", async || rig.facts("talk").is_none()).await;
    crate::home::rig::until("all is well", async || line().state.word() == "up").await;
    // It was never started again.
    assert_eq!(rig.tool("plugins_other_n", json!({})).await, Ok(json!({"n": 2})));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_never_ends_is_replaced_all_the_same() {
    let rig = rig(Config { steps: 10_000_000_000, seconds: 600, ..Config::default() }).await;
    rig.runs(
        "mad",
        "after('0s', function() while true do pcall(function() while true do end end) end end)",
    )
    .await;
    rig.write("mad", &says("sane"));
    rig.until("mad", "runs anew", |facts| !facts.tools.is_empty()).await;
    assert_eq!(rig.tool("plugins_mad_say", json!({})).await, Ok(json!({"w": "sane"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_unfit_names_are_said_and_not_run() {
    let rig = rig(Config::default()).await;
    rig.write("Night Light", "error('ran')");
    let facts = rig.until("Night Light", "is said", |facts| facts.error.is_some()).await;
    assert!(facts.error.unwrap().contains("a-z, 0-9 and _"));
}
