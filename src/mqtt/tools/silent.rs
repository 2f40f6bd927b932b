//! Who has fallen silent.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{self, Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::{now, time};
use crate::mqtt::filter::Filter;
use crate::mqtt::scan::scan;
use crate::mqtt::session::Session;
use crate::mqtt::silence::{overdue, says_offline};
use crate::mqtt::tools::answer::{BUDGET, TOPIC, digits, reading, seconds, set, standing};
use crate::mqtt::tools::clean;
use crate::mqtt::tools::topics::trimmed;
use serde::Deserialize;
use serde_json::{Value, json};

/// So many rows are put together at once; more do not fit an answer.
const ROWS: usize = 400;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Args {
    session_id: Option<String>,
    /// Topic filter, else #
    topic_pattern: String,
    /// Only what has been silent for so long
    min_seconds: Option<u32>,
    cursor: String,
}

/// The shape of who is silent.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Silent {
    silent: Vec<Value>,
    silent_count: usize,
    next: Option<String>,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let words = Words {
        name: "mqtt_find_silent",
        title: "Silent topics",
        about: "Topics that used to speak in a rhythm and are overdue, longest first, and those whose \
                last word was offline. Time when Hearth itself was away does not count.",
    };
    vec![reading::<Args, Silent, _, _>(mqtt, words, find).on_demand()]
}

/// Returns the spans in which a session was away, in microseconds since 1970.
fn outages(session: &Session, now: i64) -> Vec<(i64, i64)> {
    let (outages, _) = session.outages();
    outages.iter().map(|outage| (outage.from, outage.until.unwrap_or(now))).collect()
}

/// The same, and the time by which the clock was set forward: in neither could anybody be heard.
pub(super) fn away(session: &Session, now: i64) -> Vec<(i64, i64)> {
    let mut away = outages(session, now);
    away.extend(session.inbox().skips());
    away
}

async fn find(mqtt: Mqtt, call: Call, args: Args) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let filter = Filter::read(set(&args.topic_pattern).unwrap_or("#"))?;
    let now = now();
    let (away, outages) = (away(&session, now), outages(&session, now));
    let (mut rows, mut offline, mut unknown, mut fine) = (Vec::new(), Vec::new(), 0, 0);
    scan(&session, &filter, &call.cancelled, |name, topic| {
        if topic.payload.as_deref().and_then(says_offline) == Some(true) {
            offline.push(json!([clean(name, TOPIC), time(topic.last)]));
        }
        let Some(late) = overdue(topic, &away, now) else {
            let is_known = crate::mqtt::silence::limit(topic.gaps()).is_some();
            unknown += usize::from(!is_known);
            fine += usize::from(is_known);
            return;
        };
        if late.silent < f64::from(args.min_seconds.unwrap_or(0)) {
            return;
        }
        let row = json!({
            "topic": clean(name, TOPIC),
            "last_seen": time(topic.last),
            "silent_seconds": digits(late.silent, 1),
            "usual_every_seconds": digits(topic.gaps().mean, 2),
            "longest_gap_seconds": digits(topic.gaps().longest, 1),
            "expected_within_seconds": digits(late.limit, 1),
            "messages": topic.count,
        });
        // By when it was heard last, which does not change from one page to the next.
        rows.push((format!("{:020}{name}", topic.last), row));
    })
    .await?;
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let (total, said) = (rows.len(), offline.len());
    let after = args.cursor.strip_prefix("after:").unwrap_or_default().to_owned();
    let rows = rows.into_iter().filter(|(key, _)| *key > after).take(ROWS);
    let page = mcp::rows(rows, &args.cursor, BUDGET - 1500)?;
    offline.truncate(15);
    let last = outages.iter().rev().take(3);
    let last = last.map(|(from, until)| json!([time(*from), seconds(until - from)]));
    let mut answer = json!({
        "silent": page.items,
        "silent_count": total,
        "in_rhythm": fine,
        "too_little_known": unknown,
        "said_offline": offline,
        "said_offline_count": said,
        "own_outages": last.collect::<Vec<_>>(),
        "next": page.next,
        "timestamp": time(now),
    });
    standing(&mut answer, &session);
    Ok(trimmed(answer))
}
