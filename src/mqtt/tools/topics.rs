//! What is in the index: topics, their newest messages, and the tree that they form.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{self, Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::{now, time};
use crate::mqtt::decode::decode;
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::Topic;
use crate::mqtt::scan::scan;
use crate::mqtt::tools::answer::{
    BUDGET, PAYLOAD, TOPIC, digits, fit, payload, reading, seconds, standing,
};
use crate::mqtt::tools::{clean, tree};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// So many rows are put together for one answer: the shortest names of one byte fit it.
const ROWS: usize = 1600;
/// The same with details, which are made while the link waits.
const DETAILS: usize = 200;
/// A single payload may take so many bytes.
const WHOLE: usize = BUDGET - 1024;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListArgs {
    session_id: Option<String>,
    /// Topic filter with + and #
    pattern: String,
    /// Counts, rates and ages too
    details: bool,
    cursor: String,
}

impl Default for ListArgs {
    fn default() -> ListArgs {
        let (session_id, details, cursor) = (None, false, String::new());
        ListArgs { session_id, pattern: "#".into(), details, cursor }
    }
}

/// The shape of a list of topics.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Listed {
    topics: Vec<Value>,
    topic_count: usize,
    next: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LastArgs {
    session_id: Option<String>,
    /// A topic, or a filter with + and #
    #[serde(alias = "topic_pattern")]
    topic: String,
    /// Go on in a long payload, from next_offset
    offset: usize,
    cursor: String,
}

/// The shape of the newest messages.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "as above")]
struct Newest {
    messages: Vec<Value>,
    next: Option<String>,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let listing = Words {
        name: "mqtt_list_topics",
        title: "List topics",
        about: "Every topic seen on the broker, by name; with details the count, live rate, age, size \
                and whether it is retained. Always listening, so it answers at once.",
    };
    let last = Words {
        name: "mqtt_get_last",
        title: "Newest message",
        about: "The newest message of a topic, or of each topic of a filter, and how old it is.",
    };
    vec![
        reading::<ListArgs, Listed, _, _>(mqtt, listing, list),
        reading::<LastArgs, Newest, _, _>(mqtt, last, newest),
        tree::tool(mqtt),
    ]
}

async fn list(mqtt: Mqtt, call: Call, args: ListArgs) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let filter = Filter::read(&args.pattern)?;
    let most = if args.details { DETAILS } else { ROWS };
    let (now, mut total, mut found, mut rows) = (now(), 0_usize, Vec::new(), Vec::new());
    let after = args.cursor.strip_prefix("after:").unwrap_or_default();
    let mut take = |name: &Arc<str>, topic: &Topic| {
        let is_shown = found.len() < most && **name > *after;
        if is_shown {
            found.push(name.clone());
            rows.push(match args.details {
                true => detail(name, topic, now),
                false => clean(name, TOPIC).into(),
            });
        }
        found.len() < most
    };
    if let Some(prefix) = filter.below() {
        // All are counted, and no more are looked at than fit an answer.
        let inbox = session.inbox();
        total = inbox.topics().count_below(prefix);
        let begin = if *after > *prefix { after } else { prefix };
        let topics = inbox.topics().from(begin, true);
        let topics = topics.take_while(|(name, _)| name.starts_with(prefix));
        let mut ours = topics.filter(|(name, _)| filter.matches(name));
        while ours.next().is_some_and(|(name, topic)| take(name, topic)) {}
    } else {
        scan(&session, &filter, &call.cancelled, |name, topic| {
            total += 1;
            take(name, topic);
        })
        .await?;
    }
    let rows = found.iter().zip(rows).map(|(name, row)| (name.to_string(), row));
    let page = mcp::rows(rows, &args.cursor, BUDGET)?;
    // More than what was looked at can lie behind the last row.
    let last = found.last().map(|name| format!("after:{name}"));
    let next = page.next.or(last.filter(|_| found.len() >= most));
    let mut answer = json!({ "topics": page.items, "next": next });
    answer["topic_count"] = total.into();
    answer["pattern"] = clean(&args.pattern, TOPIC).into();
    answer["timestamp"] = time(now).into();
    let unindexed = session.inbox().totals().unindexed;
    if unindexed > 0 {
        answer["messages_without_room_for_their_topic"] = unindexed.into();
    }
    standing(&mut answer, &session);
    Ok(trimmed(answer))
}

