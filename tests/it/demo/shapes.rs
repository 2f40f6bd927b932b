//! The demo house's messages beside those of a real Home Assistant, key by key.
//!
//! Runs when `HEARTH_TEST_HA` names a file with `HA_URL` and `HA_TOKEN` lines of a running Home
//! Assistant of the version that the demo house speaks for. Whatever is changed there is put back.

use crate::demo::client::{Client, house, http};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

struct Real {
    url: String,
    token: String,
}

fn real() -> Option<Real> {
    let path = std::env::var("HEARTH_TEST_HA").ok().filter(|path| !path.is_empty())?;
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let value = |name: &str| {
        let line = text.lines().find_map(|l| l.trim_start_matches("export ").strip_prefix(name));
        line.and_then(|l| l.strip_prefix('='))
            .unwrap_or_else(|| panic!("{path}: no {name}"))
            .to_owned()
    };
    Some(Real { url: value("HA_URL"), token: value("HA_TOKEN") })
}

/// Both houses, or none when there is no real one to compare with.
async fn both() -> Option<(Client, Client, hearth::tasks::Tasks)> {
    let Some(real) = real() else {
        println!("skipped: demo: HEARTH_TEST_HA names no Home Assistant to compare with");
        return None;
    };
    let mut theirs = Client::connect(&real.url, &real.token).await;
    let (house, tasks) = house(0).await;
    let mut ours = Client::connect(&house.url, house.token.reveal()).await;
    let version = async |client: &mut Client| {
        let config = client.result(json!({ "type": "get_config" })).await;
        config["version"].as_str().unwrap().rsplit_once('.').unwrap().0.to_owned()
    };
    let (there, here) = (version(&mut theirs).await, version(&mut ours).await);
    if there != here {
        println!("skipped: demo: the demo house speaks for {here}, the real one is {there}");
        return None;
    }
    Some((theirs, ours, tasks))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// The kinds of each key over many rows.
fn kinds<'a>(rows: impl Iterator<Item = &'a Value>) -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut out: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (key, value) in rows.flat_map(|row| row.as_object().into_iter().flatten()) {
        out.entry(key.clone()).or_default().insert(kind(value));
    }
    out
}

/// Rows must have the same keys, and no kind of value that the real house never has (but null).
fn same_rows<'a>(
    what: &str,
    theirs: impl Iterator<Item = &'a Value>,
    ours: impl Iterator<Item = &'a Value>,
    may_be_text: &[&str],
) {
    let (theirs, ours) = (kinds(theirs), kinds(ours));
    let names = |k: &BTreeMap<String, _>| k.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&theirs), names(&ours), "{what}");
    for (key, kinds) in ours {
        let known = &theirs[&key];
        let is_fine = |k: &&str| {
            known.contains(k)
                || *k == "null"
                || (known.len() == 1 && known.contains("null"))
                || may_be_text.contains(&&*key)
        };
        assert!(kinds.iter().all(is_fine), "{what}.{key}: {kinds:?}, not {known:?}");
    }
}

fn same_shape(what: &str, theirs: &Value, ours: &Value) {
    assert_eq!(kind(theirs), kind(ours), "{what}");
    assert_eq!(keys(theirs), keys(ours), "{what}");
    for key in keys(theirs) {
        if kind(&theirs[key]) == "map" && kind(&ours[key]) == "map" {
            same_shape(&format!("{what}.{key}"), &theirs[key], &ours[key]);
        }
    }
}

#[tokio::test]
async fn answers_have_the_keys_of_the_real_ones() {
    let Some((mut theirs, mut ours, tasks)) = both().await else { return };
    let token = json!({ "type": "auth/current_user" });
    same_shape("user", &theirs.result(token.clone()).await, &ours.result(token).await);
    let config = json!({ "type": "get_config" });
    same_shape("config", &theirs.result(config.clone()).await, &ours.result(config).await);
    let ping = json!({ "type": "ping" });
    same_shape("ping", &theirs.ask(ping.clone()).await, &ours.ask(ping).await);
    for name in ["area", "floor", "label", "device", "entity"] {
        let list = json!({ "type": format!("config/{name}_registry/list") });
        let (there, here) = (theirs.result(list.clone()).await, ours.result(list).await);
        let rows = |v: &Value| v.as_array().unwrap().clone();
        same_rows(name, rows(&there).iter(), rows(&here).iter(), &[]);
    }
    let display = json!({ "type": "config/entity_registry/list_for_display" });
    let (there, here) = (theirs.result(display.clone()).await, ours.result(display).await);
    assert_eq!(there["entity_categories"], here["entity_categories"]);
    let (there, here) = (kinds(rows(&there["entities"])), kinds(rows(&here["entities"])));
    for (key, kinds) in here {
        assert_eq!(there.get(&key), Some(&kinds), "list_for_display.{key}");
    }
    let exposed = json!({ "type": "homeassistant/expose_entity/list" });
    let (there, here) = (theirs.result(exposed.clone()).await, ours.result(exposed).await);
    same_rows(
        "exposed",
        values(&there["exposed_entities"]),
        values(&here["exposed_entities"]),
        &[],
    );
    tasks.stop().await;
}

