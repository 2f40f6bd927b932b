//! Home Assistant's own MQTT integration as a second reader of the same discovery topics.

use crate::harness::wait_for;
use crate::mqtt::devices::house::Joined;
use crate::mqtt::devices::{device, devices, peers};
use crate::mqtt::mosquitto::Mosquitto;
use crate::mqtt::rig::Rig;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Configs that are unlike what the models make: some Home Assistant takes, some it refuses.
fn odd() -> Vec<(&'static str, Value)> {
    let o = json!({"name": "test"});
    vec![
        (
            "sensor/mac/config",
            json!({"uniq_id": "mac1", "stat_t": "odd/mac",
            "dev": {"cns": [["mac", "02:5B:26:A8:DC:12"]], "name": "By address"}}),
        ),
        (
            "sensor/node-1/two/config",
            json!({"uniq_id": "two1", "stat_t": "odd/two", "avty_t": "odd/up",
            "dev": {"ids": ["a1", "a2"], "name": "Two names"}}),
        ),
        (
            "switch/two/config",
            json!({"uniq_id": "two2", "~": "odd", "cmd_t": "~/set", "stat_t": "~/state",
            "dev": {"ids": "a2"}}),
        ),
        ("button/alone/config", json!({"uniq_id": "alone", "cmd_t": "odd/press", "name": "Alone"})),
        (
            "sensor/no_id/config",
            json!({"stat_t": "odd/noid", "dev": {"ids": "noid", "name": "No id"}}),
        ),
        (
            "device_automation/t/config",
            json!({"atype": "trigger", "t": "odd/t", "type": "button_short_press",
            "stype": "button_1", "dev": {"ids": "trigger", "name": "Only a trigger"}}),
        ),
        (
            "device/whole/config",
            json!({"o": o, "dev": {"ids": "whole", "name": "Whole"},
            "cmps": {"a": {"p": "sensor", "uniq_id": "w1", "stat_t": "odd/w"},
                     "b": {"p": "light", "uniq_id": "w2", "cmd_t": "odd/w/set"}}}),
        ),
        (
            "device/no_origin/config",
            json!({"dev": {"ids": "no_origin"},
            "cmps": {"a": {"p": "sensor", "uniq_id": "n1", "stat_t": "odd/n"}}}),
        ),
        (
            "device/no_platform/config",
            json!({"o": o, "dev": {"ids": "no_platform"},
            "cmps": {"a": {"uniq_id": "n2", "stat_t": "odd/n"}}}),
        ),
        ("device/migrating/config", json!({"migr_discvry": true})),
        ("sensor/lacks/config", json!({"uniq_id": "l1", "dev": {"ids": "lacks"}})),
        (
            "sensor/anonymous/config",
            json!({"uniq_id": "l2", "stat_t": "odd/x", "dev": {"name": "x"}}),
        ),
        (
            "lamp/unknown/config",
            json!({"uniq_id": "l3", "stat_t": "odd/x", "dev": {"ids": "unknown"}}),
        ),
        (
            "sensor/bad name/config",
            json!({"uniq_id": "l4", "stat_t": "odd/x", "dev": {"ids": "bad"}}),
        ),
        ("sensor/text/config", json!("text")),
    ]
}

/// What a device is known by in Home Assistant's registry, as our keys.
fn keys(device: &Value) -> BTreeSet<String> {
    let pairs = |field: &str| device[field].as_array().unwrap().clone();
    let ids = pairs("identifiers").into_iter().map(|p| format!("id:{}", p[1].as_str().unwrap()));
    let macs = pairs("connections")
        .into_iter()
        .filter(|p| p[0] == "mac")
        .map(|p| format!("mac:{}", p[1].as_str().unwrap().replace(':', "").to_lowercase()));
    ids.chain(macs).collect()
}

#[test]
fn our_list_of_devices_is_that_of_home_assistant() {
    let Some(folder) = peers::folder() else { return };
    let broker = Mosquitto::start();
    let Some(mut house) = Joined::to(&broker) else { return };
    let mut lines = peers::node(folder, &["zigbee.mjs", "60", "homeassistant"]);
    let truth = lines.pop().unwrap();
    let announced =
        truth["truth"].as_array().unwrap().iter().filter(|d| d["announced"] == true).count();
    for (topic, config) in odd() {
        let topic = format!("homeassistant/{topic}");
        lines.push(json!({"topic": topic, "payload": config.to_string(), "retain": true}));
    }
    lines.push(json!({"topic": "homeassistant/sensor/gone/config", "payload": "", "retain": true}));
    peers::publish(folder, &broker, &lines);
    let last =
        json!({"uniq_id": "last", "stat_t": "odd/last", "dev": {"ids": "last", "name": "Last"}});
    broker.publish("homeassistant/sensor/last/config", last.to_string().as_bytes(), &["-r"]);
    // Home Assistant reads in order, so that everything is there with the last and the announced ones.
    let theirs = wait_for("Home Assistant to have read everything", || {
        let all = house.devices();
        let is_last = |device: &Value| device["identifiers"] == json!([["mqtt", "last"]]);
        let zigbee = all.iter().filter(|d| d["identifiers"][0][1].to_string().contains("0x00158d"));
        (zigbee.count() == announced && all.iter().any(is_last)).then_some(all)
    });
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    wait_for("the last config", || {
        let found = rig.tool("mqtt_list_devices", json!({"query": "id:last"}));
        (found["total"] == 1).then_some(())
    });
    let ours = devices(&mut rig, &json!({}));
    let mut missing = Vec::new();
    let mut matched = BTreeSet::new();
    for known in &theirs {
        let keys = keys(known);
        let found = keys.iter().find_map(|key| {
            let found = rig.mcp.call("mqtt_list_devices", json!({"device": key}));
            found["structuredContent"]["devices"][0]["id"].as_str().map(str::to_owned)
        });
        match found {
            Some(id) => drop(matched.insert(id)),
            None => missing.push(keys),
        }
    }
    assert!(missing.is_empty(), "Home Assistant has, we have not: {missing:?}");
    // What we have more is what Home Assistant refuses, which the lint tells, or makes no device of.
    let more: BTreeSet<&str> = ours
        .iter()
        .filter(|(id, d)| {
            !matched.contains(*id) && d["sources"].to_string().contains("homeassistant")
        })
        .map(|(id, _)| id.as_str())
        .collect();
    let want = ["config:button/alone", "id:noid"];
    assert_eq!(more, want.into_iter().collect(), "of {} devices", theirs.len());
    assert!(theirs.len() > 60, "{}", theirs.len());
    let findings = rig.tool("mqtt_lint_discovery", json!({}));
    let counts = json!({"topic-shape": 2, "no-json": 1, "missing-key": 4, "no-unique-id": 1});
    let told = findings["counts"].as_object().unwrap();
    for (rule, count) in counts.as_object().unwrap() {
        assert_eq!(told.get(rule), Some(count), "{findings}");
    }
    names_agree(&mut rig, &theirs);
}

/// The names, makers and models of both lists.
fn names_agree(rig: &mut Rig, theirs: &[Value]) {
    for known in theirs.iter().filter(|d| d["manufacturer"].is_string()) {
        let key = keys(known).into_iter().next().unwrap();
        let whole = device(rig, &key);
        for (ours, field) in [("name", "name"), ("maker", "manufacturer"), ("model", "model")] {
            let short: String = known[field].as_str().unwrap().chars().take(100).collect();
            assert!(whole[ours].as_str().unwrap().starts_with(&short), "{field}: {whole} {known}");
        }
    }
}
