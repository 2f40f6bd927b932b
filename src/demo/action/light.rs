//! Lamps.

use crate::demo::action::{Data, Refusal};
use crate::demo::attr::{Attrs, Val};
use crate::demo::colour::{self, Hs};
use crate::demo::entity::{Context, Entity};
use crate::demo::house::House;
use serde_json::{Value, json};

/// What a lamp that was never on shines with.
const FIRST_BRIGHTNESS: i64 = 180;
const FIRST_KELVIN: i64 = 2900;

/// Switches and colours a lamp.
pub(crate) fn act(
    house: &mut House,
    id: &str,
    service: &str,
    data: &Data,
    by: Context,
) -> Result<(), Refusal> {
    let is_on = house.is(id, "on");
    let turns_off = service == "turn_off" || (service == "toggle" && is_on);
    let colour = if turns_off { None } else { wanted(data)? };
    house.change(id, by, |e| if turns_off { turn_off(e) } else { turn_on(e, data, colour) });
    Ok(())
}

/// A colour as asked for.
#[derive(Clone, Copy)]
enum Colour {
    Hs(Hs),
    Kelvin(i64),
}

fn wanted(data: &Data) -> Result<Option<Colour>, Refusal> {
    let numbers = |name: &str| -> Option<Vec<f64>> {
        Some(data.get(name)?.as_array()?.iter().filter_map(Value::as_f64).collect())
    };
    if let Some(name) = data.get("color_name").and_then(Value::as_str) {
        let unknown = || Refusal::format(format!("unknown color name '{name}' at 'color_name'"));
        let rgb = colour::named(name).ok_or_else(unknown)?;
        return Ok(Some(Colour::Hs(colour::rgb_to_hs(rgb))));
    }
    if let Some(rgb) = numbers("rgb_color") {
        let byte = |n: usize| rgb[n].clamp(0.0, 255.0) as u8;
        return Ok(Some(Colour::Hs(colour::rgb_to_hs([byte(0), byte(1), byte(2)]))));
    }
    if let Some(hs) = numbers("hs_color") {
        return Ok(Some(Colour::Hs((hs[0].clamp(0.0, 360.0), hs[1].clamp(0.0, 100.0)))));
    }
    Ok(data.get("color_temp_kelvin").and_then(Value::as_i64).map(Colour::Kelvin))
}

fn turn_off(e: &mut Entity) {
    e.put("off");
    for name in
        ["color_mode", "brightness", "color_temp_kelvin", "hs_color", "rgb_color", "xy_color"]
    {
        if e.attrs.has(name) {
            e.set(name, Val::Null);
        }
    }
}

fn turn_on(e: &mut Entity, data: &Data, colour: Option<Colour>) {
    let modes = e.attrs.get("supported_color_modes").clone();
    let was_on = e.is("on");
    let shown = e.number("brightness").map_or(FIRST_BRIGHTNESS, |n| n as i64);
    let now = if was_on { shown } else { 0 };
    let number = |name: &str| data.get(name).and_then(Value::as_i64);
    let percent = |n: i64| (n as f64 * 2.55).round() as i64;
    let brightness = number("brightness")
        .or_else(|| number("brightness_pct").map(percent))
        .or_else(|| number("brightness_step").map(|n| now + n))
        .or_else(|| number("brightness_step_pct").map(|n| now + percent(n)))
        .unwrap_or(shown)
        .clamp(0, 255);
    if brightness == 0 {
        return turn_off(e);
    }
    e.put("on");
    if modes.lists("onoff") {
        return e.set("color_mode", "onoff");
    }
    e.set("brightness", brightness);
    if modes.lists("brightness") {
        return e.set("color_mode", "brightness");
    }
    match colour {
        Some(Colour::Hs(hs)) if modes.lists("hs") => show_colour(&mut e.attrs, hs),
        // A lamp that knows only white takes the nearest there is: it stays as it is.
        Some(Colour::Hs(_)) if was_on => {}
        Some(Colour::Kelvin(kelvin)) => show_white(&mut e.attrs, kelvin),
        None if was_on => {}
        _ => show_white(&mut e.attrs, FIRST_KELVIN),
    }
}

/// Shows a white of this colour temperature, within what the lamp can do.
pub(crate) fn show_white(attrs: &mut Attrs, kelvin: i64) {
    let bound = |name: &str, or: f64| attrs.get(name).number().unwrap_or(or) as i64;
    let low = bound("min_color_temp_kelvin", 2000.0);
    let kelvin = kelvin.clamp(low, bound("max_color_temp_kelvin", 6500.0).max(low));
    let rgb = colour::kelvin_to_rgb(kelvin as f64);
    attrs.set("color_mode", "color_temp");
    attrs.set("color_temp_kelvin", kelvin);
    show_rgb(attrs, colour::rgb_to_hs(rgb), rgb);
}

fn show_colour(attrs: &mut Attrs, hs: Hs) {
    attrs.set("color_mode", "hs");
    attrs.set("color_temp_kelvin", Val::Null);
    show_rgb(attrs, hs, colour::hs_to_rgb(hs));
}

fn show_rgb(attrs: &mut Attrs, (hue, saturation): Hs, rgb: [u8; 3]) {
    let (x, y) = colour::rgb_to_xy(rgb);
    attrs.set("hs_color", json!([hue, saturation]));
    attrs.set("rgb_color", json!(rgb));
    attrs.set("xy_color", json!([x, y]));
}
