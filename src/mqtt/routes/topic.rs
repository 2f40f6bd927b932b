//! One topic: its newest message, its counts, and what it said before, with numbers for a plot.

use crate::error::Error;
use crate::http::{Extension, Json, State, Uri, read};
use crate::mqtt::inbox::Kept;
use crate::mqtt::routes::{Desk, Who, session};
use crate::mqtt::show;
use crate::text;
use serde::Deserialize;
use serde_json::{Value, json};

/// So many messages of its past are shown.
const PAST: usize = 200;
/// So many points of a plot.
const POINTS: usize = 500;
/// So many bytes of its newest payload are shown; of older ones a part.
const NEWEST: usize = 128 << 10;
const OLDER: usize = 4096;
/// Payloads of the past have so many bytes together.
const BUDGET: usize = 256 << 10;
/// So many numbers of a payload can be chosen for the plot, so deep in it.
const FIELDS: usize = 100;
const DEEPEST: usize = 6;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    session: Option<String>,
    topic: String,
    limit: Option<usize>,
    /// JSON pointer of a number in the payload; empty for a payload that is a number.
    field: Option<String>,
}

/// Answers `/api/mqtt/topic`.
pub(super) async fn topic(
    State(desk): State<Desk>,
    Extension(caller): Who,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    let asked: Asked = read::query(&uri)?;
    let session = session(&desk, &caller, asked.session.as_deref())?;
    let most = asked.limit.unwrap_or(50).clamp(1, PAST);
    let (about, past, seen) = {
        let inbox = session.inbox();
        let topic = inbox.topics().get(&asked.topic).cloned().ok_or_else(|| {
            let name = text::clean(&asked.topic, show::TOPIC);
            Error::not_found(format!("nothing was heard on '{name}' since this session began"))
        })?;
        let own = inbox.ring().iter().rev().filter(|kept| *kept.topic == *asked.topic);
        let past: Vec<Kept> = own.take(POINTS).cloned().collect();
        let seen = past.len() as u64;
        (topic, past, seen)
    };
    let newest = about.payload.as_deref();
    let parsed = newest.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    let mut fields = Vec::new();
    if let Some(value) = &parsed {
        numbers(value, String::new(), 0, &mut fields);
    }
    let mut budget = BUDGET;
    let mut rows = Vec::new();
    for (at, kept) in past.iter().take(most).enumerate() {
        let part = if at == 0 { NEWEST } else { OLDER.min(budget) };
        budget = budget.saturating_sub(kept.payload.as_ref().map_or(0, |b| b.len().min(part)));
        rows.push(show::message(kept, part));
    }
    let mut answer = json!({
        "topic": text::clean(&asked.topic, show::TOPIC),
        "count": about.count,
        "retained_count": about.retained_count,
        "bytes": about.bytes,
        "first": show::seconds(about.first),
        "last": show::seconds(about.last),
        "qos": about.qos.number(),
        "retained": about.is_retained,
        "size": about.size,
        "payload": show::payload(newest, about.size, NEWEST),
        "fields": fields,
        "messages": rows,
    });
    // What the ring has dropped, and what this answer leaves out.
    answer["gone"] =
        if seen == POINTS as u64 { Value::Null } else { about.count.saturating_sub(seen).into() };
    if let Some(field) = &asked.field {
        answer["points"] = points(&past, field).into();
    }
    Ok(Json(answer))
}

/// Gathers the JSON pointers (RFC 6901) of numbers in a value.
fn numbers(value: &Value, path: String, depth: usize, out: &mut Vec<String>) {
    if out.len() >= FIELDS || depth > DEEPEST {
        return;
    }
    let step = |name: &str| format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
    match value {
        Value::Number(_) | Value::Bool(_) if path.len() <= 200 => out.push(path),
        Value::Object(fields) => {
            for (name, field) in fields {
                numbers(field, step(name), depth + 1, out);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate().take(FIELDS) {
                numbers(item, step(&at.to_string()), depth + 1, out);
            }
        }
        _ => {}
    }
}

/// Returns `[at, number]` of each message that has one there, oldest first.
fn points(past: &[Kept], field: &str) -> Vec<Value> {
    let number = |kept: &Kept| {
        let value: Value = serde_json::from_slice(kept.payload.as_deref()?).ok()?;
        let number = match value.pointer(field)? {
            Value::Bool(is) => f64::from(u8::from(*is)),
            other => other.as_f64()?,
        };
        Some(json!([show::seconds(kept.at), number]))
    };
    past.iter().rev().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_a_payload_is_found_by_its_pointer() {
        let value = json!({"a": {"b/c": 1, "d~": [2, "x", true]}, "e": null, "f": 3.5});
        let mut found = Vec::new();
        numbers(&value, String::new(), 0, &mut found);
        assert_eq!(found, ["/a/b~1c", "/a/d~0/0", "/a/d~0/2", "/f"]);
        for pointer in &found {
            assert!(value.pointer(pointer).is_some(), "{pointer}");
        }
        let mut plain = Vec::new();
        numbers(&json!(21.5), String::new(), 0, &mut plain);
        assert_eq!(plain, [""]);
    }
}
