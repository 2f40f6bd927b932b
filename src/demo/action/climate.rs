//! Thermostats. What they do to the rooms is in [`crate::demo::life`].

use crate::demo::action::{Data, Refusal};
use crate::demo::attr::Val;
use crate::demo::entity::{Context, Entity};
use crate::demo::house::House;
use serde_json::{Value, json};

/// Targets of the presets.
const ECO: f64 = 17.0;
const COMFORT: f64 = 21.5;
/// Target of a thermostat that is switched on without one.
const USUAL: f64 = 20.0;

/// Sets a thermostat.
pub(crate) fn act(
    house: &mut House,
    id: &str,
    service: &str,
    data: &Data,
    by: Context,
) -> Result<(), Refusal> {
    let word = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    match service {
        "turn_on" | "turn_off" | "toggle" => {
            // A thermostat that is on shows its mode as state, never "on".
            let is_off = house.is(id, "off");
            let on = service == "turn_on" || (service == "toggle" && is_off);
            if on && is_off {
                house.change(id, by, |e| set_mode(e, "heat".into()));
            } else if !on {
                house.change(id, by, |e| set_mode(e, "off".into()));
            }
        }
        "set_preset_mode" => {
            let preset = word("preset_mode").unwrap_or_default();
            listed(house, id, ("preset_modes", "Preset mode", "preset_mode", "climate"), &preset)?;
            house.change(id, by, |e| {
                match &*preset {
                    "eco" => e.set("temperature", ECO),
                    "comfort" => e.set("temperature", COMFORT),
                    _ => {}
                }
                e.set("preset_mode", preset);
            });
        }
        _ => {
            let mode = word("hvac_mode");
            if let Some(mode) = &mode {
                listed(house, id, ("hvac_modes", "HVAC mode", "hvac_mode", "climate"), mode)?;
            }
            let target = data.get("temperature").and_then(Value::as_f64);
            if let Some(target) = target {
                in_range(house, id, target)?;
            }
            house.change(id, by, |e| {
                if let Some(mode) = mode {
                    set_mode(e, mode);
                }
                if let Some(target) = target {
                    e.set("temperature", target);
                    e.set("preset_mode", "none");
                }
            });
        }
    }
    house.warm_rooms(0.0);
    Ok(())
}

fn set_mode(e: &mut Entity, mode: String) {
    if mode == "off" {
        e.set("hvac_action", "off");
    } else if e.number("temperature").is_none() {
        e.set("temperature", USUAL);
    }
    e.put(mode);
}

/// Refuses a word that the entity does not list; `(attribute, what, key, domain)` name it.
pub(crate) fn listed(
    house: &House,
    id: &str,
    (attribute, what, key, domain): (&str, &str, &str, &'static str),
    word: &str,
) -> Result<(), Refusal> {
    let known = house.get(id).map(|e| e.attrs.get(attribute).words()).unwrap_or_default();
    if known.iter().any(|k| k == word) {
        return Ok(());
    }
    let modes = known.join(", ");
    let key = match key {
        "hvac_mode" => "not_valid_hvac_mode",
        _ => "not_valid_preset_mode",
    };
    let many = if what == "HVAC mode" { "HVAC modes" } else { "preset modes" };
    Err(Refusal::validation(
        format!("{what} {word} is not valid. Valid {many} are: {modes}"),
        (key, domain),
        json!({ "mode": word, "modes": modes }),
    ))
}

fn in_range(house: &House, id: &str, target: f64) -> Result<(), Refusal> {
    let bound = |name: &str| match house.get(id).map(|e| e.attrs.get(name).clone()) {
        Some(Val::Num(n)) => n,
        _ => target,
    };
    let (low, high) = (bound("min_temp"), bound("max_temp"));
    if (low..=high).contains(&target) {
        return Ok(());
    }
    let plain = |n: f64| format!("{n:.0}");
    Err(Refusal::validation(
        format!(
            "Provided temperature {target:.1} is not valid. Accepted range is {low:.0} to {high:.0}"
        ),
        ("temp_out_of_range", "climate"),
        json!({ "check_temp": format!("{target:.1}"), "min_temp": plain(low), "max_temp": plain(high) }),
    ))
}
