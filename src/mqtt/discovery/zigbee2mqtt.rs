//! Zigbee2MQTT's own topics: `<base>/bridge/{info,state,devices,groups}`. Pure.
//!
//! Source: Zigbee2MQTT, "MQTT topics and messages" and "Exposes". The base is any topic below which a
//! bridge speaks; a friendly name may have slashes, so a device's topic is made from its name and never
//! the other way round.

use crate::mqtt::discovery::device::{
    Ability, Availability, Device, Kind, Mode, Said, Signal, Source,
};
use crate::mqtt::discovery::homeassistant::text;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a bridge says of itself; the rest is not read here.
const PARTS: [&str; 4] = ["info", "state", "devices", "groups"];
/// Composite exposes may be nested so deep.
const DEEPEST: usize = 4;

/// Returns the base and the part of a topic on which a bridge speaks of itself.
pub(super) fn bridge_part(topic: &str) -> Option<(&str, &str)> {
    let (base, part) = topic.rsplit_once("/bridge/")?;
    PARTS.contains(&part).then_some((base, part))
}

/// Reads every bridge.
pub(super) fn devices(all: &[Said]) -> Vec<Device> {
    let mut bridges: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
    for said in all {
        let Some((base, part)) = bridge_part(&said.topic) else { continue };
        let plain = || Value::String(String::from_utf8_lossy(&said.payload).into_owned());
        let value = serde_json::from_slice(&said.payload).unwrap_or_else(|_| plain());
        bridges.entry(base).or_default().insert(part, value);
    }
    // Others have a `bridge` too; only this one lists its devices.
    bridges.retain(|_, parts| parts.get("devices").is_some_and(Value::is_array));
    bridges.iter().flat_map(|(base, parts)| of_bridge(base, parts)).collect()
}

fn of_bridge(base: &str, parts: &BTreeMap<&str, Value>) -> Vec<Device> {
    let list = |part: &str| parts.get(part).and_then(Value::as_array).into_iter().flatten();
    let listed = || list("devices").filter_map(Value::as_object);
    let coordinator = listed().find(|one| text(one, "type").as_deref() == Some("Coordinator"));
    let address = coordinator.and_then(|one| text(one, "ieee_address"));
    let info = parts.get("info").and_then(Value::as_object);
    let mut all = vec![bridge(base, address.as_deref(), info)];
    for one in listed().filter(|one| text(one, "type").as_deref() != Some("Coordinator")) {
        all.extend(device(base, one, address.as_deref()));
    }
    for one in list("groups").filter_map(Value::as_object) {
        all.extend(group(base, one, address.as_deref()));
    }
    all
}

fn bridge(base: &str, address: Option<&str>, info: Option<&Map<String, Value>>) -> Device {
    let mut bridge = Device {
        kind: Kind::Bridge,
        name: Some("Zigbee2MQTT Bridge".into()),
        maker: Some("Zigbee2MQTT".into()),
        software: info.and_then(|info| text(info, "version")),
        sources: [Source::Zigbee2Mqtt].into(),
        availability: vec![signals(&[(&format!("{base}/bridge/state"), true)])],
        state: [format!("{base}/bridge/info")].into(),
        command: [format!("{base}/bridge/request/#")].into(),
        ..Device::default()
    };
    bridge.keys.insert(format!("topic:{base}/bridge"));
    if let Some(address) = address {
        bridge.keys.insert(format!("ieee:{}", address.to_lowercase()));
        bridge.keys.insert(format!("id:zigbee2mqtt_bridge_{address}"));
    }
    bridge
}

