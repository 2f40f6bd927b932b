//! Each kind, from its creation to its end and back.

use super::super::raw::Raw;
use super::super::rig::{Rig, on_real};
use super::{agreed, agreed_as, asked, holds, theirs};
use hearth::error::Kind;
use serde_json::{Value, json};

/// A kind, the id that a new one is given, what it is made of, and what is changed then.
struct Case {
    kind: &'static str,
    id: &'static str,
    config: Value,
    change: Value,
}

fn case(kind: &'static str, id: &'static str, config: Value, change: Value) -> Case {
    Case { kind, id, config, change }
}

async fn walk(cases: Vec<Case>) {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    for case in cases {
        whole_life(&rig, &mut raw, &case).await;
    }
}

async fn whole_life(rig: &Rig, raw: &mut Raw, case: &Case) {
    let Case { kind, config, change, .. } = case;
    let mut new = json!({"kind": kind, "config": config});
    if !case.id.is_empty() {
        new["id"] = case.id.into();
    }
    // Tried first: nothing is there then.
    let mut dry = new.clone();
    dry["dry_run"] = true.into();
    let tried = rig.tool("home_config_set", dry).await;
    assert!(tried["dry_run"] == true && tried.get("change").is_none(), "{kind}: {tried}");
    let made = agreed(rig, "home_config_set", new).await;
    assert_eq!(made["action"], "created", "{kind}: {made}");
    let id = made["id"].as_str().unwrap().to_owned();
    assert!(
        holds(&theirs(raw, kind, &id).await, config),
        "{kind}: {}",
        theirs(raw, kind, &id).await
    );

    if ["automation", "script", "scene"].contains(kind) {
        let entity = made["entity_id"].as_str().unwrap_or_else(|| panic!("{kind}: {made}"));
        assert_ne!(raw.state(entity).await, "unavailable", "{kind}: it works");
    }

    // What is read is what is there, and is listed.
    let got = rig.tool("home_config_get", json!({"kind": kind, "id": id})).await;
    assert_eq!(got["hash"], made["hash"], "{kind}: {got}");
    assert!(holds(&got["config"], config), "{kind}: {got}");
    let listed = rig.tool("home_config_get", json!({"kind": kind})).await;
    // Files are listed as soon as Home Assistant has loaded them.
    if !["automation", "script", "scene"].contains(kind) {
        assert!(listed["items"].to_string().contains(&format!("\"{id}\"")), "{kind}: {listed}");
    }

    // Without the hash of what is there nothing is changed.
    let mut edit = json!({"kind": kind, "id": id, "config": change});
    for hash in ["", "0123456789abcdef"] {
        edit["hash"] = hash.into();
        let e = rig.try_tool("home_config_set", edit.clone()).await.unwrap_err();
        assert!(e.kind() == Kind::Conflict && e.what().contains("hash"), "{kind}: {e}");
    }
    edit["hash"] = made["hash"].clone();
    edit["dry_run"] = true.into();
    let tried = rig.tool("home_config_set", edit.clone()).await;
    assert!(!tried["diff"].as_array().unwrap().is_empty(), "{kind}: {tried}");
    assert!(holds(&theirs(raw, kind, &id).await, config), "{kind}");
    edit["dry_run"] = false.into();
    let edited = agreed(rig, "home_config_set", edit.clone()).await;
    assert_eq!(edited["action"], "changed", "{kind}: {edited}");
    let after = theirs(raw, kind, &id).await;
    assert!(holds(&after, change), "{kind}: {after}");
    let other = config.as_object().unwrap().iter().find(|(name, _)| change.get(*name).is_none());
    if let Some((name, value)) = other {
        assert_eq!(after[name], *value, "{kind}: a field that was not given stays");
    }
    // The hash of before is of no use any more, and doing it again changes nothing.
    let e = rig.try_tool("home_config_set", edit.clone()).await.unwrap_err();
    assert!(e.kind() == Kind::Conflict && e.what().contains("changed since"), "{kind}: {e}");
    edit["hash"] = edited["hash"].clone();
    assert_eq!(rig.tool("home_config_set", edit).await["action"], "unchanged", "{kind}");

    let back = agreed(rig, "home_undo", json!({"change": edited["change"]})).await;
    assert_eq!(back["action"], "changed", "{kind}: {back}");
    let got = rig.tool("home_config_get", json!({"kind": kind, "id": id})).await;
    assert_eq!(got["hash"], made["hash"], "{kind}: the same to the last field, {got}");
    assert!(holds(&theirs(raw, kind, &id).await, config), "{kind}");

    gone_and_back(rig, raw, case, &id).await;
}

