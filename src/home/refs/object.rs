//! Where configurations are kept in Home Assistant: reads and writes one of them.
//!
//! Each place answers with a whole configuration and takes a whole one. Whoever writes compares first;
//! nothing here decides whether it may be written.

use crate::error::{Error, Kind};
use crate::home::house::House;
use crate::home::refs::helper;
use crate::home::{Home, ask, rest};
use crate::text::percent;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Where something is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// An automation, by the id in its file.
    Automation(String),
    /// A script, by its key.
    Script(String),
    /// A scene, by the id in its file.
    Scene(String),
    /// A dashboard by its path; the default one without.
    Dashboard(Option<String>),
    /// The options of a helper's entry.
    Helper(String),
    /// A person.
    Person(String),
    /// A voice assistant.
    Pipeline(String),
    /// What the energy dashboard counts.
    Energy,
    /// What the interface keeps for everybody, by its key.
    Interface(String),
    /// Id and name of an entity, by the id of its entry in the registry.
    Entity {
        /// The entry.
        entry: String,
        /// The entity ids it may have.
        ids: Vec<String>,
    },
    /// Name of a device.
    Device(String),
    /// Name of an area.
    Area(String),
}

/// The path below which automations, scripts and scenes are edited.
fn edited(place: &Place) -> Option<String> {
    let (kind, id) = match place {
        Place::Automation(id) => ("automation", id),
        Place::Script(id) => ("script", id),
        Place::Scene(id) => ("scene", id),
        _ => return None,
    };
    Some(format!("/api/config/{kind}/config/{}", percent(id)))
}

/// Largest configuration that is read.
const MOST: usize = 2 << 20;

/// Reads what is there; `None` when there is nothing (any more), or nothing that can be edited.
///
/// # Errors
/// Offline while the house is away, and what Home Assistant says.
pub(crate) async fn read(
    home: &Home,
    house: &House,
    place: &Place,
) -> Result<Option<Value>, Error> {
    let found = match place {
        Place::Automation(_) | Place::Script(_) | Place::Scene(_) => {
            let path = edited(place).unwrap_or_default();
            rest::get(home, house, &path, None, MOST).await.and_then(|answer| answer.json())
        }
        Place::Dashboard(path) => {
            let command = json!({"type": "lovelace/config", "url_path": path, "force": true});
            return dashboard(ask::ask(house, &command).await);
        }
        Place::Helper(entry) => return helper::read(home, house, entry).await,
        Place::Person(id) => {
            let all: Value = ask::ask(house, &json!({"type": "person/list"})).await?;
            Ok(one(&all["storage"], "id", id))
        }
        Place::Pipeline(id) => {
            let all: Value =
                ask::ask(house, &json!({"type": "assist_pipeline/pipeline/list"})).await?;
            Ok(one(&all["pipelines"], "id", id))
        }
        Place::Energy => ask::ask(house, &json!({"type": "energy/get_prefs"})).await,
        Place::Interface(key) => {
            let command = json!({"type": "frontend/get_system_data", "key": key});
            ask::ask::<Value>(house, &command).await.map(|data| data["value"].clone())
        }
        Place::Entity { entry, ids } => return entity(house, entry, ids).await,
        Place::Device(id) => named(house, "device", "id", id, "name_by_user").await,
        Place::Area(id) => named(house, "area", "area_id", id, "name").await,
    };
    match found {
        Ok(Value::Null) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == Kind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A dashboard that Home Assistant makes by itself has no configuration.
fn dashboard(answer: Result<Value, Error>) -> Result<Option<Value>, Error> {
    match answer {
        Ok(config) => Ok(Some(config)),
        Err(e) if e.what().contains("No config found") || e.what().contains("Unknown config") => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

fn one(all: &Value, key: &str, id: &str) -> Value {
    let all = all.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|item| item[key] == *id).cloned().unwrap_or_default()
}

async fn entity(house: &House, entry: &str, ids: &[String]) -> Result<Option<Value>, Error> {
    let command = json!({"type": "config/entity_registry/get_entries", "entity_ids": ids});
    let found: Map<String, Value> = ask::ask(house, &command).await?;
    let mut all = found.into_iter().map(|(_, found)| found);
    let own = all.find(|found| found["id"] == *entry);
    Ok(own.map(|own| json!({"entity_id": own["entity_id"], "name": own["name"]})))
}

async fn named(
    house: &House,
    kind: &str,
    key: &str,
    id: &str,
    field: &str,
) -> Result<Value, Error> {
    let command = json!({"type": format!("config/{kind}_registry/list")});
    let own = one(&ask::ask(house, &command).await?, key, id);
    Ok(if own.is_null() { own } else { json!({ field: own[field] }) })
}

/// Writes `new` in place of `now`.
///
/// # Errors
/// Offline, Timeout (then it may or may not be written), and what Home Assistant says against it.
pub(crate) async fn write(
    home: &Home,
    house: &House,
    place: &Place,
    now: &Value,
    new: &Value,
) -> Result<(), Error> {
    let command = match place {
        Place::Automation(_) | Place::Script(_) | Place::Scene(_) => {
            let path = edited(place).unwrap_or_default();
            return rest::send(home, house, "POST", &path, new).await.map(drop);
        }
        Place::Helper(entry) => return helper::write(home, house, entry, new).await,
        Place::Dashboard(path) => {
            json!({"type": "lovelace/config/save", "url_path": path, "config": new})
        }
        Place::Person(id) => with(json!({"type": "person/update", "person_id": id}), new, &["id"]),
        Place::Pipeline(id) => {
            let command = json!({"type": "assist_pipeline/pipeline/update", "pipeline_id": id});
            with(command, new, &["id"])
        }
        Place::Energy => with(json!({"type": "energy/save_prefs"}), new, &[]),
        Place::Interface(key) => {
            json!({"type": "frontend/set_system_data", "key": key, "value": new})
        }
        Place::Entity { .. } => {
            let mut command = json!({"type": "config/entity_registry/update",
                                     "entity_id": now["entity_id"], "name": new["name"]});
            if now["entity_id"] != new["entity_id"] {
                command["new_entity_id"] = new["entity_id"].clone();
            }
            command
        }
        Place::Device(id) => {
            with(json!({"type": "config/device_registry/update", "device_id": id}), new, &[])
        }
        Place::Area(id) => {
            with(json!({"type": "config/area_registry/update", "area_id": id}), new, &[])
        }
    };
    ask::text(house, &command).await.map(drop)
}

/// Adds the fields of a configuration to a command.
fn with(mut command: Value, config: &Value, without: &[&str]) -> Value {
    for (key, field) in config.as_object().into_iter().flatten() {
        if !without.contains(&key.as_str()) {
            command[key] = field.clone();
        }
    }
    command
}
