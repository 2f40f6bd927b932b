//! The broker itself: how quickly it answers, and what it can do.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Reply, Tool};
use crate::mqtt::Mqtt;
use crate::mqtt::link::Limits;
use crate::mqtt::probe::{self, Ability, Loop, Times};
use crate::mqtt::tools::short;
use crate::policy::Level;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Args {
    session_id: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Tested {
    /// ok, or failed
    status: &'static str,
    broker: String,
    port: u16,
    version: &'static str,
    /// Name, TCP, TLS, CONNECT and the first SUBSCRIBE, on a new connection.
    connect_ms: f64,
    /// Five messages of each QoS, sent to ourselves one after the other.
    loopback: Vec<OfQos>,
    /// From a message of QoS 1 to the broker's acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    ping: Option<Times>,
    /// What the broker says of itself: data.
    broker_info: Vec<Info>,
}

#[derive(Serialize, JsonSchema)]
struct OfQos {
    qos: usize,
    sent: usize,
    received: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip: Option<Times>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Info {
    topic: &'static str,
    value: String,
}

#[derive(Serialize, JsonSchema)]
struct Probed {
    broker: String,
    port: u16,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// What the broker said when it let us in (MQTT 5); what it left out has MQTT's own value.
    said: Said,
    /// What trying showed.
    tried: Tried,
}

#[derive(Serialize, JsonSchema)]
struct Said {
    maximum_qos: u8,
    retained_messages: &'static str,
    receive_maximum: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_packet_bytes: Option<u32>,
    topic_alias_maximum: u16,
    subscription_ids: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive_seconds: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_expiry_seconds: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct Tried {
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_qos: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_qos: Option<u8>,
    wildcard_subscriptions: String,
    shared_subscriptions: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_delivered_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_delivered_because: Option<String>,
    /// Whether it lets in who has no password.
    #[serde(skip_serializing_if = "Option::is_none")]
    lets_anybody_in: Option<bool>,
}

/// Messages of each QoS.
const MANY: usize = 5;
/// A message of a probe may take so long.
const EACH: Duration = Duration::from_secs(5);
const INFO: [&str; 4] = [
    "$SYS/broker/version",
    "$SYS/broker/uptime",
    "$SYS/broker/clients/connected",
    "$SYS/broker/retained messages/count",
];

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let time = Duration::from_secs(mqtt.shared.config.connect_seconds * 2) + EACH * 20;
    let (testing, probing) = (mqtt.clone(), mqtt.clone());
    let test = Tool::new(
        "mqtt_test_connection",
        "Test a broker",
        "Connects anew and sends a few messages to itself below hearth/probe/: how long connecting, \
         acknowledging and messages of each QoS take.",
        Level::Control,
        move |call, args| test(testing.clone(), call, args),
    );
    let look = Tool::new(
        "mqtt_probe_broker",
        "Probe a broker",
        "What a broker can do: limits it announces, QoS, retained, wildcards, shared subscriptions, \
         large messages, and whether it lets anybody in. Sends only below hearth/probe/.",
        Level::Control,
        move |call, args| look(probing.clone(), call, args),
    );
    [test, look].map(|tool| tool.within(time).idempotent().on_demand()).into()
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

async fn test(mqtt: Mqtt, call: Call, args: Args) -> Result<Reply<Tested>, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let (connection, all) = tokio::select! {
        done = probe::loops(&mqtt, &session, MANY, EACH) => done?,
        () = call.cancelled.cancelled() => return Err(Error::timeout("the call was given up")),
    };
    let acknowledged = all.iter().skip(1).take(1).flat_map(|each| each.acknowledged.clone());
    let ping = Times::of(acknowledged.collect());
    let is_well = all.iter().all(|each| each.problem.is_none());
    let told = |(qos, each): (usize, Loop)| OfQos {
        qos,
        sent: each.sent,
        received: each.round_trips.len(),
        round_trip: Times::of(each.round_trips),
        problem: each.problem.map(|problem| short(&problem)),
    };
    let inbox = session.inbox();
    let info = INFO.into_iter().filter_map(|topic| {
        let value = inbox.topics().get(topic)?.payload.clone()?;
        Some(Info { topic, value: short(&String::from_utf8_lossy(&value)) })
    });
    let broker_info = info.collect();
    drop(inbox);
    Ok(Reply::from(Tested {
        status: if is_well { "ok" } else { "failed" },
        broker: session.target.address.host.clone(),
        port: session.target.address.port,
        version: connection.version().word(),
        connect_ms: ms(connection.connected_in),
        loopback: all.into_iter().enumerate().map(told).collect(),
        ping,
        broker_info,
    }))
}

async fn look(mqtt: Mqtt, call: Call, args: Args) -> Result<Reply<Probed>, Error> {
    let session = mqtt.session(&call.caller, args.session_id.as_deref())?;
    let found = tokio::select! {
        found = probe::look(&mqtt, &session, EACH) => found?,
        () = call.cancelled.cancelled() => return Err(Error::timeout("the call was given up")),
    };
    let Ability { welcome, .. } = &found;
    let is_v5 = welcome.version == crate::mqtt::config::Version::V5;
    let word = |flag: Option<bool>| match flag {
        _ if !is_v5 => "not known (MQTT 3.1.1 does not say)",
        Some(false) => "no",
        _ => "yes",
    };
    let granted = |tried: &Option<Result<(), String>>| match tried {
        Some(Ok(())) => "yes".to_owned(),
        Some(Err(why)) => short(&format!("no: {why}")),
        None => "no, as the broker says".to_owned(),
    };
    let Limits { maximum_qos, retain, receive_maximum, topic_alias_maximum, .. } = welcome.limits;
    let (bytes, because) = found.refused_bytes.clone().unzip();
    Ok(Reply::from(Probed {
        broker: session.target.address.host.clone(),
        port: session.target.address.port,
        version: welcome.version.word(),
        note: welcome.note.as_deref().map(short),
        said: Said {
            maximum_qos: maximum_qos.unwrap_or(2),
            retained_messages: word(retain),
            receive_maximum: receive_maximum.unwrap_or(u16::MAX),
            maximum_packet_bytes: welcome.limits.maximum_packet_size,
            topic_alias_maximum: topic_alias_maximum.unwrap_or(0),
            subscription_ids: word(welcome.limits.subscription_ids),
            keep_alive_seconds: welcome.limits.keep_alive,
            session_expiry_seconds: welcome.limits.session_expiry,
        },
        tried: Tried {
            granted_qos: found.granted_qos,
            delivered_qos: found.delivered_qos,
            wildcard_subscriptions: granted(&found.wildcard),
            shared_subscriptions: granted(&found.shared),
            delivered_bytes: found.delivered_bytes,
            not_delivered_bytes: bytes,
            not_delivered_because: because.as_deref().map(short),
            lets_anybody_in: found.lets_anybody_in,
        },
    }))
}
