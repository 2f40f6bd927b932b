//! Options of helpers: groups, templates, thresholds and the like.
//!
//! Home Assistant shows and takes them only through the dialogue that a person would use. It is opened
//! to read, filled in to write, and closed again; nothing else is started by that, because only
//! integrations that Home Assistant counts as helpers are asked.

use crate::error::{Error, Kind};
use crate::home::house::House;
use crate::home::{Home, rest};
use crate::text::percent;
use serde_json::{Map, Value, json};

const FLOW: &str = "/api/config/config_entries/options/flow";

/// Reads the options of an entry; `None` when it has no dialogue of one form.
///
/// # Errors
/// Offline while the house is away, and what Home Assistant says.
pub(super) async fn read(home: &Home, house: &House, entry: &str) -> Result<Option<Value>, Error> {
    let form = match open(home, house, entry).await {
        Ok(form) => form,
        Err(e) if [Kind::NotFound, Kind::Conflict].contains(&e.kind()) => return Ok(None),
        Err(e) => return Err(e),
    };
    close(home, house, &form).await;
    Ok((form["type"] == "form").then(|| filled(&form["data_schema"])))
}

/// Fills the dialogue in.
///
/// # Errors
/// As [`read`]; Conflict when Home Assistant asks for more than one form or refuses what is in it.
pub(super) async fn write(
    home: &Home,
    house: &House,
    entry: &str,
    new: &Value,
) -> Result<(), Error> {
    let form = open(home, house, entry).await?;
    let path = format!("{FLOW}/{}", id(&form));
    let answer = rest::send(home, house, "POST", &path, new).await;
    match &answer {
        Ok(done) if done["type"] == "create_entry" => return Ok(()),
        _ => close(home, house, &form).await,
    }
    let done = answer?;
    Err(Error::conflict(format!(
        "Home Assistant does not take the options of this helper in one form: {}",
        crate::home::text::clean(&done["errors"].to_string(), 200)
    )))
}

async fn open(home: &Home, house: &House, entry: &str) -> Result<Value, Error> {
    rest::send(home, house, "POST", FLOW, &json!({ "handler": entry })).await
}

/// Home Assistant forgets a dialogue at its next start; one that cannot be closed does no harm.
async fn close(home: &Home, house: &House, form: &Value) {
    let path = format!("{FLOW}/{}", id(form));
    if let Err(e) = rest::send(home, house, "DELETE", &path, &json!({})).await {
        log::debug!("home '{}': a dialogue stays open: {e}", house.name);
    }
}

fn id(form: &Value) -> String {
    percent(form["flow_id"].as_str().unwrap_or_default())
}

/// What stands in a form's fields now.
fn filled(schema: &Value) -> Value {
    let mut out = Map::new();
    for field in schema.as_array().into_iter().flatten() {
        let Some(name) = field["name"].as_str() else { continue };
        let suggested = field.get("description").and_then(|about| about.get("suggested_value"));
        let value = match field.get("schema") {
            // A part of the form that folds away.
            Some(part) => {
                Some(filled(part)).filter(|part| part.as_object().is_some_and(|p| !p.is_empty()))
            }
            None => suggested.or(field.get("default")).cloned(),
        };
        if let Some(value) = value.filter(|value| !value.is_null()) {
            out.insert(name.to_owned(), value);
        }
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_with_the_parts_that_fold_away() {
        let schema = json!([
            {"name": "state", "description": {"suggested_value": "{{ 1 }}"}, "required": true},
            {"name": "unit", "optional": true},
            {"name": "all", "default": false},
            {"type": "expandable", "name": "more", "schema": [
                {"name": "availability", "description": {"suggested_value": "{{ true }}"}}]},
            {"type": "expandable", "name": "none", "schema": [{"name": "x"}]},
        ]);
        let want =
            json!({"state": "{{ 1 }}", "all": false, "more": {"availability": "{{ true }}"}});
        assert_eq!(filled(&schema), want);
    }
}
