//! Calling services on a real house. Each test has entities of its own and puts them back.

use super::raw::Raw;
use super::rig::{ids, on_real, result_of, until};
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
    check(on("light.turn_on", json!({"brightness": "xx"})), Kind::Invalid, "brightness").await;
    check(on("light", json!({})), Kind::Invalid, "write it like light.turn_on").await;
    let forecast = json!({"service": "weather.get_forecasts", "data": {"type": "daily"},
                          "target": {"entity_id": "weather.demo_weather_south"}});
    check(forecast, Kind::Invalid, "return_response").await;
    let nowhere = json!({"service": "light.turn_on", "target": {"entity_id": "light.nope"}});
    check(nowhere, Kind::NotFound, "there is no entity 'light.nope'").await;
    let other = json!({"service": "lock.lock", "target": {"area_id": "Bedroom"}});
    check(other, Kind::NotFound, "nothing in that target").await;
    let odd = json!({"service": "light.turn_on", "brightness": 3});
    check(odd, Kind::Invalid, "brightness").await;
    // What its description leaves open, Home Assistant judges.
    check(on("light.turn_on", json!({"xy_color": [7, 7]})), Kind::Invalid, "xy_color").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_a_service_does_not_take_is_refused_before_home_assistant_is_asked() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let (lamp, heater) = ("light.ceiling_lights", "climate.hvac");
    let before = raw.state(lamp).await;
    let call = |service: &str, id: &str, data: Value, dry_run: bool| json!({"service": service, "target": {"entity_id": id}, "data": data, "dry_run": dry_run});
    for (service, id, data, words) in [
        (
            "light.turn_on",
            lamp,
            json!({"brightnes": 9}),
            "no field 'brightnes'; did you mean brightness",
        ),
        (
            "light.turn_on",
            lamp,
            json!({"brightness": 900}),
            "is 900, and Home Assistant takes 0 to 255",
        ),
        (
            "light.turn_on",
            lamp,
            json!({"flash": "lnog"}),
            "did you mean long? It may be: long, short",
        ),
        ("light.turn_on", lamp, json!({"colour": "red"}), "no field 'colour'"),
        (
            "climate.set_temperature",
            heater,
            json!({"temperature": 500}),
            "is 500, and climate.hvac takes",
        ),
        ("climate.set_humidity", heater, json!({}), "needs the field 'humidity'"),
    ] {
        for dry_run in [true, false] {
            let args = call(service, id, data.clone(), dry_run);
            let e = rig.try_tool("home_call", args.clone()).await.expect_err(&args.to_string());
            assert!(e.kind() == Kind::Invalid && e.what().contains(words), "{args}: {e:?}");
        }
    }
    assert_eq!(raw.state(lamp).await, before);
    // What Home Assistant takes beyond its description passes.
    for (service, id, data) in [
        ("light.toggle", lamp, json!({"brightness_step": -20, "transition": 3600})),
        ("light.turn_on", lamp, json!({"color_name": "Alice Blue"})),
        ("homeassistant.turn_on", lamp, json!({"brightness": 9})),
    ] {
        let dry = rig.tool("home_call", call(service, id, data, true)).await;
        assert_eq!(ids(&dry), [id], "{dry}");
    }
    // Only the call tells whether it is taken, and that is said.
    let free = json!({"service": "homeassistant.turn_on", "target": {"entity_id": lamp},
                      "data": {"brightness": 9}, "dry_run": true});
    let dry = rig.tool("home_call", free).await;
    assert!(dry["hints"][0].as_str().unwrap().contains("no field 'brightness'"), "{dry}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_not_there_is_refused_with_what_there_is() {
    let rig = on_real().await;
    let mut raw = Raw::on_real().await;
    let before = raw.state("switch.ac").await;
    // As a dry run and in earnest alike.
    let check = async |args: Value, kind: Kind, words: &[&str]| {
        for dry_run in [true, false] {
            let mut args = args.clone();
            args["dry_run"] = dry_run.into();
            let e = rig.try_tool("home_call", args.clone()).await.expect_err(&args.to_string());
            assert_eq!(e.kind(), kind, "{args}: {e}");
            for word in words {
                assert!(e.what().contains(word), "{args}: no '{word}' in: {e}");
            }
        }
    };
    let on = |service: &str, id: &str| json!({"service": service, "target": {"entity_id": id}});
    let lamp = "light.ceiling_lights";
    let words = ["no service 'light.explode'", "light.toggle", "light.turn_on"];
    check(on("light.explode", lamp), Kind::NotFound, &words).await;
    let words = ["did you mean light.turn_on"];
    check(on("light.turnon", lamp), Kind::NotFound, &words).await;
    let words = ["none of 'ligth'", "did you mean light.turn_on?", "switch"];
    check(on("ligth.turn_on", lamp), Kind::NotFound, &words).await;
    check(json!({"service": "nope.nothing"}), Kind::NotFound, &["are of: ", "automation"]).await;
    let words = ["acts on light only", "'switch.ac' is not", "use switch.turn_on"];
    check(on("light.turn_on", "switch.ac"), Kind::Invalid, &words).await;
    let words = ["acts on cover only", "services of switch: switch.toggle"];
    check(on("cover.open_cover", "switch.ac"), Kind::Invalid, &words).await;
    // What nothing turns on is not sent on to a service that would do nothing.
    let words = ["'lock.front_door' is not; services of lock: lock.lock"];
    check(on("light.turn_on", "lock.front_door"), Kind::Invalid, &words).await;
    check(on("switch.light.turn_on", lamp), Kind::Invalid, &["must be domain.service"]).await;
    let apart = json!({"domain": "switch", "service": "light.turn_on"});
    check(apart, Kind::Invalid, &["do not go together", "domain left out"]).await;
    let words = ["nothing without a target", "\"entity_id\": \"light.name\""];
    check(json!({"service": "light.turn_on"}), Kind::Invalid, &words).await;
    check(json!({"service": "homeassistant.toggle"}), Kind::Invalid, &["without a target"]).await;
    // General services act on everything.
    let mut general = on("homeassistant.turn_on", "switch.ac");
    general["dry_run"] = true.into();
    assert_eq!(ids(&rig.tool("home_call", general).await), ["switch.ac"]);
    assert_eq!(raw.state("switch.ac").await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_comes_and_goes_is_known() {
    let rig = on_real().await;
    let house = crate::harness::real_house().unwrap();
    let call = json!({"service": "script.hearth_comes", "dry_run": true});
    let gone = async || rig.try_tool("home_call", call.clone()).await.is_err();
    // An earlier run may have ended before its end.
    house.delete("/api/config/script/config/hearth_comes");
    until("the service is not there yet", gone).await;
    let steps = json!({"alias": "Hearth comes", "sequence": [{"delay": {"milliseconds": 1}}]});
    house.post("/api/config/script/config/hearth_comes", &steps);
    until("the service is there", async || rig.try_tool("home_call", call.clone()).await.is_ok())
        .await;
    let dry = rig.tool("home_call", call.clone()).await;
    let hint = dry["hints"][0].as_str().unwrap_or_default();
    assert!(hint.contains("is not known beforehand") || hint.contains("steps of its own"), "{dry}");
    house.delete("/api/config/script/config/hearth_comes");
    until("the service is gone", gone).await;
    let e = rig.try_tool("home_call", call.clone()).await.unwrap_err();
    assert!(e.kind() == Kind::NotFound && e.what().contains("no service"), "{e}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_what_a_scene_and_a_script_reach() {
    let rig = on_real().await;
    let dry = |service: &str, id: &str| json!({"service": service, "target": {"entity_id": id}, "dry_run": true});
    let scene = rig.tool("home_call", dry("scene.turn_on", "scene.movie")).await;
    assert_eq!(ids(&scene), ["scene.movie"]);
    let reached = ids(&json!({ "entities": scene["reaches"] }));
    assert_eq!(reached, ["light.ceiling_lights", "light.kitchen_lights"], "{scene}");
    assert!(scene.get("hints").is_none(), "{scene}");
    for args in [
        dry("script.turn_on", "script.seed_all_off"),
        json!({"service": "script.seed_all_off", "dry_run": true}),
    ] {
        let script = rig.tool("home_call", args).await;
        let hint = script["hints"][0].as_str().unwrap_or_default();
        assert!(hint.starts_with("script.seed_all_off runs steps of its own"), "{script}");
    }
    let restart = json!({"service": "homeassistant.restart", "dry_run": true});
    let restart = rig.tool("home_call", restart).await;
    assert!(restart["hints"][0].as_str().unwrap().contains("aimed at no entity"), "{restart}");
    let e = rig.try_tool("home_call", json!({"service": "homeassistant.restart"})).await;
    let e = e.unwrap_err();
    assert!(e.what().starts_with("homeassistant.restart on the house 'home' needs"), "{e}");
}
