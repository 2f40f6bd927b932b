//! Noticing that the clock was set. Pure.
//!
//! Messages carry the time of the wall clock, as people ask by it. When that clock jumps, the time
//! between two messages is not the time that passed.

use std::time::Instant;

/// The clocks are compared so often at most, in microseconds: asking costs a little.
const STEP: i64 = 1_000_000;
/// Smaller differences are the slow corrections that keep clocks right.
const SLACK: i64 = 2_000_000;

/// The wall clock beside one that nobody sets.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    anchor: Option<(i64, Instant)>,
}

impl Clock {
    /// Looks at the wall clock (microseconds since 1970). When it was set since the last look, returns
    /// what it would show otherwise.
    pub(crate) fn look(&mut self, wall: i64, steady: impl FnOnce() -> Instant) -> Option<i64> {
        if let Some((before, _)) = self.anchor
            && (before..before + STEP).contains(&wall)
        {
            return None;
        }
        let now = steady();
        let (before, then) = self.anchor.replace((wall, now))?;
        let passed = i64::try_from(now.saturating_duration_since(then).as_micros()).ok()?;
        let want = before.saturating_add(passed);
        ((wall - want).abs() > SLACK).then_some(want)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_that_is_set_is_noticed_in_both_directions_and_a_long_silence_is_not() {
        let (begin, mut clock) = (Instant::now(), Clock::default());
        let after = |seconds: u64| begin + Duration::from_secs(seconds);
        let hour = 3_600_000_000;
        assert_eq!(clock.look(0, || after(0)), None);
        assert_eq!(clock.look(500_000, || panic!("too soon to ask")), None);
        assert_eq!(clock.look(2_100_000, || after(2)), None);
        assert_eq!(clock.look(hour, || after(3600)), None, "an hour without a message");
        assert_eq!(clock.look(2 * hour, || after(3601)), Some(hour + 1_000_000), "set forward");
        assert_eq!(clock.look(2 * hour + 1_000_000, || after(3602)), None);
        let want = Some(2 * hour + 2_000_000);
        assert_eq!(clock.look(hour, || after(3603)), want, "set back");
        assert_eq!(clock.look(hour + 1_000_000, || after(3604)), None);
    }
}
