//! Aurora over HTTP, for the page and for scripts: below `/api/aurora`, and below `/aurora` under the
//! names of an earlier Aurora.
//!
//! What changes something goes through the tools: one way past policy and audit, whoever asks.

use crate::aurora::{Aurora, levels, status};
use crate::error::Error;
use crate::http::{Bytes, Extension, HeaderMap, Json, Router, State, get, header, post};
use crate::mcp::{Answer, Call, Toolbox};
use crate::policy::{Caller, Level};
use serde_json::{Map, Value};

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Desk {
    pub(super) aurora: Aurora,
    toolbox: Toolbox,
}

pub(super) type Who = Extension<Caller>;

/// The paths that take the arguments of a tool as a JSON object, and that tool.
const ACTS: &[(&str, &str)] = &[
    ("/api/aurora/start", "aurora_start"),
    ("/api/aurora/stop", "aurora_stop"),
    ("/api/aurora/input", "aurora_set_input"),
    ("/api/aurora/look", "aurora_set_look"),
    ("/api/aurora/profile", "aurora_profiles"),
    ("/api/aurora/lamps", "aurora_lamps"),
];

/// The paths of the routes, for whoever asks for one that is not there.
pub const API: &[&str] = &[
    "/api/aurora/input",
    "/api/aurora/lamps",
    "/api/aurora/levels",
    "/api/aurora/look",
    "/api/aurora/profile",
    "/api/aurora/start",
    "/api/aurora/status",
    "/api/aurora/stop",
];

/// Returns the routes. They stand behind the guard, which says who calls.
pub fn routes(aurora: &Aurora, toolbox: &Toolbox) -> Router {
    let mut router = Router::new()
        .route("/api/aurora/status", get(about))
        .route("/aurora/status", get(about))
        .route("/api/aurora/levels", get(levels::levels));
    for (path, tool) in ACTS {
        router = router.route(
            path,
            post(move |state, who, headers, body| act(tool, state, who, headers, body)),
        );
    }
    router.with_state(Desk { aurora: aurora.clone(), toolbox: toolbox.clone() })
}

/// Answers `GET /api/aurora/status`.
async fn about(State(desk): State<Desk>, Extension(caller): Who) -> Result<Json<Value>, Error> {
    desk.aurora.policy().check(&caller, "aurora", Level::Read)?;
    status::status(&desk.aurora, &caller).await.map(Json)
}

/// Calls a tool with the body as its arguments.
async fn act(
    tool: &'static str,
    State(desk): State<Desk>,
    Extension(caller): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    desk.aurora.policy().check(&caller, "aurora", Level::Read)?;
    let args = object(&headers, &body)?;
    match desk.toolbox.call(Call::new(caller), tool, args).await? {
        Answer::Value(reply) => Ok(Json(reply.value)),
        _ => Err(Error::broken(format!("{tool} gave an answer that has no place here"))),
    }
}

/// Reads a body that is a JSON object; none at all is one without fields.
fn object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Error> {
    // A form of a foreign page can send anything but this type.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim().starts_with("application/json")) {
        return Err(Error::invalid("the body is JSON: send Content-Type: application/json"));
    }
    if body.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(body).map_err(|e| {
        Error::invalid(format!("the body is no JSON object ({e}); write it like {{}}"))
    })
}
