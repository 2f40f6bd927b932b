//! Connections: opened, listed, closed. Names and fields as the original has them.

use crate::config::JsonSchema;
use crate::error::Error;
use crate::mcp::{Call, Reply, Tool, page};
use crate::mqtt::Mqtt;
use crate::mqtt::clock::time_of_second;
use crate::mqtt::config::Version;
use crate::mqtt::establish::Which;
use crate::mqtt::may_see;
use crate::mqtt::session::{HOME, Session, State};
use crate::mqtt::sessions::Entry;
use crate::mqtt::tools::short;
use crate::policy::Level;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct EstablishArgs {
    /// mqtt://host:port; also mqtts, ws, wss
    connection_string: String,
    /// A broker the owner named; better than a password in connection_string
    profile: String,
    /// 5 or 3.1.1
    version: String,
}

#[derive(Serialize, JsonSchema)]
struct Established {
    session_id: String,
    broker: String,
    port: u16,
    status: &'static str,
    created_at: String,
    version: &'static str,
    expires_in_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListArgs {
    cursor: String,
}

#[derive(Serialize, JsonSchema)]
struct Listed {
    connections: Vec<Connection>,
    /// Yours, without the home's.
    total: usize,
    /// Everybody's together.
    max: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Connection {
    session_id: String,
    broker: String,
    port: u16,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_seconds: Option<u64>,
    is_connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    subscribed_topics: Vec<Subscribed>,
    messages: u64,
    /// Of these, larger than mqtt.max_packet_bytes: their payload was skipped.
    #[serde(skip_serializing_if = "is_none")]
    too_large: u64,
    /// Besides these, left out because their topic is no text.
    #[serde(skip_serializing_if = "is_none")]
    unreadable: u64,
    /// Besides these, left out because our own probes sent them.
    #[serde(skip_serializing_if = "is_none")]
    own_probes: u64,
    /// Times without a connection, the first one before the first connection.
    outages: usize,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

#[derive(Serialize, JsonSchema)]
struct Subscribed {
    filter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    qos: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct CloseArgs {
    session_id: String,
}

#[derive(Serialize, JsonSchema)]
struct Closed {
    session_id: String,
    status: &'static str,
}

pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let seconds = mqtt.shared.config.connect_seconds + 10;
    let (opening, listing, closing) = (mqtt.clone(), mqtt.clone(), mqtt.clone());
    let establish = Tool::new(
        "mqtt_establish_connection",
        "Connect to a broker",
        "Opens a session with an MQTT broker and listens to it. Not needed for the home's own: leave \
         session_id out there. Ends when not used for a while.",
        Level::Control,
        move |call, args| establish(opening.clone(), call, args),
    );
    let list = Tool::new(
        "mqtt_list_active_connections",
        "List connections",
        "The home's broker and your own sessions: whether they are connected, and to what they listen.",
        Level::Read,
        move |call, args| {
            let mqtt = listing.clone();
            async move { list(&mqtt, &call, &args) }
        },
    );
    let close = Tool::new(
        "mqtt_close_connection",
        "Close a connection",
        "Ends a session that you opened; what it heard is forgotten.",
        Level::Control,
        move |call, args| {
            let mqtt = closing.clone();
            async move { close(&mqtt, &call, args) }
        },
    );
    vec![
        establish.within(Duration::from_secs(seconds)).on_demand(),
        list.on_demand(),
        close.idempotent().on_demand(),
    ]
}

async fn establish(
    mqtt: Mqtt,
    call: Call,
    args: EstablishArgs,
) -> Result<Reply<Established>, Error> {
    let version = match args.version.as_str() {
        "" => None,
        text => {
            Some(Version::of(text).ok_or_else(|| Error::invalid("version must be 5 or 3.1.1"))?)
        }
    };
    let which = match (args.connection_string.as_str(), args.profile.as_str()) {
        ("", "") => Which::Home,
        ("", profile) => Which::Profile(profile),
        (text, "") => Which::Written(text),
        _ => return Err(Error::invalid("give connection_string or profile, not both")),
    };
    let entry = mqtt.establish(&call.caller, which, version, &call.cancelled).await?;
    let Entry { session, created, .. } = &entry;
    let welcome = session.welcome().unwrap_or_default();
    Ok(Reply::from(Established {
        session_id: session.id.to_string(),
        broker: session.target.address.host.clone(),
        port: session.target.address.port,
        status: "connected",
        created_at: time_of_second(*created),
        version: welcome.version.word(),
        expires_in_seconds: mqtt.shared.sessions.bounds().1.as_secs(),
        note: welcome.note.map(|note| short(&note)),
    }))
}

fn list(mqtt: &Mqtt, call: &Call, args: &ListArgs) -> Result<Reply<Listed>, Error> {
    may_see(&call.caller)?;
    let (max, ttl) = mqtt.shared.sessions.bounds();
    let own = mqtt.shared.sessions.list(&call.caller);
    let total = own.len();
    let home = mqtt.shared.home.iter().map(|session| described(session, None, ttl));
    let own = own.iter().map(|entry| described(&entry.session, Some(entry), ttl));
    let all: Vec<_> = home.chain(own).collect();
    let cursor = (!args.cursor.is_empty()).then_some(args.cursor.as_str());
    // The home's own comes first, whatever the others are called.
    let key = |c: &Connection| match &*c.session_id {
        HOME => String::new(),
        id => format!("{}/{id}", c.created_at.as_deref().unwrap_or_default()),
    };
    let page = page(all, key, cursor, 6 << 10)?;
    Ok(Reply::from(Listed { connections: page.items, total, max, next: page.next }))
}

fn described(session: &Session, entry: Option<&Entry>, ttl: Duration) -> Connection {
    let (is_connected, error) = match session.state() {
        State::Connected => (true, None),
        State::Connecting => (false, None),
        State::Away(why) => (false, Some(short(&why))),
    };
    let granted = session.granted().into_iter().take(MOST_FILTERS);
    let subscribed = granted.map(|(filter, granted)| {
        let (qos, refused) = match granted {
            Ok(qos) => (Some(qos.number()), None),
            Err(why) => (None, Some(why)),
        };
        Subscribed { filter: short(&filter), qos, refused }
    });
    let welcome = session.welcome();
    let address = &session.target.address;
    let totals = session.inbox().totals();
    let (outages, forgotten) = session.outages();
    Connection {
        session_id: session.id.to_string(),
        broker: address.host.clone(),
        port: address.port,
        url: address.to_string(),
        client_id: welcome.as_ref().and_then(|welcome| welcome.client_id.as_deref()).map(short),
        profile: entry.and_then(|entry| entry.profile.clone()),
        created_at: entry.map(|entry| time_of_second(entry.created)),
        expires_in_seconds: entry.map(|entry| ttl.saturating_sub(entry.idle()).as_secs()),
        is_connected,
        error,
        version: welcome.as_ref().map(|welcome| welcome.version.word()),
        note: welcome.and_then(|welcome| welcome.note).map(|note| short(&note)),
        subscribed_topics: subscribed.collect(),
        messages: totals.messages,
        too_large: totals.too_large,
        unreadable: session.unreadable(),
        own_probes: session.probes(),
        outages: outages.len() + usize::try_from(forgotten).unwrap_or_default(),
    }
}

/// Filters that are told of one session; the owner sees all of them in the configuration.
const MOST_FILTERS: usize = 20;

fn close(mqtt: &Mqtt, call: &Call, args: CloseArgs) -> Result<Reply<Closed>, Error> {
    may_see(&call.caller)?;
    if args.session_id == HOME || args.session_id.is_empty() {
        return Err(Error::invalid(
            "give the session_id of a session that you opened; the home's broker stays connected",
        ));
    }
    mqtt.shared.sessions.close(&call.caller, &args.session_id)?;
    Ok(Reply::from(Closed { session_id: args.session_id, status: "closed" }))
}
