//! The changes over HTTP, for the page and for scripts: the list, and undo.

use crate::error::Error;
use crate::home::Home;
use crate::home::changes::undo::Undoer;
use crate::home::text::clean;
use crate::home::tools::list_changes;
use crate::http::{Bytes, Extension, HeaderMap, Json, Path, Query, State, Uri, read};
use crate::mcp::Toolbox;
use crate::policy::{Caller, Level};
use serde::Deserialize;
use serde_json::{Map, Value};

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

/// Undoes one, under the rules of the tool `home_undo`.
pub(crate) async fn undo(
    State(toolbox): State<Toolbox>,
    Extension(caller): Extension<Caller>,
    Path(change): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    toolbox.policy().check(&caller, "home", Level::Control)?;
    read::must_be_json("an undo", &headers)?;
    let wish: Wish = serde_json::from_slice(&body).map_err(|e| {
        Error::invalid(format!("the body must be like {{\"dry_run\": true}}, or {{}}: {e}"))
    })?;
    let mut args = Map::new();
    args.insert("change".into(), change.into());
    if wish.dry_run {
        args.insert("dry_run".into(), true.into());
    }
    if let Some(confirm) = wish.confirm {
        args.insert("confirm".into(), confirm.into());
    }
    toolbox.value(caller, "home_undo", args).await.map(Json)
}
