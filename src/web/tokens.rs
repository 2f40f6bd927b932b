//! Tokens over HTTP: what `hearth token …` and the page use. Only callers of level admin.

use crate::error::Error;
use crate::http::{IntoResponse, Json, Response, State};
use crate::policy::{Grant, Level, Outcome};
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

/// Answers `POST /api/web/tokens` with the token; it is shown only here.
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
    let made = policy.new_token(&wanted.name, wanted.grant).await?;
    policy.record(&caller, "token new", &made.name, Outcome::Allowed, None);
    Ok(Json(json!(made)).into_response())
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
    policy.revoke_token(&named.name).await?;
    policy.record(&caller, "token revoke", &named.name, Outcome::Allowed, None);
    Ok(Json(json!({})).into_response())
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
