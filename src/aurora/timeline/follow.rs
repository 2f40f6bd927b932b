//! Follows sound that something else plays: finds the place in a timeline of what is heard now.
//!
//! Both sides are reduced to the same curves, 50 values a second: how far bass, middle and treble rose,
//! and onsets in four groups; each is brought to mean 0 and spread 1, so that neither volume nor tone
//! control matters. While the place is unknown the last seconds are compared with every place of the
//! timeline, roughly and then finely; once it is known, only with places near by, and a straight line is
//! laid through what is found, whose slope is the drift between the two clocks. When nothing fits any
//! longer it says so. It is told the time and allocates nothing per frame.

use super::render::Levels;
use super::{HOPS, Timeline};
use crate::aurora::analyse::Frame;

/// Curves: three rises, four groups of onsets.
const CURVES: usize = 7;
type Point = [f32; CURVES];

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
/// A likeness (1 is the same) above which a place is believed when searching, and when following.
const SURE: f32 = 0.42;
const STILL: f32 = 0.25;
/// The best place is this much better than any other, or it was found this often in a row.
const CLEAR: f32 = 0.08;
const AGAIN: u32 = 4;
/// After so many tries without likeness the place is lost.
const LOST: u32 = 8;
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
    rough: Vec<Point>,
    ear: Ear,
    /// Room for what is compared.
    window: Vec<Point>,
    small: Vec<Point>,
    found: Option<Found>,
    misses: u32,
    /// The best place of the last search and how often it was found.
    guess: Option<(f64, u32)>,
}

impl Follower {
    /// A follower of this timeline.
    pub fn new(timeline: &Timeline) -> Follower {
        let fine = standard(&curves(timeline));
        let rough = standard(&thinned(&fine));
        Follower {
            fine,
            rough,
            ear: Ear::new(),
            window: Vec::with_capacity(MOST),
            small: Vec::with_capacity(MOST / ROUGH + 1),
            found: None,
            misses: 0,
            guess: None,
        }
    }

    /// Takes a frame whose last sample was heard at `at` (s).
    pub fn hear(&mut self, frame: &Frame, at: f64) {
        if !self.ear.hear(frame, at) {
            return;
        }
        match self.found {
            Some(found) if self.ear.heard.is_multiple_of(FOLLOW) => self.keep_up(found),
            None if self.ear.heard.is_multiple_of(SEARCH) => self.search(),
            _ => {}
        }
    }

    /// The place, while it is known.
    pub fn found(&self) -> Option<Found> {
        self.found
    }

    /// Compares the last seconds with every place.
    fn search(&mut self) {
        let length = self.ear.fill(MOST, &mut self.window);
        if length < LEAST || self.ear.is_quiet() || self.fine.len() < LEAST {
            self.guess = None;
            return;
        }
        thin(&self.window, &mut self.small);
        normalise(&mut self.window);
        normalise(&mut self.small);
        // Music may have begun before the window's end, so its beginning may lie before that of the
        // timeline; that much is cut off.
        let last = self.rough.len().saturating_sub(self.small.len() / 2);
        let mut best: [(f32, usize); 6] = [(f32::MIN, 0); 6];
        for place in 0..last {
            let score = likeness(&self.small, &self.rough[place..]);
            // One place for each half second: neighbours of the best are no rivals.
            let near = best.iter().position(|(_, other)| other.abs_diff(place) < 7 && *other != 0);
            match near {
                Some(k) if best[k].0 >= score => continue,
                Some(k) => best[k] = (score, place),
                None if score > best[5].0 => best[5] = (score, place),
                None => continue,
            }
            best.sort_by(|a, b| b.0.total_cmp(&a.0));
        }
        let mut finest: [(f32, f64); 6] = [(f32::MIN, 0.0); 6];
        for (fine, (_, place)) in finest.iter_mut().zip(best) {
            *fine = self.refine((place * ROUGH) as f64, 2 * ROUGH);
        }
        finest.sort_by(|a, b| b.0.total_cmp(&a.0));
        self.judge(finest, length);
    }

    /// Believes the best of what was found, or waits for more.
    fn judge(&mut self, best: [(f32, f64); 6], length: usize) {
        let (score, place) = best[0];
        let rival = best[1..].iter().find(|other| (other.1 - place).abs() > 10.0);
        let margin = score - rival.map_or(0.0, |rival| rival.0);
        let middle = length as f64 / 2.0;
        let clock = self.ear.clock - middle / RATE;
        // The same place again is the one that moved on with the clock.
        let start = place / RATE - (self.ear.clock - length as f64 / RATE);
        let again = match self.guess {
            Some((last, times)) if (last - start).abs() < 0.06 => times + 1,
            _ => 1,
        };
        self.guess = (score > 0.8 * SURE).then_some((start, again));
        let believed = score > SURE && (margin > CLEAR && again >= 2 || again >= AGAIN);
        if believed {
            let position = (place + middle) / RATE;
            self.found = Some(Found { clock, position, rate: 1.0, sure: score.clamp(0.0, 1.0) });
            (self.misses, self.guess) = (0, None);
        }
    }

