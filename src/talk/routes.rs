//! Conversations over HTTP, for scripts: below `/api/talk`.

use crate::error::Error;
use crate::http::{
    Body, Bytes, Extension, HeaderMap, Json, Path, Response, Router, State, Uri, get, header, read,
};
use crate::mcp::Toolbox;
use crate::policy::{Caller, Level};
use crate::talk::Talk;
use crate::talk::tools::row;
use serde::Deserialize;
use serde_json::{Value, json};

/// The paths of the routes, for whoever asks for one that is not there.
pub const API: &[&str] = &["/api/talk", "/api/talk/{id}", "/api/talk/{id}/export"];

/// Conversations that one answer lists.
const LISTED: usize = 500;

#[derive(Clone)]
struct Desk {
    talk: Talk,
    toolbox: Toolbox,
}

type Who = Extension<Caller>;
type Answer = Result<Json<Value>, Error>;

/// Returns the routes. They stand behind the guard, which says who calls.
pub fn routes(talk: &Talk, toolbox: &Toolbox) -> Router {
    Router::new()
        .route("/api/talk", get(list))
        .route("/api/talk/{id}", get(window).post(append).delete(remove))
        .route("/api/talk/{id}/export", get(export))
        .with_state(Desk { talk: talk.clone(), toolbox: toolbox.clone() })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Listed {
    after: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    max_tokens: Option<u64>,
}

async fn list(State(desk): State<Desk>, Extension(caller): Who, uri: Uri) -> Answer {
    let asked: Listed = read::query(&uri)?;
    desk.talk.policy().check(&caller, "talk", Level::Read)?;
    let all = desk.talk.summaries(caller.token, &asked.after, LISTED).await?;
    Ok(Json(json!({ "conversations": all })))
}

/// Answers the whole window; a script has room for it.
async fn window(
    State(desk): State<Desk>,
    Extension(caller): Who,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer {
    let asked: Asked = read::query(&uri)?;
    desk.talk.policy().check(&caller, "talk", Level::Read)?;
    let (messages, left_out) = desk.talk.window(caller.token, &id, asked.max_tokens).await?;
    Ok(Json(json!({ "messages": messages, "left_out": left_out })))
}

async fn append(
    State(desk): State<Desk>,
    Extension(caller): Who,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let mut args = read::object(&headers, &body, r#"{"role": "user", "content": "Good morning"}"#)?;
    args.insert("conversation".into(), id.into());
    desk.toolbox.value(caller, "talk_append", args).await.map(Json)
}

async fn remove(
    State(desk): State<Desk>,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Answer {
    let args = [("conversation".to_owned(), Value::from(id))].into_iter().collect();
    desk.toolbox.value(caller, "talk_delete", args).await.map(Json)
}

/// Answers every kept message as a line of JSON.
async fn export(
    State(desk): State<Desk>,
    Extension(caller): Who,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    desk.talk.policy().check(&caller, "talk", Level::Read)?;
    let all = desk.talk.messages(caller.token, &id).await?;
    let mut lines = String::new();
    for message in all {
        let line = serde_json::to_string(&row(message));
        lines += &line.map_err(|e| Error::broken("a message is no JSON").because(e))?;
        lines.push('\n');
    }
    Response::builder()
        .header(header::CONTENT_TYPE, "application/jsonl")
        .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.jsonl\""))
        .body(Body::from(lines))
        .map_err(|e| Error::broken("an export is no answer").because(e))
}
