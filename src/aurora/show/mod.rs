//! The show: moments become light. Pure: it opens nothing, knows no clock, and once it runs it waits
//! for nothing and allocates nothing.
//!
//! A [`Profile`] says which zones show which effect; a [`Plan`] is a profile made ready for the lamps of
//! this house. A [`Show`] paints it lamp by lamp, each for the time at which that lamp is seen, remembers
//! what was heard ([`trail`]), fades from plan to plan, and lets nothing through that flashes too often
//! ([`safety`]). A [`Desk`] changes it while it runs. What is shown depends on the seed, the moments and
//! the times of painting, and on nothing else.

mod desk;
pub mod effects;
mod field;
mod palette;
mod plan;
mod profile;
mod safety;
mod scene;
mod shelf;
mod trail;

pub use desk::Desk;
pub use palette::Palette;
pub use plan::{Fixture, Plan};
pub use profile::{Colours, Part, Profile, Value, Zone};
pub use shelf::Shelf;
pub(super) use shelf::{checked, replace};

use crate::aurora::analyse::Frame;
use crate::aurora::light::Light;
use crate::aurora::moment::{Moment, Watcher};
use crate::error::Error;
use safety::Safety;
use std::sync::Arc;
use trail::Trail;

/// Whoever paints lamps. It is called by the thread of the lamps: it must not wait, lock or allocate.
pub trait Paint: Send {
    /// Paints lamp number `lamp` as it is to be seen at `seconds` (of the clock of the moments) into
    /// `pixels`. Lamps may be asked in any order, each at its own times, which go forward.
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]);
}

/// The longest a lamp may be painted ahead of another (s); a fade is over for all by then.
const AHEAD: f64 = 2.0;
/// A fade that stands in the way of the next plan ends within so many seconds.
const HASTE: f64 = 0.25;

/// A running show.
#[derive(Debug)]
pub struct Show {
    watcher: Watcher,
    trail: Trail,
    plan: Box<Plan>,
    /// The plan shown before, while it fades.
    before: Option<Box<Plan>>,
    fade: Fade,
    safety: Safety,
    /// For each lamp the last time it was painted for.
    painted: Vec<f64>,
    scratch: Vec<Light>,
    shared: Arc<desk::Shared>,
}

/// When a fade begins and how long it is (s).
#[derive(Clone, Copy, Debug, Default)]
struct Fade {
    begin: f64,
    length: f64,
}

impl Fade {
    fn share(self, seconds: f64) -> f32 {
        match self.length > 0.0 {
            true => ((seconds - self.begin) / self.length).clamp(0.0, 1.0) as f32,
            false => 1.0,
        }
    }
}

impl Show {
    /// A show of `profile` on these lamps, and the desk that changes it. The same seed, moments and
    /// times give the same light.
    ///
    /// # Errors
    /// Invalid: as [`Plan::new`].
    pub fn new(lamps: Vec<Fixture>, profile: &Profile, seed: u32) -> Result<(Show, Desk), Error> {
        let plan = Box::new(Plan::new(profile, &lamps, seed)?);
        let most = lamps.iter().map(|lamp| lamp.pixels).max().unwrap_or(0);
        let count = lamps.len();
        let (desk, shared) = Desk::new(lamps.into(), seed);
        let show = Show {
            watcher: Watcher::default(),
            trail: Trail::default(),
            plan,
            before: None,
            fade: Fade::default(),
            safety: Safety::new(count),
            painted: vec![f64::MIN; count],
            scratch: vec![Light::BLACK; most],
            shared,
        };
        Ok((show, desk))
    }

    /// Takes a frame of the analysis whose last sample was heard at `at` (s).
    pub fn see(&mut self, frame: &Frame, at: f64) {
        self.watcher.see(frame, at);
        self.trail.hear(&self.watcher.at(at));
    }

    /// Takes the moment that is heard now, when there are moments rather than frames (a timeline).
    /// They come in order of time; a jump of seconds begins anew.
    pub fn hear(&mut self, moment: &Moment) {
        self.trail.hear(moment);
    }

    /// Paints a lamp for a moment of one's own, to be seen at `seconds`; [`Paint::paint`] with the
    /// moment given.
    pub fn paint_moment(
        &mut self,
        lamp: usize,
        seconds: f64,
        moment: &Moment,
        pixels: &mut [Light],
    ) {
        self.turn(lamp, seconds);
        self.plan.paint(lamp, moment, &self.trail, pixels);
        let share = self.fade.share(seconds);
        if let Some(before) = self.before.as_ref().filter(|_| share < 1.0) {
            // Never longer than the longest lamp, unless somebody asks for more than there is.
            let scratch = &mut self.scratch;
            let length = pixels.len().min(scratch.len());
            before.paint(lamp, moment, &self.trail, &mut scratch[..length]);
            for (pixel, old) in pixels.iter_mut().zip(&scratch[..length]) {
                *pixel = old.mix(*pixel, share);
            }
        }
        let brightness = self.shared.brightness();
        if brightness < 1.0 {
            pixels.iter_mut().for_each(|pixel| *pixel = pixel.times(brightness));
        }
        if self.shared.is_careful() {
            self.safety.pass(lamp, seconds, pixels);
        }
    }

    /// Ends fades that are over and begins the next.
    fn turn(&mut self, lamp: usize, seconds: f64) {
        if let Some(last) = self.painted.get_mut(lamp) {
            *last = seconds;
        }
        if self.before.is_some() {
            let end = self.fade.begin + self.fade.length;
            let seen = self.painted.iter().all(|last| *last >= end);
            if seen || seconds > end + AHEAD {
                self.shared.give_back(&mut self.before);
            } else if self.shared.is_waiting() && end - seconds > HASTE {
                // Where it is now, but faster from here.
                let left = 1.0 - f64::from(self.fade.share(seconds));
                let length = HASTE / left.max(1e-3);
                self.fade = Fade { begin: seconds + HASTE - length, length };
            }
        }
        if self.before.is_none()
            && let Some(next) = self.shared.next()
        {
            self.fade = Fade { begin: seconds, length: f64::from(next.fade) };
            self.before = Some(std::mem::replace(&mut self.plan, next));
        }
    }
}

impl Paint for Show {
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        let moment = self.watcher.at(seconds);
        self.paint_moment(lamp, seconds, &moment, pixels);
    }
}
