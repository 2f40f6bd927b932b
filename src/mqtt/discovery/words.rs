//! What a broker's strangers wrote, as it may be shown; times as answers write them. Pure.

pub(crate) use crate::mqtt::show::clean;

use jiff::Timestamp;

/// Names of things, and the like.
pub(crate) const NAME: usize = 120;
/// Topics.
pub(crate) const TOPIC: usize = 300;

/// Returns a time (microseconds since 1970) as RFC 3339 in UTC, with milliseconds.
pub(crate) fn time(at: i64) -> String {
    let stamp = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{stamp:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(time(1_795_258_800_123_456), "2026-11-21T11:00:00.123Z");
    }
}
