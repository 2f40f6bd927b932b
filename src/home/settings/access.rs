//! Reads and writes configured things in Home Assistant, one way for each sort of kind.
//!
//! It does what it is told: whether a caller may, what was there before and what is written down about
//! it is decided elsewhere.

use crate::error::{Error, Kind as Fault};
use crate::home::Home;
use crate::home::house::House;
use crate::home::settings::kinds::{Kind, Way};
use crate::home::settings::{dashboards, files, others};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// One configured thing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    pub(crate) id: String,
    /// What can be set.
    pub(crate) fields: Map<String, Value>,
    /// What Home Assistant says besides; never written back.
    pub(crate) more: Map<String, Value>,
}

/// The way to one house's configuration.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(super) home: &'a Home,
    pub(super) house: &'a Arc<House>,
}

impl<'a> Access<'a> {
    /// Makes the way to `house`.
    pub(crate) fn new(home: &'a Home, house: &'a Arc<House>) -> Access<'a> {
        Access { home, house }
    }

    /// Sends a command and returns its result.
    ///
    /// # Errors
    /// As the link's; Broken when the answer is no JSON.
    pub(crate) async fn ask(&self, command: Value) -> Result<Value, Error> {
        let json = self.house.link.ask(&command, self.house.timeout).await?;
        serde_json::from_str(&json)
            .map_err(|e| Error::broken("Home Assistant's answer is no JSON").because(e))
    }

    /// Returns everything of a kind, in no order. Files are listed without their fields.
    ///
    /// # Errors
    /// Offline; what Home Assistant says.
    pub(crate) async fn all(&self, kind: &Kind) -> Result<Vec<Object>, Error> {
        match kind.way {
            Way::File => files::all(self, kind).await,
            Way::Registry => {
                let rows = self.ask(command(kind, "list", json!({}))).await?;
                Ok(objects(kind, rows, &format!("{}_id", kind.name)))
            }
            Way::Collection => {
                let mut rows = self.ask(command(kind, "list", json!({}))).await?;
                // Persons come in two lists; those of the other are written in YAML.
                if let Some(stored) = rows.get_mut("storage") {
                    rows = stored.take();
                }
                Ok(objects(kind, rows, "id"))
            }
            Way::Resource => {
                Ok(objects(kind, self.ask(json!({"type": "lovelace/resources"})).await?, "id"))
            }
            Way::Dashboard => dashboards::all(self, kind).await,
            Way::Category => others::categories(self, kind).await,
            Way::Entity => {
                let rows = self.ask(json!({"type": "config/entity_registry/list"})).await?;
                Ok(objects(kind, rows, "entity_id"))
            }
            Way::Device => {
                let rows = self.ask(json!({"type": "config/device_registry/list"})).await?;
                Ok(objects(kind, rows, "id"))
            }
            Way::Exposure => others::exposed(self).await,
            Way::Integration => {
                let rows = self.ask(json!({"type": "config_entries/get"})).await?;
                Ok(objects(kind, rows, "entry_id"))
            }
            Way::Blueprint => others::blueprints(self).await,
        }
    }

    /// Returns one, or `None` when there is none of that id.
    ///
    /// # Errors
    /// As [`Access::all`].
    pub(crate) async fn read(&self, kind: &Kind, id: &str) -> Result<Option<Object>, Error> {
        match kind.way {
            Way::File => files::read(self, kind, id).await,
            Way::Dashboard => dashboards::read(self, kind, id).await,
            Way::Entity => {
                let command = json!({"type": "config/entity_registry/get", "entity_id": id});
                let row = nothing_if_missing(self.ask(command).await)?;
                Ok(row.map(|row| object(kind, row, "entity_id")))
            }
            Way::Exposure => others::exposure(self, id).await,
            _ => Ok(self.all(kind).await?.into_iter().find(|object| object.id == id)),
        }
    }

    /// Creates one and returns its id: `id` if that can be had, else what Home Assistant made of the
    /// name.
    ///
    /// # Errors
    /// Invalid in Home Assistant's words; Offline.
    pub(crate) async fn create(
        &self,
        kind: &Kind,
        id: Option<&str>,
        fields: &Map<String, Value>,
    ) -> Result<String, Error> {
        match kind.way {
            Way::File => files::create(self, kind, id, fields).await,
            Way::Dashboard => dashboards::create(self, kind, id, fields).await,
            Way::Category => others::create_category(self, id, fields).await,
            Way::Blueprint => others::create_blueprint(self, id, fields).await,
            Way::Resource => {
                let made = self.ask(others::resource("create", None, fields)).await?;
                Ok(id_of(&made, "id"))
            }
            Way::Registry | Way::Collection => self.create_named(kind, id, fields).await,
            Way::Entity | Way::Device | Way::Exposure | Way::Integration => {
                Err(Error::invalid(format!("a {} cannot be created", kind.name)))
            }
        }
    }

    /// Home Assistant makes the id out of the name. Whoever wants another gets it by being named after
    /// it for a moment.
    async fn create_named(
        &self,
        kind: &Kind,
        id: Option<&str>,
        fields: &Map<String, Value>,
    ) -> Result<String, Error> {
        let mut first = fields.clone();
        first.retain(|_, value| !value.is_null());
        let own = match kind.way {
            Way::Registry => format!("{}_id", kind.name),
            _ => "id".to_owned(),
        };
        match id {
            Some(id) if kind.name == "tag" => drop(first.insert("tag_id".into(), id.into())),
            Some(id) => drop(first.insert("name".into(), id.into())),
            None => {}
        }
        let made = self.ask(command(kind, "create", Value::Object(first.clone()))).await?;
        let made = id_of(&made, &own);
        if first.get("name") != fields.get("name") && kind.name != "tag" {
            self.update(kind, &made, &first, fields).await?;
        }
        Ok(made)
    }

    /// Changes one from what it is to what it is to be. Returns what the person should know.
    ///
    /// # Errors
    /// Invalid in Home Assistant's words; Offline.
    pub(crate) async fn update(
        &self,
        kind: &Kind,
        id: &str,
        from: &Map<String, Value>,
        to: &Map<String, Value>,
    ) -> Result<Option<String>, Error> {
        match kind.way {
            Way::File => files::write(self, kind, id, to).await.map(|()| None),
            Way::Dashboard => dashboards::update(self, kind, id, from, to).await.map(|()| None),
            Way::Integration => others::update_integration(self, id, from, to).await,
            Way::Exposure => others::expose(self, id, from, to).await.map(|()| None),
            Way::Resource => self.ask(others::resource("update", Some(id), to)).await.map(|_| None),
            Way::Category => others::update_category(self, id, kind, from, to).await.map(|()| None),
            Way::Blueprint => Err(Error::invalid(
                "a blueprint cannot be changed, for Home Assistant does not give its text back: \
                 delete it and create it anew, or create one under another id",
            )),
            Way::Registry | Way::Entity | Way::Device => {
                let mut changes = changed(kind, from, to);
                if let (Some(Value::Object(old)), Some(Value::Object(new))) =
                    (from.get("categories"), changes.get_mut("categories"))
                {
                    // A scope that is not named keeps its category.
                    let gone = old.keys().filter(|scope| !new.contains_key(*scope));
                    let gone: Vec<String> = gone.cloned().collect();
                    new.extend(gone.into_iter().map(|scope| (scope, Value::Null)));
                }
                let own = match kind.way {
                    Way::Entity => "entity_id".to_owned(),
                    _ => format!("{}_id", kind.name),
                };
                changes.insert(own, id.into());
                self.ask(command(kind, "update", Value::Object(changes))).await.map(|_| None)
            }
            Way::Collection => {
                // These are replaced as a whole: what is left out goes back to its default.
                let mut whole = to.clone();
                whole.retain(|field, value| !value.is_null() || kind.is_nullable(field));
                let gone = from.keys().filter(|f| !to.contains_key(*f) && kind.is_nullable(f));
                whole.extend(gone.map(|field| (field.clone(), Value::Null)));
                whole.insert(format!("{}_id", kind.name), id.into());
                self.ask(command(kind, "update", Value::Object(whole))).await.map(|_| None)
            }
        }
    }

    /// Deletes one.
    ///
    /// # Errors
    /// NotFound, or what Home Assistant says.
    pub(crate) async fn remove(&self, kind: &Kind, id: &str) -> Result<(), Error> {
        match kind.way {
            Way::File => files::remove(self, kind, id).await,
            Way::Dashboard => dashboards::remove(self, id).await,
            Way::Category => others::remove_category(self, id).await,
            Way::Blueprint => others::remove_blueprint(self, id).await,
            Way::Resource => {
                self.ask(others::resource("delete", Some(id), &Map::new())).await.map(drop)
            }
            Way::Registry | Way::Collection => {
                let mut which = Map::new();
                which.insert(format!("{}_id", kind.name), id.into());
                self.ask(command(kind, "delete", Value::Object(which))).await.map(drop)
            }
            Way::Entity | Way::Device | Way::Exposure | Way::Integration => {
                Err(Error::invalid(format!("a {} cannot be deleted", kind.name)))
            }
        }
    }
}

