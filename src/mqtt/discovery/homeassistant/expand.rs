//! Short keys of Home Assistant's discovery made long, and `~` replaced. Pure.
//!
//! Source: Home Assistant, MQTT integration, "Discovery payload" and "Supported abbreviations".

use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

type Table = HashMap<&'static str, &'static str>;

/// One pair to a line, for the body of a config.
static BODY: LazyLock<Table> = LazyLock::new(|| {
    include_str!("abbreviations.txt").lines().filter_map(|line| line.split_once(' ')).collect()
});

const DEVICE: &[(&str, &str)] = &[
    ("cns", "connections"),
    ("cu", "configuration_url"),
    ("ids", "identifiers"),
    ("mf", "manufacturer"),
    ("mdl", "model"),
    ("mdl_id", "model_id"),
    ("hw", "hw_version"),
    ("sw", "sw_version"),
    ("sa", "suggested_area"),
    ("sn", "serial_number"),
    ("cdev", "child_device"),
];

const ORIGIN: &[(&str, &str)] = &[("sw", "sw_version"), ("url", "support_url")];

/// What may be in a device and in an origin, beyond what is abbreviated.
const DEVICE_KEYS: &[&str] = &["name", "via_device", "via_hub"];
const ORIGIN_KEYS: &[&str] = &["name"];

/// Keys of a body that are always written out.
const BODY_KEYS: &[&str] = &[
    "~",
    "name",
    "qos",
    "schema",
    "topic",
    "type",
    "value",
    "max",
    "min",
    "mode",
    "modes",
    "step",
    "brightness",
    "color_mode",
    "effect",
    "rgb",
    "hs",
    "xy",
    "object_id",
    "state_on_template",
    "precision",
    "tls",
    "components",
];

/// Makes every short key long, in the body, its device, origin, availability, components and child
/// devices.
pub(super) fn expand(body: &mut Map<String, Value>) {
    lengthen(body, |key| BODY.get(key).copied());
    each(body.get_mut("availability"), |one| lengthen(one, |key| BODY.get(key).copied()));
    if let Some(Value::Object(origin)) = body.get_mut("origin") {
        lengthen(origin, |key| of(ORIGIN, key));
    }
    if let Some(Value::Object(device)) = body.get_mut("device") {
        lengthen(device, |key| of(DEVICE, key));
        each(device.get_mut("child_device"), |child| lengthen(child, |key| of(DEVICE, key)));
    }
    each(body.get_mut("child_devices"), |child| {
        lengthen(child, |key| of(DEVICE, key).or_else(|| BODY.get(key).copied()));
        expand_components(child);
    });
    expand_components(body);
}

fn expand_components(body: &mut Map<String, Value>) {
    if let Some(Value::Object(components)) = body.get_mut("components") {
        for component in components.values_mut() {
            each(Some(component), |one| {
                lengthen(one, |key| BODY.get(key).copied());
                each(one.get_mut("availability"), |a| lengthen(a, |key| BODY.get(key).copied()));
            });
        }
    }
}

/// Replaces `~` at the beginning or end of topics by the body's own `~`, or by `inherited`.
pub(super) fn put_base(body: &mut Map<String, Value>, inherited: Option<&str>) {
    let own = body.shift_remove("~").and_then(|base| base.as_str().map(str::to_owned));
    let Some(base) = own.as_deref().or(inherited) else { return };
    for (_, value) in body.iter_mut().filter(|(key, _)| key.ends_with("topic")) {
        replace(value, base);
    }
    each(body.get_mut("availability"), |one| {
        if let Some(topic) = one.get_mut("topic") {
            replace(topic, base);
        }
    });
}

fn replace(topic: &mut Value, base: &str) {
    let Value::String(text) = topic else { return };
    if let Some(rest) = text.strip_prefix('~') {
        *text = format!("{base}{rest}");
    }
    if let Some(rest) = text.strip_suffix('~') {
        *text = format!("{rest}{base}");
    }
}

/// Returns the keys of a body that are neither a known abbreviation nor a known long key.
pub(super) fn strange<'a>(body: &'a Map<String, Value>) -> Vec<&'a str> {
    let known = |key: &str| {
        BODY.contains_key(key)
            || BODY_KEYS.contains(&key)
            || BODY.values().any(|long| *long == key)
            || is_family(key)
    };
    let mut all: Vec<&'a str> = body.keys().map(String::as_str).filter(|key| !known(key)).collect();
    let inner = |name: &str, short: &str| body.get(name).or(body.get(short));
    for (name, short, table, more) in
        [("device", "dev", DEVICE, DEVICE_KEYS), ("origin", "o", ORIGIN, ORIGIN_KEYS)]
    {
        let Some(Value::Object(fields)) = inner(name, short) else { continue };
        let is_known =
            |key: &str| table.iter().any(|(a, b)| *a == key || *b == key) || more.contains(&key);
        all.extend(fields.keys().map(String::as_str).filter(|key| !is_known(key)));
    }
    all
}

/// Whether a long key is of one of the families that every component has more of than the table of
/// abbreviations shows: such a key works, and is not a misspelt short one.
fn is_family(key: &str) -> bool {
    const ENDS: [&str; 10] = [
        "_topic",
        "_template",
        "_list",
        "_name",
        "_value",
        "_unit",
        "_range",
        "_mode",
        "_modes",
        "_class",
    ];
    const STARTS: [&str; 6] = ["payload_", "state_", "supported_", "support_", "min_", "max_"];
    key.contains('_')
        && (ENDS.iter().any(|end| key.ends_with(end)) || STARTS.iter().any(|s| key.starts_with(s)))
}

fn lengthen(fields: &mut Map<String, Value>, long: impl Fn(&str) -> Option<&'static str>) {
    if !fields.keys().any(|key| long(key).is_some()) {
        return;
    }
    let old = std::mem::take(fields);
    for (key, value) in old {
        let key = long(&key).map_or(key, str::to_owned);
        fields.insert(key, value);
    }
}

fn of(table: &[(&str, &'static str)], key: &str) -> Option<&'static str> {
    table.iter().find(|(short, _)| *short == key).map(|(_, long)| *long)
}

/// Shows each object of a list, or the one object, to `change`.
fn each(value: Option<&mut Value>, mut change: impl FnMut(&mut Map<String, Value>)) {
    match value {
        Some(Value::Object(one)) => change(one),
        Some(Value::Array(all)) => {
            for one in all {
                if let Value::Object(one) = one {
                    change(one);
                }
            }
        }
        _ => {}
    }
}
