//! Aurora over HTTP, for the page and for scripts: below `/api/aurora`, and below `/aurora` under the
//! names of an earlier Aurora.
//!
//! What changes something goes through the tools: one way past policy and audit, whoever asks.

use crate::aurora::{Aurora, levels, status};
use crate::error::Error;
use crate::http::{
    Bytes, Extension, HeaderMap, Json, Response, Router, State, Uri, get, post, read,
};
use crate::mcp::Toolbox;
use crate::policy::{Caller, Level};
use serde_json::{Map, Value};

/// What the handlers share.
#[derive(Clone)]
struct Desk {
    aurora: Aurora,
    toolbox: Toolbox,
}

type Who = Extension<Caller>;

/// The paths that take the arguments of a tool as a JSON object, and that tool.
const ACTS: &[(&str, &str)] = &[
    ("/api/aurora/start", "aurora_start"),
    ("/api/aurora/stop", "aurora_stop"),
    ("/api/aurora/input", "aurora_set_input"),
    ("/api/aurora/look", "aurora_set_look"),
    ("/api/aurora/profile", "aurora_profiles"),
    ("/api/aurora/lamps", "aurora_lamps"),
    ("/api/aurora/find", "aurora_scan_devices"),
    ("/api/aurora/measure", "aurora_profile_device"),
    ("/api/aurora/tap", "aurora_calibrate"),
    ("/api/aurora/diagnose", "aurora_diagnose"),
    ("/api/aurora/analyze", "aurora_analyze_audio"),
    ("/api/aurora/render", "aurora_render_timeline"),
    ("/api/aurora/play", "aurora_play_timeline"),
    ("/api/aurora/control", "aurora_control_playback"),
    ("/api/aurora/export", "aurora_export_timeline"),
    ("/api/aurora/import", "aurora_import_timeline"),
    ("/aurora/analyze", "aurora_analyze_audio"),
    ("/aurora/render", "aurora_render_timeline"),
    ("/aurora/play", "aurora_play_timeline"),
    ("/aurora/profile", "aurora_profile_device"),
];

/// Paths of an earlier Aurora that are one action of a tool.
const CONTROLS: &[(&str, &str)] =
    &[("/aurora/pause", "pause"), ("/aurora/resume", "resume"), ("/aurora/stop", "stop")];

/// Paths that are asked for what a tool lists.
const LISTS: &[(&str, &str)] = &[
    ("/api/aurora/timelines", "aurora_list_timelines"),
    ("/aurora/timelines", "aurora_list_timelines"),
    ("/aurora/devices", "aurora_scan_devices"),
];

/// Paths of [`ACTS`] that show something when they are asked without arguments. They take none: what is
/// asked for by its address changes nothing.
const SHOWS: &[(&str, &str)] = &[
    ("/api/aurora/lamps", "aurora_lamps"),
    ("/api/aurora/look", "aurora_set_look"),
    ("/api/aurora/profile", "aurora_profiles"),
];

/// The paths of the routes, for whoever asks for one that is not there; not the names of the earlier
/// Aurora.
pub const API: &[&str] = &[
    "/api/aurora/analyze",
    "/api/aurora/control",
    "/api/aurora/diagnose",
    "/api/aurora/export",
    "/api/aurora/find",
    "/api/aurora/import",
    "/api/aurora/input",
    "/api/aurora/lamps",
    "/api/aurora/levels",
    "/api/aurora/look",
    "/api/aurora/measure",
    "/api/aurora/play",
    "/api/aurora/profile",
    "/api/aurora/render",
    "/api/aurora/start",
    "/api/aurora/status",
    "/api/aurora/stop",
    "/api/aurora/tap",
    "/api/aurora/timelines",
];

/// Returns the routes. They stand behind the guard, which says who calls.
pub fn routes(aurora: &Aurora, toolbox: &Toolbox) -> Router {
    let mut router = Router::new()
        .route("/api/aurora/status", get(about))
        .route("/aurora/status", get(about))
        .route("/api/aurora/levels", get(levels));
    for (path, tool) in ACTS {
        router = router.route(
            path,
            post(move |state, who, headers, body| act(tool, state, who, headers, body)),
        );
    }
    for (path, action) in CONTROLS {
        let control = move |state, who| async move {
            let action = [("action".to_owned(), Value::from(*action))];
            call("aurora_control_playback", state, who, action.into_iter().collect()).await
        };
        router = router.route(path, post(control));
    }
    for (path, tool) in SHOWS {
        let show = move |state, who| call(tool, state, who, Map::new());
        router = router.route(path, get(show));
    }
    for (path, tool) in LISTS {
        let list = move |state, who, uri| list(tool, state, who, uri);
        router = router.route(path, get(list));
    }
    router.with_state(Desk { aurora: aurora.clone(), toolbox: toolbox.clone() })
}

/// Answers `GET /api/aurora/levels`.
async fn levels(
    State(desk): State<Desk>,
    Extension(caller): Who,
    headers: HeaderMap,
) -> Result<Response, Error> {
    levels::stream(&desk.aurora, caller, &headers)
}

/// Answers `GET /api/aurora/status`.
async fn about(State(desk): State<Desk>, Extension(caller): Who) -> Result<Json<Value>, Error> {
    desk.aurora.policy().check(&caller, "aurora", Level::Read)?;
    status::status(&desk.aurora, &caller).await.map(Json)
}

/// Calls a tool with the body as its arguments.
async fn act(
    tool: &'static str,
    state: State<Desk>,
    who: Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    state.aurora.policy().check(&who, "aurora", Level::Read)?;
    let args = object(&headers, &body)?;
    call(tool, state, who, args).await
}

/// Calls a tool with what stands behind the question mark as its arguments.
async fn list(
    tool: &'static str,
    state: State<Desk>,
    who: Who,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    let asked: Vec<(String, String)> = read::query(&uri)?;
    // Numbers and truth values are written as such.
    let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    let args = asked.into_iter().map(|(name, text)| (name, value(text))).collect();
    call(tool, state, who, args).await
}

async fn call(
    tool: &'static str,
    State(desk): State<Desk>,
    Extension(caller): Who,
    args: Map<String, Value>,
) -> Result<Json<Value>, Error> {
    desk.aurora.policy().check(&caller, "aurora", Level::Read)?;
    desk.toolbox.value(caller, tool, args).await.map(Json)
}

/// Reads a body that is a JSON object; none at all is one without fields.
fn object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, Error> {
    match body.is_empty() {
        true => Ok(Map::new()),
        false => read::object(headers, body, "{}"),
    }
}
