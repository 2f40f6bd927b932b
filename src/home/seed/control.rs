//! From the original's commands to Home Assistant's services. Pure.

use crate::error::Error;
use crate::home::select::domain;
use crate::home::text::clean;
use serde_json::{Map, Value, json};

/// The `*_control` tools: name, title, domain, and the actions that the original had besides `list`
/// and `get`. Actions are names of services.
pub(super) const KINDS: &[Kind] = &[
    Kind { tool: "lights_control", domain: "light", about: "turn_on turn_off toggle" },
    Kind {
        tool: "climate_control",
        domain: "climate",
        about: "set_hvac_mode set_temperature set_fan_mode",
    },
    Kind {
        tool: "media_player_control",
        domain: "media_player",
        about: "turn_on turn_off toggle play_media media_play media_pause media_stop \
                media_next_track media_previous_track volume_up volume_down volume_mute volume_set \
                select_source select_sound_mode",
    },
    Kind {
        tool: "cover_control",
        domain: "cover",
        about: "open_cover close_cover stop_cover toggle set_cover_position open_cover_tilt \
                close_cover_tilt stop_cover_tilt set_cover_tilt_position",
    },
    Kind { tool: "lock_control", domain: "lock", about: "lock unlock open" },
    Kind {
        tool: "fan_control",
        domain: "fan",
        about: "turn_on turn_off toggle set_percentage set_preset_mode oscillate set_direction",
    },
    Kind {
        tool: "vacuum_control",
        domain: "vacuum",
        about: "start pause stop return_to_base clean_spot locate set_fan_speed send_command",
    },
    Kind {
        tool: "alarm_control",
        domain: "alarm_control_panel",
        about: "alarm_disarm alarm_arm_home alarm_arm_away alarm_arm_night alarm_arm_vacation \
                alarm_arm_custom_bypass alarm_trigger",
    },
];

/// One of the `*_control` tools.
pub(super) struct Kind {
    pub(super) tool: &'static str,
    pub(super) domain: &'static str,
    /// The actions.
    pub(super) about: &'static str,
}

/// What a command of `control` is called in each domain that has a name of its own for it.
const OWN_NAMES: &[(&str, &str, &str)] = &[
    ("cover", "open", "open_cover"),
    ("cover", "close", "close_cover"),
    ("cover", "stop", "stop_cover"),
    ("cover", "set_position", "set_cover_position"),
    ("cover", "set_tilt_position", "set_cover_tilt_position"),
    ("valve", "open", "open_valve"),
    ("valve", "close", "close_valve"),
    ("valve", "stop", "stop_valve"),
    ("valve", "set_position", "set_valve_position"),
];

/// Where a command goes that names an area and no entity.
const OF_AREAS: &[(&str, &str)] = &[
    ("turn_on", "homeassistant"),
    ("turn_off", "homeassistant"),
    ("toggle", "homeassistant"),
    ("open", "cover"),
    ("close", "cover"),
    ("stop", "cover"),
    ("set_position", "cover"),
    ("set_tilt_position", "cover"),
    ("set_temperature", "climate"),
    ("set_hvac_mode", "climate"),
    ("set_fan_mode", "climate"),
    ("set_humidity", "humidifier"),
];

/// Returns the arguments of `home_call` for the original's `control`.
///
/// # Errors
/// Invalid when neither an entity nor an area is named, or the command is not one for areas.
pub(super) fn of_command(mut asked: Map<String, Value>) -> Result<Value, Error> {
    let command = take(&mut asked, "command")
        .ok_or_else(|| Error::invalid("control: 'command' is missing, like turn_on"))?;
    let target = target(&mut asked);
    // The command says it already; Home Assistant refuses a field of that name.
    asked.shift_remove("state");
    let own = match &target {
        Value::Object(fields) if fields.contains_key("entity_id") => {
            let id = fields["entity_id"].as_str().unwrap_or_default();
            domain(id).to_owned()
        }
        Value::Object(fields) if fields.contains_key("area_id") => {
            let found = OF_AREAS.iter().find(|(name, _)| *name == command);
            let (_, own) = found.ok_or_else(|| {
                let command = clean(&command, 60);
                Error::invalid(format!("control: '{command}' needs an entity_id, not an area_id"))
            })?;
            (*own).to_owned()
        }
        _ => return Err(Error::invalid("control: give an entity_id or an area_id")),
    };
    let renamed = OWN_NAMES.iter().find(|(of, name, _)| *of == own && *name == command);
    let service = renamed.map_or(command.as_str(), |(_, _, service)| service);
    Ok(call(&format!("{own}.{service}"), target, asked))
}

/// Returns the arguments of `home_call` for an action of a `*_control` tool.
pub(super) fn of_action(kind: &Kind, action: &str, mut asked: Map<String, Value>) -> Value {
    let target = target(&mut asked);
    call(&format!("{}.{action}", kind.domain), target, asked)
}

/// Takes a text out of the arguments.
pub(super) fn take(asked: &mut Map<String, Value>, name: &str) -> Option<String> {
    match asked.shift_remove(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    }
}

/// Returns the arguments of `home_call`; what is left of `asked` is the service's data.
pub(super) fn call(service: &str, target: Value, mut asked: Map<String, Value>) -> Value {
    let mut order = json!({ "service": service, "target": target });
    for own in ["dry_run", "house"] {
        if let Some(value) = asked.shift_remove(own) {
            order[own] = value;
        }
    }
    // Home Assistant takes no mireds any more; what people saved has them.
    if let Some(mireds) = asked.get("color_temp").and_then(Value::as_f64)
        && mireds >= 1.0
    {
        asked.shift_remove("color_temp");
        asked.insert("color_temp_kelvin".into(), json!((1e6 / mireds).round() as u64));
    }
    order["data"] = asked.into();
    order
}

fn target(asked: &mut Map<String, Value>) -> Value {
    let mut target = Map::new();
    for name in ["entity_id", "area_id"] {
        if let Some(value) = asked.shift_remove(name)
            && !value.is_null()
        {
            target.insert(name.into(), value);
        }
    }
    target.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(asked: Value) -> Result<Value, Error> {
        let Value::Object(asked) = asked else { panic!("arguments are an object") };
        of_command(asked)
    }

    #[test]
    fn commands_become_services_of_the_entitys_domain() {
        for (asked, service, data) in [
            (
                json!({"command": "turn_on", "entity_id": "light.a", "brightness": 9, "state": "on"}),
                "light.turn_on",
                json!({"brightness": 9}),
            ),
            (
                json!({"command": "set_position", "entity_id": "cover.a", "position": 4}),
                "cover.set_cover_position",
                json!({"position": 4}),
            ),
            (
                json!({"command": "turn_on", "entity_id": "light.a", "color_temp": 250}),
                "light.turn_on",
                json!({"color_temp_kelvin": 4000}),
            ),
            (json!({"command": "close", "area_id": "attic"}), "cover.close_cover", json!({})),
        ] {
            let order = command(asked).unwrap();
            assert_eq!((&order["service"], &order["data"]), (&json!(service), &data));
        }
    }

    #[test]
    fn commands_without_a_place_are_refused() {
        for (asked, says) in [
            (json!({"command": "turn_on"}), "give an entity_id or an area_id"),
            (json!({"entity_id": "light.a"}), "'command' is missing"),
            (json!({"command": "dance", "area_id": "attic"}), "'dance' needs an entity_id"),
        ] {
            let refused = command(asked).unwrap_err().to_string();
            assert!(refused.contains(says), "{refused}");
        }
    }
}
