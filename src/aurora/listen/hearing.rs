//! From what a source gives to frames with the time at which they were heard.
//!
//! What was lost is filled with silence, so that the analysis' own clock goes on with the real one and
//! a beat keeps its place over a gap; a source that pauses is silent. Allocates nothing after
//! [`Hearing::new`].

use crate::aurora::analyse::{Analysis, Frame, Settings};
use crate::aurora::listen::pace::Pace;
use crate::error::Error;

/// More is not filled: the music is another by then (seconds).
const LONGEST_GAP: f64 = 2.0;
/// A source that gave nothing for so long is silent (seconds).
const SILENT: f64 = 0.1;
/// Silence is handed over in pieces of so many samples.
const ZEROS: [f32; 480] = [0.0; 480];

/// Samples into frames.
pub(super) struct Hearing {
    analysis: Analysis,
    pace: Pace,
    rate: f64,
    /// Samples so far.
    pushed: u64,
    /// When the last of them was heard.
    at: Option<f64>,
}

impl Hearing {
    /// # Errors
    /// Invalid: a rate that cannot be analysed.
    pub(super) fn new(rate: u32, settings: Settings) -> Result<Hearing, Error> {
        Ok(Hearing {
            analysis: Analysis::new(rate, settings)?,
            pace: Pace::new(rate),
            rate: f64::from(rate),
            pushed: 0,
            at: None,
        })
    }

    /// Takes samples of which the last arrived at `arrived`, and tells each hop that they end.
    pub(super) fn sound(
        &mut self,
        samples: &[f32],
        arrived: f64,
        mut tell: impl FnMut(&Frame, f64),
    ) {
        let (at, missing) = self.pace.step(samples.len(), arrived);
        if missing > 0.0 {
            // Silence that was told already is not missing any more.
            let length = samples.len() as f64 / self.rate;
            let told = self.at.map_or(0.0, |last| at - length - last);
            self.fill(missing.min(told), &mut tell);
        }
        self.push(samples, at, &mut tell);
    }

    /// Tells that nothing came until `now`.
    pub(super) fn silence(&mut self, now: f64, mut tell: impl FnMut(&Frame, f64)) {
        let Some(last) = self.at else { return };
        // What comes next may still be on its way.
        self.fill(now - SILENT - last, &mut tell);
    }

    fn fill(&mut self, seconds: f64, tell: &mut impl FnMut(&Frame, f64)) {
        let mut left = (seconds.min(LONGEST_GAP) * self.rate) as usize;
        while left > 0 {
            let count = left.min(ZEROS.len());
            let at = self.at.unwrap_or(0.0) + count as f64 / self.rate;
            self.push(&ZEROS[..count], at, tell);
            left -= count;
        }
    }

    fn push(&mut self, samples: &[f32], at: f64, tell: &mut impl FnMut(&Frame, f64)) {
        self.pushed += samples.len() as u64;
        self.at = Some(at);
        // The hop ended so long before the last sample.
        let end = self.pushed as f64 / self.rate;
        self.analysis.push(samples, |frame, _| tell(frame, at - (end - frame.seconds)));
    }
}

/// Frames that wait for the time at which they are heard: the speakers play later than Hearth hears.
pub(super) struct Shelf {
    delay: f64,
    frames: Vec<(Frame, f64)>,
    first: usize,
    count: usize,
}

impl Shelf {
    /// For sound that is heard `delay` seconds after it arrived.
    pub(super) fn new(delay: f64) -> Shelf {
        let most = if delay > 0.0 { (delay * 100.0) as usize + 50 } else { 0 };
        let frames = vec![(Frame::default(), 0.0); most];
        Shelf { delay, frames, first: 0, count: 0 }
    }

