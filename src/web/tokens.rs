//! Tokens over HTTP: what `hearth token …` and the page use. Only callers of level admin.

use crate::error::Error;
use crate::http::{IntoResponse, Json, Response, State};
use crate::policy::{Caller, Grant, Level, Outcome, TokenInfo};
use crate::web::{MaybeCaller, Web, required};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The service that a token must cover to manage tokens.
const SERVICE: &str = "web";

/// What a new token is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    name: String,
    #[serde(default)]
    grant: Grant,
}

/// Which token is to go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    name: String,
    /// Also when nobody is left then who may change everything.
    #[serde(default)]
    force: bool,
}

fn unfit(e: serde_json::Error) -> Error {
    Error::invalid(format!("a request about tokens like that cannot be: {e}"))
}

/// Answers `GET /api/web/tokens`: `{"tokens":[{"name","grant","created","configured"}]}`.
pub(super) async fn list(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Response, Error> {
    let policy = &web.parts.policy;
    policy.check(&required(caller)?, SERVICE, Level::Admin)?;
    Ok(Json(json!({ "tokens": policy.tokens() })).into_response())
}

/// Answers `POST /api/web/tokens` with the token, which is shown only here, and with `warnings` about
/// what it is limited to.
pub(super) async fn make(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
    Json(asked): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let policy = &web.parts.policy;
    let caller = required(caller)?;
    policy.check(&caller, SERVICE, Level::Admin)?;
    let wanted = Wanted::deserialize(&Value::Object(asked)).map_err(unfit)?;
    known(&web, &wanted.grant.services)?;
    let warnings = warnings(&web, &caller, &wanted.grant);
    let made = policy.new_token(&wanted.name, wanted.grant).await?;
    policy.record(&caller, "token new", &made.name, Outcome::Allowed, None);
    let mut answer = json!(made);
    if !warnings.is_empty() {
        answer["warnings"] = warnings.into();
    }
    Ok(Json(answer).into_response())
}

/// Answers `DELETE /api/web/tokens`.
pub(super) async fn revoke(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
    Json(asked): Json<Map<String, Value>>,
) -> Result<Response, Error> {
    let policy = &web.parts.policy;
    let caller = required(caller)?;
    policy.check(&caller, SERVICE, Level::Admin)?;
    let named = Named::deserialize(&Value::Object(asked)).map_err(unfit)?;
    if !named.force {
        keep_an_admin(&policy.tokens(), &named.name)?;
    }
    policy.revoke_token(&named.name).await?;
    policy.record(&caller, "token revoke", &named.name, Outcome::Allowed, None);
    Ok(Json(json!({})).into_response())
}

/// Says which areas and labels nobody knows, with near names: they may still come, so the token is made.
fn warnings(web: &Web, caller: &Caller, grant: &Grant) -> Vec<String> {
    let mut warnings = Vec::new();
    for (what, list) in [("area", &grant.entities.areas), ("label", &grant.entities.labels)] {
        let faults: Vec<Error> = list
            .iter()
            .flat_map(|id| {
                let checks = web.parts.pages.iter().filter_map(|page| page.check.as_ref());
                checks.filter_map(|check| check(caller, what, id).err()).take(1)
            })
            .collect();
        warnings.extend(faults.iter().map(ToString::to_string));
        if !faults.is_empty() && faults.len() == list.len() {
            warnings.push(format!(
                "until the house has such {what}s, this token sees nothing in it: revoke it and make \
                 another if that is not what you meant"
            ));
        }
    }
    warnings
}

/// Refuses to revoke the last token that may change everything.
fn keep_an_admin(tokens: &[TokenInfo], name: &str) -> Result<(), Error> {
    let is_admin = |token: &&TokenInfo| token.grant.covers(SERVICE, Level::Admin);
    let admins: Vec<&TokenInfo> = tokens.iter().filter(is_admin).collect();
    match admins.as_slice() {
        [last] if last.name == name && !last.configured => Err(Error::conflict(format!(
            "'{name}' is the last token that may change everything: without it nobody gets in as an \
             administrator over the network. Make another one first, or revoke it all the same with \
             'hearth token revoke {name} --force'; 'hearth token new NAME --level admin' on the machine \
             that runs Hearth lets you in again"
        ))),
        _ => Ok(()),
    }
}

/// A token for a service that is none would open nothing, and nobody would see why.
fn known(web: &Web, services: &[String]) -> Result<(), Error> {
    let all: Vec<&str> = web.parts.pages.iter().map(|page| page.name).chain([SERVICE]).collect();
    match services.iter().find(|name| !all.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::invalid(format!(
            "there is no service '{}'; there are {}",
            name.chars().take(40).collect::<String>().escape_debug(),
            all.join(", ")
        ))),
    }
}
