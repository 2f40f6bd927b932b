//! Long-term statistics: what the recorder keeps for years, by the hour and longer.

use crate::error::Error;
use crate::home::ask;
use crate::home::history::recorder::check_rows;
use crate::home::history::{When, rounded};
use crate::home::house::House;
use crate::home::moment::utc;
use crate::home::text::clean;
use crate::home::view::Row;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// The periods there are, and about how many seconds each is.
const PERIODS: &[(&str, f64)] = &[
    ("5minute", 300.0),
    ("hour", 3600.0),
    ("day", 86_400.0),
    ("week", 604_800.0),
    ("month", 2_629_800.0),
];

/// What is known of a statistic.
#[derive(Debug, Deserialize)]
pub(crate) struct About {
    #[serde(rename = "statistic_id")]
    pub(crate) id: String,
    name: Option<String>,
    #[serde(rename = "display_unit_of_measurement")]
    unit: Option<String>,
    #[serde(default, rename = "has_sum")]
    sums: bool,
}

impl About {
    /// Returns what an answer says of it.
    pub(crate) fn row(&self) -> Row {
        let mut row = Row::new();
        row.insert("id".into(), clean(&self.id, 255).into());
        if let Some(name) = &self.name {
            row.insert("name".into(), clean(name, 100).into());
        }
        if let Some(unit) = &self.unit {
            row.insert("unit".into(), clean(unit, 20).into());
        }
        row.insert("has".into(), if self.sums { "change" } else { "mean, min, max" }.into());
        row
    }
}

/// Returns the statistics that a house keeps, all of them or those of `ids`, sorted by id.
///
/// # Errors
/// As [`ask::ask`].
pub(crate) async fn known(house: &House, ids: Option<&[String]>) -> Result<Vec<About>, Error> {
    let command = match ids {
        // Of none is not of all, as which Home Assistant takes it.
        Some([]) => return Ok(Vec::new()),
        None => json!({ "type": "recorder/list_statistic_ids" }),
        Some(ids) => {
            json!({ "type": "recorder/get_statistics_metadata", "statistic_ids": ids })
        }
    };
    let answer = house.recorder.ask(house, &command).await?;
    let mut all: Vec<About> = ask::read(&command, &answer)?;
    all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(all)
}

/// Returns one row for each of `all`, by `period`; an empty one is chosen so that the points suffice.
///
/// # Errors
/// Invalid for a period that is none, Limit for too many rows, and as [`ask::ask`].
pub(crate) async fn statistics(
    house: &House,
    all: &[About],
    period: &str,
    when: When,
) -> Result<(&'static str, Vec<Row>), Error> {
    let (period, step) = choose(period, when)?;
    check_rows(all.len(), when.seconds(), period, step)?;
    let ids: Vec<&str> = all.iter().map(|about| about.id.as_str()).collect();
    let command = json!({
        "type": "recorder/statistics_during_period",
        "start_time": utc(when.from),
        "end_time": utc(when.to),
        "statistic_ids": ids,
        "period": period,
        "types": ["mean", "min", "max", "change"],
    });
    let answer = house.recorder.ask(house, &command).await?;
    let mut found: HashMap<String, Vec<Part>> = ask::read(&command, &answer)?;
    let row = |about: &About| {
        let parts = found.remove(&about.id).unwrap_or_default();
        let mut row = about.row();
        row.remove("has");
        fill(house, &mut row, about.sums, &merged(&parts, when.points), step >= 86_400.0);
        row
    };
    Ok((period, all.iter().map(row).collect()))
}

/// The numbers of one period.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
struct Part {
    /// Milliseconds since 1970.
    start: f64,
    end: f64,
    mean: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    change: Option<f64>,
}

fn choose(wanted: &str, when: When) -> Result<(&'static str, f64), Error> {
    let wanted = wanted.trim().to_lowercase();
    if wanted.is_empty() {
        let enough = |(_, step): &&(&str, f64)| when.seconds() / step <= when.points as f64;
        return Ok(*PERIODS.iter().find(enough).unwrap_or(&PERIODS[4]));
    }
    PERIODS.iter().find(|(name, _)| *name == wanted).copied().ok_or_else(|| {
        let wanted = clean(&wanted, 30);
        Error::invalid(format!("'{wanted}' is no period; use 5minute, hour, day, week or month"))
    })
}