    /// Compares the last seconds with places near the expected one.
    fn keep_up(&mut self, found: Found) {
        let length = self.ear.fill(NEAR, &mut self.window);
        let middle = length as f64 / 2.0;
        let clock = self.ear.clock - middle / RATE;
        let expected = found.at(clock);
        normalise(&mut self.window);
        let (score, place) = self.refine(expected * RATE - middle, REACH);
        if score < STILL || self.ear.is_quiet() {
            self.misses += 1;
            if self.misses >= LOST {
                self.found = None;
            }
            return;
        }
        self.misses = 0;
        // An alpha-beta filter: most of the way at first, then slowly; the slope ten times slower.
        let off = (place + middle) / RATE - expected;
        let (alpha, beta) = (0.35, 0.03);
        let past = (clock - found.clock).max(1.0 / RATE);
        let rate = (found.rate + beta * off / past).clamp(0.98, 1.02);
        let sure = found.sure + 0.3 * (score.clamp(0.0, 1.0) - found.sure);
        self.found = Some(Found { clock, position: expected + alpha * off, rate, sure });
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
    /// Values so far.
    heard: u64,
    half: Option<[u8; 4]>,
    before: [u8; 4],
    onsets: [f32; 4],
    clock: f64,
    quiet: u32,
}

impl Ear {
    fn new() -> Ear {
        Ear {
            ring: vec![[0.0; CURVES]; MOST],
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
        let levels = Levels::of(frame).fast;
        self.quiet = if frame.level.open { 0 } else { self.quiet.saturating_add(1) };
        for (mark, began) in self.onsets.iter_mut().zip(frame.onsets) {
            *mark += f32::from(u8::from(began));
        }
        let Some(half) = self.half.take() else {
            self.half = Some(levels);
            return false;
        };
        let levels: [u8; 4] = std::array::from_fn(|k| half[k].max(levels[k]));
        let point = point(self.before, levels, self.onsets);
        (self.before, self.onsets, self.clock) = (levels, [0.0; 4], at);
        self.ring[(self.heard % MOST as u64) as usize] = point;
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

/// Each value spread over its neighbours, so that curves that lie between two values still meet.
fn smooth(points: &mut [Point]) {
    let mut before = points.first().copied().unwrap_or_default();
    for k in 0..points.len() {
        let (now, after) = (points[k], points[(k + 1).min(points.len() - 1)]);
        points[k] = std::array::from_fn(|i| 0.25 * before[i] + 0.5 * now[i] + 0.25 * after[i]);
        before = now;
    }
}

/// Values brought to mean 0 and spread 1 by what is around them.
fn standard(points: &[Point]) -> Vec<Point> {
    let mut points = points.to_vec();
    smooth(&mut points);
    let mut sums = vec![([0f64; CURVES], [0f64; CURVES]); points.len() + 1];
    for (k, point) in points.iter().enumerate() {
        let (mut sum, mut squares) = sums[k];
        for i in 0..CURVES {
            sum[i] += f64::from(point[i]);
            squares[i] += f64::from(point[i]).powi(2);
        }
        sums[k + 1] = (sum, squares);
    }
    let one = |k: usize| -> Point {
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
fn normalise(points: &mut [Point]) {
    smooth(points);
    let count = points.len().max(1) as f32;
    for i in 0..CURVES {
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

/// [`ROUGH`] values as one.
fn thin(points: &[Point], into: &mut Vec<Point>) {
    into.clear();
    into.extend(points.chunks(ROUGH).map(|four| {
        std::array::from_fn(|i| four.iter().map(|point| point[i]).sum::<f32>() / ROUGH as f32)
    }));
}

fn thinned(points: &[Point]) -> Vec<Point> {
    let mut rough = Vec::with_capacity(points.len() / ROUGH + 1);
    thin(points, &mut rough);
    rough
}

/// How alike a window is to the beginning of `place`, about -1 to 1.
fn likeness(window: &[Point], place: &[Point]) -> f32 {
    let mut sums = [0.0f32; CURVES];
    for (a, b) in window.iter().zip(place) {
        for i in 0..CURVES {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() / (CURVES * window.len().max(1)) as f32
}
