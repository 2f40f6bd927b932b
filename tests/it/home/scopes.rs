//! Who may see and do what, on a real house.

use super::raw::Raw;
use super::rig::{PATIENCE, config, ids, on_real, real, result_of, start, start_with, until};
use hearth::error::Kind;
use hearth::events::{Event, Next};
use hearth::mcp::Call;
use hearth::policy::{self, Caller, EntityScope, Level};
use serde_json::{Value, json};

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_of_one_area_sees_and_touches_nothing_else() {
    let rig = on_real().await;
    let scope = EntityScope { areas: list(&["kitchen"]), ..EntityScope::default() };
    let cook = rig.token("cook", Level::Control, scope).await;
    let found = rig.tool_as(&cook, "home_find", json!({})).await.unwrap();
    let all = rig.tool("home_find", json!({"area": "kitchen"})).await;
    assert_eq!(ids(&found), ids(&all));
    let overview = rig.tool_as(&cook, "home_overview", json!({})).await.unwrap();
    assert_eq!(overview["entities"], all["total"]);
    assert!(!overview.to_string().contains("lock.front_door"));
    let refused = async |tool: &str, args: Value, kind: Kind| {
        let e = rig.tool_as(&cook, tool, args.clone()).await.expect_err(&args.to_string());
        assert_eq!(e.kind(), kind, "{tool} {args}: {e}");
    };
    let get = json!({"entity_ids": ["lock.front_door"]});
    refused("home_get", get, Kind::NotFound).await;
    let call = |target: Value, data: Value| json!({"service": "homeassistant.turn_on", "target": target, "data": data});
    let bed = json!({"entity_id": "light.bed_light"});
    refused("home_call", call(bed.clone(), json!({})), Kind::NotFound).await;
    refused("home_call", call(json!({}), bed), Kind::NotFound).await;
    refused("home_call", call(json!({"area_id": "bedroom"}), json!({})), Kind::NotFound).await;
    // Nothing named, or named among the data: that would reach beyond the scope.
    refused("home_call", json!({"service": "script.seed_all_off"}), Kind::NotFound).await;
    refused(
        "home_call",
        json!({"service": "persistent_notification.create", "data": {"message": "x"}}),
        Kind::Refused,
    )
    .await;
    let scene = json!({"service": "scene.apply", "data": {"entities": {"light.bed_light": "on"}}});
    refused("home_call", scene, Kind::Refused).await;
    refused("home_template", json!({"template": "{{ states('lock.front_door') }}"}), Kind::Refused)
        .await;
    refused("home_watch", json!({"event_type": "state_changed"}), Kind::Refused).await;
    refused("home_watch", json!({"entity_ids": ["lock.front_door"]}), Kind::NotFound).await;
    let audit = rig.policy.audit();
    let denied = audit.iter().filter(|entry| entry.outcome == "denied" && entry.who == "cook");
    assert!(denied.count() >= 3, "{audit:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_outside_a_share_is_neither_named_nor_confirmed() {
    let rig = on_real().await;
    let scope = EntityScope { areas: list(&["kitchen"]), ..EntityScope::default() };
    let cook = rig.token("cook", Level::Control, scope).await;
    let call = |service: &str, target: Value, data: Value| json!({"service": service, "target": target, "data": data, "dry_run": true});
    let on = "homeassistant.turn_on";
    let lamps = |id: &str| call("scene.apply", json!({}), json!({"entities": {id: "on"}}));
    // What exists elsewhere and what exists nowhere are answered alike, and nothing else is named.
    for (tool, here, nowhere, args) in [
        (
            "home_find",
            "Bedroom",
            "Bedroon",
            &(|x: &str| json!({"area": x})) as &dyn Fn(&str) -> Value,
        ),
        ("home_find", "bedroom", "bedroon", &|x| json!({"area": x})),
        ("home_find", "critical", "critica", &|x| json!({"label": x})),
        ("home_watch", "Bedroom", "Bedroon", &|x| json!({"area": x})),
        ("home_history", "Bedroom", "Bedroon", &|x| json!({"area": x})),
        ("home_call", "Bedroom", "Bedroon", &|x| call(on, json!({"area_id": x}), json!({}))),
        ("home_call", "critical", "critica", &|x| call(on, json!({"label_id": x}), json!({}))),
        ("home_call", "light.bed_light", "light.bed_nobody", &|x| lamps(x)),
        ("home_call", "script.seed_all_off", "script.seed_no_off", &|x| {
            call(x, json!({}), json!({}))
        }),
        ("home_get", "lock.front_door", "lock.front_dorr", &|x| json!({"entity_ids": [x]})),
    ] {
        let mut said = Vec::new();
        for name in [here, nowhere] {
            let e = rig.tool_as(&cook, tool, args(name)).await.expect_err(&args(name).to_string());
            said.push((e.kind(), e.what().replace(name, "…")));
        }
        assert_eq!(said[0], said[1], "{tool} {here}");
        let text = said[0].1.to_lowercase();
        for other in ["bedroom", "living", "upstairs", "front_door", "bed_light", "seed_all"] {
            assert!(!text.contains(other), "{tool} {here}: {text}");
        }
    }
    // Tools that only who sees everything may use are not offered.
    let home = rig.toolbox.profile("home").unwrap();
    let names = |who: &Caller| -> Vec<String> {
        let tools = rig.toolbox.catalogue(who, &home);
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    };
    for tool in ["home_template", "home_trace", "home_logs", "home_refs"] {
        assert!(!names(&cook).iter().any(|name| name == tool), "{tool}");
        assert!(names(&rig.caller).iter().any(|name| name == tool), "{tool}");
    }
    assert!(names(&cook).iter().any(|name| name == "home_call"));
    // A scene may be seen, and part of what is in it not.
    let scope = EntityScope { deny: list(&["light.ceiling_lights"]), ..EntityScope::default() };
    let half = rig.token("half", Level::Control, scope).await;
    let movie =
        rig.tool_as(&half, "home_get", json!({"entity_ids": ["scene.movie"]})).await.unwrap();
    let members = &movie["entities"][0]["attributes"]["entity_id"];
    assert_eq!(*members, json!(["light.kitchen_lights"]), "{movie}");
    let play = call("scene.turn_on", json!({"entity_id": "scene.movie"}), json!({}));
    let e = rig.tool_as(&half, "home_call", play).await.unwrap_err();
    assert!(e.kind() == Kind::Refused && !e.what().contains("ceiling"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exposure_labels_and_deny_lists_narrow_what_is_seen() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let scope = EntityScope { exposed_only: true, ..EntityScope::default() };
    let guest = rig.token("guest", Level::Read, scope).await;
    // Other tests make entities and take them away, and Home Assistant exposes some of them.
    until("as many are seen as Home Assistant exposes", async || {
        let exposed = raw.ask(json!({"type": "homeassistant/expose_entity/list"})).await;
        let exposed = exposed["exposed_entities"].as_object().unwrap();
        let states = raw.ask(json!({"type": "get_states"})).await;
        // It also remembers some that are gone.
        let is_there = |id: &Value| exposed[id.as_str().unwrap()]["conversation"] == true;
        let ids = states.as_array().unwrap().iter().map(|state| &state["entity_id"]);
        let count =
            ids.filter(|id| exposed.contains_key(id.as_str().unwrap()) && is_there(id)).count();
        let overview = rig.tool_as(&guest, "home_overview", json!({})).await.unwrap();
        overview["entities"] == count
    })
    .await;
    let scope = EntityScope { labels: list(&["critical"]), ..EntityScope::default() };
    let labelled = rig.token("labelled", Level::Read, scope).await;
    let mine = rig.tool_as(&labelled, "home_find", json!({})).await.unwrap();
    let all = rig.tool("home_find", json!({"label": "critical"})).await;
    assert!(ids(&mine) == ids(&all) && !ids(&all).is_empty());
    let scope = EntityScope { deny: list(&["lock.*"]), ..EntityScope::default() };
    let lockless = rig.token("lockless", Level::Read, scope).await;
    let e = rig.tool_as(&lockless, "home_find", json!({"domain": "lock"})).await.unwrap_err();
    assert!(e.kind() == Kind::NotFound && !e.what().contains("lock,"), "{e}");
    assert_eq!(
        rig.tool_as(&lockless, "home_find", json!({"query": "door lock", "domain": "lock,light"}))
            .await
            .unwrap()["hints"][0]
            .as_str()
            .map(|hint| hint.starts_with("no entity here is of the domain 'lock'")),
        Some(true)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_is_not_controlling() {
    let rig = on_real().await;
    let reader = rig.token("reader", Level::Read, EntityScope::default()).await;
    let call = json!({"service": "light.turn_on", "target": {"entity_id": "light.ceiling_lights"}});
    let e = rig.tool_as(&reader, "home_call", call.clone()).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused);
    let control = rig.token("control", Level::Control, EntityScope::default()).await;
    for service in ["automation.reload", "hassio.host_reboot", "homeassistant.reload_all"] {
        let e = rig.tool_as(&control, "home_call", json!({"service": service})).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Refused, "{service}");
    }
    let (url, token) = real();
    let mut quiet = config(&url, &token);
    quiet.read_only = true;
    quiet.deny = list(&["lock.*"]);
    let rig = start(&quiet).await;
    rig.connected().await;
    let e = rig.try_tool("home_call", call).await.unwrap_err();
    assert!(e.kind() == Kind::Refused && e.what().contains("home.read_only"), "{e}");
    let e = rig.try_tool("home_find", json!({"domain": "lock"})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound, "{e}");
    // With something hidden from everybody, a template would be a way round it.
    let e = rig.try_tool("home_template", json!({"template": "{{ 1 }}"})).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Refused);
}

/// Takes the token out of the sentence that asks for it.
fn asked(e: &hearth::error::Error) -> String {
    let (_, rest) = e.what().split_once("confirm=\"").unwrap_or_else(|| panic!("{e}"));
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_opens_only_after_the_person_agreed() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let id = "lock.openable_lock";
    raw.call("lock.lock", id, json!({})).await;
    let call = |service: &str, id: &str| json!({"service": service, "target": {"entity_id": id}});
    let e = rig.try_tool("home_call", call("lock.unlock", id)).await.unwrap_err();
    assert!(e.kind() == Kind::Conflict && e.what().contains(id), "{e}");
    assert_eq!(raw.state(id).await, "locked");
    let token = asked(&e);
    let dry = json!({"service": "lock.unlock", "target": {"entity_id": id}, "dry_run": true});
    let dry = rig.tool("home_call", dry).await;
    assert_eq!(dry["needs_confirmation"], json!([id]));
    // The answer to one question opens no other door.
    let mut other = call("lock.unlock", "lock.front_door");
    other["confirm"] = token.clone().into();
    let e = rig.try_tool("home_call", other).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Conflict);
    let mut agreed = call("lock.unlock", id);
    agreed["confirm"] = token.clone().into();
    let done = rig.tool("home_call", agreed.clone()).await;
    assert!(["verified", "pending"].contains(&result_of(&done, id).as_str()), "{done}");
    let e = rig.try_tool("home_call", agreed).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Conflict, "a token answers once");
    raw.call("lock.lock", id, json!({})).await;
    // By way of a general service or a scene it is the same door.
    for args in [
        call("homeassistant.turn_off", id),
        json!({"service": "scene.apply", "data": {"entities": {"lock.openable_lock": "unlocked"}}}),
    ] {
        let e = rig.try_tool("home_call", args).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Conflict, "{e}");
    }
    for (service, id) in [
        ("alarm_control_panel.alarm_disarm", "alarm_control_panel.security"),
        ("cover.open_cover", "cover.garage_door"),
        ("valve.toggle", "valve.orchard"),
        ("siren.turn_on", "siren.siren"),
        ("update.install", "update.demo_add_on"),
    ] {
        let e = rig.try_tool("home_call", call(service, id)).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Conflict, "{service}: {e}");
    }
    for service in ["homeassistant.restart", "homeassistant.stop", "conversation.process"] {
        let data = match service {
            "conversation.process" => json!({"text": "unlock the door"}),
            _ => json!({}),
        };
        let args = json!({"service": service, "data": data});
        let e = rig.try_tool("home_call", args).await.unwrap_err();
        assert_eq!(e.kind(), Kind::Conflict, "{service}: {e}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_in_the_audit_log_with_what_it_touched() {
    let (url, token) = real();
    let rules = policy::Config { confirm: false, ..policy::Config::default() };
    let rig = start_with(&config(&url, &token), &rules).await;
    rig.connected().await;
    let id = "siren.siren_with_all_features";
    let was = rig.state(id).await;
    // With confirmations switched off nobody is asked.
    let call = |service: &str| json!({"service": service, "target": {"entity_id": id}});
    let e = rig.run(Call::new(rig.caller.clone()), "home_call", call("siren.turn_on")).await;
    assert!(e.is_ok(), "{e:?}");
    rig.tool("home_call", call(&format!("siren.turn_{was}"))).await;
    let audit = rig.policy.audit();
    let entry = audit.iter().find(|entry| entry.action == "siren.turn_on").unwrap();
    assert_eq!((entry.outcome, entry.target.as_str()), ("allowed", format!("home: {id}").as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_house_hides_is_not_told_on_the_bus_either() {
    let (url, token) = real();
    let mut quiet = config(&url, &token);
    quiet.deny = list(&["lock.*"]);
    let rig = start(&quiet).await;
    rig.connected().await;
    let mut raw = Raw::on_real().await;
    let mut bus = rig.events.read();
    let (lock, lamp) = ("lock.openable_lock", "light.ceiling_lights");
    raw.call("lock.unlock", lock, json!({})).await;
    raw.call("lock.lock", lock, json!({})).await;
    raw.call("light.toggle", lamp, json!({})).await;
    let told = async {
        loop {
            let Next::Event(stamped) = bus.next().await else { panic!("the bus went on") };
            if let Event::Entity(e) = &stamped.event {
                assert_ne!(&*e.entity_id, lock);
                if &*e.entity_id == lamp {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("the lamp is told of");
    raw.call("light.toggle", lamp, json!({})).await;
}
