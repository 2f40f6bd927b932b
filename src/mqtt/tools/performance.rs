//! How much comes, how quickly the broker answers, and what that costs us.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::{now, time};
use crate::mqtt::probe::{Loop, Times, loops};
use crate::mqtt::session::Session;
use crate::mqtt::tools::answer::{TOPIC, digits, reading, seconds, standing};
use crate::mqtt::tools::clean;
use crate::web::process;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// Messages of each QoS that measure the latency.
const MANY: usize = 10;
const EACH: Duration = Duration::from_secs(5);
/// The busiest topics are named.
const BUSIEST: usize = 5;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Args {
    session_id: Option<String>,
    /// Send 30 messages to ourselves below hearth/probe/ and time them
    latency: bool,
}

/// The shape of how it goes.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Performance {
    throughput_metrics: Value,
    latency_metrics: Option<Value>,
    memory_metrics: Value,
    session_metrics: Value,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let words = Words {
        name: "mqtt_monitor_performance",
        title: "Rates and load",
        about: "True rates of the broker's messages, what was lost, memory and processor time of \
                Hearth; with latency the time of messages to ourselves, by QoS.",
    };
    let time = mqtt.shared.config.connect_seconds * 2;
    vec![
        reading::<Args, Performance, _, _>(mqtt, words, monitor)
            .on_demand()
            .within(Duration::from_secs(time) + EACH * 31),
    ]
}

/// What came of the messages of one QoS.
fn of_qos((qos, each): (usize, Loop)) -> Value {
    let (sent, back) = (each.sent, each.round_trips.len());
    let mut row = json!({ "qos": qos, "sent": sent, "received": back });
    if let Some(times) = Times::of(each.round_trips) {
        row["round_trip"] = json!(times);
    }
    if let Some(times) = Times::of(each.acknowledged) {
        row["acknowledged"] = json!(times);
    }
    if let Some(problem) = each.problem {
        row["problem"] = clean(&problem, 200).into();
    }
    row
}

/// What a mosquitto says of the messages that it did not deliver, to whomever; nothing when it is none.
fn said_dropped(session: &Session) -> Option<u64> {
    let payload = {
        let inbox = session.inbox();
        inbox.topics().get("$SYS/broker/publish/messages/dropped")?.payload.clone()?
    };
    std::str::from_utf8(&payload).ok()?.trim().parse().ok().filter(|dropped| *dropped > 0)
}

async fn monitor(mqtt: Mqtt, call: Call, args: Args) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let now = now();
    let (throughput, memory) = {
        let inbox = session.inbox();
        let (totals, pulse) = (inbox.totals(), inbox.pulse());
        let mut busiest: Vec<_> = Vec::new();
        for (name, topic) in inbox.topics().iter() {
            let minute = topic.last_minute(now);
            let least = busiest.last().map_or(0, |(least, _): &(u32, String)| *least);
            if minute > 0 && (busiest.len() < BUSIEST || minute > least) {
                busiest.push((minute, clean(name, TOPIC)));
                busiest.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
                busiest.truncate(BUSIEST);
            }
        }
        let oldest = inbox.ring().oldest().map_or(0.0, |oldest| seconds(now - oldest.at));
        let throughput = json!({
            "messages_per_second": digits(pulse.per_second(now), 3),
            "messages_last_minute": pulse.last_minute(now),
            "messages": totals.messages,
            "retained_messages": totals.retained,
            "bytes": totals.bytes,
            "too_large": totals.too_large,
            "copies_of_overlapping_filters": totals.copies,
            "repeated_deliveries": totals.repeated,
            "busiest_topics_last_minute": busiest,
        });
        let memory = json!({
            "topics": inbox.topics().len(),
            "topics_bytes": inbox.topics().bytes(),
            "messages_without_room_for_their_topic": totals.unindexed,
            "newest_payloads_without_room": inbox.topics().without_payload(),
            "kept_messages": inbox.ring().iter().len(),
            "kept_bytes": inbox.ring().bytes(),
            "kept_bytes_at_most": inbox.ring().most(),
            "kept_seconds": oldest,
            "dropped_for_newer": totals.dropped,
        });
        (throughput, memory)
    };
    let (outages, forgotten) = session.outages();
    let mut answer = json!({
        "throughput_metrics": throughput,
        "memory_metrics": memory,
        "session_metrics": {
            "outages": outages.len() as u64 + forgotten,
            "unreadable_topics": session.unreadable(),
            "own_probes_left_out": session.probes(),
        },
        "timestamp": time(now),
        "status": "success",
    });
    let own = process::now();
    answer["memory_metrics"]["current_memory_mb"] =
        own.resident.map(|bytes| digits(bytes / 1_048_576.0, 2)).into();
    answer["memory_metrics"]["processor_seconds"] = own.processor.into();
    if let Some(dropped) = said_dropped(&session) {
        answer["session_metrics"]["broker_dropped"] = dropped.into();
        answer["hint"] =
            "broker_dropped is what the broker says it threw away for clients that read \
                          too slowly, since it started; raise max_queued_messages in mosquitto.conf"
                .into();
    }
    if args.latency {
        let (_, all) = loops(&mqtt, &session, MANY, EACH).await?;
        answer["latency_metrics"] = all.into_iter().enumerate().map(of_qos).collect();
    }
    standing(&mut answer, &session);
    Ok(answer)
}
