//! The orchestrator over HTTP, for the page and for scripts: below `/api/orchestrator`.
//!
//! What a tool does goes through the toolbox: one way past policy and audit, whoever asks.

use crate::error::Error;
use crate::http::{
    Bytes, Extension, HeaderMap, Json, Path, Router, State, Uri, delete, get, post, read,
};
use crate::mcp::Toolbox;
use crate::orchestrator::Orchestrator;
use crate::policy::{Caller, Level};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The paths of the routes, for whoever asks for one that is not there.
pub const API: &[&str] = &[
    "/api/orchestrator/sessions",
    "/api/orchestrator/sessions/{id}",
    "/api/orchestrator/sessions/{id}/limits",
    "/api/orchestrator/sessions/{id}/stderr",
    "/api/orchestrator/sessions/{id}/tools",
    "/api/orchestrator/sessions/{id}/tools/{tool}",
];

/// The largest result that a script gets at once.
const WHOLE: u64 = 1 << 20;

/// More lines of stderr are never kept.
const LINES: usize = 70_000;

#[derive(Clone)]
struct Desk {
    own: Orchestrator,
    toolbox: Toolbox,
}

type Who = Extension<Caller>;
type Answer = Result<Json<Value>, Error>;

/// Returns the routes. They stand behind the guard, which says who calls.
pub fn routes(orchestrator: &Orchestrator, toolbox: &Toolbox) -> Router {
    let one = "/api/orchestrator/sessions/{id}";
    Router::new()
        .route("/api/orchestrator/sessions", get(list).post(acquire))
        .route(one, delete(end))
        .route(&format!("{one}/limits"), get(limits))
        .route(&format!("{one}/stderr"), get(stderr))
        .route(&format!("{one}/tools"), get(tools))
        .route(&format!("{one}/tools/{{tool}}"), post(call))
        .with_state(Desk { own: orchestrator.clone(), toolbox: toolbox.clone() })
}

impl Desk {
    async fn tool(&self, caller: Caller, name: &str, args: Value) -> Answer {
        let Value::Object(args) = args else {
            return Err(Error::broken("a route's arguments are no object"));
        };
        self.toolbox.value(caller, name, args).await.map(Json)
    }
}

async fn acquire(
    State(desk): State<Desk>,
    Extension(caller): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let args = match body.trim_ascii() {
        [] => Map::new(),
        _ => read::object(&headers, &body, r#"{"id": "chat-1", "ttl": 900}"#)?,
    };
    desk.tool(caller, "orchestrator_acquire_session", Value::Object(args)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Listed {
    all: bool,
}

async fn list(State(desk): State<Desk>, Extension(caller): Who, uri: Uri) -> Answer {
    let asked: Listed = read::query(&uri)?;
    // The page shows all of them, so this goes past the parts in which a tool answers.
    desk.own.policy().check(&caller, "orchestrator", Level::Read)?;
    let sessions = desk.own.list(&caller, asked.all).await?;
    let images: Vec<Value> = match desk.own.shared.catalogue.entries() {
        Ok(all) => all.iter().map(|e| json!({ "name": e.name, "about": e.about })).collect(),
        Err(e) => vec![json!({ "error": e.what() })],
    };
    let node = &desk.own.shared.node;
    Ok(Json(json!({ "sessions": sessions, "node": node, "images": images })))
}

async fn end(State(desk): State<Desk>, Extension(caller): Who, Path(id): Path<String>) -> Answer {
    desk.tool(caller, "orchestrator_end_session", json!({ "session_id": id })).await
}

async fn limits(
    State(desk): State<Desk>,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer {
    desk.tool(caller, "orchestrator_show_limits", json!({ "session_id": id })).await
}

async fn stderr(
    State(desk): State<Desk>,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer {
    let (mut lines, mut cursor) = (Vec::new(), Value::from(""));
    loop {
        let args = json!({ "session_id": id, "cursor": cursor });
        let Json(mut page) = desk.tool(caller.clone(), "orchestrator_show_logs", args).await?;
        if let Some(Value::Array(more)) = page.get_mut("lines").map(Value::take) {
            lines.extend(more);
        }
        cursor = page["next"].take();
        // It may have grown meanwhile; nobody waits for its end.
        if cursor.is_null() || lines.len() > LINES {
            return Ok(Json(json!({ "lines": lines, "dropped": page["dropped"] })));
        }
    }
}

async fn tools(State(desk): State<Desk>, Extension(caller): Who, Path(id): Path<String>) -> Answer {
    let args = json!({ "session_id": id, "bytes": WHOLE });
    desk.tool(caller, "orchestrator_list_tools", args).await
}

/// Answers the server's result as it wrote it.
async fn call(
    State(desk): State<Desk>,
    Extension(caller): Who,
    Path((id, tool)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let arguments = match body.trim_ascii() {
        [] => Map::new(),
        _ => read::object(&headers, &body, r#"{"path": "notes.txt"}"#)?,
    };
    let args = json!({ "session_id": id, "tool": tool, "arguments": arguments, "bytes": WHOLE });
    let Json(mut told) = desk.tool(caller, "orchestrator_call_tool", args).await?;
    match told.get_mut("result").map(Value::take) {
        Some(result) => Ok(Json(result)),
        None => Err(Error::limit(format!(
            "the result has {} bytes, more than {WHOLE}; ask the tool for less",
            told["of_bytes"]
        ))),
    }
}
