//! Follows sound that something else plays: finds the place in a timeline of what is heard now.
//!
//! Both sides are reduced to the same curves, 50 values a second: how far bass, middle and treble rose,
//! and onsets in four groups; each is brought to mean 0 and spread 1, so that neither volume nor tone
//! control matters. While the place is unknown the last seconds are compared with every place of the
//! timeline, roughly and then finely; once it is known, only with places near by, and a straight line is
//! laid through what is found, whose slope is the drift between the two clocks. When nothing fits any
//! longer it says so. It is told the time and allocates nothing per frame.

use super::render::Levels;
use super::{HOPS, SLOW, Timeline};
use crate::aurora::analyse::Frame;

/// Curves: three rises, four groups of onsets.
const CURVES: usize = 7;
type Point = [f32; CURVES];
/// For the rough search also how each of WLED's channels moves: melodies and chords, which tell apart
/// what has the same beat.
const TRAITS: usize = CURVES + 16;
type Trait = [f32; TRAITS];

/// Values in a second, and hops in a value.
const RATE: f64 = 50.0;
const EACH: u32 = 2;
/// The rough search looks at so many values as one.
const ROUGH: usize = 4;
/// What is compared while searching, at least and at most, and while following (values).
const LEAST: usize = 300;
const MOST: usize = 700;
const NEAR: usize = 250;
/// How often (values): searching, following.
const SEARCH: u64 = 50;
const FOLLOW: u64 = 25;
/// While following, places so far away are looked at (values).
const REACH: usize = 8;
/// A likeness (1 is the same; other songs reach 0.2, those of the same style and tempo 0.6) below which
/// no place is believed, and one that only the same recording reaches.
const SURE: f32 = 0.3;
const SAME: f32 = 0.8;
/// The best place is this much better than any other, twice in a row; or it is as good as [`SAME`] this
/// often in a row, as in music that repeats itself.
const CLEAR: f32 = 0.08;
const AGAIN: u32 = 6;
/// A place that was believed is doubted when its likeness is below this, or below this share of what it
/// used to be while another place is as good; after so many doubts in a row it is lost.
const DOUBT: f32 = 0.15;
const USUAL: f32 = 0.7;
const LOST: u32 = 4;
/// The likeness of the fine curves above which they move the place.
const FINE: f32 = 0.15;
/// Places that are kept of a search.
const BEST: usize = 6;
/// Means and spreads of a timeline are taken over so many values on both sides.
const AROUND: usize = 300;

/// A place that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// At this time of the clock …
    pub clock: f64,
    /// … the sound was at this position of the timeline (s),
    pub position: f64,
    /// and went so many seconds of it in a second.
    pub rate: f64,
    /// How alike both are, 0 to 1.
    pub sure: f32,
}

impl Found {
    /// Where the sound is at another time near by.
    pub fn at(&self, clock: f64) -> f64 {
        self.position + (clock - self.clock) * self.rate
    }
}

/// Follows one timeline.
#[derive(Debug)]
pub struct Follower {
    /// The timeline's curves, and the same with [`ROUGH`] values as one.
    fine: Vec<Point>,
    rough: Vec<Trait>,
    ear: Ear,
    /// Room for what is compared.
    window: Vec<Point>,
    small: Vec<Trait>,
    found: Option<Found>,
    doubts: u32,
    /// The best place of the last search and how often it was found.
    guess: Option<(f64, u32)>,
}

impl Follower {
    /// A follower of this timeline.
    pub fn new(timeline: &Timeline) -> Follower {
        let fine = standard(&curves(timeline));
        let rough = standard(&traits(timeline));
        Follower {
            fine,
            rough,
            ear: Ear::new(),
            window: Vec::with_capacity(MOST),
            small: Vec::with_capacity(MOST / ROUGH + 1),
            found: None,
            doubts: 0,
            guess: None,
        }
    }

    /// Takes a frame whose last sample was heard at `at` (s).
    pub fn hear(&mut self, frame: &Frame, at: f64) {
        if !self.ear.hear(frame, at) {
            return;
        }
        // Long timelines are searched less often, so that it costs the same.
        let every = SEARCH * (1 + self.rough.len() as u64 / 8000);
        if self.ear.heard.is_multiple_of(every) {
            self.search();
        } else if self.ear.heard.is_multiple_of(FOLLOW) {
            self.keep_up();
        }
    }

    /// The place, while it is known.
    pub fn found(&self) -> Option<Found> {
        self.found
    }

