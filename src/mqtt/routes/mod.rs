//! MQTT over HTTP, for the page and for scripts: the same checks as the tools, below `/api/mqtt`.
//!
//! What changes something, and what a tool already answers, goes through the toolbox: one way past
//! policy, gates and audit, whoever asks.

mod act;
mod export;
mod look;
mod stream;
mod topic;

use crate::error::Error;
use crate::http::{Extension, Router, get, post};
use crate::mcp::Toolbox;
use crate::mqtt::Mqtt;
use crate::mqtt::filter::Filter;
use crate::mqtt::session::Session;
use crate::policy::{Caller, Level};
use std::sync::Arc;

/// The paths of the routes, for whoever asks for one that is not there.
pub const API: &[&str] = &[
    "/api/mqtt/devices",
    "/api/mqtt/export",
    "/api/mqtt/messages",
    "/api/mqtt/publish",
    "/api/mqtt/recordings",
    "/api/mqtt/search",
    "/api/mqtt/series",
    "/api/mqtt/status",
    "/api/mqtt/stream",
    "/api/mqtt/topic",
    "/api/mqtt/topics",
];

/// What the handlers share.
#[derive(Clone)]
struct Desk {
    mqtt: Mqtt,
    toolbox: Toolbox,
}

/// Returns the routes. They stand behind the guard, which says who calls.
pub fn routes(mqtt: &Mqtt, toolbox: &Toolbox) -> Router {
    Router::new()
        .route("/api/mqtt/status", get(look::status))
        .route("/api/mqtt/topics", get(look::topics))
        .route("/api/mqtt/topic", get(topic::topic))
        .route("/api/mqtt/messages", get(look::messages))
        .route("/api/mqtt/series", get(look::series))
        .route("/api/mqtt/stream", get(stream::stream))
        .route("/api/mqtt/export", get(export::export))
        .route("/api/mqtt/publish", post(act::publish))
        .route("/api/mqtt/search", post(act::search))
        .route("/api/mqtt/devices", get(act::devices))
        .route("/api/mqtt/recordings", get(act::recordings))
        .with_state(Desk { mqtt: mqtt.clone(), toolbox: toolbox.clone() })
}

type Who = Extension<Caller>;

/// Returns the session that is asked about, when the caller may look at it.
fn session(desk: &Desk, caller: &Caller, id: Option<&str>) -> Result<Arc<Session>, Error> {
    desk.mqtt.policy().check(caller, "mqtt", Level::Read)?;
    desk.mqtt.session(caller, id)
}

/// Reads a topic filter; none stands for every topic.
fn filter(text: Option<&str>) -> Result<Option<Filter>, Error> {
    text.filter(|text| !text.is_empty()).map(Filter::read).transpose()
}
