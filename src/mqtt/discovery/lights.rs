//! Lights that take JSON: those of Zigbee2MQTT, its groups, and those that announce themselves to Home
//! Assistant with the schema `json`. Pure.
//!
//! Sources: Zigbee2MQTT, "Exposes" (light) and "Groups"; Home Assistant, "MQTT light", JSON schema.

use crate::mqtt::discovery::device::Said;
use crate::mqtt::discovery::homeassistant::{self, Config, text, texts};
use crate::mqtt::discovery::zigbee2mqtt::bridge_part;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// How a light is told its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Colour {
    /// Not at all: brightness only.
    #[default]
    None,
    /// White between these, in mired.
    Mired(u16, u16),
    /// The same, told in kelvin.
    Kelvin(u16, u16),
    /// `h` and `s`, or with Zigbee2MQTT `hue` and `saturation`.
    HueSaturation,
    /// `x` and `y`.
    Xy,
    /// `r`, `g`, `b`, and so many white channels after them.
    Rgb(u8),
}

/// A light, or a group of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MqttLight {
    /// For people.
    pub(crate) name: String,
    /// Where it is told what to show, in JSON.
    pub(crate) command: String,
    /// Where it says how it is.
    pub(crate) state: String,
    /// Where Zigbee2MQTT asks it for its state.
    pub(crate) ask: Option<String>,
    pub(crate) colour: Colour,
    /// What full brightness is; `None` when it can only be switched.
    pub(crate) full: Option<u16>,
    /// Whether it fades by itself.
    pub(crate) fades: bool,
}

/// Reads every light there is, in the order of their command topics.
pub(crate) fn lights(prefix: &str, all: &[Said]) -> Vec<MqttLight> {
    let mut found: BTreeMap<String, MqttLight> = BTreeMap::new();
    for said in all {
        if let Some((base, "devices")) = bridge_part(&said.topic) {
            found.extend(of_bridge(base, all, &said.payload));
        }
    }
    for said in all {
        let Some(Ok(place)) = homeassistant::place(prefix, &said.topic) else { continue };
        let configs = homeassistant::read(place, &said.topic, &said.payload).unwrap_or_default();
        for light in configs.iter().filter(|config| config.is_taken()).filter_map(announced) {
            // Zigbee2MQTT announces its own lights, and says more of them itself.
            found.entry(light.command.clone()).or_insert(light);
        }
    }
    found.into_values().collect()
}

fn of_bridge(base: &str, all: &[Said], devices: &[u8]) -> Vec<(String, MqttLight)> {
    let list = |payload: &[u8]| match serde_json::from_slice(payload) {
        Ok(Value::Array(all)) => all,
        _ => Vec::new(),
    };
    let mut lights: BTreeMap<String, MqttLight> = BTreeMap::new();
    for one in list(devices) {
        let Some(one) = one.as_object() else { continue };
        let Some(address) = text(one, "ieee_address") else { continue };
        let name = text(one, "friendly_name").unwrap_or_else(|| address.clone());
        let exposes =
            one.get("definition").and_then(|d| d.get("exposes")).and_then(Value::as_array);
        let mut exposes = exposes.into_iter().flatten().filter_map(Value::as_object);
        // A device with several lights names its fields otherwise (`state_left`): left out here.
        let is_light = |e: &&Map<String, Value>| {
            text(e, "type").as_deref() == Some("light") && !e.contains_key("endpoint")
        };
        if let Some(expose) = exposes.find(is_light) {
            lights.insert(address, zigbee(base, name, expose));
        }
    }
    let groups = format!("{base}/bridge/groups");
    let groups = all.iter().find(|said| *said.topic == *groups);
    let mut found: Vec<MqttLight> = lights.values().cloned().collect();
    for one in groups.map(|said| list(&said.payload)).unwrap_or_default() {
        let Some(one) = one.as_object() else { continue };
        let members = one.get("members").and_then(Value::as_array).into_iter().flatten();
        let addresses = members.filter_map(|m| text(m.as_object()?, "ieee_address"));
        let members: Option<Vec<&MqttLight>> = addresses.map(|a| lights.get(&a)).collect();
        let name = text(one, "friendly_name").or_else(|| text(one, "id"));
        // A group with something else in it is none of lights.
        if let (Some(name), Some(members @ [_, ..])) = (name, members.as_deref()) {
            found.push(group(base, &name, members));
        }
    }
    found.into_iter().map(|light| (light.command.clone(), light)).collect()
}

fn zigbee(base: &str, name: String, expose: &Map<String, Value>) -> MqttLight {
    let features = expose.get("features").and_then(Value::as_array);
    let all: BTreeMap<String, &Map<String, Value>> = features
        .into_iter()
        .flatten()
        .filter_map(|feature| Some((text(feature.as_object()?, "name")?, feature.as_object()?)))
        .collect();
    let number = |name: &str, key: &str| {
        let number = all.get(name)?.get(key)?.as_u64()?;
        u16::try_from(number).ok().filter(|number| *number > 0)
    };
    let colour = if all.contains_key("color_xy") {
        Colour::Xy
    } else if all.contains_key("color_hs") {
        Colour::HueSaturation
    } else if all.contains_key("color_temp") {
        let end = |key, usual| number("color_temp", key).unwrap_or(usual);
        Colour::Mired(end("value_min", 153), end("value_max", 500))
    } else {
        Colour::None
    };
    let topic = format!("{base}/{name}");
    MqttLight {
        command: format!("{topic}/set"),
        ask: Some(format!("{topic}/get")),
        full: all
            .contains_key("brightness")
            .then(|| number("brightness", "value_max").unwrap_or(254)),
        state: topic,
        name,
        colour,
        fades: true,
    }
}