fn device(base: &str, one: &Map<String, Value>, via: Option<&str>) -> Option<Device> {
    let address = text(one, "ieee_address")?;
    let name = text(one, "friendly_name").unwrap_or_else(|| address.clone());
    let topic = format!("{base}/{name}");
    let definition = one.get("definition").and_then(Value::as_object);
    let of = |key: &str| definition.and_then(|definition| text(definition, key));
    let mut device = Device {
        keys: [
            format!("ieee:{}", address.to_lowercase()),
            format!("id:zigbee2mqtt_{address}"),
            format!("topic:{topic}"),
        ]
        .into(),
        maker: of("vendor").or_else(|| text(one, "manufacturer")),
        model: of("model").or_else(|| text(one, "model_id")),
        software: text(one, "software_build_id"),
        via: via.map(|address| format!("ieee:{}", address.to_lowercase())),
        sources: [Source::Zigbee2Mqtt].into(),
        state: [topic.clone()].into(),
        name: Some(name),
        ..Device::default()
    };
    let exposes = definition.and_then(|d| d.get("exposes")).and_then(Value::as_array);
    for expose in exposes.into_iter().flatten().filter_map(Value::as_object) {
        read_expose(&topic, expose, None, 0, &mut device.abilities);
    }
    let can = |at: fn(&Ability) -> &Vec<String>| device.abilities.iter().any(|a| !at(a).is_empty());
    if can(|ability| &ability.command) {
        device.command.insert(format!("{topic}/set"));
    }
    // The bridge asks the device for a value that is not said by itself.
    device.command.insert(format!("{topic}/get"));
    let flag = |key: &str| one.get(key).and_then(Value::as_bool);
    if flag("disabled") == Some(true) {
        device.notes.push("it is disabled in Zigbee2MQTT".into());
    }
    if flag("supported") == Some(false) {
        device.notes.push("Zigbee2MQTT does not support it".into());
    }
    let interview = text(one, "interview_state");
    if flag("interview_completed") == Some(false) || interview.as_deref() == Some("FAILED") {
        device.notes.push("its interview is not completed: pair it again".into());
    }
    device.availability.push(signals(&[
        (&format!("{base}/bridge/state"), false),
        (&format!("{topic}/availability"), true),
    ]));
    Some(device)
}

fn group(base: &str, one: &Map<String, Value>, via: Option<&str>) -> Option<Device> {
    let id = text(one, "id")?;
    let name = text(one, "friendly_name").unwrap_or_else(|| id.clone());
    let topic = format!("{base}/{name}");
    let members = one.get("members").and_then(Value::as_array).map_or(0, Vec::len);
    Some(Device {
        keys: [format!("topic:{topic}"), format!("id:zigbee2mqtt_{base}_{id}")].into(),
        kind: Kind::Group,
        maker: Some("Zigbee2MQTT".into()),
        model: Some(format!("group of {members}")),
        via: via.map(|address| format!("ieee:{}", address.to_lowercase())),
        sources: [Source::Zigbee2Mqtt].into(),
        state: [topic.clone()].into(),
        command: [format!("{topic}/set")].into(),
        availability: vec![signals(&[(&format!("{base}/bridge/state"), true)])],
        name: Some(name),
        ..Device::default()
    })
}

/// What a source says that it can do: bit 1 says its state, bit 2 can be set (access of an expose).
fn read_expose(
    topic: &str,
    expose: &Map<String, Value>,
    within: Option<&str>,
    depth: usize,
    into: &mut Vec<Ability>,
) {
    let kind = text(expose, "type").unwrap_or_default();
    let access = expose.get("access").and_then(Value::as_u64);
    let features = expose.get("features").and_then(Value::as_array);
    // A light, a switch and the like have features and no access of their own.
    let access = access.unwrap_or_else(|| {
        let all = features.into_iter().flatten().filter_map(|feature| feature.get("access"));
        all.filter_map(Value::as_u64).fold(0, |sum, access| sum | access)
    });
    let endpoint = text(expose, "endpoint");
    let named = text(expose, "property").or_else(|| text(expose, "name"));
    let name = named.unwrap_or_else(|| match &endpoint {
        Some(endpoint) => format!("{kind}_{endpoint}"),
        None => kind.clone(),
    });
    let name = within.map_or(name.clone(), |outer| format!("{outer}.{name}"));
    let is_composite = matches!(kind.as_str(), "composite" | "list");
    if !is_composite
        && depth < DEEPEST
        && let Some(features) = features
    {
        for feature in features.iter().filter_map(Value::as_object) {
            let outer = if within.is_none() { Some(kind.as_str()) } else { within };
            read_expose(topic, feature, outer, depth + 1, into);
        }
        return;
    }
    into.push(Ability {
        kind,
        name,
        unit: text(expose, "unit"),
        state: (access & 1 != 0).then(|| topic.to_owned()).into_iter().collect(),
        command: (access & 2 != 0).then(|| format!("{topic}/set")).into_iter().collect(),
        source: Some(Source::Zigbee2Mqtt),
        ..Ability::default()
    });
}

