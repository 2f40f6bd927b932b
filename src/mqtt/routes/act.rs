//! What goes through the tools: publishing, devices, recordings.

use crate::error::Error;
use crate::http::{Bytes, Extension, HeaderMap, Json, State, Uri, header};
use crate::mcp::{Answer, Call};
use crate::mqtt::routes::{Desk, Who, asked};
use crate::policy::{Caller, Level};
use serde_json::{Map, Value};

/// Calls a tool on behalf of the caller; policy, gates and audit see it as any call.
async fn call(
    desk: &Desk,
    caller: Caller,
    tool: &str,
    args: Map<String, Value>,
) -> Result<Json<Value>, Error> {
    match desk.toolbox.call(Call::new(caller), tool, args).await? {
        Answer::Value(reply) => Ok(Json(reply.value)),
        _ => Err(Error::broken(format!("{tool} gave an answer that has no place here"))),
    }
}

/// Reads a body that is a JSON object, like `example`.
fn object(headers: &HeaderMap, body: &Bytes, example: &str) -> Result<Map<String, Value>, Error> {
    // A form of a foreign page can send anything but this type.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !kind.is_some_and(|kind| kind.trim().starts_with("application/json")) {
        return Err(Error::invalid("the body is JSON: send Content-Type: application/json"));
    }
    serde_json::from_slice(body).map_err(|e| {
        Error::invalid(format!("the body is no JSON object ({e}); write it like {example}"))
    })
}

/// Answers `POST /api/mqtt/publish`: the arguments of `mqtt_publish_message` as a JSON object.
pub(super) async fn publish(
    State(desk): State<Desk>,
    Extension(caller): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", Level::Control)?;
    let args = object(&headers, &body, r#"{"topic": "home/lamp/set", "payload": "ON"}"#)?;
    call(&desk, caller, "mqtt_publish_message", args).await
}

/// Answers `POST /api/mqtt/search`: the arguments of `mqtt_search_messages` as a JSON object.
pub(super) async fn search(
    State(desk): State<Desk>,
    Extension(caller): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", Level::Read)?;
    let args = object(&headers, &body, r#"{"topic_pattern": "home/#", "text": "ON"}"#)?;
    call(&desk, caller, "mqtt_search_messages", args).await
}

/// Answers `/api/mqtt/devices` with what `mqtt_list_devices` says; its arguments stand behind the
/// question mark.
pub(super) async fn devices(
    State(desk): State<Desk>,
    Extension(caller): Who,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", Level::Read)?;
    let given: Vec<(String, String)> = asked(&uri)?;
    let named = |name: String| if name == "session" { "session_id".to_owned() } else { name };
    let args = given.into_iter().map(|(name, value)| (named(name), value.into())).collect();
    call(&desk, caller, "mqtt_list_devices", args).await
}

/// Answers `/api/mqtt/recordings` with what `mqtt_record` lists.
pub(super) async fn recordings(
    State(desk): State<Desk>,
    Extension(caller): Who,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", Level::Read)?;
    let args = [("action".to_owned(), Value::from("list"))].into_iter().collect();
    call(&desk, caller, "mqtt_record", args).await
}