fn rows(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn values(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_object().unwrap().values()
}

#[tokio::test]
async fn states_have_the_keys_and_kinds_of_the_real_ones() {
    let Some((mut theirs, mut ours, tasks)) = both().await else { return };
    let states = json!({ "type": "get_states" });
    let (there, here) = (theirs.result(states.clone()).await, ours.result(states).await);
    same_rows("state", rows(&there), rows(&here), &[]);
    let contexts = |v: &Value| rows(v).map(|s| s["context"].clone()).collect::<Vec<_>>();
    same_rows("context", contexts(&there).iter(), contexts(&here).iter(), &["user_id"]);
    let by_domain = |v: &Value| {
        let mut out: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for state in rows(v) {
            let domain = state["entity_id"].as_str().unwrap().split('.').next().unwrap().to_owned();
            out.entry(domain).or_default().push(state["attributes"].clone());
        }
        out
    };
    let (there, here) = (by_domain(&there), by_domain(&here));
    for (domain, attributes) in &here {
        let Some(known) = there.get(domain) else { continue };
        let (known, shown) = (kinds(known.iter()), kinds(attributes.iter()));
        for (name, kinds) in shown {
            // Attributes that no demo device of the real house has cannot be compared.
            let Some(known) = known.get(&name) else { continue };
            let is_fine =
                |k: &&str| known.contains(k) || *k == "null" || *known == BTreeSet::from(["null"]);
            assert!(kinds.iter().all(is_fine), "{domain}.{name}: {kinds:?}, not {known:?}");
        }
    }
    tasks.stop().await;
}

/// The fields of a service, those in sections included.
fn fields(service: &Value) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (name, field) in service["fields"].as_object().into_iter().flatten() {
        match field["fields"].as_object() {
            Some(_) => out.extend(fields(field)),
            None => drop(out.insert(name.clone())),
        }
    }
    out
}

#[tokio::test]
async fn services_are_some_of_the_real_ones() {
    let Some((mut theirs, mut ours, tasks)) = both().await else { return };
    let services = json!({ "type": "get_services" });
    let (there, here) = (theirs.result(services.clone()).await, ours.result(services).await);
    for (domain, services) in here.as_object().unwrap() {
        let all: &Map<String, Value> = services.as_object().unwrap();
        for (name, service) in all.iter().filter(|(_, s)| s.get("name").is_none()) {
            let known = there.get(domain).and_then(|d| d.get(name));
            let known = known.unwrap_or_else(|| panic!("{domain}.{name} is no real service"));
            assert_eq!(keys(known), keys(service), "{domain}.{name}");
            same_shape(&format!("{domain}.{name}.target"), &known["target"], &service["target"]);
            assert_eq!(known["response"], service["response"], "{domain}.{name}");
            // The real house takes these, but shows them to nobody.
            let unshown = ["variables", "stop_actions"];
            let more: Vec<String> = fields(service).difference(&fields(known)).cloned().collect();
            assert!(more.iter().all(|f| unshown.contains(&&**f)), "{domain}.{name}: {more:?}");
        }
    }
    tasks.stop().await;
}

