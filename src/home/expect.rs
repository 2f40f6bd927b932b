//! What a service should lead to: the state or attributes that show that it worked. Pure.

use crate::home::entities::Entity;
use crate::home::select::domain;
use serde_json::{Map, Value};

/// What should be so after a call.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Expect {
    /// One of these states; empty when the state does not show it.
    states: Vec<String>,
    /// A state that is this number.
    number: Option<f64>,
    /// Attributes, each close to this value.
    attributes: Vec<(&'static str, Value, f64)>,
    /// Something was asked for that neither shows: only a change tells.
    more: bool,
}

impl Expect {
    /// Whether nothing is known of what the service leads to.
    pub(crate) fn is_open(&self) -> bool {
        self.states.is_empty() && self.number.is_none() && self.attributes.is_empty()
    }

    /// Whether an entity being so already says that the call has nothing left to do.
    pub(crate) fn is_complete(&self) -> bool {
        !self.is_open() && !self.more
    }

    /// Whether an entity is as it should be.
    pub(crate) fn is_met(&self, entity: &Entity) -> bool {
        let state = self.states.is_empty() || self.states.iter().any(|s| **s == *entity.state);
        let number = self.number.is_none_or(|wanted| {
            entity.state.parse::<f64>().is_ok_and(|state| (state - wanted).abs() < 1e-6)
        });
        if !(state && number) {
            return false;
        }
        if self.attributes.is_empty() {
            return true;
        }
        let all = entity.attributes();
        self.attributes.iter().all(|(name, wanted, slack)| {
            all.get(*name).is_some_and(|value| close(value, wanted, *slack))
        })
    }
}

fn close(value: &Value, wanted: &Value, slack: f64) -> bool {
    match (value.as_f64(), wanted.as_f64()) {
        (Some(value), Some(wanted)) => (value - wanted).abs() <= slack,
        _ => value == wanted,
    }
}

/// Domains whose entities are `on` and `off`.
const ON_OFF: &[&str] = &[
    "light",
    "switch",
    "fan",
    "siren",
    "humidifier",
    "input_boolean",
    "automation",
    "remote",
    "group",
    "script",
];

/// Service names that stand for one state, whatever else is in the call.
const STATES: &[(&str, &str, &[&str])] = &[
    ("lock", "lock", &["locked"]),
    ("lock", "unlock", &["unlocked"]),
    ("lock", "open", &["open"]),
    ("cover", "open_cover", &["open"]),
    ("cover", "close_cover", &["closed"]),
    ("valve", "open_valve", &["open"]),
    ("valve", "close_valve", &["closed"]),
    ("alarm_control_panel", "alarm_disarm", &["disarmed"]),
    ("alarm_control_panel", "alarm_arm_home", &["armed_home"]),
    ("alarm_control_panel", "alarm_arm_away", &["armed_away"]),
    ("alarm_control_panel", "alarm_arm_night", &["armed_night"]),
    ("alarm_control_panel", "alarm_arm_vacation", &["armed_vacation"]),
    ("alarm_control_panel", "alarm_trigger", &["triggered"]),
    ("media_player", "media_play", &["playing"]),
    ("media_player", "media_pause", &["paused"]),
    ("media_player", "media_stop", &["idle", "off", "stopped"]),
    ("media_player", "turn_off", &["off"]),
    ("vacuum", "start", &["cleaning"]),
    ("vacuum", "pause", &["paused"]),
    ("vacuum", "return_to_base", &["returning", "docked"]),
    ("lawn_mower", "start_mowing", &["mowing"]),
    ("lawn_mower", "pause", &["paused"]),
    ("lawn_mower", "dock", &["returning", "docked"]),
    ("climate", "turn_off", &["off"]),
    ("water_heater", "turn_off", &["off"]),
    ("timer", "start", &["active"]),
    ("timer", "pause", &["paused"]),
    ("timer", "cancel", &["idle"]),
];

