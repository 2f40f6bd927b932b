//! One config, or each component of a device's config, read and made long. Pure.

use super::{COMPONENTS, Place, expand, text, texts};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Options of a device's config that its components inherit.
const SHARED: &[&str] = &[
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "command_topic",
    "encoding",
    "message_expiry_interval",
    "payload_available",
    "payload_not_available",
    "state_topic",
    "qos",
];

/// What every component must have; `a|b`: one of them.
const REQUIRED: &[(&str, &[&str])] = &[
    ("alarm_control_panel", &["state_topic", "command_topic"]),
    ("binary_sensor", &["state_topic"]),
    ("button", &["command_topic"]),
    ("camera", &["topic"]),
    ("date", &["command_topic"]),
    ("datetime", &["command_topic"]),
    ("device_automation", &["automation_type", "topic", "type", "subtype", "device"]),
    ("device_tracker", &["state_topic|json_attributes_topic"]),
    ("event", &["state_topic", "event_types"]),
    ("fan", &["command_topic"]),
    ("humidifier", &["command_topic", "target_humidity_command_topic"]),
    ("image", &["image_topic|url_topic"]),
    ("light", &["command_topic"]),
    ("lock", &["command_topic"]),
    ("notify", &["command_topic"]),
    ("number", &["command_topic"]),
    ("scene", &["command_topic"]),
    ("select", &["command_topic", "options"]),
    ("sensor", &["state_topic"]),
    ("siren", &["command_topic"]),
    ("switch", &["command_topic"]),
    ("tag", &["topic"]),
    ("text", &["command_topic"]),
    ("time", &["command_topic"]),
    ("update", &["state_topic"]),
];

/// Why Home Assistant would not take a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mqtt::discovery) enum Fault {
    /// No JSON, or no object.
    NoJson(String),
    /// A key is missing.
    Missing(String),
    /// What is there has another shape than it must.
    Shape(String),
}

/// One config of one component, with long keys and whole topics.
#[derive(Clone, Debug)]
pub(in crate::mqtt::discovery) struct Config {
    pub(in crate::mqtt::discovery) topic: Arc<str>,
    pub(in crate::mqtt::discovery) component: String,
    pub(in crate::mqtt::discovery) node: Option<String>,
    pub(in crate::mqtt::discovery) object: String,
    pub(in crate::mqtt::discovery) body: Map<String, Value>,
    pub(in crate::mqtt::discovery) device: Map<String, Value>,
    pub(in crate::mqtt::discovery) child: Option<Map<String, Value>>,
    /// Keys that Home Assistant does not know.
    pub(in crate::mqtt::discovery) strange: Vec<String>,
}

impl Config {
    /// Returns what Home Assistant knows it by.
    pub(in crate::mqtt::discovery) fn id(&self) -> String {
        match &self.node {
            Some(node) => format!("{}/{node}/{}", self.component, self.object),
            None => format!("{}/{}", self.component, self.object),
        }
    }

    /// Whether its device has something that tells it from others, or it has no device.
    pub(in crate::mqtt::discovery) fn has_identity(&self) -> bool {
        let connections = self.device.get("connections").and_then(Value::as_array);
        self.device.is_empty()
            || texts(self.device.get("identifiers")).next().is_some()
            || connections.is_some_and(|all| !all.is_empty())
    }

    /// Whether Home Assistant takes it.
    pub(in crate::mqtt::discovery) fn is_taken(&self) -> bool {
        self.has_identity() && self.missing().is_empty()
    }

    /// Returns what it lacks that Home Assistant asks of its component.
    pub(in crate::mqtt::discovery) fn missing(&self) -> Vec<String> {
        let has = |key: &str| match key {
            "device" => !self.device.is_empty(),
            key => self.body.get(key).is_some_and(|value| !value.is_null()),
        };
        let wanted = REQUIRED.iter().find(|(component, _)| *component == self.component);
        let mut missing: Vec<String> = wanted
            .into_iter()
            .flat_map(|(_, keys)| *keys)
            .filter(|key| !key.split('|').any(has))
            .map(|key| key.replace('|', " or "))
            .collect();
        if self.component == "light" && text(&self.body, "schema").as_deref() == Some("template") {
            let more = ["command_on_template", "command_off_template"];
            missing.extend(more.iter().filter(|key| !has(key)).map(|key| (*key).to_owned()));
        }
        if self.component == "infrared" {
            match text(&self.body, "schema").as_deref() {
                Some("receiver") if !has("state_topic") => missing.push("state_topic".into()),
                Some("emitter") if !has("command_topic") => missing.push("command_topic".into()),
                None => missing.push("schema".into()),
                _ => {}
            }
        }
        missing
    }
}