#[tokio::test]
async fn events_have_the_shape_of_the_real_ones() {
    let Some((mut theirs, mut ours, tasks)) = both().await else { return };
    let watch = async |client: &mut Client, id: &str| {
        let call = |on: bool| {
            let service = if on { "turn_on" } else { "turn_off" };
            let data =
                if on { json!({ "rgb_color": [0, 0, 255], "brightness": 120 }) } else { json!({}) };
            json!({ "type": "call_service", "domain": "light", "service": service,
                    "service_data": data, "target": { "entity_id": id } })
        };
        let state = client.result(json!({ "type": "get_states" })).await;
        let before = rows(&state).find(|s| s["entity_id"] == id).unwrap().clone();
        client.result(call(false)).await;
        let short =
            client.command(json!({ "type": "subscribe_entities", "entity_ids": [id] })).await;
        let first = client.event(short).await;
        let wanted = json!({ "type": "subscribe_events", "event_type": "state_changed" });
        let long = client.command(wanted).await;
        client.command(call(true)).await;
        let diff = client.event(short).await;
        let of_it = |m: &Value| m["id"] == long && m["event"]["data"]["entity_id"] == id;
        let event = client.until(of_it).await["event"].clone();
        client.command(call(false)).await;
        let off = client.event(short).await;
        if before["state"] == "on" {
            let look = json!({ "brightness": before["attributes"]["brightness"],
                "hs_color": before["attributes"]["hs_color"] });
            let mut back = call(true);
            back["service_data"] = look;
            client.result(back).await;
        }
        (first["a"][id].clone(), diff["c"][id].clone(), event, off["c"][id].clone())
    };
    let theirs = watch(&mut theirs, "light.kitchen_lights").await;
    let ours = watch(&mut ours, "light.floor_lamp").await;
    same_shape("short", &theirs.0, &ours.0);
    same_shape("diff", &theirs.1, &ours.1);
    same_shape("state_changed", &theirs.2, &ours.2);
    same_shape("turned off", &theirs.3, &ours.3);
    assert_eq!(
        theirs.2["data"]["new_state"]["attributes"]["xy_color"],
        ours.2["data"]["new_state"]["attributes"]["xy_color"]
    );
    tasks.stop().await;
}

#[tokio::test]
async fn refusals_have_the_shape_and_words_of_the_real_ones() {
    let Some((mut theirs, mut ours, tasks)) = both().await else { return };
    // The same question to both; entity names differ and are cut out of the words.
    let light = ("light.kitchen_lights", "light.floor_lamp");
    let rows = [
        ((light), "light.nope", json!({}), true),
        ((light), "light.turn_on", json!({ "zz": 1 }), true),
        ((light), "light.turn_on", json!({ "brightness": "x" }), true),
        (("climate.hvac", "climate.living_room"), "climate.set_temperature", json!({}), true),
        (
            ("climate.hvac", "climate.living_room"),
            "climate.set_temperature",
            json!({ "temperature": 99 }),
            false,
        ),
        (
            ("climate.hvac", "climate.living_room"),
            "climate.set_hvac_mode",
            json!({ "hvac_mode": "zz" }),
            true,
        ),
        (
            ("cover.garage_door", "cover.garage_door"),
            "cover.set_cover_position",
            json!({ "position": 5 }),
            true,
        ),
        (("todo.chores", "todo.shopping_list"), "todo.add_item", json!({}), true),
        (
            ("alarm_control_panel.security", "alarm_control_panel.home_alarm"),
            "alarm_control_panel.alarm_disarm",
            json!({ "code": "9999" }),
            true,
        ),
        (
            ("input_number.target_level", "input_number.evening_brightness"),
            "input_number.set_value",
            json!({ "value": 999 }),
            true,
        ),
        (
            ("input_select.house_mode", "input_select.house_mode"),
            "input_select.select_option",
            json!({ "option": "zz" }),
            false,
        ),
    ];
    for ((there, here), action, data, same_words) in rows {
        let there_answer = theirs.ask(call(action, on(there), data.clone())).await;
        let here_answer = ours.ask(call(action, on(here), data)).await;
        same_shape(action, &there_answer, &here_answer);
        assert_eq!(there_answer["error"]["code"], here_answer["error"]["code"], "{action}");
        assert_eq!(
            there_answer["error"]["translation_key"],
            here_answer["error"]["translation_key"]
        );
        if same_words {
            let words =
                |a: &Value, id: &str| a["error"]["message"].as_str().unwrap().replace(id, "it");
            assert_eq!(words(&there_answer, there), words(&here_answer, here), "{action}");
        }
    }
    tasks.stop().await;
}

/// A call of a service.
fn call(action: &str, target: Value, data: Value) -> Value {
    let (domain, service) = action.split_once('.').unwrap();
    json!({ "type": "call_service", "domain": domain, "service": service,
            "target": target, "service_data": data })
}

fn on(id: &str) -> Value {
    json!({ "entity_id": id })
}

