//! Automations, scripts and scenes: files that Home Assistant edits through its REST interface, and
//! checks before it writes them.

use crate::error::{Error, Kind as Fault};
use crate::home::house::now;
use crate::home::rest::reach;
use crate::home::settings::access::{Access, Object, nothing_if_missing};
use crate::home::settings::kinds::Kind;
use crate::home::text::clean;
use crate::text::percent;
use serde_json::{Map, Value, json};

/// Lists them from the entity registry; each knows the id that its file has.
pub(super) async fn all(access: &Access<'_>, kind: &Kind) -> Result<Vec<Object>, Error> {
    let rows = access.ask(json!({"type": "config/entity_registry/list"})).await?;
    let Value::Array(rows) = rows else { return Ok(Vec::new()) };
    let prefix = format!("{}.", kind.name);
    let platform = if kind.name == "scene" { "homeassistant" } else { kind.name };
    let wanted = rows.into_iter().filter(|row| {
        let id = row["entity_id"].as_str().unwrap_or_default();
        id.starts_with(&prefix) && row["platform"] == platform
    });
    let found = wanted.filter_map(|row| {
        let id = row["unique_id"].as_str()?.to_owned();
        let mut more = Map::new();
        for (field, from) in [("entity_id", &row["entity_id"]), ("name", name(&row))] {
            more.insert(field.into(), from.clone());
        }
        Some(Object { id, fields: Map::new(), more })
    });
    Ok(found.collect())
}

fn name(row: &Value) -> &Value {
    if row["name"].is_null() { &row["original_name"] } else { &row["name"] }
}

pub(super) async fn read(
    access: &Access<'_>,
    kind: &Kind,
    id: &str,
) -> Result<Option<Object>, Error> {
    let Some(row) = nothing_if_missing(rest(access, "GET", &path(kind, id), None).await)? else {
        return Ok(None);
    };
    let Value::Object(mut fields) = row else {
        return Err(Error::broken(format!(
            "Home Assistant answers no object for {} {id}",
            kind.name
        )));
    };
    fields.shift_remove("id");
    Ok(Some(Object { id: id.to_owned(), fields, more: Map::new() }))
}

pub(super) async fn create(
    access: &Access<'_>,
    kind: &Kind,
    id: Option<&str>,
    fields: &Map<String, Value>,
) -> Result<String, Error> {
    let id = match id {
        Some(id) => id.to_owned(),
        // Home Assistant's own editor counts milliseconds; a script's id is what it is called by.
        None if kind.name != "script" => format!("{:.0}", now() * 1000.0),
        None => slug(fields.get("alias").and_then(Value::as_str).unwrap_or("script")),
    };
    write(access, kind, &id, fields).await?;
    Ok(id)
}

/// A script's id out of its name, as far as plain letters go.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let words: String = name.chars().take(60).map(plain).collect();
    let words: Vec<&str> = words.split('_').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { format!("script_{:.0}", now()) } else { words.join("_") }
}

pub(super) async fn write(
    access: &Access<'_>,
    kind: &Kind,
    id: &str,
    fields: &Map<String, Value>,
) -> Result<(), Error> {
    rest(access, "POST", &path(kind, id), Some(&Value::Object(fields.clone()))).await.map(drop)
}

pub(super) async fn remove(access: &Access<'_>, kind: &Kind, id: &str) -> Result<(), Error> {
    rest(access, "DELETE", &path(kind, id), None).await.map(drop)
}

fn path(kind: &Kind, id: &str) -> String {
    // Dots too: two of them mean the folder above.
    format!("config/{}/config/{}", kind.name, percent(id).replace('.', "%2E"))
}

/// Asks Home Assistant's REST interface; `path` is below `/api/`.
///
/// # Errors
/// Invalid, NotFound or Refused in Home Assistant's words; Offline, Timeout.
pub(super) async fn rest(
    access: &Access<'_>,
    method: &'static str,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Error> {
    let path = format!("/api/{path}");
    let answer = reach(access.home, access.house, method, &path, body).await?;
    if (200..300).contains(&answer.status) {
        return answer.json();
    }
    let said: Value = answer.json().unwrap_or_default();
    let text = clean(said["message"].as_str().unwrap_or("no reason given"), 400);
    let kind = match answer.status {
        // Deleting what is not there is answered with 400.
        400 if text == "Resource not found" => Fault::NotFound,
        400 => Fault::Invalid,
        401 | 403 => Fault::Refused,
        404 => Fault::NotFound,
        _ => Fault::Conflict,
    };
    Err(Error::new(kind, format!("Home Assistant says: '{text}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_in_a_path_and_scripts_are_named_in_plain_letters() {
        let kind = crate::home::settings::kinds::kind("script").unwrap();
        assert_eq!(path(kind, "a/../b c"), "config/script/config/a%2F%2E%2E%2Fb%20c");
        assert_eq!(slug("Gute Nacht, Haus!"), "gute_nacht_haus");
        assert!(slug("夜").starts_with("script_"));
    }
}
