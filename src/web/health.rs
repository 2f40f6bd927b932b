//! `/health`, `/ready` and `/.well-known/mcp-config`: what a monitor, a container engine or a client
//! asks before it has a token. Reasons are for callers only: they name hosts and paths.

use crate::http::{IntoResponse, Json, Response, State, StatusCode};
use crate::tasks;
use crate::web::{MaybeCaller, Web, now};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// One part of Hearth or counterpart of it.
#[derive(Serialize)]
pub(super) struct Service {
    /// As in `[section]` or as the part calls itself.
    pub(super) name: &'static str,
    /// Whether it is a part of Hearth; a counterpart otherwise.
    pub(super) own: bool,
    /// `starting`, `up`, `degraded` or `down`.
    pub(super) state: &'static str,
    /// Why it is not up.
    pub(super) reason: Option<String>,
    /// How often it was started again.
    pub(super) restarts: u64,
}

impl Service {
    pub(super) fn of(health: &tasks::Health) -> Service {
        Service {
            name: health.name,
            own: health.whose == tasks::Whose::Own,
            state: health.state.word(),
            reason: health.state.reason().map(str::to_owned),
            restarts: health.restarts,
        }
    }
}

/// Answers `/health`: 200 while Hearth itself can serve, whatever its counterparts do.
pub(super) async fn health(State(web): State<Arc<Web>>, caller: MaybeCaller) -> Response {
    let tasks = &web.parts.tasks;
    let healthy = tasks.is_healthy();
    let all = tasks.health();
    let services: Map<String, Value> =
        all.iter().map(|h| (h.name.to_owned(), h.state.word().into())).collect();
    let mut body = json!({
        "status": if healthy { "ok" } else { "down" },
        "timestamp": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "services": services,
    });
    if web.parts.demo {
        body["demo"] = true.into();
    }
    if caller.is_some() {
        body["reasons"] = reasons(&all).into();
        body["uptime_seconds"] = (now() - web.started).round().into();
    }
    (status(healthy), Json(body)).into_response()
}

/// Answers `/ready`: 200 only when all that is configured is there.
pub(super) async fn ready(State(web): State<Arc<Web>>, caller: MaybeCaller) -> Response {
    let tasks = &web.parts.tasks;
    let ready = tasks.is_ready();
    let mut body = json!({ "ready": ready });
    if caller.is_some() && !ready {
        body["reasons"] = reasons(&tasks.health()).into();
    }
    (status(ready), Json(body)).into_response()
}

/// Answers `/.well-known/mcp-config`: where a client finds MCP. Holds no secret.
pub(super) async fn mcp_config() -> Json<Value> {
    Json(json!({
        "name": "Home Assistant MCP Server",
        "version": env!("CARGO_PKG_VERSION"),
        "transport": "streamable-http",
        "url": "/mcp",
        "authentication": "bearer",
    }))
}

fn status(good: bool) -> StatusCode {
    if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// What is not up, and why.
fn reasons(all: &[tasks::Health]) -> Map<String, Value> {
    let not_up = all.iter().filter(|h| h.state != tasks::State::Up);
    not_up.map(|h| (h.name.to_owned(), h.state.reason().unwrap_or(h.state.word()).into())).collect()
}
