//! Configuring a real house: every kind through the tools, and what came of it through Home
//! Assistant's own API. Whatever a test makes has a name of its own, and is gone at its end.

mod killed;
mod kinds;
mod rules;
mod undo;

use super::raw::Raw;
use super::rig::{Rig, real};
use hearth::error::{Error, Kind};
use hearth::mcp::Call;
use hearth::policy::Caller;
use serde_json::{Value, json};

/// What Home Assistant's REST interface answers; null for an error.
pub async fn rest(method: &'static str, path: &str, body: Option<Value>) -> Value {
    let (url, token) = real();
    let url = format!("{url}/api/{path}");
    let asked = tokio::task::spawn_blocking(move || {
        let request = ureq::http::Request::builder().method(method).uri(url);
        let request = request.header("authorization", format!("Bearer {token}"));
        let body = body.map_or(String::new(), |body| body.to_string());
        let request = request.header("content-type", "application/json").body(body).unwrap();
        match ureq::run(request) {
            Ok(mut answer) => answer.body_mut().read_json().unwrap_or(Value::Null),
            Err(_) => Value::Null,
        }
    });
    asked.await.unwrap()
}

/// The object as Home Assistant itself has it; null when it has none.
pub async fn theirs(raw: &mut Raw, kind: &str, id: &str) -> Value {
    let find = |rows: Value, own: &str| {
        let rows = rows.as_array().unwrap().clone();
        rows.into_iter().find(|row| row[own] == id).unwrap_or_default()
    };
    match kind {
        "automation" | "script" | "scene" => {
            let all = rest("GET", &format!("config/{kind}/config/{id}"), None).await;
            if all["message"].is_string() { Value::Null } else { all }
        }
        "area" | "floor" | "label" => {
            let rows = raw.ask(json!({"type": format!("config/{kind}_registry/list")})).await;
            find(rows, &format!("{kind}_id"))
        }
        "category" => {
            let (scope, own) = id.split_once('/').unwrap();
            let command = json!({"type": "config/category_registry/list", "scope": scope});
            let rows = raw.ask(command).await.as_array().unwrap().clone();
            rows.into_iter().find(|row| row["category_id"] == own).unwrap_or_default()
        }
        "dashboard" => {
            let mut row =
                find(raw.ask(json!({"type": "lovelace/dashboards/list"})).await, "url_path");
            if row.is_object() {
                let config = raw.try_ask(json!({"type": "lovelace/config", "url_path": id})).await;
                row["config"] = config["result"].clone();
            }
            row
        }
        "resource" => find(raw.ask(json!({"type": "lovelace/resources"})).await, "id"),
        "entity" => raw.ask(json!({"type": "config/entity_registry/get", "entity_id": id})).await,
        "device" => find(raw.ask(json!({"type": "config/device_registry/list"})).await, "id"),
        "integration" => find(raw.ask(json!({"type": "config_entries/get"})).await, "entry_id"),
        "person" => {
            let rows = raw.ask(json!({"type": "person/list"})).await["storage"].clone();
            find(rows, "id")
        }
        _ => find(raw.ask(json!({"type": format!("{kind}/list")})).await, "id"),
    }
}

/// Whether Home Assistant's object has these fields.
pub fn holds(theirs: &Value, fields: &Value) -> bool {
    let fields = fields.as_object().unwrap();
    theirs.is_object() && fields.iter().all(|(name, value)| theirs[name] == *value)
}

/// Takes the token out of the sentence that asks for it.
pub fn asked(e: &Error) -> String {
    assert_eq!(e.kind(), Kind::Conflict, "{e}");
    let (_, rest) = e.what().split_once("confirm=\"").unwrap_or_else(|| panic!("{e}"));
    rest.split_once('"').unwrap().0.to_owned()
}

/// Calls a tool, and once more with the person's agreement.
pub async fn agreed_as(rig: &Rig, who: &Caller, tool: &str, args: Value) -> Result<Value, Error> {
    let e = match rig.tool_as(who, tool, args.clone()).await {
        Err(e) if e.what().contains("confirm=\"") => e,
        other => return other,
    };
    let call = Call { confirm: Some(asked(&e)), ..Call::new(who.clone()) };
    rig.run(call, tool, args).await
}

pub async fn agreed(rig: &Rig, tool: &str, args: Value) -> Value {
    let done = agreed_as(rig, &rig.caller, tool, args).await;
    done.unwrap_or_else(|e| panic!("{tool}: {e}"))
}
