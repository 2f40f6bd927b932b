//! Onsets: that something began, at the hop in which it shows.
//!
//! A value is an onset when it is the largest of the last 30 ms, stands above their mean of 100 ms and
//! the last onset is 40 ms away: the online peak picking of Böck, Krebs and Schedl (2012, section 2.2),
//! which needs no look ahead.

/// Hops of the mean.
const PAST: usize = 10;
/// Hops of the largest.
const NEAR: usize = 3;
/// Hops between two onsets.
const APART: u32 = 4;

/// Picks the peaks of one curve.
pub(super) struct Peaks {
    past: [f32; PAST],
    at: usize,
    since: u32,
    least: f32,
    above: f32,
}

impl Peaks {
    /// Peaks of at least `least`, and `above` the mean of the last 100 ms.
    pub(super) fn new(least: f32, above: f32) -> Peaks {
        Peaks { past: [0.0; PAST], at: 0, since: APART, least, above }
    }

    /// Whether this value is an onset.
    pub(super) fn step(&mut self, value: f32) -> bool {
        self.since = self.since.saturating_add(1);
        let mean = self.past.iter().sum::<f32>() / PAST as f32;
        let near = (1..=NEAR).map(|k| self.past[(self.at + PAST - k) % PAST]).fold(0.0, f32::max);
        self.past[self.at] = value;
        self.at = (self.at + 1) % PAST;
        let is =
            value >= self.least && value > near && value >= mean + self.above && self.since > APART;
        if is {
            self.since = 0;
        }
        is
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places at which these values are onsets.
    fn found(values: &[f32]) -> Vec<usize> {
        let mut peaks = Peaks::new(0.3, 0.1);
        (0..values.len()).filter(|i| peaks.step(values[*i])).collect()
    }

    #[test]
    fn a_rise_is_told_once_and_at_once() {
        let mut values = vec![0.0; 40];
        values[10..14].copy_from_slice(&[0.5, 0.9, 0.6, 0.2]);
        values[30] = 0.4;
        assert_eq!(found(&values), [10, 30]);
    }

    #[test]
    fn what_is_small_steady_or_too_close_is_none() {
        assert!(found(&[0.2; 50]).is_empty());
        assert_eq!(found(&[0.8; 50]), [0]);
        let mut values = vec![0.0; 40];
        (values[10], values[13], values[20]) = (0.5, 0.9, 0.5);
        assert_eq!(found(&values), [10, 20]);
    }
}
