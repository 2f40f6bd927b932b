//! What a message to a device asks for, as the calls that do the same in the house. Pure.
//!
//! What cannot be understood asks for nothing, as with real devices.

use crate::demo::action::{Call, Data};
use crate::demo::mqtt::topics::addressee;
use crate::demo::plan::{Device, Kind, Thing};
use serde_json::{Map, Value, json};

/// Returns the calls that a message asks for.
pub(super) fn calls(topic: &str, payload: &[u8]) -> Vec<Call> {
    let Some((device, property)) = addressee(topic) else { return Vec::new() };
    let Ok(text) = std::str::from_utf8(payload) else { return Vec::new() };
    let text = text.trim();
    let calls = match property {
        "" => at_gateway(device, text),
        property => of_property(device, property, text),
    };
    calls.into_iter().collect()
}

fn call(thing: &Thing, service: &str, data: Value) -> Call {
    let domain = thing.id.split('.').next().unwrap_or_default();
    let data: Data = if let Value::Object(data) = data { data } else { Map::new() };
    Call {
        domain: domain.to_owned(),
        service: service.to_owned(),
        data,
        target: Map::from_iter([("entity_id".to_owned(), json!([thing.id]))]),
        wants_answer: false,
    }
}

/// One JSON object, or the bare word for the state.
fn at_gateway(device: &Device, text: &str) -> Option<Call> {
    let is_driven = |kind: &Kind| matches!(kind, Kind::Light(..) | Kind::Switch(..));
    let thing = device.things.iter().find(|thing| is_driven(&thing.kind))?;
    let said = match serde_json::from_str(text) {
        Ok(Value::Object(said)) => said,
        Ok(_) => return None,
        Err(_) => Map::from_iter([("state".to_owned(), Value::from(text))]),
    };
    let state = said.get("state").and_then(Value::as_str).map(str::to_ascii_uppercase);
    let service = match state.as_deref() {
        Some("ON") => "turn_on",
        Some("OFF") => "turn_off",
        Some("TOGGLE") => "toggle",
        Some(_) => return None,
        None => "turn_on",
    };
    let data = if matches!(thing.kind, Kind::Light(..)) && service == "turn_on" {
        light(&said)?
    } else {
        Map::new()
    };
    if state.is_none() && data.is_empty() {
        return None;
    }
    Some(call(thing, service, Value::Object(data)))
}

/// What a lamp is to shine like; `None` when a number makes no sense.
fn light(said: &Map<String, Value>) -> Option<Data> {
    let mut data = Data::new();
    if let Some(brightness) = said.get("brightness") {
        let brightness = brightness.as_f64().filter(|n| (0.0..=254.0).contains(n))?;
        let of_255 = (brightness * 255.0 / 254.0).round() as i64;
        data.insert("brightness".into(), of_255.into());
    }
    if let Some(mireds) = said.get("color_temp") {
        let mireds = mireds.as_f64().filter(|n| (50.0..=1000.0).contains(n))?;
        data.insert("color_temp_kelvin".into(), ((1e6 / mireds).round() as i64).into());
    }
    if let Some(colour) = said.get("color") {
        let part = |long: &str, short: &str| {
            colour.get(long).or_else(|| colour.get(short)).and_then(Value::as_f64)
        };
        let hue = part("hue", "h").filter(|n| (0.0..=360.0).contains(n))?;
        let saturation = part("saturation", "s").filter(|n| (0.0..=100.0).contains(n))?;
        data.insert("hs_color".into(), json!([hue, saturation]));
    }
    Some(data)
}

fn of_property(device: &Device, property: &str, text: &str) -> Option<Call> {
    let number = || text.parse::<f64>().ok().filter(|n| n.is_finite());
    let percent = || number().filter(|n| (0.0..=100.0).contains(n)).map(|n| n.round() as i64);
    device.things.iter().find_map(|thing| {
        let (service, data) = match (&thing.kind, property, text) {
            (Kind::Cover(..), "cover", "OPEN") => ("open_cover", Value::Null),
            (Kind::Cover(..), "cover", "CLOSE") => ("close_cover", Value::Null),
            (Kind::Cover(..), "cover", "STOP") => ("stop_cover", Value::Null),
            (Kind::Cover(_, _, true), "position", _) => {
                ("set_cover_position", json!({ "position": percent()? }))
            }
            (Kind::Climate(modes, ..), "mode", _) if modes.contains(&text) => {
                ("set_hvac_mode", json!({ "hvac_mode": text }))
            }
            (Kind::Climate(..), "target", _) => {
                ("set_temperature", json!({ "temperature": number()? }))
            }
            (Kind::Lock, "lock", "LOCK") => ("lock", Value::Null),
            (Kind::Lock, "lock", "UNLOCK") => ("unlock", Value::Null),
            (Kind::Fan(_), "fan", "ON") => ("turn_on", Value::Null),
            (Kind::Fan(_), "fan", "OFF") => ("turn_off", Value::Null),
            (Kind::Fan(_), "percentage", _) => {
                ("set_percentage", json!({ "percentage": percent()? }))
            }
            _ => return None,
        };
        Some(call(thing, service, data))
    })
}
