//! What undo brings back besides the object itself, and what it does not do blindly.

use super::super::raw::Raw;
use super::super::rig::{on_real, until};
use super::{agreed, asked, rest, theirs};
use hearth::error::Kind;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_before_a_call_come_back_and_the_undo_is_undone() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    for (service, id, data) in [
        (
            "light.turn_on",
            "light.office_rgbw_lights",
            json!({"brightness": 33, "rgb_color": [10, 200, 30]}),
        ),
        ("fan.set_percentage", "fan.ceiling_fan", json!({"percentage": 66})),
        ("climate.set_temperature", "climate.hvac", json!({"temperature": 25})),
        ("media_player.volume_set", "media_player.walkman", json!({"volume_level": 0.3})),
        ("input_number.set_value", "input_number.target_level", json!({"value": 42})),
    ] {
        let look = async |raw: &mut Raw| {
            let all = raw.ask(json!({"type": "get_states"})).await.as_array().unwrap().clone();
            let row = all.into_iter().find(|row| row["entity_id"] == id).unwrap();
            (row["state"].clone(), row["attributes"].clone())
        };
        let before = look(&mut raw).await;
        let call = json!({"service": service, "target": {"entity_id": id}, "data": data});
        let done = rig.tool("home_call", call).await;
        let after = look(&mut raw).await;
        assert_ne!(before, after, "{service}: {done}");
        let args = json!({"change": done["change"]});
        let back = rig.tool("home_undo", args.clone()).await;
        assert_eq!(back["action"], "called", "{service}: {back}");
        let is = look(&mut raw).await;
        assert_eq!(is.0, before.0, "{service}: {back}");
        let numbers = ["percentage", "temperature", "volume_level"];
        for name in numbers.into_iter().filter(|name| !before.1[*name].is_null()) {
            assert_eq!(is.1[name].as_f64(), before.1[name].as_f64(), "{service}");
        }
        if before.0 == "on" {
            assert_eq!(is.1["brightness"], before.1["brightness"], "{service}");
            assert_eq!(is.1["hs_color"], before.1["hs_color"], "{service}");
        }
        let e = rig.try_tool("home_undo", args).await.unwrap_err();
        assert!(e.kind() == Kind::Conflict && e.what().contains("was undone by"), "{e}");
        rig.tool("home_undo", json!({"change": back["change"]})).await;
        assert_eq!(look(&mut raw).await.0, after.0, "{service}: forth again");
        rig.tool("home_undo", json!({"change": done["change"]})).await;
        assert_eq!(look(&mut raw).await.0, before.0, "{service}: and back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_is_not_opened_by_an_undo_unless_the_person_agrees() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let id = "lock.kitchen_door";
    let was = raw.state(id).await;
    raw.call("lock.unlock", id, json!({})).await;
    until("unlocked", async || rig.state(id).await == "unlocked").await;
    let done =
        rig.tool("home_call", json!({"service": "lock.lock", "target": {"entity_id": id}})).await;
    until("locked", async || rig.state(id).await == "locked").await;
    let args = json!({"change": done["change"]});
    let _ = asked(&rig.try_tool("home_undo", args.clone()).await.unwrap_err());
    assert_eq!(raw.state(id).await, "locked");
    agreed(&rig, "home_undo", args).await;
    until("unlocked", async || rig.state(id).await == "unlocked").await;
    if was == "locked" {
        raw.call("lock.lock", id, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_a_deleted_area_is_put_back_into_it() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let made =
        rig.tool("home_config_set", json!({"kind": "area", "config": {"name": "Undo room"}})).await;
    let area = made["id"].as_str().unwrap().to_owned();
    let label = rig
        .tool("home_config_set", json!({"kind": "label", "config": {"name": "Undo mark"}}))
        .await;
    let label = label["id"].as_str().unwrap().to_owned();
    let entity = "sensor.power_consumption";
    let was = theirs(&mut raw, "entity", entity).await;
    raw.ask(json!({"type": "config/entity_registry/update", "entity_id": entity,
                   "name": "Undo power", "area_id": area, "labels": [label]}))
        .await;
    let mut undone = Vec::new();
    for (kind, id) in [("area", &area), ("label", &label)] {
        let tried = json!({"kind": kind, "id": id, "dry_run": true});
        let tried = rig.tool("home_config_delete", tried).await;
        assert!(tried["hint"].as_str().unwrap().starts_with("1 "), "{tried}");
        undone.push(agreed(&rig, "home_config_delete", json!({"kind": kind, "id": id})).await);
    }
    let gone = theirs(&mut raw, "entity", entity).await;
    assert!(gone["area_id"].is_null() && gone["labels"] == json!([]), "{gone}");
    for change in undone {
        agreed(&rig, "home_undo", json!({"change": change["change"]})).await;
    }
    let back = theirs(&mut raw, "entity", entity).await;
    assert!(back["area_id"] == *area && back["labels"] == json!([label]), "{back}");
    raw.ask(
        json!({"type": "config/entity_registry/update", "entity_id": entity, "name": was["name"],
                   "area_id": was["area_id"], "labels": was["labels"]}),
    )
    .await;
    raw.ask(json!({"type": "config/area_registry/delete", "area_id": area})).await;
    raw.ask(json!({"type": "config/label_registry/delete", "label_id": label})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_elsewhere_is_overwritten_by_nobody_unasked() {
    let rig = on_real().await;
    let path = "config/script/config/undo_elsewhere";
    let sequence = |seconds: u32| json!({"alias": "Undo elsewhere", "sequence": [{"delay": {"seconds": seconds}}]});
    let new = json!({"kind": "script", "id": "undo_elsewhere", "config": sequence(1)});
    let made = rig.tool("home_config_set", new).await;
    let part = json!({"kind": "script", "id": "undo_elsewhere", "path": "/sequence/0/delay/seconds",
                      "config": 2, "hash": made["hash"]});
    let edited = rig.tool("home_config_set", part.clone()).await;
    assert_eq!(rest("GET", path, None).await["sequence"], sequence(2)["sequence"]);
    // Somebody edits it in Home Assistant.
    rest("POST", path, Some(sequence(3))).await;
    let mut late = part;
    late["hash"] = edited["hash"].clone();
    let e = rig.try_tool("home_config_set", late).await.unwrap_err();
    assert!(e.kind() == Kind::Conflict && e.what().contains("changed since"), "{e}");
    let undo = json!({"change": edited["change"]});
    let tried = rig.tool("home_undo", json!({"change": edited["change"], "dry_run": true})).await;
    assert!(tried["needs_confirmation"].to_string().contains("is lost"), "{tried}");
    let _ = asked(&rig.try_tool("home_undo", undo.clone()).await.unwrap_err());
    assert_eq!(rest("GET", path, None).await["sequence"], sequence(3)["sequence"]);
    let back = agreed(&rig, "home_undo", undo).await;
    assert_eq!(rest("GET", path, None).await["sequence"], sequence(1)["sequence"]);
    // And what was made elsewhere is not lost either.
    agreed(&rig, "home_undo", json!({"change": back["change"]})).await;
    assert_eq!(rest("GET", path, None).await["sequence"], sequence(3)["sequence"]);
    agreed(&rig, "home_config_delete", json!({"kind": "script", "id": "undo_elsewhere"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_listed_the_newest_first_with_who_and_when() {
    let rig = on_real().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let config = json!({"name": format!("Undo listed {number}")});
        let made =
            rig.tool("home_config_set", json!({"kind": "input_button", "config": config})).await;
        ids.insert(0, made["change"].clone());
    }
    let listed = rig.tool("home_undo", json!({})).await;
    let rows = listed["changes"].as_array().unwrap();
    let shown: Vec<Value> = rows.iter().take(3).map(|row| row["id"].clone()).collect();
    assert_eq!(shown, ids);
    let first = &rows[0];
    assert_eq!((&first["who"], &first["via"]), (&json!("local"), &json!("control")));
    assert_eq!((&first["action"], &first["kind"]), (&json!("created"), &json!("input_button")));
    assert_eq!(
        (&first["object"], &first["name"]),
        (&json!("undo_listed_2"), &json!("Undo listed 2"))
    );
    // The house is in Amsterdam.
    assert!(
        first["at"].as_str().unwrap().ends_with("+01:00")
            || first["at"].as_str().unwrap().ends_with("+02:00")
    );
    for change in ids {
        rig.tool("home_undo", json!({"change": change})).await;
    }
    let e = rig.try_tool("home_undo", json!({"change": "nosuchone"})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound);
}
