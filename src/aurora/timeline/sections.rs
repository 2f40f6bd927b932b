//! The parts of a piece: where it changes into something else, and which parts are alike.
//!
//! Foote, "Automatic audio segmentation using a measure of audio novelty" (ICME 2000): a checkerboard
//! is moved along the diagonal of the self-similarity of the piece; where it fits best, what came before
//! is like itself and what comes after is like itself, but one is not like the other. Everything is
//! computed from kept levels with the four operations and square roots, so it is the same everywhere.

use super::{FULL, SLOW, Section, TONES, Timeline};

/// Places in a second.
const RATE: usize = 2;
/// Half the side of the checkerboard (places): ten seconds.
const HALF: usize = 20;
/// Parts are at least so long (places): eight seconds.
const SHORTEST: usize = 16;
/// A border is this much better than the mean of all places, in standard deviations.
const CLEAR: f64 = 1.0;
/// A border moves to a downbeat that is no further away than this (ms).
const SNAP: u32 = 1_500;
/// Parts whose means are more alike than this have the same letter.
const ALIKE: f64 = 0.6;
/// Channels, pitch classes, loudness.
const SIZE: usize = 16 + 12 + 1;

/// The sections of a timeline, of which all but these are there.
pub(super) fn found(timeline: &Timeline) -> Vec<Section> {
    let places = places(timeline);
    let mut borders = vec![0.0];
    for place in peaks(&novelty(&places)) {
        let at = snapped(timeline, place as f64 / RATE as f64);
        if at > borders[borders.len() - 1] + 1.0 && at < timeline.seconds - 1.0 {
            borders.push(at);
        }
    }
    borders.push(timeline.seconds);
    let mut known: Vec<[f64; SIZE]> = Vec::new();
    let mut sections = Vec::new();
    for two in borders.windows(2) {
        let range = |at: f64, most: usize, rate: f64| ((at * rate) as usize).min(most);
        let (from, to) =
            (range(two[0], places.len(), RATE as f64), range(two[1], places.len(), RATE as f64));
        let mean = mean(&places[from.min(to)..to]);
        let label =
            known.iter().position(|other| cosine(other, &mean) > ALIKE).unwrap_or_else(|| {
                known.push(mean);
                known.len() - 1
            });
        let rate = super::FAST;
        let (from, to) =
            (range(two[0], timeline.fast.len(), rate), range(two[1], timeline.fast.len(), rate));
        let fast = &timeline.fast[from.min(to)..to];
        let loud = fast.iter().map(|levels| f64::from(levels[0])).sum::<f64>()
            / (fast.len().max(1) as f64 * f64::from(FULL));
        let label = char::from(b'A' + (label % 26) as u8);
        sections.push(Section { from: two[0], to: two[1], label, loud: loud as f32 });
    }
    // A border between two that are alike is none.
    sections.dedup_by(|next, last| {
        let same = next.label == last.label;
        if same {
            let (a, b) = (last.to - last.from, next.to - next.from);
            last.loud = ((f64::from(last.loud) * a + f64::from(next.loud) * b) / (a + b)) as f32;
            last.to = next.to;
        }
        same
    });
    for section in &mut sections {
        section.loud = (section.loud * 100.0).round() / 100.0;
    }
    sections
}

