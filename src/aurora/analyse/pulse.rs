//! The bar pointer within one beat: for every tempo and every place in the beat, how likely it is
//! that the music is there now.
//!
//! A forward filter over the state space of Krebs, Böck and Widmer (2015, section 3): each tempo has
//! as many places as hops in its period, every hop moves every place by one, and only at the end of a
//! beat may the tempo change. A place moves by turning its tempo's ring, so that a hop costs a few
//! numbers for each tempo and not one for each state.

use super::lanes::sum;

/// Shortest and longest period in hops: 214 and 54 beats a minute.
pub(super) const MIN: usize = 28;
const MAX: usize = 110;
/// How many tempi there are.
pub(super) const TEMPI: usize = MAX - MIN + 1;
/// At the end of a beat the period changes by at most so many hops.
const REACH: usize = 10;
/// How unlikely a change is: exp(-STIFF · |relative change|), equation 5 of the paper.
const STIFF: f32 = 100.0;
/// The first such share of the period is the beat; elsewhere nothing is expected (equation 9).
const PART: usize = 16;
/// The tempo that is tapped most, and how far from it (in natural logarithms) others lie (Moelants
/// 2002).
const USUAL: f32 = 115.0;
const SPREAD: f32 = 0.5;
/// How strongly each beat is drawn to usual tempi.
const PULL: f32 = 0.02;
/// Share of what ends a beat that goes to any tempo: the way out of a wrong one.
const LEAK: f32 = 1e-4;
/// Share of a tempo that goes to any place, each time it is its turn: the way out of a wrong phase.
const BLUR: f32 = 0.01;
/// The filter never believes more or less than this.
const BELIEF: (f32, f32) = (0.002, 0.98);

/// The state of the filter. All tempi together are in one list, each a ring of its own.
pub(super) struct Pulse {
    places: Vec<f32>,
    begins: [usize; TEMPI],
    heads: [usize; TEMPI],
    totals: [f32; TEMPI],
    changes: Vec<[f32; 2 * REACH + 1]>,
    prior: [f32; TEMPI],
    pull: [f32; TEMPI],
    turn: usize,
    sum: f32,
}

impl Pulse {
    pub(super) fn new() -> Pulse {
        let mut begins = [0; TEMPI];
        for j in 1..TEMPI {
            begins[j] = begins[j - 1] + MIN + j - 1;
        }
        let likely: [f32; TEMPI] = std::array::from_fn(|j| {
            let bpm = 6000.0 / (MIN + j) as f32;
            (-0.5 * ((bpm / USUAL).ln() / SPREAD).powi(2)).exp()
        });
        let all: f32 = likely.iter().sum();
        let prior = likely.map(|p| p / all);
        let mut places = Vec::with_capacity(begins[TEMPI - 1] + MAX);
        for (j, p) in prior.iter().enumerate() {
            places.extend(std::iter::repeat_n(p / (MIN + j) as f32, MIN + j));
        }
        let pull = likely.map(|p| p.max(1e-9).powf(PULL));
        let changes = (0..TEMPI).map(changes_from).collect();
        let heads = [0; TEMPI];
        Pulse { places, begins, heads, totals: prior, changes, prior, pull, turn: 0, sum: 1.0 }
    }

    /// Moves on by one hop in which a beat begins with this probability. Returns how much better the
    /// filter foresaw that than somebody who expects beats anywhere (natural logarithm).
    pub(super) fn step(&mut self, beat: f32) -> f32 {
        let ratio = odds(beat);
        let before = self.sum;
        let (arrivals, ended) = self.end_beats();
        let mut sum = 0.0;
        for (j, arrival) in arrivals[REACH..REACH + TEMPI].iter().enumerate() {
            let period = MIN + j;
            let ring = &mut self.places[self.begins[j]..self.begins[j] + period];
            let head = self.heads[j];
            let new = self.pull[j] * arrival * (1.0 - LEAK) + ended * LEAK * self.prior[j];
            ring[head] = new;
            let mut in_beat = 0.0;
            for k in 0..(period + PART / 2) / PART {
                let place = &mut ring[(head + k) % period];
                in_beat += *place;
                *place *= ratio;
            }
            self.totals[j] += new + in_beat * (ratio - 1.0);
            sum += self.totals[j];
        }
        let by_chance = 1.0 + (ratio - 1.0) / PART as f32;
        let gain = (sum / before.max(1e-30) / by_chance).max(1e-6).ln();
        self.sum = sum;
        self.recount();
        gain
    }