/// Puts neighbours together until there are at most `most`: means weighed by time, the least and the
/// most, changes added up.
fn merged(parts: &[Part], most: usize) -> Vec<Part> {
    let group = parts.len().div_ceil(most.max(1)).max(1);
    let merge = |parts: &[Part]| {
        let weighed = parts.iter().filter_map(|part| Some((part.mean?, part.end - part.start)));
        let (area, time) = weighed.fold((0.0, 0.0), |(a, t), (mean, w)| (a + mean * w, t + w));
        let changes: Vec<f64> = parts.iter().filter_map(|part| part.change).collect();
        Part {
            start: parts.first().map_or(0.0, |part| part.start),
            end: parts.last().map_or(0.0, |part| part.end),
            mean: (time > 0.0).then(|| area / time),
            min: parts.iter().filter_map(|part| part.min).reduce(f64::min),
            max: parts.iter().filter_map(|part| part.max).reduce(f64::max),
            change: (!changes.is_empty()).then(|| changes.iter().sum()),
        }
    };
    parts.chunks(group).map(merge).collect()
}

fn fill(house: &House, row: &mut Row, sums: bool, parts: &[Part], days: bool) {
    let number = |number: Option<f64>| number.map_or(Value::Null, rounded);
    let whole = merged(parts, 1);
    let Some(whole) = whole.first() else {
        row.insert("hint".into(), "there is nothing of it in this time".into());
        return;
    };
    let columns: &[&str] = match sums {
        true => {
            row.insert("change".into(), number(whole.change));
            &["from", "change"]
        }
        false => {
            row.insert("mean".into(), number(whole.mean));
            row.insert("min".into(), number(whole.min));
            row.insert("max".into(), number(whole.max));
            &["from", "mean", "min", "max"]
        }
    };
    let line = |part: &Part| {
        let mut at = house.time(part.start / 1000.0);
        if days {
            // Days begin at midnight in the house's own time.
            at.truncate("2026-11-21".len());
        }
        match sums {
            true => json!([at, number(part.change)]),
            false => json!([at, number(part.mean), number(part.min), number(part.max)]),
        }
    };
    row.insert("columns".into(), json!(columns));
    row.insert("rows".into(), parts.iter().map(line).collect::<Vec<_>>().into());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(days: f64, points: usize) -> When {
        When { from: 0.0, to: days * 86_400.0, points }
    }

    #[test]
    fn the_period_is_the_shortest_that_fits_the_points() {
        let check = |days, points, want: &str| {
            assert_eq!(choose("", when(days, points)).unwrap().0, want, "{days} {points}");
        };
        check(0.05, 24, "5minute");
        check(1.0, 24, "hour");
        check(7.0, 24, "day");
        check(7.0, 200, "hour");
        check(90.0, 24, "week");
        check(365.0, 24, "month");
        check(3650.0, 24, "month");
        assert_eq!(choose("Day", when(1.0, 1)).unwrap(), ("day", 86_400.0));
        assert!(choose("year", when(1.0, 1)).unwrap_err().what().contains("5minute, hour"));
    }

    #[test]
    fn neighbours_are_put_together_evenly() {
        let part = |hour: f64, mean: f64, min: f64, max: f64| Part {
            start: hour * 3.6e6,
            end: (hour + 1.0) * 3.6e6,
            mean: Some(mean),
            min: Some(min),
            max: Some(max),
            change: Some(1.5),
        };
        let all =
            [part(0.0, 10.0, 5.0, 12.0), part(1.0, 20.0, 8.0, 30.0), part(2.0, 6.0, 6.0, 6.0)];
        let two = merged(&all, 2);
        assert_eq!(two.len(), 2);
        assert_eq!((two[0].mean, two[0].min, two[0].max), (Some(15.0), Some(5.0), Some(30.0)));
        assert_eq!((two[0].start, two[0].end, two[0].change), (0.0, 7.2e6, Some(3.0)));
        assert_eq!((two[1].mean, two[1].change), (Some(6.0), Some(1.5)));
        let one = merged(&all, 1)[0];
        assert_eq!((one.mean, one.min, one.max), (Some(12.0), Some(5.0), Some(30.0)));
        assert_eq!(merged(&all, 24), all);
        assert!(merged(&[], 5).is_empty());
        // Gaps stay out of the mean.
        let gap = Part { mean: None, min: None, max: None, change: None, ..all[1] };
        let with = merged(&[all[0], gap], 1)[0];
        assert_eq!((with.mean, with.change), (Some(10.0), Some(1.5)));
    }
}
