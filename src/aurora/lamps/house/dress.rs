//! What a light of Home Assistant is told, from what it can do; and how it is put back. Pure.

use crate::aurora::light::Light;
use crate::error::Error;
use crate::home::lights::Bulb;
use serde_json::{Map, Value, json};

/// Light goes with about this power of what lamps are told.
const GAMMA: f32 = 2.2;
/// A lamp that was put back fades over so many seconds.
const BACK: f64 = 0.4;

/// What a light can show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Ability {
    /// Any colour.
    Colour,
    /// White between these temperatures (K).
    White(u64, u64),
    /// Brightness only.
    Dim,
}

/// A light in a show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Suit {
    pub(super) ability: Ability,
    pub(super) fades: bool,
}

/// A call: the service, and its data.
pub(super) type Order = (&'static str, Map<String, Value>);

/// What a light has of what people look for, whether or not it can be in a show.
pub(super) fn abilities(bulb: &Bulb) -> Vec<&'static str> {
    let has = |wanted: &[&str]| bulb.modes.iter().any(|mode| wanted.contains(&mode.as_str()));
    let colour = ["hs", "rgb", "rgbw", "rgbww", "xy"];
    let mut all = Vec::new();
    if bulb.modes.iter().any(|mode| mode != "onoff" && mode != "unknown") {
        all.push("brightness");
    }
    if has(&colour) {
        all.push("color");
    }
    if has(&["color_temp"]) {
        all.push("color_temp");
    }
    all
}

impl Suit {
    /// Finds out what a light can show.
    ///
    /// # Errors
    /// Invalid for one that can only be switched; Offline for one that is away.
    pub(super) fn of(id: &str, bulb: &Bulb) -> Result<Suit, Error> {
        let has = |modes: &[&str]| bulb.modes.iter().any(|mode| modes.contains(&&**mode));
        let ability = if has(&["hs", "rgb", "rgbw", "rgbww", "xy"]) {
            Ability::Colour
        } else if has(&["color_temp"]) {
            let (warm, cold) = bulb.kelvin.unwrap_or((2000, 6500));
            Ability::White(warm, cold.max(warm))
        } else if has(&["brightness", "white"]) {
            Ability::Dim
        } else {
            return Err(Error::invalid(format!(
                "{id} can only be switched on and off, which many times a second wears it out: \
                 leave it out of the show"
            )));
        };
        if bulb.state == "unavailable" {
            return Err(Error::offline(format!(
                "{id} is 'unavailable' in Home Assistant: start the show again when it is back"
            )));
        }
        Ok(Suit { ability, fades: bulb.fades })
    }

    /// Returns the call that shows `light`, over `fade` seconds.
    pub(super) fn order(self, light: Light, fade: f64) -> Order {
        let [r, g, b] = light.0.map(|x| x.clamp(0.0, 1.0));
        let most = r.max(g).max(b);
        let level = if self.ability == Ability::Colour { most } else { light.luminance() };
        let mut data = Map::new();
        if self.fades {
            data.insert("transition".into(), json!((fade * 10.0).round() / 10.0));
        }
        let brightness = (level.clamp(0.0, 1.0).powf(1.0 / GAMMA) * 255.0).round() as u8;
        if brightness == 0 {
            return ("light.turn_off", data);
        }
        data.insert("brightness".into(), brightness.into());
        match self.ability {
            Ability::Colour => {
                let colour = Light([r / most, g / most, b / most]).bytes(GAMMA);
                data.insert("rgb_color".into(), json!(colour));
            }
            // More blue than red is cold, in the even steps of the eye (reciprocal temperatures).
            Ability::White(warm, cold) if r + b > 0.0 => {
                let [warm, cold] = [warm, cold].map(|kelvin| 1e6 / kelvin.max(1) as f64);
                let mired = warm + (cold - warm) * f64::from(b / (r + b));
                data.insert("color_temp_kelvin".into(), json!((1e6 / mired).round() as u64));
            }
            Ability::White(..) | Ability::Dim => {}
        }
        ("light.turn_on", data)
    }
}

/// Returns what has to be kept of a light to put it back.
pub(super) fn state(bulb: &Bulb) -> Value {
    let mut kept = json!({ "state": bulb.state, "fades": bulb.fades });
    let wanted = ["brightness", "color_mode", "effect"].into_iter().chain(COLOURS.map(|c| c.1));
    for name in wanted {
        if let Some(value) = bulb.attributes.get(name).filter(|value| !value.is_null()) {
            kept[name] = value.clone();
        }
    }
    kept
}

/// The colour modes, and the attribute and field in which each has its colour
/// (Home Assistant, developer documentation, "Light entity", color modes).
const COLOURS: [(&str, &str); 6] = [
    ("color_temp", "color_temp_kelvin"),
    ("hs", "hs_color"),
    ("xy", "xy_color"),
    ("rgb", "rgb_color"),
    ("rgbw", "rgbw_color"),
    ("rgbww", "rgbww_color"),
];

