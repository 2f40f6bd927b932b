//! Where things are used, on a real house.

use super::furniture::Furniture;
use super::raw::Raw;
use super::rig::{Rig, on_real, until};
use hearth::error::Kind;
use hearth::policy::{EntityScope, Level};
use serde_json::{Value, json};

/// The paths in the configuration of one kind.
fn paths(answer: &Value, kind: &str) -> Vec<String> {
    let rows = answer["used_in"].as_array().unwrap();
    let rows = rows.iter().filter(|row| row["kind"] == kind);
    let paths = rows.flat_map(|row| row["paths"].as_array().unwrap());
    paths.map(|path| path.as_str().unwrap().split(": ").next().unwrap().to_owned()).collect()
}

async fn refs(rig: &Rig, id: &str) -> Value {
    rig.tool("home_refs", json!({ "id": id })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_place_that_names_an_entity_is_found_with_its_path() {
    let (rig, mut raw) = (on_real().await, Raw::on_real().await);
    let made = Furniture::new(&mut raw, "refs_every", false).await;
    let id = made.id();
    let group = json!({"type": "call_service", "domain": "group", "service": "set",
                       "service_data": {"object_id": "refs_every", "entities": [id]}});
    raw.ask(group).await;
    let scene = json!({"type": "call_service", "domain": "scene", "service": "create",
                       "service_data": {"scene_id": "refs_every_made", "entities": {&id: "3"}}});
    let mut found = Value::Null;
    until("Hearth knows them", async || {
        // A scene that a service made is gone when another test has the scenes read anew.
        raw.ask(scene.clone()).await;
        found = refs(&rig, &id).await;
        let text = found.to_string();
        text.contains("group.refs_every") && text.contains("scene.refs_every_made")
    })
    .await;
    assert_eq!((&found["id"], &found["kind"]), (&json!(id), &json!("entity")));
    let want = [
        "description",
        "triggers[0].entity_id[0]",
        "conditions[0].value_template",
        "actions[0].target.entity_id",
        "actions[1].data.entity_id",
    ];
    assert_eq!(paths(&found, "automation"), want, "{found}");
    let want = ["sequence[0].if[0].entity_id", "sequence[0].then[0].target.entity_id"];
    assert_eq!(paths(&found, "script"), want, "{found}");
    let want = [
        "views[0].cards[0].entities[0]",
        "views[0].cards[0].entities[1].entity",
        "views[0].cards[1].content",
    ];
    assert_eq!(paths(&found, "dashboard"), want, "{found}");
    assert_eq!(paths(&found, "helper"), ["entities[1]", "state"], "{found}");
    assert_eq!(paths(&found, "group"), ["entity_id[0]"], "{found}");
    let scenes = found["used_in"].as_array().unwrap().iter().filter(|row| row["kind"] == "scene");
    let scenes: Vec<(&Value, bool)> =
        scenes.map(|row| (&row["id"], row["fixed"].is_string())).collect();
    let want = [(&json!("scene.refs_every"), false), (&json!("scene.refs_every_made"), true)];
    assert_eq!(scenes, want, "{found}");
    // What is an entity's own service is no use of the other number.
    let other = refs(&rig, &format!("{id}_other")).await;
    assert_eq!(
        paths(&other, "automation"),
        ["triggers[0].entity_id[1]", "actions[1].data.entity_id"]
    );

    // Home Assistant's own search relates nothing that was not read.
    assert!(found.get("related").is_none() && found.get("not_read").is_none(), "{found}");
    super::furniture::remove_group(&mut raw, "refs_every").await;
    let gone = json!({"type": "call_service", "domain": "scene", "service": "delete",
                      "target": {"entity_id": "scene.refs_every_made"}});
    raw.try_ask(gone).await;
    made.clear(&mut raw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn devices_areas_floors_and_labels_are_found_where_they_are_meant() {
    let (rig, mut raw) = (on_real().await, Raw::on_real().await);
    let label =
        raw.ask(json!({"type": "config/label_registry/create", "name": "refs kinds"})).await;
    let label = label["label_id"].as_str().unwrap();
    let entry = json!({"type": "config/entity_registry/get", "entity_id": "light.kitchen_lights"});
    let entry = raw.ask(entry).await;
    let (device, own) = (entry["device_id"].as_str().unwrap(), entry["id"].as_str().unwrap());
    super::furniture::post(
        "/api/config/automation/config/refs_kinds",
        &json!({"alias": "kitchen", "triggers": [{"trigger": "device", "domain": "light", "type": "turned_on",
                                                  "device_id": device, "entity_id": own}],
                "conditions": [{"condition": "template", "value_template": "{{ area_entities('kitchen') }}"}],
                "actions": [{"action": "light.turn_off", "target": {"area_id": ["kitchen"], "floor_id": "ground",
                                                                    "label_id": label}}]}),
    );
    until("Hearth knows both", async || {
        let label = rig.try_tool("home_refs", json!({"id": "refs kinds"})).await;
        let found = rig.tool("home_find", json!({"query": "automation.kitchen"})).await;
        label.is_ok() && found["total"] == 1
    })
    .await;
    let of = async |args: Value| -> Vec<String> {
        let found = rig.tool("home_refs", args).await;
        let rows = found["used_in"].as_array().unwrap();
        let own = rows.iter().find(|row| row["id"] == "automation.kitchen");
        let own = own.unwrap_or_else(|| panic!("{found}"));
        let path = |path: &Value| path.as_str().unwrap().split(": ").next().unwrap().to_owned();
        own["paths"].as_array().unwrap().iter().map(path).collect()
    };
    assert_eq!(of(json!({"id": device})).await, ["triggers[0].device_id"]);
    // By the id of its entry in the registry.
    assert_eq!(of(json!({"id": "light.kitchen_lights"})).await, ["triggers[0].entity_id"]);
    let want = ["conditions[0].value_template", "actions[0].target.area_id[0]"];
    assert_eq!(of(json!({"id": "Kitchen", "kind": "area"})).await, want);
    assert_eq!(of(json!({"id": "ground"})).await, ["actions[0].target.floor_id"]);
    assert_eq!(of(json!({"id": "refs kinds"})).await, ["actions[0].target.label_id"]);

    super::furniture::delete("/api/config/automation/config/refs_kinds");
    raw.ask(json!({"type": "config/label_registry/delete", "label_id": label})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_or_may_not_be_asked_is_said() {
    let rig = on_real().await;
    let e = rig.try_tool("home_refs", json!({"id": "nowhere_at_all"})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{e}");
    let e = rig.try_tool("home_refs", json!({"id": "kitchen", "kind": "room"})).await.unwrap_err();
    assert!(e.kind() == Kind::Invalid && e.what().contains("area"), "{e}");
    // An entity that is gone can be looked for: what still names it is broken.
    let gone = rig.tool("home_refs", json!({"id": "light.gone_long_ago"})).await;
    assert_eq!(gone["total"], 0);
    let scope = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
    let cook = rig.token("refs cook", Level::Admin, scope).await;
    for (tool, args) in [
        ("home_refs", json!({"id": "light.kitchen_lights"})),
        ("home_rename", json!({"id": "light.kitchen_lights", "name": "Mine", "dry_run": true})),
        ("home_assist", json!({"text": "turn off all lights"})),
    ] {
        let e = rig.tool_as(&cook, tool, args).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Refused, "{tool}: {e}");
    }
}
