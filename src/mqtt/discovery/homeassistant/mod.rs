//! Home Assistant's MQTT discovery: one config to a topic
//! (`<prefix>/<component>/[<node>/]<object>/config`), or one device with all its components
//! (`<prefix>/device/[<node>/]<object>/config`). Pure.
//!
//! Source: Home Assistant, MQTT integration, "MQTT Discovery". An empty payload takes a config back, and
//! so does `{"migrate_discovery": true}` on the way to a device's own config.

mod config;
mod expand;

pub(super) use config::{Config, Fault, read};

use crate::mqtt::discovery::device::{
    Ability, Availability, Device, Kind, Mode, Said, Signal, Source, mac,
};
use crate::mqtt::discovery::path;
use serde_json::{Map, Value};

/// Components that discovery knows.
pub(super) const COMPONENTS: &[&str] = &[
    "alarm_control_panel",
    "binary_sensor",
    "button",
    "camera",
    "climate",
    "cover",
    "date",
    "datetime",
    "device",
    "device_automation",
    "device_tracker",
    "event",
    "fan",
    "humidifier",
    "image",
    "infrared",
    "lawn_mower",
    "light",
    "lock",
    "notify",
    "number",
    "scene",
    "select",
    "sensor",
    "siren",
    "switch",
    "tag",
    "text",
    "time",
    "update",
    "vacuum",
    "valve",
    "water_heater",
];

/// Where a config stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) component: &'a str,
    pub(super) node: Option<&'a str>,
    pub(super) object: &'a str,
}

/// Reads the topic of a config. `None` for a topic that is no config's at all; the error is what is
/// wrong with one that was meant to be.
pub(super) fn place<'a>(prefix: &str, topic: &'a str) -> Option<Result<Place<'a>, String>> {
    let rest = topic.strip_prefix(prefix)?.strip_prefix('/')?;
    let mut levels: Vec<&str> = rest.split('/').collect();
    if levels.pop() != Some("config") {
        return None;
    }
    let (component, node, object) = match levels[..] {
        [component, object] => (component, None, object),
        [component, node, object] => (component, Some(node), object),
        _ => {
            return Some(Err(format!(
                "Home Assistant reads {prefix}/<component>/<object>/config, with at most one level \
                 more before <object>"
            )));
        }
    };
    let is_word = |text: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        !text.is_empty() && text.bytes().all(fits)
    };
    if !COMPONENTS.contains(&component) {
        return Some(Err("Home Assistant knows no such component".into()));
    }
    if !is_word(object) || node.is_some_and(|node| !is_word(node)) {
        let text = "the levels before 'config' may only have letters, digits, _ and -";
        return Some(Err(text.into()));
    }
    Some(Ok(Place { component, node, object }))
}

/// Reads every config below `prefix` that Home Assistant takes; what is wrong with others the lint tells.
pub(super) fn devices(prefix: &str, all: &[Said]) -> Vec<Device> {
    let configs = all.iter().flat_map(|said| match place(prefix, &said.topic) {
        Some(Ok(place)) => read(place, &said.topic, &said.payload).unwrap_or_default(),
        _ => Vec::new(),
    });
    configs.filter(Config::is_taken).map(|config| device(&config)).collect()
}

/// Returns the device that a config is of, with the one ability that it tells of.
pub(super) fn device(config: &Config) -> Device {
    let mut device = Device { sources: [Source::HomeAssistant].into(), ..Device::default() };
    let own = &config.device;
    if let Some(child) = &config.child {
        device.keys.extend(texts(child.get("identifiers")).map(|id| format!("id:{id}")));
        device.name = text(child, "name");
        device.via = texts(own.get("identifiers")).next().map(|id| format!("id:{id}"));
    } else {
        for id in texts(own.get("identifiers")) {
            device.keys.extend(mac(&id));
            device.keys.insert(format!("id:{id}"));
        }
        device.keys.extend(connections(own));
        device.name = text(own, "name");
        device.via = text(own, "via_device").map(|id| format!("id:{id}"));
    }
    device.maker = text(own, "manufacturer");
    device.model = text(own, "model").or_else(|| text(own, "model_id"));
    device.software = text(own, "sw_version");
    device.area = text(own, "suggested_area");
    let ability = ability(config);
    if device.keys.is_empty() {
        device.kind = Kind::Entity;
        device.name = Some(ability.name.clone());
        device.keys.insert(format!("config:{}", config.id()));
    }
    device.availability.extend(availability(&config.body));
    device.abilities.push(ability);
    device
}