/// Makes signals of both forms that there are: the plain word, and JSON with `state`. Only a decisive
/// one can say that the device is there; the others can say that it is not.
fn signals(topics: &[(&str, bool)]) -> Availability {
    let signal = |(topic, _): &(&str, bool)| Signal {
        topic: (*topic).to_owned(),
        online: "online".into(),
        offline: "offline".into(),
        path: vec!["state".into()],
        is_plain: true,
    };
    Availability::Signals { mode: Mode::All, signals: topics.iter().map(signal).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(topic: &str, payload: &Value) -> Said {
        Said { topic: topic.into(), payload: payload.to_string().into_bytes().into(), at: 0 }
    }

    fn sample() -> Vec<Said> {
        let access = 7;
        let lamp = json!({
            "ieee_address": "0x00158D0001", "type": "Router", "friendly_name": "attic/desk lamp",
            "supported": true, "disabled": false, "interview_completed": true,
            "manufacturer": "IKEA of Sweden", "model_id": "raw", "software_build_id": "2.3",
            "definition": {"model": "LED1545G12", "vendor": "IKEA", "exposes": [
                {"type": "light", "features": [
                    {"type": "binary", "name": "state", "property": "state", "access": access},
                    {"type": "composite", "name": "color_xy", "property": "color", "access": access,
                     "features": [{"type": "numeric", "name": "x", "property": "x", "access": 7}]}]},
                {"type": "numeric", "name": "linkquality", "property": "linkquality", "unit": "lqi",
                 "access": 1}
            ]}
        });
        let strange = json!({"ieee_address": "0x2", "type": "EndDevice", "friendly_name": "0x2",
                             "supported": false, "interview_completed": false, "definition": null});
        let coordinator = json!({"ieee_address": "0xc0", "type": "Coordinator",
                                 "friendly_name": "Coordinator", "definition": null});
        vec![
            said("z/2m/bridge/devices", &json!([coordinator, lamp, strange])),
            said(
                "z/2m/bridge/groups",
                &json!([{"id": 3, "friendly_name": "all/up", "members": [{}, {}]}]),
            ),
            said("z/2m/bridge/info", &json!({"version": "2.1.0"})),
            said("other/bridge/devices", &json!({"no": "list"})),
        ]
    }

    #[test]
    fn a_bridge_its_devices_and_groups_are_read() {
        let all = devices(&sample());
        let ids: Vec<_> = all.iter().map(|d| (d.id(), d.kind)).collect();
        let want = [
            ("ieee:0xc0", Kind::Bridge),
            ("ieee:0x00158d0001", Kind::Device),
            ("ieee:0x2", Kind::Device),
            ("id:zigbee2mqtt_z/2m_3", Kind::Group),
        ];
        assert_eq!(ids, want);
        assert_eq!(all[0].software.as_deref(), Some("2.1.0"));
        let lamp = &all[1];
        let texts =
            [&lamp.name, &lamp.maker, &lamp.model, &lamp.via].map(|t| t.as_deref().unwrap());
        assert_eq!(texts, ["attic/desk lamp", "IKEA", "LED1545G12", "ieee:0xc0"]);
        let topics: Vec<_> = lamp.state_topics().into_iter().collect();
        assert_eq!(topics, ["z/2m/attic/desk lamp"]);
        let topics: Vec<_> = lamp.command_topics().into_iter().collect();
        assert_eq!(topics, ["z/2m/attic/desk lamp/get", "z/2m/attic/desk lamp/set"]);
        let abilities: Vec<_> =
            lamp.abilities.iter().map(|a| (a.name.as_str(), !a.command.is_empty())).collect();
        assert_eq!(
            abilities,
            [("light.state", true), ("light.color", true), ("linkquality", false)]
        );
        assert_eq!(all[2].notes.len(), 2);
        assert_eq!(all[3].model.as_deref(), Some("group of 2"));
    }
}
