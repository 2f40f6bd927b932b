//! Two-way tracking: where the beats of a whole file most likely were, judged from both sides.
//!
//! The likeliest path (Viterbi) through the state space of [`super::pulse`], of which only the choice
//! of tempo at each beat needs to be kept, and then through the bars of its beats.

use super::pulse::{MIN, TEMPI, odds, ways};
use super::{Event, Frame, Kind, meter};
use crate::error::Error;

/// Longest file: three hours of hops.
const LONGEST: usize = 3 * 3600 * 100;
/// Beats are left out where the mean likeliness of the nearest nine is below this.
const HEARD: f32 = 0.12;
/// And where the live tracker was sure in none of the hops from so many before to so many after.
const BEFORE: usize = 200;
const AFTER: usize = 800;
/// The ear's delay in hops, as in [`super::beat`].
const DELAY: f64 = 1.3;

/// What is kept of a whole file.
#[derive(Default)]
pub struct Whole {
    beats: Vec<f32>,
    downbeats: Vec<f32>,
    onsets: Vec<Event>,
    /// Whether the live tracker was sure of its beat.
    sure: Vec<bool>,
    hop: f64,
}

impl Whole {
    /// Adds a hop.
    ///
    /// # Errors
    /// Limit: the file is longer than three hours.
    pub fn add(&mut self, frame: &Frame, events: &[Event]) -> Result<(), Error> {
        if self.beats.len() >= LONGEST {
            return Err(Error::limit(
                "two-way tracking keeps the whole file, up to three hours; cut it or leave out --offline",
            ));
        }
        let likely = if frame.level.open { frame.likely } else { [0.0; 2] };
        self.beats.push(likely[0]);
        self.downbeats.push(likely[1]);
        self.sure.push(frame.beat.there);
        self.onsets.extend(events.iter().filter(|e| e.kind == Kind::Onset));
        self.hop = frame.seconds / self.beats.len() as f64;
        Ok(())
    }

    /// The beats and onsets in order of time.
    pub fn events(self) -> Vec<Event> {
        let path = path(&self.beats);
        let near = |list: &[f32], hop: usize| {
            let range = hop.saturating_sub(3)..(hop + 4).min(list.len());
            list[range].iter().copied().fold(0.0, f32::max)
        };
        let heard: Vec<f32> = path.iter().map(|hop| near(&self.beats, *hop)).collect();
        let like: Vec<f32> = path
            .iter()
            .zip(&heard)
            .map(|(hop, beat)| near(&self.downbeats, *hop) / (beat + 0.02))
            .collect();
        let bars = meter::two_way(&like);
        let mut events = self.onsets.clone();
        for (k, hop) in path.iter().enumerate() {
            let around = &heard[k.saturating_sub(4)..(k + 5).min(heard.len())];
            let mean = around.iter().sum::<f32>() / around.len() as f32;
            // The live tracker needs some seconds to be sure; what it never became sure of is no beat.
            let later = hop.saturating_sub(BEFORE)..(hop + AFTER).min(self.sure.len());
            if mean < HEARD || !self.sure[later].iter().any(|sure| *sure) {
                continue;
            }
            let kind =
                if bars[k].is_some_and(|bar| bar.beat == 1) { Kind::Downbeat } else { Kind::Beat };
            let seconds = ((*hop as f64 + 1.0 - DELAY) * self.hop).max(0.0);
            events.push(Event { seconds, kind, confidence: mean.min(1.0) });
        }
        events.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        events
    }
}

/// The hops at which the likeliest path has a beat.
fn path(beats: &[f32]) -> Vec<usize> {
    // Best logarithm of a path that is at each place of each tempo now, as rings.
    let mut rings: Vec<Vec<f32>> = (0..TEMPI).map(|j| vec![0.0; MIN + j]).collect();
    let ways: Vec<Vec<(usize, f32)>> = ways();
    // For each hop and tempo: the tempo of the beat that ended when this one began.
    let mut from: Vec<[u8; TEMPI]> = Vec::with_capacity(beats.len());
    for (hop, beat) in beats.iter().enumerate() {
        let ratio = odds(*beat).ln();
        let ended: [f32; TEMPI] = std::array::from_fn(|j| rings[j][last_of(hop, MIN + j)]);
        let mut came = [0u8; TEMPI];
        for (j, ring) in rings.iter_mut().enumerate() {
            let (mut best, mut most) = (j, f32::MIN);
            for (i, cost) in &ways[j] {
                let score = ended[*i] + cost;
                if score > most {
                    (best, most) = (*i, score);
                }
            }
            came[j] = best as u8;
            let period = MIN + j;
            ring[last_of(hop, period)] = most;
            for k in 0..(period + 8) / 16 {
                ring[(last_of(hop, period) + k) % period] += ratio;
            }
        }
        from.push(came);
    }
    back(&rings, &from)
}

/// Where the ring of a period has its last place before a hop, which becomes its first.
fn last_of(hop: usize, period: usize) -> usize {
    period - 1 - hop % period
}

/// Walks from the best place at the end to the beginning, from beat to beat.
fn back(rings: &[Vec<f32>], from: &[[u8; TEMPI]]) -> Vec<usize> {
    let Some(end) = from.len().checked_sub(1) else { return Vec::new() };
    let mut best = (0, 0, f32::MIN);
    for (j, ring) in rings.iter().enumerate() {
        let head = last_of(end, MIN + j);
        for k in 0..ring.len() {
            let score = ring[(head + k) % ring.len()];
            if score > best.2 {
                best = (j, k, score);
            }
        }
    }
    let (mut j, mut found) = (best.0, Vec::new());
    let mut at = end.checked_sub(best.1);
    while let Some(hop) = at {
        found.push(hop);
        j = usize::from(from[hop][j]);
        at = hop.checked_sub(MIN + j);
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_follows_beats_through_a_change_of_tempo() {
        let mut at = vec![20];
        while at[at.len() - 1] < 3000 {
            let last = at[at.len() - 1];
            at.push(last + if last < 1500 { 50 } else { 42 });
        }
        let beats: Vec<f32> =
            (0..3000).map(|hop| if at.contains(&hop) { 0.7 } else { 0.02 }).collect();
        let found = path(&beats);
        for want in at.iter().filter(|hop| **hop < 2990) {
            assert!(found.iter().any(|hop| hop.abs_diff(*want) <= 3), "{want} of {found:?}");
        }
        assert!(found.len() <= at.len() + 1, "{} for {}", found.len(), at.len());
    }

    #[test]
    fn nothing_has_no_beats() {
        assert_eq!(path(&[]), Vec::<usize>::new());
        assert!(Whole::default().events().is_empty());
        let mut whole = Whole::default();
        let frame = Frame::default();
        (0..1000).for_each(|_| whole.add(&frame, &[]).unwrap());
        assert!(whole.events().is_empty());
    }
}
