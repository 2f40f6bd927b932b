//! Points in time as people and models write them. Pure.

use crate::error::Error;
use crate::home::select::seconds;
use crate::home::text::clean;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit, Zoned};

/// In which direction a span of time alone (`24h`) leads from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toward {
    /// `24h` is a day ago.
    Past,
    /// `24h` is a day ahead.
    Future,
}

/// Reads `24h`, `now`, `today`, a date, a local time or RFC 3339 as seconds since 1970. What has no
/// offset is meant in the house's `zone`.
///
/// # Errors
/// Invalid: says which forms there are.
pub(crate) fn moment(text: &str, now: f64, zone: &TimeZone, to: Toward) -> Result<f64, Error> {
    let text = text.trim();
    let local = |at: DateTime| at.to_zoned(zone.clone()).ok();
    let of = |at: Timestamp| at.as_microsecond() as f64 / 1e6;
    match text {
        "now" => return Ok(now),
        "today" => {
            let day = date_of(now, zone).and_then(|day| local(day.to_datetime(Default::default())));
            return day.map(|at| of(at.timestamp())).ok_or_else(|| bad(text));
        }
        _ => {}
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(of(at));
    }
    if let Some(at) = text.parse::<DateTime>().ok().and_then(local) {
        return Ok(of(at.timestamp()));
    }
    match (seconds(text), to) {
        (Ok(span), Toward::Past) => Ok(now - span),
        (Ok(span), Toward::Future) => Ok(now + span),
        (Err(_), _) => Err(bad(text)),
    }
}

/// Returns a time (seconds since 1970) as Home Assistant takes it.
pub(crate) fn utc(at: f64) -> String {
    let stamp = Timestamp::from_microsecond((at * 1e6) as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    stamp.round(Unit::Second).unwrap_or(stamp).to_string()
}

/// Returns the day of a time (seconds since 1970) in a zone.
pub(crate) fn date_of(at: f64, zone: &TimeZone) -> Option<Date> {
    let stamp = Timestamp::from_second(at as i64).ok()?;
    Some(Zoned::new(stamp, zone.clone()).date())
}

/// Whether a text is a day without a time.
pub(crate) fn is_date(text: &str) -> bool {
    let text = text.trim();
    text.len() == 10 && text.parse::<Date>().is_ok()
}

fn bad(text: &str) -> Error {
    Error::invalid(format!(
        "'{}' is no time; write a span like 24h or 7d, a date like 2026-11-21, or a time like \
         2026-11-21T18:00 or 2026-11-21T18:00:00+01:00",
        clean(text, 40)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form() {
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        // 2026-11-21T12:00:00+01:00
        let now = 1_795_258_800.0;
        let check = |text: &str, want: f64| {
            assert_eq!(moment(text, now, &zone, Toward::Past).unwrap(), want, "{text}");
        };
        check("now", now);
        check("24h", now - 86_400.0);
        check("7d", now - 7.0 * 86_400.0);
        check("90s", now - 90.0);
        check("today", now - 12.0 * 3600.0);
        check("2026-11-21", now - 12.0 * 3600.0);
        check("2026-11-21T12:00", now);
        check("2026-11-21 12:00:30", now + 30.0);
        check("2026-11-21T12:00:00Z", now + 3600.0);
        check("2026-11-21T12:00:00+02:00", now - 3600.0);
        assert_eq!(moment("1h", now, &zone, Toward::Future).unwrap(), now + 3600.0);
        assert_eq!(utc(now), "2026-11-21T11:00:00Z");
        assert!(is_date("2026-11-21") && !is_date("2026-11-21T12:00") && !is_date("yesterday"));
        for text in ["yesterday", "", "2026-13-01", "-3h", "24x"] {
            let e = moment(text, now, &zone, Toward::Past).unwrap_err().to_string();
            assert!(e.contains("is no time"), "{text}: {e}");
        }
    }
}
