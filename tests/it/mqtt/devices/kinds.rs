//! Zigbee2MQTT, Tasmota and Sparkplug, as their own programs make and read them.

use crate::harness::wait_for;
use crate::mqtt::devices::{device, devices, peers};
use crate::mqtt::mosquitto::Mosquitto;
use crate::mqtt::rig::Rig;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const MODELS: usize = 400;

#[test]
fn hundreds_of_zigbee_models_are_listed_once_each_as_their_maker_says() {
    let Some(folder) = peers::folder() else { return };
    let mut lines = peers::node(folder, &["zigbee.mjs", &MODELS.to_string(), "homeassistant"]);
    let truth = lines.pop().unwrap();
    let truth = truth["truth"].as_array().unwrap();
    assert!(truth.len() >= 300, "{} models", truth.len());
    let broker = Mosquitto::start();
    peers::publish(folder, &broker, &lines);
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    rig.messages(lines.len() as u64);
    let found = devices(&mut rig, &json!({"source": "zigbee2mqtt"}));
    let of = |known: &Value| format!("ieee:{}", known["ieee"].as_str().unwrap());
    let wanted: BTreeSet<String> = truth.iter().map(of).collect();
    let listed: BTreeSet<String> =
        found.iter().filter(|(_, d)| d["kind"].is_null()).map(|(id, _)| id.clone()).collect();
    assert_eq!(listed, wanted, "precision and recall are 1");
    for known in truth {
        let device = &found[&of(known)];
        let name = known["name"].as_str().unwrap();
        assert_eq!(device["available"], known["online"], "{device}");
        assert_eq!(device["state_topics"], json!([format!("zigbee2mqtt/{name}")]), "{device}");
        assert_eq!(device["name"], known["name"]);
        let both = json!(["homeassistant", "zigbee2mqtt"]);
        let one = json!(["zigbee2mqtt"]);
        let sources = if known["announced"] == true { &both } else { &one };
        assert_eq!(&device["sources"], sources, "{device}");
    }
    // The bridge is one device too, and nothing else is there.
    let all = devices(&mut rig, &json!({}));
    assert_eq!(all.len(), truth.len() + 1);
    assert_eq!(all["ieee:0xc0ffee0000000000"]["kind"], "bridge");
    let offline = devices(&mut rig, &json!({"available": "no"}));
    let want = truth.iter().filter(|known| known["online"] == false).count();
    assert_eq!(offline.len(), want);
    // When the bridge goes, everything behind it is gone.
    broker.publish("zigbee2mqtt/bridge/state", br#"{"state":"offline"}"#, &["-r"]);
    wait_for("all to be away", || {
        (devices(&mut rig, &json!({"available": "yes"})).is_empty()).then_some(())
    });
    let whole = device(&mut rig, &of(&truth[1]));
    assert!(whole["since"].is_string(), "the change was heard: {whole}");
}

/// Configurations as Tasmota announces them, unlike each other.
fn tasmotas() -> Vec<Value> {
    let full = ["%prefix%/%topic%/", "home/%topic%/%prefix%/", "%id%/%prefix%/%hostname%/"];
    let kinds =
        [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [2, 0, 0, 0], [3, 3, 0, 0], [1, 3, 3, 2]];
    let one = |n: usize| {
        let mut relays = kinds[n % kinds.len()].to_vec();
        relays.extend([0; 4]);
        let switches: Vec<i64> = (0..8).map(|s| if s < n % 3 { 1 } else { -1 }).collect();
        let mac = format!("A0B1C2{:06X}", n * 4099);
        json!({
            "ip": "192.0.2.1", "dn": format!("Plug {n}"), "mac": mac, "md": format!("Model {}", n % 7),
            "fn": [format!("First {n}"), "Second", "Third", "Fourth", null, null, null, null],
            "hn": format!("host-{n}"), "ofln": "Offline", "onln": "Online", "sw": "14.2.0",
            "state": ["OFF", "ON", "TOGGLE", "HOLD"], "t": format!("tasmota_{n}"),
            "ft": full[n % full.len()], "tp": ["cmnd", "stat", "tele"], "rl": relays, "swc": switches,
            "swn": [null, null, null, null, null, null, null, null], "btn": [0, 0, 0, 0, 0, 0, 0, 0],
            "so": {"4": 0, "11": 0, "13": 0, "17": 0, "20": 0, "30": u8::from(n % 4 == 3), "68": 0,
                   "73": 0, "80": 0, "82": 0, "114": 0, "117": 0},
            "lk": 0, "lt_st": 1, "sho": [0, 0, 0, 0], "sht": [], "bat": 0,
            "dslp": u8::from(n % 10 == 9), "if": 0, "ty": 0, "ver": 1
        })
    };
    (0..60).map(one).collect()
}

#[test]
fn tasmota_devices_are_read_as_hatasmota_reads_them() {
    let Some(folder) = peers::folder() else { return };
    let configs = tasmotas();
    let input: Vec<Value> = configs.iter().map(|config| json!({ "config": config })).collect();
    let truth = peers::python(folder, &["tasmota.py"], &input);
    let broker = Mosquitto::start();
    let mut messages = Vec::new();
    for (n, (config, known)) in configs.iter().zip(&truth).enumerate() {
        let topic = format!("tasmota/discovery/{}/config", config["mac"].as_str().unwrap());
        messages.push(json!({"topic": topic, "payload": config.to_string(), "retain": true}));
        let word = if n % 4 == 0 { "offline" } else { "online" };
        messages.push(json!({"topic": known["will"], "payload": known[word], "retain": true}));
    }
    peers::publish(folder, &broker, &messages);
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    rig.messages(messages.len() as u64);
    let found = devices(&mut rig, &json!({"source": "tasmota"}));
    assert_eq!(found.len(), truth.len());
    for (n, known) in truth.iter().enumerate() {
        let id = format!("mac:{}", known["mac"].as_str().unwrap().to_lowercase());
        let whole = device(&mut rig, &id);
        for (ours, theirs) in [("name", "name"), ("model", "model"), ("software", "version")] {
            assert_eq!(whole[ours], known[theirs], "{id}");
        }
        if known["sleeps"] == true {
            assert!(whole["available"].is_null(), "one that sleeps is not away: {whole}");
        } else {
            assert_eq!(whole["availability_topics"], json!([known["will"]]), "{id}");
            assert_eq!(whole["available"], n % 4 != 0, "{id}");
        }
        let state = whole["state_topics"].as_array().unwrap();
        assert!(state.contains(&known["stat"]) && state.contains(&known["tele"]), "{whole}");
        let entities = whole["entities"].as_array().unwrap();
        let mut kinds: Vec<&str> = entities.iter().filter_map(|e| e["kind"].as_str()).collect();
        kinds.retain(|kind| ["switch", "light", "cover"].contains(kind));
        let theirs = known["entities"].as_array().unwrap();
        let mut wanted: Vec<&str> = theirs.iter().filter_map(|e| e[0].as_str()).collect();
        kinds.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(kinds, wanted, "{id}: {}", configs[n]);
        for base in known["commands"].as_array().unwrap() {
            let base = base.as_str().unwrap();
            let all = whole["command_topics"].as_array().unwrap();
            assert!(all.iter().any(|t| t.as_str().unwrap().starts_with(base)), "{whole}");
        }
    }
}

#[test]
fn sparkplug_nodes_live_and_die_as_their_messages_say() {
    let Some(folder) = peers::folder() else { return };
    let messages = peers::python(folder, &["sparkplug.py"], &[]);
    // What the decoder is tested with is what the encoder says today.
    let kept = std::fs::read_to_string("tests/data/sparkplug.jsonl").unwrap();
    let kept: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept, messages, "tests/data/sparkplug.jsonl is old");
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    peers::publish(folder, &broker, &messages);
    rig.messages(messages.len() as u64);
    let found = devices(&mut rig, &json!({"source": "sparkplug"}));
    let stand: Vec<(&str, &Value)> =
        found.iter().map(|(id, device)| (id.as_str(), &device["available"])).collect();
    let want = [
        ("spb:plant/edge one", &json!(true)),
        ("spb:plant/edge one/oven", &json!(false)),
        ("spb:plant/edge one/press", &json!(true)),
        ("spb:plant/edge-2", &json!(false)),
        ("spb:plant/edge-2/pump", &json!(false)),
    ];
    assert_eq!(stand, want);
    let press = device(&mut rig, "spb:plant/edge one/press");
    assert_eq!((&press["maker"], &press["model"]), (&json!("Anvil"), &json!("A1")));
    assert_eq!(press["via"], "spb:plant/edge one");
    assert!(press["notes"].is_null(), "nothing is missing: {press}");
    let entities = press["entities"].as_array().unwrap();
    let metrics = messages[1]["metrics"].as_array().unwrap();
    let ours: Vec<(&Value, &Value)> = entities.iter().map(|e| (&e["name"], &e["kind"])).collect();
    let theirs: Vec<(&Value, &Value)> = metrics.iter().map(|m| (&m[0], &m[1])).collect();
    assert_eq!(ours, theirs);
}
