//! The devices of the demo house on its broker, seen and moved by Debian's clients.

use crate::demo::client::{Client, house};
use crate::harness::{Hearth, SOON};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

fn run(program: &str, port: u16, args: &[&str]) -> String {
    let mut command = Command::new(program);
    let patience = SOON.as_secs().to_string();
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(args);
    if program == "mosquitto_sub" {
        command.args(["-W", &patience]);
    }
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_lamp_shows_in_the_house_and_the_other_way_round() {
    let (house, tasks) = house(0).await;
    let port = house.broker.address().port();
    let mut client = Client::connect(&house.url, house.token.reveal()).await;
    let told = client.command(json!({ "type": "subscribe_entities" })).await;
    let first = client.event(told).await;
    assert_eq!(first["a"]["light.bedside_lamp"]["s"], "off");
    let set = "zigbee2mqtt/Bedside lamp/set";
    run("mosquitto_pub", port, &["-t", set, "-m", "{\"state\":\"ON\",\"brightness\":127}"]);
    loop {
        let event = client.event(told).await;
        let lamp = &event["c"]["light.bedside_lamp"]["+"];
        if lamp["s"] == "on" {
            // Half of 254 is half of 255.
            assert_eq!(lamp["a"]["brightness"], 128);
            break;
        }
    }
    let state = run("mosquitto_sub", port, &["-t", "zigbee2mqtt/Bedside lamp", "-C", "1"]);
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!((&state["state"], &state["brightness"]), (&json!("ON"), &json!(127)));
    let mut hearer = house.broker.join("hearer", None).unwrap();
    hearer.subscribe("demo/front_door/state");
    let before: Value = serde_json::from_slice(&hearer.next().await.unwrap().payload).unwrap();
    assert_eq!(before["lock"], "LOCKED");
    let unlock = json!({ "type": "call_service", "domain": "lock", "service": "unlock",
                         "target": { "entity_id": "lock.front_door" } });
    client.command(unlock).await;
    let after: Value = serde_json::from_slice(&hearer.next().await.unwrap().payload).unwrap();
    assert_eq!(after["lock"], "UNLOCKING");
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_has_discovery_state_and_presence_of_every_device() {
    let (house, tasks) = house(0).await;
    let mut hearer = house.broker.join("hearer", None).unwrap();
    hearer.subscribe("#");
    let mut tree = BTreeMap::new();
    // The one is said last, the other comes last of what was said before.
    let last = ["demo/outdoor_station/state", "zigbee2mqtt/bridge/state"];
    while !last.iter().all(|topic| tree.contains_key(*topic)) {
        let heard = hearer.next().await.unwrap();
        tree.insert(heard.topic, heard.payload);
    }
    let configs: Vec<Value> = tree
        .iter()
        .filter(|(topic, _)| topic.starts_with("homeassistant/"))
        .map(|(_, payload)| serde_json::from_slice(payload).unwrap())
        .collect();
    assert!(configs.len() >= 40, "{}", configs.len());
    for config in &configs {
        for presence in config["availability"].as_array().unwrap() {
            let said = &tree[presence["topic"].as_str().unwrap()];
            assert!(String::from_utf8_lossy(said).contains("online"), "{config}");
        }
        let state = config.get("state_topic").or_else(|| config.get("mode_state_topic")).unwrap();
        let state = &tree[state.as_str().unwrap()];
        assert!(serde_json::from_slice::<Value>(state).unwrap().is_object());
    }
    // When the house goes, its devices say so.
    let lock = "demo/front_door/availability";
    assert_eq!(tree[lock], b"online");
    tasks.stop().await;
    let mut last = BTreeMap::new();
    while let Some(heard) = hearer.next().await {
        last.insert(heard.topic, heard.payload);
    }
    assert_eq!(last[lock], b"offline");
    assert_eq!(last["zigbee2mqtt/bridge/state"], b"{\"state\":\"offline\"}");
}

#[test]
fn in_the_demo_the_tools_see_the_devices_and_may_move_them() {
    let hearth = Hearth::demo();
    let mut mcp = hearth.mcp("/mcp");
    let last = mcp.tool("mqtt_get_last", json!({ "topic": "zigbee2mqtt/Desk lamp" }));
    assert!(last.to_string().contains("OFF"), "{last}");
    let args = json!({ "topic": "zigbee2mqtt/Desk lamp/set", "payload": "{\"state\":\"ON\"}" });
    mcp.tool("mqtt_publish_message", args);
    crate::harness::wait_for("the lamp", || {
        let last = mcp.tool("mqtt_get_last", json!({ "topic": "zigbee2mqtt/Desk lamp" }));
        last.to_string().contains("ON").then_some(())
    });
    let devices = mcp.tool("mqtt_list_devices", json!({}));
    assert!(devices.to_string().contains("Desk lamp"), "{devices}");
}
