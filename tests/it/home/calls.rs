//! Calling services on a real house. Each test has entities of its own and puts them back.

use super::raw::Raw;
use super::rig::{ids, on_real, result_of};
use hearth::error::Kind;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_verified_by_the_state() {
    let rig = on_real().await;
    let id = "switch.ac";
    let call = |service: &str| json!({"service": service, "target": {"entity_id": [id]}});
    let before = rig.state(id).await;
    let done = rig.tool("home_call", call("switch.toggle")).await;
    assert_eq!(result_of(&done, id), "verified", "{done}");
    assert_ne!(rig.state(id).await, before);
    let mut raw = Raw::on_real().await;
    assert_eq!(raw.state(id).await, rig.state(id).await);
    let back = if before == "on" { "turn_on" } else { "turn_off" };
    // Domain and service apart, the target as text among the data: all forms that assistants write.
    let apart = json!({"domain": "switch", "service": back, "data": {"entity_id": id}});
    assert_eq!(result_of(&rig.tool("home_call", apart).await, id), "verified");
    let same = rig.tool("home_call", call(&format!("switch.{back}"))).await;
    assert_eq!(result_of(&same, id), "unchanged", "{same}");
    assert_eq!(same["counts"], json!({"unchanged": 1}));
    assert_eq!(raw.state(id).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attributes_that_were_asked_for_are_verified() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let id = "light.bed_light";
    let was = raw.state(id).await;
    let call = |pct: u32| {
        json!({"service": "light.turn_on", "target": {"entity_id": id},
                                 "data": {"brightness_pct": pct}})
    };
    let done = rig.tool("home_call", call(40)).await;
    assert_eq!(result_of(&done, id), "verified", "{done}");
    let got = rig.tool("home_get", json!({"entity_ids": [id], "attributes": ["brightness"]})).await;
    assert_eq!(got["entities"][0]["attributes"]["brightness"], 102);
    assert_eq!(result_of(&rig.tool("home_call", call(40)).await, id), "unchanged");
    assert_eq!(result_of(&rig.tool("home_call", call(70)).await, id), "verified");
    raw.call(if was == "on" { "light.turn_on" } else { "light.turn_off" }, id, json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cover_that_still_moves_is_pending() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let id = "cover.hall_window";
    let args = json!({"entity_ids": [id], "attributes": ["current_position"]});
    let got = rig.tool("home_get", args).await;
    let was = got["entities"][0]["attributes"]["current_position"].as_f64().unwrap();
    // Whichever way is longer takes more than two seconds.
    let service = if was < 50.0 { "cover.open_cover" } else { "cover.close_cover" };
    let began = std::time::Instant::now();
    let done =
        rig.tool("home_call", json!({"service": service, "target": {"entity_id": id}})).await;
    assert_eq!(result_of(&done, id), "pending", "{done}");
    assert!(began.elapsed().as_secs_f64() < 3.0, "{:?}", began.elapsed());
    raw.call("cover.stop_cover", id, json!({})).await;
    raw.call("cover.set_cover_position", id, json!({"position": was})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_names_what_would_be_touched_and_touches_nothing() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let before = raw.state("light.kitchen_lights").await;
    let args =
        |target: Value| json!({"service": "light.toggle", "target": target, "dry_run": true});
    let dry = rig.tool("home_call", args(json!({"area_id": "Kitchen"}))).await;
    assert_eq!(ids(&dry), ["light.kitchen_lights"], "{dry}");
    assert_eq!(dry["dry_run"], true);
    // Home Assistant means the same entities by the same words.
    for target in [
        json!({"area_id": ["kitchen"]}),
        json!({"floor_id": ["ground"]}),
        json!({"label_id": ["critical"]}),
    ] {
        let command = json!({"type": "extract_from_target", "target": target});
        let theirs = raw.try_ask(command).await;
        if theirs["error"]["code"] == "unknown_command" {
            continue;
        }
        let theirs = theirs["result"]["referenced_entities"].as_array().unwrap().clone();
        let mut theirs: Vec<String> =
            theirs.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        theirs.sort_unstable();
        let args = json!({"service": "homeassistant.update_entity", "target": target,
                          "dry_run": true});
        assert_eq!(ids(&rig.tool("home_call", args).await), theirs, "{target}");
    }
    assert_eq!(raw.state("light.kitchen_lights").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_area_is_called_at_once() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let found =
        rig.tool("home_find", json!({"area": "Bedroom", "domain": "fan,light,switch"})).await;
    let mut before = Vec::new();
    for id in ids(&found) {
        let state = raw.state(&id).await;
        before.push((id, state));
    }
    let args = json!({"service": "homeassistant.toggle", "target": {"area_id": "bedroom"}});
    let dry = json!({"service": "homeassistant.toggle", "target": {"area_id": "bedroom"},
                     "dry_run": true});
    let dry = rig.tool("home_call", dry).await;
    assert!(!ids(&dry).is_empty() && dry.get("needs_confirmation").is_none(), "{dry}");
    let done = rig.tool("home_call", args).await;
    assert_eq!(ids(&done), ids(&dry));
    for (id, state) in before {
        let domain = id.split_once('.').unwrap().0.to_owned();
        assert_ne!(raw.state(&id).await, state, "{id} was toggled");
        raw.call(&format!("{domain}.turn_{state}"), &id, json!({})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_answer_with_data() {
    let rig = on_real().await;
    let args = json!({"service": "weather.get_forecasts", "data": {"type": "daily"},
        "target": {"entity_id": "weather.demo_weather_south"}, "return_response": true});
    let done = rig.tool("home_call", args).await;
    let forecast = &done["response"]["weather.demo_weather_south"]["forecast"];
    assert!(forecast[0]["temperature"].is_number(), "{done}");
    assert!(done.to_string().len() <= 8192);
    let args = json!({"service": "calendar.get_events", "return_response": true,
        "target": {"entity_id": "calendar.calendar_1"}, "data": {"duration": {"hours": 24}}});
    let done = rig.tool("home_call", args).await;
    assert!(done["response"]["calendar.calendar_1"]["events"].is_array(), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_home_assistant_refuses_is_told_in_its_words() {
    let rig = on_real().await;
    let check = async |args: Value, kind: Kind, words: &str| {
        let e = rig.try_tool("home_call", args.clone()).await.expect_err(&args.to_string());
        assert!(e.kind() == kind && e.what().contains(words), "{args}: {e:?}");
    };
    let on = |service: &str, data: Value| {
        json!({"service": service, "data": data,
        "target": {"entity_id": "light.ceiling_lights"}})
    };
    check(on("light.nope", json!({})), Kind::NotFound, "light.nope not found").await;
    check(on("light.turn_on", json!({"brightness": "xx"})), Kind::Invalid, "brightness").await;
    check(on("light", json!({})), Kind::Invalid, "write it like light.turn_on").await;
    check(on("weather.get_forecasts", json!({})), Kind::Invalid, "return_response").await;
    let nowhere = json!({"service": "light.turn_on", "target": {"entity_id": "light.nope"}});
    check(nowhere, Kind::NotFound, "there is no entity 'light.nope'").await;
    let other = json!({"service": "lock.lock", "target": {"area_id": "Bedroom"}});
    check(other, Kind::NotFound, "nothing in that target").await;
    let odd = json!({"service": "light.turn_on", "brightness": 3});
    check(odd, Kind::Invalid, "brightness").await;
}
