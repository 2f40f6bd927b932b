//! Clearing what a broker keeps: shown first, done with a copy, undone by its id.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{self, Call, Reply, Tool};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::now;
use crate::mqtt::discovery::words::{NAME, TOPIC, clean, time};
use crate::mqtt::discovery::{RULES, gather, lint};
use crate::mqtt::filter::Filter;
use crate::mqtt::message::{Outcome, Publish, Qos};
use crate::mqtt::retained::{self, Copy, Held, MOST, fetch};
use crate::mqtt::session::Session;
use crate::policy::{self, Level};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the rows of an answer may take, in bytes.
const BUDGET: usize = 6 * 1024;
/// Clearing as much as may be cleared at once, on a slow network.
const PATIENCE: Duration = Duration::from_secs(180);
const ACTION: &str = "mqtt_clean_retained";

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CleanArgs {
    /// Topics or filters
    filters: Vec<String>,
    /// In place of filters: all that mqtt_lint_discovery finds by this rule
    rule: String,
    /// From the preview: clears exactly that
    digest: String,
    /// Id of what was cleared: puts it back; "list" shows the ids
    undo: String,
    cursor: String,
    session_id: Option<String>,
}

#[derive(Default, Serialize, JsonSchema)]
struct Cleaned {
    /// preview, cleared, restored or list
    status: &'static str,
    messages: Vec<Map<String, Value>>,
    total: usize,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<String>,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let own = mqtt.clone();
    let tool = Tool::new(
        ACTION,
        "Clear retained messages",
        "Shows retained messages; with the preview's digest, clears them and keeps a copy; with undo, puts \
         them back byte for byte.",
        Level::Read,
        move |call, args| {
            let mqtt = own.clone();
            async move { run(&mqtt, &call, args).await.map(Reply::from) }
        },
    );
    vec![tool.acting(level).destructive().within(PATIENCE).on_demand()]
}

/// Looking is reading; clearing and putting back is for administrators.
fn level(args: &Map<String, Value>) -> Level {
    let said = |key: &str| args.get(key).and_then(Value::as_str).unwrap_or_default();
    let only_looks = said("digest").is_empty() && matches!(said("undo"), "" | "list");
    if only_looks { Level::Read } else { Level::Admin }
}

async fn run(mqtt: &Mqtt, call: &Call, args: CleanArgs) -> Result<Cleaned, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    match args.undo.as_str() {
        "" => {}
        "list" => return list(mqtt, &session, &args).await,
        id => return restore(mqtt, call, &session, id).await,
    }
    let filters = filters(mqtt, &session, &args)?;
    let held = fetch(mqtt, &session, &filters, Qos::AtMostOnce).await?;
    match args.digest.as_str() {
        "" => preview(mqtt, call, &held, &args),
        digest => clear(mqtt, call, &session, held, digest).await,
    }
}

/// Returns the topics and filters that are meant.
fn filters(mqtt: &Mqtt, session: &Session, args: &CleanArgs) -> Result<Vec<String>, Error> {
    match (args.filters.is_empty(), args.rule.is_empty()) {
        (false, true) => {}
        (true, false) => return by_rule(mqtt, session, &args.rule),
        _ => return Err(Error::invalid("name filters, or a rule of mqtt_lint_discovery")),
    }
    if args.filters.len() > MOST {
        return Err(Error::limit(format!("name at most {MOST} filters")));
    }
    for text in &args.filters {
        Filter::read(text)?;
        if text.starts_with('$') {
            return Err(Error::invalid("topics that begin with $ are the broker's own"));
        }
    }
    Ok(args.filters.clone())
}

fn by_rule(mqtt: &Mqtt, session: &Session, rule: &str) -> Result<Vec<String>, Error> {
    if !RULES.contains(&rule) {
        return Err(Error::invalid(format!("rule is one of {}", RULES.join(", "))));
    }
    let prefix = mqtt.discovery_prefix();
    let found = gather(session, prefix);
    let known: BTreeSet<Arc<str>> =
        session.inbox().topics().iter().map(|(name, _)| name.clone()).collect();
    let all = lint(prefix, &found.announced, &found.devices, &|topic| known.contains(topic));
    let wanted = all.iter().filter(|finding| finding.rule == rule);
    let topics: BTreeSet<String> = wanted.map(|finding| finding.topic.to_string()).collect();
    if topics.is_empty() {
        return Err(Error::not_found(format!(
            "mqtt_lint_discovery finds nothing by the rule {rule}"
        )));
    }
    Ok(topics.into_iter().take(MOST).collect())
}