/// Returns the call that puts a light back; one of which nothing was known goes off.
pub(super) fn back(state: &Value) -> Order {
    let mut data = Map::new();
    if state["fades"] == true {
        data.insert("transition".into(), json!(BACK));
    }
    if state["state"] != "on" {
        return ("light.turn_off", data);
    }
    let mut copy = |from: &str, to: &str| {
        if let Some(value) = state.get(from) {
            data.insert(to.to_owned(), value.clone());
        }
    };
    let effect = state["effect"].as_str().unwrap_or_default();
    if !effect.is_empty() && !effect.eq_ignore_ascii_case("none") && effect != "off" {
        copy("effect", "effect");
    }
    let mode = state["color_mode"].as_str().unwrap_or_default();
    match COLOURS.iter().find(|(own, _)| *own == mode) {
        Some((_, field)) => {
            copy("brightness", "brightness");
            copy(field, field);
        }
        None if mode == "white" => copy("brightness", "white"),
        None => copy("brightness", "brightness"),
    }
    ("light.turn_on", data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulb(modes: &[&str], attributes: Value) -> Bulb {
        let modes = modes.iter().map(|mode| (*mode).to_owned()).collect();
        let Value::Object(attributes) = attributes else { panic!() };
        Bulb {
            modes,
            attributes,
            state: "on".into(),
            kelvin: Some((2000, 6500)),
            ..Bulb::default()
        }
    }

    fn told(modes: &[&str], light: [f32; 3]) -> Value {
        let suit = Suit::of("light.a", &bulb(modes, json!({}))).unwrap();
        let (service, data) = suit.order(Light(light), 0.5);
        json!([service, data])
    }

    #[test]
    fn each_kind_of_light_is_told_what_it_can_show() {
        let on = |data: Value| json!(["light.turn_on", data]);
        let colour = on(json!({"brightness": 255, "rgb_color": [255, 0, 0]}));
        for mode in ["hs", "rgb", "rgbw", "rgbww", "xy"] {
            assert_eq!(told(&["color_temp", mode], [1.0, 0.0, 0.0]), colour, "{mode}");
        }
        let half = on(json!({"brightness": 127, "rgb_color": [255, 255, 0]}));
        assert_eq!(told(&["rgb"], [0.214, 0.214, 0.0]), half, "half to the eye");
        let warm = on(json!({"brightness": 126, "color_temp_kelvin": 2000}));
        assert_eq!(told(&["color_temp"], [1.0, 0.0, 0.0]), warm);
        let cold = on(json!({"brightness": 77, "color_temp_kelvin": 6500}));
        assert_eq!(told(&["color_temp"], [0.0, 0.0, 1.0]), cold);
        assert_eq!(told(&["brightness"], [1.0; 3]), on(json!({"brightness": 255})));
        assert_eq!(told(&["rgb"], [0.0; 3]), json!(["light.turn_off", {}]));
        assert_eq!(told(&["brightness"], [1e-7; 3]), json!(["light.turn_off", {}]));
    }

    #[test]
    fn a_light_that_fades_is_told_how_long() {
        let suit = Suit { ability: Ability::Dim, fades: true };
        assert_eq!(suit.order(Light::WHITE, 0.4567).1["transition"], 0.5);
        assert_eq!(suit.order(Light::BLACK, 0.0).1["transition"], 0.0);
    }

    #[test]
    fn a_light_that_cannot_be_in_a_show_is_refused_with_the_reason() {
        let only = Suit::of("light.a", &bulb(&["onoff"], json!({}))).unwrap_err();
        assert!(only.to_string().contains("only be switched"), "{only}");
        let away = Bulb { state: "unavailable".into(), ..bulb(&["rgb"], json!({})) };
        let away = Suit::of("light.a", &away).unwrap_err().to_string();
        assert!(away.contains("light.a is 'unavailable'"), "{away}");
    }

    #[test]
    fn a_light_is_put_back_in_its_own_colour_mode() {
        let back = |state: &str, attributes: Value| {
            let state = state.to_owned();
            let bulb = Bulb { state, ..bulb(&[], attributes) };
            let (service, data) = super::back(&super::state(&bulb));
            json!([service, data])
        };
        let all = |mode: &str| {
            json!({"brightness": 9, "color_mode": mode, "rgb_color": [1, 2, 3], "hs_color": [4, 5],
                   "xy_color": [0.1, 0.2], "color_temp_kelvin": 3000, "rgbw_color": [1, 2, 3, 4],
                   "rgbww_color": [1, 2, 3, 4, 5], "effect": "None", "friendly_name": "x"})
        };
        let on = |data: Value| json!(["light.turn_on", data]);
        for (mode, field) in COLOURS {
            let want = on(json!({"brightness": 9, field: all(mode)[field]}));
            assert_eq!(back("on", all(mode)), want, "{mode}");
        }
        assert_eq!(back("on", all("white")), on(json!({"white": 9})));
        assert_eq!(back("on", all("brightness")), on(json!({"brightness": 9})));
        let effect = json!({"effect": "rainbow", "brightness": 9, "color_mode": "brightness"});
        assert_eq!(back("on", effect), on(json!({"brightness": 9, "effect": "rainbow"})));
        assert_eq!(back("off", json!({"brightness": null})), json!(["light.turn_off", {}]));
    }
}
