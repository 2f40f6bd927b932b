//! One device: its topics, how it does, what it said last.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Tool, Words};
use crate::mqtt::Mqtt;
use crate::mqtt::belongs::{Names, mentioned};
use crate::mqtt::clock::{now, time};
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::Topic;
use crate::mqtt::prune::is_fault;
use crate::mqtt::scan::{Back, breathe, scan};
use crate::mqtt::silence::{overdue, says_offline};
use crate::mqtt::tools::answer::{
    BUDGET, TOPIC, digits, message, payload, reading, seconds, standing,
};
use crate::mqtt::tools::clean;
use crate::mqtt::tools::silent::away;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many of its topics are looked at, and shown.
const TOPICS: usize = 500;
const SHOWN: usize = 12;
/// So many messages are shown, and so many that tell of faults.
const RECENT: usize = 12;
const FAULTS: usize = 6;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Args {
    session_id: Option<String>,
    /// Name or id, as in its topics or its announcement
    device_id: String,
}

/// The shape of how a device does.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "clients are told of it; answers are put together field by field")]
struct Debugged {
    device_topics: Vec<Value>,
    recent_messages: Vec<Value>,
    error_messages: Vec<Value>,
    connection_status: String,
    debug_summary: Value,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let words = Words {
        name: "mqtt_debug_device",
        title: "Look into a device",
        about: "A device by name or id: its topics, whether it is heard as usual, what it said last, \
                and messages that tell of faults. From what was heard already, so it answers at once.",
    };
    vec![reading::<Args, Debugged, _, _>(mqtt, words, debug)]
}

type Found = BTreeMap<Arc<str>, Topic>;

async fn debug(mqtt: Mqtt, call: Call, args: Args) -> Result<Value, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let id = args.device_id.trim();
    let names = Names::of(id).ok_or_else(|| Error::invalid("device_id is empty"))?;
    let (mut own, mut announced, mut more) = (Found::new(), Vec::new(), 0_usize);
    scan(&session, &Filter::read("#")?, &call.cancelled, |name, topic| {
        let is_it = names.are_in(name);
        let says = topic.payload.as_deref().is_some_and(|payload| names.are_said(payload));
        if is_it && own.len() < TOPICS {
            own.insert(name.clone(), topic.clone());
        } else if is_it {
            more += 1;
        }
        if says && announced.len() < 50 {
            announced.extend(topic.payload.clone().map(|payload| (name.clone(), payload)));
        }
    })
    .await?;
    // What an announcement names are the device's topics too, however they are called.
    for (announcement, payload) in &announced {
        for topic in mentioned(announcement, payload, &names) {
            let known = session.inbox().topics().get(&topic).cloned();
            if let Some(known) = known.filter(|_| own.len() < TOPICS) {
                own.insert(topic.into(), known);
            }
        }
        breathe(&call.cancelled).await?;
    }
    if own.is_empty() {
        return Err(Error::not_found(format!(
            "no topic and no announcement names '{}'; mqtt_list_topics and mqtt_search_messages help \
             to find how it is called",
            clean(id, 100)
        )));
    }
    let (mut recent, mut faults, mut fault_count, mut back) =
        (Vec::new(), Vec::new(), 0_usize, Back::from(None));
    loop {
        let (found, is_all) = back.step(&session, |kept| own.contains_key(&kept.topic));
        for kept in found {
            let is_fault = is_fault(&kept);
            fault_count += usize::from(is_fault);
            if is_fault && faults.len() < FAULTS {
                faults.push(kept);
            } else if recent.len() < RECENT {
                recent.push(kept);
            }
        }
        if is_all {
            break;
        }
        breathe(&call.cancelled).await?;
    }
    let now = now();
    let outages = away(&session, now);
    let (answer, used) = summary(id, &own, &outages, now, fault_count, more);
    let mut answer = answer;
    let mut room = BUDGET.saturating_sub(used);
    for (field, kept) in [("error_messages", faults), ("recent_messages", recent)] {
        let mut rows = Vec::new();
        for kept in &kept {
            let row = message(kept, 300);
            let size = row.to_string().len() + 1;
            if size > room {
                break;
            }
            room -= size;
            rows.push(row);
        }
        answer[field] = rows.into();
    }
    standing(&mut answer, &session);
    Ok(answer)
}

/// How a device does, and how many bytes that takes.
fn summary(
    id: &str,
    own: &Found,
    outages: &[(i64, i64)],
    now: i64,
    faults: usize,
    more: usize,
) -> (Value, usize) {
    let newest = own.values().map(|topic| topic.last).max().unwrap_or(0);
    let live: u64 = own.values().map(Topic::live_count).sum();
    let rate: f64 = own.values().map(|topic| topic.rate(now)).sum();
    let late: Vec<&Arc<str>> = own
        .iter()
        .filter(|(_, topic)| overdue(topic, outages, now).is_some())
        .map(|(name, _)| name)
        .collect();
    let said = |topic: &Topic| topic.payload.as_deref().and_then(says_offline);
    let offline = own.iter().filter(|(_, topic)| said(topic) == Some(true));
    let offline: Vec<String> = offline.map(|(name, _)| clean(name, TOPIC)).collect();
    let rhythmic = own.values().filter(|t| crate::mqtt::silence::limit(t.gaps()).is_some()).count();
    let (health, status) = if !offline.is_empty() {
        ("offline", "it says offline")
    } else if rhythmic > 0 && late.len() == rhythmic {
        ("silent", "all of its rhythmic topics are overdue")
    } else if !late.is_empty() {
        ("issues_detected", "some of its topics are overdue")
    } else if faults > 0 {
        ("issues_detected", "heard as usual, with messages about faults")
    } else if live > 0 {
        ("healthy", "heard as usual")
    } else {
        ("unknown", "only retained messages are known")
    };
    // The busiest topics tell most.
    let mut rows: Vec<_> = own.iter().collect();
    rows.sort_by(|a, b| b.1.live_count().cmp(&a.1.live_count()).then(a.0.cmp(b.0)));
    let rows: Vec<Value> = rows
        .into_iter()
        .take(SHOWN)
        .map(|(name, topic)| {
            let mut row = json!({
                "topic": clean(name, 200),
                "age_seconds": seconds(now - topic.last),
                "messages": topic.count,
                "retained": topic.is_retained,
            });
            if topic.gaps().count > 1 {
                row["every_seconds"] = digits(topic.gaps().mean, 2).into();
            }
            if late.contains(&name) {
                row["overdue"] = true.into();
            }
            payload(&mut row, topic.payload.as_deref(), topic.size, None, 100);
            row
        })
        .collect();
    let answer = json!({
        "device_id": clean(id, 100),
        "connection_status": status,
        "last_message_time": time(newest),
        "message_frequency_per_minute": digits(rate * 60.0, 2),
        "device_topics": rows,
        "topic_count": own.len() + more,
        "said_offline": offline,
        "debug_summary": {
            "device_health": health,
            "overdue_topics": late.len(),
            "error_count": faults,
            "live_messages": live,
        },
        "timestamp": time(now),
        "status": "success",
    });
    let used = answer.to_string().len();
    (answer, used)
}