/// A group shows what each of its members can.
fn group(base: &str, name: &str, members: &[&MqttLight]) -> MqttLight {
    let topic = format!("{base}/{name}");
    MqttLight {
        name: name.to_owned(),
        command: format!("{topic}/set"),
        ask: Some(format!("{topic}/get")),
        colour: members.iter().map(|light| light.colour).min().unwrap_or_default(),
        full: members.iter().map(|light| light.full).min().flatten(),
        fades: true,
        state: topic,
    }
}

fn announced(config: &Config) -> Option<MqttLight> {
    let body = &config.body;
    if config.component != "light" || text(body, "schema").as_deref() != Some("json") {
        return None;
    }
    let is = |key: &str| body.get(key) == Some(&Value::Bool(true));
    let modes: BTreeSet<String> = texts(body.get("supported_color_modes")).collect();
    let has = |mode: &str| modes.contains(mode);
    let end = |keys: [&str; 2], usual: u16| {
        let number = keys.iter().find_map(|key| body.get(*key)?.as_u64());
        number.and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(usual)
    };
    let colour = match () {
        () if has("xy") => Colour::Xy,
        () if has("rgb") => Colour::Rgb(0),
        () if has("rgbw") => Colour::Rgb(1),
        () if has("rgbww") => Colour::Rgb(2),
        () if has("hs") => Colour::HueSaturation,
        () if has("color_temp") && is("color_temp_kelvin") => {
            Colour::Kelvin(end(["min_kelvin", "min_kelvin"], 2000), end(["max_kelvin"; 2], 6500))
        }
        () if has("color_temp") => Colour::Mired(
            end(["min_mireds", "min_mirs"], 153),
            end(["max_mireds", "max_mirs"], 500),
        ),
        () => Colour::None,
    };
    let dims = is("brightness") || modes.iter().any(|mode| mode != "onoff");
    let device = text(&config.device, "name");
    let name = text(body, "name").or(device).unwrap_or_else(|| config.object.clone());
    Some(MqttLight {
        name,
        command: text(body, "command_topic")?,
        state: text(body, "state_topic").unwrap_or_default(),
        ask: None,
        colour,
        full: dims.then(|| end(["brightness_scale"; 2], 255)),
        // Home Assistant sends `transition` to every light of this schema (unless it is told not to).
        fades: body.get("transition") != Some(&Value::Bool(false)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(topic: &str, payload: &Value) -> Said {
        Said { topic: topic.into(), payload: payload.to_string().into_bytes().into(), at: 0 }
    }

    fn lamp(name: &str, features: &[&str]) -> Value {
        let features: Vec<Value> = features
            .iter()
            .map(|name| match *name {
                "brightness" => json!({"name": "brightness", "value_max": 254, "access": 7}),
                "color_temp" => json!({"name": "color_temp", "value_min": 250, "value_max": 454}),
                name => json!({ "name": name }),
            })
            .collect();
        json!({"ieee_address": format!("0x{name}"), "friendly_name": name,
               "definition": {"exposes": [{"type": "light", "features": features}]}})
    }

    #[test]
    fn lights_and_groups_of_zigbee2mqtt_are_read_with_what_they_can() {
        let all = ["state", "brightness", "color_temp", "color_xy"];
        let devices = json!([
            lamp("desk", &all), lamp("hall", &all[..3]), lamp("shed", &all[..1]),
            {"ieee_address": "0xplug", "friendly_name": "plug",
             "definition": {"exposes": [{"type": "switch", "features": []}]}}
        ]);
        let member = |name: &str| json!({"ieee_address": format!("0x{name}"), "endpoint": 11});
        let groups = json!([
            {"id": 1, "friendly_name": "up/stairs", "members": [member("desk"), member("hall")]},
            {"id": 2, "friendly_name": "mixed", "members": [member("desk"), member("plug")]},
            {"id": 3, "friendly_name": "empty", "members": []}
        ]);
        let said = [said("z/bridge/devices", &devices), said("z/bridge/groups", &groups)];
        let found = lights("homeassistant", &said);
        let rows: Vec<_> = found.iter().map(|l| (&*l.command, l.colour, l.full)).collect();
        let want = [
            ("z/desk/set", Colour::Xy, Some(254)),
            ("z/hall/set", Colour::Mired(250, 454), Some(254)),
            ("z/shed/set", Colour::None, None),
            ("z/up/stairs/set", Colour::Mired(250, 454), Some(254)),
        ];
        assert_eq!(rows, want);
        assert_eq!((&*found[0].state, found[0].ask.as_deref()), ("z/desk", Some("z/desk/get")));
    }

    #[test]
    fn lights_that_announce_themselves_with_json_are_read() {
        let config = |more: Value| {
            let mut body = json!({"schema": "json", "cmd_t": "~/set", "stat_t": "~/state", "~": "esp",
                                  "name": "Strip", "brightness": true});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            lights("homeassistant", &[said("homeassistant/light/strip/config", &body)])
        };
        let modes = |mode: &str| json!({"supported_color_modes": [mode]});
        for (mode, colour) in [
            ("rgb", Colour::Rgb(0)),
            ("rgbww", Colour::Rgb(2)),
            ("hs", Colour::HueSaturation),
            ("color_temp", Colour::Mired(153, 500)),
            ("brightness", Colour::None),
        ] {
            let found = config(modes(mode));
            assert_eq!((found[0].colour, found[0].full), (colour, Some(255)), "{mode}");
            assert_eq!((&*found[0].command, &*found[0].state), ("esp/set", "esp/state"));
        }
        assert_eq!(config(json!({"brightness_scale": 100}))[0].full, Some(100));
        assert_eq!(config(json!({"brightness": false}))[0].full, None);
        assert_eq!(config(json!({"schema": "basic"})), []);
    }
}
