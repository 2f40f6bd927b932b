//! "What is there?" and "what happened?": answers that are compared with Home Assistant's own.

use super::{Story, ids, rest, until};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The entities of each area as Home Assistant's registries have them.
async fn by_area(story: &mut Story) -> BTreeMap<String, BTreeSet<String>> {
    let devices = story.raw.ask(json!({"type": "config/device_registry/list"})).await;
    let devices: BTreeMap<&str, &Value> = devices
        .as_array()
        .unwrap()
        .iter()
        .map(|device| (device["id"].as_str().unwrap(), &device["area_id"]))
        .collect();
    let entries = story.raw.ask(json!({"type": "config/entity_registry/list"})).await;
    let states = story.raw.ask(json!({"type": "get_states"})).await;
    let live: BTreeSet<&str> =
        states.as_array().unwrap().iter().map(|s| s["entity_id"].as_str().unwrap()).collect();
    let mut areas: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in entries.as_array().unwrap() {
        let of_device = || devices.get(entry["device_id"].as_str()?)?.as_str();
        let area = entry["area_id"].as_str().or_else(of_device);
        let id = entry["entity_id"].as_str().unwrap();
        if let Some(area) = area.filter(|_| live.contains(id)) {
            areas.entry(area.to_owned()).or_default().insert(id.to_owned());
        }
    }
    areas
}

