//! Tasmota's own discovery: `tasmota/discovery/<mac>/config` and `…/sensors`, retained. Pure.
//!
//! Source: Tasmota, "MQTT" (full topic, prefixes, last will) and "Commands" (SetOption19). The short
//! keys are those of the firmware's discovery message.

use crate::mqtt::discovery::device::{
    Ability, Availability, Device, Mode, Said, Signal, Source, mac,
};
use crate::mqtt::discovery::homeassistant::text;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const PREFIX: &str = "tasmota/discovery/";
/// Values of sensors may be nested so deep.
const DEEPEST: usize = 4;

/// Returns the address and the part (`config` or `sensors`) of a topic of discovery.
pub(super) fn part(topic: &str) -> Option<(&str, &str)> {
    let (address, part) = topic.strip_prefix(PREFIX)?.split_once('/')?;
    matches!(part, "config" | "sensors").then_some((address, part))
}

/// Reads every device.
pub(super) fn devices(all: &[Said]) -> Vec<Device> {
    let mut known: BTreeMap<&str, BTreeMap<&str, Map<String, Value>>> = BTreeMap::new();
    for said in all {
        let Some((address, part)) = part(&said.topic) else { continue };
        if let Ok(Value::Object(fields)) = serde_json::from_slice(&said.payload) {
            known.entry(address).or_default().insert(part, fields);
        }
    }
    let read = |(address, parts): (&str, BTreeMap<&str, Map<String, Value>>)| {
        device(address, parts.get("config")?, parts.get("sensors"))
    };
    known.into_iter().filter_map(read).collect()
}

/// Where a device says and is told things.
struct Topics {
    command: String,
    state: String,
    tele: String,
}

fn device(
    address: &str,
    config: &Map<String, Value>,
    sensors: Option<&Map<String, Value>>,
) -> Option<Device> {
    let key = mac(&text(config, "mac").unwrap_or_else(|| address.to_owned()))?;
    let topics = topics(config)?;
    let names = config.get("fn").and_then(Value::as_array);
    let first = names.and_then(|names| names.first()).and_then(Value::as_str);
    let hex = key.trim_start_matches("mac:").to_ascii_uppercase();
    let mut device = Device {
        name: text(config, "dn").or_else(|| first.map(str::to_owned)),
        maker: Some("Tasmota".into()),
        model: text(config, "md"),
        software: text(config, "sw"),
        sources: [Source::Tasmota].into(),
        state: [
            format!("{}STATE", topics.tele),
            format!("{}SENSOR", topics.tele),
            format!("{}RESULT", topics.state),
        ]
        .into(),
        // Home Assistant's config that older firmware announces (SetOption19) has these six digits.
        keys: [key, format!("id:{}", hex.get(6..)?)].into(),
        ..Device::default()
    };
    relays(config, &topics, &mut device);
    switches(config, &topics, &mut device);
    if let Some(Value::Object(fields)) = sensors.and_then(|sensors| sensors.get("sn")) {
        leaves(fields, "", &topics, 0, &mut device.abilities);
    }
    // One that sleeps is not there most of the time, and that is no fault.
    if config.get("dslp").and_then(Value::as_u64).unwrap_or(0) == 0 {
        let word = |key: &str, usual: &str| text(config, key).unwrap_or_else(|| usual.to_owned());
        device.availability.push(Availability::Signals {
            mode: Mode::Latest,
            signals: vec![Signal {
                topic: format!("{}LWT", topics.tele),
                online: word("onln", "Online"),
                offline: word("ofln", "Offline"),
                path: Vec::new(),
                is_plain: true,
            }],
        });
    }
    Some(device)
}

/// Fills the full topic (`%prefix%/%topic%/`) with each of the three prefixes.
fn topics(config: &Map<String, Value>) -> Option<Topics> {
    let topic = text(config, "t")?;
    let full = text(config, "ft").unwrap_or_else(|| "%prefix%/%topic%/".into());
    let prefixes = config.get("tp").and_then(Value::as_array);
    let of = |n: usize, usual: &str| {
        let own = prefixes.and_then(|all| all.get(n)).and_then(Value::as_str);
        let name = text(config, "hn").unwrap_or_default();
        let address = text(config, "mac").unwrap_or_default();
        let filled = full
            .replace("%prefix%", own.unwrap_or(usual))
            .replace("%topic%", &topic)
            .replace("%hostname%", &name)
            .replace("%id%", address.get(address.len().saturating_sub(6)..).unwrap_or_default());
        if filled.ends_with('/') { filled } else { format!("{filled}/") }
    };
    Some(Topics { command: of(0, "cmnd"), state: of(1, "stat"), tele: of(2, "tele") })
}

