//! The tap test: a lamp flashes in a steady rhythm, a person taps along, and the taps say how late the
//! lamp is.
//!
//! People who tap along with a rhythm foresee it, so their own reaction is not in it, but they have a
//! habit of some tens of milliseconds, and their button has its own delay. Both are taken out by tapping
//! first along with something that is not late: a spot that flashes on the page (`own_ms`).

use super::latency::{Measured, quartiles};
use super::paint::Paint;
use crate::aurora::light::Light;
use crate::error::Error;

/// Seconds from flash to flash: slow enough to tell a late lamp from an early one, quick enough to tap
/// along with. It is far from what a flash-rate limit forbids.
pub const PERIOD: f64 = 0.8;
/// Seconds that a flash lasts.
const FLASH: f64 = 0.12;
/// Fewer taps say nothing.
pub const TAPS_MIN: usize = 6;
/// More are not needed.
pub const TAPS_MAX: usize = 200;
/// Taps further from the median than so many quartile distances are refused, but never those this near (s).
const OUTLIER: f64 = 2.0;
const NEAR: f64 = 0.06;
/// When the half in the middle is spread wider than this (s), it was no rhythm.
const SPREAD: f64 = 0.15;

/// Flashes one lamp and keeps the others dark. It is to be played without lead, and with no latency for
/// that lamp.
#[derive(Clone, Copy, Debug)]
pub struct Flasher {
    /// Which lamp.
    pub lamp: usize,
    /// When the first flash is sent, in seconds of `CLOCK_MONOTONIC`.
    pub begin: f64,
}

impl Paint for Flasher {
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        let since = seconds - self.begin;
        let bright = lamp == self.lamp && since >= 0.0 && since.rem_euclid(PERIOD) < FLASH;
        pixels.fill(if bright { Light::WHITE } else { Light::BLACK });
    }
}

/// What the taps say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tapped {
    /// How late the lamp is.
    pub latency: Measured,
    /// Taps that were counted.
    pub used: usize,
    /// Taps that were far from the others.
    pub refused: usize,
}

/// Reads taps (seconds of `CLOCK_MONOTONIC`, any order) along with flashes that were sent from `begin` on.
/// `own_ms` is what the same person's taps say of something that is not late, from [`habit`].
///
/// # Errors
/// Invalid when there are too few taps, too many, or they are no rhythm; says what to do.
pub fn measure(begin: f64, taps: &[f64], own_ms: f64) -> Result<Tapped, Error> {
    let (offset, spread, used) = offsets(begin, taps)?;
    // A lamp cannot shine before it is told to; that would be the rest of the person's habit.
    let ms = (offset * 1000.0 - own_ms).max(0.0);
    let latency = Measured::now(ms, spread * 1000.0, used as u32);
    Ok(Tapped { latency, used, refused: taps.len() - used })
}

/// Reads taps along with a spot on the page that flashed from `begin` on, and returns how late this person
/// taps, in milliseconds; less than 0 for those who are early.
///
/// # Errors
/// As [`measure`].
pub fn habit(begin: f64, taps: &[f64]) -> Result<f64, Error> {
    let (offset, ..) = offsets(begin, taps)?;
    Ok(offset * 1000.0)
}

