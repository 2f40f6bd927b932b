//! The states of entities before a call, and the calls that bring them back. Pure.
//!
//! What can be brought back is in one function per direction: what is kept of an entity, and what is
//! to be called so that it is so again. Scenes of the past, not of the future: a thing that plays,
//! moves or counts by itself is not among them.

use crate::home::entities::{Cache, Entity};
use crate::home::select::domain;
use serde_json::{Map, Value, json};

/// Attributes that are kept, by domain. A domain that is not here cannot be brought back.
const KEPT: &[(&str, &[&str])] = &[
    (
        "light",
        &[
            "brightness",
            "color_mode",
            "color_temp_kelvin",
            "hs_color",
            "xy_color",
            "rgb_color",
            "rgbw_color",
            "rgbww_color",
            "effect",
        ],
    ),
    ("switch", &[]),
    ("input_boolean", &[]),
    ("automation", &[]),
    ("humidifier", &["humidity"]),
    ("fan", &["percentage", "preset_mode", "oscillating", "direction"]),
    ("cover", &["current_position", "current_tilt_position"]),
    ("valve", &["current_position"]),
    ("climate", &["temperature", "target_temp_low", "target_temp_high", "preset_mode", "fan_mode"]),
    ("media_player", &["volume_level", "is_volume_muted"]),
    ("lock", &[]),
    ("input_number", &[]),
    ("number", &[]),
    ("input_select", &[]),
    ("select", &[]),
    ("input_text", &[]),
    ("text", &[]),
    ("input_datetime", &["has_date", "has_time"]),
    ("counter", &[]),
];

/// Returns what is kept of an entity: `state` and the attributes that say more; `None` when it cannot
/// be brought back.
pub(crate) fn kept(id: &str, entity: &Entity) -> Option<Value> {
    let (_, names) = KEPT.iter().find(|(own, _)| *own == domain(id))?;
    if matches!(&*entity.state, "unavailable" | "unknown") {
        return None;
    }
    let mut row = Map::new();
    row.insert("state".into(), (*entity.state).into());
    let attributes = entity.attributes();
    for name in *names {
        if let Some(value) = attributes.get(*name).filter(|value| !value.is_null()) {
            row.insert((*name).into(), value.clone());
        }
    }
    Some(row.into())
}

/// Returns what is kept of these entities.
pub(crate) fn all_kept<'a>(
    cache: &Cache,
    ids: impl Iterator<Item = &'a str>,
) -> Map<String, Value> {
    ids.filter_map(|id| Some((id.to_owned(), kept(id, cache.get(id)?)?))).collect()
}

/// One call that brings something back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Back {
    pub(crate) service: String,
    pub(crate) data: Map<String, Value>,
    pub(crate) ids: Vec<String>,
}

/// Returns the calls after which each entity is what it was, alike ones together, and how many
/// entities are so already.
pub(crate) fn back(cache: &Cache, was: &Map<String, Value>) -> (Vec<Back>, usize) {
    let mut calls: Vec<Back> = Vec::new();
    let mut same = 0;
    for (id, was) in was {
        let Some(is) = cache.get(id).and_then(|entity| kept(id, entity)) else { continue };
        if is == *was {
            same += 1;
            continue;
        }
        for (service, data) in calls_for(domain(id), was, &is) {
            let service = format!("{}.{service}", domain(id));
            let Value::Object(data) = data else { continue };
            match calls.iter_mut().find(|call| call.service == service && call.data == data) {
                Some(call) => call.ids.push(id.clone()),
                None => calls.push(Back { service, data, ids: vec![id.clone()] }),
            }
        }
    }
    (calls, same)
}

