//! Dashboards: an entry in the list, and the config with the views, as one object.

use crate::error::{Error, Kind as Fault};
use crate::home::settings::access::{Access, Object, changed, objects};
use crate::home::settings::kinds::Kind;
use serde_json::{Map, Value, json};

/// The dashboard that is there without being in the list.
const DEFAULT: &str = "lovelace";

/// Lists them without their configs, which can be large.
pub(super) async fn all(access: &Access<'_>, kind: &Kind) -> Result<Vec<Object>, Error> {
    let rows = access.ask(json!({"type": "lovelace/dashboards/list"})).await?;
    let mut found = objects(kind, rows, "url_path");
    if !found.iter().any(|object| object.id == DEFAULT) {
        let mut more = Map::new();
        more.insert("name".into(), "the default dashboard".into());
        found.push(Object { id: DEFAULT.into(), fields: Map::new(), more });
    }
    Ok(found)
}

pub(super) async fn read(
    access: &Access<'_>,
    kind: &Kind,
    id: &str,
) -> Result<Option<Object>, Error> {
    let found = all(access, kind).await?.into_iter().find(|object| object.id == id);
    let Some(mut found) = found else { return Ok(None) };
    let config = match access.ask(config("lovelace/config", id)).await {
        Ok(config) => config,
        // It has none of its own: Home Assistant makes it up.
        Err(e) if e.kind() == Fault::Conflict => Value::Null,
        Err(e) => return Err(e),
    };
    found.fields.insert("config".into(), config);
    Ok(Some(found))
}

fn config(command: &str, id: &str) -> Value {
    let path = if id == DEFAULT { Value::Null } else { id.into() };
    json!({ "type": command, "url_path": path })
}

pub(super) async fn create(
    access: &Access<'_>,
    kind: &Kind,
    id: Option<&str>,
    fields: &Map<String, Value>,
) -> Result<String, Error> {
    let Some(id) = id else {
        return Err(Error::invalid(
            "a new dashboard needs an id: its url path with a hyphen, like my-garden",
        ));
    };
    let mut command =
        json!({"type": "lovelace/dashboards/create", "url_path": id, "mode": "storage"});
    for (field, value) in
        fields.iter().filter(|(field, value)| *field != "config" && !value.is_null())
    {
        command[field] = value.clone();
    }
    access.ask(command).await?;
    if fields.get("config").is_some_and(|config| !config.is_null()) {
        update(access, kind, id, &only_entry(fields), fields).await?;
    }
    Ok(id.to_owned())
}

fn only_entry(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().filter(|(f, _)| *f != "config").map(|(f, v)| (f.clone(), v.clone())).collect()
}

pub(super) async fn update(
    access: &Access<'_>,
    kind: &Kind,
    id: &str,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
) -> Result<(), Error> {
    let changes = changed(kind, &only_entry(from), &only_entry(to));
    if !changes.is_empty() {
        let mut command =
            json!({"type": "lovelace/dashboards/update", "dashboard_id": entry(access, id).await?});
        for (field, value) in changes {
            command[field.as_str()] = value;
        }
        access.ask(command).await?;
    }
    let (old, new) = (from.get("config"), to.get("config").unwrap_or(&Value::Null));
    if old.unwrap_or(&Value::Null) == new {
        return Ok(());
    }
    let mut command = config("lovelace/config/save", id);
    match new.is_null() {
        true => command = config("lovelace/config/delete", id),
        false => command["config"] = new.clone(),
    }
    access.ask(command).await.map(drop)
}

pub(super) async fn remove(access: &Access<'_>, id: &str) -> Result<(), Error> {
    let entry = entry(access, id).await?;
    access.ask(json!({"type": "lovelace/dashboards/delete", "dashboard_id": entry})).await.map(drop)
}

/// The list has ids of its own.
async fn entry(access: &Access<'_>, id: &str) -> Result<String, Error> {
    let rows = access.ask(json!({"type": "lovelace/dashboards/list"})).await?;
    let all = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    let row = all.iter().find(|row| row["url_path"] == id);
    row.and_then(|row| row["id"].as_str()).map(str::to_owned).ok_or_else(|| match id {
        DEFAULT => {
            Error::invalid("the default dashboard has a config alone, which can be set to null")
        }
        _ => Error::not_found(format!("there is no dashboard '{id}' that can be edited")),
    })
}
