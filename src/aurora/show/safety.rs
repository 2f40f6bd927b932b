//! Flash safety: no lamp, and not all lamps together, flash more than three times in any second.
//!
//! A flash is a pair of opposing changes of relative luminance of a tenth of the maximum or more, or
//! of saturated red (WCAG 2.2, success criterion 2.3.1, "general flash and red flash thresholds"). Each
//! lamp lights a room by itself, so the mean over its pixels counts for the whole field, and so does the
//! mean over all lamps. We are stricter than the criterion: it does not count changes between lights that
//! are both brighter than 0.80, and red only beyond a saturation; we count all of them.
//!
//! In two steps. While a lamp is asked to flash too often, its contrast is lowered around its own mean,
//! so that it goes on moving, but gently. Behind that stands a guard that counts what is really shown and
//! lets no fourth rise through, of a lamp or of all of them ([`Field`]). Times are those at which the
//! light is seen, so a lamp that is painted earlier is counted where it belongs.

use super::field::Field;
use crate::aurora::light::Light;

/// Flashes in a second.
pub(super) const MOST: usize = 3;
/// A second, and a little for clocks that are not exact.
pub(super) const WINDOW: f64 = 1.02;
/// What counts as a change: less than a tenth, because lamps have few steps when they are dark.
const CHANGE: f32 = 0.08;
/// Likewise for red: the criterion says 20 of 320.
const REDDER: f32 = 0.05;
/// The contrast of a lamp that is asked to flash all the time.
const GENTLE: f32 = 0.08;
/// Seconds in which the mean follows, contrast is taken away, and given back.
const MEAN: f64 = 0.4;
const TAKEN: f64 = 0.12;
const GIVEN: f64 = 1.2;

/// Counts the rises of one quantity and says how far the next may go.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    change: f32,
    low: f32,
    high: f32,
    /// Whether it is at or after the top of a rise that was counted.
    up: bool,
    /// When the last rises ended, the newest first.
    ends: [f64; MOST],
}

impl Guard {
    pub(super) fn new(change: f32) -> Guard {
        Guard { change, low: 0.0, high: 0.0, up: false, ends: [f64::MIN; MOST] }
    }

    /// What may be shown of `want`: all of it or less.
    pub(super) fn ask(&self, want: f32, at: f64) -> f32 {
        let small = want < self.low.min(want) + self.change;
        if self.up || small || at - self.ends[MOST - 1] > WINDOW {
            return want;
        }
        self.low + 0.98 * self.change
    }

    /// Takes what is shown; at most what [`Guard::ask`] allowed.
    pub(super) fn take(&mut self, shown: f32, at: f64) {
        if self.up {
            if shown > self.high {
                (self.high, self.ends[0]) = (shown, self.ends[0].max(at));
            } else if shown <= self.high - self.change {
                (self.up, self.low) = (false, shown);
            }
            return;
        }
        self.low = self.low.min(shown);
        if shown >= self.low + self.change {
            (self.up, self.high) = (true, shown);
            self.ends.rotate_right(1);
            self.ends[0] = at;
        }
    }
}

/// What is known about one lamp.
#[derive(Clone, Debug)]
struct Watched {
    seconds: f64,
    /// What is wanted, whether shown or not, and when its last rises began, the newest first.
    wanted: Guard,
    asked: [f64; MOST + 1],
    mean: Light,
    contrast: f32,
    light: Guard,
    red: Guard,
}

/// The limiter over all lamps of a show.
#[derive(Clone, Debug)]
pub(super) struct Safety {
    lamps: Vec<Watched>,
    light: Field,
    red: Field,
}

impl Safety {
    pub(super) fn new(lamps: usize) -> Safety {
        let lamp = Watched {
            seconds: f64::MIN,
            wanted: Guard::new(CHANGE),
            asked: [f64::MIN; MOST + 1],
            mean: Light::BLACK,
            contrast: 1.0,
            light: Guard::new(CHANGE),
            red: Guard::new(REDDER),
        };
        Safety {
            lamps: vec![lamp; lamps],
            light: Field::new(lamps, CHANGE),
            red: Field::new(lamps, REDDER),
        }
    }

    /// Makes what a lamp is to show at `seconds` safe, in place.
    pub(super) fn pass(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        let Some(own) = self.lamps.get_mut(lamp).filter(|_| !pixels.is_empty()) else { return };
        own.soften(seconds, pixels);
        // The clock of a lamp may not go back, or a flash could be counted where it was not.
        let at = own.seconds;
        let want = mean(pixels, Light::luminance);
        let room = self.light.ask(lamp, at, own.light.ask(want, at));
        if room < want {
            let factor = room / want;
            pixels.iter_mut().for_each(|pixel| *pixel = pixel.times(factor));
        }
        own.light.take(room, at);
        self.light.take(lamp, at, room);

        let want = mean(pixels, redness);
        let mut room = self.red.ask(lamp, at, own.red.ask(want, at));
        if room < want {
            // Towards grey of the same luminance, which is what has been judged above.
            let share = 1.0 - room / want;
            for pixel in pixels.iter_mut() {
                *pixel = pixel.mix(Light([pixel.luminance(); 3]), share);
            }
            room = mean(pixels, redness);
        }
        own.red.take(room, at);
        self.red.take(lamp, at, room);
    }
}

impl Watched {
    /// Lowers the contrast while too much is asked.
    fn soften(&mut self, seconds: f64, pixels: &mut [Light]) {
        let fresh = self.seconds == f64::MIN;
        let past = if fresh { 0.0 } else { (seconds - self.seconds).clamp(0.0, 1.0) };
        self.seconds = self.seconds.max(seconds);
        let share = 1.0 / pixels.len() as f32;
        let sum =
            pixels.iter().fold([0.0; 3], |sum, light| std::array::from_fn(|k| sum[k] + light.0[k]));
        let colour = Light(sum.map(|x| x * share));
        let part = |constant: f64| (1.0 - (-past / constant).exp()) as f32;
        self.mean = if fresh { colour } else { self.mean.mix(colour, part(MEAN)) };
        let was_up = self.wanted.up;
        self.wanted.take(colour.luminance(), self.seconds);
        if self.wanted.up && !was_up {
            self.asked.rotate_right(1);
            self.asked[0] = self.seconds;
        }
        let too_many = self.seconds - self.asked[MOST] < WINDOW;
        let (goal, constant) = if too_many { (GENTLE, TAKEN) } else { (1.0, GIVEN) };
        self.contrast += (goal - self.contrast) * part(constant);
        if self.contrast < 0.999 {
            let mean = self.mean;
            pixels.iter_mut().for_each(|pixel| *pixel = mean.mix(*pixel, self.contrast));
        }
    }
}

fn mean(pixels: &[Light], of: impl Fn(Light) -> f32) -> f32 {
    pixels.iter().map(|pixel| of(*pixel)).sum::<f32>() / pixels.len().max(1) as f32
}

/// How red: what red has beyond green and blue.
fn redness(Light([r, g, b]): Light) -> f32 {
    (r - g - b).max(0.0)
}