/// Returns the median distance of taps from flashes, their spread (quartile distance), and how many were
/// counted.
fn offsets(begin: f64, taps: &[f64]) -> Result<(f64, f64, usize), Error> {
    let count = taps.len();
    if count < TAPS_MIN || taps.iter().any(|tap| !tap.is_finite()) {
        return Err(Error::invalid(format!(
            "{count} taps say nothing; tap along with at least {TAPS_MIN} flashes"
        )));
    }
    if count > TAPS_MAX {
        return Err(Error::invalid(format!("{count} taps; {TAPS_MAX} are enough")));
    }
    // Many taps in one flash have a middle like any others, but nobody saw a flash for each.
    let (first, last) = taps.iter().fold((f64::MAX, f64::MIN), |(a, b), t| (a.min(*t), b.max(*t)));
    if last - first < PERIOD * 0.6 * (count - 1) as f64 {
        return Err(Error::invalid(
            "these taps are quicker than the flashes; tap once with each flash",
        ));
    }
    // Taps are places on a circle of one period: their mean direction says where to cut it open.
    let turn = std::f64::consts::TAU / PERIOD;
    let (sin, cos) = taps.iter().fold((0.0, 0.0), |(sin, cos), tap| {
        let angle = (tap - begin) * turn;
        (sin + angle.sin(), cos + angle.cos())
    });
    let middle = sin.atan2(cos) / turn;
    let around = |tap: &f64| {
        let off = tap - begin - middle;
        off - (off / PERIOD).round() * PERIOD
    };
    let mut off: Vec<f64> = taps.iter().map(around).collect();
    let (median, spread) = quartiles(&mut off);
    let far = (OUTLIER * spread).max(NEAR);
    off.retain(|off| (off - median).abs() <= far);
    let used = off.len();
    let (median, spread) = quartiles(&mut off);
    if used < TAPS_MIN || spread > SPREAD || used * 3 < count * 2 {
        return Err(Error::invalid(
            "these taps are no rhythm; tap once with each flash, as steadily as you can, and again \
             from the beginning",
        ));
    }
    // A lamp is late by up to most of a period; a person early by up to a fifth of it.
    let late = (middle + median + PERIOD / 5.0).rem_euclid(PERIOD) - PERIOD / 5.0;
    Ok((late, spread, used))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steady taps `late` seconds after each flash, with an unsteady hand.
    fn taps(late: f64, count: usize) -> Vec<f64> {
        let shake = [0.0, 0.012, -0.018, 0.025, -0.007, -0.022, 0.016];
        (0..count).map(|k| 50.0 + PERIOD * k as f64 + late + shake[k % 7]).collect()
    }

    #[test]
    fn taps_that_are_quicker_than_the_flashes_say_nothing() {
        let quick: Vec<f64> = (0..30).map(|k| 50.0 + 0.005 * f64::from(k)).collect();
        assert!(habit(50.0, &quick).unwrap_err().to_string().contains("quicker"));
    }

    #[test]
    fn steady_taps_say_how_late_the_lamp_is() {
        for late in [-0.05, 0.0, 0.03, 0.18, 0.4, 0.6] {
            let found = habit(50.0, &taps(late, 14)).unwrap();
            assert!((found - late * 1000.0).abs() < 8.0, "{late} s: {found} ms");
        }
        let own = habit(50.0, &taps(-0.03, 14)).unwrap();
        let found = measure(50.0, &taps(0.15, 14), own).unwrap();
        assert!((found.latency.ms - 180.0).abs() < 8.0, "{found:?}");
        assert_eq!((found.used, found.refused, found.latency.samples), (14, 0, 14));
        assert!((5.0..50.0).contains(&found.latency.spread_ms), "{found:?}");
    }

    #[test]
    fn taps_that_slipped_are_refused_and_missed_flashes_do_no_harm() {
        let mut all = taps(0.1, 16);
        all[3] += 0.3;
        all[9] -= 0.25;
        all.remove(12);
        all.remove(5);
        let found = measure(50.0, &all, 0.0).unwrap();
        assert!((found.latency.ms - 100.0).abs() < 10.0, "{found:?}");
        assert_eq!((found.used, found.refused), (12, 2));
    }

    #[test]
    fn a_lamp_is_never_early() {
        assert_eq!(measure(50.0, &taps(-0.05, 10), 0.0).unwrap().latency.ms, 0.0);
    }

    #[test]
    fn what_says_nothing_is_refused_with_what_to_do() {
        let says = |taps: &[f64]| measure(50.0, taps, 0.0).unwrap_err().to_string();
        assert!(says(&taps(0.1, 5)).contains("at least 6"));
        assert!(says(&[f64::NAN; 9]).contains("at least 6"));
        assert!(says(&vec![1.0; 201]).contains("200 are enough"));
        // Somebody who taps as it comes.
        let wild: Vec<f64> = (0..20).map(|k| 50.0 + f64::from(k) * 0.577).collect();
        assert!(says(&wild).contains("no rhythm"));
    }

    #[test]
    fn only_the_lamp_flashes_and_seldom_enough() {
        let mut flasher = Flasher { lamp: 1, begin: 10.0 };
        let mut bright = |lamp: usize, seconds: f64| {
            let mut pixels = [Light::BLACK; 2];
            flasher.paint(lamp, seconds, &mut pixels);
            pixels == [Light::WHITE; 2]
        };
        let at = [9.99, 10.01, 10.11, 10.13, 10.7, 10.81, 10.93].map(|s| bright(1, s));
        assert_eq!(at, [false, true, true, false, false, true, false]);
        assert!(!bright(0, 10.01));
        let begins = (0..1000).filter(|ms| {
            let second = 20.0 + f64::from(*ms) / 1000.0;
            bright(1, second) && !bright(1, second - 0.001)
        });
        assert!(begins.count() <= 2, "far below three flashes a second");
    }
}
