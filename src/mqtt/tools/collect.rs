//! Listening for a while.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::{now, time};
use crate::mqtt::filter::Filter;
use crate::mqtt::listening::Listening;
use crate::mqtt::prune::{Chosen, Pruner};
use crate::mqtt::tools::answer::{BUDGET, TOPIC, digits, message, reading, standing};
use crate::mqtt::tools::clean;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// Seconds, unless the caller wants others.
const USUAL: u64 = 30;
pub(super) const LONGEST: u64 = 300;
/// So many messages are shown.
const SHOWN: usize = 50;
/// Progress is told so often.
const STEP: Duration = Duration::from_secs(1);

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Args {
    session_id: Option<String>,
    /// Topic filter with + and #
    topic_pattern: String,
    /// 1 to 300, else 30
    duration_seconds: Option<u64>,
    /// End as soon as so many came
    max_messages: Option<u64>,
}

/// The shape of what was collected.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Collected {
    messages: Vec<Value>,
    message_count: usize,
    original_message_count: u64,
    pruning_stats: Option<Value>,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let words = Words {
        name: "mqtt_subscribe_and_collect",
        title: "Listen for a while",
        about: "Live messages of a filter for some seconds. All are counted; of many, those shown are \
                chosen as pruning_stats says. What came before: mqtt_search_messages.",
    };
    vec![
        reading::<Args, Collected, _, _>(mqtt, words, collect)
            .within(Duration::from_secs(LONGEST + 60)),
    ]
}

async fn collect(mqtt: Mqtt, call: Call, args: Args) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let filter = Filter::read(&args.topic_pattern)?;
    let asked = args.duration_seconds.unwrap_or(USUAL);
    if !(1..=LONGEST).contains(&asked) {
        return Err(Error::invalid(format!("duration_seconds is from 1 to {LONGEST}")));
    }
    let enough = args.max_messages.unwrap_or(u64::MAX).max(1);
    let mut listening = Listening::begin(&mqtt, session.clone(), filter).await?;
    let (began, mut pruner) = (Instant::now(), Pruner::default());
    let until = began + Duration::from_secs(asked);
    let mut told = began;
    while Instant::now() < until && pruner.received() < enough {
        let next = (told + STEP).min(until);
        tokio::select! {
            () = call.cancelled.cancelled() => return Err(Error::timeout("cancelled")),
            () = listening.next(next, |kept| if pruner.received() < enough {
                pruner.take(kept);
            }) => {}
        }
        if Instant::now() >= told + STEP {
            told = Instant::now();
            let text = format!("{} messages", pruner.received());
            let done = began.elapsed().as_secs_f64();
            call.progress.report(done, Some(asked as f64), Some(&text)).await;
        }
    }
    let took = began.elapsed().as_secs_f64();
    let received = pruner.received();
    let busiest = pruner.busiest(10);
    let (rows, mut stats) = fitting(pruner.choose(SHOWN));
    let is_pruned = rows.len() as u64 != received;
    if !is_pruned {
        stats = Value::Null;
    }
    let mut answer = json!({
        "topic_pattern": clean(&args.topic_pattern, TOPIC),
        "message_count": rows.len(),
        "original_message_count": received,
        "collection_duration_seconds": digits(took, 2),
        "duration_requested": asked,
        "pruning_applied": is_pruned,
        "messages": rows,
        "timestamp": time(now()),
        "status": "success",
    });
    if is_pruned {
        answer["pruning_stats"] = stats;
        let busiest = busiest.into_iter().map(|(name, count)| json!([clean(&name, 120), count]));
        answer["busiest_topics"] = busiest.collect();
    }
    if listening.missed() > 0 {
        answer["missed"] = listening.missed().into();
        answer["hint"] =
            "more came than the memory holds for so long; missed counts all topics".into();
    }
    if listening.is_aside() {
        answer["own_subscription"] = true.into();
    }
    standing(&mut answer, &session);
    Ok(answer)
}

/// The rows that fit an answer: of long messages less is shown, and then fewer of them.
fn fitting(chosen: Chosen) -> (Vec<Value>, Value) {
    let Chosen { mut messages, mut stats } = chosen;
    let size = |rows: &[Value]| rows.iter().map(|row| row.to_string().len() + 1).sum::<usize>();
    let room = BUDGET - 1200;
    for most in [1200, 400, 120, 60] {
        let rows: Vec<Value> = messages.iter().map(|kept| message(kept, most)).collect();
        if size(&rows) <= room {
            return (rows, stats);
        }
    }
    loop {
        // Every other one of the middle goes: the first and the last tell most.
        let (count, mut place) = (messages.len(), 0);
        messages.retain(|_| {
            place += 1;
            place <= 2 || place > count.saturating_sub(2) || place % 2 == 0
        });
        let rows: Vec<Value> = messages.iter().map(|kept| message(kept, 60)).collect();
        if size(&rows) <= room || messages.len() == count {
            stats["shown"] = rows.len().into();
            stats["fewer_for_size"] = true.into();
            return (rows, stats);
        }
    }
}