/// The message that clears a topic (MQTT 5, section 3.3.1.3).
fn clearing(topic: &str) -> Publish {
    Publish {
        topic: topic.to_owned(),
        payload: Vec::new(),
        qos: Qos::AtLeastOnce,
        retain: true,
        properties: None,
    }
}

fn preview(mqtt: &Mqtt, call: &Call, held: &[Held], args: &CleanArgs) -> Result<Cleaned, Error> {
    let mut hints = Vec::new();
    let refused = |one: &Held| mqtt.may_publish(&call.caller, &clearing(&one.topic)).err();
    if let Some(why) = held.iter().find_map(refused) {
        hints.push(format!("as things are it would be refused: {}", why.what()));
    }
    if held.iter().any(|one| one.payload.is_none()) {
        hints.push(too_large().what().to_owned());
    }
    let rows = held.iter().map(|one| {
        let mut row = Map::new();
        row.insert("topic".into(), clean(&one.topic, TOPIC).into());
        row.insert("size".into(), one.size.into());
        if let Some(payload) = &one.payload {
            row.insert("begins".into(), clean(&String::from_utf8_lossy(payload), 60).into());
        }
        (one.topic.clone(), row)
    });
    let page = mcp::rows(rows, &args.cursor, BUDGET)?;
    Ok(Cleaned {
        status: "preview",
        messages: page.items,
        total: held.len(),
        bytes: held.iter().map(|one| one.size).sum(),
        digest: (!held.is_empty()).then(|| retained::digest(held)),
        next: page.next,
        hints,
        ..Cleaned::default()
    })
}

fn too_large() -> Error {
    Error::limit(
        "a message is larger than mqtt.max_packet_bytes, so that no copy of it could be kept; raise it, \
         or name narrower filters",
    )
}

async fn clear(
    mqtt: &Mqtt,
    call: &Call,
    session: &Session,
    seen: Vec<Held>,
    digest: &str,
) -> Result<Cleaned, Error> {
    if seen.is_empty() || retained::digest(&seen) != digest {
        return Err(Error::conflict(
            "what the broker keeps there has changed since the preview: look again and use the new digest",
        ));
    }
    if seen.iter().any(|one| one.payload.is_none()) {
        return Err(too_large());
    }
    for one in &seen {
        mqtt.may_publish(&call.caller, &clearing(&one.topic))?;
    }
    let shared = &mqtt.shared;
    let target = format!("{} retained messages, {digest}", seen.len());
    shared.policy.confirm(&call.caller, ACTION, &target, call.confirm.as_deref())?;
    shared.publishes.take(call.caller.token, Instant::now(), "a token publishes")?;
    // Once more with QoS 2, so that each message says with which QoS it was published.
    let topics: Vec<String> = seen.iter().map(|one| one.topic.clone()).collect();
    let held = fetch(mqtt, session, &topics, Qos::ExactlyOnce).await?;
    if retained::digest(&held) != digest {
        return Err(Error::conflict("a message changed meanwhile: look again"));
    }
    let copy = Copy {
        id: format!("{:012x}{}", now() / 1000, &policy::random_token()?[..4]),
        at: now(),
        by: call.caller.name.to_string(),
        broker: session.target.address.to_string(),
        messages: held.len(),
        bytes: held.iter().map(|one| one.size).sum(),
        is_undone: false,
    };
    retained::keep(&shared.store, &copy, &held).await?;
    let sent = send(session, call, topics.iter().map(|topic| clearing(topic))).await;
    let left = fetch(mqtt, session, &topics, Qos::AtMostOnce).await;
    let mut hints = sent.troubles;
    let cleared = match &left {
        Ok(left) => topics.len() - left.len(),
        Err(e) => {
            hints.push(format!("what is left could not be looked up: {}", e.what()));
            sent.written
        }
    };
    let reason = format!("{cleared} cleared; undo {}", copy.id);
    let outcome =
        if cleared == topics.len() { policy::Outcome::Allowed } else { policy::Outcome::Failed };
    shared.policy.record(&call.caller, "mqtt clear retained", &target, outcome, Some(&reason));
    let left = left.unwrap_or_default();
    let rows = left.iter().take(20).map(|one| {
        let row = json!({ "topic": clean(&one.topic, TOPIC), "still_there": true });
        row.as_object().cloned().unwrap_or_default()
    });
    Ok(Cleaned {
        status: "cleared",
        messages: rows.collect(),
        total: cleared,
        bytes: copy.bytes,
        undo: Some(copy.id),
        hints,
        ..Cleaned::default()
    })
}

