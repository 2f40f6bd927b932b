//! What a house looks like right now: every entity's state, and where it belongs.
//!
//! Pure: fed by `feed` with Home Assistant's messages, read by tools, routes and resources; it does
//! no I/O and publishes nothing itself, but returns the events that a message caused. It never
//! guesses a state: what is in here was said by Home Assistant. Kept small: attributes stay raw JSON
//! text, shared texts exist once.

mod delta;
mod entity;
mod fields;
mod pool;
mod registry;
mod services;

#[cfg(test)]
mod tests;

pub(crate) use entity::Entity;
pub(crate) use fields::{Field, Form};
pub(crate) use registry::{Area, Entry, Registry, Shelf};
pub(crate) use services::{Aim, Services};

use crate::error::Error;
use crate::events;
use crate::home::text;
use crate::home::view::{HIDDEN, is_password};
use delta::{Delta, Diff, Whole};
use pool::Pool;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Larger attributes of one entity are left out, and it is said in their place.
pub(crate) const MOST_ATTRIBUTES: usize = 64 * 1024;
/// Home Assistant allows states of 255 characters.
const LONGEST_STATE: usize = 255;

/// One house.
pub(crate) struct Cache {
    house: Arc<str>,
    most: usize,
    entities: BTreeMap<Arc<str>, Entity>,
    pub(crate) registry: Registry,
    pub(crate) services: Services,
    pool: Pool,
    /// So many entities were left out because the house has more than `most`.
    pub(crate) left_out: usize,
}

impl Cache {
    /// Makes the cache of a house of which nothing is known, for at most `most` entities.
    pub(crate) fn new(house: Arc<str>, most: usize) -> Cache {
        Cache {
            house,
            most,
            entities: BTreeMap::new(),
            registry: Registry::default(),
            services: Services::default(),
            pool: Pool::default(),
            left_out: 0,
        }
    }

    /// Returns an entity.
    pub(crate) fn get(&self, id: &str) -> Option<&Entity> {
        self.entities.get(id)
    }

    /// Returns an entity and the cache's own copy of its id.
    pub(crate) fn key_value(&self, id: &str) -> Option<(&Arc<str>, &Entity)> {
        self.entities.get_key_value(id)
    }

    /// Whether any entity is of this domain.
    pub(crate) fn has_domain(&self, domain: &str) -> bool {
        let first: Arc<str> = format!("{domain}.").into();
        let next = self.entities.range(first.clone()..).next();
        next.is_some_and(|(id, _)| id.starts_with(&*first))
    }

