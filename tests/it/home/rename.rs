//! Renaming with every reference, on a real house.

use super::furniture::{Furniture, get, post};
use super::raw::Raw;
use super::rig::{Rig, config, keeping, on_real, on_real_keeping, real, until};
use crate::harness::Folder;
use hearth::error::Kind;
use hearth::policy::{self, EntityScope, Level};
use serde_json::{Value, json};

async fn known(rig: &Rig, id: &str) {
    until("Hearth knows it", async || {
        rig.tool("home_find", json!({ "query": id })).await["total"] != 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_entity_is_renamed_with_every_reference_and_back() {
    let folder = Folder::new();
    let (rig, mut raw) = (on_real_keeping(folder.path()).await, Raw::on_real().await);
    let made = Furniture::new(&mut raw, "rename_all", false).await;
    let (old, new) = (made.id(), "input_number.rename_all_new".to_owned());
    known(&rig, &old).await;
    raw.ask(json!({"type": "call_service", "domain": "group", "service": "set",
                   "service_data": {"object_id": "rename_all", "entities": [old]}}))
        .await;
    known(&rig, "group.rename_all").await;
    let before = made.all(&mut raw).await;

    // The preview shows each change and changes nothing.
    let mut args = json!({"id": old, "to": new, "name": "Renamed", "dry_run": true});
    let dry = rig.tool("home_rename", args.clone()).await;
    let text = dry.to_string();
    assert!(text.contains("actions[1].data.entity_id: input_number.rename_all_other, "), "{dry}");
    assert!(text.contains("entities[\\\"input_number.rename_all\\\"]"), "{dry}");
    assert!(dry["not_changed"][0].as_str().unwrap().starts_with("group group.rename_all"), "{dry}");
    assert_eq!(dry["objects"].as_array().unwrap().len(), 7, "{dry}");
    assert_eq!(made.all(&mut raw).await, before);

    args["dry_run"] = false.into();
    let done = rig.tool("home_rename", args).await;
    assert!(made.names_only(&mut raw, &new, &old).await, "{:#?}", made.all(&mut raw).await);
    let entry = json!({"type": "config/entity_registry/get", "entity_id": new});
    assert_eq!(raw.ask(entry).await["name"], "Renamed");
    // A picture of that name stays the same picture.
    let board = json!({"type": "lovelace/config", "url_path": made.board()});
    assert_eq!(raw.ask(board).await["views"][0]["cards"][2]["image"], format!("/local/{old}.png"));
    // What Home Assistant made of it runs: the automation is loaded with the new id.
    let related = json!({"type": "search/related", "item_type": "entity", "item_id": new});
    until("Home Assistant has loaded them", async || {
        let found = raw.ask(related.clone()).await.to_string();
        ["automation.rename_all", "script.rename_all", "scene.rename_all"]
            .iter()
            .all(|id| found.contains(id))
    })
    .await;
    let audit = rig.policy.audit();
    let lines: Vec<_> = audit.iter().filter(|line| &*line.action == "home_rename").collect();
    let outcomes: Vec<&str> = lines.iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, ["dry_run", "allowed"], "{lines:?}");
    assert!(lines[1].target.contains("input_number.rename_all to input_number.rename_all_new"));

    // Undone as a whole: the id, the name, every configuration to the letter.
    known(&rig, &new).await;
    let change = done["change"].as_str().unwrap();
    let listed = rig.tool("home_undo", json!({})).await["changes"][0].clone();
    for (field, want) in [
        ("id", change),
        ("action", "renamed"),
        ("kind", "entity"),
        ("object", &old),
        ("to", &new),
        ("new_name", "Renamed"),
        ("who", "local"),
        ("via", "control"),
    ] {
        assert_eq!(listed[field], want, "{listed}");
    }
    let tried = rig.tool("home_undo", json!({"change": change, "dry_run": true})).await;
    assert_eq!(tried["objects"].as_array().unwrap().len(), 7, "{tried}");
    assert!(made.names_only(&mut raw, &new, &old).await, "a dry run changes nothing");
    let back = rig.tool("home_undo", json!({ "change": change })).await;
    assert_eq!((&back["action"], &back["undoes"]), (&json!("renamed"), &json!(change)));
    assert_eq!(made.all(&mut raw).await, before);
    let entry = json!({"type": "config/entity_registry/get", "entity_id": old});
    assert_eq!(raw.ask(entry).await["name"], Value::Null);
    let e = rig.try_tool("home_undo", json!({ "change": change })).await.unwrap_err();
    assert!(e.kind() == Kind::Conflict && e.what().contains("was undone by"), "{e}");
    let listed = rig.tool("home_undo", json!({})).await;
    let rows: Vec<[&Value; 3]> = (0..2)
        .map(|n| &listed["changes"][n])
        .map(|row| [&row["id"], &row["undoes"], &row["undone_by"]])
        .collect();
    let (change, none) = (json!(change), Value::Null);
    assert_eq!(rows, [[&back["change"], &change, &none], [&change, &none, &back["change"]]]);

    // Forth again by undoing the undo, and back by the first, which stands once more.
    known(&rig, &old).await;
    rig.tool("home_undo", json!({"change": back["change"]})).await;
    assert!(made.names_only(&mut raw, &new, &old).await);
    known(&rig, &new).await;
    rig.tool("home_undo", json!({ "change": change })).await;
    assert_eq!(made.all(&mut raw).await, before);
    super::furniture::remove_group(&mut raw, "rename_all").await;
    made.clear(&mut raw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn an_undo_keeps_what_was_edited_since() {
    let folder = Folder::new();
    let (rig, mut raw) = (on_real_keeping(folder.path()).await, Raw::on_real().await);
    let made = Furniture::new(&mut raw, "rename_since", false).await;
    let (old, new) = (made.id(), "input_number.rename_since_new".to_owned());
    known(&rig, &old).await;
    let done = rig.tool("home_rename", json!({"id": old, "to": new})).await;
    let path = "/api/config/script/config/rename_since";
    let mut script = get(path);
    script["alias"] = "edited since".into();
    post(path, &script);
    let undone = rig.tool("home_undo", json!({"change": done["change"]})).await;
    assert!(undone["hints"].to_string().contains("edited since"), "{undone}");
    assert!(made.names_only(&mut raw, &old, &new).await);
    assert_eq!(get(path)["alias"], "edited since");
    made.clear(&mut raw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn names_of_entities_devices_and_areas_change_and_change_back() {
    let folder = Folder::new();
    let (rig, mut raw) = (on_real_keeping(folder.path()).await, Raw::on_real().await);
    let area = raw.ask(json!({"type": "config/area_registry/create", "name": "Rename Room"})).await;
    let area = area["area_id"].as_str().unwrap().to_owned();
    until("Hearth knows the area", async || {
        rig.try_tool("home_refs", json!({"id": "Rename Room"})).await.is_ok()
    })
    .await;
    let names = async |raw: &mut Raw| {
        let all = raw.ask(json!({"type": "config/area_registry/list"})).await;
        let own = all.as_array().unwrap().iter().find(|own| own["area_id"] == area);
        own.unwrap()["name"].as_str().unwrap().to_owned()
    };
    let done = rig.tool("home_rename", json!({"id": "Rename Room", "name": "Study"})).await;
    assert_eq!(names(&mut raw).await, "Study");
    let listed = rig.tool("home_undo", json!({})).await["changes"][0].clone();
    let shown = [&listed["kind"], &listed["name"], &listed["new_name"]];
    assert_eq!(shown, ["area", "Rename Room", "Study"], "{listed}");
    rig.tool("home_undo", json!({"change": done["change"]})).await;
    assert_eq!(names(&mut raw).await, "Rename Room");

    // A template that goes by the name would find nothing any more.
    post(
        "/api/config/script/config/rename_room",
        &json!({"alias": "rename_room", "sequence": [{"if": "{{ area_entities('Rename Room') }}", "then": []}]}),
    );
    known(&rig, "script.rename_room").await;
    let e = rig.try_tool("home_rename", json!({"id": area, "name": "Study"})).await.unwrap_err();
    assert!(
        e.kind() == Kind::Conflict && e.what().contains("script.rename_room: sequence[0].if"),
        "{e}"
    );
    assert_eq!(names(&mut raw).await, "Rename Room");

    let entry =
        json!({"type": "config/entity_registry/get", "entity_id": "switch.decorative_lights"});
    let device = raw.ask(entry).await["device_id"].as_str().unwrap().to_owned();
    let name_of = async |raw: &mut Raw| {
        let all = raw.ask(json!({"type": "config/device_registry/list"})).await;
        let own = all.as_array().unwrap().iter().find(|own| own["id"] == *device);
        own.unwrap()["name_by_user"].clone()
    };
    let done = rig.tool("home_rename", json!({"id": device, "name": "Renamed thing"})).await;
    assert_eq!(name_of(&mut raw).await, "Renamed thing");
    rig.tool("home_undo", json!({"change": done["change"]})).await;
    assert_eq!(name_of(&mut raw).await, Value::Null);

    super::furniture::delete("/api/config/script/config/rename_room");
    raw.ask(json!({"type": "config/area_registry/delete", "area_id": area})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_that_cannot_be_is_refused_before_anything_is_written() {
    let folder = Folder::new();
    let rig = on_real_keeping(folder.path()).await;
    let id = "light.ceiling_lights";
    let refused = async |args: Value, kind: Kind, word: &str| {
        let e = rig.try_tool("home_rename", args.clone()).await.expect_err(&args.to_string());
        assert!(e.kind() == kind && e.what().contains(word), "{args}: {e}");
    };
    refused(json!({"id": id, "to": "switch.ceiling"}), Kind::Invalid, "'light.'").await;
    refused(json!({"id": id, "to": "light.Ceiling-1"}), Kind::Invalid, "a-z").await;
    refused(json!({"id": id, "to": "light.bed_light"}), Kind::Conflict, "already").await;
    refused(json!({"id": id}), Kind::Invalid, "`to`").await;
    refused(json!({"id": "light.nowhere", "to": "light.x"}), Kind::NotFound, "home_find").await;
    refused(json!({"id": "sensor.lights_on", "to": "sensor.x"}), Kind::Conflict, "unique id").await;
    let none = json!({"change": "r1763726400000"});
    let e = rig.try_tool("home_undo", none).await.unwrap_err();
    assert!(e.kind() == Kind::NotFound && e.what().contains("home_undo"), "{e}");
    let user = rig.token("rename user", Level::Control, EntityScope::default()).await;
    let args = json!({"id": id, "to": "light.x"});
    let e = rig.tool_as(&user, "home_rename", args.clone()).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused, "{e}");

    // A Hearth that keeps nothing cannot promise to finish; one that asks is answered first.
    let forgetful = on_real().await;
    let e = forgetful.try_tool("home_rename", args).await.unwrap_err();
    assert!(e.kind() == Kind::Refused && e.what().contains("hearth serve"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_rename_is_undone_only_by_whoever_could_make_it() {
    let folder = Folder::new();
    let (url, token) = real();
    let rig = keeping(&config(&url, &token), &policy::Config::default(), folder.path()).await;
    let mut raw = Raw::on_real().await;
    raw.ask(json!({"type": "input_button/create", "name": "rename whose"})).await;
    known(&rig, "input_button.rename_whose").await;
    let rename = json!({"id": "input_button.rename_whose", "to": "input_button.rename_theirs"});
    let done = super::settings::agreed(&rig, "home_rename", rename).await;
    let undo = json!({"change": done["change"]});
    let there =
        json!({"type": "config/entity_registry/get", "entity_id": "input_button.rename_theirs"});

    // Who may use the house sees it in the list; undoing it changes the configuration.
    let user = rig.token("rename undoer", Level::Control, EntityScope::default()).await;
    let listed = rig.tool_as(&user, "home_undo", json!({})).await.unwrap();
    assert_eq!(listed["changes"][0]["id"], done["change"], "{listed}");
    let e = rig.tool_as(&user, "home_undo", undo.clone()).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused, "{e}");
    // Who may see chosen entities only is not told of it.
    let scope = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
    let cook = rig.token("rename cook", Level::Admin, scope).await;
    let listed = rig.tool_as(&cook, "home_undo", json!({})).await.unwrap();
    assert_eq!(listed["total"], 0, "{listed}");
    let e = rig.tool_as(&cook, "home_undo", undo.clone()).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused, "{e}");
    raw.ask(there.clone()).await;

    known(&rig, "input_button.rename_theirs").await;
    let e = rig.try_tool("home_undo", undo.clone()).await.unwrap_err();
    assert!(e.kind() == Kind::Conflict && e.what().contains("input_button.rename_whose"), "{e}");
    raw.ask(there.clone()).await;
    super::settings::agreed(&rig, "home_undo", undo).await;
    assert_eq!(raw.try_ask(there).await["success"], false);
    raw.ask(json!({"type": "input_button/delete", "input_button_id": "rename_whose"})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_person_is_asked_before_anything_is_renamed() {
    let folder = Folder::new();
    let (url, token) = real();
    let rig = keeping(&config(&url, &token), &policy::Config::default(), folder.path()).await;
    let mut raw = Raw::on_real().await;
    raw.ask(json!({"type": "input_button/create", "name": "rename asked"})).await;
    known(&rig, "input_button.rename_asked").await;
    let mut args = json!({"id": "input_button.rename_asked", "to": "input_button.rename_answered"});
    let e = rig.try_tool("home_rename", args.clone()).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Conflict, "{e}");
    assert!(e.what().contains("input_button.rename_asked to input_button.rename_answered"), "{e}");
    let (_, answer) = e.what().split_once("confirm=\"").unwrap();
    args["confirm"] = answer.split_once('"').unwrap().0.into();
    rig.tool("home_rename", args).await;
    known(&rig, "input_button.rename_answered").await;
    raw.ask(json!({"type": "input_button/delete", "input_button_id": "rename_asked"})).await;

    // Where nothing may be changed, nobody is asked.
    drop(rig);
    let mut closed = config(&url, &token);
    closed.read_only = true;
    let other = Folder::new();
    let rig = keeping(&closed, &policy::Config::default(), other.path()).await;
    let args = json!({"id": "light.ceiling_lights", "to": "light.x"});
    let e = rig.try_tool("home_rename", args).await.unwrap_err();
    assert!(e.kind() == Kind::Refused && e.what().contains("read_only"), "{e}");
    let e = rig.try_tool("home_backup", json!({"action": "create"})).await.unwrap_err();
    assert!(e.kind() == Kind::Refused && e.what().contains("read_only"), "{e}");
}

/// Adds to the house's own configuration, and takes it back.
struct Yaml {
    path: std::path::PathBuf,
    was: String,
}

impl Yaml {
    fn add(text: &str) -> Yaml {
        let env = std::env::var("HEARTH_TEST_HA").unwrap();
        let path = std::path::Path::new(&env).with_file_name("config").join("configuration.yaml");
        let was = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{was}\n{text}")).unwrap();
        Yaml { path, was }
    }
}

impl Drop for Yaml {
    fn drop(&mut self) {
        std::fs::write(&self.path, &self.was).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_stands_in_yaml_files_is_named_and_not_changed() {
    let folder = Folder::new();
    let (rig, mut raw) = (on_real_keeping(folder.path()).await, Raw::on_real().await);
    raw.ask(json!({"type": "input_button/create", "name": "rename yaml"})).await;
    let id = "input_button.rename_yaml";
    let yaml = Yaml::add(
        "automation rename_yaml:\n  - alias: rename yaml\n    triggers:\n      - trigger: state\n        \
         entity_id: input_button.rename_yaml\n    actions: []\n\
         script rename_yaml:\n  rename_yaml:\n    sequence:\n      - action: input_button.press\n        \
         target:\n          entity_id: input_button.rename_yaml\n",
    );
    let reload =
        |domain: &str| json!({"type": "call_service", "domain": domain, "service": "reload"});
    for domain in ["automation", "script"] {
        raw.ask(reload(domain)).await;
        known(&rig, &format!("{domain}.rename_yaml")).await;
    }
    known(&rig, id).await;
    let found = rig.tool("home_refs", json!({ "id": id })).await;
    let rows = found["used_in"].as_array().unwrap().iter();
    let rows: Vec<[&Value; 3]> = rows.map(|r| [&r["id"], &r["paths"][0], &r["fixed"]]).collect();
    let fixed = &json!("in a YAML file");
    let want = [
        [&json!("automation.rename_yaml"), &json!("triggers[0].entity_id"), fixed],
        [&json!("script.rename_yaml"), &json!("sequence[0].target.entity_id"), fixed],
    ];
    assert_eq!(rows, want, "{found}");
    let args = json!({"id": id, "to": "input_button.rename_yaml_new"});
    let done = rig.tool("home_rename", args).await;
    let want = [
        "automation automation.rename_yaml: in a YAML file",
        "script script.rename_yaml: in a YAML file",
    ];
    assert_eq!(done["not_changed"], json!(want), "{done}");
    assert_eq!(done["objects"].as_array().unwrap().len(), 1, "{done}");
    let config = json!({"type": "automation/config", "entity_id": "automation.rename_yaml"});
    assert_eq!(raw.ask(config).await["config"]["triggers"][0]["entity_id"], id);

    drop(yaml);
    for domain in ["automation", "script"] {
        raw.ask(reload(domain)).await;
    }
    let entry = json!({"type": "config/entity_registry/remove", "entity_id": "script.rename_yaml"});
    raw.ask(entry).await;
    raw.ask(json!({"type": "input_button/delete", "input_button_id": "rename_yaml"})).await;
}
