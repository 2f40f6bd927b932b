//! The verbs: read, set and delete one configured thing on behalf of somebody.
//!
//! The order of a change: take the turn, read what is there, compare its hash with the one that the
//! caller read, let Home Assistant check what can be checked, ask the person where that is needed,
//! store the version, write, read back, note the outcome.

use crate::error::{Error, Kind as Fault};
use crate::home::Home;
use crate::home::changes::Change;
use crate::home::house::House;
use crate::home::near::{MANY, listed, question};
use crate::home::settings::access::{Access, Object};
use crate::home::settings::diff::{diff, hash, put};
use crate::home::settings::kinds::{Kind, Way};
use crate::home::settings::replace::Replace;
use crate::home::settings::{arrival, members, scope};
use crate::home::text::clean;
use crate::policy::{Caller, Outcome};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Somebody who changes the configuration of a house.
#[derive(Clone, Copy)]
pub(crate) struct Editor<'a> {
    pub(crate) home: &'a Home,
    pub(crate) house: &'a Arc<House>,
    pub(crate) caller: &'a Caller,
    pub(crate) confirm: Option<&'a str>,
}

/// What is wanted of [`Editor::set`].
#[derive(Default)]
pub(crate) struct Wish {
    /// Empty: a new one.
    pub(crate) id: String,
    /// JSON pointer to the part that `config` is put in place of; empty: `config` holds fields.
    pub(crate) path: String,
    pub(crate) config: Value,
    /// Hash of the version that was read.
    pub(crate) hash: String,
    pub(crate) dry_run: bool,
}

/// Why something may be there and yet not be found.
const ELSEWHERE: &str =
    " that Home Assistant's editor wrote; others are in YAML files of their own";

/// What came of it.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) id: String,
    /// created, changed, deleted or unchanged.
    pub(crate) action: &'static str,
    pub(crate) hash: Option<String>,
    /// Id of the change, for undo.
    pub(crate) change: Option<String>,
    pub(crate) diff: Vec<Value>,
    pub(crate) asks: Vec<String>,
    pub(crate) hint: Option<String>,
    /// The entity that it is, where Home Assistant makes one of it.
    pub(crate) entity_id: Option<String>,
}

