//! What was heard lately: the memory that effects share, so that they need none of their own.
//!
//! Fed with moments in order of time, it keeps the levels of the last five seconds, the last onsets,
//! and a few quantities that only make sense as sums over time: how far a wave has travelled whose speed
//! is the loudness, a clock in beats that is drawn towards the beat and never jumps, how many steps
//! (beats, or onsets where there is no beat) there were. Pure; nothing is allocated after it is made.

use crate::aurora::analyse::Arc;
use crate::aurora::moment::{FADE, Moment};

/// Levels are kept so many times a second.
const RATE: f64 = 50.0;
/// So many of them.
const KEPT: usize = 256;
/// Onsets kept in each of the four groups.
pub(super) const STRIKES: usize = 8;
/// Without a beat a step is at least so long (s); without anything it lasts so long.
const SHORTEST: f64 = 0.28;
const LONGEST: f64 = 6.0;
/// Seconds in a beat while there is none.
const USUAL: f64 = 0.5;
/// A hole in the moments longer than this (s), or a step back, begins everything anew.
const HOLE: f64 = 3.0;

/// The levels at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    pub(super) loud: f32,
    pub(super) three: [f32; 3],
    pub(super) tone: f32,
}

/// An onset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strike {
    /// When.
    pub(super) at: f64,
    /// The how manieth, over all groups: different for any two.
    pub(super) number: u64,
}

/// The memory.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    steps_kept: Box<[Step; KEPT]>,
    newest: i64,
    pub(super) strikes: [[Strike; STRIKES]; 4],
    struck: [f32; 4],
    number: u64,
    /// The time of the last moment.
    pub(super) last: f64,
    begun: bool,
    /// 0 in silence, 1 in music; up within a quarter of a second, down within two.
    pub(super) life: f32,
    /// Loudness and the three bands, without their flutter.
    pub(super) smooth: Step,
    /// Loudness over the last ten seconds or so.
    pub(super) energy: f32,
    /// How much there is a beat, 0 to 1.
    pub(super) grip: f32,
    beats: f64,
    rate: f64,
    travel: f64,
    pub(super) count: Option<u64>,
    /// Beats or what stands for them.
    pub(super) steps: u64,
    pub(super) step_at: f64,
    pub(super) arc: Arc,
    pub(super) arc_at: f64,
    /// The place of the tone on a circle, smoothed.
    pub(super) tone: [f32; 2],
}

impl Default for Trail {
    fn default() -> Trail {
        let strike = Strike { at: f64::MIN, number: 0 };
        Trail {
            steps_kept: Box::new([Step::default(); KEPT]),
            newest: 0,
            strikes: [[strike; STRIKES]; 4],
            struck: [0.0; 4],
            number: 0,
            last: 0.0,
            begun: false,
            life: 0.0,
            smooth: Step::default(),
            energy: 0.0,
            grip: 0.0,
            beats: 0.0,
            rate: 1.0 / USUAL,
            travel: 0.0,
            count: None,
            steps: 0,
            step_at: 0.0,
            arc: Arc::Steady,
            arc_at: 0.0,
            tone: [0.0; 2],
        }
    }
}

impl Trail {
    /// Takes the next moment.
    pub(super) fn hear(&mut self, moment: &Moment) {
        let mut past = moment.seconds - self.last;
        if !self.begun || !(-0.5..=HOLE).contains(&past) {
            self.begin(moment);
            past = 0.0;
        }
        // A clock that stands still or goes back a little is no news.
        if past < 0.0 {
            return;
        }
        self.last = moment.seconds;
        self.levels(moment, past);
        self.strikes(moment);
        self.clocks(moment, past);
        self.step(moment);
        if moment.arc != self.arc {
            (self.arc, self.arc_at) = (moment.arc, moment.seconds);
        }
    }

    /// Begins anew without allocating.
    fn begin(&mut self, moment: &Moment) {
        self.steps_kept.fill(Step::default());
        self.newest = (moment.seconds * RATE).floor() as i64;
        self.strikes = [[Strike { at: f64::MIN, number: 0 }; STRIKES]; 4];
        (self.struck, self.number) = ([0.0; 4], 0);
        (self.last, self.begun) = (moment.seconds, true);
        (self.life, self.smooth, self.energy, self.grip) = (0.0, Step::default(), 0.0, 0.0);
        (self.beats, self.rate, self.travel) = (0.0, 1.0 / USUAL, 0.0);
        (self.count, self.steps, self.step_at) = (None, 0, moment.seconds);
        (self.arc, self.arc_at, self.tone) = (moment.arc, moment.seconds, [0.0; 2]);
    }

