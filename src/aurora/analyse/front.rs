//! What every hop goes through first: the direct current is taken out, the level is measured, the
//! noise floor followed, a gate opened or shut, and a slow gain for the eye computed.
//!
//! The gain serves levels and bands only. Beats and onsets look at whitened spectra, which have no
//! level, so that switching the gain off changes no beat.

use std::collections::VecDeque;

/// Nothing quieter is sound: what 16 bits leave of a silent input (dBFS).
const SILENCE: f32 = -84.0;
/// The noise of an input is taken to be no louder than this (dBFS), so that a long steady tone is
/// never mistaken for it.
const LOUDEST_FLOOR: f32 = -66.0;
/// The gate opens so far above the floor, and shuts below the second figure (dB).
const OPENS: f32 = 9.0;
const SHUTS: f32 = 4.0;
/// It stays open for so many hops after the last one that was loud enough: a bar of slow music.
const HOLD: u32 = 150;
/// The floor is the quietest of so many stretches of so many hops (minimum statistics, Martin 2001,
/// section III, with stretches of a second).
const STRETCHES: usize = 8;
const STRETCH: u32 = 100;
/// The gain stays within these factors.
const GAIN: (f32, f32) = (1.0 / 64.0, 100.0);

/// The level of one hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Root mean square, 0 to 1 of full scale.
    pub rms: f32,
    /// Largest absolute sample, 0 to 1 of full scale.
    pub peak: f32,
    /// Whether at least three samples in a row stood at full scale in the last second.
    pub clipped: bool,
    /// The noise floor (dBFS).
    pub floor: f32,
    /// Whether there is sound above the noise.
    pub open: bool,
    /// The factor that brings this music to full scale; 1 when the automatic gain is off.
    pub gain: f32,
}

/// The state behind [`Level`].
pub(super) struct Front {
    /// Pole of the high-pass at 10 Hz.
    pole: f32,
    last_in: f32,
    last_out: f32,
    smooth: f32,
    minima: VecDeque<f32>,
    lowest: f32,
    age: u32,
    quiet: u32,
    run: u32,
    since_clip: u32,
    loudest: f32,
    automatic: bool,
    level: Level,
}

/// Power to decibels of full scale.
fn decibels(power: f32) -> f32 {
    10.0 * power.max(1e-12).log10()
}

impl Front {
    pub(super) fn new(rate: f32, automatic: bool) -> Front {
        Front {
            pole: 1.0 - 2.0 * std::f32::consts::PI * 10.0 / rate,
            last_in: 0.0,
            last_out: 0.0,
            smooth: 0.0,
            minima: VecDeque::with_capacity(STRETCHES + 1),
            lowest: f32::MAX,
            age: 0,
            quiet: HOLD,
            run: 0,
            since_clip: u32::MAX,
            loudest: 0.0,
            automatic,
            level: Level { floor: LOUDEST_FLOOR, gain: 1.0, ..Level::default() },
        }
    }

    /// Takes the direct current out of `hop` in place and returns its level.
    pub(super) fn step(&mut self, hop: &mut [f32]) -> Level {
        let (mut sum, mut peak) = (0.0f32, 0.0f32);
        for sample in hop.iter_mut() {
            // A broken driver may hand over what is no number; one would stay in every filter.
            let x = if sample.is_finite() { sample.clamp(-8.0, 8.0) } else { 0.0 };
            self.run = if x.abs() >= 0.9999 { self.run + 1 } else { 0 };
            if self.run >= 3 {
                self.since_clip = 0;
            }
            let y = x - self.last_in + self.pole * self.last_out;
            (self.last_in, self.last_out) = (x, y);
            *sample = y;
            sum += y * y;
            peak = peak.max(y.abs());
        }
        let power = sum / hop.len().max(1) as f32;
        self.since_clip = self.since_clip.saturating_add(1);
        self.follow_floor(power);
        self.gate(power);
        self.follow_gain(peak);
        let clipped = self.since_clip <= 100;
        self.level = Level { rms: power.sqrt(), peak: peak.min(1.0), clipped, ..self.level };
        self.level
    }

    fn follow_floor(&mut self, power: f32) {
        // The first hop is as good a begin as any; zero would be taken for silence.
        self.smooth +=
            (power - self.smooth) * if self.minima.is_empty() && self.age == 0 { 1.0 } else { 0.2 };
        self.lowest = self.lowest.min(self.smooth);
        self.age += 1;
        if self.age < STRETCH {
            return;
        }
        self.age = 0;
        self.minima.push_back(self.lowest);
        if self.minima.len() > STRETCHES {
            self.minima.pop_front();
        }
        self.lowest = f32::MAX;
        let quietest = self.minima.iter().copied().fold(f32::MAX, f32::min);
        self.level.floor = decibels(quietest).clamp(SILENCE, LOUDEST_FLOOR);
    }

