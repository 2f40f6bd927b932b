//! "Make it tidy": dashboards, a routine, areas and labels.

use super::{Story, ids, until};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dashboard_of_a_room_is_built_from_what_is_found_there() {
    let mut story = Story::begin().await;
    let lights = story.ask("home_find", json!({"domain": "light", "fields": ["name"]}));
    let climate = story.ask("home_find", json!({"domain": "climate", "fields": ["name"]}));
    let (lights, climate) = (ids(&lights), ids(&climate));
    let thermostats = climate.iter().map(|id| json!({"type": "thermostat", "entity": id}));
    let mut cards: Vec<Value> = vec![
        json!({"type": "entities", "title": "Lights", "entities": lights, "show_header_toggle": true}),
        json!({"type": "button", "name": "All off", "tap_action": {
            "action": "perform-action", "perform_action": "light.turn_off",
            "target": {"entity_id": lights}}}),
    ];
    cards.extend(thermostats);
    let config = json!({"views": [{"title": "Overview", "path": "overview", "cards": cards}]});
    let new = json!({"kind": "dashboard", "id": "story-room",
                     "config": {"title": "Story room", "config": config}});
    let mut tried = new.clone();
    tried["dry_run"] = true.into();
    story.ask("home_config_set", tried);
    assert!(story.theirs("dashboard", "story-room").await.is_null(), "only looked at");
    let made = story.agreed("home_config_set", new);
    assert_eq!((&made["id"], &made["action"]), (&json!("story-room"), &json!("created")));

    let theirs = story.theirs("dashboard", "story-room").await;
    assert_eq!((&theirs["title"], &theirs["config"]), (&json!("Story room"), &config));
    // Each entity on it is one of the house.
    let states = story.raw.ask(json!({"type": "get_states"})).await.to_string();
    for id in lights.iter().chain(&climate) {
        assert!(states.contains(&format!("\"{id}\"")), "{id} is not there");
    }
    story.end().await;
    let mut raw = super::Raw::on_real().await;
    assert!(super::theirs(&mut raw, "dashboard", "story-room").await.is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_added_to_a_dashboard_and_the_others_stay() {
    let mut story = Story::begin().await;
    let path = "story-board";
    let dashboard =
        json!({"type": "lovelace/dashboards/create", "url_path": path, "title": "Story"});
    let dashboard = story.raw.ask(dashboard).await["id"].clone();
    let first = json!({"type": "markdown", "content": "Hello"});
    let second = json!({"type": "entities", "entities": ["light.bed_light"]});
    let config = json!({"views": [{"title": "Home", "cards": [first, second]}]});
    let save = json!({"type": "lovelace/config/save", "url_path": path, "config": config});
    story.raw.ask(save).await;

    let got = story.ask("home_config_get", json!({"kind": "dashboard", "id": path}));
    let cards = got["config"]["config"]["views"][0]["cards"].as_array().unwrap();
    assert_eq!(cards.len(), 2, "{got}");
    let third = json!({"type": "thermostat", "entity": "climate.hvac"});
    let edit = json!({"kind": "dashboard", "id": path, "hash": got["hash"], "config": third,
                      "path": "/config/views/0/cards/-"});
    story.agreed("home_config_set", edit.clone());
    let theirs = story.theirs("dashboard", path).await;
    assert_eq!(theirs["config"]["views"][0]["cards"], json!([first, second, third]));
    // The version that was read is not there any more: it is not added twice.
    let again = tokio::task::block_in_place(|| story.mcp.call("home_config_set", edit));
    assert_eq!(again["isError"], true, "{again}");
    let theirs = story.theirs("dashboard", path).await;
    assert_eq!(theirs["config"]["views"][0]["cards"].as_array().unwrap().len(), 3);

    let change = story.ask("home_undo", json!({}))["changes"][0]["id"].clone();
    story.agreed("home_undo", json!({ "change": change }));
    let theirs = story.theirs("dashboard", path).await;
    assert_eq!(theirs["config"], config, "back to the letter");
    story.raw.ask(json!({"type": "lovelace/dashboards/delete", "dashboard_id": dashboard})).await;
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_goodnight_script_does_its_steps_in_order() {
    let mut story = Story::begin().await;
    let mut lamps = Vec::new();
    for name in ["Story night lamp", "Story night strip"] {
        lamps.push(story.helper("input_boolean", name, json!({"initial": true})).await);
    }
    let heat = json!({"min": 5, "max": 30, "initial": 21});
    let heat = story.helper("input_number", "Story night heat", heat).await;
    let pause = json!({"delay": {"milliseconds": 300}});
    let sequence = json!([
        {"action": "homeassistant.turn_off", "target": {"entity_id": lamps}}, pause,
        {"action": "input_number.set_value", "target": {"entity_id": heat}, "data": {"value": 18}},
        pause, {"event": "story_good_night"},
    ]);
    let config = json!({"alias": "Story good night", "sequence": sequence});
    let made = story.agreed("home_config_set", json!({"kind": "script", "config": config}));
    let own = made["id"].as_str().unwrap().to_owned();
    let theirs = story.theirs("script", &own).await;
    assert_eq!(theirs["sequence"], sequence, "{theirs}");

    // The assistant runs it; the house is as it should be, and in that order.
    for kind in ["state_changed", "story_good_night"] {
        story.raw.ask(json!({"type": "subscribe_events", "event_type": kind})).await;
    }
    let run = json!({"service": "script.turn_on", "target": {"entity_id": made["entity_id"]}});
    story.agreed("home_call", run);
    let mut order = Vec::new();
    while order.last().map(String::as_str) != Some("over") {
        let event = story.raw.event().await["event"].clone();
        let id = event["data"]["entity_id"].as_str().unwrap_or_default();
        if event["event_type"] == "story_good_night" {
            order.push("over".to_owned());
        } else if lamps.iter().any(|lamp| lamp == id) || id == heat {
            order.push(format!("{id} {}", event["data"]["new_state"]["state"].as_str().unwrap()));
        }
    }
    let off = |lamp: &String| format!("{lamp} off");
    let mut first = order[..2].to_vec();
    first.sort();
    assert_eq!(first, [off(&lamps[0]), off(&lamps[1])], "{order:?}");
    assert_eq!(order[2..], [format!("{heat} 18.0"), "over".to_owned()], "{order:?}");
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn areas_are_made_and_nothing_is_moved_unasked() {
    let mut story = Story::begin().await;
    let mut made = Vec::new();
    for name in ["Story kitchen", "Story bedroom", "Story garage"] {
        let new = json!({"kind": "area", "config": {"name": name}});
        made.push(story.ask("home_config_set", new)["id"].as_str().unwrap().to_owned());
    }
    let entries = json!({"type": "config/entity_registry/list"});
    let devices = json!({"type": "config/device_registry/list"});
    for (area, name) in made.iter().zip(["Story kitchen", "Story bedroom", "Story garage"]) {
        assert_eq!(story.theirs("area", area).await["name"], name);
        for list in [&entries, &devices] {
            let rows = story.raw.ask(list.clone()).await;
            let inside = rows.as_array().unwrap().iter().filter(|row| row["area_id"] == **area);
            assert_eq!(inside.count(), 0, "nothing is in {area}");
        }
    }
    // Then the person says which one goes where.
    let roof = "cover.pergola_roof";
    let was = story.theirs("entity", roof).await;
    let got = story.ask("home_config_get", json!({"kind": "device", "id": was["device_id"]}));
    let edit = json!({"kind": "device", "id": was["device_id"], "hash": got["hash"],
                      "config": {"area_id": made[2]}});
    story.agreed("home_config_set", edit);
    let device = story.theirs("device", was["device_id"].as_str().unwrap()).await;
    assert_eq!(device["area_id"], *made[2]);
    until("it is found there", async || story.finds(json!({"area": "Story garage"}), roof)).await;
    story.end().await;
    let mut raw = super::Raw::on_real().await;
    let device = super::theirs(&mut raw, "device", was["device_id"].as_str().unwrap()).await;
    assert!(device["area_id"].is_null(), "it is where it was: {device}");
    assert!(super::theirs(&mut raw, "area", &made[0]).await.is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn labels_are_made_listed_and_put_on_what_they_are_for() {
    let mut story = Story::begin().await;
    let mut made = Vec::new();
    for (name, color) in [("Story critical", "red"), ("Story battery", "yellow")] {
        let config = json!({"name": name, "color": color, "description": "what must not fail"});
        let done = story.ask("home_config_set", json!({"kind": "label", "config": config}));
        let id = done["id"].as_str().unwrap().to_owned();
        let theirs = story.theirs("label", &id).await;
        for (field, value) in config.as_object().unwrap() {
            assert_eq!(theirs[field], *value, "{theirs}");
        }
        made.push(id);
    }
    let listed = story.ask("home_config_get", json!({"kind": "label", "query": "story"}));
    let names: Vec<&Value> =
        listed["items"].as_array().unwrap().iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["Story battery", "Story critical"], "{listed}");

    let chooser = "select.speed";
    let was = story.theirs("entity", chooser).await["labels"].clone();
    let got = story.ask("home_config_get", json!({"kind": "entity", "id": chooser}));
    let edit = json!({"kind": "entity", "id": chooser, "hash": got["hash"],
                      "config": {"labels": [made[0]]}});
    story.agreed("home_config_set", edit);
    assert_eq!(story.theirs("entity", chooser).await["labels"], json!([made[0]]));
    until("it is found by it", async || story.finds(json!({"label": "Story critical"}), chooser))
        .await;
    story.end().await;
    let mut raw = super::Raw::on_real().await;
    assert_eq!(super::theirs(&mut raw, "entity", chooser).await["labels"], was);
    assert!(super::theirs(&mut raw, "label", &made[1]).await.is_null());
}