    /// Returns every entity, in the order of the ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Entity)> {
        self.entities.iter()
    }

    /// Returns how many entities there are.
    pub(crate) fn len(&self) -> usize {
        self.entities.len()
    }

    /// Applies a message of `subscribe_entities` and returns what changed. With `whole`, what the
    /// message does not name is gone: the first message of a connection names everything.
    ///
    /// # Errors
    /// Broken when the message cannot be understood; the cache cannot be trusted after that until
    /// the next whole message.
    pub(crate) fn apply(&mut self, json: &str, whole: bool) -> Result<Vec<events::Entity>, Error> {
        let delta = Delta::read(json)?;
        let mut changes = Vec::new();
        if whole {
            self.left_out = 0;
            let gone: Vec<_> =
                self.entities.keys().filter(|id| !delta.a.contains_key(&***id)).cloned().collect();
            changes.extend(gone.iter().filter_map(|id| self.remove(id)));
        }
        for (id, state) in delta.a {
            changes.extend(self.add(&id, state));
        }
        for (id, diff) in delta.c {
            changes.extend(self.change(&id, diff)?);
        }
        changes.extend(delta.r.iter().filter_map(|id| self.remove(id)));
        Ok(changes)
    }

    /// Replaces a registry and finds every entity's place anew.
    ///
    /// # Errors
    /// Broken when the answer cannot be understood; nothing is changed then.
    pub(crate) fn set_registry(&mut self, shelf: Shelf, json: &str) -> Result<(), Error> {
        if shelf == Shelf::Services {
            self.services = Services::read(json).map_err(|e| shelf.odd(e))?;
            return Ok(());
        }
        self.registry.set(shelf, json, &mut self.pool)?;
        let mut entities = std::mem::take(&mut self.entities);
        for (id, entity) in &mut entities {
            self.place(id, entity);
        }
        self.entities = entities;
        Ok(())
    }

    fn place(&mut self, id: &str, entity: &mut Entity) {
        entity.exposed = self.registry.exposed.contains(id);
        let Some(entry) = self.registry.entries.get(id) else {
            (entity.area, entity.labels) = (None, self.pool.none());
            return;
        };
        entity.area = self.registry.area_of(entry).map(|area| self.pool.share(area));
        let labels = self.registry.labels_of(entry);
        entity.labels = self.pool.share_all(&labels);
        if entity.name.is_none() {
            entity.name = entry.name.clone();
        }
    }

    fn add(&mut self, id: &str, new: Whole<'_>) -> Option<events::Entity> {
        let known = self.entities.get_key_value(id).map(|(id, _)| id.clone());
        if known.is_none() && self.entities.len() >= self.most {
            self.left_out += 1;
            return None;
        }
        let id = known.unwrap_or_else(|| id.into());
        let attributes = kept(new.a.map_or("{}", RawValue::get));
        let mut entity = Entity {
            state: self.share_state(&new.s),
            name: name_in(&attributes),
            attributes,
            changed: new.lc,
            updated: new.lu.unwrap_or(new.lc),
            context: new.c.as_ref().and_then(delta::Context::id).unwrap_or_default().into(),
            area: None,
            labels: self.pool.none(),
            exposed: false,
        };
        self.place(&id, &mut entity);
        let old = self.entities.insert(id.clone(), entity);
        let entity = self.entities.get(&id)?;
        let same = old
            .as_ref()
            .is_some_and(|old| old.state == entity.state && old.attributes == entity.attributes);
        (!same).then(|| self.event(&id, entity, old.map(|old| old.state)))
    }

    fn change(&mut self, id: &str, diff: Diff<'_>) -> Result<Option<events::Entity>, Error> {
        let Some((id, old)) = self.entities.get_key_value(id) else {
            // Left out because the house is too large, or removed a moment ago.
            return Ok(None);
        };
        let (id, mut new) = (id.clone(), old.clone());
        let old_state = old.state.clone();
        if let Some(plus) = &diff.plus {
            if let Some(state) = &plus.s {
                new.state = self.share_state(state);
            }
            if let Some(changed) = plus.lc {
                (new.changed, new.updated) = (changed, changed);
            }
            if let Some(updated) = plus.lu {
                new.updated = updated;
            }
            if let Some(context) = plus.c.as_ref().and_then(delta::Context::id) {
                new.context = context.into();
            }
        }
        let added = diff.plus.as_ref().and_then(|plus| plus.a);
        let gone = diff.minus.map(|minus| minus.a).unwrap_or_default();
        if added.is_some() || !gone.is_empty() {
            new.attributes = merged(&new, added, &gone)?;
            new.name = name_in(&new.attributes)
                .or_else(|| self.registry.entries.get(&id).and_then(|entry| entry.name.clone()));
        }
        let event = self.event(&id, &new, Some(old_state));
        self.entities.insert(id, new);
        Ok(Some(event))
    }

    fn remove(&mut self, id: &str) -> Option<events::Entity> {
        let (id, old) = self.entities.remove_entry(id)?;
        let mut event = self.event(&id, &old, Some(old.state.clone()));
        event.state = None;
        Some(event)
    }

    fn event(&self, id: &Arc<str>, entity: &Entity, old: Option<Arc<str>>) -> events::Entity {
        // Readers of the bus are shown a password no more than whoever asks for the entity.
        let hidden = is_password(entity).then(|| Arc::<str>::from(HIDDEN));
        events::Entity {
            house: self.house.clone(),
            entity_id: id.clone(),
            state: hidden.clone().or_else(|| Some(entity.state.clone())),
            old_state: old.map(|old| hidden.unwrap_or(old)),
            name: entity.name.clone(),
            area: entity.area.clone(),
            labels: entity.labels.clone(),
            exposed: entity.exposed,
            changed: entity.changed,
        }
    }

    fn share_state(&mut self, state: &str) -> Arc<str> {
        match state.chars().count() > LONGEST_STATE {
            true => text::clean(state, LONGEST_STATE).into(),
            false => self.pool.share(state),
        }
    }
}

/// Returns the attributes as they are kept.
fn kept(json: &str) -> Box<str> {
    if json.len() <= MOST_ATTRIBUTES {
        return json.into();
    }
    let name = name_in(json).map(|name| text::clean(&name, 200));
    let why = format!("{} bytes of attributes are too many and were left out", json.len());
    let stub = serde_json::json!({ "friendly_name": name, "left_out": why });
    stub.to_string().into()
}

fn merged(old: &Entity, added: Option<&RawValue>, gone: &[String]) -> Result<Box<str>, Error> {
    let mut all = old.attributes();
    all.retain(|name, _| !gone.contains(name));
    if let Some(added) = added {
        let added: Map<String, Value> = serde_json::from_str(added.get())
            .map_err(|e| Error::broken("attributes that are no object").because(e))?;
        all.extend(added);
    }
    let json = serde_json::to_string(&all)
        .map_err(|e| Error::broken("attributes cannot be written").because(e))?;
    Ok(kept(&json))
}

/// Returns the friendly name among the attributes.
fn name_in(attributes: &str) -> Option<Arc<str>> {
    #[derive(serde::Deserialize)]
    struct Named {
        friendly_name: Option<String>,
    }
    let named: Named = serde_json::from_str(attributes).ok()?;
    named.friendly_name.filter(|name| !name.is_empty()).map(Into::into)
}