    fn gate(&mut self, power: f32) {
        let above = decibels(power) - self.level.floor;
        // Louder than any noise floor may be needs no proof.
        let loud = above > if self.level.open { SHUTS } else { OPENS };
        self.quiet = if loud { 0 } else { self.quiet.saturating_add(1) };
        self.level.open = loud || (self.level.open && self.quiet < HOLD);
    }

    /// Two speeds, as a hand on a knob: down at once when it is too loud, up over ten seconds, and
    /// not at all while there is nothing but noise.
    fn follow_gain(&mut self, peak: f32) {
        if !self.automatic || !self.level.open {
            return;
        }
        let speed = if peak > self.loudest { 0.3 } else { 0.001 };
        self.loudest += (peak - self.loudest) * speed;
        self.level.gain = (1.0 / self.loudest.max(1e-6)).clamp(GAIN.0, GAIN.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `seconds` of a tone with this amplitude and offset; returns the last level.
    fn tone(front: &mut Front, seconds: f32, amplitude: f32, offset: f32) -> Level {
        let mut level = Level::default();
        for hop in 0..(seconds * 100.0) as usize {
            let mut samples = [0.0f32; 441];
            for (i, s) in samples.iter_mut().enumerate() {
                let t = (hop * 441 + i) as f32 / 44_100.0;
                *s = offset + amplitude * (2.0 * std::f32::consts::PI * 440.0 * t).sin();
            }
            level = front.step(&mut samples);
        }
        level
    }

    #[test]
    fn direct_current_is_no_level() {
        let mut front = Front::new(44_100.0, false);
        let level = tone(&mut front, 2.0, 0.0, 0.5);
        assert!(level.rms < 1e-4, "{level:?}");
        let level = tone(&mut front, 2.0, 0.5, 0.3);
        assert!((level.rms - 0.5 / 2f32.sqrt()).abs() < 0.005, "{level:?}");
    }

    #[test]
    fn the_gate_opens_for_sound_and_shuts_for_the_noise_that_was_there_before() {
        let mut front = Front::new(44_100.0, true);
        // Hiss at -75 dBFS: the floor finds it within the second stretch.
        let hiss = 2f32.sqrt() * 10f32.powf(-75.0 / 20.0);
        assert!(!tone(&mut front, 4.0, hiss, 0.0).open);
        let quiet = 2f32.sqrt() * 10f32.powf(-60.0 / 20.0);
        assert!(tone(&mut front, 0.1, quiet, 0.0).open, "15 dB above the noise is sound");
        assert!(tone(&mut front, 1.0, hiss, 0.0).open, "a short pause leaves it open");
        assert!(!tone(&mut front, 0.7, hiss, 0.0).open, "a long one shuts it");
    }

    #[test]
    fn a_long_steady_tone_is_not_taken_for_noise() {
        let mut front = Front::new(44_100.0, true);
        assert!(tone(&mut front, 20.0, 0.002, 0.0).open);
    }

    #[test]
    fn the_gain_brings_quiet_music_up_and_can_be_switched_off() {
        let mut on = Front::new(44_100.0, true);
        let mut off = Front::new(44_100.0, false);
        for (amplitude, want) in [(0.5, 2.0), (0.05, 20.0)] {
            let gain = tone(&mut on, 60.0, amplitude, 0.0).gain;
            assert!((gain / want - 1.0).abs() < 0.1, "{amplitude}: {gain}");
            assert_eq!(tone(&mut off, 1.0, amplitude, 0.0).gain, 1.0);
        }
    }

    #[test]
    fn samples_at_full_scale_are_called_clipped_for_a_second() {
        let mut front = Front::new(44_100.0, true);
        assert!(!tone(&mut front, 0.5, 0.99, 0.0).clipped);
        let mut hop = [0.2f32; 441];
        hop[100..103].fill(1.0);
        assert!(front.step(&mut hop).clipped);
        assert!(tone(&mut front, 0.9, 0.1, 0.0).clipped);
        assert!(!tone(&mut front, 0.2, 0.1, 0.0).clipped);
    }

    #[test]
    fn what_is_no_number_does_no_harm() {
        let mut front = Front::new(44_100.0, true);
        let mut hop = [f32::NAN; 441];
        hop[7] = f32::INFINITY;
        front.step(&mut hop);
        let level = tone(&mut front, 1.0, 0.5, 0.0);
        assert!((level.rms - 0.5 / 2f32.sqrt()).abs() < 0.01, "{level:?}");
    }
}