/// What each half second sounds like, as far from the piece's mean as from its spread.
fn places(timeline: &Timeline) -> Vec<[f64; SIZE]> {
    let slow = (SLOW / RATE as f64) as usize;
    let count = timeline.slow.len().div_ceil(slow.max(1));
    let mut places = vec![[0.0; SIZE]; count];
    for (k, levels) in timeline.slow.iter().enumerate() {
        let place = &mut places[(k * RATE / SLOW as usize).min(count - 1)];
        for (sum, level) in place.iter_mut().zip(levels) {
            *sum += f64::from(*level);
        }
        place[SIZE - 1] += levels.iter().map(|level| f64::from(*level)).sum::<f64>() / 4.0;
    }
    for (k, tone) in timeline.tones.iter().enumerate() {
        if *tone < 12 && count > 0 {
            // Spread over two seconds, or every note would be a part.
            let at = k * RATE / TONES as usize;
            for place in &mut places[at.saturating_sub(2).min(count)..(at + 3).min(count)] {
                place[16 + usize::from(*tone)] += 1.0;
            }
        }
    }
    let count = places.len().max(1) as f64;
    for k in 0..SIZE {
        let mean = places.iter().map(|place| place[k]).sum::<f64>() / count;
        let spread = places.iter().map(|place| (place[k] - mean) * (place[k] - mean)).sum::<f64>();
        // Pitch classes count a third of what bands do: melodies go through all of them.
        let weight = if (16..28).contains(&k) { 0.33 } else { 1.0 };
        let spread = (spread / count).sqrt().max(1e-9) / weight;
        places.iter_mut().for_each(|place| place[k] = (place[k] - mean) / spread);
    }
    places
}

/// How well the checkerboard fits at each place.
fn novelty(places: &[[f64; SIZE]]) -> Vec<f64> {
    // Of length 1, so that a product is a likeness.
    let units: Vec<[f64; SIZE]> = places
        .iter()
        .map(|place| {
            let length = product(place, place).sqrt().max(1e-12);
            place.map(|x| x / length)
        })
        .collect();
    let taper = |k: usize| 1.0 - k as f64 / (HALF as f64 + 1.0);
    (0..places.len())
        .map(|at| {
            let reach = HALF.min(at).min(places.len() - at);
            if reach < SHORTEST / 2 {
                return 0.0;
            }
            let (mut same, mut cross, mut weights) = (0.0, 0.0, 0.0);
            for i in 0..reach {
                for j in 0..reach {
                    let weight = taper(i) * taper(j);
                    let (before, after) = (&units[at - 1 - i], &units[at + i]);
                    same += weight * product(before, &units[at - 1 - j]);
                    same += weight * product(after, &units[at + j]);
                    cross += 2.0 * weight * product(before, &units[at + j]);
                    weights += 2.0 * weight;
                }
            }
            (same - cross) / weights
        })
        .collect()
}

/// The places where the curve is highest around and clearly above its mean.
fn peaks(curve: &[f64]) -> Vec<usize> {
    let count = curve.len().max(1) as f64;
    let mean = curve.iter().sum::<f64>() / count;
    let spread = (curve.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count).sqrt();
    let highest = |at: usize| {
        let near = at.saturating_sub(SHORTEST)..(at + SHORTEST + 1).min(curve.len());
        curve[near].iter().enumerate().all(|(k, x)| {
            *x < curve[at] || k + at.saturating_sub(SHORTEST) >= at && *x <= curve[at]
        })
    };
    let clear = |at: &usize| curve[*at] > (mean + CLEAR * spread).max(0.3) && highest(*at);
    (SHORTEST / 2..curve.len()).filter(clear).collect()
}

/// A border at the nearest downbeat, or the nearest beat, or where it is.
fn snapped(timeline: &Timeline, seconds: f64) -> f64 {
    let ms = (seconds * 1000.0) as u32;
    let near = |first: bool| {
        let beats = timeline.beats.iter();
        let wanted = beats.filter(|beat| !first || beat.bar.is_some_and(|bar| bar.beat == 1));
        let nearest = wanted.map(|beat| beat.ms).min_by_key(|at| at.abs_diff(ms));
        nearest.filter(|at| at.abs_diff(ms) <= SNAP)
    };
    near(true).or_else(|| near(false)).map_or(seconds, |ms| f64::from(ms) / 1000.0)
}

fn mean(places: &[[f64; SIZE]]) -> [f64; SIZE] {
    let count = places.len().max(1) as f64;
    std::array::from_fn(|k| places.iter().map(|place| place[k]).sum::<f64>() / count)
}

fn product(a: &[f64; SIZE], b: &[f64; SIZE]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn cosine(a: &[f64; SIZE], b: &[f64; SIZE]) -> f64 {
    product(a, b) / (product(a, a) * product(b, b)).sqrt().max(1e-12)
}
