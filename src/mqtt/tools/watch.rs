//! Waiting for something odd.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::{now, time};
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::Inbox;
use crate::mqtt::listening::Listening;
use crate::mqtt::search::Path;
use crate::mqtt::session::Session;
use crate::mqtt::silence::overdue;
use crate::mqtt::tools::answer::{TOPIC, digits, fit, reading, seconds, set, standing};
use crate::mqtt::tools::clean;
use crate::mqtt::tools::schema::schemas;
use crate::mqtt::tools::silent::away;
use crate::mqtt::watcher::{Rules, Usual, Watcher};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const LONGEST: u64 = 300;
/// A schema from fewer samples is no measure.
const SAMPLES: u32 = 10;
const STEP: Duration = Duration::from_secs(1);

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Args {
    session_id: Option<String>,
    /// Topic filter
    topic_pattern: String,
    /// 1 to 300, else 30
    seconds: Option<u64>,
    /// Place in the JSON for min, max, stuck_seconds
    path: String,
    min: Option<f64>,
    max: Option<f64>,
    /// Else ten times the usual
    max_per_second: Option<f64>,
    /// The same value so long
    stuck_seconds: Option<f64>,
    /// Leave new fields and types alone
    ignore_drift: bool,
}

/// The shape of what was noticed.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Noticed {
    finding: Option<Value>,
    messages: u64,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let words = Words {
        name: "mqtt_watch_topics",
        title: "Watch for oddities",
        about: "Wait for the first oddity on a filter: a rate or value out of range, a stuck value, \
                flapping availability, a topic overdue, fields or types that changed; null when none.",
    };
    vec![
        reading::<Args, Noticed, _, _>(mqtt, words, watch)
            .on_demand()
            .within(Duration::from_secs(LONGEST + 60)),
    ]
}

async fn watch(mqtt: Mqtt, call: Call, args: Args) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let filter = Filter::read(&args.topic_pattern)?;
    let wait = args.seconds.unwrap_or(30);
    if !(1..=LONGEST).contains(&wait) {
        return Err(Error::invalid(format!("seconds is from 1 to {LONGEST}")));
    }
    let mut watcher = Watcher::new(Rules {
        path: set(&args.path).map(Path::read).transpose()?,
        least: args.min,
        most: args.max,
        per_second: args.max_per_second,
        stuck_seconds: args.stuck_seconds,
        flaps: 3,
        drift: !args.ignore_drift,
    });
    // What was usual is asked before the first message is looked at, else the odd would be usual.
    let mut schemas = match args.ignore_drift {
        true => HashMap::new(),
        false => schemas(&session, &filter, &call.cancelled, SAMPLES).await?,
    };
    let before = usual(&session.inbox(), &filter, &mut schemas, now());
    let mut listening = Listening::begin(&mqtt, session.clone(), filter.clone()).await?;
    let began = Instant::now();
    let until = began + Duration::from_secs(wait);
    let (mut messages, mut finding, mut told) = (0_u64, None, began);
    while finding.is_none() && Instant::now() < until {
        let next = (told + STEP).min(until);
        tokio::select! {
            () = call.cancelled.cancelled() => return Err(Error::timeout("cancelled")),
            () = listening.next(next, |kept| {
                messages += 1;
                if finding.is_none() {
                    let usual = |name: &str| before.get(name).cloned().unwrap_or_default();
                    finding = watcher.see(kept, usual).map(|found| json!({
                        "kind": found.kind,
                        "topic": clean(&found.topic, TOPIC),
                        "timestamp": time(found.at),
                        "detail": fit(found.detail, 1000).0,
                    }));
                }
            }) => {}
        }
        if Instant::now() >= told + STEP {
            told = Instant::now();
            if finding.is_none() && !listening.is_aside() {
                finding = fell_silent(&session, &filter, &before);
            }
            let text = format!("{messages} messages of {} topics", watcher.topics());
            let done = began.elapsed().as_secs_f64();
            call.progress.report(done, Some(wait as f64), Some(&text)).await;
        }
    }
    let mut answer = json!({
        "finding": finding,
        "messages": messages,
        "topics": watcher.topics(),
        "watched_seconds": digits(began.elapsed().as_secs_f64(), 1),
    });
    if listening.missed() > 0 {
        answer["missed"] = listening.missed().into();
    }
    standing(&mut answer, &session);
    Ok(answer)
}

type Before = HashMap<Arc<str>, Usual>;

/// What is known of each topic of a filter that has spoken live.
fn usual(
    inbox: &Inbox,
    filter: &Filter,
    schemas: &mut HashMap<Arc<str>, Value>,
    now: i64,
) -> Before {
    let topics = inbox.topics().from(filter.prefix(), true);
    let topics = topics.take_while(|(name, _)| name.starts_with(filter.prefix()));
    let ours = topics.filter(|(name, topic)| topic.live_count() > 0 && filter.matches(name));
    ours.take(5000)
        .map(|(name, topic)| {
            let usual = Usual { rate: topic.rate(now), schema: schemas.remove(name) };
            (name.clone(), usual)
        })
        .collect()
}

/// A topic that was in its rhythm when we began and is overdue now.
fn fell_silent(session: &Session, filter: &Filter, before: &Before) -> Option<Value> {
    let now = now();
    let outages = away(session, now);
    let inbox = session.inbox();
    let late = before.keys().filter(|name| filter.matches(name)).find_map(|name| {
        let topic = inbox.topics().get(name)?;
        let late = overdue(topic, &outages, now)?;
        // One that was overdue for long is for mqtt_find_silent.
        (late.silent - late.limit < 5.0).then_some((name, topic.last, late))
    })?;
    let (name, last, late) = late;
    Some(json!({
        "kind": "silent",
        "topic": clean(name, TOPIC),
        "timestamp": time(last),
        "detail": {
            "silent_seconds": seconds(now - last),
            "expected_within_seconds": digits(late.limit, 1),
        },
    }))
}