fn calls_for(domain: &str, was: &Value, is: &Value) -> Vec<(&'static str, Value)> {
    let state = was["state"].as_str().unwrap_or_default();
    let differs = |name: &str| !was[name].is_null() && was[name] != is[name];
    let on = || vec![(if state == "off" { "turn_off" } else { "turn_on" }, json!({}))];
    // What is set by one call each.
    let each = |fields: &[(&'static str, &str, &str)]| -> Vec<(&'static str, Value)> {
        let wanted = fields.iter().filter(|(_, field, _)| differs(field));
        wanted.map(|(service, field, data)| (*service, json!({ *data: was[*field] }))).collect()
    };
    match domain {
        "light" if state == "on" => vec![("turn_on", light(was))],
        "fan" if state == "on" => fan(was, is, &each),
        "humidifier" if state == "on" => {
            let mut calls = on();
            calls.extend(each(&[("set_humidity", "humidity", "humidity")]));
            calls
        }
        "light" | "switch" | "input_boolean" | "automation" | "humidifier" | "fan" => on(),
        "lock" if state == "locked" => vec![("lock", json!({}))],
        "lock" if state == "unlocked" => vec![("unlock", json!({}))],
        "cover" => cover(was, is, state),
        "valve" if differs("current_position") => {
            vec![("set_valve_position", json!({ "position": was["current_position"] }))]
        }
        "valve" if state == "closed" => vec![("close_valve", json!({}))],
        "valve" => vec![("open_valve", json!({}))],
        "climate" => climate(was, is, &each),
        "media_player" => each(&[
            ("volume_set", "volume_level", "volume_level"),
            ("volume_mute", "is_volume_muted", "is_volume_muted"),
        ]),
        "input_number" | "number" | "counter" => {
            let number: Option<f64> = state.parse().ok();
            number.map(|value| ("set_value", json!({ "value": value }))).into_iter().collect()
        }
        "input_select" | "select" => vec![("select_option", json!({ "option": state }))],
        "input_text" | "text" => vec![("set_value", json!({ "value": state }))],
        "input_datetime" => {
            let field = match (was["has_date"] == true, was["has_time"] == true) {
                (true, true) => "datetime",
                (true, false) => "date",
                _ => "time",
            };
            vec![("set_datetime", json!({ field: state }))]
        }
        _ => Vec::new(),
    }
}

type Each<'a> = dyn Fn(&[(&'static str, &str, &str)]) -> Vec<(&'static str, Value)> + 'a;

/// The colour is told in the words of the mode that it was in.
fn light(was: &Value) -> Value {
    let mut data = Map::new();
    let mut set = |name: &str, value: &Value| {
        if !value.is_null() {
            data.insert(name.into(), value.clone());
        }
    };
    match was["color_mode"].as_str().unwrap_or_default() {
        "color_temp" => set("color_temp_kelvin", &was["color_temp_kelvin"]),
        "hs" => set("hs_color", &was["hs_color"]),
        "xy" => set("xy_color", &was["xy_color"]),
        "rgb" => set("rgb_color", &was["rgb_color"]),
        "rgbw" => set("rgbw_color", &was["rgbw_color"]),
        "rgbww" => set("rgbww_color", &was["rgbww_color"]),
        "white" => set("white", &was["brightness"]),
        _ => {}
    }
    if was["color_mode"] != "white" {
        set("brightness", &was["brightness"]);
    }
    if !matches!(was["effect"].as_str(), None | Some("off" | "none" | "None")) {
        set("effect", &was["effect"]);
    }
    data.into()
}

fn fan(was: &Value, is: &Value, each: &Each<'_>) -> Vec<(&'static str, Value)> {
    let mut data = Map::new();
    // A preset stands for a speed; giving both is refused.
    let speed = if was["preset_mode"].is_null() { "percentage" } else { "preset_mode" };
    if !was[speed].is_null() && (was[speed] != is[speed] || is["state"] != "on") {
        data.insert(speed.into(), was[speed].clone());
    }
    let mut calls = vec![("turn_on", Value::Object(data))];
    calls.extend(each(&[
        ("oscillate", "oscillating", "oscillating"),
        ("set_direction", "direction", "direction"),
    ]));
    calls
}

fn cover(was: &Value, is: &Value, state: &str) -> Vec<(&'static str, Value)> {
    let mut calls = Vec::new();
    let position = &was["current_position"];
    if !position.is_null() {
        // Also while it moves: then it is on its way to somewhere else.
        if *position != is["current_position"] || was["state"] != is["state"] {
            calls.push(("set_cover_position", json!({ "position": position })));
        }
    } else if state == "closed" || state == "closing" {
        calls.push(("close_cover", json!({})));
    } else if was["state"] != is["state"] {
        calls.push(("open_cover", json!({})));
    }
    let tilt = &was["current_tilt_position"];
    if !tilt.is_null() && *tilt != is["current_tilt_position"] {
        calls.push(("set_cover_tilt_position", json!({ "tilt_position": tilt })));
    }
    calls
}

fn climate(was: &Value, is: &Value, each: &Each<'_>) -> Vec<(&'static str, Value)> {
    let mut calls = Vec::new();
    if was["state"] != is["state"] {
        calls.push(("set_hvac_mode", json!({ "hvac_mode": was["state"] })));
    }
    calls.extend(each(&[
        ("set_preset_mode", "preset_mode", "preset_mode"),
        ("set_fan_mode", "fan_mode", "fan_mode"),
    ]));
    let range = ["target_temp_low", "target_temp_high"];
    if range.iter().all(|name| !was[*name].is_null()) {
        if range.iter().any(|name| was[*name] != is[*name]) {
            calls.push((
                "set_temperature",
                json!({ range[0]: was[range[0]], range[1]: was[range[1]] }),
            ));
        }
    } else {
        calls.extend(each(&[("set_temperature", "temperature", "temperature")]));
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_domain_comes_back_by_its_own_services() {
        let check = |domain: &str, was: Value, is: Value, want: Value| {
            let calls = calls_for(domain, &was, &is).into_iter();
            let got: Vec<Value> = calls.map(|(service, data)| json!([service, data])).collect();
            assert_eq!(Value::from(got), want, "{domain}: {was} from {is}");
        };
        let state = |state: &str| json!({ "state": state });
        check("switch", state("off"), state("on"), json!([["turn_off", {}]]));
        check(
            "light",
            json!({"state": "on", "brightness": 102, "color_mode": "hs", "hs_color": [10, 90],
                   "rgb_color": [1, 2, 3], "effect": "none"}),
            state("off"),
            json!([["turn_on", {"hs_color": [10, 90], "brightness": 102}]]),
        );
        check(
            "cover",
            json!({"state": "open", "current_position": 30, "current_tilt_position": 50}),
            json!({"state": "closed", "current_position": 0, "current_tilt_position": 50}),
            json!([["set_cover_position", {"position": 30}]]),
        );
        check("cover", state("closed"), state("open"), json!([["close_cover", {}]]));
        check(
            "climate",
            json!({"state": "heat", "temperature": 21, "fan_mode": "low"}),
            json!({"state": "off", "temperature": 21, "fan_mode": "low"}),
            json!([["set_hvac_mode", {"hvac_mode": "heat"}]]),
        );
        check(
            "climate",
            json!({"state": "auto", "target_temp_low": 18, "target_temp_high": 24}),
            json!({"state": "auto", "target_temp_low": 19, "target_temp_high": 24}),
            json!([["set_temperature", {"target_temp_low": 18, "target_temp_high": 24}]]),
        );
        check(
            "fan",
            json!({"state": "on", "percentage": 40, "oscillating": true}),
            json!({"state": "off", "percentage": 0, "oscillating": false}),
            json!([["turn_on", {"percentage": 40}], ["oscillate", {"oscillating": true}]]),
        );
        check("lock", state("unlocked"), state("locked"), json!([["unlock", {}]]));
        check("lock", state("locking"), state("locked"), json!([]));
        check("input_number", state("21.5"), state("20"), json!([["set_value", {"value": 21.5}]]));
        check(
            "media_player",
            json!({"state": "playing", "volume_level": 0.4, "is_volume_muted": false}),
            json!({"state": "paused", "volume_level": 0.9, "is_volume_muted": false}),
            json!([["volume_set", {"volume_level": 0.4}]]),
        );
        check(
            "input_datetime",
            json!({"state": "07:00:00", "has_date": false, "has_time": true}),
            state("08:00:00"),
            json!([["set_datetime", {"time": "07:00:00"}]]),
        );
    }
}
