//! The one clock of Aurora: `CLOCK_MONOTONIC`, which every thread reads alike and nobody sets.

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

/// Now, in nanoseconds.
pub fn now_ns() -> u64 {
    // Linux always has this clock.
    let now = ClockId::CLOCK_MONOTONIC.now().unwrap_or(TimeSpec::new(0, 0));
    u64::try_from(now.tv_sec()).unwrap_or(0) * 1_000_000_000 + now.tv_nsec() as u64
}

/// Now, in seconds.
pub fn now() -> f64 {
    seconds(now_ns())
}

/// Nanoseconds of the clock as its seconds.
pub fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// Seconds of the clock as its nanoseconds; what is before its begin becomes that.
pub fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).max(0.0) as u64
}

/// Sleeps until the clock stands at `ns`.
pub fn sleep_until(ns: u64) {
    let until = TimeSpec::new((ns / 1_000_000_000) as i64, (ns % 1_000_000_000) as i64);
    let (clock, absolute) = (ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME);
    while clock_nanosleep(clock, absolute, &until) == Err(Errno::EINTR) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_ends_at_the_time_that_was_said_and_not_before() {
        let until = now_ns() + 3_000_000;
        sleep_until(until);
        let woke = now_ns();
        assert!(woke >= until, "{woke} {until}");
        sleep_until(until);
        assert!(nanoseconds(seconds(woke)).abs_diff(woke) < 1_000);
        assert_eq!(nanoseconds(-1.0), 0);
    }
}
