//! One event of a calendar, as Home Assistant tells it and takes it. Pure, but for the zone.

use crate::error::Error;
use crate::home::house::House;
use crate::home::moment::{Toward, is_date, moment};
use crate::home::text::clean;
use crate::home::tools::calendar::CalendarArgs;
use crate::home::tools::set;
use crate::home::view::Row;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

/// An event lasts so long when nobody says, in seconds.
const USUAL: f64 = 3600.0;

/// A day, or a moment.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Edge {
    date: Option<String>,
    date_time: Option<String>,
}

impl Edge {
    fn text(&self) -> &str {
        self.date.as_deref().or(self.date_time.as_deref()).unwrap_or_default()
    }
}

/// An event as Home Assistant tells it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Event {
    #[serde(skip)]
    pub(super) calendar: String,
    start: Edge,
    end: Edge,
    #[serde(default)]
    pub(super) summary: String,
    description: Option<String>,
    location: Option<String>,
    pub(super) uid: Option<String>,
    pub(super) recurrence_id: Option<String>,
    rrule: Option<String>,
}

impl Event {
    /// Sorts by time, and is different for every event.
    pub(super) fn key(&self, zone: &TimeZone) -> String {
        let at = moment(self.start.text(), 0.0, zone, Toward::Future).unwrap_or_default();
        let uid = self.uid.as_deref().unwrap_or(&self.summary);
        let text = format!("{:012}-{}-{uid}", at as i64, self.calendar);
        clean(&text, 200)
    }

    /// Returns what an answer says of it.
    pub(super) fn row(&self, house: &House) -> Row {
        let mut row = Row::new();
        let mut put = |name: &str, text: Option<&str>, most: usize| {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                row.insert(name.into(), clean(text, most).into());
            }
        };
        put("calendar", Some(&self.calendar), 100);
        put("summary", Some(&self.summary), 200);
        put("start", Some(&shown(house, &self.start)), 40);
        put("end", Some(&shown(house, &self.end)), 40);
        put("location", self.location.as_deref(), 200);
        put("description", self.description.as_deref(), 300);
        put("uid", self.uid.as_deref(), 200);
        put("recurrence_id", self.recurrence_id.as_deref(), 60);
        put("rrule", self.rrule.as_deref(), 200);
        row
    }

    /// Whether it is one of a series.
    pub(super) fn recurs(&self) -> bool {
        let is_said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        is_said(&self.recurrence_id) || is_said(&self.rrule)
    }

    /// Returns it as Home Assistant takes it, with what `args` say in place of what was.
    ///
    /// # Errors
    /// Invalid for times that are none.
    pub(super) fn changed(&self, house: &House, args: &CalendarArgs) -> Result<Value, Error> {
        let or = |text: &str, was: &str| set(text).unwrap_or_else(|| was.to_owned());
        let was_long = length(&self.start, &self.end, &house.about().zone);
        let (start, end) = match (set(&args.start), set(&args.end)) {
            // Moved: it lasts as long as before.
            (Some(start), None) => edges(house, &start, None, was_long)?,
            (start, end) => {
                let start = start.unwrap_or_else(|| self.start.text().to_owned());
                let end = end.unwrap_or_else(|| self.end.text().to_owned());
                edges(house, &start, Some(&end), USUAL)?
            }
        };
        let mut event = json!({
            "dtstart": start,
            "dtend": end,
            "summary": or(&args.summary, &self.summary),
        });
        let own = [
            ("description", &args.description, &self.description),
            ("location", &args.location, &self.location),
            ("rrule", &args.rrule, &self.rrule),
        ];
        for (name, text, was) in own {
            let text = or(text, was.as_deref().unwrap_or_default());
            if !text.is_empty() {
                event[name] = text.into();
            }
        }
        Ok(event)
    }
}

