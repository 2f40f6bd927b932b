//! Times of MQTT: microseconds since 1970 (UTC), and as answers write them.

use jiff::{Timestamp, Unit};
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Returns a time as RFC 3339 in UTC, with milliseconds.
pub(crate) fn time(at: i64) -> String {
    format!("{:.3}", stamp(at))
}

/// Returns a time as RFC 3339 in UTC, to the second.
pub(crate) fn time_of_second(at: i64) -> String {
    let stamp = stamp(at);
    stamp.round(Unit::Second).unwrap_or(stamp).to_string()
}

fn stamp(at: i64) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds() {
        assert_eq!(time(1_795_258_800_123_456), "2026-11-21T11:00:00.123Z");
    }
}
