//! What the home's broker and its messages look like now: status, tree, messages, charts.

use crate::error::Error;
use crate::http::{Extension, Json, State, Uri, read};
use crate::mqtt::inbox::Kept;
use crate::mqtt::levels::{self, Level};
use crate::mqtt::routes::{Desk, Who, filter, session};
use crate::mqtt::session::{self, Session};
use crate::mqtt::{may_see, show};
use crate::policy;
use crate::text;
use serde::Deserialize;
use serde_json::{Value, json};

/// A level of the tree has so many names in one answer.
const LEVELS: usize = 500;
/// An answer has so many messages.
const MESSAGES: usize = 500;
/// So many bytes of a payload are shown in a list.
const IN_LIST: usize = 2048;
/// The same in the tree.
const IN_TREE: usize = 120;
/// Payloads in one answer have so many bytes together.
const BUDGET: usize = 256 << 10;

/// Answers `/api/mqtt/status`: the sessions that the caller may use, and what may be published.
pub(super) async fn status(
    State(desk): State<Desk>,
    Extension(caller): Who,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", policy::Level::Read)?;
    let config = desk.mqtt.config();
    may_see(&caller)?;
    let sessions = desk.mqtt.sessions_of(&caller);
    let sessions = sessions.iter().map(|session| about(&desk, session));
    Ok(Json(json!({
        "configured": config.is_configured(),
        "sessions": sessions.collect::<Vec<_>>(),
        "publish": {
            "level": desk.mqtt.policy().may(&caller, "mqtt", policy::Level::Control),
            "read_only": config.read_only,
            "retained": config.allow_retained,
            "control_topics": config.allow_control,
            "per_minute": config.publishes_per_minute,
        },
    })))
}

fn about(desk: &Desk, session: &Session) -> Value {
    let (state, why) = match session.state() {
        session::State::Connecting => ("connecting", None),
        session::State::Connected => ("connected", None),
        session::State::Away(why) => ("away", Some(text::clean(&why, 300))),
    };
    let (rate, bytes_rate) = desk.mqtt.series().rate(&session.id, 10);
    let inbox = session.inbox();
    let totals = inbox.totals();
    let oldest = inbox.ring().oldest().map(|kept| show::seconds(kept.at));
    json!({
        "id": *session.id,
        "broker": session.target.address.to_string(),
        "version": session.target.version.word(),
        "state": state,
        "why": why,
        "messages": totals.messages,
        "bytes": totals.bytes,
        "too_large": totals.too_large,
        "unindexed": totals.unindexed,
        "dropped": totals.dropped,
        "topics": inbox.topics().len(),
        "kept": inbox.ring().iter().len(),
        "kept_since": oldest,
        "messages_per_second": rate,
        "bytes_per_second": bytes_rate,
    })
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Place {
    session: Option<String>,
    /// The beginning of topics, without its last slash; the top without it.
    below: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// Answers `/api/mqtt/topics`: the names at one place of the tree, with counts.
pub(super) async fn topics(
    State(desk): State<Desk>,
    Extension(caller): Who,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    let asked: Place = read::query(&uri)?;
    let session = session(&desk, &caller, asked.session.as_deref())?;
    let (below, after) = (asked.below.as_deref(), asked.after.as_deref());
    let most = asked.limit.unwrap_or(LEVELS).clamp(1, LEVELS);
    let found = levels::below(session.inbox().topics(), below, after, most);
    let rows: Vec<Value> = found.levels.iter().map(|level| row(level, below)).collect();
    let mut answer = json!({ "levels": rows, "total": found.total });
    if let Some(last) = found.levels.last().filter(|_| found.more) {
        answer["next"] = (*last.name).into();
    }
    Ok(Json(answer))
}

fn row(level: &Level, below: Option<&str>) -> Value {
    let path = match below {
        None => level.name.to_string(),
        Some(below) => format!("{below}/{}", level.name),
    };
    let own = u64::from(level.topic.is_some());
    let mut row = json!({
        "name": text::clean(&level.name, show::TOPIC),
        "topics": level.topics,
        "messages": level.messages,
        "last": show::seconds(level.last),
        "more": level.topics > own,
    });
    if show::id(&path).is_some() {
        row["id"] = text::percent(&path).into();
    }
    if let Some(topic) = &level.topic {
        row["retained"] = topic.is_retained.into();
        row["value"] = show::payload(topic.payload.as_deref(), topic.size, IN_TREE);
    }
    row
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    session: Option<String>,
    filter: Option<String>,
    /// In the topic or the payload, upper and lower case alike.
    text: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// Answers `/api/mqtt/messages`: the newest that fit, newest first.
pub(super) async fn messages(
    State(desk): State<Desk>,
    Extension(caller): Who,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    let asked: Wanted = read::query(&uri)?;
    let session = session(&desk, &caller, asked.session.as_deref())?;
    let filter = filter(asked.filter.as_deref())?;
    let text = asked.text.as_deref().map(str::to_lowercase).filter(|text| !text.is_empty());
    let most = asked.limit.unwrap_or(100).clamp(1, MESSAGES);
    let before = asked.before.unwrap_or(u64::MAX);
    let fits = |kept: &Kept| {
        kept.number < before
            && filter.as_ref().is_none_or(|filter| filter.matches(&kept.topic))
            && text.as_deref().is_none_or(|text| holds(kept, text))
    };
    let (found, newest, oldest) = {
        let inbox = session.inbox();
        let ring = inbox.ring();
        let mut found: Vec<Kept> = Vec::new();
        let mut bytes = 0;
        for kept in ring.iter().rev().filter(|kept| fits(kept)) {
            bytes += kept.payload.as_ref().map_or(0, |bytes| bytes.len().min(IN_LIST));
            if found.len() > most || (bytes > BUDGET && !found.is_empty()) {
                break;
            }
            found.push(kept.clone());
        }
        (found, inbox.totals().messages, ring.iter().next().map(|kept| kept.number))
    };
    let rows: Vec<Value> =
        found.iter().take(most).map(|kept| show::message(kept, IN_LIST)).collect();
    let mut answer = json!({
        "messages": rows,
        "place": desk.mqtt.place(newest),
        "oldest_kept": oldest,
    });
    if found.len() > rows.len() {
        answer["next"] = rows.last().map(|row| row["number"].clone()).into();
    }
    Ok(Json(answer))
}

/// Whether `text`, in lower case, is in the topic or in a payload that is text.
fn holds(kept: &Kept, text: &str) -> bool {
    let payload = kept.payload.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    kept.topic.to_lowercase().contains(text)
        || payload.is_some_and(|payload| payload.to_lowercase().contains(text))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Span {
    session: Option<String>,
    seconds: Option<usize>,
}

/// Answers `/api/mqtt/series`: what each of the newest seconds brought, oldest first.
pub(super) async fn series(
    State(desk): State<Desk>,
    Extension(caller): Who,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    let asked: Span = read::query(&uri)?;
    let session = session(&desk, &caller, asked.session.as_deref())?;
    let seconds = desk.mqtt.series().of(&session.id, asked.seconds.unwrap_or(300));
    Ok(Json(json!({
        "at": seconds.iter().map(|s| s.at).collect::<Vec<_>>(),
        "messages": seconds.iter().map(|s| s.messages).collect::<Vec<_>>(),
        "bytes": seconds.iter().map(|s| s.bytes).collect::<Vec<_>>(),
        "too_large": seconds.iter().map(|s| s.too_large).collect::<Vec<_>>(),
        "dropped": seconds.iter().map(|s| s.dropped).collect::<Vec<_>>(),
    })))
}
