//! The names of the original server do the same things, only where they are switched on.

use super::raw::Raw;
use super::rig::{Rig, config, on_real, real, start};
use hearth::error::Kind;
use hearth::home::Config;
use hearth::mcp::{Call, Profile};
use hearth::policy::{EntityScope, Level};
use serde_json::{Value, json};

const NAMES: &[&str] = &[
    "addon",
    "alarm_control",
    "automation",
    "automation_config",
    "climate_control",
    "control",
    "cover_control",
    "fan_control",
    "get_history",
    "get_sse_stats",
    "lights_control",
    "list_devices",
    "lock_control",
    "media_player_control",
    "notify",
    "package",
    "scene",
    "subscribe_events",
    "vacuum_control",
];

async fn on_real_with_names() -> Rig {
    let (url, token) = real();
    let rig = start(&Config { seed_names: true, ..config(&url, &token) }).await;
    rig.connected().await;
    rig
}

fn names(rig: &Rig, profile: &Profile) -> Vec<String> {
    let all = rig.toolbox.catalogue(&rig.caller, profile);
    all.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_names_are_there_only_when_asked_for_and_only_in_their_profile() {
    let rig = on_real().await;
    assert_eq!(rig.toolbox.profile("seed").unwrap_err().kind(), Kind::NotFound);
    let plain = names(&rig, &Profile::Default);
    let rig = on_real_with_names().await;
    let seed = rig.toolbox.profile("seed").unwrap();
    assert_eq!(names(&rig, &seed), NAMES);
    assert_eq!(names(&rig, &Profile::Default), plain);
    let home = rig.toolbox.profile("home").unwrap();
    assert!(names(&rig, &home).iter().all(|name| name.starts_with("home_")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_do_what_they_say_under_the_scopes_of_home() {
    let rig = on_real_with_names().await;
    let mut raw = Raw::on_real().await;
    let lights = rig.tool("list_devices", json!({"domain": "light", "area": "bedroom"})).await;
    assert!(lights.to_string().contains("light.bed_light"), "{lights}");
    for (tool, args, wanted) in [
        (
            "control",
            json!({"command": "turn_on", "entity_id": "light.ceiling_lights", "brightness": 77}),
            "on",
        ),
        (
            "lights_control",
            json!({"action": "turn_off", "entity_id": "light.ceiling_lights"}),
            "off",
        ),
    ] {
        rig.tool(tool, args).await;
        assert_eq!(raw.state("light.ceiling_lights").await, wanted, "{tool}");
    }
    let got =
        rig.tool("climate_control", json!({"action": "get", "entity_id": "climate.hvac"})).await;
    assert_eq!(got["entities"][0]["id"], "climate.hvac");
    let scenes = rig.tool("scene", json!({"action": "list"})).await;
    assert!(scenes["total"].as_u64().unwrap() >= 1, "{scenes}");

    let reader = rig.token("reader", Level::Read, EntityScope::default()).await;
    rig.tool_as(&reader, "list_devices", json!({})).await.unwrap();
    let refused = rig
        .tool_as(
            &reader,
            "control",
            json!({"command": "toggle", "entity_id": "light.ceiling_lights"}),
        )
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), Kind::Refused);
    // Locks ask first under this name too.
    let lock = json!({"action": "unlock", "entity_id": "lock.front_door"});
    assert_eq!(rig.try_tool("lock_control", lock).await.unwrap_err().kind(), Kind::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_cannot_be_is_said() {
    let rig = on_real_with_names().await;
    for (tool, args, says) in [
        ("scene", json!({"action": "burn"}), "there is no action 'burn'"),
        ("automation", json!({"action": "toggle"}), "'automation_id' is missing"),
        ("addon", json!({"action": "list"}), "Supervisor"),
        (
            "fan_control",
            json!({"action": "fly", "entity_id": "fan.ceiling_fan"}),
            "no service 'fan.fly'",
        ),
    ] {
        let refused = rig.try_tool(tool, args).await.unwrap_err().to_string();
        assert!(refused.contains(says), "{tool}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn automations_are_written_copied_and_deleted() {
    let rig = on_real_with_names().await;
    let mut raw = Raw::on_real().await;
    let config = |name: &str| json!({"alias": name, "triggers": [], "actions": [{"delay": 1}]});
    let listed = async |raw: &mut Raw| {
        raw.ask(json!({"type": "config/entity_registry/list"})).await.to_string()
    };
    let made = json!({"action": "create", "config": config("Seed tea")});
    let made = rig.tool("automation_config", made).await;
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let change = json!({"action": "update", "automation_id": id, "config": config("Seed coffee")});
    rig.tool("automation_config", change).await;
    let copy = json!({"action": "duplicate", "automation_id": id});
    let copy = rig.tool("automation_config", copy).await["id"].as_str().unwrap().to_owned();
    let all = listed(&mut raw).await;
    assert!(all.contains(&id) && all.contains(&copy), "{all}");
    for id in [&id, &copy] {
        let mut delete = json!({"action": "delete", "automation_id": id});
        let e = rig.try_tool("automation_config", delete.clone()).await.unwrap_err();
        let (_, token) = e.what().split_once("confirm=\"").unwrap_or_else(|| panic!("{e}"));
        delete["confirm"] = token.split_once('"').unwrap().0.into();
        rig.tool("automation_config", delete).await;
    }
    let all = listed(&mut raw).await;
    assert!(!all.contains(&id) && !all.contains(&copy), "{all}");
    let past = rig.tool("get_history", json!({"entity_id": "light.bed_light"})).await;
    assert_eq!(past["entities"][0]["id"], "light.bed_light", "{past}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_reach_home_assistants_page() {
    let rig = on_real_with_names().await;
    let mut raw = Raw::on_real().await;
    rig.tool("notify", json!({"message": "the tea is ready", "title": "seed"})).await;
    let shown = raw.ask(json!({"type": "persistent_notification/get"})).await;
    assert!(shown.to_string().contains("the tea is ready"), "{shown}");
    let id = shown.as_array().unwrap().iter().find(|n| n["title"] == "seed").unwrap();
    let dismiss = json!({"type": "call_service", "domain": "persistent_notification",
        "service": "dismiss", "service_data": {"notification_id": id["notification_id"]}});
    raw.ask(dismiss).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_resources_and_prompts_answer() {
    let rig = on_real_with_names().await;
    let shelf = hearth::home::seed_resources(&rig.home);
    let listed = shelf.list(&rig.caller, None).unwrap();
    assert_eq!(listed.items.len(), 15);
    for entry in listed.items {
        let hearth::mcp::Contents::Text(_, text) =
            shelf.read(&rig.caller, &entry.uri).await.unwrap()
        else {
            panic!("{} is no text", entry.uri)
        };
        let value: Value = serde_json::from_str(&text).unwrap();
        assert!(
            value.as_object().is_some_and(|fields| !fields.is_empty()),
            "{}: {text}",
            entry.uri
        );
    }
    let locks = shelf.read(&rig.caller, "ha://devices/locks").await.unwrap();
    assert!(
        matches!(&locks, hearth::mcp::Contents::Text(_, text) if text.contains("lock.front_door"))
    );
    let kitchen = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
    let cook = rig.token("cook", Level::Read, kitchen).await;
    let locks = shelf.read(&cook, "ha://devices/locks").await.unwrap();
    assert!(
        matches!(&locks, hearth::mcp::Contents::Text(_, text) if !text.contains("lock.front_door"))
    );
    let prompts = hearth::home::seed_prompts();
    assert_eq!(prompts.len(), 10);
    let lights = prompts.into_iter().find(|p| p.name == "control_lights").unwrap();
    let given = json!({"room": "Attic", "action": "dim"}).as_object().unwrap().clone();
    let written = (lights.write)(Call::new(rig.caller.clone()), given).await.unwrap();
    assert!(format!("{written:?}").contains("Attic"));
}