/// Pairs between which `toggle` goes.
const TOGGLES: &[(&str, &str, &str)] =
    &[("cover", "open", "closed"), ("valve", "open", "closed"), ("lock", "locked", "unlocked")];

/// Fields of a call that show as an attribute or as the state: domain, field, attribute, slack.
/// Without an attribute the state itself shows it.
const FIELDS: &[(&str, &str, Option<&str>, f64)] = &[
    ("light", "brightness", Some("brightness"), 1.0),
    ("light", "effect", Some("effect"), 0.0),
    ("climate", "temperature", Some("temperature"), 0.01),
    ("climate", "target_temp_high", Some("target_temp_high"), 0.01),
    ("climate", "target_temp_low", Some("target_temp_low"), 0.01),
    ("climate", "humidity", Some("humidity"), 0.5),
    ("climate", "fan_mode", Some("fan_mode"), 0.0),
    ("climate", "preset_mode", Some("preset_mode"), 0.0),
    ("climate", "swing_mode", Some("swing_mode"), 0.0),
    ("climate", "hvac_mode", None, 0.0),
    ("water_heater", "temperature", Some("temperature"), 0.01),
    ("water_heater", "operation_mode", None, 0.0),
    ("humidifier", "humidity", Some("humidity"), 0.5),
    ("humidifier", "mode", Some("mode"), 0.0),
    ("fan", "percentage", Some("percentage"), 1.0),
    ("fan", "preset_mode", Some("preset_mode"), 0.0),
    ("fan", "oscillating", Some("oscillating"), 0.0),
    ("fan", "direction", Some("direction"), 0.0),
    ("cover", "position", Some("current_position"), 1.0),
    ("cover", "tilt_position", Some("current_tilt_position"), 1.0),
    ("valve", "position", Some("current_position"), 1.0),
    ("media_player", "volume_level", Some("volume_level"), 0.005),
    ("media_player", "is_volume_muted", Some("is_volume_muted"), 0.0),
    ("media_player", "source", Some("source"), 0.0),
    ("media_player", "shuffle", Some("shuffle"), 0.0),
    ("media_player", "repeat", Some("repeat"), 0.0),
    ("vacuum", "fan_speed", Some("fan_speed"), 0.0),
    ("number", "value", None, 0.0),
    ("input_number", "value", None, 0.0),
    ("counter", "value", None, 0.0),
    ("select", "option", None, 0.0),
    ("input_select", "option", None, 0.0),
    ("text", "value", None, 0.0),
    ("input_text", "value", None, 0.0),
];

/// Returns what `service` (`domain.name`) with `data` should lead to on entity `id`, whose state
/// before the call is `before`.
pub(crate) fn expected(service: &str, id: &str, before: &str, data: &Map<String, Value>) -> Expect {
    let own = domain(id);
    let name = service.split_once('.').map_or("", |(_, name)| name);
    // A cover that stands open a little is `open` before and after: only its moving tells.
    let more = matches!(name, "open_cover" | "open_valve");
    let mut expect = Expect { states: states(own, name, before), more, ..Expect::default() };
    for (field, value) in data {
        // Percentages of brightness are rounded on their way.
        if own == "light" && field == "brightness_pct" {
            let wanted = value.as_f64().unwrap_or_default() * 2.55;
            expect.attributes.push(("brightness", wanted.into(), 3.0));
            continue;
        }
        let row = FIELDS.iter().find(|(d, f, ..)| *d == own && f == field);
        match (row, value) {
            (Some((.., Some(attribute), slack)), _) => {
                expect.attributes.push((attribute, value.clone(), *slack));
            }
            (Some((.., None, _)), Value::String(text)) => expect.states = vec![text.clone()],
            (Some((.., None, _)), Value::Number(_)) => expect.number = value.as_f64(),
            // Brightness 0 and the like are the integration's business; so is every other field.
            _ => expect.more = true,
        }
    }
    if own == "light" && expect.attributes.iter().any(|(_, v, _)| v.as_f64() == Some(0.0)) {
        return Expect { states: vec!["off".into()], ..Expect::default() };
    }
    expect
}

