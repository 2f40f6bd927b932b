//! Kinds that Home Assistant asks in a way of their own: categories, exposure, integrations,
//! blueprints, resources.

use crate::error::Error;
use crate::home::settings::access::{Access, Object, changed, id_of, nothing_if_missing};
use crate::home::settings::files::rest;
use crate::home::settings::kinds::Kind;
use serde_json::{Map, Value, json};

/// Lists that can have categories.
const SCOPES: &[&str] = &["automation", "script", "scene", "helpers"];
/// Domains that can have blueprints.
const BLUEPRINTS: &[&str] = &["automation", "script", "template"];
/// Whom an entity can be exposed to.
const ASSISTANTS: &[&str] = &["conversation", "cloud.alexa", "cloud.google_assistant"];

pub(super) async fn categories(access: &Access<'_>, kind: &Kind) -> Result<Vec<Object>, Error> {
    let mut found = Vec::new();
    for scope in SCOPES {
        let command = json!({"type": "config/category_registry/list", "scope": scope});
        let rows = access.ask(command).await?;
        for mut object in super::access::objects(kind, rows, "category_id") {
            object.id = format!("{scope}/{}", object.id);
            found.push(object);
        }
    }
    Ok(found)
}

/// Takes `scope/category_id` apart.
fn category(id: &str) -> Result<(&str, &str), Error> {
    let (scope, own) = id.split_once('/').unwrap_or((id, ""));
    match SCOPES.contains(&scope) {
        true => Ok((scope, own)),
        false => Err(Error::invalid(format!(
            "the id of a category begins with its scope: {}, like automation/…",
            SCOPES.join(", ")
        ))),
    }
}

pub(super) async fn create_category(
    access: &Access<'_>,
    id: Option<&str>,
    fields: &Map<String, Value>,
) -> Result<String, Error> {
    let (scope, _) = category(id.unwrap_or_default())?;
    let mut command = json!({"type": "config/category_registry/create", "scope": scope});
    for (field, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        command[field] = value.clone();
    }
    let made = access.ask(command).await?;
    Ok(format!("{scope}/{}", id_of(&made, "category_id")))
}

pub(super) async fn update_category(
    access: &Access<'_>,
    id: &str,
    kind: &Kind,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
) -> Result<(), Error> {
    let (scope, own) = category(id)?;
    let mut command =
        json!({"type": "config/category_registry/update", "scope": scope, "category_id": own});
    for (field, value) in changed(kind, from, to) {
        command[field.as_str()] = value;
    }
    access.ask(command).await.map(drop)
}

pub(super) async fn remove_category(access: &Access<'_>, id: &str) -> Result<(), Error> {
    let (scope, own) = category(id)?;
    let command =
        json!({"type": "config/category_registry/delete", "scope": scope, "category_id": own});
    access.ask(command).await.map(drop)
}

async fn exposures(access: &Access<'_>) -> Result<Map<String, Value>, Error> {
    let mut answer = access.ask(json!({"type": "homeassistant/expose_entity/list"})).await?;
    match answer["exposed_entities"].take() {
        Value::Object(all) => Ok(all),
        _ => Err(Error::broken("expose_entity/list has an unknown answer")),
    }
}

/// What is not in the list is exposed to nobody.
fn exposed_to(row: Option<&Value>) -> Map<String, Value> {
    let to = |name: &str| row.and_then(|row| row.get(name)).is_some_and(|is| *is == true);
    ASSISTANTS.iter().map(|name| ((*name).to_owned(), Value::Bool(to(name)))).collect()
}

pub(super) async fn exposed(access: &Access<'_>) -> Result<Vec<Object>, Error> {
    let all = exposures(access).await?;
    let object = |(id, row): (String, Value)| {
        let fields = exposed_to(Some(&row));
        Object { id, fields, more: Map::new() }
    };
    Ok(all.into_iter().map(object).filter(|o| o.fields.values().any(|is| *is == true)).collect())
}

pub(super) async fn exposure(access: &Access<'_>, id: &str) -> Result<Option<Object>, Error> {
    // Home Assistant takes any id; only what is there can be exposed.
    if access.house.cache().get(id).is_none() {
        let command = json!({"type": "config/entity_registry/get", "entity_id": id});
        if nothing_if_missing(access.ask(command).await)?.is_none() {
            return Ok(None);
        }
    }
    let all = exposures(access).await?;
    let fields = exposed_to(all.get(id));
    Ok(Some(Object { id: id.to_owned(), fields, more: Map::new() }))
}

