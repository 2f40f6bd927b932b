//! Timelines: what a sound file sounds like, worked out before it is played.
//!
//! [`render`] listens to a whole file and looks both ways; the result is a [`Timeline`], which tells the
//! [`Moment`] of any second, so that every effect runs from it. It is kept as a small document
//! ([`format`]) that is the same, byte for byte, wherever it is made: everything in it is quantised. A
//! [`Player`] says where in it the music is, a [`Stage`] paints it, a [`Library`] keeps many, and a
//! [`Follower`] finds the place in it of sound that something else plays.

mod follow;
mod format;
mod library;
mod player;
mod render;
mod sections;
mod stage;

pub use follow::{Follower, Found};
pub use library::{About, Library};
pub use player::{Player, State};
pub use render::render;
pub use stage::{Deck, Stage};

use crate::aurora::analyse::{Arc, InBar, Key};
use crate::aurora::moment::{CURVE, FADE, Moment, Place};

/// Hops in a second, the unit of the times of onsets.
const HOPS: f64 = 100.0;
/// Loudness and three bands are kept so many times a second.
const FAST: f64 = 50.0;
/// WLED's channels so many times.
const SLOW: f64 = 25.0;
/// The tone so many times.
const TONES: f64 = 5.0;
/// Steps of a level: the largest value.
const FULL: u8 = 63;
/// Beats further apart than this (ms) have nothing between them.
const APART: u32 = 1_500;

/// A file's music.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Its name, by which libraries know it.
    pub name: String,
    /// How long the file is (s).
    pub seconds: f64,
    /// The key, when one is clear.
    pub key: Option<Key>,
    /// Its parts, without gaps, from the beginning to the end.
    pub sections: Vec<Section>,
    /// The beats in order of time.
    pub(super) beats: Vec<Mark>,
    /// Hops at which something began, from bass to treble.
    onsets: [Vec<u32>; 4],
    /// From which hop on there is sound, and from which on there is none, in turn.
    open: Vec<u32>,
    /// From which hop on what of build-up and drop holds.
    arcs: Vec<(u32, Arc)>,
    /// Loudness, bass, middle, treble: square roots of magnitudes, 0 to 63.
    fast: Vec<[u8; 4]>,
    /// WLED's channels, likewise.
    slow: Vec<[u8; 16]>,
    /// The strongest pitch class, 0 to 11; 12 for none.
    tones: Vec<u8>,
}

/// A beat of a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When, in milliseconds from the beginning.
    pub ms: u32,
    /// Its place in the bar, when that is clear.
    pub bar: Option<InBar>,
}

/// A part of a piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Where it begins (s).
    pub from: f64,
    /// Where it ends (s).
    pub to: f64,
    /// A letter; parts that sound alike have the same.
    pub label: char,
    /// How loud it is, 0 to 1.
    pub loud: f32,
}

/// A kept level as the eye is to see it.
fn eye(level: f32) -> f32 {
    (level / f32::from(FULL)).powf(2.0 * CURVE)
}

/// The value at a place between the kept ones.
fn between<const N: usize>(kept: &[[u8; N]], at: f64) -> [f32; N] {
    let Some(last) = kept.len().checked_sub(1) else { return [0.0; N] };
    // A value stands for the middle of its stretch.
    let at = (at - 0.5).clamp(0.0, last as f64);
    let (k, share) = (at as usize, at.fract() as f32);
    let (a, b) = (&kept[k], &kept[(k + 1).min(last)]);
    std::array::from_fn(|i| f32::from(a[i]) + (f32::from(b[i]) - f32::from(a[i])) * share)
}

impl Timeline {
    /// The beats, in order of time.
    pub fn beats(&self) -> &[Mark] {
        &self.beats
    }

    /// Beats in a minute: the mean of all distances between beats that are near their median; none with
    /// fewer than eight beats.
    pub fn tempo(&self) -> Option<f64> {
        let mut apart: Vec<u32> = self.beats.windows(2).map(|two| two[1].ms - two[0].ms).collect();
        apart.sort_unstable();
        let median = f64::from(*apart.get(apart.len() / 2).filter(|_| apart.len() >= 7)?);
        // Beats lie on whole hops, so the mean is finer than any one distance; a beat that was missed or
        // the pause between two parts would bend it.
        let near = |ms: &f64| (ms / median - 1.0).abs() < 0.15;
        let near: Vec<f64> = apart.into_iter().map(f64::from).filter(near).collect();
        let all: f64 = near.iter().sum();
        (all > 0.0).then(|| 60_000.0 * near.len() as f64 / all)
    }

    /// The music at `seconds` from the beginning; silence before it and after the end.
    pub fn moment(&self, seconds: f64) -> Moment {
        let mut moment = Moment { seconds, ..Moment::default() };
        let hop = seconds * HOPS;
        if !(0.0..self.seconds).contains(&seconds)
            || self.open.partition_point(|from| f64::from(*from) <= hop).is_multiple_of(2)
        {
            return moment;
        }
        moment.playing = true;
        let [loud, three @ ..] = between(&self.fast, seconds * FAST);
        moment.loud = eye(loud);
        moment.three = three.map(eye);
        moment.sixteen = between(&self.slow, seconds * SLOW).map(eye);
        for (mark, onsets) in moment.struck.iter_mut().zip(&self.onsets) {
            let before = onsets.partition_point(|onset| f64::from(*onset) <= hop);
            if let Some(last) = before.checked_sub(1).map(|k| f64::from(onsets[k])) {
                *mark = FADE.powf((hop - last) / HOPS) as f32;
            }
        }
        let tone = self.tones.get((seconds * TONES) as usize).filter(|tone| **tone < 12);
        moment.tone = tone.map_or(0.0, |tone| f32::from(*tone) / 12.0);
        let arc = self.arcs.partition_point(|(from, _)| f64::from(*from) <= hop).checked_sub(1);
        moment.arc = arc.map_or(Arc::Steady, |k| self.arcs[k].1);
        moment.beat = self.place(seconds * 1000.0);
        moment
    }

    /// The place between two beats at this millisecond.
    fn place(&self, ms: f64) -> Option<Place> {
        let next = self.beats.partition_point(|beat| f64::from(beat.ms) <= ms);
        let last = next.checked_sub(1)?;
        let from = self.beats[last];
        let period = match self.beats.get(next) {
            Some(to) => to.ms - from.ms,
            // After the last beat as long as before it.
            None => from.ms - self.beats.get(last.checked_sub(1)?)?.ms,
        };
        let phase = (ms - f64::from(from.ms)) / f64::from(period.max(1));
        (period <= APART && phase < 1.0).then_some(Place {
            count: next as u64,
            phase: phase as f32,
            period: period as f32 / 1000.0,
            bar: from.bar,
            sure: 1.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tempo_is_finer_than_the_hops_on_which_beats_lie() {
        for tempo in [62.0, 97.0, 120.0, 180.0] {
            let on_hop = |n: u32| (f64::from(n) * 6_000.0 / tempo).round() as u32 * 10;
            // One beat in the middle was missed.
            let times = (0..80).filter(|n| *n != 40).map(on_hop);
            let beats = times.map(|ms| Mark { ms, bar: None }).collect();
            let found = Timeline { beats, ..Timeline::default() }.tempo();
            assert!(
                found.is_some_and(|found| (found - tempo).abs() < 0.1),
                "{found:?} for {tempo}"
            );
        }
    }
}
