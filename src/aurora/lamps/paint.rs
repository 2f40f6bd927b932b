//! What the show thread asks for pictures.

use super::encode::sync::Levels;
use crate::aurora::light::Light;

pub use crate::aurora::show::Paint;

/// Tells what was heard, for lamps that make pictures of sound themselves. Same rules as [`Paint`].
pub trait Hear: Send {
    /// Takes in what is new since the last call; whether there was anything.
    fn hear(&mut self, levels: &mut Levels) -> bool;
}

/// An output that takes a picture and sends it on by itself: a mailbox, an entertainment area. Same
/// rules as [`Paint`].
pub trait Post: Send {
    /// Seconds from posting to light.
    fn latency(&self) -> f64;
    /// Takes a picture in place of the one before. `accent`: it became much brighter, on a beat. It is to be
    /// `seen` at this second of `CLOCK_MONOTONIC`.
    fn post(&mut self, pixels: &[Light], accent: bool, seen: f64);
}