    /// Compares the last seconds with every place.
    fn search(&mut self) {
        let length = self.ear.fill(MOST, &mut self.window);
        if self.ear.is_quiet() || length < LEAST || self.fine.len() < LEAST {
            return self.doubt();
        }
        self.ear.fill_rough(length, &mut self.small);
        normalise(&mut self.window);
        normalise(&mut self.small);
        let mut best: [(f32, usize); BEST] = [(f32::MIN, usize::MAX); BEST];
        // What was heard must be half within the timeline at least.
        for place in 0..self.rough.len().saturating_sub(self.small.len() / 2) {
            let score = likeness(&self.small, &self.rough[place..]);
            // One place for each half second: neighbours of the best are no rivals.
            let near = best.iter().position(|(_, other)| other.abs_diff(place) < 7);
            let slot = near.unwrap_or(BEST - 1);
            if score > best[slot].0 {
                best[slot] = (score, place);
                best.sort_by(|a, b| b.0.total_cmp(&a.0));
            }
        }
        self.believe(best, length);
        self.check(best[0].0, length);
    }

    /// Believes the best place, or waits until it is clearer.
    fn believe(&mut self, best: [(f32, usize); BEST], length: usize) {
        let (score, place) = best[0];
        let margin = score - best[1].0;
        // The same place again is the one that moved on with the clock.
        let begin = self.ear.clock - length as f64 / RATE;
        let start = (place * ROUGH) as f64 / RATE - begin;
        let again = match self.guess {
            Some((last, times)) if (last - start).abs() < 0.15 => times + 1,
            _ => 1,
        };
        let clear = score > SURE && margin > CLEAR;
        self.guess = (clear || score > SAME).then_some((start, again));
        let middle = length as f64 / 2.0;
        let clock = self.ear.clock - middle / RATE;
        let known = self.found.is_some_and(|found| (found.at(clock) - clock - start).abs() < 0.3);
        if known || !(clear && again >= 2 || score > SAME && again >= AGAIN) {
            return;
        }
        let (_, place) = self.refine((place * ROUGH) as f64, 2 * ROUGH);
        let position = (place + middle) / RATE;
        self.found = Some(Found { clock, position, rate: 1.0, sure: score.clamp(0.0, 1.0) });
        (self.doubts, self.guess) = (0, None);
    }

    /// Asks whether the place that is believed still fits, against the best of all.
    fn check(&mut self, best: f32, length: usize) {
        let Some(found) = &mut self.found else { return };
        let begin = found.at(self.ear.clock - length as f64 / RATE) * RATE / ROUGH as f64;
        let near = (begin.round() as i64 - 1..=begin.round() as i64 + 1)
            .filter_map(|place| self.rough.get(usize::try_from(place).ok()?..))
            .map(|rest| likeness(&self.small, rest));
        let score = near.fold(f32::MIN, f32::max);
        let fallen = score < USUAL * found.sure && score < best - 0.02;
        if score < DOUBT || fallen {
            return self.doubt();
        }
        self.doubts = 0;
        found.sure += 0.15 * (score.clamp(0.0, 1.0) - found.sure);
    }

    fn doubt(&mut self) {
        self.guess = None;
        self.doubts += 1;
        if self.doubts >= LOST {
            self.found = None;
        }
    }

    /// Compares the last seconds with places near the expected one.
    fn keep_up(&mut self) {
        let Some(found) = self.found else { return };
        let length = self.ear.fill(NEAR, &mut self.window);
        let middle = length as f64 / 2.0;
        let clock = self.ear.clock - middle / RATE;
        let expected = found.at(clock);
        normalise(&mut self.window);
        let (score, place) = self.refine(expected * RATE - middle, REACH);
        if score < FINE {
            return;
        }
        // An alpha-beta filter: a third of the way, and of the slope a little.
        let off = (place + middle) / RATE - expected;
        let (alpha, beta) = (0.3, 0.02);
        let past = (clock - found.clock).max(1.0 / RATE);
        let rate = (found.rate + beta * off / past).clamp(0.98, 1.02);
        self.found = Some(Found { clock, position: expected + alpha * off, rate, ..found });
    }