async fn gone_and_back(rig: &Rig, raw: &mut Raw, case: &Case, id: &str) {
    let Case { kind, config, .. } = case;
    let args = json!({"kind": kind, "id": id});
    let e = rig.try_tool("home_config_delete", args.clone()).await.unwrap_err();
    let _ = asked(&e);
    assert!(theirs(raw, kind, id).await.is_object(), "{kind}: nobody has agreed");
    let gone = agreed(rig, "home_config_delete", args.clone()).await;
    assert_eq!(gone["action"], "deleted", "{kind}: {gone}");
    assert!(theirs(raw, kind, id).await.is_null(), "{kind}");
    let e = rig.try_tool("home_config_get", args).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{kind}: {e}");
    let back = agreed(rig, "home_undo", json!({"change": gone["change"]})).await;
    assert_eq!(back["action"], "created", "{kind}: {back}");
    let now = back["id"].as_str().unwrap();
    // Home Assistant makes up the ids of these two.
    assert!(now == id || ["category", "resource"].contains(kind), "{kind}: {back}");
    assert!(
        holds(&theirs(raw, kind, now).await, config),
        "{kind}: {}",
        theirs(raw, kind, now).await
    );
    // Undoing that is the delete again, and leaves the house as it was.
    let end = agreed(rig, "home_undo", json!({"change": back["change"]})).await;
    assert_eq!(end["action"], "deleted", "{kind}: {end}");
    assert!(theirs(raw, kind, now).await.is_null(), "{kind}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_live_and_come_back() {
    walk(vec![
        case(
            "automation",
            "",
            json!({"alias": "Kinds automation", "mode": "single", "conditions": [],
                   "triggers": [{"trigger": "state", "entity_id": "input_boolean.guest_mode", "to": "off"}],
                   "actions": [{"action": "light.turn_off", "target": {"entity_id": "light.ceiling_lights"}}]}),
            json!({"actions": [{"action": "light.turn_on", "target": {"entity_id": "light.ceiling_lights"}}]}),
        ),
        case(
            "script",
            "",
            json!({"alias": "Kinds Script", "sequence": [{"delay": {"seconds": 1}}]}),
            json!({"sequence": [{"delay": {"seconds": 2}}], "mode": "restart"}),
        ),
        case(
            "scene",
            "",
            json!({"name": "Kinds scene", "entities": {"light.bed_light": {"state": "off"}}}),
            json!({"name": "Kinds scene two"}),
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn helpers_live_and_come_back() {
    walk(vec![
        case(
            "input_boolean",
            "",
            json!({"name": "Kinds switch", "icon": "mdi:lamp"}),
            json!({"name": "Another name"}),
        ),
        case(
            "input_number",
            "kinds_number",
            json!({"name": "Zahl", "min": 0.0, "max": 10.0, "step": 0.5, "mode": "box"}),
            json!({"max": 20.0, "unit_of_measurement": "W"}),
        ),
        case(
            "input_select",
            "",
            json!({"name": "Kinds select", "options": ["a", "b"]}),
            json!({"options": ["a", "b", "c"]}),
        ),
        case(
            "input_text",
            "",
            json!({"name": "Kinds text", "max": 50}),
            json!({"max": 60, "pattern": "[a-z]*"}),
        ),
        case(
            "input_datetime",
            "",
            json!({"name": "Kinds date", "has_date": true, "has_time": false}),
            json!({"has_time": true}),
        ),
        case("input_button", "", json!({"name": "Kinds button"}), json!({"icon": "mdi:bell"})),
        case(
            "counter",
            "",
            json!({"name": "Kinds counter", "initial": 3, "step": 2}),
            json!({"maximum": 9}),
        ),
        case(
            "timer",
            "",
            json!({"name": "Kinds timer", "duration": "0:10:00"}),
            json!({"duration": "0:20:00"}),
        ),
        case(
            "schedule",
            "",
            json!({"name": "Kinds schedule", "monday": [{"from": "08:00:00", "to": "09:00:00"}]}),
            json!({"tuesday": [{"from": "10:00:00", "to": "11:00:00"}]}),
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_and_people_live_and_come_back() {
    walk(vec![
        case(
            "floor",
            "",
            json!({"name": "Kinds floor", "level": 3}),
            json!({"level": 4, "icon": "mdi:stairs"}),
        ),
        case(
            "area",
            "kinds_attic",
            json!({"name": "Dachboden", "floor_id": "ground"}),
            json!({"name": "Speicher", "aliases": ["loft"], "icon": "mdi:home-roof"}),
        ),
        case(
            "label",
            "",
            json!({"name": "Kinds label", "color": "blue"}),
            json!({"description": "what it is for", "color": "green"}),
        ),
        case(
            "category",
            "automation",
            json!({"name": "Kinds category"}),
            json!({"name": "Other", "icon": "mdi:lamp"}),
        ),
        case(
            "zone",
            "",
            json!({"name": "Kinds zone", "latitude": 52.1, "longitude": 5.2, "radius": 50.0}),
            json!({"radius": 70.0, "passive": true}),
        ),
        case("person", "", json!({"name": "Kinds Person"}), json!({"name": "Kinds Other"})),
        case("tag", "kinds-tag", json!({"name": "Kinds tag"}), json!({"name": "Kinds mark"})),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dashboards_and_their_resources_live_and_come_back() {
    walk(vec![
        case(
            "dashboard",
            "kinds-board",
            json!({"title": "Kinds", "show_in_sidebar": true, "require_admin": false,
                   "config": {"views": [{"title": "One", "cards": [{"type": "entities", "entities": ["light.bed_light"]}]}]}}),
            json!({"title": "Kinds two", "config": {"views": [{"title": "Two", "cards": []}]}}),
        ),
        case(
            "resource",
            "",
            json!({"url": "/local/kinds.js", "type": "module"}),
            json!({"url": "/local/kinds.css", "type": "css"}),
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registry_entries_are_changed_and_put_back() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let device = raw.ask(json!({"type": "config/device_registry/list"})).await;
    let device =
        device.as_array().unwrap().iter().find(|d| d["name"] == "Sun").unwrap()["id"].clone();
    let device = device.as_str().unwrap().to_owned();
    for (kind, id, change) in [
        (
            "entity",
            "sensor.outside_temperature",
            json!({"name": "Kinds name", "labels": ["critical"], "icon": "mdi:thermometer"}),
        ),
        ("device", device.as_str(), json!({"name_by_user": "Kinds sun", "labels": ["critical"]})),
    ] {
        let before = theirs(&mut raw, kind, id).await;
        let got = rig.tool("home_config_get", json!({"kind": kind, "id": id})).await;
        let edit = json!({"kind": kind, "id": id, "config": change, "hash": got["hash"]});
        let done = agreed(&rig, "home_config_set", edit).await;
        assert!(holds(&theirs(&mut raw, kind, id).await, &change), "{done}");
        let wrong = json!({"kind": kind, "id": id, "config": {"name": "x"}, "hash": got["hash"]});
        assert!(rig.try_tool("home_config_set", wrong).await.is_err());
        agreed(&rig, "home_undo", json!({"change": done["change"]})).await;
        let mut after = theirs(&mut raw, kind, id).await;
        after["modified_at"] = before["modified_at"].clone();
        assert_eq!(after, before);
        let e =
            rig.try_tool("home_config_delete", json!({"kind": kind, "id": id})).await.unwrap_err();
        assert!(e.kind() == Kind::Invalid && e.what().contains("cannot be deleted"), "{e}");
        let none = json!({"kind": kind, "id": "sensor.nobody", "config": change});
        assert_eq!(rig.try_tool("home_config_set", none).await.unwrap_err().kind(), Kind::NotFound);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exposure_is_changed_and_put_back() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let id = "sensor.outside_humidity";
    let mut exposed = async || {
        let all = raw.ask(json!({"type": "homeassistant/expose_entity/list"})).await;
        all["exposed_entities"][id]["conversation"] == true
    };
    let was = exposed().await;
    let got = rig.tool("home_config_get", json!({"kind": "exposure", "id": id})).await;
    assert_eq!(got["config"]["conversation"], was, "{got}");
    let edit = json!({"kind": "exposure", "id": id, "config": {"conversation": !was}, "hash": got["hash"]});
    let _ = asked(&rig.try_tool("home_config_set", edit.clone()).await.unwrap_err());
    assert_eq!(exposed().await, was);
    let done = agreed(&rig, "home_config_set", edit).await;
    assert_eq!(exposed().await, !was);
    agreed(&rig, "home_undo", json!({"change": done["change"]})).await;
    assert_eq!(exposed().await, was);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_integration_is_listed_renamed_reloaded_and_disabled() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let listed = rig.tool("home_config_get", json!({"kind": "integration", "query": "sun"})).await;
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let was = theirs(&mut raw, "integration", &id).await;
    assert_eq!(was["domain"], "sun");
    let set = async |config: Value| {
        let got = rig.tool("home_config_get", json!({"kind": "integration", "id": id})).await;
        let edit = json!({"kind": "integration", "id": id, "config": config, "hash": got["hash"]});
        agreed(&rig, "home_config_set", edit).await
    };
    set(json!({"reload": true})).await;
    assert_eq!(theirs(&mut raw, "integration", &id).await["state"], "loaded");
    let renamed = set(json!({"title": "Kinds sun"})).await;
    let disabled = set(json!({"disabled_by": "user"})).await;
    let now = theirs(&mut raw, "integration", &id).await;
    assert!(now["title"] == "Kinds sun" && now["disabled_by"] == "user", "{now}");
    for change in [disabled, renamed] {
        agreed(&rig, "home_undo", json!({"change": change["change"]})).await;
    }
    let now = theirs(&mut raw, "integration", &id).await;
    assert!(
        now["title"] == was["title"] && now["disabled_by"].is_null() && now["state"] == "loaded",
        "{now}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blueprint_is_created_and_comes_back_with_its_text() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let yaml = "blueprint:\n  name: Kinds blue\n  domain: automation\n  input: {}\ntriggers: []\nactions: []\n";
    let id = "automation/kinds/blue.yaml";
    let mut there = async || {
        let all = raw.ask(json!({"type": "blueprint/list", "domain": "automation"})).await;
        all["kinds/blue.yaml"]["metadata"]["name"] == "Kinds blue"
    };
    let new = json!({"kind": "blueprint", "id": id, "config": {"yaml": yaml}});
    let bad = json!({"kind": "blueprint", "id": id, "config": {"yaml": "blueprint: {}"}});
    let refused = agreed_as(&rig, &rig.caller, "home_config_set", bad).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid, "{refused}");
    agreed(&rig, "home_config_set", new.clone()).await;
    assert!(there().await);
    assert_eq!(rig.try_tool("home_config_set", new).await.unwrap_err().kind(), Kind::Conflict);
    let gone = agreed(&rig, "home_config_delete", json!({"kind": "blueprint", "id": id})).await;
    assert!(!there().await);
    let back = agreed(&rig, "home_undo", json!({"change": gone["change"]})).await;
    assert!(there().await, "{back}");
    agreed(&rig, "home_undo", json!({"change": back["change"]})).await;
    assert!(!there().await);
}