/// Returns a command of a registry or a collection with these fields.
fn command(kind: &Kind, verb: &str, fields: Value) -> Value {
    let prefix = match kind.way {
        Way::Registry | Way::Entity | Way::Device => format!("config/{}_registry", kind.name),
        _ => kind.name.to_owned(),
    };
    let mut command = json!({ "type": format!("{prefix}/{verb}") });
    if let (Value::Object(command), Value::Object(fields)) = (&mut command, fields) {
        command.extend(fields);
    }
    command
}

/// Returns what has to be sent so that `from` becomes `to`.
pub(super) fn changed(
    kind: &Kind,
    from: &Map<String, Value>,
    to: &Map<String, Value>,
) -> Map<String, Value> {
    let new = to.iter().filter(|(field, value)| from.get(*field) != Some(*value));
    let mut changes: Map<String, Value> = new.map(|(f, v)| (f.clone(), v.clone())).collect();
    for (field, old) in from.iter().filter(|(field, _)| !to.contains_key(*field)) {
        match old {
            Value::Array(_) => drop(changes.insert(field.clone(), json!([]))),
            _ if kind.is_nullable(field) => drop(changes.insert(field.clone(), Value::Null)),
            _ => {}
        }
    }
    changes
}

/// Takes rows apart into what can be set and what is told besides.
pub(super) fn objects(kind: &Kind, rows: Value, own: &str) -> Vec<Object> {
    let Value::Array(rows) = rows else { return Vec::new() };
    rows.into_iter().map(|row| object(kind, row, own)).collect()
}

pub(super) fn object(kind: &Kind, row: Value, own: &str) -> Object {
    let mut found = Object { id: id_of(&row, own), ..Object::default() };
    let Value::Object(row) = row else { return found };
    for (field, value) in row {
        let is_silent = field == own || field == "created_at" || field == "modified_at";
        if kind.fields.iter().any(|(name, _)| *name == field) {
            found.fields.insert(field, value);
        } else if !is_silent && !value.is_null() {
            found.more.insert(field, value);
        }
    }
    found
}

pub(super) fn id_of(row: &Value, own: &str) -> String {
    row.get(own).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What Home Assistant does not have is no error of reading.
pub(super) fn nothing_if_missing(answer: Result<Value, Error>) -> Result<Option<Value>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == Fault::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
