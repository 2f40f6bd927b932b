//! The clock of shows.

/// Seconds of CLOCK_MONOTONIC.
pub(super) fn now() -> f64 {
    use nix::time::{ClockId, clock_gettime};
    // Linux always has this clock.
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0.0, |at| at.tv_sec() as f64 + at.tv_nsec() as f64 * 1e-9)
}