/// Returns the keys of a device's connections.
fn connections(device: &Map<String, Value>) -> Vec<String> {
    let pairs = device.get("connections").and_then(Value::as_array).into_iter().flatten();
    let pairs = pairs.filter_map(|pair| match pair.as_array()?.as_slice() {
        [kind, value] => Some((kind.as_str()?, word(value)?)),
        _ => None,
    });
    let key = |(kind, value): (&str, String)| {
        let is_mac = kind == "mac" || kind == "bluetooth";
        mac(&value).filter(|_| is_mac).unwrap_or_else(|| match kind {
            "zigbee" => format!("ieee:{}", value.to_lowercase()),
            _ => format!("{kind}:{value}"),
        })
    };
    pairs.map(key).collect()
}

fn ability(config: &Config) -> Ability {
    let body = &config.body;
    let (mut state, mut command) = (Vec::new(), Vec::new());
    for (key, value) in body {
        let Value::String(topic) = value else { continue };
        if topic.is_empty() || !(key.ends_with("_topic") || key == "topic") {
            continue;
        }
        match is_command(key) {
            _ if key == "availability_topic" => {}
            true => command.push(topic.clone()),
            false => state.push(topic.clone()),
        }
    }
    for topics in [&mut state, &mut command] {
        topics.sort_unstable();
        topics.dedup();
    }
    let usual = || text(body, "default_entity_id").or_else(|| text(body, "object_id"));
    let kinds = || match config.component.as_str() {
        "device_automation" => {
            Some(format!("{} {}", text(body, "type")?, text(body, "subtype").unwrap_or_default()))
        }
        _ => None,
    };
    let name = text(body, "name").or_else(kinds).or_else(usual);
    Ability {
        kind: config.component.clone(),
        name: name.unwrap_or_else(|| config.object.clone()),
        unique_id: text(body, "unique_id"),
        class: text(body, "device_class"),
        unit: text(body, "unit_of_measurement"),
        state,
        command,
        config: Some(config.topic.clone()),
        source: Some(Source::HomeAssistant),
        value: None,
    }
}

/// Whether the topic under this key is written to by Home Assistant.
pub(super) fn is_command(key: &str) -> bool {
    key.contains("command_topic")
        || matches!(key, "set_position_topic" | "set_fan_speed_topic" | "send_command_topic")
}

/// Reads how a config says whether its device is there.
pub(super) fn availability(body: &Map<String, Value>) -> Option<Availability> {
    let online = |fields: &Map<String, Value>| {
        text(fields, "payload_available").unwrap_or_else(|| "online".into())
    };
    let offline = |fields: &Map<String, Value>| {
        text(fields, "payload_not_available").unwrap_or_else(|| "offline".into())
    };
    let signal = |topic: String, fields: &Map<String, Value>, template: Option<String>| {
        let path = path::of_template(template.as_deref().unwrap_or_default());
        Signal {
            topic,
            online: online(fields),
            offline: offline(fields),
            is_plain: path.is_some(),
            path: path.unwrap_or_default(),
        }
    };
    if let Some(topic) = text(body, "availability_topic") {
        let one = signal(topic, body, text(body, "availability_template"));
        return Some(Availability::Signals { mode: Mode::Latest, signals: vec![one] });
    }
    let all = match body.get("availability")? {
        Value::Array(all) => all.as_slice(),
        one @ Value::Object(_) => std::slice::from_ref(one),
        _ => return None,
    };
    let signals: Vec<Signal> = all
        .iter()
        .filter_map(|one| {
            let fields = one.as_object()?;
            Some(signal(text(fields, "topic")?, fields, text(fields, "value_template")))
        })
        .collect();
    let mode = match body.get("availability_mode").and_then(Value::as_str) {
        Some("all") => Mode::All,
        Some("any") => Mode::Any,
        _ => Mode::Latest,
    };
    (!signals.is_empty()).then_some(Availability::Signals { mode, signals })
}

/// Returns a field as text: numbers too, as Home Assistant takes them.
pub(super) fn text(fields: &Map<String, Value>, key: &str) -> Option<String> {
    word(fields.get(key)?).filter(|text| !text.is_empty())
}

/// Returns a text, or the texts of a list.
pub(super) fn texts(value: Option<&Value>) -> impl Iterator<Item = String> + '_ {
    let all = match value {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    all.iter().filter_map(word)
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
