//! What a light on MQTT is told, from what it can do; and how it is put back. Pure.

use crate::aurora::light::Light;
use crate::error::Error;
use crate::mqtt::{Colour, MqttLight};
use serde_json::{Value, json};

/// Light goes with about this power of what lamps are told.
const GAMMA: f32 = 2.2;
/// A lamp that was put back fades over so many seconds.
const BACK: f64 = 0.4;

/// Says whether a light can be in a show.
///
/// # Errors
/// Invalid: it cannot be dimmed, or never says how it is.
pub(super) fn check(light: &MqttLight) -> Result<(), Error> {
    let name = &light.command;
    if light.full.is_none() {
        return Err(Error::invalid(format!(
            "{name} can only be switched on and off, which many times a second wears it out: leave it \
             out of the show"
        )));
    }
    if light.state.is_empty() {
        return Err(Error::invalid(format!(
            "{name} has no state topic, so it could not be put back after the show: give it one in \
             its discovery config, or leave it out"
        )));
    }
    Ok(())
}

/// Returns the message that shows `wanted`, over `fade` seconds.
pub(super) fn payload(light: &MqttLight, wanted: Light, fade: f64) -> Value {
    let rgb = wanted.0.map(|x| x.clamp(0.0, 1.0));
    let most = rgb[0].max(rgb[1]).max(rgb[2]);
    let is_white = matches!(light.colour, Colour::None | Colour::Mired(..) | Colour::Kelvin(..));
    let level = if is_white { wanted.luminance() } else { most };
    let full = f32::from(light.full.unwrap_or(254));
    let brightness = (level.clamp(0.0, 1.0).powf(1.0 / GAMMA) * full).round() as u16;
    let mut told = match brightness {
        0 => json!({ "state": "OFF" }),
        _ => json!({ "state": "ON", "brightness": brightness }),
    };
    if light.fades {
        told["transition"] = json!((fade * 10.0).round() / 10.0);
    }
    if brightness > 0 {
        colour(light, rgb.map(|x| x / most), &mut told);
    }
    told
}

/// Adds the colour of `rgb` (linear, its largest part 1).
fn colour(light: &MqttLight, rgb: [f32; 3], told: &mut Value) {
    let [r, g, b] = rgb;
    // More blue than red is cold, in the even steps of the eye (reciprocal temperatures).
    let share = if r + b > 0.0 { b / (r + b) } else { 0.5 };
    let mired = |cold: f32, warm: f32| warm + (cold - warm) * share;
    match light.colour {
        Colour::None => {}
        Colour::Mired(cold, warm) => {
            told["color_temp"] = json!(mired(cold.into(), warm.into()).round() as u16);
        }
        Colour::Kelvin(warm, cold) => {
            let [warm, cold] = [warm, cold].map(|kelvin| 1e6 / f32::from(kelvin.max(1)));
            told["color_temp"] = json!((1e6 / mired(cold, warm)).round() as u32);
        }
        Colour::HueSaturation => {
            let [hue, saturation] = hue_saturation(rgb.map(|x| x.powf(1.0 / GAMMA)));
            // Zigbee2MQTT and Home Assistant name them otherwise.
            told["color"] = match light.ask.is_some() {
                true => json!({ "hue": hue, "saturation": saturation }),
                false => json!({ "h": hue, "s": saturation }),
            };
        }
        Colour::Xy => {
            // The primaries and white of sRGB (IEC 61966-2-1).
            let x = 0.4124 * r + 0.3576 * g + 0.1805 * b;
            let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            let z = 0.0193 * r + 0.1192 * g + 0.9505 * b;
            let part = |of: f32| (f64::from(of / (x + y + z)) * 1e4).round() / 1e4;
            told["color"] = json!({ "x": part(x), "y": part(y) });
        }
        Colour::Rgb(white) => {
            let [r, g, b] = Light(rgb).bytes(GAMMA);
            told["color"] = match white {
                0 => json!({ "r": r, "g": g, "b": b }),
                1 => json!({ "r": r, "g": g, "b": b, "w": 0 }),
                _ => json!({ "r": r, "g": g, "b": b, "c": 0, "w": 0 }),
            };
        }
    }
}

/// Degrees and percent.
fn hue_saturation([r, g, b]: [f32; 3]) -> [u16; 2] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let gap = most - least;
    if gap <= 0.0 {
        return [0, 0];
    }
    let sixth = if most == r {
        ((g - b) / gap).rem_euclid(6.0)
    } else if most == g {
        (b - r) / gap + 2.0
    } else {
        (r - g) / gap + 4.0
    };
    [(sixth * 60.0).round() as u16 % 360, (gap / most * 100.0).round() as u16]
}

/// Returns what has to be kept of a light to put it back, from what it said of itself.
///
/// # Errors
/// Offline when it said nothing that could be used.
pub(super) fn state(light: &MqttLight, said: &[u8]) -> Result<Value, Error> {
    let said: Value = serde_json::from_slice(said).unwrap_or_default();
    let word = said["state"].as_str().map(str::to_ascii_uppercase);
    let Some(word @ ("ON" | "OFF")) = word.as_deref() else {
        return Err(unknown(light));
    };
    let mut kept = json!({ "state": word, "fades": light.fades });
    for name in ["brightness", "color_mode", "color", "color_temp", "effect"] {
        if !said[name].is_null() {
            kept[name] = said[name].clone();
        }
    }
    Ok(kept)
}

