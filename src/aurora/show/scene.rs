//! What an effect is given: the music at one time, the settings of its zone, and which pixels of the
//! zone's line it is to paint now. Everything an effect computes comes from here, so it has no state.

use super::palette::Palette;
use super::trail::{Step, Strike, Trail};
use crate::aurora::light::Light;
use crate::aurora::moment::Moment;
use std::f32::consts::TAU;

/// The settings of a zone that every effect has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dials {
    /// How fast: 1 is as written.
    pub(super) speed: f32,
    /// How strongly it answers to the music: 0 to 1.
    pub(super) intensity: f32,
    pub(super) mirror: bool,
    pub(super) reverse: bool,
}

/// One effect's view of one time.
pub(super) struct Scene<'a> {
    pub(super) moment: &'a Moment,
    pub(super) trail: &'a Trail,
    pub(super) palette: &'a Palette,
    pub(super) dials: Dials,
    /// The effect's own parameters, in the order of its table.
    pub(super) values: &'a [f32],
    pub(super) seed: u32,
    /// The first pixel to paint, and how many the whole line has.
    pub(super) first: usize,
    pub(super) count: usize,
}

impl Scene<'_> {
    /// Each pixel with its place on the line, 0 to 1, after mirror and reverse.
    pub(super) fn spots<'p>(
        &self,
        pixels: &'p mut [Light],
    ) -> impl Iterator<Item = (f32, &'p mut Light)> + use<'p> {
        let (first, count, dials) = (self.first, self.count.max(1) as f32, self.dials);
        pixels.iter_mut().enumerate().map(move |(k, pixel)| {
            let mut x = ((first + k) as f32 + 0.5) / count;
            if dials.reverse {
                x = 1.0 - x;
            }
            if dials.mirror {
                // The middle of the line is the beginning of both halves.
                x = (2.0 * x - 1.0).abs();
            }
            (x, pixel)
        })
    }

    /// Paints each pixel by its place.
    pub(super) fn each(&self, pixels: &mut [Light], light: impl Fn(f32) -> Light) {
        for (x, pixel) in self.spots(pixels) {
            *pixel = light(x);
        }
    }

    /// Whether the line is a single lamp, which has no places.
    pub(super) fn single(&self) -> bool {
        self.count <= 1
    }

    /// The width of a pixel on the line.
    pub(super) fn pixel(&self) -> f32 {
        let mirrored = if self.dials.mirror { 2.0 } else { 1.0 };
        mirrored / self.count.max(1) as f32
    }

    /// The time in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.moment.seconds
    }

    /// The speed in octaves, for what stays on the beat: 1/4, 1/2, 1, 2 or 4.
    pub(super) fn tempo(&self) -> f64 {
        2f64.powi(self.dials.speed.max(0.01).log2().round().clamp(-2.0, 2.0) as i32)
    }

    /// The smooth clock in beats, at the zone's speed.
    pub(super) fn beats(&self) -> f64 {
        self.trail.beats(self.seconds()) * self.tempo()
    }

    /// How far the loudness has carried a wave, at the zone's speed.
    pub(super) fn travel(&self) -> f64 {
        self.trail.travel(self.seconds()) * f64::from(self.dials.speed)
    }

    /// Beats so far; without a beat, drums; without those, every few seconds.
    pub(super) fn step(&self) -> u64 {
        let ahead = match (self.moment.beat, self.trail.count) {
            (Some(place), Some(count)) => place.count.saturating_sub(count),
            _ => 0,
        };
        self.trail.steps + ahead
    }

    /// How far the step has come, 0 to 1.
    pub(super) fn phase(&self) -> f32 {
        match self.moment.beat {
            Some(place) => place.phase,
            None => (((self.seconds() - self.trail.step_at) / 0.6) as f32).clamp(0.0, 1.0),
        }
    }

    /// The place in the bar, 0 to 1, and how many beats it has; four steps while it is not clear.
    pub(super) fn bar(&self) -> (f32, u32) {
        match self.moment.beat.and_then(|place| place.bar) {
            Some(bar) => {
                let of = u32::from(bar.of.max(1));
                ((f32::from(bar.beat.max(1)) - 1.0 + self.phase()) / of as f32, of)
            }
            None => (((self.step() % 4) as f32 + self.phase()) / 4.0, 4),
        }
    }

    /// How near the last beat is: 1 on it, then falling, the faster the larger `fall`. Without a
    /// beat it follows what was struck, and the bass.
    pub(super) fn pulse(&self, fall: f32) -> f32 {
        let struck = self.moment.struck;
        let loose = struck[0].max(0.8 * struck[1]).max(0.5 * self.moment.three[0]);
        let tight = match self.moment.beat {
            Some(place) => (-fall * place.phase).exp() * (0.45 + 0.55 * self.trail.smooth.loud),
            None => return loose,
        };
        loose + (tight - loose) * self.trail.grip
    }

    /// How loud it is, as much as the zone answers to it: from 1 - intensity to 1.
    pub(super) fn swell(&self, level: f32) -> f32 {
        1.0 - self.dials.intensity * (1.0 - level.clamp(0.0, 1.0))
    }

    /// The levels so many seconds ago.
    pub(super) fn ago(&self, seconds: f32) -> Step {
        self.trail.level(self.seconds() - f64::from(seconds))
    }

    /// The last onsets of a group with their age in seconds, the newest first.
    pub(super) fn strikes(&self, group: usize) -> impl Iterator<Item = (f32, Strike)> + '_ {
        let now = self.seconds();
        let lately = move |strike: &Strike| {
            let age = (now - strike.at) as f32;
            (0.0..30.0).contains(&age).then_some((age, *strike))
        };
        self.trail.strikes[group].iter().filter_map(lately)
    }

    /// The value of a parameter by its place in the effect's table.
    pub(super) fn value(&self, index: usize) -> f32 {
        self.values.get(index).copied().unwrap_or_default()
    }

    /// A number from 0 to 1 that belongs to this zone and this number.
    pub(super) fn chance(&self, number: u64) -> f32 {
        chance(self.seed, number)
    }

    /// Smooth noise along a line, 0 to 1; its waves are about 2 long.
    pub(super) fn noise(&self, at: f64) -> f32 {
        let whole = at.floor();
        let share = (at - whole) as f32;
        let share = share * share * (3.0 - 2.0 * share);
        let (a, b) = (whole as i64 as u64, (whole as i64 + 1) as u64);
        let (a, b) = (self.chance(a), self.chance(b));
        a + (b - a) * share
    }

    /// Smooth noise on a plane.
    pub(super) fn noise2(&self, at: f64, row: f64) -> f32 {
        let below = row.floor();
        let share = (row - below) as f32;
        let share = share * share * (3.0 - 2.0 * share);
        // Rows far apart, so that they have nothing in common.
        let a = self.noise(at + below * 1013.0);
        let b = self.noise(at + (below + 1.0) * 1013.0);
        a + (b - a) * share
    }
}

/// A number from 0 to 1 by a seed and a number (the finaliser of MurmurHash3, twice).
pub(super) fn chance(seed: u32, number: u64) -> f32 {
    let mixed = |mut x: u64| {
        x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        x ^ (x >> 33)
    };
    let x = mixed(number.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ mixed(u64::from(seed) + 1));
    (x >> 40) as f32 / 16_777_216.0
}

/// A hill of this width around `middle`: 1 on its top, 0 beyond, smooth between.
pub(super) fn hill(x: f32, middle: f32, width: f32) -> f32 {
    let off = ((x - middle) / width.max(1e-4)).abs();
    if off >= 1.0 { 0.0 } else { 0.5 + 0.5 * (off * TAU / 2.0).cos() }
}

/// 0 below `from`, 1 above `to`, smooth between.
pub(super) fn ramp(x: f32, from: f32, to: f32) -> f32 {
    let share = ((x - from) / (to - from).max(1e-6)).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// The part of a clock behind the point.
pub(super) fn part(clock: f64) -> f32 {
    (clock - clock.floor()) as f32
}