/// Returns a new event as Home Assistant takes it.
///
/// # Errors
/// Invalid when it lacks a summary or a start.
pub(super) fn new(house: &House, args: &CalendarArgs) -> Result<Value, Error> {
    let (Some(summary), Some(start)) = (set(&args.summary), set(&args.start)) else {
        return Err(Error::invalid(
            "an event needs a summary and a start: a date for all of a day, or a time",
        ));
    };
    let end = set(&args.end);
    let (start, end) = edges(house, &start, end.as_deref(), USUAL)?;
    let mut event = json!({ "dtstart": start, "dtend": end, "summary": summary });
    let more =
        [("description", &args.description), ("location", &args.location), ("rrule", &args.rrule)];
    for (name, text) in more {
        if let Some(text) = set(text) {
            event[name] = text.into();
        }
    }
    Ok(event)
}

/// Reads the beginning and the end; both days or both times, as Home Assistant wants it. Without an
/// end it lasts `usual` seconds, or one day.
fn edges(
    house: &House,
    start: &str,
    end: Option<&str>,
    usual: f64,
) -> Result<(String, String), Error> {
    let zone = house.about().zone;
    between(start, end, usual, crate::home::house::now(), &zone, |at| house.time(at))
}

fn between(
    start: &str,
    end: Option<&str>,
    usual: f64,
    now: f64,
    zone: &TimeZone,
    written: impl Fn(f64) -> String,
) -> Result<(String, String), Error> {
    if is_date(start) {
        let first: Date = start
            .trim()
            .parse()
            .map_err(|e| Error::invalid(format!("'{}' is no date", clean(start, 40))).because(e))?;
        let next = |days: i64| first.checked_add(Span::new().days(days)).unwrap_or(first);
        let end = match end {
            None => next(((usual / 86_400.0).floor() as i64).max(1)),
            Some(end) if is_date(end) => end.trim().parse::<Date>().unwrap_or(first),
            Some(end) => {
                return Err(Error::invalid(format!(
                    "start is a day and end '{}' is a time; give two days or two times",
                    clean(end, 40)
                )));
            }
        };
        // People name the last day, Home Assistant the day after it; a day alone lasts a day.
        let end = if end <= first { next(1) } else { end };
        return Ok((first.to_string(), end.to_string()));
    }
    let begin = moment(start, now, zone, Toward::Future)?;
    let end = match end {
        None => begin + usual,
        Some(end) => moment(end, begin, zone, Toward::Future)?,
    };
    if end <= begin {
        return Err(Error::invalid("end must be after start"));
    }
    Ok((written(begin), written(end)))
}

/// How long an event lasts, in seconds.
fn length(start: &Edge, end: &Edge, zone: &TimeZone) -> f64 {
    let read = |edge: &Edge| moment(edge.text(), 0.0, zone, Toward::Future).ok();
    match (read(start), read(end)) {
        (Some(start), Some(end)) if end > start => end - start,
        _ => USUAL,
    }
}

/// A moment with the house's offset; a day as it is.
fn shown(house: &House, edge: &Edge) -> String {
    match edge.date_time.as_deref().and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(at) => house.time(at.as_second() as f64),
        None => edge.text().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_not_mixed() {
        let zone = TimeZone::UTC;
        let get = |start: &str, end: Option<&str>| {
            between(start, end, USUAL, 0.0, &zone, |at| format!("{at}"))
        };
        let check = |start: &str, end: Option<&str>, want: (&str, &str)| {
            let got = get(start, end).unwrap();
            assert_eq!((got.0.as_str(), got.1.as_str()), want, "{start} {end:?}");
        };
        check("2026-11-21", None, ("2026-11-21", "2026-11-22"));
        check("2026-11-21", Some("2026-11-21"), ("2026-11-21", "2026-11-22"));
        check("2026-11-30", Some("2026-12-03"), ("2026-11-30", "2026-12-03"));
        check("1970-01-01T01:00", None, ("3600", "7200"));
        check("1970-01-01T01:00", Some("90m"), ("3600", "9000"));
        check("2h", Some("1970-01-01T03:00Z"), ("7200", "10800"));
        assert!(get("2026-11-21", Some("2026-11-21T18:00")).is_err());
        assert!(get("1970-01-01T02:00", Some("1970-01-01T01:00")).is_err());
        assert!(get("soon", None).is_err());
    }
}
