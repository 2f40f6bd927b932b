//! `/api/policy/…`: approvals, rules, quotas and secrets, for the page and the command line.
//!
//! Who may answer and change them, policy says; here requests are read and answers written.

use crate::error::Error;
use crate::http::{Json, State};
use crate::policy::{Answer, NewRule, NewSecret};
use crate::web::{MaybeCaller, Web, required};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Which one is to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ById {
    id: String,
}

/// Reads a body; the refusal says what of it is wrong.
fn read<T: DeserializeOwned>(what: &str, body: Map<String, Value>) -> Result<T, Error> {
    T::deserialize(Value::Object(body))
        .map_err(|e| Error::invalid(format!("{what} like that cannot be: {e}")))
}

/// Answers `GET /api/policy/approvals`: `{"approvals":[…]}`, newest first, each as on `/events`: all
/// for admins, their own for others.
pub(super) async fn approvals(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Json<Value>, Error> {
    let caller = required(caller)?;
    Ok(Json(json!({ "approvals": web.parts.policy.approvals(&caller) })))
}

/// Answers `POST /api/policy/approvals` (`{"id","answer":"allow"|"deny","remember"?,"seconds"?,
/// "whole"?}`) with the approval, and the rule that was made of it.
pub(super) async fn answer(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
    Json(asked): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    let caller = required(caller)?;
    let answer: Answer = read("an answer to an approval", asked)?;
    let (approval, rule) = web.parts.policy.answer(&caller, &answer).await?;
    Ok(Json(json!({ "approval": approval, "rule": rule })))
}

/// Answers `GET /api/policy/rules`: `{"rules":[…]}`. For admins.
pub(super) async fn rules(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Json<Value>, Error> {
    let rules = web.parts.policy.rules(&required(caller)?)?;
    Ok(Json(json!({ "rules": rules })))
}

/// Answers `POST /api/policy/rules` (`{"tool","verdict":"allow"|"ask"|"deny","token"?,"target"?,
/// "seconds"?}`) with the rule. For admins.
pub(super) async fn add_rule(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
    Json(asked): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    let caller = required(caller)?;
    let wanted: NewRule = read("a rule", asked)?;
    Ok(Json(json!(web.parts.policy.add_rule(&caller, wanted).await?)))
}

/// Answers `DELETE /api/policy/rules` (`{"id"}`) with the rule that is gone. For admins.
pub(super) async fn remove_rule(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
    Json(asked): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    let caller = required(caller)?;
    let ById { id } = read("a request to remove a rule", asked)?;
    Ok(Json(json!(web.parts.policy.remove_rule(&caller, &id).await?)))
}

/// Answers `GET /api/policy/quotas`: `{"quotas":[…]}`, what was used of each: everybody's for admins,
/// their own for others.
pub(super) async fn quotas(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Json<Value>, Error> {
    let caller = required(caller)?;
    Ok(Json(json!({ "quotas": web.parts.policy.quotas(&caller) })))
}

/// Which secret is to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByName {
    name: String,
}

/// Answers `GET /api/policy/secrets`: `{"secrets":[{"name","made","watched"}]}`. For admins.
pub(super) async fn secrets(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Json<Value>, Error> {
    let secrets = web.parts.policy.secrets(&required(caller)?)?;
    Ok(Json(json!({ "secrets": secrets })))
}

/// Answers `POST /api/policy/secrets` (`{"name","value"}`) with the secret as it is listed. For admins.
pub(super) async fn set_secret(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
    Json(asked): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    let caller = required(caller)?;
    let new: NewSecret = read("a secret", asked)?;
    Ok(Json(json!(web.parts.policy.set_secret(&caller, new).await?)))
}

/// Answers `DELETE /api/policy/secrets` (`{"name"}`). For admins.
pub(super) async fn remove_secret(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
    Json(asked): Json<Map<String, Value>>,
) -> Result<Json<Value>, Error> {
    let caller = required(caller)?;
    let ByName { name } = read("a request to remove a secret", asked)?;
    web.parts.policy.remove_secret(&caller, &name).await?;
    Ok(Json(json!({})))
}