/// Reads the relays: 1 is a switch, 2 is a light, 3 is half of a shutter.
fn relays(config: &Map<String, Value>, topics: &Topics, device: &mut Device) {
    let relays: Vec<u64> = numbers(config.get("rl"));
    let names = config.get("fn").and_then(Value::as_array);
    let options = config.get("so").and_then(Value::as_object);
    let is_light = options.and_then(|so| so.get("30")).and_then(Value::as_u64) == Some(1);
    let mut shutters = 0;
    for (n, kind) in relays.iter().enumerate() {
        let own = names.and_then(|names| names.get(n)).and_then(Value::as_str);
        let number = n + 1;
        let (kind, word) = match kind {
            1 if is_light => ("light", format!("POWER{number}")),
            1 => ("switch", format!("POWER{number}")),
            2 => ("light", format!("POWER{number}")),
            3 => {
                shutters += 1;
                // Two relays to a shutter.
                if shutters % 2 == 0 {
                    continue;
                }
                ("cover", format!("ShutterPosition{}", shutters / 2 + 1))
            }
            _ => continue,
        };
        let command = format!("{}{word}", topics.command);
        device.command.insert(command.clone());
        device.abilities.push(Ability {
            kind: kind.into(),
            name: own.unwrap_or(&word).to_owned(),
            state: vec![format!("{}RESULT", topics.state), format!("{}STATE", topics.tele)],
            command: vec![command],
            source: Some(Source::Tasmota),
            ..Ability::default()
        });
    }
}

/// Reads what is switched at the device: -1 is no switch.
fn switches(config: &Map<String, Value>, topics: &Topics, device: &mut Device) {
    let modes = config.get("swc").and_then(Value::as_array).into_iter().flatten();
    let names = config.get("swn").and_then(Value::as_array);
    for (n, _) in modes.enumerate().filter(|(_, mode)| mode.as_i64().is_some_and(|mode| mode >= 0))
    {
        let own = names.and_then(|names| names.get(n)).and_then(Value::as_str);
        let usual = format!("Switch{}", n + 1);
        device.abilities.push(Ability {
            kind: "binary_sensor".into(),
            name: own.unwrap_or(&usual).to_owned(),
            state: vec![format!("{}RESULT", topics.state), format!("{}SENSOR", topics.tele)],
            source: Some(Source::Tasmota),
            ..Ability::default()
        });
    }
}

/// Reads each value of the sensors.
fn leaves(
    fields: &Map<String, Value>,
    within: &str,
    topics: &Topics,
    depth: usize,
    into: &mut Vec<Ability>,
) {
    for (key, value) in fields {
        let name = if within.is_empty() { key.clone() } else { format!("{within} {key}") };
        match value {
            // Units and the time of the report are no sensors.
            _ if key == "Time" || key.ends_with("Unit") => {}
            Value::Object(inner) if depth < DEEPEST => {
                leaves(inner, &name, topics, depth + 1, into);
            }
            Value::Object(_) | Value::Null => {}
            _ => into.push(Ability {
                kind: "sensor".into(),
                name,
                state: vec![format!("{}SENSOR", topics.tele)],
                source: Some(Source::Tasmota),
                ..Ability::default()
            }),
        }
    }
}

fn numbers(value: Option<&Value>) -> Vec<u64> {
    let all = value.and_then(Value::as_array).into_iter().flatten();
    all.map(|number| number.as_u64().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(topic: &str, payload: &Value) -> Said {
        Said { topic: topic.into(), payload: payload.to_string().into_bytes().into(), at: 0 }
    }

    #[test]
    fn a_plug_with_its_sensors_is_read() {
        let config = json!({
            "ip": "192.0.2.4", "dn": "Kettle", "fn": ["Water", null], "hn": "kettle-1", "md": "Plug",
            "mac": "AABBCCDDEEFF", "ofln": "Off", "onln": "On", "sw": "14.1", "t": "kettle",
            "ft": "home/%topic%/%prefix%", "tp": ["cmnd", "stat", "tele"],
            "rl": [1, 0, 0, 0, 0, 0, 0, 0], "swc": [-1, 2], "swn": [null, "Door"], "dslp": 0
        });
        let sensors = json!({"sn": {"Time": "x", "ENERGY": {"Total": 1.5, "Power": [1, 2]},
                                    "TempUnit": "C"}, "ver": 1});
        let all = devices(&[
            said("tasmota/discovery/AABBCCDDEEFF/config", &config),
            said("tasmota/discovery/AABBCCDDEEFF/sensors", &sensors),
            said("tasmota/discovery/112233445566/sensors", &sensors),
        ]);
        let [kettle] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((kettle.id(), kettle.name.as_deref()), ("mac:aabbccddeeff", Some("Kettle")));
        let names: Vec<_> = kettle.abilities.iter().map(|a| (&*a.kind, &*a.name)).collect();
        let want = [
            ("switch", "Water"),
            ("binary_sensor", "Door"),
            ("sensor", "ENERGY Total"),
            ("sensor", "ENERGY Power"),
        ];
        assert_eq!(names, want);
        assert_eq!(
            kettle.command_topics().into_iter().collect::<Vec<_>>(),
            ["home/kettle/cmnd/POWER1"]
        );
        let Availability::Signals { signals, .. } = &kettle.availability[0] else { panic!() };
        assert_eq!((&*signals[0].topic, &*signals[0].online), ("home/kettle/tele/LWT", "On"));
    }

    #[test]
    fn several_relays_have_numbers_and_two_make_a_shutter() {
        let config =
            json!({"mac": "AABBCCDDEEFF", "t": "x", "fn": ["A"], "rl": [1, 2, 3, 3], "dslp": 1});
        let all = devices(&[said("tasmota/discovery/AABBCCDDEEFF/config", &config)]);
        let topics: Vec<_> = all[0].command_topics().into_iter().collect();
        assert_eq!(topics, ["cmnd/x/POWER1", "cmnd/x/POWER2", "cmnd/x/ShutterPosition1"]);
        assert!(all[0].availability.is_empty());
    }
}
