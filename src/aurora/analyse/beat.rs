//! From the bar pointer to beats: one tempo, one phase, how sure that is, and when the next beat comes.

use super::ear::Heard;
use super::meter::{InBar, Meter};
use super::pulse::{MIN, Pulse, TEMPI};

/// The ear reports a beat so many hops after it was heard; a beat is that much earlier.
const DELAY: f32 = 1.3;
/// A beat is told when it is no further ahead than this (hops).
const LEAD: f32 = 1.0;
/// Tempi are believed by their mean of the last 0.7 s.
const SMOOTH: f32 = 0.014;
/// Another tempo must be so much more likely before it takes over.
const STAY: f32 = 1.1;
/// Beats are told above the first confidence and no longer below the second.
const SURE: f32 = 0.4;
const UNSURE: f32 = 0.2;

/// What is known about the beat after a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Beat {
    /// Seconds between two beats.
    pub period: f32,
    /// When the next beat comes, in seconds of the input.
    pub next: f64,
    /// How sure that is, 0 to 1.
    pub confidence: f32,
    /// Whether it is sure enough to show: there is a beat.
    pub there: bool,
    /// The place in its bar of the next beat, when that is clear.
    pub bar: Option<InBar>,
}

/// A beat that is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    /// Hops from the begin of the input, with a fraction.
    pub(super) at: f64,
    pub(super) bar: Option<InBar>,
}

/// Reads the bar pointer.
pub(super) struct Beats {
    pulse: Pulse,
    smooth: [f32; TEMPI],
    best: usize,
    hop: u64,
    last: f64,
    /// The beat foretold last, until it can be compared with what was heard.
    due: Option<f64>,
    recent: [Heard; 16],
    meter: Meter,
    quiet: u32,
    gain: f32,
    agreement: f32,
    kept: f32,
    base: f32,
    state: Beat,
}

impl Beats {
    pub(super) fn new() -> Beats {
        let pulse = Pulse::new();
        Beats {
            smooth: std::array::from_fn(|j| pulse.of_tempo(j)),
            pulse,
            best: 22,
            hop: 0,
            last: f64::MIN,
            due: None,
            recent: [Heard::default(); 16],
            meter: Meter::new(),
            quiet: 0,
            gain: 0.0,
            agreement: 0.0,
            kept: 0.0,
            base: 0.0,
            state: Beat::default(),
        }
    }

    /// What is known now; times are hops until the caller makes seconds of them.
    pub(super) fn state(&self) -> Beat {
        self.state
    }

    /// Takes what was heard in a hop, and whether the gate is open; returns the beat that is due.
    pub(super) fn step(&mut self, heard: Heard, open: bool) -> Option<Told> {
        self.hop += 1;
        self.recent[self.hop as usize % 16] = heard;
        let gain = self.pulse.step(heard.beat);
        self.gain += (gain - self.gain) * 0.002;
        self.base += (heard.beat - self.base) * 0.003;
        self.rest(open);
        let tempi = self.tempo();
        let (phase, focus) = self.pulse.phase(tempi.clone());
        let mass: f32 = self.smooth[tempi].iter().sum();
        self.agreement += (mass * focus - self.agreement) * 0.01;
        self.compare();
        self.judge(open);
        self.due_now(phase)
    }

    /// After a pause of most of a second the music may go on anywhere in the beat.
    fn rest(&mut self, open: bool) {
        self.quiet = if open { 0 } else { self.quiet.saturating_add(1) };
        if self.quiet == 1 {
            self.pulse.forget_phase();
        }
    }

    /// The tempi around the likeliest one; sets the period to their mean.
    fn tempo(&mut self) -> std::ops::Range<usize> {
        for (j, smooth) in self.smooth.iter_mut().enumerate() {
            *smooth += (self.pulse.of_tempo(j) - *smooth) * SMOOTH;
        }
        // Long periods lie closer together, in proportion.
        let around = |j: usize, least: usize, part: usize| {
            let reach = least + j / part;
            j.saturating_sub(reach)..(j + reach + 1).min(TEMPI)
        };
        let mass = |j: usize| self.smooth[around(j, 1, 20)].iter().sum::<f32>();
        let (mut top, mut most) = (self.best, mass(self.best) * STAY);
        for j in 0..TEMPI {
            if mass(j) > most {
                (top, most) = (j, mass(j));
            }
        }
        while top + 1 < TEMPI && mass(top + 1) > mass(top) {
            top += 1;
        }
        while top > 0 && mass(top - 1) > mass(top) {
            top -= 1;
        }
        self.best = top;
        let tempi = around(top, 2, 15);
        let (mut all, mut hops) = (1e-12, 0.0);
        for j in tempi.clone() {
            all += self.smooth[j];
            hops += self.smooth[j] * (MIN + j) as f32;
        }
        self.state.period = hops / all;
        tempi
    }

    /// Compares the beat foretold last with what was heard around it.
    fn compare(&mut self) {
        let now = self.hop as f64;
        if self.due.is_none_or(|due| now < due + 6.0) {
            return;
        }
        self.due = None;
        let most = self.around(12, |heard| heard.beat);
        self.kept += (most - self.kept) * 0.15;
        // Of a beat, how much it was a downbeat.
        let downbeat = self.around(12, |heard| heard.downbeat);
        self.meter.beat(downbeat / (most + 0.02));
        self.state.bar = self.meter.next();
    }

    /// The largest of something in the newest hops.
    fn around(&self, hops: u64, what: impl Fn(&Heard) -> f32) -> f32 {
        (0..hops.min(16))
            .map(|k| what(&self.recent[(self.hop + 16 - k) as usize % 16]))
            .fold(0.0, f32::max)
    }

    /// How sure the beat is: a logistic of four slow measures, fitted to the half of our own tracks
    /// that is for tuning.
    fn judge(&mut self, open: bool) {
        let contrast = (self.kept / (self.base + 0.02)).ln();
        let sum = CONFIDENCE[0]
            + CONFIDENCE[1] * self.agreement
            + CONFIDENCE[2] * self.gain
            + CONFIDENCE[3] * self.kept
            + CONFIDENCE[4] * contrast.max(-3.0);
        let state = &mut self.state;
        state.confidence = if open { 1.0 / (1.0 + (-sum).exp()) } else { 0.0 };
        state.there = state.confidence > if state.there { UNSURE } else { SURE };
    }

    /// Foretells the next beat, and returns it when it is as near as the lead.
    fn due_now(&mut self, phase: f32) -> Option<Told> {
        let (now, period) = (self.hop as f64, f64::from(self.state.period));
        let since = f64::from(phase) * period + f64::from(DELAY);
        let mut next = now - since + period;
        // A beat that was missed by a little while the phase moved on is told late rather than never.
        if next - period > now - 3.0 && next - period - self.last > 0.6 * period {
            next -= period;
        }
        if next - self.last < 0.55 * period {
            next += period;
        }
        self.state.next = next;
        if next > now + f64::from(LEAD) {
            return None;
        }
        self.last = next;
        self.due = self.due.or(Some(next));
        let bar = self.state.bar;
        self.state.there.then_some(Told { at: next.max(now), bar })
    }
}

/// Bias, agreement of tempo and phase, gain of the filter over chance, how clearly foretold beats
/// were heard, and that against the mean of all hops.
const CONFIDENCE: [f32; 5] = [-10.0, 6.01, 7.4, 13.53, 1.01];
