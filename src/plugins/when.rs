//! When something is to happen: spans of time, times of day, and what an event must be like. Pure.

use crate::events::{Entity, Event};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value};
use std::time::Duration;

/// The events that scripts can hear. The audit log is not among them: what a script does is in it.
pub(super) const EVENTS: [&str; 3] = ["entity", "house", "service"];

/// Reads a span of time like `90s`, `5m`, `2h` or `1d`; a bare number is seconds.
pub(super) fn span(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let span = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?;
    (span <= Duration::from_secs(366 * 86_400)).then_some(span)
}

/// Reads a time of day like `22:30` or `6:05:30`: hours, minutes, seconds.
pub(super) fn time_of_day(text: &str) -> Option<(i8, i8, i8)> {
    let parts: Vec<i8> = text.trim().split(':').map(|p| p.parse().ok()).collect::<Option<_>>()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (*hour, *minute, 0),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    let fits = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    fits.then_some((hour, minute, second))
}

/// Returns the next moment after `now` at which the clocks of `zone` show this time of day. On a day
/// on which they skip it, it is as much later as they are put forward.
pub(super) fn next(at: (i8, i8, i8), now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let today = now.to_zoned(zone.clone()).date();
    (0..3).find_map(|days| {
        let day = today.checked_add(days.days()).ok()?;
        let moment = day.at(at.0, at.1, at.2, 0).to_zoned(zone.clone()).ok()?.timestamp();
        (moment > now).then_some(moment)
    })
}

/// What an event must be like.
#[derive(Debug, PartialEq)]
pub(super) struct Filter {
    event: &'static str,
    wants: Vec<(String, Vec<String>)>,
    /// How long it must stay so.
    pub(super) lasting: Option<Duration>,
}

impl Filter {
    /// Reads what a script wrote: fields and the texts that they may have, `*` at the end for any end.
    pub(super) fn read(event: &str, wanted: &Map<String, Value>) -> Result<Filter, String> {
        let known = EVENTS.into_iter().find(|known| *known == event);
        let event = known.ok_or_else(|| {
            format!("on: there is no event '{event}'; there is {}", EVENTS.join(", "))
        })?;
        let mut filter = Filter { event, wants: Vec::new(), lasting: None };
        let fields: &[&str] = match event {
            "entity" => &["entity_id", "to", "from", "area", "house"],
            "house" => &["house", "change"],
            _ => &["service", "state"],
        };
        for (key, value) in wanted {
            if event == "entity" && (key == "for_" || key == "for") {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let lasting = span(&text);
                filter.lasting = Some(lasting.ok_or_else(|| {
                    format!("on: '{text}' is no span of time; write 30s, 5m, 2h or 1d")
                })?);
                continue;
            }
            if !fields.contains(&key.as_str()) {
                let (known, more) =
                    (fields.join(", "), if event == "entity" { ", for_" } else { "" });
                return Err(format!("on: '{event}' has no field '{key}'; it has {known}{more}"));
            }
            let texts = match value {
                Value::Array(items) => items.iter().map(text_of).collect(),
                one => vec![text_of(one)],
            };
            filter.wants.push((key.clone(), texts));
        }
        if filter.lasting.is_some() && !filter.wants.iter().any(|(key, _)| key == "to") {
            return Err("on: for_ needs 'to': the state that lasts so long".into());
        }
        Ok(filter)
    }

    /// Whether the event is what was asked for. An entity must have changed its state.
    pub(super) fn fits(&self, event: &Event) -> bool {
        if event.name() != self.event {
            return false;
        }
        if let Event::Entity(e) = event
            && e.state == e.old_state
        {
            return false;
        }
        self.wants.iter().all(|(key, texts)| {
            let has = field(event, key);
            texts.iter().any(|wanted| one_fits(wanted, has.as_deref()))
        })
    }

    /// Whether an entity's event is about what this filter names, whatever its state is.
    pub(super) fn is_about(&self, e: &Entity) -> bool {
        let named = self.wants.iter().filter(|(key, _)| key == "entity_id");
        self.event == "entity"
            && named
                .into_iter()
                .all(|(_, ids)| ids.iter().any(|id| one_fits(id, Some(&e.entity_id))))
    }

    /// Whether `state` is one that this filter asks for.
    pub(super) fn fits_state(&self, state: Option<&str>) -> bool {
        let mut to = self.wants.iter().filter(|(key, _)| key == "to");
        to.all(|(_, texts)| texts.iter().any(|wanted| one_fits(wanted, state)))
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn one_fits(wanted: &str, has: Option<&str>) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => has.is_some_and(|has| has.starts_with(start)),
        None => has == Some(wanted),
    }
}

fn field(event: &Event, key: &str) -> Option<String> {
    let text = |value: &std::sync::Arc<str>| value.to_string();
    match (event, key) {
        (Event::Entity(e), "entity_id") => Some(text(&e.entity_id)),
        (Event::Entity(e), "to") => e.state.as_ref().map(text),
        (Event::Entity(e), "from") => e.old_state.as_ref().map(text),
        (Event::Entity(e), "area") => e.area.as_ref().map(text),
        (Event::Entity(e), "house") => Some(text(&e.house)),
        (Event::House(h), "house") => Some(text(&h.house)),
        (Event::House(h), "change") => {
            serde_json::to_value(h.change).ok()?.as_str().map(str::to_owned)
        }
        (Event::Service(s), "service") => Some(s.service.clone()),
        (Event::Service(s), "state") => Some(s.state.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spans_and_times_of_day_are_read() {
        let seconds = |text: &str| span(text).map(|d| d.as_secs_f64());
        let want = [("90s", 90.0), ("5m", 300.0), ("2h", 7200.0), ("1d", 86_400.0), ("3", 3.0)];
        assert!(want.iter().all(|(text, want)| seconds(text) == Some(*want)));
        assert!(["", "m", "5 m", "-1s", "5x", "900d", "1e9h"].iter().all(|t| span(t).is_none()));
        assert_eq!(time_of_day("22:30"), Some((22, 30, 0)));
        assert_eq!(time_of_day("6:05:30"), Some((6, 5, 30)));
        assert!(["24:00", "7", "7:60", "a:b", ""].iter().all(|t| time_of_day(t).is_none()));
    }

    #[test]
    fn a_time_of_day_comes_once_each_day_of_the_house() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (now, at, want) in [
            ("2026-11-21T10:00:00Z", (22, 30, 0), "2026-11-21T21:30:00Z"),
            ("2026-11-21T21:30:00Z", (22, 30, 0), "2026-11-22T21:30:00Z"),
            ("2026-07-01T21:00:00Z", (22, 30, 0), "2026-07-02T20:30:00Z"),
            // On this night there is no 2:30.
            ("2026-03-29T00:00:00Z", (2, 30, 0), "2026-03-29T01:30:00Z"),
        ] {
            let found = next(at, now.parse().unwrap(), &zone);
            assert_eq!(found, Some(want.parse().unwrap()), "{now}");
        }
    }

    #[test]
    fn a_filter_says_what_it_does_not_know() {
        let read = |event: &str, wanted: Value| Filter::read(event, wanted.as_object().unwrap());
        for (event, wanted, want) in [
            ("audit", json!({}), "there is no event 'audit'"),
            ("entity", json!({"state": "on"}), "has no field 'state'"),
            ("entity", json!({"for_": "5m"}), "for_ needs 'to'"),
            ("entity", json!({"to": "on", "for_": "5 minutes"}), "is no span of time"),
        ] {
            let e = read(event, wanted).unwrap_err();
            assert!(e.contains(want), "{e}");
        }
    }
}
