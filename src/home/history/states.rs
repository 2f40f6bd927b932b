//! The states of entities over time.

use crate::error::Error;
use crate::home::ask;
use crate::home::history::recorder::check_states;
use crate::home::history::spread::{GONE, Held, Sample, Span, are_numbers, durations, numbers};
use crate::home::history::{When, rounded};
use crate::home::house::House;
use crate::home::moment::utc;
use crate::home::text::clean;
use crate::home::view::{Row, is_password};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;

/// So many different states of an entity are counted by name; the rest is `other`.
const MOST_NAMED: usize = 6;

#[derive(Deserialize)]
struct Said {
    /// None while the entity was not there.
    #[serde(rename = "s")]
    state: Option<Box<str>>,
    /// When its state changed, if that is not when it was written.
    #[serde(rename = "lc")]
    changed: Option<f64>,
    #[serde(rename = "lu")]
    updated: f64,
}

/// Returns one row for each entity, in the order of `ids`.
///
/// # Errors
/// Limit for too wide a question, and as [`ask::ask`].
pub(crate) async fn states(house: &House, ids: &[String], when: When) -> Result<Vec<Row>, Error> {
    check_states(ids.len(), when.hours())?;
    let command = json!({
        "type": "history/history_during_period",
        "start_time": utc(when.from),
        "end_time": utc(when.to),
        "entity_ids": ids,
        "minimal_response": true,
        "no_attributes": true,
    });
    let answer = house.recorder.ask(house, &command).await?;
    let mut all: HashMap<String, Vec<Said>> = ask::read(&command, &answer)?;
    let row = |id: &String| row(house, id, all.remove(id).unwrap_or_default(), when);
    Ok(ids.iter().map(row).collect())
}

fn row(house: &House, id: &str, said: Vec<Said>, when: When) -> Row {
    let (unit, hidden) = {
        let cache = house.cache();
        let entity = cache.get(id);
        let unit = entity.and_then(|entity| entity.attribute("unit_of_measurement"));
        (unit, entity.is_some_and(is_password))
    };
    let mut row = Row::new();
    row.insert("id".into(), id.into());
    if hidden {
        row.insert("hidden".into(), "its states are passwords".into());
        return row;
    }
    let samples = changes(said);
    // The first one is mostly the state that held when the time began.
    let count = samples.iter().filter(|sample| sample.at > when.from).count();
    row.insert("changes".into(), count.into());
    if samples.is_empty() {
        row.insert("hint".into(), "the recorder has nothing of it in this time".into());
        return row;
    }
    let span = Span { from: when.from, to: when.to, parts: when.points.max(1) };
    match are_numbers(&samples) {
        true => {
            if let Some(unit) = unit.as_ref().and_then(Value::as_str) {
                row.insert("unit".into(), clean(unit, 20).into());
            }
            of_numbers(house, &mut row, &samples, span);
        }
        false => of_words(house, &mut row, &samples, span),
    }
    row
}

/// One sample for each change of state; what repeats the state before says nothing.
fn changes(said: Vec<Said>) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::with_capacity(said.len());
    for Said { state, changed, updated } in said {
        let state = state.unwrap_or_else(|| GONE.into());
        if samples.last().is_none_or(|last| last.state != state) {
            samples.push(Sample { at: changed.unwrap_or(updated), state });
        }
    }
    samples
}

fn of_numbers(house: &House, row: &mut Row, samples: &[Sample], span: Span) {
    if let Some(whole) = numbers(samples, span.whole())[0] {
        row.insert("mean".into(), rounded(whole.mean));
        row.insert("min".into(), rounded(whole.min));
        row.insert("max".into(), rounded(whole.max));
    }
    if samples.len() <= span.parts {
        each_change(house, row, samples, span);
        return;
    }
    let rows = numbers(samples, span).into_iter().enumerate().filter_map(|(part, numbers)| {
        let numbers = numbers?;
        let at = house.time(span.start_of(part));
        Some(json!([at, rounded(numbers.mean), rounded(numbers.min), rounded(numbers.max)]))
    });
    let rows: Vec<Value> = rows.collect();
    row.insert("columns".into(), json!(["from", "mean", "min", "max"]));
    row.insert("rows".into(), rows.into());
}

fn of_words(house: &House, row: &mut Row, samples: &[Sample], span: Span) {
    let mut whole: Vec<(Box<str>, f64)> =
        durations(samples, span.whole()).swap_remove(0).into_iter().collect();
    whole.sort_by(|a, b| b.1.total_cmp(&a.1));
    let others = whole.split_off(whole.len().min(MOST_NAMED));
    let mut seconds = Row::new();
    for (state, held) in &whole {
        seconds.insert(clean(state, 60), rounded(held.round()));
    }
    let rest: f64 = others.iter().map(|(_, held)| held).sum();
    if !others.is_empty() {
        seconds.insert("other".into(), rounded(rest.round()));
    }
    row.insert("seconds".into(), seconds.into());
    if samples.len() <= span.parts {
        each_change(house, row, samples, span);
        return;
    }
    let names: Vec<&str> = whole.iter().map(|(state, _)| &**state).collect();
    let line = |(part, held): (usize, Held)| {
        let mut line = vec![Value::from(house.time(span.start_of(part)))];
        let of = |name: &str| held.get(name).copied().unwrap_or_default();
        line.extend(names.iter().map(|name| rounded(of(name).round())));
        if !others.is_empty() {
            let named: f64 = names.iter().map(|name| of(name)).sum();
            line.push(rounded((held.values().sum::<f64>() - named).round()));
        }
        Value::from(line)
    };
    let rows: Vec<Value> = durations(samples, span).into_iter().enumerate().map(line).collect();
    let mut columns = vec!["from".to_owned()];
    columns.extend(names.iter().map(|name| format!("seconds {}", clean(name, 60))));
    if !others.is_empty() {
        columns.push("seconds other".into());
    }
    row.insert("columns".into(), columns.into());
    row.insert("rows".into(), rows.into());
}

/// Few changes are shown as they are.
fn each_change(house: &House, row: &mut Row, samples: &[Sample], span: Span) {
    let line = |sample: &Sample| {
        let at = house.time(sample.at.max(span.from));
        json!([at, clean(&sample.state, 255)])
    };
    row.insert("columns".into(), json!(["at", "state"]));
    row.insert("rows".into(), samples.iter().map(line).collect::<Vec<_>>().into());
}
