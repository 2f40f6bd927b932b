//! What the devices say and understand, on a house without a broker.

use super::{announce, command, expose, state, topics};
use crate::demo::house::House;
use crate::demo::plan::{DEVICES, Device};
use std::collections::BTreeSet;
use topics::Speaker;

fn device(id: &str) -> &'static Device {
    DEVICES.iter().find(|device| device.id == id).unwrap()
}

fn obey(house: &mut House, topic: &str, payload: &str) -> bool {
    let calls = command::calls(topic, payload.as_bytes());
    for call in &calls {
        let by = house.own_context();
        house.call(call, by).unwrap();
    }
    !calls.is_empty()
}

#[test]
fn nobody_speaks_where_another_speaks() {
    let mut topics_of = BTreeSet::new();
    for device in DEVICES.iter().filter(|d| topics::speaker(d) != Speaker::Nobody) {
        assert!(topics_of.insert(topics::state(device)), "{}", topics::state(device));
        assert!(!device.name.contains(['/', '+', '#']), "{}", device.name);
        for (topic, config) in announce::configs(device) {
            assert!(topics_of.insert(topic.clone()), "{topic}");
            assert!(topics_of.insert(config["unique_id"].to_string()), "{config}");
            assert_eq!(config["device"]["sw_version"], "demo");
        }
    }
    let speakers = |wanted| DEVICES.iter().filter(|d| topics::speaker(d) == wanted).count();
    assert!(speakers(Speaker::Gateway) >= 18 && speakers(Speaker::Own) >= 9);
}

#[test]
fn everything_that_is_announced_is_in_the_state() {
    let house = House::new(1, 1.8e9, 0);
    for device in DEVICES.iter().filter(|d| topics::speaker(d) != Speaker::Nobody) {
        let state = state::of(device, &house);
        for (topic, config) in announce::configs(device) {
            let text = config.to_string();
            for (at, _) in text.match_indices("value_json.") {
                let rest = &text[at + "value_json.".len()..];
                let end = rest.find(' ').unwrap();
                // The other template is of the availability.
                let name = &rest[..end];
                let is_there = name == "state" || state.get(name).is_some();
                assert!(is_there, "{topic}: {name} is not in {state}");
            }
        }
    }
    let (_, devices) = expose::bridge();
    for described in &devices.as_array().unwrap()[1..] {
        let name = described["friendly_name"].as_str().unwrap();
        let device = topics::addressee(&format!("zigbee2mqtt/{name}/set")).unwrap().0;
        let state = state::of(device, &house);
        for exposed in described["definition"]["exposes"].as_array().unwrap() {
            let property = exposed["property"].as_str().unwrap_or("state");
            assert!(state.get(property).is_some(), "{name}: {property} is not in {state}");
        }
    }
}

#[test]
fn a_message_to_a_lamp_changes_it_and_its_state() {
    let mut house = House::new(1, 1.8e9, 0);
    let set = "zigbee2mqtt/Bedside lamp/set";
    assert!(obey(&mut house, set, "{\"state\":\"ON\",\"brightness\":127,\"color_temp\":250}"));
    let lamp = device("bedside_lamp");
    let said = state::of(lamp, &house);
    assert_eq!(
        (&said["state"], &said["brightness"], &said["color_temp"]),
        (&"ON".into(), &127.into(), &250.into())
    );
    assert!(obey(&mut house, set, "{\"color\":{\"hue\":120,\"saturation\":50}}"));
    assert_eq!(state::of(lamp, &house)["color"]["h"], 120.0);
    assert!(obey(&mut house, set, "toggle"));
    assert_eq!(state::of(lamp, &house)["state"], "OFF");
    for nonsense in ["", "{}", "[1]", "{\"state\":\"maybe\"}", "{\"brightness\":\"very\"}", "7"] {
        assert!(!obey(&mut house, set, nonsense), "{nonsense}");
    }
    assert!(!obey(&mut house, "zigbee2mqtt/Nobody/set", "ON"));
    assert!(!obey(&mut house, "zigbee2mqtt/Outdoor/set", "ON"));
}

#[test]
fn every_larger_device_does_what_it_is_told() {
    let mut house = House::new(1, 1.8e9, 0);
    for (topic, payload, entity, expected) in [
        ("demo/living_room_blinds/cover/set", "CLOSE", "cover.living_room_blinds", "closing"),
        ("demo/bedroom_blind/position/set", "40", "cover.bedroom_blind", "opening"),
        ("demo/garage_door/cover/set", "OPEN", "cover.garage_door", "opening"),
        ("demo/office_radiator/mode/set", "heat", "climate.office", "heat"),
        ("demo/front_door/lock/set", "UNLOCK", "lock.front_door", "unlocking"),
        ("demo/bedroom_fan/percentage/set", "66", "fan.bedroom_fan", "on"),
        ("demo/bedroom_fan/fan/set", "OFF", "fan.bedroom_fan", "off"),
    ] {
        assert!(obey(&mut house, topic, payload), "{topic}");
        assert_eq!(house.state(entity), expected, "{topic}");
    }
    assert!(obey(&mut house, "demo/office_radiator/target/set", "22.5"));
    assert_eq!(state::of(device("office_radiator"), &house)["target"], 22.5);
    for (topic, payload) in [
        ("demo/garage_door/position/set", "50"),
        ("demo/office_radiator/mode/set", "cool"),
        ("demo/office_radiator/target/set", "NaN"),
        ("demo/bedroom_fan/percentage/set", "101"),
        ("demo/front_door/door/set", "ON"),
    ] {
        assert!(!obey(&mut house, topic, payload), "{topic}");
    }
}