impl<'a> Editor<'a> {
    /// Returns the way to the house.
    pub(crate) fn access(&self) -> Access<'a> {
        Access::new(self.home, self.house)
    }

    /// Returns the id that Home Assistant's commands take; callers may give an entity's id.
    pub(crate) async fn own_id(&self, kind: &Kind, id: &str) -> Result<String, Error> {
        let id = id.trim();
        let is_entity = matches!(kind.way, Way::File | Way::Collection)
            && id.strip_prefix(kind.name).is_some_and(|rest| rest.starts_with('.'));
        if !is_entity {
            return Ok(id.to_owned());
        }
        let command = json!({"type": "config/entity_registry/get", "entity_id": id});
        let row = self.access().ask(command).await.map_err(|e| match e.kind() {
            Fault::NotFound => Error::not_found(format!(
                "there is no {} '{}'{ELSEWHERE}; home_config_get without id lists them",
                kind.name,
                clean(id, 80)
            )),
            _ => e,
        })?;
        Ok(row["unique_id"].as_str().unwrap_or_default().to_owned())
    }

    /// Reads one that the caller may see.
    ///
    /// # Errors
    /// NotFound, also for one that the caller may not know of; Offline; what Home Assistant says.
    pub(crate) async fn get(&self, kind: &Kind, id: &str) -> Result<Object, Error> {
        let own = self.own_id(kind, id).await?;
        let found = self.find(kind, &own).await?;
        let seen = found.filter(|found| {
            scope::is_seen(&self.house.cache(), self.home.sight(self.caller), kind, found)
        });
        seen.ok_or_else(|| {
            let hint = match kind.way {
                Way::File | Way::Collection => ELSEWHERE,
                _ => "",
            };
            Error::not_found(format!(
                "there is no {} '{}'{hint}; home_config_get without id lists them",
                kind.name,
                clean(id.trim(), 80)
            ))
        })
    }

    /// Reads one, with the id of its entity when it has one.
    async fn find(&self, kind: &Kind, own: &str) -> Result<Option<Object>, Error> {
        let found = self.access().read(kind, own).await?;
        let Some(mut found) = found.filter(|_| !own.is_empty()) else { return Ok(None) };
        if kind.way == Way::File {
            let all = self.access().all(kind).await?;
            if let Some(row) = all.into_iter().find(|row| row.id == own) {
                found.more = row.more;
            }
        }
        Ok(Some(found))
    }

    /// Creates one, or changes the one that is there.
    ///
    /// # Errors
    /// Conflict when the hash is missing or old, or a person must agree; Invalid for what Home
    /// Assistant would not take; Refused; Offline.
    pub(crate) async fn set(&self, kind: &Kind, wish: Wish) -> Result<Done, Error> {
        scope::check_write(self.home, self.house, self.caller, kind, &[])?;
        let own = self.own_id(kind, &wish.id).await?;
        let _turn = self.home.changes().turn().await;
        let from = self.find(kind, &own).await?;
        if let Some(from) = &from {
            scope::check_seen(self.home, self.house, self.caller, kind, from)?;
            if kind.way == Way::Blueprint {
                return Err(Error::conflict(format!(
                    "there is a blueprint '{}' already, and Home Assistant does not give its text \
                     back: delete it first, or choose another id",
                    clean(&own, 80)
                )));
            }
            same_version(kind, from, &wish)?;
        } else if !wish.hash.is_empty() {
            return Err(Error::conflict(format!(
                "the {} '{}' is not there any more; leave hash out to create it",
                kind.name,
                clean(&own, 80)
            )));
        } else if !kind.creates {
            let what = format!("there is no {} '{}'", kind.name, clean(&own, 80));
            return Err(Error::not_found(format!("{what}; home_config_get lists them")));
        }
        let to = wanted(kind, from.as_ref(), &wish)?;
        self.check(kind, &to).await?;
        let after = Object { id: own.clone(), fields: to.clone(), more: Map::new() };
        let versions: Vec<&Object> = from.iter().chain([&after]).collect();
        scope::check_write(self.home, self.house, self.caller, kind, &versions)?;
        let before = from.as_ref().map_or(Value::Null, |from| Value::Object(from.fields.clone()));
        let base = if before.is_null() { json!({}) } else { before };
        let mut done = Done { id: own.clone(), ..Done::default() };
        done.diff = diff(&base, &Value::Object(to.clone()));
        done.action = if from.is_some() { "changed" } else { "created" };
        done.asks = scope::risky(self.home, &self.house.cache(), kind, &to);
        if kind.asks {
            done.asks.push(format!("a change of a {}", kind.name));
        }
        if done.diff.is_empty() && from.is_some() {
            done.action = "unchanged";
            done.hash = from.map(|from| hash(&from.fields));
            return Ok(done);
        }
        let target = self.target(kind, &own);
        if wish.dry_run {
            self.home.policy().record(
                self.caller,
                "home_config_set",
                &target,
                Outcome::DryRun,
                None,
            );
            return Ok(done);
        }
        if !done.asks.is_empty() {
            // The question is about this very content.
            let asked = format!("{target} ({}), version {}", done.asks.join(", "), hash(&to));
            self.home.policy().confirm(self.caller, "home_config_set", &asked, self.confirm)?;
        }
        let own = (!own.is_empty()).then_some(own);
        let bus = self.home.events().read();
        let (change, hint) = self.replace(kind, own, from, Some(to), Replace::default()).await?;
        done.hint = hint;
        if kind.way == Way::File {
            let came = arrival::wait(self.house, bus, kind, &change.object).await;
            if came.as_ref().is_none_or(|came| came.is_broken) {
                done.hint =
                    Some("Home Assistant has not loaded it; home_logs may say why".to_owned());
            }
            done.entity_id = came.map(|came| came.entity_id);
        }
        self.told(kind, change, done).await
    }

    /// Deletes one.
    ///
    /// # Errors
    /// As [`Editor::set`].
    pub(crate) async fn delete(
        &self,
        kind: &Kind,
        id: &str,
        given: &str,
        dry_run: bool,
    ) -> Result<Done, Error> {
        scope::check_write(self.home, self.house, self.caller, kind, &[])?;
        if !kind.deletes {
            return Err(Error::invalid(format!(
                "a {} cannot be deleted; {}",
                kind.name, kind.note
            )));
        }
        let _turn = self.home.changes().turn().await;
        let from = self.get(kind, id).await?;
        scope::check_write(self.home, self.house, self.caller, kind, &[&from])?;
        if !given.is_empty() {
            same_version(kind, &from, &Wish { hash: given.to_owned(), ..Wish::default() })?;
        }
        let own = from.id.clone();
        let mut done = Done { id: own.clone(), action: "deleted", ..Done::default() };
        let target = self.target(kind, &own);
        if dry_run {
            self.home.policy().record(
                self.caller,
                "home_config_delete",
                &target,
                Outcome::DryRun,
                None,
            );
            let members = members::find(&self.access(), kind, &own).await?.len();
            if members > 0 {
                done.hint = Some(format!("{members} entities, devices or areas point to it"));
            }
            done.diff = diff(&Value::Object(from.fields), &json!({}));
            return Ok(done);
        }
        self.home.policy().confirm(self.caller, "home_config_delete", &target, self.confirm)?;
        let (change, hint) =
            self.replace(kind, Some(own), Some(from), None, Replace::default()).await?;
        done.hint = hint;
        self.told(kind, change, done).await
    }

    async fn told(&self, kind: &Kind, change: Change, mut done: Done) -> Result<Done, Error> {
        let target = self.target(kind, &change.object);
        let action = format!("{} {}", kind.name, done.action);
        self.home.policy().record(self.caller, &action, &target, Outcome::Allowed, None);
        done.id.clone_from(&change.object);
        if done.action != "deleted" {
            let now = self.access().read(kind, &change.object).await?;
            done.hash = now.map(|now| hash(&now.fields));
        }
        done.change = Some(change.id);
        Ok(done)
    }

    /// What is confirmed and written to the audit log.
    pub(crate) fn target(&self, kind: &Kind, id: &str) -> String {
        let which =
            if id.is_empty() { "a new one".to_owned() } else { format!("'{}'", clean(id, 120)) };
        format!("{} {which} in the house '{}'", kind.name, self.house.name)
    }

    /// Checks fields as far as they are known here, and lets Home Assistant check the rest where it can
    /// do so without writing.
    async fn check(&self, kind: &Kind, to: &Map<String, Value>) -> Result<(), Error> {
        let names = || kind.fields.iter().map(|(name, _)| *name);
        let is_known = |field: &&String| {
            kind.way == Way::File
                || kind.way == Way::Blueprint
                || names().any(|n| n == field.as_str())
        };
        if let Some(field) = to.keys().find(|field| !is_known(field)) {
            return Err(Error::invalid(format!(
                "a {} has no field '{}'{}; fields are: {}",
                kind.name,
                clean(field, 60),
                question(field, names()),
                listed(names(), MANY)
            )));
        }
        if let Some(field) = kind.needed().find(|field| to.get(*field).is_none_or(Value::is_null))
            && !(kind.way == Way::Dashboard && to.contains_key("config"))
        {
            return Err(Error::invalid(format!(
                "a {} needs the field '{field}'; like {}",
                kind.name, kind.example
            )));
        }
        if kind.way != Way::File || kind.name == "scene" || to.contains_key("use_blueprint") {
            return Ok(());
        }
        let mut command = json!({"type": "validate_config"});
        let parts = [
            ("triggers", "triggers"),
            ("trigger", "triggers"),
            ("conditions", "conditions"),
            ("condition", "conditions"),
            ("actions", "actions"),
            ("action", "actions"),
            ("sequence", "actions"),
        ];
        for (field, part) in parts {
            if let Some(value) = to.get(field) {
                command[part] = value.clone();
            }
        }
        let said = self.access().ask(command).await?;
        for (part, verdict) in said.as_object().into_iter().flatten() {
            if verdict["valid"] == false {
                let why = clean(verdict["error"].as_str().unwrap_or_default(), 400);
                return Err(Error::invalid(format!("Home Assistant refuses the {part}: '{why}'")));
            }
        }
        Ok(())
    }
}