pub(super) async fn expose(
    access: &Access<'_>,
    id: &str,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
) -> Result<(), Error> {
    for name in ASSISTANTS {
        let is = |fields: &Map<String, Value>| fields.get(*name).is_some_and(|is| *is == true);
        if is(from) != is(to) {
            let command = json!({"type": "homeassistant/expose_entity", "assistants": [name],
                                 "entity_ids": [id], "should_expose": is(to)});
            access.ask(command).await?;
        }
    }
    Ok(())
}

pub(super) async fn update_integration(
    access: &Access<'_>,
    id: &str,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
) -> Result<Option<String>, Error> {
    let is_new = |field: &str| to.get(field).is_some_and(|new| from.get(field) != Some(new));
    let mut hint = None;
    let plain = ["title", "pref_disable_new_entities", "pref_disable_polling"];
    if plain.iter().any(|field| is_new(field)) {
        let mut command = json!({"type": "config_entries/update", "entry_id": id});
        for field in plain.into_iter().filter(|field| is_new(field)) {
            command[field] = to[field].clone();
        }
        let done = access.ask(command).await?;
        if done["require_restart"] == true {
            hint = Some("it counts after Home Assistant is restarted".to_owned());
        }
    }
    if is_new("disabled_by") {
        let command = json!({"type": "config_entries/disable", "entry_id": id,
                             "disabled_by": to["disabled_by"]});
        let done = access.ask(command).await?;
        if done["require_restart"] == true {
            hint = Some("it counts after Home Assistant is restarted".to_owned());
        }
    }
    if to.get("reload").is_some_and(|reload| *reload == true) {
        let path = format!("config/config_entries/entry/{}/reload", plain_id(id)?);
        let done = rest(access, "POST", &path, None).await?;
        if done["require_restart"] == true {
            hint = Some("it cannot be loaded anew without a restart of Home Assistant".to_owned());
        }
    }
    Ok(hint)
}

fn plain_id(id: &str) -> Result<&str, Error> {
    match id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        true => Ok(id),
        false => Err(Error::not_found("there is no integration of that id")),
    }
}

pub(super) async fn blueprints(access: &Access<'_>) -> Result<Vec<Object>, Error> {
    let mut found = Vec::new();
    for domain in BLUEPRINTS {
        let command = json!({"type": "blueprint/list", "domain": domain});
        let Value::Object(rows) = access.ask(command).await? else { continue };
        for (path, row) in rows {
            let Value::Object(fields) = row else { continue };
            let mut more = Map::new();
            more.insert(
                "name".into(),
                fields.get("metadata").map_or(Value::Null, |m| m["name"].clone()),
            );
            found.push(Object { id: format!("{domain}/{path}"), fields, more });
        }
    }
    Ok(found)
}

fn blueprint(id: &str) -> Result<(&str, &str), Error> {
    let parts = id.split_once('/').filter(|(domain, path)| {
        BLUEPRINTS.contains(domain) && !path.split('/').any(|part| part.is_empty() || part == "..")
    });
    parts.ok_or_else(|| {
        Error::invalid(format!(
            "the id of a blueprint is its domain ({}) and path, like automation/mine/hall.yaml",
            BLUEPRINTS.join(", ")
        ))
    })
}

pub(super) async fn create_blueprint(
    access: &Access<'_>,
    id: Option<&str>,
    fields: &Map<String, Value>,
) -> Result<String, Error> {
    let (domain, path) = blueprint(id.unwrap_or_default())?;
    let path = if path.ends_with(".yaml") { path.to_owned() } else { format!("{path}.yaml") };
    let yaml = fields.get("yaml").and_then(Value::as_str).unwrap_or_default();
    let command = json!({"type": "blueprint/save", "domain": domain, "path": path, "yaml": yaml});
    access.ask(command).await?;
    Ok(format!("{domain}/{path}"))
}

pub(super) async fn remove_blueprint(access: &Access<'_>, id: &str) -> Result<(), Error> {
    let (domain, path) = blueprint(id)?;
    access.ask(json!({"type": "blueprint/delete", "domain": domain, "path": path})).await.map(drop)
}

/// Returns a command for dashboard resources, which call their type by another name when written.
pub(super) fn resource(verb: &str, id: Option<&str>, fields: &Map<String, Value>) -> Value {
    let mut command = json!({ "type": format!("lovelace/resources/{verb}") });
    if let Some(id) = id {
        command["resource_id"] = id.into();
    }
    for (field, value) in fields {
        let name = if field == "type" { "res_type" } else { field };
        command[name] = value.clone();
    }
    command
}
