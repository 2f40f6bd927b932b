//! When sound was heard: the times of arrival made even, and streams that come too fast held back.
//!
//! Samples arrive in bursts and a little late, but they were taken at an even pace. [`Pace`] follows
//! that pace, so that the time of a hop does not tremble with the load of the machine. [`Throttle`]
//! lets a stream run at its own clock, which may drift, but not faster than any clock does.

/// Arrivals further from the pace than this are a new begin (seconds).
const JUMP: f64 = 0.06;
/// How long the pace remembers, at first and later (seconds): arrivals tremble by milliseconds,
/// clocks drift by microseconds.
const FIRST: f64 = 0.1;
const LATER: f64 = 3.0;

/// Follows the pace of one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    step: f64,
    at: f64,
    since: f64,
}

impl Pace {
    /// The pace of `rate` samples a second.
    pub(super) fn new(rate: u32) -> Pace {
        Pace { step: 1.0 / f64::from(rate), at: f64::NEG_INFINITY, since: 0.0 }
    }

    /// Takes `count` samples of which the last arrived at `arrived`; returns when it was heard, and
    /// how many seconds are missing before them when the stream broke off.
    pub(super) fn step(&mut self, count: usize, arrived: f64) -> (f64, f64) {
        let length = count as f64 * self.step;
        let expected = self.at + length;
        let off = arrived - expected;
        if off.abs() > JUMP {
            let missing = if self.at.is_finite() { off.max(0.0) } else { 0.0 };
            (self.at, self.since) = (arrived, 0.0);
            return (arrived, missing);
        }
        self.since += length;
        let memory = self.since.clamp(FIRST, LATER);
        self.at = expected + off * (length / memory).min(1.0);
        (self.at, 0.0)
    }
}

/// A stream is read so much ahead of the clock (seconds); what comes sooner waits in the system's
/// buffer, so that a hop is known when it is heard and not before.
const AHEAD: f64 = 0.005;
/// So much faster than this machine's clock may a stream be: no crystal is off by more, and what a
/// writer was late once is caught up.
const FASTER: f64 = 1.005;

/// Holds back what comes faster than it can be heard: a file that is copied into a pipe, or a writer
/// that writes much at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Throttle {
    /// Seconds of sound ahead of the clock.
    ahead: f64,
    last: f64,
}

impl Throttle {
    /// How many seconds after `now` more may be read; 0 when it may be now.
    pub(super) fn wait(&mut self, now: f64) -> f64 {
        self.ahead = (self.ahead - (now - self.last) * FASTER).max(0.0);
        self.last = now;
        (self.ahead - AHEAD).max(0.0)
    }

    /// Takes note of `seconds` of sound that were read; returns when their end is heard.
    pub(super) fn took(&mut self, seconds: f64) -> f64 {
        self.ahead += seconds;
        self.last + self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something like chance, -1 to 1.
    fn chance(seed: &mut u32) -> f64 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(*seed >> 8) / 8_388_608.0 - 1.0
    }

    #[test]
    fn trembling_arrivals_become_an_even_pace_that_follows_the_drift() {
        let (mut pace, mut seed) = (Pace::new(48_000), 1);
        // A clock that is off by 200 millionths, arrivals late by up to 4 ms.
        let (mut last, mut worst) = (0.0, 0.0f64);
        for block in 1..6_000 {
            let taken = 100.0 + f64::from(block) * 480.0 / 48_000.0 * 1.000_2;
            let late = 0.002 + 0.002 * chance(&mut seed);
            let (at, missing) = pace.step(480, taken + late);
            assert_eq!(missing, 0.0);
            if block > 1_000 {
                worst = worst.max((at - taken - 0.002).abs());
                assert!((at - last - 0.010_002).abs() < 50e-6, "block {block}: {}", at - last);
            }
            last = at;
        }
        assert!(worst < 0.001, "{worst}");
    }

    #[test]
    fn a_break_is_a_new_begin_and_says_how_much_is_missing() {
        let mut pace = Pace::new(48_000);
        assert_eq!(pace.step(480, 5.0), (5.0, 0.0));
        assert_eq!(pace.step(480, 5.01), (5.01, 0.0));
        let (at, missing) = pace.step(480, 5.32);
        assert!(at == 5.32 && (missing - 0.3).abs() < 1e-9, "{at} {missing}");
        let (at, missing) = pace.step(480, 5.33);
        assert!((at - 5.33).abs() < 1e-9 && missing == 0.0);
    }

    #[test]
    fn a_copied_file_is_held_back_and_a_drifting_stream_is_not() {
        let mut throttle = Throttle::default();
        let (mut now, mut read) = (1_000.0, 0.0);
        while now < 1_010.0 {
            while throttle.wait(now) == 0.0 {
                let heard = throttle.took(0.01);
                assert!((0.0..0.016).contains(&(heard - now)), "{heard} at {now}");
                read += 0.01;
            }
            now += throttle.wait(now);
        }
        assert!((10.0..10.1).contains(&read), "{read}");
        let mut throttle = Throttle::default();
        for block in 0..100_000 {
            // 1000 millionths too fast.
            let now = f64::from(block) * 0.01 / 1.001;
            assert!(throttle.wait(now) < 0.006, "block {block}");
            throttle.took(0.01);
        }
    }

    #[test]
    fn what_was_written_at_once_is_read_piece_by_piece() {
        let (mut throttle, mut times) = (Throttle::default(), Vec::new());
        // A tenth of a second of sound each tenth of a second.
        for burst in 0..20 {
            let mut now = 50.0 + f64::from(burst) * 0.1;
            for _ in 0..10 {
                now += throttle.wait(now);
                times.push(throttle.took(0.01));
            }
        }
        assert!(times.windows(2).all(|t| (t[1] - t[0] - 0.01).abs() < 0.002), "{times:?}");
    }
}
