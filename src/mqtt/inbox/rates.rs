//! How often something comes: a smoothed rate, the last minute, and the time in between. Pure.

/// Time constant of the smoothed rate, in seconds.
const TAU: f64 = 60.0;
/// The last minute is counted in parts of so many microseconds.
const PART: i64 = 5_000_000;
const PARTS: usize = 12;

/// The beat of a topic, or of all of them together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse {
    /// Beats per second, smoothed, at the newest one.
    smooth: f64,
    begun: i64,
    newest: i64,
    minute: [u32; PARTS],
    gaps: Gaps,
}

/// The times between beats, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Gaps {
    /// How many there were.
    pub(crate) count: u32,
    pub(crate) mean: f64,
    /// The sum of the squared distances from the mean (Welford).
    pub(crate) squares: f64,
    pub(crate) longest: f64,
}

impl Gaps {
    fn note(&mut self, gap: f64) {
        self.count = self.count.saturating_add(1);
        let off = gap - self.mean;
        self.mean += off / f64::from(self.count);
        self.squares += off * (gap - self.mean);
        self.longest = self.longest.max(gap);
    }

    /// Returns the standard deviation.
    pub(crate) fn deviation(&self) -> f64 {
        if self.count < 2 { 0.0 } else { (self.squares / f64::from(self.count - 1)).sqrt() }
    }
}

impl Pulse {
    /// Takes in a beat at `at` (microseconds since 1970). Nothing is learned from the time since the
    /// one before when that was before `trusted_from`: we were away, or the clock was set.
    pub(crate) fn beat(&mut self, at: i64, trusted_from: i64) {
        if self.begun == 0 {
            self.begun = at;
            self.newest = at;
        }
        let gap = seconds(at - self.newest);
        if gap > 0.0 {
            self.smooth *= fade(gap);
        }
        self.smooth += 1.0 / TAU;
        if self.beats() && gap >= 0.0 && self.newest >= trusted_from {
            self.gaps.note(gap);
        }
        self.turn(at);
        if let Some(part) = self.minute.get_mut(place(at)) {
            *part = part.saturating_add(1);
        }
        self.newest = at;
    }

    fn beats(&self) -> bool {
        self.smooth > 1.0 / TAU || self.gaps.count > 0
    }

    /// Empties the parts of the minute that have passed since the newest beat.
    fn turn(&mut self, at: i64) {
        let (from, to) = (self.newest.div_euclid(PART), at.div_euclid(PART));
        if to.abs_diff(from) >= PARTS as u64 {
            self.minute = [0; PARTS];
        } else {
            // A clock that was set back counts on in the part where it is.
            (from + 1..=to).for_each(|part| self.minute[place(part * PART)] = 0);
        }
    }

    /// Returns the beats of the last 55 to 60 seconds.
    pub(crate) fn last_minute(&self, now: i64) -> u32 {
        let mut until = self.clone();
        until.turn(now.max(self.newest));
        until.minute.iter().sum()
    }

    /// Returns the beats per second of the last minutes, the newest weighing most.
    pub(crate) fn per_second(&self, now: i64) -> f64 {
        if self.begun == 0 {
            return 0.0;
        }
        let since = seconds(now - self.newest).max(0.0);
        // What had not begun yet must not weigh as silence; but one beat makes no rate.
        let known = seconds(now - self.begun).max(1.0);
        self.smooth * fade(since) / (1.0 - fade(known))
    }

    /// Returns the times between beats.
    pub(crate) fn gaps(&self) -> Gaps {
        self.gaps
    }
}

fn place(at: i64) -> usize {
    usize::try_from(at.div_euclid(PART).rem_euclid(PARTS as i64)).unwrap_or(0)
}

/// How much of the past still counts after so many seconds.
fn fade(seconds: f64) -> f64 {
    let x = seconds / TAU;
    // Between quick beats the first terms are exact enough, and much cheaper.
    if x < 1e-3 { 1.0 - x + x * x / 2.0 } else { (-x).exp() }
}

#[allow(clippy::cast_precision_loss, reason = "spans of years are exact")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_795_258_800_000_000;

    fn beaten(every: f64, seconds: f64) -> (Pulse, i64) {
        let mut pulse = Pulse::default();
        let count = (seconds / every) as i64;
        let at = |n: i64| START + (n as f64 * every * 1e6) as i64;
        (0..count).for_each(|n| pulse.beat(at(n), 0));
        (pulse, at(count))
    }

    #[test]
    fn a_steady_beat_has_its_rate_from_the_first_minute_on() {
        for (every, seconds) in [(0.001, 2.0), (0.1, 20.0), (1.0, 60.0), (5.0, 600.0)] {
            let (pulse, now) = beaten(every, seconds);
            let rate = pulse.per_second(now);
            assert!((rate * every - 1.0).abs() < 0.12, "every {every}: {rate}");
            let gaps = pulse.gaps();
            assert!((gaps.mean / every - 1.0).abs() < 0.01 && gaps.deviation() < every * 0.01);
        }
    }

    #[test]
    fn the_last_minute_is_what_came_in_it() {
        let (pulse, now) = beaten(0.5, 300.0);
        let count = pulse.last_minute(now);
        assert!((110..=120).contains(&count), "{count}");
        assert!(pulse.last_minute(now + 30_000_000) <= 70);
        assert_eq!(pulse.last_minute(now + 70_000_000), 0);
        assert!(pulse.per_second(now + 600_000_000) < 0.001);
    }

    #[test]
    fn a_time_away_or_a_clock_that_is_set_teaches_nothing() {
        let (mut pulse, now) = beaten(1.0, 100.0);
        let before = pulse.gaps();
        pulse.beat(now + 3_600_000_000, now + 3_599_000_000);
        assert_eq!(pulse.gaps(), before);
        pulse.beat(now, now);
        assert_eq!(pulse.gaps(), before);
        for n in 1..60 {
            pulse.beat(now + n * 1_000_000, now);
        }
        assert_eq!(pulse.gaps().count, before.count + 59);
        assert!((pulse.gaps().longest - 1.0).abs() < 0.01);
        assert!((50..=61).contains(&pulse.last_minute(now + 59_000_000)));
    }
}
