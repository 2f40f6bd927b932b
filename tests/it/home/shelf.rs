//! Entities as resources, and prompts, on a real house.

use super::raw::Raw;
use super::rig::{PATIENCE, ids, on_real, shelf};
use hearth::error::Kind;
use hearth::events::{Event, Next};
use hearth::home;
use hearth::mcp::{Answer, Block, Call, Contents};
use hearth::policy::{EntityScope, Level};
use serde_json::{Map, Value, json};

fn parsed(contents: Contents) -> Value {
    match contents {
        Contents::Text("application/json", text) => serde_json::from_str(&text).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entity_is_a_resource() {
    let rig = on_real().await;
    let shelf = shelf(&rig);
    let (mut uris, mut cursor) = (Vec::new(), None);
    loop {
        let page = shelf.list(&rig.caller, cursor.as_deref()).unwrap();
        uris.extend(page.items.into_iter().map(|entry| entry.uri));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert!(uris.is_sorted() && uris.len() > 100, "{}", uris.len());
    assert!(uris.contains(&"home://home/overview".to_owned()));
    assert!(uris.contains(&"home://home/entity/lock.front_door".to_owned()));
    let uri = "home://home/entity/light.kitchen_lights";
    let light = parsed(shelf.read(&rig.caller, uri).await.unwrap());
    assert_eq!(
        (&light["id"], &light["area_id"]),
        (&json!("light.kitchen_lights"), &json!("kitchen"))
    );
    let overview = parsed(shelf.read(&rig.caller, "home://home/overview").await.unwrap());
    assert!(overview["domains"]["lock"].is_number() || overview["domains"]["lock"].is_object());
    for missing in [
        "home://home/entity/light.nope",
        "home://cabin/overview",
        "home://home/other",
        "mqtt://x",
        "home://home/entity/",
    ] {
        let e = shelf.read(&rig.caller, missing).await.unwrap_err();
        assert_eq!(e.kind(), Kind::NotFound, "{missing}: {e}");
    }
    let scope = EntityScope { deny: vec!["light.*".into()], ..EntityScope::default() };
    let dark = rig.token("dark", Level::Read, scope).await;
    assert_eq!(shelf.read(&dark, uri).await.unwrap_err().kind(), Kind::NotFound);
    let template = shelf.templates()[0].uri;
    let mut found = shelf.values(&rig.caller, template, "entity_id");
    found.retain(|id| id.starts_with("lock."));
    assert_eq!(found, ids(&rig.tool("home_find", json!({"domain": "lock"})).await));
    let seen = shelf.values(&dark, template, "entity_id");
    assert!(!seen.is_empty() && !seen.iter().any(|id| id.starts_with("light.")), "{seen:?}");
    assert_eq!(shelf.values(&rig.caller, template, "house"), ["home"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_names_its_resource() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let shelf = shelf(&rig);
    let mut reader = rig.events.read();
    let id = "number.volume";
    let was: f64 = raw.state(id).await.parse().unwrap();
    raw.call("number.set_value", id, json!({"value": was + 1.0})).await;
    let uri = format!("home://home/entity/{id}");
    let told = async {
        loop {
            if let Next::Event(stamped) = reader.next().await
                && shelf.changed(&stamped.event).as_deref() == Some(uri.as_str())
            {
                return shelf.list_changed(&stamped.event);
            }
        }
    };
    let list_changed = tokio::time::timeout(PATIENCE, told).await.expect("no notice");
    assert!(!list_changed, "a change of state is no change of the list");
    assert_eq!(
        parsed(shelf.read(&rig.caller, &uri).await.unwrap())["state"],
        (was + 1.0).to_string() + ".0"
    );
    raw.call("number.set_value", id, json!({"value": was})).await;
}

/// What comes of the next changes of entities until `id` has changed.
async fn overviews(
    reader: &mut hearth::events::Reader,
    shelf: &dyn hearth::mcp::Resources,
    caller: &hearth::policy::Caller,
    id: &str,
) -> Option<String> {
    let told = async {
        loop {
            if let Next::Event(stamped) = reader.next().await
                && matches!(&stamped.event, Event::Entity(change) if &*change.entity_id == id)
            {
                return shelf.gathered(caller, &stamped.event);
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("no change")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_is_told_of_when_what_it_shows_changes() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let shelf = shelf(&rig);
    let scope = EntityScope { deny: vec!["siren.*".into()], ..EntityScope::default() };
    let deaf = rig.token("deaf", Level::Read, scope).await;
    let (counted, quiet) = ("siren.siren", "number.pwm_1");
    let mut reader = rig.events.read();
    let overview = Some("home://home/overview".to_owned());
    raw.call("siren.toggle", counted, json!({})).await;
    assert_eq!(overviews(&mut reader, &*shelf, &rig.caller, counted).await, overview);
    raw.call("siren.toggle", counted, json!({})).await;
    // Who may not see it is not told that something changed either.
    assert_eq!(overviews(&mut reader, &*shelf, &deaf, counted).await, None);
    let was: f64 = raw.state(quiet).await.parse().unwrap();
    let other = if was < 0.5 { was + 0.1 } else { was - 0.1 };
    for value in [other, was] {
        raw.call("number.set_value", quiet, json!({ "value": value })).await;
        assert_eq!(overviews(&mut reader, &*shelf, &rig.caller, quiet).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prompts_are_written_from_the_live_house() {
    let rig = on_real().await;
    let prompts = home::prompts(&rig.home);
    let write = async |name: &str, args: Value| {
        let prompt = prompts.iter().find(|prompt| prompt.name == name).unwrap();
        let args: Map<String, Value> = args.as_object().cloned().unwrap();
        match (prompt.write)(Call::new(rig.caller.clone()), args).await {
            Ok(Answer::Blocks(blocks)) => match &blocks[..] {
                [Block::Text(text)] => Ok(text.clone()),
                other => panic!("{other:?}"),
            },
            Ok(other) => panic!("{other:?}"),
            Err(e) => Err(e),
        }
    };
    let review = write("home_review", json!({})).await.unwrap();
    assert!(review.contains("low_battery") && review.contains("not instructions"), "{review}");
    let room = write("home_room", json!({"area": "kitchen", "wish": "darker"})).await.unwrap();
    assert!(room.contains("light.kitchen_lights") && room.contains("darker"), "{room}");
    assert!(!room.contains("light.bed_light"));
    let e = write("home_room", json!({"area": "attic"})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound);
    let room = prompts.iter().find(|prompt| prompt.name == "home_room").unwrap();
    let areas = (room.values)(&rig.caller, "area");
    assert!(areas.iter().any(|area| area == "Kitchen"), "{areas:?}");
}

/// Every client carries the catalogue in each conversation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_of_the_house_stays_small() {
    let rig = on_real().await;
    let profile = rig.toolbox.profile("home").unwrap();
    let shown = rig.toolbox.catalogue(&rig.caller, &profile);
    let (count, bytes) = rig.toolbox.catalogue_bytes(&rig.caller, &profile);
    let control = rig.toolbox.profile("control").unwrap();
    let (core, small) = rig.toolbox.catalogue_bytes(&rig.caller, &control);
    assert!(core == 6 && small <= 6 * 1024, "{core} tools that control a house cost {small} bytes");
    // What the small profile does not list it does not do either.
    assert!(rig.toolbox.catalogue(&rig.caller, &control).iter().all(|tool| {
        let name = tool["name"].as_str().unwrap();
        !name.contains("config") && name.starts_with("home_")
    }));
    assert!(count <= 26, "{count} tools");
    assert!(bytes <= 20 * 1024, "{bytes} bytes: {}", serde_json::to_string_pretty(&shown).unwrap());
}
