//! What goes through the tools: publishing, devices, recordings.

use crate::error::Error;
use crate::http::{Bytes, Extension, HeaderMap, Json, State, Uri, read};
use crate::mqtt::routes::{Desk, Who};
use crate::policy::Level;
use serde_json::Value;

/// Answers `POST /api/mqtt/publish`: the arguments of `mqtt_publish_message` as a JSON object.
pub(super) async fn publish(
    State(desk): State<Desk>,
    Extension(caller): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", Level::Control)?;
    let args = read::object(&headers, &body, r#"{"topic": "home/lamp/set", "payload": "ON"}"#)?;
    desk.toolbox.value(caller, "mqtt_publish_message", args).await.map(Json)
}

/// Answers `POST /api/mqtt/search`: the arguments of `mqtt_search_messages` as a JSON object.
pub(super) async fn search(
    State(desk): State<Desk>,
    Extension(caller): Who,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", Level::Read)?;
    let args = read::object(&headers, &body, r#"{"topic_pattern": "home/#", "text": "ON"}"#)?;
    desk.toolbox.value(caller, "mqtt_search_messages", args).await.map(Json)
}

/// Answers `/api/mqtt/devices` with what `mqtt_list_devices` says; its arguments stand behind the
/// question mark.
pub(super) async fn devices(
    State(desk): State<Desk>,
    Extension(caller): Who,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", Level::Read)?;
    let given: Vec<(String, String)> = read::query(&uri)?;
    let named = |name: String| if name == "session" { "session_id".to_owned() } else { name };
    let args = given.into_iter().map(|(name, value)| (named(name), value.into())).collect();
    desk.toolbox.value(caller, "mqtt_list_devices", args).await.map(Json)
}

/// Answers `/api/mqtt/recordings` with what `mqtt_record` lists.
pub(super) async fn recordings(
    State(desk): State<Desk>,
    Extension(caller): Who,
) -> Result<Json<Value>, Error> {
    desk.mqtt.policy().check(&caller, "mqtt", Level::Read)?;
    let args = [("action".to_owned(), Value::from("list"))].into_iter().collect();
    desk.toolbox.value(caller, "mqtt_record", args).await.map(Json)
}
