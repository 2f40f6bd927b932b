//! "When this, do that": automations made and changed, loaded by Home Assistant and seen to act.

use super::Story;
use serde_json::{Value, json};

fn turn(service: &str, id: &str) -> Value {
    json!({"action": format!("homeassistant.{service}"), "target": {"entity_id": id}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_light_goes_on_at_sunset_and_off_at_sunrise() {
    let mut story = Story::begin().await;
    let found = story.ask("home_find", json!({"query": "bed light", "domain": "light"}));
    let light = super::ids(&found)[0].to_owned();
    let schema = story.ask("home_schema", json!({"kind": "automation"}));
    assert!(schema["example"]["triggers"].is_array(), "{schema}");
    let sun = |event: &str| json!({"trigger": "sun", "event": event, "id": event});
    let by = |event: &str, service: &str| {
        json!({"conditions": [{"condition": "trigger", "id": event}],
               "sequence": [{"action": format!("light.{service}"), "target": {"entity_id": light}}]})
    };
    let config = json!({
        "alias": "Story porch", "mode": "single", "conditions": [],
        "triggers": [sun("sunset"), sun("sunrise")],
        "actions": [{"choose": [by("sunset", "turn_on"), by("sunrise", "turn_off")]}],
    });
    let new = json!({"kind": "automation", "config": config});
    let made = story.agreed("home_config_set", new);
    let (own, entity) = (made["id"].as_str().unwrap(), made["entity_id"].as_str().unwrap());
    assert_eq!(entity, "automation.story_porch", "{made}");

    let theirs = story.theirs("automation", own).await;
    for field in ["alias", "triggers", "actions"] {
        assert_eq!(theirs[field], config[field], "{theirs}");
    }
    assert_eq!(story.raw.state(entity).await, "on", "it is enabled");
    assert!(story.is_related("light.bed_light", "automation", entity).await);
    story.end().await;
    let mut raw = super::Raw::on_real().await;
    assert!(super::theirs(&mut raw, "automation", own).await.is_null(), "taken back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_light_follows_motion_and_goes_off_after_the_last_of_it() {
    let mut story = Story::begin().await;
    let motion = story.helper("input_boolean", "Story motion", json!({"initial": false})).await;
    let lamp = story.helper("input_boolean", "Story hall lamp", json!({"initial": false})).await;
    let new = json!({"kind": "automation", "config": {
        "alias": "Story motion light", "mode": "restart", "conditions": [],
        "triggers": [{"trigger": "state", "entity_id": motion, "to": ["on", "off"]}],
        "actions": [{"choose": [{
            "conditions": [{"condition": "state", "entity_id": motion, "state": "on"}],
            "sequence": [turn("turn_on", &lamp)],
        }], "default": [{"delay": {"seconds": 2}}, turn("turn_off", &lamp)]}],
    }});
    let made = story.agreed("home_config_set", new);
    let entity = made["entity_id"].as_str().unwrap().to_owned();
    assert_eq!(story.theirs("automation", made["id"].as_str().unwrap()).await["mode"], "restart");

    // Somebody walks through, stops, and moves again before the time is over.
    story.raw.call("input_boolean.turn_on", &motion, json!({})).await;
    story.until_is(&lamp, "on").await;
    story.raw.call("input_boolean.turn_off", &motion, json!({})).await;
    story.raw.call("input_boolean.turn_on", &motion, json!({})).await;
    // The run that would have switched it off has ended: nothing runs, and the lamp is on.
    super::until("nothing of it runs any more", async || {
        let states = story.raw.ask(json!({"type": "get_states"})).await;
        let all = states.as_array().unwrap();
        let own = all.iter().find(|state| state["entity_id"] == *entity).unwrap();
        own["attributes"]["current"] == 0
    })
    .await;
    assert_eq!(story.raw.state(&lamp).await, "on");
    story.raw.call("input_boolean.turn_off", &motion, json!({})).await;
    story.until_is(&lamp, "off").await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_is_added_and_nothing_else_of_the_automation_changes() {
    let mut story = Story::begin().await;
    let home = story.helper("input_boolean", "Story somebody", json!({"initial": false})).await;
    let lamp = story.helper("input_boolean", "Story evening lamp", json!({"initial": false})).await;
    let before = json!({"alias": "Story evening", "description": "at six", "mode": "single",
        "triggers": [{"trigger": "time", "at": "18:00:00"}], "conditions": [],
        "actions": [turn("turn_on", &lamp)]});
    story.file("automation", "story_evening", before.clone()).await;
    story.knows("automation.story_evening").await;

    let found = story.ask("home_find", json!({"query": "story evening", "domain": "automation"}));
    let id = super::ids(&found)[0].to_owned();
    let got = story.ask("home_config_get", json!({"kind": "automation", "id": id}));
    let condition = json!({"condition": "state", "entity_id": home, "state": "on"});
    let edit = json!({"kind": "automation", "id": id, "hash": got["hash"],
                      "config": {"conditions": [condition]}, "dry_run": true});
    let tried = story.ask("home_config_set", edit.clone());
    assert_eq!(tried["diff"].as_array().unwrap().len(), 1, "only the condition: {tried}");
    let mut edit = edit;
    edit["dry_run"] = false.into();
    story.agreed("home_config_set", edit);

    let mut theirs = story.theirs("automation", "story_evening").await;
    assert_eq!(theirs["conditions"], json!([condition]));
    theirs["conditions"] = json!([]);
    for (field, value) in before.as_object().unwrap() {
        assert_eq!(theirs[field], *value, "{theirs}");
    }
    // As Home Assistant runs it: with nobody there it stops at the condition, else it acts.
    let run = json!({"skip_condition": false});
    story.raw.call("automation.trigger", &id, run.clone()).await;
    let traces = json!({"type": "trace/list", "domain": "automation", "item_id": "story_evening"});
    super::until("it stopped at the condition", async || {
        let runs = story.raw.ask(traces.clone()).await;
        runs.as_array().unwrap().last().is_some_and(|run| {
            run["script_execution"] == "failed_conditions" && run["state"] == "stopped"
        })
    })
    .await;
    assert_eq!(story.raw.state(&lamp).await, "off");
    story.raw.call("input_boolean.turn_on", &home, json!({})).await;
    story.raw.call("automation.trigger", &id, run).await;
    story.until_is(&lamp, "on").await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_doors_light_the_hall_only_when_it_is_dark_and_the_alarm_is_set() {
    let mut story = Story::begin().await;
    let mut boolean =
        async |name: &str| story.helper("input_boolean", name, json!({"initial": false})).await;
    let (front, back) = (boolean("Story front door").await, boolean("Story back door").await);
    let (alarm, lamp) = (boolean("Story alarm home").await, boolean("Story door lamp").await);
    let opened = |door: &str| json!({"trigger": "state", "entity_id": door, "to": "on"});
    let is = |id: &str, state: &str| json!({"condition": "state", "entity_id": id, "state": state});
    let config = json!({
        "alias": "Story doors", "mode": "single", "triggers": [opened(&front), opened(&back)],
        "conditions": [is("sun.sun", "below_horizon"), is(&alarm, "on")],
        "actions": [turn("turn_on", &lamp), {"delay": {"milliseconds": 200}}, turn("turn_off", &lamp)],
    });
    // An assistant that makes a mistake is told by Home Assistant's own check, and nothing is there.
    let mut wrong = config.clone();
    wrong["triggers"][0]["trigger"] = "doorbell".into();
    let refused = tokio::task::block_in_place(|| {
        story.mcp.call("home_config_set", json!({"kind": "automation", "config": wrong}))
    });
    assert_eq!(refused["isError"], true, "{refused}");
    let new = json!({"kind": "automation", "config": config});
    let made = story.agreed("home_config_set", new);
    let own = made["id"].as_str().unwrap().to_owned();
    let theirs = story.theirs("automation", &own).await;
    assert_eq!(theirs["conditions"], config["conditions"], "{theirs}");

    let is_dark = story.raw.state("sun.sun").await == "below_horizon";
    let traces = json!({"type": "trace/list", "domain": "automation", "item_id": own});
    let ends = |dark: bool| if dark { "finished" } else { "failed_conditions" };
    // The alarm is not set: it stops. Then it is, and what happens depends on the sun.
    for (n, (door, alarmed)) in [(&front, false), (&back, true)].into_iter().enumerate() {
        if alarmed {
            story.raw.call("input_boolean.turn_on", &alarm, json!({})).await;
        }
        story.raw.call("input_boolean.turn_on", door, json!({})).await;
        let mut runs = Value::Null;
        super::until("it has run", async || {
            runs = story.raw.ask(traces.clone()).await;
            runs.as_array().unwrap().len() == n + 1 && runs[n]["state"] == "stopped"
        })
        .await;
        assert_eq!(runs[n]["script_execution"], ends(alarmed && is_dark), "{runs}");
        assert!(runs[n]["trigger"].as_str().unwrap().contains(door.as_str()), "{runs}");
    }
    assert_eq!(story.raw.state(&lamp).await, "off", "and off again");
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vacation_switch_and_the_automation_that_heeds_it_are_made_together() {
    let mut story = Story::begin().await;
    let toggle = json!({"kind": "input_boolean", "config": {"name": "Story vacation"}});
    let toggle = story.ask("home_config_set", toggle);
    let switch = format!("input_boolean.{}", toggle["id"].as_str().unwrap());
    let at = |time: &str, id: &str| json!({"trigger": "time", "at": time, "id": id});
    let by = |id: &str, service: &str| {
        json!({"conditions": [{"condition": "trigger", "id": id}],
               "sequence": [{"action": format!("light.{service}"), "target": {"entity_id": "light.bed_light"}}]})
    };
    let config = json!({
        "alias": "Story vacation light", "mode": "single",
        "triggers": [at("19:00:00", "evening"), at("23:00:00", "night")],
        "conditions": [{"condition": "state", "entity_id": switch, "state": "on"}],
        "actions": [{"choose": [by("evening", "turn_on"), by("night", "turn_off")]}],
    });
    let made = story.agreed("home_config_set", json!({"kind": "automation", "config": config}));
    let (own, entity) = (made["id"].as_str().unwrap().to_owned(), &made["entity_id"]);
    let helper = story.theirs("input_boolean", "story_vacation").await;
    assert_eq!(helper["name"], "Story vacation");
    let theirs = story.theirs("automation", &own).await;
    let times: Vec<&Value> =
        theirs["triggers"].as_array().unwrap().iter().map(|trigger| &trigger["at"]).collect();
    assert_eq!(times, ["19:00:00", "23:00:00"]);
    assert!(story.is_related(&switch, "automation", entity.as_str().unwrap()).await);
    // On vacation: the assistant sets it, and the house says so.
    let set = json!({"service": "input_boolean.turn_on", "target": {"entity_id": switch}});
    let done = story.ask("home_call", set);
    assert_eq!(done["entities"][0]["result"], "verified", "{done}");
    assert_eq!(story.raw.state(&switch).await, "on");
    story.end().await;
    let mut raw = super::Raw::on_real().await;
    assert!(super::theirs(&mut raw, "input_boolean", "story_vacation").await.is_null());
    assert!(super::theirs(&mut raw, "automation", &own).await.is_null());
}
