//! Backups and Home Assistant's own assistant, on a real house.

use super::own::{Own, until};
use super::raw::Raw;
use super::rig::{config, on_real, on_real_keeping, start};
use crate::harness::Folder;
use hearth::error::{Error, Kind};
use hearth::policy::{EntityScope, Level};
use serde_json::{Value, json};

/// The answer to the question that an error holds.
fn token(e: &Error) -> String {
    assert_eq!(e.kind(), Kind::Conflict, "{e}");
    let (_, token) = e.what().split_once("confirm=\"").unwrap_or_else(|| panic!("{e}"));
    token.split_once('"').unwrap().0.to_owned()
}

async fn ids(raw: &mut Raw) -> Vec<String> {
    let info = raw.ask(json!({"type": "backup/info"})).await;
    let all = info["backups"].as_array().unwrap().iter();
    all.map(|backup| backup["backup_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_made_listed_and_deleted_once_confirmed() {
    let (rig, mut raw) = (on_real().await, Raw::on_real().await);
    let make = json!({"action": "create", "name": "Kept by a test", "database": false});
    let made = rig.tool("home_backup", make).await;
    assert_eq!(made["done"], "created", "{made}");
    let row = &made["backups"][0];
    assert_eq!(
        (&row["name"], &row["database"]),
        (&json!("Kept by a test"), &json!(false)),
        "{made}"
    );
    assert!(
        row["bytes"].as_u64().unwrap() > 1000 && row["agents"] == json!(["backup.local"]),
        "{made}"
    );
    let id = row["id"].as_str().unwrap().to_owned();
    assert!(ids(&mut raw).await.contains(&id));
    let list = rig.tool("home_backup", json!({})).await;
    assert!(list["backups"].as_array().unwrap().contains(row), "{list}");

    // Both that end something ask first, each with the backup's name.
    for action in ["restore", "delete"] {
        let e = rig.try_tool("home_backup", json!({"action": action, "id": id})).await.unwrap_err();
        token(&e);
        assert!(e.what().contains("Kept by a test") && e.what().contains(action), "{e}");
    }
    let mut delete = json!({"action": "delete", "id": id});
    let e = rig.try_tool("home_backup", delete.clone()).await.unwrap_err();
    // The answer to one question is not that to another.
    let restore = json!({"action": "restore", "id": id, "confirm": token(&e)});
    assert_eq!(rig.try_tool("home_backup", restore).await.unwrap_err().kind(), Kind::Conflict);
    let e = rig.try_tool("home_backup", delete.clone()).await.unwrap_err();
    delete["confirm"] = token(&e).into();
    assert_eq!(rig.tool("home_backup", delete.clone()).await["done"], "deleted");
    assert!(!ids(&mut raw).await.contains(&id));
    let e = rig.try_tool("home_backup", delete).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{e}");
    let user = rig.token("backup user", Level::Control, EntityScope::default()).await;
    let e = rig.tool_as(&user, "home_backup", json!({})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused, "{e}");
    let audit = rig.policy.audit();
    let done = |action: &str| audit.iter().any(|l| &*l.action == action && l.outcome == "allowed");
    assert!(done("backup.create") && done("backup.delete") && !done("backup.restore"), "{audit:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_comes_back_once_confirmed() {
    let own = Own::start().await;
    let (url, secret) = (own.value("HA_URL"), own.value("HA_TOKEN"));
    let mut settings = config(&url, &secret);
    settings.retry_seconds = 1;
    let rig = start(&settings).await;
    rig.connected().await;
    let made = rig.tool("home_backup", json!({"action": "create", "name": "Before"})).await;
    let id = made["backups"][0]["id"].as_str().unwrap_or_else(|| panic!("{made}"));
    let mut raw = Raw::open(&url, &secret).await;
    raw.ask(json!({"type": "input_button/create", "name": "made after the backup"})).await;

    let mut restore = json!({"action": "restore", "id": id});
    let e = rig.try_tool("home_backup", restore.clone()).await.unwrap_err();
    restore["confirm"] = token(&e).into();
    let done = rig.tool("home_backup", restore).await;
    assert!(done["done"].as_str().unwrap().contains("restarts"), "{done}");
    until("its process has ended", || !own.is_running()).await;
    // It unpacks the backup at the first start, and asks for another.
    own.run("again").await;
    until("it has unpacked the backup", || !own.is_running()).await;
    own.run("again").await;
    until("Hearth is connected again", || rig.home.is_connected()).await;
    let mut raw = Raw::open(&url, &secret).await;
    let left = raw.ask(json!({"type": "input_button/list"})).await;
    assert_eq!(left, json!([]), "what came after the backup is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn home_assistants_assistant_says_what_it_did() {
    let folder = Folder::new();
    let (rig, mut raw) = (on_real_keeping(folder.path()).await, Raw::on_real().await);
    raw.call("light.turn_off", "light.office_rgbw_lights", json!({})).await;
    let said = json!({"text": "turn on Office RGBW Lights", "language": "en"});
    let done = rig.tool("home_assist", said.clone()).await;
    assert_eq!(done["result"], "action_done", "{done}");
    assert!(
        done["done"].as_array().unwrap().contains(&json!("light.office_rgbw_lights")),
        "{done}"
    );
    assert!(!done["speech"].as_str().unwrap().is_empty());
    assert_eq!(raw.state("light.office_rgbw_lights").await, "on");
    let lost = rig.tool("home_assist", json!({"text": "open the pod bay doors"})).await;
    assert_eq!(lost["result"], "error", "{lost}");
    assert!(lost["code"].is_string() && lost.get("done").is_none(), "{lost}");
    let agent = json!({"text": "hello", "agent": "conversation.nobody"});
    assert!(rig.try_tool("home_assist", agent).await.is_err());

    // Without a text: whom one can speak to, and what they reach, as Home Assistant has it.
    let known = rig.tool("home_assist", json!({})).await;
    assert_eq!(known["agents"][0]["id"], "conversation.home_assistant", "{known}");
    let exposed = raw.ask(json!({"type": "homeassistant/expose_entity/list"})).await;
    let exposed = exposed["exposed_entities"].as_object().unwrap();
    let ours = known["exposed"].as_array().unwrap();
    assert!(!ours.is_empty());
    for id in ours {
        assert_eq!(exposed[id.as_str().unwrap()]["conversation"], true, "{id}");
    }
    // What is said can do anything that the assistant can: a person agrees first.
    let asking = on_real().await;
    let e = asking.try_tool("home_assist", said.clone()).await.unwrap_err();
    let mut said: Value = said;
    said["confirm"] = token(&e).into();
    assert_eq!(asking.tool("home_assist", said).await["result"], "action_done");
}