/// Reads a payload at a config's place. Nothing comes of an empty one, or of a request to migrate.
pub(in crate::mqtt::discovery) fn read(
    place: Place<'_>,
    topic: &Arc<str>,
    payload: &[u8],
) -> Result<Vec<Config>, Fault> {
    if payload.is_empty() {
        return Ok(Vec::new());
    }
    let parsed: Value =
        serde_json::from_slice(payload).map_err(|e| Fault::NoJson(e.to_string()))?;
    let Value::Object(mut body) = parsed else {
        return Err(Fault::NoJson("it is no JSON object".into()));
    };
    if ["migrate_discovery", "migr_discvry"].iter().any(|key| body.get(*key) == Some(&true.into()))
    {
        return Ok(Vec::new());
    }
    let mut strange: Vec<String> = expand::strange(&body).into_iter().map(str::to_owned).collect();
    expand::expand(&mut body);
    let device = taken(&mut body, "device");
    let origin = taken(&mut body, "origin");
    let origin = origin.as_ref().and_then(|origin| text(origin, "name"));
    if place.component == "device" {
        // The root of a device's config has other keys of its own.
        strange.retain(|key| key != "child_devices");
        return components(place, topic, body, device, origin, strange);
    }
    let mut device = device.unwrap_or_default();
    let child = taken(&mut device, "child_device");
    expand::put_base(&mut body, None);
    Ok(vec![Config {
        topic: topic.clone(),
        component: place.component.to_owned(),
        node: place.node.map(str::to_owned),
        object: place.object.to_owned(),
        body,
        device,
        child,
        strange,
    }])
}

/// Id and config of a component, and the child device that it is of.
type Part = (String, Value, Option<Map<String, Value>>);

/// Reads the components of a device's config and of its child devices.
fn components(
    place: Place<'_>,
    topic: &Arc<str>,
    mut body: Map<String, Value>,
    device: Option<Map<String, Value>>,
    origin: Option<String>,
    strange: Vec<String>,
) -> Result<Vec<Config>, Fault> {
    let Some(device) = device else { return Err(Fault::Missing("device".into())) };
    if texts(device.get("identifiers")).next().is_none()
        && device.get("connections").and_then(Value::as_array).is_none_or(Vec::is_empty)
    {
        return Err(Fault::Missing("identifiers or connections in device".into()));
    }
    if origin.is_none() {
        return Err(Fault::Missing("origin with a name".into()));
    }
    let own = taken(&mut body, "components");
    let children = body.shift_remove("child_devices");
    if own.is_none() && children.is_none() {
        return Err(Fault::Missing("components".into()));
    }
    let base = text(&body, "~");
    let mut all: Vec<Part> =
        own.into_iter().flatten().map(|(id, config)| (id, config, None)).collect();
    if let Some(Value::Array(children)) = children {
        for child in children {
            let Value::Object(mut child) = child else { continue };
            let parts = taken(&mut child, "components").unwrap_or_default();
            all.extend(parts.into_iter().map(|(id, part)| (id, part, Some(child.clone()))));
        }
    }
    let mut configs = Vec::new();
    for (id, part, child) in all {
        let Value::Object(mut part) = part else {
            return Err(Fault::Shape(format!("component '{id}' is no object")));
        };
        let Some(component) = text(&part, "platform") else {
            return Err(Fault::Missing(format!("platform in component '{id}'")));
        };
        if component == "device" || !COMPONENTS.contains(&component.as_str()) {
            return Err(Fault::Shape(format!("component '{id}' has an unknown platform")));
        }
        part.shift_remove("platform");
        // A component with nothing but its platform is one that is taken back.
        if part.is_empty() {
            continue;
        }
        for key in SHARED {
            if let (Some(value), false) = (body.get(*key), part.contains_key(*key)) {
                part.insert((*key).to_owned(), value.clone());
            }
        }
        let mut strange = strange.clone();
        strange.extend(expand::strange(&part).into_iter().map(str::to_owned));
        expand::put_base(&mut part, base.as_deref());
        configs.push(Config {
            topic: topic.clone(),
            component,
            node: Some(place.object.to_owned()),
            object: place.node.map_or_else(|| id.clone(), |node| format!("{node} {id}")),
            body: part,
            device: device.clone(),
            child,
            strange,
        });
    }
    Ok(configs)
}

fn taken(body: &mut Map<String, Value>, key: &str) -> Option<Map<String, Value>> {
    match body.shift_remove(key) {
        Some(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}