    /// Takes a frame whose sound arrived at `at`; tells those that are heard by `now`.
    pub(super) fn step(
        &mut self,
        frame: &Frame,
        at: f64,
        now: f64,
        mut tell: impl FnMut(&Frame, f64),
    ) {
        let heard = at + self.delay;
        if self.frames.is_empty() {
            return tell(frame, heard);
        }
        let length = self.frames.len();
        while self.count > 0 {
            let (oldest, heard) = &self.frames[self.first];
            // When there is no room, early is better than never.
            if *heard > now && self.count < length {
                break;
            }
            tell(oldest, *heard);
            (self.first, self.count) = ((self.first + 1) % length, self.count - 1);
        }
        let place = &mut self.frames[(self.first + self.count) % length];
        place.0.clone_from(frame);
        place.1 = heard;
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hearing() -> Hearing {
        Hearing::new(48_000, Settings::default()).unwrap()
    }

    #[test]
    fn each_hop_is_heard_when_its_last_sample_was() {
        let (mut hearing, mut told) = (hearing(), Vec::new());
        // Pieces that are no whole hops.
        let mut end = 0u32;
        for count in [100u32, 700, 480, 333, 827, 480, 480].into_iter().cycle().take(700) {
            end += count;
            let at = 70.0 + f64::from(end) / 48_000.0;
            hearing
                .sound(&vec![0.1; count as usize], at, |frame, at| told.push((frame.seconds, at)));
        }
        assert_eq!(told.len() as u32, end / 480);
        for (seconds, at) in told {
            assert!((at - 70.0 - seconds).abs() < 1e-6, "{seconds} at {at}");
        }
    }

    #[test]
    fn a_gap_is_filled_so_that_the_clocks_stay_together() {
        let (mut hearing, mut told) = (hearing(), Vec::new());
        let samples = [0.1; 480];
        let mut at = 10.0;
        for hop in 0..200 {
            at += 0.01;
            if hop == 100 {
                at += 0.3;
            }
            hearing.sound(&samples, at, |frame, at| told.push((frame.seconds, at)));
        }
        assert_eq!(told.len(), 230);
        let (seconds, heard) = told[told.len() - 1];
        assert!((heard - at).abs() < 1e-6 && (seconds - 2.3).abs() < 1e-6, "{seconds} at {heard}");
        assert!(told.windows(2).all(|t| (t[1].1 - t[0].1 - 0.01).abs() < 0.001), "{told:?}");
    }

    #[test]
    fn a_pause_is_silence_and_is_not_told_twice() {
        let (mut hearing, mut told) = (hearing(), Vec::new());
        hearing.silence(5.0, |_, _| panic!("nothing was heard yet"));
        for hop in 0..50 {
            let at = 10.01 + f64::from(hop) * 0.01;
            hearing.sound(&[0.5; 480], at, |frame, at| told.push((frame.level, at)));
        }
        for step in 0..40 {
            let now = 10.5 + f64::from(step) * 0.1;
            hearing.silence(now, |frame, at| told.push((frame.level, at)));
        }
        assert!(!told[told.len() - 1].0.open, "the gate shuts");
        let before = told.len();
        assert!((430..=435).contains(&before), "{before}");
        hearing.sound(&[0.5; 480], 14.51, |frame, at| told.push((frame.level, at)));
        assert!(told.windows(2).all(|t| t[1].1 > t[0].1 && t[1].1 - t[0].1 < 0.012));
        assert!((told[told.len() - 1].1 - 14.51).abs() < 1e-6);
    }

    #[test]
    fn frames_of_delayed_speakers_wait_until_they_are_heard() {
        let (mut shelf, mut told) = (Shelf::new(1.0), Vec::new());
        for hop in 0..300 {
            let at = f64::from(hop) * 0.01;
            let frame = Frame { seconds: at, ..Frame::default() };
            shelf.step(&frame, at, at, |frame, heard| told.push((frame.seconds, heard, at)));
        }
        assert!((199..=200).contains(&told.len()), "{}", told.len());
        for (seconds, heard, now) in told {
            assert!((heard - seconds - 1.0).abs() < 1e-9, "{seconds} {heard}");
            assert!(heard <= now + 1e-9 && now - heard < 0.011, "{heard} at {now}");
        }
        let mut none = Shelf::new(-0.02);
        none.step(&Frame::default(), 5.0, 5.0, |_, heard| assert_eq!(heard, 4.98));
    }
}
