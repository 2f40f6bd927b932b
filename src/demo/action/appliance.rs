//! Switches, fans and the vacuum.

use crate::demo::action::{Data, Refusal, climate};
use crate::demo::attr::Val;
use crate::demo::entity::Context;
use crate::demo::house::House;
use serde_json::Value;

/// Switches something that is on or off.
pub(crate) fn switch(house: &mut House, id: &str, service: &str, by: Context) {
    let on = turns_on(house, id, service);
    house.change(id, by, |e| e.put(if on { "on" } else { "off" }));
}

/// Whether turn_on, turn_off or toggle leaves it on.
pub(crate) fn turns_on(house: &House, id: &str, service: &str) -> bool {
    service == "turn_on" || (service == "toggle" && !house.is(id, "on"))
}

/// Sets a fan.
pub(crate) fn fan(
    house: &mut House,
    id: &str,
    service: &str,
    data: &Data,
    by: Context,
) -> Result<(), Refusal> {
    let preset = data.get("preset_mode").and_then(Value::as_str);
    if let Some(preset) = preset {
        climate::listed(house, id, ("preset_modes", "Preset mode", "preset_mode", "fan"), preset)?;
    }
    let percentage = data.get("percentage").and_then(Value::as_i64);
    let on = match service {
        "set_percentage" => percentage != Some(0),
        "set_preset_mode" => true,
        _ => turns_on(house, id, service) && percentage != Some(0),
    };
    let preset = preset.map(str::to_owned);
    house.change(id, by, |e| {
        e.put(if on { "on" } else { "off" });
        let shown = e.number("percentage").unwrap_or(0.0) as i64;
        let speed = match (on, percentage) {
            (false, _) => 0,
            (true, Some(percentage)) => percentage,
            (true, None) if shown > 0 => shown,
            (true, None) => 66,
        };
        e.set("percentage", speed);
        match preset {
            Some(preset) => e.set("preset_mode", preset),
            None if !on || percentage.is_some() => e.set("preset_mode", Val::Null),
            None => {}
        }
    });
    Ok(())
}

/// Sends the vacuum about.
pub(crate) fn vacuum(house: &mut House, id: &str, service: &str, data: &Data, by: Context) {
    match service {
        "start" | "clean_spot" => {
            house.forget_later(id);
            house.change(id, by, |e| e.put("cleaning"));
        }
        "pause" if house.is(id, "cleaning") || house.is(id, "returning") => {
            house.forget_later(id);
            house.change(id, by, |e| e.put("paused"));
        }
        "stop" if !house.is(id, "docked") => {
            house.forget_later(id);
            house.change(id, by, |e| e.put("idle"));
        }
        "return_to_base" if !house.is(id, "docked") => house.send_home(id, by),
        "set_fan_speed" => {
            // Like Home Assistant's own demo, an unknown speed is let through unheard.
            let Some(speed) = data.get("fan_speed").and_then(Value::as_str) else { return };
            house.change(id, by, |e| {
                if e.attrs.get("fan_speed_list").lists(speed) {
                    e.set("fan_speed", speed.to_owned());
                }
            });
        }
        _ => {}
    }
}
