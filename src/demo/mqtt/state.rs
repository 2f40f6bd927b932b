//! What a device says of itself: one JSON object with all its properties. Pure.

use crate::demo::entity::Entity;
use crate::demo::house::House;
use crate::demo::mqtt::topics::{Speaker, speaker};
use crate::demo::plan::{Device, Kind, Thing};
use serde_json::{Map, Value, json};

/// Returns the name of the property that an entity's state is.
pub(super) fn property(device: &Device, thing: &Thing) -> &'static str {
    let at_gateway = speaker(device) == Speaker::Gateway;
    match thing.kind {
        Kind::Sensor(class, ..) => class,
        Kind::Binary("motion") if at_gateway => "occupancy",
        Kind::Binary("door") if at_gateway => "contact",
        Kind::Binary("moisture") if at_gateway => "water_leak",
        Kind::Binary(class) => class,
        Kind::Cover(..) => "cover",
        Kind::Climate(..) => "mode",
        Kind::Lock => "lock",
        Kind::Fan(_) => "fan",
        _ => "state",
    }
}

/// Returns how a device is.
pub(super) fn of(device: &Device, house: &House) -> Value {
    let mut out = Map::new();
    for thing in device.things {
        if let Some(entity) = house.get(thing.id) {
            say(device, thing, entity, &mut out);
        }
    }
    if speaker(device) == Speaker::Gateway {
        out.insert("linkquality".into(), quality(device).into());
    }
    Value::Object(out)
}

fn say(device: &Device, thing: &Thing, entity: &Entity, out: &mut Map<String, Value>) {
    let name = property(device, thing);
    let at_gateway = speaker(device) == Speaker::Gateway;
    let upper = || Value::from(entity.state.to_ascii_uppercase());
    let mut put = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
    match &thing.kind {
        Kind::Light(..) => light(entity, out),
        Kind::Switch(..) => put(name, upper()),
        Kind::Sensor(..) => {
            // A number as it is written: 20.0 stays 20.0.
            let number = serde_json::from_str(&entity.state);
            put(name, number.unwrap_or_else(|_| Value::from(&*entity.state)));
        }
        // A contact is closed when the door is.
        Kind::Binary("door") if at_gateway => put(name, (!entity.is("on")).into()),
        Kind::Binary(_) if at_gateway => put(name, entity.is("on").into()),
        Kind::Binary(_) | Kind::Lock | Kind::Fan(_) | Kind::Cover(..) | Kind::Climate(..) => {
            let plain = matches!(thing.kind, Kind::Cover(..) | Kind::Climate(..));
            put(name, if plain { Value::from(&*entity.state) } else { upper() });
            const MORE: &[(&str, &str)] = &[
                ("current_position", "position"),
                ("temperature", "target"),
                ("current_temperature", "current_temperature"),
                ("hvac_action", "action"),
                ("percentage", "percentage"),
            ];
            for (attr, name) in MORE.iter().filter(|(attr, _)| entity.attrs.has(attr)) {
                put(name, entity.attrs.get(attr).json());
            }
        }
        _ => {}
    }
}

fn light(entity: &Entity, out: &mut Map<String, Value>) {
    let is_on = entity.is("on");
    out.insert("state".into(), if is_on { "ON" } else { "OFF" }.into());
    if let Some(brightness) = entity.number("brightness") {
        // Zigbee counts to 254.
        out.insert("brightness".into(), ((brightness * 254.0 / 255.0).round() as i64).into());
    }
    if let Some(kelvin) = entity.number("color_temp_kelvin") {
        out.insert("color_mode".into(), "color_temp".into());
        out.insert("color_temp".into(), ((1e6 / kelvin).round() as i64).into());
    } else if entity.attrs.get("color_mode").text() == Some("hs") {
        let colour = entity.attrs.get("hs_color").json();
        let (hue, saturation) = (colour[0].clone(), colour[1].clone());
        out.insert("color_mode".into(), "hs".into());
        let colour = json!({ "h": hue, "s": saturation, "hue": hue, "saturation": saturation });
        out.insert("color".into(), colour);
    }
}

/// How well the gateway hears the device; it stands where it stands.
fn quality(device: &Device) -> usize {
    90 + device.id.bytes().map(usize::from).sum::<usize>() % 140
}
