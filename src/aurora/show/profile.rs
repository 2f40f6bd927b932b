//! Profiles: what a show looks like, as people save and share it.
//!
//! A profile is a named list of zones; each has lamps, an effect, a palette and settings. It is one
//! JSON document. Reading one checks everything that can be checked without knowing the house; which
//! of its lamps this house has is seen when it is shown ([`super::Plan`]).

use super::effects::{self, Effect, Kind};
use super::palette::Palette;
use crate::error::Error;
use crate::text::clean;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format, which every document names.
const VERSION: u32 = 1;
/// Largest document (bytes).
pub(super) const LARGEST: usize = 256 * 1024;
/// Most zones of a profile, lamps of a zone, palettes of its own.
const MOST: usize = 100;
/// Longest name (characters).
const LONGEST: usize = 60;

/// A saved look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The version of the format: 1.
    pub version: u32,
    /// Its name.
    pub name: String,
    /// Seconds in which what was shown before fades into this.
    #[serde(default = "fade")]
    pub fade: f32,
    /// Palettes besides the built-in ones, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub palettes: BTreeMap<String, Colours>,
    /// Its zones.
    pub zones: Vec<Zone>,
}

/// The colours of an own palette.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Colours {
    /// From the first to the last, as `rrggbb`.
    pub colours: Vec<String>,
    /// Whether the last leads back to the first.
    #[serde(default)]
    pub round: bool,
}

/// Some lamps that show one effect together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Its lamps in order; none means every lamp that no other zone has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lamps: Vec<Part>,
    /// Whether the lamps are one line; else each shows all of it.
    #[serde(default = "yes")]
    pub across: bool,
    /// The name of the effect.
    pub effect: String,
    /// The name of the palette, its own or a built-in one; empty: what suits the effect.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub palette: String,
    /// How bright, 0 to 1.
    #[serde(default = "full")]
    pub brightness: f32,
    /// How fast, 0.1 to 4; 1 is as the effect was made.
    #[serde(default = "full")]
    pub speed: f32,
    /// How strongly it answers to the music, 0 to 1.
    #[serde(default = "intensity")]
    pub intensity: f32,
    /// Whether the line begins in its middle and runs to both ends.
    #[serde(default)]
    pub mirror: bool,
    /// Whether it runs from its end to its beginning.
    #[serde(default)]
    pub reverse: bool,
    /// The effect's own parameters, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, Value>,
}

/// A lamp, or some of its pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The lamp's name.
    pub lamp: String,
    /// The first pixel, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub from: usize,
    /// The first pixel that is no longer part of it; without it, the lamp's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<usize>,
    /// Whether it hangs the other way round.
    #[serde(default, skip_serializing_if = "is_no")]
    pub reverse: bool,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Switch(bool),
    /// A number.
    Number(f32),
    /// One of some words.
    Word(String),
}

fn fade() -> f32 {
    1.0
}
fn full() -> f32 {
    1.0
}
fn intensity() -> f32 {
    0.7
}
fn yes() -> bool {
    true
}
fn is_zero(x: &usize) -> bool {
    *x == 0
}
fn is_no(x: &bool) -> bool {
    !*x
}

impl Zone {
    /// A zone of every lamp with this effect and nothing else set.
    pub fn of(effect: &str) -> Zone {
        Zone {
            name: "all".to_owned(),
            lamps: Vec::new(),
            across: true,
            effect: effect.to_owned(),
            palette: String::new(),
            brightness: 1.0,
            speed: 1.0,
            intensity: intensity(),
            mirror: false,
            reverse: false,
            set: BTreeMap::new(),
        }
    }

    /// The effect, and the values of its parameters in the order of its table.
    pub(super) fn resolved(&self) -> Result<(&'static Effect, Vec<f32>), Error> {
        let at = format!("zone '{}'", clean(&self.name, LONGEST));
        let effect = effects::named(&self.effect).ok_or_else(|| {
            let names: Vec<_> = effects::all().map(|e| e.name).collect();
            let shown = clean(&self.effect, LONGEST);
            Error::invalid(format!("{at}: no effect '{shown}'; there are {}", names.join(", ")))
        })?;
        for (what, value, low, high) in [
            ("brightness", self.brightness, 0.0, 1.0),
            ("speed", self.speed, 0.1, 4.0),
            ("intensity", self.intensity, 0.0, 1.0),
        ] {
            within(&at, what, value, low, high)?;
        }
        let mut values: Vec<f32> = effect.parameters.iter().map(|p| p.kind.usual()).collect();
        for (name, value) in &self.set {
            let Some(place) = effect.parameters.iter().position(|p| p.name == name) else {
                let names: Vec<_> = effect.parameters.iter().map(|p| p.name).collect();
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(Error::invalid(format!(
                    "{at}: {} has no parameter '{}'; its parameters are: {known}",
                    effect.name,
                    clean(name, LONGEST)
                )));
            };
            values[place] = number(&at, name, effect.parameters[place].kind, value)?;
        }
        Ok((effect, values))
    }
}

fn within(at: &str, what: &str, value: f32, low: f32, high: f32) -> Result<(), Error> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{at}: {what} is {value}; it must be from {low} to {high}")))
}

