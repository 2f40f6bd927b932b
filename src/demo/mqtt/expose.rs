//! What the gateway says of itself and of the devices that hang on it, in zigbee2mqtt's form. Pure.

use crate::demo::mqtt::state::property;
use crate::demo::mqtt::topics::{Speaker, address, speaker};
use crate::demo::plan::{DEVICES, Device, Kind, Lamp, Thing};
use serde_json::{Value, json};

const READ: u8 = 1;
const BOTH: u8 = 7;

/// Returns `bridge/info` and `bridge/devices`.
pub(super) fn bridge() -> (Value, Value) {
    let info = json!({
        "version": "demo", "commit": "demo", "log_level": "info", "permit_join": false,
        "coordinator": { "ieee_address": "0x00158d00de30ffff", "type": "demo", "meta": {} },
        "network": { "channel": 15, "pan_id": 6754, "extended_pan_id": "0xdddddddddddddddd" }
    });
    let coordinator = json!({
        "ieee_address": "0x00158d00de30ffff", "type": "Coordinator", "network_address": 0,
        "friendly_name": "Coordinator", "supported": true, "disabled": false,
        "interview_completed": true, "definition": null, "endpoints": {}
    });
    let mut devices = vec![coordinator];
    let at_gateway = DEVICES.iter().filter(|device| speaker(device) == Speaker::Gateway);
    devices.extend(at_gateway.enumerate().map(|(n, device)| about(n, device)));
    (info, Value::Array(devices))
}

fn about(n: usize, device: &Device) -> Value {
    let is_powered =
        device.things.iter().any(|t| matches!(t.kind, Kind::Light(..) | Kind::Switch(..)));
    let mut exposes: Vec<Value> =
        device.things.iter().filter_map(|thing| exposed(device, thing)).collect();
    exposes.push(numeric(("linkquality", "lqi"), READ, Some((0, 255))));
    json!({
        "ieee_address": address(device),
        "type": if is_powered { "Router" } else { "EndDevice" },
        "network_address": 1000 + n, "friendly_name": device.name, "manufacturer": device.maker,
        "model_id": device.model, "supported": true, "disabled": false,
        "interview_completed": true, "interviewing": false, "software_build_id": "demo",
        "power_source": if is_powered { "Mains (single phase)" } else { "Battery" },
        "definition": {
            "model": device.model, "vendor": device.maker, "description": "Device of the demo house",
            "source": "native", "supports_ota": false, "options": [], "exposes": exposes
        },
        "endpoints": {}
    })
}

fn exposed(device: &Device, thing: &Thing) -> Option<Value> {
    let name = property(device, thing);
    Some(match &thing.kind {
        Kind::Light(lamp, _) => json!({ "type": "light", "features": features(*lamp) }),
        Kind::Switch(..) => json!({ "type": "switch", "features": [on_off()] }),
        Kind::Sensor(_, _, unit, _) => numeric((name, unit), READ, None),
        Kind::Binary(class) => json!({
            "type": "binary", "name": name, "property": name, "label": name, "access": READ,
            "value_on": *class != "door", "value_off": *class == "door"
        }),
        _ => return None,
    })
}

fn features(lamp: Lamp) -> Vec<Value> {
    let mut features = vec![on_off()];
    if lamp != Lamp::OnOff {
        features.push(numeric(("brightness", ""), BOTH, Some((0, 254))));
    }
    if matches!(lamp, Lamp::White | Lamp::Colour) {
        features.push(numeric(("color_temp", "mired"), BOTH, Some((154, 455))));
    }
    if lamp == Lamp::Colour {
        features.push(json!({
            "type": "composite", "name": "color_hs", "property": "color", "label": "Color (HS)",
            "access": BOTH,
            "features": [numeric(("hue", ""), BOTH, None), numeric(("saturation", ""), BOTH, None)]
        }));
    }
    features
}

fn on_off() -> Value {
    json!({
        "type": "binary", "name": "state", "property": "state", "label": "State", "access": BOTH,
        "value_on": "ON", "value_off": "OFF", "value_toggle": "TOGGLE"
    })
}

fn numeric((name, unit): (&str, &str), access: u8, bounds: Option<(u16, u16)>) -> Value {
    let mut out = json!({
        "type": "numeric", "name": name, "property": name, "label": name, "access": access
    });
    if !unit.is_empty() {
        out["unit"] = unit.into();
    }
    if let Some((low, high)) = bounds {
        out["value_min"] = low.into();
        out["value_max"] = high.into();
    }
    out
}
