//! How the devices announce themselves: Home Assistant's MQTT discovery, one retained message for each
//! entity. Pure.

use crate::demo::birth::slug;
use crate::demo::mqtt::state::property;
use crate::demo::mqtt::topics::{self, Speaker, address, speaker};
use crate::demo::plan::{Device, Kind, Lamp, Thing};
use serde_json::{Value, json};

/// Returns the discovery messages of a device: topic and payload.
pub(super) fn configs(device: &Device) -> Vec<(String, Value)> {
    device.things.iter().filter_map(|thing| config(device, thing)).collect()
}

fn config(device: &Device, thing: &Thing) -> Option<(String, Value)> {
    let name = property(device, thing);
    let value = format!("{{{{ value_json.{name} }}}}");
    let at_gateway = speaker(device) == Speaker::Gateway;
    let command = |property: &str| topics::command(device, property);
    let state = topics::state(device);
    let template = |name: &str| format!("{{{{ value_json.{name} }}}}");
    let mut config = match &thing.kind {
        Kind::Light(lamp, _) => light(*lamp, &command("")),
        Kind::Switch(class, _) => json!({
            "command_topic": command(""), "value_template": value, "device_class": class,
            "payload_on": "{\"state\":\"ON\"}", "payload_off": "{\"state\":\"OFF\"}",
            "state_on": "ON", "state_off": "OFF"
        }),
        Kind::Sensor(class, state_class, unit, _) => json!({
            "value_template": value, "device_class": class, "state_class": state_class,
            "unit_of_measurement": unit
        }),
        Kind::Binary(class) => {
            let (on, off) = match (at_gateway, *class) {
                (true, "door") => (json!(false), json!(true)),
                (true, _) => (json!(true), json!(false)),
                (false, _) => (json!("ON"), json!("OFF")),
            };
            json!({ "value_template": value, "device_class": class, "payload_on": on,
                    "payload_off": off })
        }
        Kind::Cover(class, _, has_position) => {
            let mut config = json!({ "command_topic": command("cover"), "value_template": value,
                                     "device_class": class });
            if *has_position {
                config["position_topic"] = state.clone().into();
                config["position_template"] = template("position").into();
                config["set_position_topic"] = command("position").into();
            }
            config
        }
        Kind::Climate(modes, ..) => json!({
            "modes": modes, "min_temp": 7, "max_temp": 30, "temp_step": 0.5, "temperature_unit": "C",
            "mode_state_topic": state, "mode_state_template": value,
            "mode_command_topic": command("mode"),
            "temperature_state_topic": state, "temperature_state_template": template("target"),
            "temperature_command_topic": command("target"),
            "current_temperature_topic": state,
            "current_temperature_template": template("current_temperature"),
            "action_topic": state, "action_template": template("action")
        }),
        Kind::Lock => json!({ "command_topic": command("lock"), "value_template": value }),
        Kind::Fan(_) => json!({
            "command_topic": command("fan"), "state_value_template": value,
            "percentage_state_topic": state, "percentage_value_template": template("percentage"),
            "percentage_command_topic": command("percentage")
        }),
        _ => return None,
    };
    let (component, _) = thing.id.split_once('.')?;
    let id = if at_gateway { address(device) } else { format!("demo_{}", device.id) };
    if component != "climate" {
        config["state_topic"] = state.into();
    }
    config["name"] = thing.name.map_or(Value::Null, Value::from);
    config["unique_id"] = format!("{id}_{name}").into();
    config["default_entity_id"] = thing.id.into();
    config["availability"] = availability(device);
    config["availability_mode"] = "all".into();
    config["device"] = about(device, &id);
    config["origin"] = json!({ "name": "Hearth demo house", "sw": env!("CARGO_PKG_VERSION") });
    let topic = format!("homeassistant/{component}/{id}/{}/config", slug(thing));
    Some((topic, config))
}

fn light(lamp: Lamp, command: &str) -> Value {
    let mut config = json!({ "schema": "json", "command_topic": command, "brightness": false });
    let modes: &[&str] = match lamp {
        Lamp::OnOff => return config,
        Lamp::Dimmable => &["brightness"],
        Lamp::White => &["color_temp"],
        Lamp::Colour => &["color_temp", "hs"],
    };
    config["brightness"] = true.into();
    config["brightness_scale"] = 254.into();
    config["supported_color_modes"] = json!(modes);
    if lamp != Lamp::Dimmable {
        // In mireds: 6500 K and 2200 K.
        config["min_mireds"] = 154.into();
        config["max_mireds"] = 455.into();
    }
    config
}

fn availability(device: &Device) -> Value {
    let own = json!({ "topic": topics::presence(device) });
    if speaker(device) == Speaker::Own {
        return json!([own]);
    }
    let template = "{{ value_json.state }}";
    let (gateway, _) = topics::gateway_presence(true);
    json!([
        { "topic": gateway, "value_template": template },
        { "topic": own["topic"], "value_template": template },
    ])
}

fn about(device: &Device, id: &str) -> Value {
    let own =
        if speaker(device) == Speaker::Gateway { format!("zigbee2mqtt_{id}") } else { id.into() };
    let mut about = json!({
        "identifiers": [own], "name": device.name, "manufacturer": device.maker,
        "model": device.model, "sw_version": "demo"
    });
    let area = crate::demo::plan::AREAS.iter().find(|area| Some(area.id) == device.area);
    if let Some(area) = area {
        about["suggested_area"] = area.name.into();
    }
    about
}