    fn levels(&mut self, moment: &Moment, past: f64) {
        let now = Step { loud: moment.loud, three: moment.three, tone: moment.tone };
        let slot = (moment.seconds * RATE).floor() as i64;
        for k in (self.newest + 1).max(slot - KEPT as i64 + 1)..=slot {
            self.steps_kept[k.rem_euclid(KEPT as i64) as usize] = now;
        }
        self.newest = slot;
        let share = |constant: f64| (1.0 - (-past / constant).exp()) as f32;
        let follow =
            |old: f32, new: f32| old + (new - old) * share(if new > old { 0.04 } else { 0.3 });
        self.smooth.loud = follow(self.smooth.loud, now.loud);
        for (old, new) in self.smooth.three.iter_mut().zip(now.three) {
            *old = follow(*old, new);
        }
        self.energy += (now.loud - self.energy) * share(8.0);
        let alive = if moment.playing && moment.loud > 0.01 { 1.0 } else { 0.0 };
        self.life += (alive - self.life) * share(if alive > self.life { 0.12 } else { 1.0 });
        let there = if moment.beat.is_some() { 1.0 } else { 0.0 };
        self.grip += (there - self.grip) * share(0.4);
        let (sine, cosine) = (moment.tone * std::f32::consts::TAU).sin_cos();
        let weight = share(0.6) * alive;
        self.tone[0] += (cosine - self.tone[0]) * weight;
        self.tone[1] += (sine - self.tone[1]) * weight;
    }

    fn strikes(&mut self, moment: &Moment) {
        for (group, mark) in moment.struck.into_iter().enumerate() {
            // A mark only ever fades; when it is higher than before, something began.
            if mark > self.struck[group] + 0.05 {
                let age = f64::from(mark.min(1.0)).ln() / FADE.ln();
                self.number += 1;
                self.strikes[group].rotate_right(1);
                self.strikes[group][0] = Strike { at: moment.seconds - age, number: self.number };
            }
            self.struck[group] = mark;
        }
    }

    fn clocks(&mut self, moment: &Moment, past: f64) {
        self.rate = moment.beat.map_or(1.0 / USUAL, |place| 1.0 / f64::from(place.period.max(0.1)));
        self.beats += past * self.rate;
        if let Some(place) = moment.beat {
            // Drawn to the beat's phase over a second, by the shorter way.
            let off = f64::from(place.phase) - self.beats;
            let off = off - off.round();
            self.beats += off * (1.0 - (-past / 0.5).exp());
        }
        self.travel += past * self.pace();
    }

    fn pace(&self) -> f64 {
        f64::from(0.15 + 1.2 * self.smooth.loud * self.life)
    }

    fn step(&mut self, moment: &Moment) {
        if let Some(place) = moment.beat {
            let before = self.count.unwrap_or(place.count);
            if place.count > before {
                self.steps += place.count - before;
                self.step_at = moment.seconds - f64::from(place.phase * place.period);
            }
            // A beat foretold anew may be counted a moment later; it is never taken back.
            self.count = Some(place.count.max(before));
            return;
        }
        self.count = None;
        let since = moment.seconds - self.step_at;
        let drum = self.strikes[0][0].at.max(self.strikes[1][0].at);
        if (since >= SHORTEST && drum > self.step_at + 1e-6) || since > LONGEST {
            self.steps += 1;
            self.step_at = moment.seconds;
        }
    }

    /// The levels at a time; the newest beyond it.
    pub(super) fn level(&self, seconds: f64) -> Step {
        let at = seconds * RATE - 0.5;
        let oldest = self.newest - KEPT as i64 + 1;
        let slot =
            |k: i64| self.steps_kept[k.clamp(oldest, self.newest).rem_euclid(KEPT as i64) as usize];
        let (a, b) = (slot(at.floor() as i64), slot(at.floor() as i64 + 1));
        let share = (at - at.floor()) as f32;
        let mix = |x: f32, y: f32| x + (y - x) * share;
        Step {
            loud: mix(a.loud, b.loud),
            three: std::array::from_fn(|k| mix(a.three[k], b.three[k])),
            tone: a.tone,
        }
    }

    /// A clock in beats, carried on to `seconds`.
    pub(super) fn beats(&self, seconds: f64) -> f64 {
        self.beats + (seconds - self.last) * self.rate
    }

    /// How far something has come whose speed is the loudness (about 1 a second in loud music).
    pub(super) fn travel(&self, seconds: f64) -> f64 {
        self.travel + (seconds - self.last) * self.pace()
    }
}
