//! The effects: what there is, what each can be told, and the function that paints it.
//!
//! An effect is a pure function of a [`Scene`]; it fills the pixels that it is given, which are part
//! of its zone's line, for the time that the scene says. Each answers to a single lamp (a line of one
//! pixel) in a way of its own.

mod beat;
mod flow;
mod level;
mod strike;
mod tone;

use super::scene::Scene;
use crate::aurora::light::Light;

/// An effect.
pub struct Effect {
    /// Its name, as profiles write it.
    pub name: &'static str,
    /// What it looks like, in a sentence.
    pub what: &'static str,
    /// The palette that suits it, when none is named.
    pub palette: &'static str,
    /// What can be set besides palette, brightness, speed, intensity, mirror and reverse.
    pub parameters: &'static [Parameter],
    pub(super) paint: fn(&Scene, &mut [Light]),
}

/// Something that can be set.
#[derive(Debug)]
pub struct Parameter {
    /// Its name, as profiles write it.
    pub name: &'static str,
    /// What it changes.
    pub what: &'static str,
    /// What it may be.
    pub kind: Kind,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A number from the first to the second, the third when nothing is said.
    Number(f32, f32, f32),
    /// A whole number, likewise.
    Count(u16, u16, u16),
    /// Yes or no, and what it is when nothing is said.
    Switch(bool),
    /// One of these words; the first when nothing is said.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// What it is when nothing is said, as effects see it: words by their place, yes as 1.
    pub(super) fn usual(self) -> f32 {
        match self {
            Kind::Number(.., usual) => usual,
            Kind::Count(.., usual) => f32::from(usual),
            Kind::Switch(on) => f32::from(u8::from(on)),
            Kind::Choice(_) => 0.0,
        }
    }
}

/// A parameter in a table.
const fn set(name: &'static str, what: &'static str, kind: Kind) -> Parameter {
    Parameter { name, what, kind }
}

/// All effects: those on the beat, those of levels, of onsets, of tones, and those that flow.
pub fn all() -> impl Iterator<Item = &'static Effect> {
    [beat::ALL, level::ALL, strike::ALL, tone::ALL, flow::ALL].into_iter().flatten()
}

/// An effect by its name.
pub fn named(name: &str) -> Option<&'static Effect> {
    all().find(|effect| effect.name == name)
}