/// Everything that `home_find` has for a question, through all its pages.
fn find_all(story: &mut Story, mut args: Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    loop {
        let page = story.ask("home_find", args.clone());
        found.extend(ids(&page).into_iter().map(str::to_owned));
        match page.get("next") {
            Some(next) => args["cursor"] = next.clone(),
            None => return found,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_is_told_the_rooms_what_is_in_them_and_how_much_is_automated() {
    let mut story = Story::begin().await;
    // Other tests make things and take them away meanwhile.
    until("the house is told as it is", async || {
        let overview = story.ask("home_overview", json!({}));
        let theirs = by_area(&mut story).await;
        let floors = overview["floors"].as_object().unwrap().values();
        let rooms: BTreeMap<&str, u64> = floors
            .flat_map(|rooms| rooms.as_array().unwrap())
            .map(|room| (room["id"].as_str().unwrap(), room["entities"].as_u64().unwrap()))
            .collect();
        let states = story.raw.ask(json!({"type": "get_states"})).await;
        let count = |domain: &str| {
            let all = states.as_array().unwrap().iter();
            all.filter(|s| s["entity_id"].as_str().unwrap().starts_with(domain)).count() as u64
        };
        let told = |domain: &str| {
            let row = &overview["domains"][domain];
            row.as_u64().or_else(|| row["all"].as_u64()).unwrap_or_default()
        };
        ["kitchen", "living_room", "bedroom"]
            .iter()
            .all(|room| rooms.get(room).copied() == theirs.get(*room).map(|all| all.len() as u64))
            && ["light", "automation", "script", "climate"]
                .iter()
                .all(|domain| told(domain) == count(&format!("{domain}.")))
    })
    .await;
    // And room by room.
    for room in ["Kitchen", "Living Room", "Bedroom"] {
        until("the room is told as it is", async || {
            let ours = find_all(&mut story, json!({ "area": room }));
            let theirs = by_area(&mut story).await;
            theirs.get(&room.to_lowercase().replace(' ', "_")) == Some(&ours)
        })
        .await;
    }
    // One kind of thing in one room, and nothing besides.
    let ours = find_all(&mut story, json!({"area": "Living Room", "domain": "climate"}));
    let theirs = by_area(&mut story).await["living_room"].clone();
    let theirs = theirs.into_iter().filter(|id| id.starts_with("climate.")).collect();
    assert_eq!(ours, theirs);
    story.end().await;
}

/// When a lamp went on or off, and to what, from the times of two kinds of answer.
fn longest_on(changes: &[(f64, String)], end: f64) -> f64 {
    let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([end]);
    let spans = changes.iter().zip(ends).filter(|((_, state), _)| state == "on");
    spans.map(|((at, _), end)| end - at).fold(0.0, f64::max)
}

fn moment(text: &Value) -> f64 {
    let at: Timestamp = text.as_str().unwrap().parse().unwrap();
    at.as_millisecond() as f64 / 1000.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_a_lamp_was_used_is_told_from_its_history_and_the_logbook() {
    let mut story = Story::begin().await;
    // The recorder keeps what was; each run of this test has a lamp of its own.
    let name = format!("Story used lamp {}", std::process::id());
    let lamp = story.helper("input_boolean", &name, json!({"initial": false})).await;
    for _ in 0..5 {
        story.raw.call("input_boolean.toggle", &lamp, json!({})).await;
    }
    let hour_ago = Timestamp::from_second(Timestamp::now().as_second() - 3600).unwrap();
    let path = format!("history/period/{hour_ago}?filter_entity_id={lamp}&no_attributes");
    let mut theirs = Vec::new();
    until("Home Assistant has stored it", async || {
        let all = rest("GET", &path, None).await;
        let rows = all[0].as_array().cloned().unwrap_or_default();
        let change =
            |row: &Value| (moment(&row["last_changed"]), row["state"].as_str().unwrap().to_owned());
        theirs = rows.iter().map(change).collect();
        theirs.len() >= 6 && theirs.last().is_some_and(|(_, state)| state == "on")
    })
    .await;
    let ask = json!({"entity_ids": [lamp], "start": "1h"});
    let got = story.ask("home_history", ask.clone());
    let rows = got["entities"][0]["rows"].as_array().unwrap();
    let ours: Vec<(f64, String)> =
        rows.iter().map(|row| (moment(&row[0]), row[1].as_str().unwrap().to_owned())).collect();
    let on = |all: &[(f64, String)]| all.iter().filter(|(_, state)| state == "on").count();
    assert_eq!(on(&ours), on(&theirs), "{got}");
    assert_eq!(on(&ours), 3, "{got}");
    let end = moment(&got["to"]);
    let (ours, theirs) = (longest_on(&ours, end), longest_on(&theirs, end));
    assert!((ours - theirs).abs() <= 1.0, "{ours} and {theirs}: {got}");

    // The logbook says the same, each change once.
    let entries = format!("logbook/{hour_ago}?entity={lamp}");
    let said = |rows: &Value| -> Vec<String> {
        let rows = rows.as_array().unwrap().iter();
        rows.filter_map(|row| Some(row.get("state")?.as_str()?.to_owned())).collect()
    };
    let mut theirs = Vec::new();
    until("the logbook has it", async || {
        theirs = said(&rest("GET", &entries, None).await);
        theirs.len() >= 5
    })
    .await;
    let mut ask = ask;
    ask["kind"] = "logbook".into();
    let mut ours = said(&story.ask("home_history", ask)["events"]);
    ours.reverse();
    assert_eq!(ours, theirs);
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_uses_a_light_is_all_that_home_assistant_relates_to_it() {
    let mut story = Story::begin().await;
    let light = "light.bed_light";
    let config = json!({"alias": "Story evening light", "mode": "single", "conditions": [],
        "triggers": [{"trigger": "time", "at": "20:00:00"}],
        "actions": [{"action": "light.turn_on", "target": {"entity_id": light},
                     "data": {"brightness_pct": 80}}]});
    story.file("automation", "story_uses", config).await;
    let entity = "automation.story_evening_light";
    story.knows(entity).await;
    // By its name it is the device; what it consists of is said with it.
    let device = story.ask("home_refs", json!({"id": "bed light"}));
    assert_eq!(device["kind"], "device", "{device}");
    assert!(device["related"].as_array().unwrap().contains(&json!(entity)), "{device}");
    assert_eq!(device["entities"], json!([light]), "{device}");
    let found = story.ask("home_refs", json!({"id": device["entities"][0]}));
    let rows = found["used_in"].as_array().unwrap();
    let own = rows.iter().find(|row| row["id"] == entity).unwrap_or_else(|| panic!("{found}"));
    assert_eq!(own["paths"][0], "actions[0].target.entity_id", "{own}");
    // Whatever Home Assistant names itself is among them; other tests come and go.
    until("nothing is missing", async || {
        let ask = json!({"type": "search/related", "item_type": "entity", "item_id": light});
        let theirs = story.raw.ask(ask).await;
        let ours = story.ask("home_refs", json!({ "id": light })).to_string();
        ["automation", "script", "scene"]
            .iter()
            .flat_map(|kind| theirs[*kind].as_array().cloned().unwrap_or_default())
            .all(|id| ours.contains(id.as_str().unwrap()))
    })
    .await;
    // What it does with the light is read where it was said to be.
    let part = json!({"kind": "automation", "id": entity, "path": "/actions/0/data"});
    let got = story.ask("home_config_get", part);
    assert_eq!(got["config"], json!({"brightness_pct": 80}), "{got}");
    story.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_an_automation_did_not_run_is_found_and_mended() {
    let mut story = Story::begin().await;
    let lamp = story.helper("input_boolean", "Story morning lamp", json!({"initial": false})).await;
    let config = json!({"alias": "Story morning", "mode": "single", "conditions": [],
        "triggers": [{"trigger": "event", "event_type": "story_morning"}],
        "actions": [{"action": "input_boolean.turn_on", "target": {"entity_id": lamp}}]});
    // Home Assistant keeps the runs of one that is gone, so each run of this test has its own.
    let own = format!("story_morning_{}", std::process::id());
    story.file("automation", &own, config).await;
    let entity = "automation.story_morning";
    story.knows(entity).await;
    story.raw.call("automation.turn_off", entity, json!({})).await;
    let morning = json!({"type": "fire_event", "event_type": "story_morning"});
    story.raw.ask(morning.clone()).await;
    story.until_is(entity, "off").await;

    // It never ran, nothing happened to the lamp, and the automation itself is off: that is why.
    let runs = story.ask("home_trace", json!({"entity_id": entity}));
    assert!(runs["total"] == 0 && runs["hint"].is_string(), "{runs}");
    let got = story.ask("home_get", json!({"entity_ids": [entity, lamp]}));
    let states: Vec<&Value> =
        got["entities"].as_array().unwrap().iter().map(|row| &row["state"]).collect();
    assert_eq!(states, ["off", "off"], "{got}");
    let back = json!({"service": "automation.turn_on", "target": {"entity_id": entity}});
    let done = story.agreed("home_call", back);
    assert_eq!(done["entities"][0]["result"], "verified", "{done}");

    story.raw.ask(morning).await;
    story.until_is(&lamp, "on").await;
    let traces = json!({"type": "trace/list", "domain": "automation", "item_id": own});
    let theirs = story.raw.ask(traces).await;
    let runs = story.ask("home_trace", json!({"entity_id": entity}));
    assert_eq!(runs["runs"][0]["run_id"], theirs[0]["run_id"], "{runs}");
    story.end().await;
}
