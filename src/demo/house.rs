//! The house itself: every entity, the clock, and what happened since it was last asked. Pure.
//!
//! Fed with the time by the edge and with calls by [`crate::demo::action`]; [`crate::demo::life`]
//! moves it. Read by sessions, which are told of each change in order. Touches no socket, no clock
//! of the machine and no true chance: equal seeds and equal calls give equal houses.

use crate::demo::attr::{Attrs, Val};
use crate::demo::birth;
use crate::demo::dice::Dice;
use crate::demo::entity::{Context, Entity};
use crate::demo::life::Life;
use crate::demo::plan;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entities that may be added for measuring.
pub(crate) const EXTRA_MAX: usize = 20_000;

/// Something the house tells.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// An entity changed.
    Changed { old: Arc<Entity>, new: Arc<Entity> },
    /// An event of another sort.
    Fired { name: Arc<str>, data: Arc<Value>, at: f64, context: Context },
}

/// An item of a to-do list.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) uid: String,
    pub(crate) summary: String,
    pub(crate) is_done: bool,
}

/// The house.
pub(crate) struct House {
    /// What time it is, seconds since 1970.
    pub(crate) now: f64,
    pub(crate) dice: Dice,
    pub(crate) life: Life,
    /// What stands on the shopping list.
    pub(crate) items: Vec<Item>,
    entities: Vec<Arc<Entity>>,
    index: BTreeMap<Arc<str>, u32>,
    happened: Vec<Happening>,
}

impl House {
    /// Builds the house at `now` with `extra` more entities.
    pub(crate) fn new(seed: u64, now: f64, extra: usize) -> House {
        let mut house = House {
            now,
            dice: Dice::new(seed),
            life: Life::new(now),
            items: Vec::new(),
            entities: Vec::new(),
            index: BTreeMap::new(),
            happened: Vec::new(),
        };
        for (device, thing) in plan::things() {
            let context = house.own_context();
            house.add(birth::entity(device, thing, now, context));
            if let plan::Kind::List(items) = thing.kind {
                items.iter().for_each(|item| house.write_item(item));
            }
        }
        for number in 0..extra.min(EXTRA_MAX) {
            let entity = house.extra(number);
            house.add(entity);
        }
        house.entities.shrink_to_fit();
        house.live();
        house.happened.clear();
        house
    }

    fn add(&mut self, entity: Entity) {
        self.index.insert(entity.id.clone(), self.entities.len() as u32);
        self.entities.push(Arc::new(entity));
    }

    /// A synthetic entity: three sensors to one switch.
    fn extra(&mut self, number: usize) -> Entity {
        let is_switch = (number + 1).is_multiple_of(4);
        let (domain, state) = if is_switch { ("switch", "off") } else { ("sensor", "20.0") };
        let mut pairs: Vec<(&'static str, Val)> = Vec::with_capacity(4);
        if !is_switch {
            pairs.push(("state_class", "measurement".into()));
            pairs.push(("unit_of_measurement", "°C".into()));
            pairs.push(("device_class", "temperature".into()));
        }
        pairs.push(("friendly_name", format!("Extra {number}").into()));
        Entity {
            id: format!("{domain}.extra_{number:04}").into(),
            state: state.into(),
            attrs: Attrs::new(pairs),
            context: self.own_context(),
            changed: self.now,
            updated: self.now,
        }
    }

    /// Makes the context of something the house does by itself.
    pub(crate) fn own_context(&mut self) -> Context {
        let random = (u128::from(self.dice.bits() as u16) << 64) | u128::from(self.dice.bits());
        Context { id: (((self.now * 1000.0) as u128) << 80) | random, by_user: false }
    }

    /// Makes the context of something the connected user does.
    pub(crate) fn user_context(&mut self) -> Context {
        Context { by_user: true, ..self.own_context() }
    }

    /// Returns the entity of this id.
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Entity>> {
        self.index.get(id).map(|at| &self.entities[*at as usize])
    }

    /// Returns every entity.
    pub(crate) fn all(&self) -> &[Arc<Entity>] {
        &self.entities
    }

    /// Returns the state, empty when there is no such entity.
    pub(crate) fn state(&self, id: &str) -> &str {
        self.get(id).map_or("", |e| &e.state)
    }

    /// Whether the entity is in this state.
    pub(crate) fn is(&self, id: &str, state: &str) -> bool {
        self.state(id) == state
    }

    /// Changes an entity; nobody is told when nothing changed by it.
    pub(crate) fn change(&mut self, id: &str, by: Context, edit: impl FnOnce(&mut Entity)) {
        let Some(at) = self.index.get(id) else { return };
        let old = self.entities[*at as usize].clone();
        let mut new = (*old).clone();
        edit(&mut new);
        let is_other = new.state != old.state;
        if !is_other && new.attrs == old.attrs {
            return;
        }
        new.context = by;
        new.updated = self.now;
        if is_other {
            new.changed = self.now;
        }
        let new = Arc::new(new);
        self.entities[*at as usize] = new.clone();
        self.happened.push(Happening::Changed { old, new });
    }

    /// Changes an entity by the house's own doing.
    pub(crate) fn drift(&mut self, id: &str, edit: impl FnOnce(&mut Entity)) {
        let by = self.own_context();
        self.change(id, by, edit);
    }

    /// Tells an event.
    pub(crate) fn fire(&mut self, name: &str, data: Value, context: Context) {
        let (name, data) = (name.into(), Arc::new(data));
        self.happened.push(Happening::Fired { name, data, at: self.now, context });
    }

    /// Puts an item on the shopping list.
    pub(crate) fn write_item(&mut self, summary: &str) {
        let uid = crate::demo::time::ulid(self.own_context().id);
        self.items.push(Item { uid, summary: summary.to_owned(), is_done: false });
    }

    /// Sets the clock; it never goes back.
    pub(crate) fn set_clock(&mut self, now: f64) {
        self.now = self.now.max(now);
    }

    /// Lets `seconds` pass.
    #[cfg(test)]
    pub(crate) fn tick(&mut self, seconds: f64) {
        self.set_clock(self.now + seconds);
        self.live();
    }

    /// Takes what happened since the last time.
    pub(crate) fn take_happened(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_that_stays_as_it_is_tells_nobody() {
        let mut house = House::new(1, 1.8e9, 0);
        house.drift("light.hallway", |e| e.put("off"));
        assert!(house.take_happened().is_empty());
        house.set_clock(1.8e9 + 5.0);
        house.drift("light.hallway", |e| e.set("brightness", 5i64));
        house.set_clock(1.8e9 + 6.0);
        house.drift("light.hallway", |e| e.put("on"));
        let light = house.get("light.hallway").unwrap();
        assert_eq!((light.changed, light.updated), (1.8e9 + 6.0, 1.8e9 + 6.0));
        let happened = house.take_happened();
        let Happening::Changed { new, .. } = &happened[0] else { panic!("{happened:?}") };
        assert_eq!((new.changed, new.updated), (1.8e9, 1.8e9 + 5.0));
    }

    #[test]
    fn extra_entities_have_ids_of_their_own() {
        let plain = House::new(1, 1.8e9, 0).all().len();
        let house = House::new(1, 1.8e9, 2000);
        assert_eq!(house.all().len(), plain + 2000);
        assert_eq!(house.index.len(), house.all().len());
        assert!(
            house.get("sensor.extra_0000").is_some() && house.get("switch.extra_1999").is_some()
        );
    }
}