/// Returns the error for a light of which nothing is known.
pub(super) fn unknown(light: &MqttLight) -> Error {
    Error::offline(format!(
        "{} has not said whether it is on, so it could not be put back after the show: is it powered?",
        light.state
    ))
}

/// Returns the message that puts a light back.
pub(super) fn back(state: &Value) -> Value {
    let is_on = state["state"] == "ON";
    let mut told = json!({ "state": if is_on { "ON" } else { "OFF" } });
    if state["fades"] == true {
        told["transition"] = json!(BACK);
    }
    if !is_on {
        return told;
    }
    let mut copy = |name: &str| {
        if let Some(value) = state.get(name) {
            told[name] = value.clone();
        }
    };
    copy("brightness");
    if state["color_mode"] == "color_temp" {
        copy("color_temp");
    } else if state.get("color").is_some() {
        // Both ways to say the same colour may differ; the one that holds counts.
        let colour = &state["color"];
        let xy = json!({ "x": colour["x"], "y": colour["y"] });
        let hs = json!({ "hue": colour["hue"], "saturation": colour["saturation"] });
        told["color"] = match state["color_mode"].as_str() {
            Some("xy") if !colour["x"].is_null() => xy,
            Some("hs") if !colour["hue"].is_null() => hs,
            _ => colour.clone(),
        };
    } else {
        copy("color_temp");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn light(colour: Colour, full: u16) -> MqttLight {
        MqttLight {
            name: "A".into(),
            command: "z/a/set".into(),
            state: "z/a".into(),
            ask: Some("z/a/get".into()),
            colour,
            full: Some(full),
            fades: false,
        }
    }

    #[test]
    fn each_kind_of_light_is_told_what_it_can_show() {
        let red = |colour| payload(&light(colour, 254), Light([1.0, 0.0, 0.0]), 0.0);
        let on = |more: Value| {
            let mut all = json!({"state": "ON", "brightness": 254});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        assert_eq!(red(Colour::Xy), on(json!({"color": {"x": 0.6401, "y": 0.33}})));
        let hs = json!({"color": {"hue": 0, "saturation": 100}});
        assert_eq!(red(Colour::HueSaturation), on(hs));
        assert_eq!(red(Colour::Rgb(0)), on(json!({"color": {"r": 255, "g": 0, "b": 0}})));
        let rgbww = json!({"color": {"r": 255, "g": 0, "b": 0, "c": 0, "w": 0}});
        assert_eq!(red(Colour::Rgb(2)), on(rgbww));
        let white = |colour| payload(&light(colour, 100), Light::WHITE, 0.0)["color_temp"].clone();
        assert_eq!(white(Colour::Mired(153, 500)), 327);
        assert_eq!(white(Colour::Kelvin(2000, 6500)), 3059);
        let dim = payload(&light(Colour::None, 100), Light::WHITE.times(0.2176), 0.0);
        assert_eq!(dim, json!({"state": "ON", "brightness": 50}));
        assert_eq!(payload(&light(Colour::Xy, 254), Light::BLACK, 0.0), json!({"state": "OFF"}));
        let own = MqttLight { ask: None, fades: true, ..light(Colour::HueSaturation, 255) };
        let blue = payload(&own, Light([0.0, 0.0, 1.0]), 0.26);
        let want = json!({"state": "ON", "brightness": 255, "transition": 0.3,
                          "color": {"h": 240, "s": 100}});
        assert_eq!(blue, want);
    }

    #[test]
    fn a_light_is_put_back_as_it_said_it_was() {
        let kept = |said: Value| state(&light(Colour::Xy, 254), said.to_string().as_bytes());
        let said = json!({"state": "ON", "brightness": 7, "color_mode": "xy", "color_temp": 300,
                          "color": {"x": 0.1, "y": 0.2, "hue": 5, "saturation": 6}, "linkquality": 9});
        let put = |said| back(&kept(said).unwrap());
        let xy = json!({"state": "ON", "brightness": 7, "color": {"x": 0.1, "y": 0.2}});
        assert_eq!(put(said.clone()), xy);
        let with = |mode: &str| {
            let mut said = said.clone();
            said["color_mode"] = mode.into();
            said
        };
        let hs = json!({"state": "ON", "brightness": 7, "color": {"hue": 5, "saturation": 6}});
        assert_eq!(put(with("hs")), hs);
        let white = json!({"state": "ON", "brightness": 7, "color_temp": 300});
        assert_eq!(put(with("color_temp")), white);
        assert_eq!(put(json!({"state": "off", "brightness": 7})), json!({"state": "OFF"}));
        assert!(kept(json!({"linkquality": 9})).is_err());
    }

    #[test]
    fn what_cannot_be_dimmed_or_put_back_is_refused() {
        let says = |light: &MqttLight| check(light).unwrap_err().to_string();
        let switch = MqttLight { full: None, ..light(Colour::None, 1) };
        assert!(says(&switch).contains("z/a/set can only be switched"));
        let mute = MqttLight { state: String::new(), ..light(Colour::Xy, 254) };
        assert!(says(&mute).contains("no state topic"));
        assert!(check(&light(Colour::None, 254)).is_ok());
    }
}