    /// The best place at most `reach` values from `around`, between values.
    fn refine(&self, around: f64, reach: usize) -> (f32, f64) {
        let from = (around.round() as i64 - reach as i64).max(0) as usize;
        let to = (around.round() as i64 + reach as i64).max(0) as usize;
        let score = |place: usize| match self.fine.get(place..) {
            Some(rest) => likeness(&self.window, rest),
            None => f32::MIN,
        };
        let mut best = (f32::MIN, from);
        for place in from..=to {
            let now = score(place);
            if now > best.0 {
                best = (now, place);
            }
        }
        let (top, place) = best;
        let (left, right) = (score(place.saturating_sub(1)), score(place + 1));
        if place == 0 || left == f32::MIN || right == f32::MIN || left > top || right > top {
            return (top, place as f64);
        }
        // The top of a parabola through three values.
        let shift = 0.5 * (left - right) / (left - 2.0 * top + right).min(-1e-9);
        (top, place as f64 + f64::from(shift.clamp(-0.5, 0.5)))
    }
}

/// What is heard, as curves.
#[derive(Debug)]
struct Ear {
    ring: Vec<Point>,
    slow: Vec<[u8; 16]>,
    /// Values so far.
    heard: u64,
    half: Option<Levels>,
    before: [u8; 4],
    onsets: [f32; 4],
    clock: f64,
    quiet: u32,
}

impl Ear {
    fn new() -> Ear {
        Ear {
            ring: vec![[0.0; CURVES]; MOST],
            slow: vec![[0; 16]; MOST],
            heard: 0,
            half: None,
            before: [0; 4],
            onsets: [0.0; 4],
            clock: 0.0,
            quiet: 0,
        }
    }

    /// Takes a hop; whether a value is complete.
    fn hear(&mut self, frame: &Frame, at: f64) -> bool {
        let levels = Levels::of(frame);
        self.quiet = if frame.level.open { 0 } else { self.quiet.saturating_add(1) };
        for (mark, began) in self.onsets.iter_mut().zip(frame.onsets) {
            *mark += f32::from(u8::from(began));
        }
        let Some(half) = self.half.take() else {
            self.half = Some(levels);
            return false;
        };
        let slow = std::array::from_fn(|k| half.slow[k].max(levels.slow[k]));
        let levels: [u8; 4] = std::array::from_fn(|k| half.fast[k].max(levels.fast[k]));
        let point = point(self.before, levels, self.onsets);
        (self.before, self.onsets, self.clock) = (levels, [0.0; 4], at);
        let place = (self.heard % MOST as u64) as usize;
        (self.ring[place], self.slow[place]) = (point, slow);
        self.heard += 1;
        true
    }

    /// Copies the newest values, at most so many, in order; how many there are.
    fn fill(&self, most: usize, window: &mut Vec<Point>) -> usize {
        let length = most.min(self.heard.min(MOST as u64) as usize);
        window.clear();
        let from = self.heard - length as u64;
        window.extend((from..self.heard).map(|k| self.ring[(k % MOST as u64) as usize]));
        length
    }

    /// The newest `length` values with [`ROUGH`] as one.
    fn fill_rough(&self, length: usize, small: &mut Vec<Trait>) {
        small.clear();
        let (mut from, mut before) = (self.heard - length as u64, [[0.0; 16]; 2]);
        while from < self.heard {
            let to = (from + ROUGH as u64).min(self.heard);
            let (mut point, mut slow) = ([0.0; CURVES], [0.0; 16]);
            let share = 1.0 / (to - from) as f32;
            for k in from..to {
                let place = (k % MOST as u64) as usize;
                (0..CURVES).for_each(|i| point[i] += share * self.ring[place][i]);
                (0..16).for_each(|i| slow[i] += share * f32::from(self.slow[place][i]));
            }
            if small.is_empty() {
                before = [slow; 2];
            }
            small.push(joined(point, slow, before[0]));
            (before, from) = ([before[1], slow], to);
        }
    }

    fn is_quiet(&self) -> bool {
        self.quiet > HOPS as u32
    }
}

/// One value of all curves.
fn point(before: [u8; 4], now: [u8; 4], onsets: [f32; 4]) -> Point {
    let rise = |k: usize| f32::from(now[k].saturating_sub(before[k]));
    let [a, b, c, d] = onsets;
    [rise(1), rise(2), rise(3), a, b, c, d]
}