#[tokio::test]
async fn malformed_messages_get_the_very_words_of_the_real_ones() {
    let Some((mut theirs, mut ours, tasks)) = both().await else { return };
    for message in [
        json!({ "type": "nope/nope" }),
        json!({ "type": "subscribe_entities", "x": 1 }),
        json!({ "type": "subscribe_events", "event_type": 5 }),
        json!({ "type": "call_service", "domain": "light" }),
        json!({ "type": "unsubscribe_events", "subscription": 9999 }),
        json!({ "type": "fire_event" }),
        call("light.turn_on", json!({}), json!({})),
        call("light.turn_on", on("lightzzz"), json!({})),
    ] {
        let (there, here) = (theirs.ask(message.clone()).await, ours.ask(message.clone()).await);
        assert_eq!(there["error"], here["error"], "{message}");
    }
    let wants = |on: bool| {
        json!({ "type": "call_service", "domain": if on { "light" } else { "weather" },
        "service": if on { "turn_on" } else { "get_forecasts" }, "return_response": on,
        "service_data": if on { json!({}) } else { json!({ "type": "daily" }) },
        "target": { "entity_id": "light.none" } })
    };
    for on in [true, false] {
        let (there, here) = (theirs.ask(wants(on)).await, ours.ask(wants(on)).await);
        assert_eq!(there["error"], here["error"]);
    }
    tasks.stop().await;
}

#[tokio::test]
async fn templates_forecasts_and_rest_answer_in_the_same_shape() {
    let Some((mut theirs, mut ours, tasks)) = both().await else { return };
    let template = |source: &str| json!({ "type": "render_template", "template": source, "report_errors": true });
    for source in [
        "{{ states('sun.sun') }}",
        "{{ 1 + 1 }}",
        "{{ now().year }}",
        "{{ is_state('sun.sun', 'nope') }}",
        "{{ states('no.such') }}",
        "{{ state_attr('sun.sun', 'nope') }}",
    ] {
        let (there, here) =
            (theirs.command(template(source)).await, ours.command(template(source)).await);
        let (there, here) = (theirs.event(there).await, ours.event(here).await);
        if source.contains("'sun.sun') }}") {
            same_shape(source, &there, &here);
            assert_eq!(there["listeners"], here["listeners"], "{source}");
        } else {
            assert_eq!(there, here, "{source}");
        }
    }
    let (there, here) =
        (theirs.command(template("{{ x( }}")).await, ours.command(template("{{ x( }}")).await);
    same_shape("template error", &theirs.event(there).await, &ours.event(here).await);
    let forecast = |id: &str| {
        json!({ "type": "call_service", "domain": "weather", "service": "get_forecasts",
            "return_response": true, "service_data": { "type": "daily" }, "target": { "entity_id": id } })
    };
    let there = theirs.result(forecast("weather.demo_weather_south")).await;
    let here = ours.result(forecast("weather.home")).await;
    assert_eq!(keys(&there), keys(&here));
    let days = |v: &Value| values(&v["response"]).next().unwrap()["forecast"].clone();
    same_rows("forecast", rows(&days(&there)), rows(&days(&here)), &[]);
    tasks.stop().await;
    rest_is_alike().await;
}

async fn rest_is_alike() {
    let Some(real) = real() else { return };
    let (house, tasks) = house(0).await;
    let token = house.token.reveal();
    for (method, path, body, same_text) in [
        ("GET", "/api/", "", true),
        ("GET", "/api/config", "", false),
        ("GET", "/api/core/state", "", true),
        ("GET", "/api/states/sun.sun", "", false),
        ("GET", "/api/states/sun.none", "", true),
        ("GET", "/api/nope", "", true),
        ("GET", "/api/template", "", true),
        ("POST", "/api/template", r#"{"template":"{{ 1 + 1 }}"}"#, true),
        ("POST", "/api/template", r#"{"template":"{{ 1 + }}"}"#, false),
    ] {
        let there = http(&real.url, method, path, Some(&real.token), body).await;
        let here = http(&house.url, method, path, Some(token), body).await;
        assert_eq!((there.0, &there.1), (here.0, &here.1), "{method} {path}");
        if same_text {
            assert_eq!(there.2, here.2, "{method} {path}");
        } else {
            let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            same_shape(path, &json(&there.2), &json(&here.2));
        }
    }
    let there = http(&real.url, "GET", "/api/", None, "").await;
    let here = http(&house.url, "GET", "/api/", None, "").await;
    assert_eq!(there, here);
    tasks.stop().await;
}