    /// Turns every ring by one place. What was at its last goes to the first places of tempi near by:
    /// returned shifted by [`REACH`], with the sum of it.
    fn end_beats(&mut self) -> ([f32; TEMPI + 2 * REACH], f32) {
        let (mut arrivals, mut ended) = ([0.0; TEMPI + 2 * REACH], 0.0);
        for j in 0..TEMPI {
            self.heads[j] = self.heads[j].checked_sub(1).unwrap_or(MIN + j - 1);
            let last = self.places[self.begins[j] + self.heads[j]];
            ended += last;
            self.totals[j] -= last;
            for (arrival, change) in arrivals[j..].iter_mut().zip(&self.changes[j]) {
                *arrival += last * change;
            }
        }
        (arrivals, ended)
    }

    /// One tempo a hop: counts again what rounding has lost, blurs the phase a little, and scales
    /// everything when numbers become small or large.
    fn recount(&mut self) {
        let j = self.turn;
        self.turn = (j + 1) % TEMPI;
        let period = MIN + j;
        let ring = &mut self.places[self.begins[j]..self.begins[j] + period];
        let total = sum(ring);
        ring.iter_mut().for_each(|p| *p += BLUR * (total / period as f32 - *p));
        self.sum += total - self.totals[j];
        self.totals[j] = total;
        if !(1e-9..1e9).contains(&self.sum) {
            let by = 1.0 / self.sum.max(1e-37);
            self.places.iter_mut().for_each(|p| *p *= by);
            self.totals.iter_mut().for_each(|t| *t *= by);
            self.sum *= by;
        }
    }

    /// The probability of a tempo by its number: period less [`MIN`].
    pub(super) fn of_tempo(&self, j: usize) -> f32 {
        self.totals[j] / self.sum
    }

    /// Where in the beat the music is, 0 to 1, by the circular mean over these tempi, and how much
    /// they agree, 0 to 1.
    pub(super) fn phase(&self, tempi: std::ops::Range<usize>) -> (f32, f32) {
        let (mut re, mut im, mut all) = (0.0f32, 0.0f32, 1e-30f32);
        for j in tempi {
            let period = MIN + j;
            let ring = &self.places[self.begins[j]..self.begins[j] + period];
            let (newer, older) = ring.split_at(self.heads[j]);
            // One rotation after the other in place of a table of sines.
            let (sine, cosine) = (2.0 * std::f32::consts::PI / period as f32).sin_cos();
            let (mut c, mut s) = (1.0f32, 0.0f32);
            for p in older.iter().chain(newer) {
                re += p * c;
                im += p * s;
                all += p;
                (c, s) = (c * cosine - s * sine, s * cosine + c * sine);
            }
        }
        let phase = im.atan2(re) / (2.0 * std::f32::consts::PI);
        (phase.rem_euclid(1.0), re.hypot(im) / all)
    }

    /// Forgets where in the beat the music was, but not how fast: after a pause it may go on anywhere.
    pub(super) fn forget_phase(&mut self) {
        for j in 0..TEMPI {
            let period = MIN + j;
            let each = self.totals[j] / period as f32;
            self.places[self.begins[j]..self.begins[j] + period].fill(each);
        }
    }
}

/// The likelihood of places in the beat against places outside of it.
pub(super) fn odds(beat: f32) -> f32 {
    let beat = beat.clamp(BELIEF.0, BELIEF.1);
    beat * (PART as f32 - 1.0) / (1.0 - beat)
}