/// What became of several messages.
#[derive(Default)]
struct Sent {
    written: usize,
    troubles: Vec<String>,
}

async fn send(session: &Session, call: &Call, all: impl Iterator<Item = Publish>) -> Sent {
    let mut sent = Sent::default();
    for message in all {
        if call.cancelled.is_cancelled() {
            sent.troubles.push("it was cancelled before all of them were sent".into());
            return sent;
        }
        let topic = clean(&message.topic, TOPIC);
        let trouble = match session.publish(message).await {
            Ok(Outcome::Written { .. }) => {
                sent.written += 1;
                continue;
            }
            Ok(Outcome::NotSent(why)) => format!("{topic} was not sent: {why}"),
            Ok(Outcome::Unknown(why)) => format!("{topic}: {why}"),
            Err(e) => format!("{topic} was not sent: {}", e.what()),
        };
        if sent.troubles.len() < 5 {
            sent.troubles.push(clean(&trouble, 400));
        }
    }
    sent
}

async fn restore(mqtt: &Mqtt, call: &Call, session: &Session, id: &str) -> Result<Cleaned, Error> {
    let shared = &mqtt.shared;
    let backup = retained::load(&shared.store, id).await?;
    if backup.copy.broker != session.target.address.to_string() {
        return Err(Error::conflict(format!(
            "it was cleared at {}; open a session there",
            clean(&backup.copy.broker, NAME)
        )));
    }
    let message = |held: &Held| Publish {
        topic: held.topic.clone(),
        payload: held.payload.clone().unwrap_or_default(),
        qos: held.qos,
        retain: true,
        properties: held.properties.clone(),
    };
    for held in &backup.held {
        mqtt.may_publish(&call.caller, &message(held))?;
    }
    shared.publishes.take(call.caller.token, Instant::now(), "a token publishes")?;
    let topics: Vec<String> = backup.held.iter().map(|held| held.topic.clone()).collect();
    let there = fetch(mqtt, session, &topics, Qos::AtMostOnce).await?;
    let find = |all: &[Held], topic: &str| -> Option<Held> {
        all.iter().find(|one| one.topic == topic).cloned()
    };
    let (newer, ours): (Vec<&Held>, Vec<&Held>) = backup.held.iter().partition(|held| {
        find(&there, &held.topic).is_some_and(|other| other.payload != held.payload)
    });
    let mut sent = send(session, call, ours.iter().map(|held| message(held))).await;
    let now_there = fetch(mqtt, session, &topics, Qos::AtMostOnce).await?;
    let is_back = |held: &&&Held| {
        find(&now_there, &held.topic).is_some_and(|other| other.payload == held.payload)
    };
    let restored = ours.iter().filter(is_back).count();
    if !newer.is_empty() {
        sent.troubles
            .push(format!("{} topics have a newer message, which is left as it is", newer.len()));
    }
    let is_whole = restored == ours.len();
    if is_whole {
        retained::mark_undone(&shared.store, &backup.copy).await?;
    }
    let target = format!("{restored} of {} retained messages, {id}", topics.len());
    let outcome = if is_whole { policy::Outcome::Allowed } else { policy::Outcome::Failed };
    shared.policy.record(&call.caller, "mqtt restore retained", &target, outcome, None);
    Ok(Cleaned {
        status: "restored",
        total: restored,
        bytes: ours.iter().map(|held| held.size).sum(),
        hints: sent.troubles,
        ..Cleaned::default()
    })
}

async fn list(mqtt: &Mqtt, session: &Session, args: &CleanArgs) -> Result<Cleaned, Error> {
    let own = session.target.address.to_string();
    let mut copies = retained::copies(&mqtt.shared.store).await?;
    copies.retain(|copy| copy.broker == own);
    let total = copies.len();
    let rows = copies.into_iter().map(|copy| {
        let row = json!({
            "undo": copy.id, "at": time(copy.at), "by": clean(&copy.by, NAME),
            "messages": copy.messages, "bytes": copy.bytes, "undone": copy.is_undone,
        });
        row.as_object().cloned().unwrap_or_default()
    });
    let page = mcp::rows(mcp::numbered(rows), &args.cursor, BUDGET)?;
    Ok(Cleaned {
        status: "list",
        messages: page.items,
        total,
        next: page.next,
        ..Cleaned::default()
    })
}