fn states(own: &str, name: &str, before: &str) -> Vec<String> {
    let one = |state: &str| vec![state.to_owned()];
    if let Some((.., states)) = STATES.iter().find(|(d, s, _)| *d == own && *s == name) {
        return states.iter().map(|state| (*state).to_owned()).collect();
    }
    if name == "toggle"
        && let Some((_, a, b)) = TOGGLES.iter().find(|(d, ..)| *d == own)
    {
        return one(if before == *a { b } else { a });
    }
    match (ON_OFF.contains(&own), name) {
        (true, "turn_on") if own != "script" => one("on"),
        (true, "turn_off") => one("off"),
        (true, "toggle") if own != "script" => one(if before == "on" { "off" } else { "on" }),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::entities::Cache;
    use serde_json::json;

    fn entity(id: &str, state: &str, attributes: Value) -> Entity {
        let mut cache = Cache::new("home".into(), 10);
        let all = json!({"a": {id: {"s": state, "a": attributes, "c": "", "lc": 1.0}}});
        cache.apply(&all.to_string(), true).unwrap();
        cache.get(id).unwrap().clone()
    }

    /// Checks whether an entity that is `state` and `attributes` shows that the call worked.
    fn check(service: &str, id: &str, data: Value, state: &str, attributes: Value, want: bool) {
        let data = data.as_object().unwrap().clone();
        let expect = expected(service, id, "off", &data);
        assert!(!expect.is_open(), "{service}");
        let met = expect.is_met(&entity(id, state, attributes));
        assert_eq!(met, want, "{service} {data:?} {state}");
    }

    #[test]
    fn services_lead_to_states_and_attributes() {
        let none = || json!({});
        check("light.turn_on", "light.a", none(), "on", none(), true);
        check("light.turn_on", "light.a", none(), "off", none(), false);
        check("light.toggle", "light.a", none(), "on", none(), true);
        check("homeassistant.turn_off", "switch.a", none(), "off", none(), true);
        let bright = |n: i32| json!({"brightness": n});
        check("light.turn_on", "light.a", bright(120), "on", bright(120), true);
        check("light.turn_on", "light.a", bright(120), "on", bright(60), false);
        check("light.turn_on", "light.a", bright(0), "off", none(), true);
        check("light.turn_on", "light.a", json!({"brightness_pct": 50}), "on", bright(127), true);
        check("lock.unlock", "lock.a", none(), "unlocking", none(), false);
        check("lock.unlock", "lock.a", none(), "unlocked", none(), true);
        check("cover.toggle", "cover.a", none(), "open", none(), true);
        let warm = |t: f64| json!({"temperature": t});
        check("climate.set_temperature", "climate.a", warm(21.5), "heat", warm(21.5), true);
        check("climate.set_temperature", "climate.a", warm(21.5), "heat", warm(20.0), false);
        let mode = json!({"hvac_mode": "cool"});
        check("climate.set_hvac_mode", "climate.a", mode.clone(), "cool", none(), true);
        check("climate.set_hvac_mode", "climate.a", mode, "heat", none(), false);
        check("number.set_value", "number.a", json!({"value": 5}), "5.0", none(), true);
        check("select.select_option", "select.a", json!({"option": "x"}), "x", none(), true);
    }

    #[test]
    fn what_is_not_known_is_left_open() {
        let check = |service: &str, id: &str, data: Value, open: bool, complete: bool| {
            let expect = expected(service, id, "on", data.as_object().unwrap());
            assert_eq!((expect.is_open(), expect.is_complete()), (open, complete), "{service}");
        };
        check("button.press", "button.a", json!({}), true, false);
        check("weather.get_forecasts", "weather.a", json!({"type": "daily"}), true, false);
        check("script.turn_on", "script.a", json!({}), true, false);
        check("light.turn_on", "light.a", json!({"rgb_color": [1, 2, 3]}), false, false);
        check("light.turn_on", "light.a", json!({}), false, true);
    }
}