/// What is known of a topic, as a row.
pub(super) fn detail(name: &str, topic: &Topic, now: i64) -> Value {
    let mut row = json!({
        "topic": clean(name, TOPIC),
        "count": topic.count,
        "per_minute": digits(topic.rate(now) * 60.0, 2),
        "last_minute": topic.last_minute(now),
        "age_seconds": seconds(now - topic.last),
        "size": topic.size,
        "qos": topic.qos.number(),
        "retained": topic.is_retained,
        "type": kind(topic),
    });
    if topic.smallest != topic.largest {
        row["sizes"] = json!([topic.smallest, topic.bytes / topic.count.max(1), topic.largest]);
    }
    let gaps = topic.gaps();
    if gaps.count > 1 {
        row["every_seconds"] = digits(gaps.mean, 2).into();
        row["longest_gap_seconds"] = digits(gaps.longest, 1).into();
    }
    row
}

/// What the newest payload of a topic is, in a word.
pub(super) fn kind(topic: &Topic) -> &'static str {
    let Some(payload) = &topic.payload else { return "not_kept" };
    match decode(payload, None) {
        found if found.kind != "json" => found.kind,
        found => match found.value {
            Value::Object(_) => "object",
            Value::Array(_) => "array",
            Value::Number(_) => "number",
            Value::Bool(_) => "boolean",
            Value::String(_) | Value::Null => "text",
        },
    }
}

async fn newest(mqtt: Mqtt, call: Call, args: LastArgs) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let filter = Filter::read(&args.topic)?;
    let now = now();
    if let Some(name) = filter.exact() {
        let topic = session.inbox().topics().get(name).cloned();
        let topic = topic.ok_or_else(|| {
            Error::not_found(format!(
                "nothing was heard on '{}' yet; mqtt_list_topics and mqtt_get_tree show what was",
                clean(name, TOPIC)
            ))
        })?;
        let mut answer = json!({ "messages": [one(name, &topic, now, args.offset)] });
        standing(&mut answer, &session);
        return Ok(answer);
    }
    let after = args.cursor.strip_prefix("after:").unwrap_or_default();
    let (mut found, mut total) = (Vec::new(), 0_usize);
    scan(&session, &filter, &call.cancelled, |name, topic| {
        total += 1;
        if **name > *after && found.len() < 200 {
            found.push((name.clone(), topic.clone()));
        }
    })
    .await?;
    let rows = found.iter().map(|(name, topic): &(Arc<str>, Topic)| {
        (name.to_string(), last_row(name, topic, now, PAYLOAD.min(400)))
    });
    let page = mcp::rows(rows, &args.cursor, BUDGET)?;
    let mut answer = json!({ "messages": page.items, "topic_count": total, "next": page.next });
    standing(&mut answer, &session);
    Ok(trimmed(answer))
}

fn last_row(name: &str, topic: &Topic, now: i64, most: usize) -> Value {
    let mut row = json!({
        "topic": clean(name, TOPIC),
        "timestamp": time(topic.last),
        "age_seconds": seconds(now - topic.last),
    });
    payload(&mut row, topic.payload.as_deref(), topic.size, None, most);
    row["qos"] = topic.qos.number().into();
    row["retained"] = topic.is_retained.into();
    row["count"] = topic.count.into();
    row
}

/// One topic with as much of its payload as fits, from `offset` on.
fn one(name: &str, topic: &Topic, now: i64, offset: usize) -> Value {
    let mut row = last_row(name, topic, now, WHOLE);
    row["size"] = topic.size.into();
    if row["cut"] != true && offset == 0 {
        return row;
    }
    let Some(bytes) = &topic.payload else { return row };
    // What is too long is told as text in parts, as it was sent.
    let decoded = decode(bytes, None);
    let text = match (decoded.kind, &*decoded.ways, decoded.value) {
        ("json", [], _) => String::from_utf8_lossy(bytes).into_owned(),
        (_, _, Value::String(text)) => text,
        (_, _, value) => value.to_string(),
    };
    let part: String = text.chars().skip(offset).take(WHOLE / 2).collect();
    let (shown, _) = fit(part.clone().into(), WHOLE);
    let end = offset + part.chars().count();
    row["payload"] = shown;
    row["offset"] = offset.into();
    if let Some(fields) = row.as_object_mut() {
        fields.shift_remove("cut");
    }
    if end < text.chars().count() {
        row["cut"] = true.into();
        row["next_offset"] = end.into();
    }
    row
}

/// Leaves out what is null.
pub(super) fn trimmed(answer: Value) -> Value {
    match answer {
        Value::Object(fields) => {
            let fields: Map<_, _> =
                fields.into_iter().filter(|(_, field)| !field.is_null()).collect();
            fields.into()
        }
        other => other,
    }
}