/// For each tempo those from which it may come at the begin of a beat, with the logarithm of how
/// likely that is.
pub(super) fn ways() -> Vec<Vec<(usize, f32)>> {
    let changes: Vec<_> = (0..TEMPI).map(changes_from).collect();
    (0..TEMPI)
        .map(|to| {
            let near = to.saturating_sub(REACH)..(to + REACH + 1).min(TEMPI);
            near.map(|i| (i, changes[i][to + REACH - i].max(1e-20).ln())).collect()
        })
        .collect()
}

/// How likely each change of period is at the end of a beat.
fn changes_from(j: usize) -> [f32; 2 * REACH + 1] {
    let weights: [f32; 2 * REACH + 1] =
        std::array::from_fn(|d| match (j + d).checked_sub(REACH).filter(|to| *to < TEMPI) {
            Some(to) => (-STIFF * ((MIN + to) as f32 / (MIN + j) as f32 - 1.0).abs()).exp(),
            None => 0.0,
        });
    let all: f32 = weights.iter().sum();
    weights.map(|w| w / all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds beats, three hops wide as the ear gives them, that begin at these hops; returns the filter and the mean gain of the last quarter.
    fn fed(hops: usize, is_beat: impl Fn(usize) -> bool) -> (Pulse, f32) {
        let (mut pulse, mut gain) = (Pulse::new(), 0.0);
        for hop in 0..hops {
            let new = (0..3.min(hop + 1)).any(|k| is_beat(hop - k));
            let g = pulse.step(if new { 0.5 } else { 0.02 });
            gain += if hop >= hops * 3 / 4 { g } else { 0.0 };
        }
        (pulse, gain / (hops / 4) as f32)
    }

    fn best(pulse: &Pulse) -> usize {
        (0..TEMPI).max_by(|a, b| pulse.of_tempo(*a).total_cmp(&pulse.of_tempo(*b))).unwrap() + MIN
    }

    #[test]
    fn every_tempo_is_found_with_its_phase() {
        for period in [30, 37, 50, 61, 75, 100] {
            let (pulse, _) = fed(1200, |hop| hop % period == 7);
            let found = best(&pulse);
            assert!(found.abs_diff(period) <= 1, "{found} for {period}");
            let (phase, focus) = pulse.phase(found - MIN..found - MIN + 1);
            // The middle of the three.
            let want = ((1199 - 8) % period) as f32 / period as f32;
            let off = (phase - want + 0.5).rem_euclid(1.0) - 0.5;
            assert!(off.abs() < 0.06 && focus > 0.8, "{period}: {phase} for {want}, {focus}");
        }
    }

    #[test]
    fn what_is_regular_was_foreseen_and_what_is_not_was_not() {
        let regular = fed(3000, |hop| hop % 50 == 0).1;
        let mut state = 1u32;
        let random: Vec<bool> = (0..3000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16).is_multiple_of(50)
            })
            .collect();
        let irregular = fed(3000, |hop| random[hop]).1;
        assert!(regular > irregular + 0.02, "{regular} and {irregular}");
    }

    #[test]
    fn probabilities_stay_probabilities_for_an_hour() {
        let (pulse, _) = fed(100_000, |hop| hop % 47 == 0 && hop % 10_000 < 8_000);
        let sum: f32 = (0..TEMPI).map(|j| pulse.of_tempo(j)).sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
        assert!(pulse.places.iter().all(|p| p.is_finite() && *p >= 0.0));
    }

    #[test]
    fn forgetting_the_phase_keeps_the_tempo() {
        let (mut pulse, _) = fed(1000, |hop| hop % 50 == 0);
        pulse.forget_phase();
        assert_eq!(best(&pulse), 50);
        assert!(pulse.phase(50 - MIN..51 - MIN).1 < 0.01);
    }
}