/// A value as effects see it.
fn number(at: &str, name: &str, kind: Kind, value: &Value) -> Result<f32, Error> {
    let wrong = |want: String| Err(Error::invalid(format!("{at}: '{name}' must be {want}")));
    match (kind, value) {
        (Kind::Number(low, high, _), Value::Number(x)) => {
            within(at, name, *x, low, high).map(|()| *x)
        }
        (Kind::Count(low, high, _), Value::Number(x)) if x.fract() == 0.0 => {
            within(at, name, *x, f32::from(low), f32::from(high)).map(|()| *x)
        }
        (Kind::Switch(_), Value::Switch(on)) => Ok(f32::from(u8::from(*on))),
        (Kind::Choice(words), Value::Word(word)) if words.contains(&word.as_str()) => {
            Ok(words.iter().position(|w| w == word).unwrap_or(0) as f32)
        }
        (Kind::Number(low, high, _), _) => wrong(format!("a number from {low} to {high}")),
        (Kind::Count(low, high, _), _) => wrong(format!("a whole number from {low} to {high}")),
        (Kind::Switch(_), _) => wrong("true or false".to_owned()),
        (Kind::Choice(words), _) => wrong(format!("one of {}", words.join(", "))),
    }
}

impl Profile {
    /// A profile of one zone with every lamp.
    pub fn of(zone: Zone) -> Profile {
        let name = zone.effect.clone();
        Profile {
            version: VERSION,
            name,
            fade: fade(),
            palettes: BTreeMap::new(),
            zones: vec![zone],
        }
    }

    /// Whether a zone of it has this lamp, by name or with all the others.
    pub fn paints(&self, lamp: &str) -> bool {
        let has =
            |zone: &Zone| zone.lamps.is_empty() || zone.lamps.iter().any(|part| part.lamp == lamp);
        self.zones.iter().any(has)
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// Invalid: no JSON, another version, an unknown effect, palette or parameter, a value out of its
    /// range; it says what and where. Limit: larger than 256 KB.
    pub fn parse(text: &str) -> Result<Profile, Error> {
        if text.len() > LARGEST {
            return Err(Error::limit(format!("a profile has at most {} KB", LARGEST / 1024)));
        }
        #[derive(Deserialize)]
        struct Head {
            version: Option<u32>,
        }
        let wrong = |e: serde_json::Error| {
            Error::invalid(format!("the profile is not right: {}", clean(&e.to_string(), 300)))
        };
        let head: Head = serde_json::from_str(text).map_err(wrong)?;
        if head.version != Some(VERSION) {
            let found = head.version.map_or("none".to_owned(), |v| v.to_string());
            return Err(Error::invalid(format!(
                "a profile says \"version\": {VERSION}, this one says {found}; export it again"
            )));
        }
        let profile: Profile = serde_json::from_str(text).map_err(wrong)?;
        profile.check()?;
        Ok(profile)
    }

    /// Checks what can be checked without knowing the house.
    ///
    /// # Errors
    /// Invalid, as [`Profile::parse`].
    pub fn check(&self) -> Result<(), Error> {
        named("the profile", &self.name)?;
        within("the profile", "fade", self.fade, 0.0, 30.0)?;
        let lamps = self.zones.iter().map(|zone| zone.lamps.len());
        let most = lamps.chain([self.zones.len(), self.palettes.len()]).max();
        if self.zones.is_empty() || most > Some(MOST) {
            return Err(Error::invalid(format!(
                "a profile has 1 to {MOST} zones, each with at most {MOST} lamps, and at most {MOST} \
                 palettes"
            )));
        }
        for (k, zone) in self.zones.iter().enumerate() {
            named(&format!("zone {}", k + 1), &zone.name)?;
            if self.zones[..k].iter().any(|other| other.name == zone.name) {
                let name = clean(&zone.name, LONGEST);
                return Err(Error::invalid(format!("two zones are called '{name}'; rename one")));
            }
            zone.resolved()?;
            self.palette(zone)?;
        }
        Ok(())
    }

    /// The palette of a zone.
    pub(super) fn palette(&self, zone: &Zone) -> Result<Palette, Error> {
        if let Some(own) = self.palettes.get(&zone.palette) {
            return Palette::new(own.colours.iter().map(String::as_str), own.round);
        }
        let suits = effects::named(&zone.effect).map(|effect| effect.palette);
        let name = suits.filter(|_| zone.palette.is_empty()).unwrap_or(&zone.palette);
        Palette::named(name).ok_or_else(|| {
            let (at, shown) = (clean(&zone.name, LONGEST), clean(&zone.palette, LONGEST));
            let own = self.palettes.keys().map(|name| clean(name, LONGEST));
            let names: Vec<_> = Palette::names().map(str::to_owned).chain(own).collect();
            let names = names.join(", ");
            Error::invalid(format!("zone '{at}': no palette '{shown}'; there are {names}"))
        })
    }

    /// The document.
    ///
    /// # Errors
    /// Broken: a number in it is none (NaN).
    pub fn text(&self) -> Result<String, Error> {
        let fault = |e| Error::broken("cannot write the profile").because(e);
        Ok(serde_json::to_string_pretty(self).map_err(fault)? + "\n")
    }
}

fn named(what: &str, name: &str) -> Result<(), Error> {
    let fine = !name.trim().is_empty()
        && name.chars().count() <= LONGEST
        && !name.chars().any(crate::text::is_hidden);
    if fine {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{what} needs a name of 1 to {LONGEST} characters without control characters"
    )))
}
