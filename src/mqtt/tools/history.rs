//! What was said: the history of topics, and a search through everything that is kept.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::{now, time};
use crate::mqtt::decode::decode;
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::Kept;
use crate::mqtt::scan::{Back, breathe};
use crate::mqtt::search::{Condition, Path, Query, pattern};
use crate::mqtt::session::Session;
use crate::mqtt::tools::answer::{
    BUDGET, PAYLOAD, fit, horizon, message, moment, reading, set, standing,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A search that takes longer stops and leads on by its cursor.
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct HistoryArgs {
    session_id: Option<String>,
    /// A topic, or a filter with + and #
    #[serde(alias = "topic_pattern")]
    topic: String,
    /// Only this place in the JSON: temperature, color.x, list[0]
    path: String,
    /// 10m, 24h, RFC 3339
    from: String,
    until: String,
    /// At most so many rows
    limit: Option<usize>,
    cursor: String,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SearchArgs {
    session_id: Option<String>,
    /// Filter with + and #
    #[serde(alias = "topic")]
    topic_pattern: String,
    /// In topic or payload
    text: String,
    regex: String,
    /// temperature > 21, state == "ON", list[0].id
    #[serde(rename = "where")]
    condition: String,
    /// 10m, 24h, RFC 3339
    from: String,
    until: String,
    /// true: only retained; false: only live
    retained: Option<bool>,
    cursor: String,
}

/// The shape of found messages.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Found {
    messages: Vec<Value>,
    next: Option<String>,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let history = Words {
        name: "mqtt_get_history",
        title: "History of a topic",
        about: "Messages of a topic or filter, newest first; with path only [time, value] of one place \
                in the JSON. Says how far back messages are kept.",
    };
    let searching = Words {
        name: "mqtt_search_messages",
        title: "Search messages",
        about: "Search kept messages, newest first, by topic, text, regex, a value in the JSON, and \
                time. Says how far back they are kept.",
    };
    vec![
        reading::<HistoryArgs, Found, _, _>(mqtt, history, past).on_demand(),
        reading::<SearchArgs, Found, _, _>(mqtt, searching, search),
    ]
}

async fn past(mqtt: Mqtt, call: Call, args: HistoryArgs) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let now = now();
    let query = Query {
        filter: Some(Filter::read(&args.topic)?),
        from: set(&args.from).map(|text| moment(text, now)).transpose()?,
        until: set(&args.until).map(|text| moment(text, now)).transpose()?,
        ..Query::default()
    };
    let path = set(&args.path).map(Path::read).transpose()?;
    let is_one = query.filter.as_ref().is_some_and(|filter| filter.exact().is_some());
    let row = |kept: &Kept| match &path {
        None => Some(message(kept, PAYLOAD)),
        Some(path) => {
            let decoded = decode(kept.payload.as_deref()?, None);
            let (value, _) = fit(path.of(&decoded.value)?.clone(), 200);
            Some(match is_one {
                true => json!([time(kept.at), value]),
                false => json!([time(kept.at), value, super::clean(&kept.topic, 200)]),
            })
        }
    };
    let wanted =
        Wanted { query, limit: args.limit.unwrap_or(usize::MAX).max(1), cursor: &args.cursor };
    walk(&session, &call, wanted, row).await
}

async fn search(mqtt: Mqtt, call: Call, args: SearchArgs) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let now = now();
    let query = Query {
        filter: set(&args.topic_pattern).map(Filter::read).transpose()?,
        text: set(&args.text).map(str::to_lowercase),
        pattern: set(&args.regex).map(pattern).transpose()?,
        condition: set(&args.condition).map(Condition::read).transpose()?,
        from: set(&args.from).map(|text| moment(text, now)).transpose()?,
        until: set(&args.until).map(|text| moment(text, now)).transpose()?,
        retained: args.retained,
    };
    let wanted = Wanted { query, limit: usize::MAX, cursor: &args.cursor };
    walk(&session, &call, wanted, |kept| Some(message(kept, PAYLOAD))).await
}

struct Wanted<'a> {
    query: Query,
    limit: usize,
    cursor: &'a str,
}

/// Walks back through the ring until the answer is full.
async fn walk(
    session: &Session,
    call: &Call,
    wanted: Wanted<'_>,
    row: impl Fn(&Kept) -> Option<Value>,
) -> Result<Value, Error> {
    let Wanted { query, limit, cursor } = wanted;
    let below = match set(cursor) {
        None => None,
        Some(cursor) => {
            let number = cursor.strip_prefix("before:").and_then(|number| number.parse().ok());
            Some(number.ok_or_else(|| Error::invalid("cursor is what an answer has as next"))?)
        }
    };
    let (mut back, began) = (Back::from(below), Instant::now());
    let (mut rows, mut used, mut next, mut last) = (Vec::new(), 0, None, None);
    'all: loop {
        let (found, is_all) = back.step(session, |kept| query.may_fit(kept));
        for kept in found.iter().filter(|kept| query.fits(kept)) {
            let Some(row) = row(kept) else { continue };
            let size = serde_json::to_vec(&row).map_or(0, |json| json.len() + 1);
            if rows.len() >= limit || (used + size > BUDGET && !rows.is_empty()) {
                next = last;
                break 'all;
            }
            used += size;
            last = Some(kept.number);
            rows.push(row);
        }
        if is_all {
            break;
        }
        if began.elapsed() > LONGEST {
            // What was looked through need not be looked through again.
            next = Some(back.below());
            break;
        }
        breathe(&call.cancelled).await?;
    }
    let is_cut_short = next.is_some() && next != last;
    let mut answer = json!({ "messages": rows });
    if let Some(next) = next {
        answer["next"] = format!("before:{next}").into();
    }
    if is_cut_short {
        answer["hint"] = "not everything was looked through yet; go on with next".into();
    }
    horizon(&mut answer, &session.inbox());
    standing(&mut answer, session);
    Ok(answer)
}
