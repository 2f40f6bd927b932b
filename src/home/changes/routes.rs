//! The changes over HTTP, for the page and for scripts: the list, and undo.

use crate::error::Error;
use crate::home::Home;
use crate::home::changes::undo::Undoer;
use crate::home::text::clean;
use crate::home::tools::{UndoArgs, list_changes, undo_change};
use crate::http::{Bytes, Extension, HeaderMap, Json, Path, Query, State, Uri, read};
use crate::mcp::Call;
use crate::policy::{Caller, Level};
use serde::Deserialize;
use serde_json::Value;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    cursor: String,
}

/// Lists what was changed through Hearth, the newest first.
pub(crate) async fn list(
    State(home): State<Home>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<Value>, Error> {
    home.policy().check(&caller, "home", Level::Read)?;
    let asked = Query::<Asked>::try_from_uri(&uri).map_err(|e| {
        let why = clean(&e.body_text(), 300);
        Error::invalid(format!("/api/home/changes takes a cursor alone: {why}"))
    })?;
    let by = Undoer { home: &home, caller: &caller, confirm: None };
    list_changes(&home, by, &asked.cursor).await.map(Json)
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    dry_run: bool,
    confirm: Option<String>,
}

/// Undoes one.
pub(crate) async fn undo(
    State(home): State<Home>,
    Extension(caller): Extension<Caller>,
    Path(change): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    home.policy().check(&caller, "home", Level::Control)?;
    read::must_be_json("an undo", &headers)?;
    let wish: Wish = serde_json::from_slice(&body).map_err(|e| {
        Error::invalid(format!("the body must be like {{\"dry_run\": true}}, or {{}}: {e}"))
    })?;
    let underway = home.policy().begin(&caller, "home_undo", &clean(&change, 20), Level::Control);
    let call = Call { confirm: wish.confirm, ..Call::new(underway.caller()) };
    let args = UndoArgs { change, dry_run: wish.dry_run, ..UndoArgs::default() };
    let done = undo_change(home, call, args).await;
    underway.end(done.as_ref().err());
    Ok(Json(done?))
}