/// Checks that what is there is what the caller read.
fn same_version(kind: &Kind, from: &Object, wish: &Wish) -> Result<(), Error> {
    let is = hash(&from.fields);
    if wish.hash == is || (wish.hash.is_empty() && wish.dry_run) {
        return Ok(());
    }
    let id = clean(&from.id, 80);
    Err(Error::conflict(match wish.hash.is_empty() {
        true => format!(
            "there is a {} '{id}' already: read it with home_config_get and give its hash, so that \
             nothing made elsewhere is overwritten; for a new one choose another id",
            kind.name
        ),
        false => format!(
            "the {} '{id}' was changed since it was read (its hash is {is} now, not {}): read it again \
             and make your change to that",
            kind.name,
            clean(&wish.hash, 20)
        ),
    }))
}

/// Returns all fields as they are to be.
fn wanted(kind: &Kind, from: Option<&Object>, wish: &Wish) -> Result<Map<String, Value>, Error> {
    let mut whole = Value::Object(from.map(|from| from.fields.clone()).unwrap_or_default());
    if !wish.path.is_empty() {
        put(&mut whole, &wish.path, wish.config.clone())?;
    } else {
        let Value::Object(config) = &wish.config else {
            return Err(Error::invalid(format!(
                "config must be an object with fields of a {}, like {}",
                kind.name, kind.example
            )));
        };
        let Value::Object(fields) = &mut whole else { return Err(Error::broken("no object")) };
        for (field, value) in config {
            match value.is_null() && !kind.is_nullable(field) {
                true => drop(fields.shift_remove(field)),
                false => drop(fields.insert(field.clone(), value.clone())),
            }
        }
        // What is written back with a whole config; it is the id, not a field.
        if kind.way == Way::File {
            fields.shift_remove("id");
        }
    }
    match whole {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::broken("no object")),
    }
}
