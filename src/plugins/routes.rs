//! The scripts over HTTP, for the page and for whoever writes one: `/api/plugins`.

use crate::error::Error;
use crate::http::{Extension, Json, Router, State, get};
use crate::plugins::Plugins;
use crate::policy::{Caller, Level};
use serde_json::{Value, json};

/// The paths of the routes, for whoever asks for one that is not there.
pub const API: &[&str] = &["/api/plugins"];

/// Returns the routes. They stand behind the guard, which says who calls.
pub fn routes(plugins: &Plugins) -> Router {
    Router::new().route("/api/plugins", get(all)).with_state(plugins.clone())
}

async fn all(
    State(plugins): State<Plugins>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Error> {
    plugins.shared.toolbox.policy().check(&caller, "plugins", Level::Read)?;
    Ok(Json(json!({
        "enabled": plugins.shared.config.enabled,
        "folder": plugins.folder().display().to_string(),
        "scripts": plugins.scripts(),
    })))
}