/// The curves of a timeline.
fn curves(timeline: &Timeline) -> Vec<Point> {
    let mut before = [0; 4];
    let mut points: Vec<Point> = Vec::with_capacity(timeline.fast.len());
    for now in &timeline.fast {
        points.push(point(std::mem::replace(&mut before, *now), *now, [0.0; 4]));
    }
    for (k, onsets) in timeline.onsets.iter().enumerate() {
        for onset in onsets {
            // An onset is told at the end of its hop.
            if let Some(point) = points.get_mut((onset.saturating_sub(1) / EACH) as usize) {
                point[3 + k] += 1.0;
            }
        }
    }
    points
}

/// Curves and the movement of the channels in one.
fn joined(point: Point, now: [f32; 16], before: [f32; 16]) -> Trait {
    std::array::from_fn(|i| match i.checked_sub(CURVES) {
        None => point[i],
        Some(k) => now[k] - before[k],
    })
}

/// The curves of a timeline with [`ROUGH`] values as one, and its channels.
fn traits(timeline: &Timeline) -> Vec<Trait> {
    let mut before = [[0.0; 16]; 2];
    let channels = timeline.slow.chunks((ROUGH as f64 * SLOW / RATE) as usize);
    let points = curves(timeline);
    let values = points.chunks(ROUGH).zip(channels).enumerate();
    let one = |(at, (points, channels)): (usize, (&[Point], &[[u8; 16]]))| {
        let mean = |i: usize| points.iter().map(|p| p[i]).sum::<f32>() / points.len() as f32;
        let level = |i: usize| channels.iter().map(|c| f32::from(c[i])).sum::<f32>();
        let now = std::array::from_fn(|i| level(i) / channels.len() as f32);
        if at == 0 {
            before = [now; 2];
        }
        let joined = joined(std::array::from_fn(mean), now, before[0]);
        before = [before[1], now];
        joined
    };
    values.map(one).collect()
}

/// Each value spread over its neighbours, so that curves that lie between two values still meet.
fn smooth<const N: usize>(points: &mut [[f32; N]]) {
    let mut before = points.first().copied().unwrap_or([0.0; N]);
    for k in 0..points.len() {
        let (now, after) = (points[k], points[(k + 1).min(points.len() - 1)]);
        points[k] = std::array::from_fn(|i| 0.25 * before[i] + 0.5 * now[i] + 0.25 * after[i]);
        before = now;
    }
}

/// Values brought to mean 0 and spread 1 by what is around them.
fn standard<const N: usize>(points: &[[f32; N]]) -> Vec<[f32; N]> {
    let mut points = points.to_vec();
    smooth(&mut points);
    let mut sums = vec![([0f64; N], [0f64; N]); points.len() + 1];
    for (k, point) in points.iter().enumerate() {
        let (mut sum, mut squares) = sums[k];
        for i in 0..N {
            sum[i] += f64::from(point[i]);
            squares[i] += f64::from(point[i]).powi(2);
        }
        sums[k + 1] = (sum, squares);
    }
    let one = |k: usize| -> [f32; N] {
        let (from, to) = (k.saturating_sub(AROUND), (k + AROUND).min(points.len()));
        let count = (to - from) as f64;
        std::array::from_fn(|i| {
            let mean = (sums[to].0[i] - sums[from].0[i]) / count;
            let spread = ((sums[to].1[i] - sums[from].1[i]) / count - mean * mean).max(0.0).sqrt();
            scaled(points[k][i], mean as f32, spread as f32)
        })
    };
    (0..points.len()).map(one).collect()
}

/// As [`standard`], over all of a window, in place.
fn normalise<const N: usize>(points: &mut [[f32; N]]) {
    smooth(points);
    let count = points.len().max(1) as f32;
    for i in 0..N {
        let mean = points.iter().map(|point| point[i]).sum::<f32>() / count;
        let square = points.iter().map(|point| (point[i] - mean).powi(2)).sum::<f32>() / count;
        let spread = square.sqrt();
        points.iter_mut().for_each(|point| point[i] = scaled(point[i], mean, spread));
    }
}

/// A curve that never moves says nothing; a single peak must not say everything.
fn scaled(value: f32, mean: f32, spread: f32) -> f32 {
    if spread < 0.02 { 0.0 } else { ((value - mean) / spread).clamp(-3.0, 3.0) }
}

/// How alike a window is to the beginning of `place`, about -1 to 1.
fn likeness<const N: usize>(window: &[[f32; N]], place: &[[f32; N]]) -> f32 {
    let mut sums = [0.0f32; N];
    for (a, b) in window.iter().zip(place) {
        for i in 0..N {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() / (N * window.len().max(1)) as f32
}
