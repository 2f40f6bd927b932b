//! One entity: its state, attributes and times, and how Home Assistant writes them down. Pure.

use crate::demo::attr::{Attrs, Val};
use crate::demo::time::{iso, ulid};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::sync::Arc;

/// Id of the one user of the demo house.
pub(crate) const USER: &str = "6d656d6f2d686f75736500000000cafe";

/// Who or what caused something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    /// Unique; its upper 48 bits are the time in milliseconds.
    pub(crate) id: u128,
    /// Whether the connected user caused it, not the house itself.
    pub(crate) by_user: bool,
}

impl Context {
    fn user(self) -> Value {
        if self.by_user { Value::from(USER) } else { Value::Null }
    }

    /// Returns the long form.
    pub(crate) fn json(self) -> Value {
        json!({ "id": ulid(self.id), "parent_id": null, "user_id": self.user() })
    }

    /// Returns the short form: only the id when nobody caused it.
    fn short(self) -> Value {
        if self.by_user { self.json() } else { Value::from(ulid(self.id)) }
    }
}

/// One entity.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    /// `domain.name`.
    pub(crate) id: Arc<str>,
    /// The state.
    pub(crate) state: Cow<'static, str>,
    /// The attributes.
    pub(crate) attrs: Attrs,
    /// Who caused the last change.
    pub(crate) context: Context,
    /// When the state changed, seconds since 1970.
    pub(crate) changed: f64,
    /// When state or attributes changed.
    pub(crate) updated: f64,
}

impl Entity {
    /// Returns the part before the dot.
    pub(crate) fn domain(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// Sets the state.
    pub(crate) fn put(&mut self, state: impl Into<Cow<'static, str>>) {
        self.state = state.into();
    }

    /// Sets an attribute.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Val>) {
        self.attrs.set(name, value);
    }

    /// Returns an attribute as a number.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.attrs.get(name).number()
    }

    /// Whether the state is one of "on" sort.
    pub(crate) fn is(&self, state: &str) -> bool {
        self.state == state
    }

    /// Returns the name people see.
    pub(crate) fn name(&self) -> &str {
        self.attrs.get("friendly_name").text().unwrap_or(&self.id)
    }

    /// Whether `supported_features` has all of these bits.
    pub(crate) fn supports(&self, bits: i64) -> bool {
        matches!(self.attrs.get("supported_features"), Val::Int(have) if have & bits == bits)
    }
}

/// An entity in the long form of `get_states` and of events.
pub(crate) struct Long<'a>(pub(crate) &'a Entity);

impl Serialize for Long<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let e = self.0;
        let mut map = to.serialize_map(Some(7))?;
        map.serialize_entry("entity_id", &*e.id)?;
        map.serialize_entry("state", &e.state)?;
        map.serialize_entry("attributes", &e.attrs)?;
        map.serialize_entry("last_changed", &iso(e.changed))?;
        map.serialize_entry("last_reported", &iso(e.updated))?;
        map.serialize_entry("last_updated", &iso(e.updated))?;
        map.serialize_entry("context", &e.context.json())?;
        map.end()
    }
}

/// An entity in the short form of `subscribe_entities`.
pub(crate) struct Short<'a>(pub(crate) &'a Entity);

impl Serialize for Short<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let e = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("s", &e.state)?;
        map.serialize_entry("a", &e.attrs)?;
        map.serialize_entry("c", &e.context.short())?;
        map.serialize_entry("lc", &e.changed)?;
        if e.updated != e.changed {
            map.serialize_entry("lu", &e.updated)?;
        }
        map.end()
    }
}

/// Returns what turned `old` into `new`, as `subscribe_entities` tells it.
pub(crate) fn difference(old: &Entity, new: &Entity) -> Value {
    let mut plus = Map::new();
    if old.state != new.state {
        plus.insert("s".into(), Value::from(&*new.state));
    }
    if old.changed != new.changed {
        plus.insert("lc".into(), Value::from(new.changed));
    } else if old.updated != new.updated {
        plus.insert("lu".into(), Value::from(new.updated));
    }
    match (old.context.by_user == new.context.by_user, old.context.id == new.context.id) {
        (true, true) => {}
        (true, false) => drop(plus.insert("c".into(), Value::from(ulid(new.context.id)))),
        (false, _) => {
            let context = json!({ "user_id": new.context.user(), "id": ulid(new.context.id) });
            plus.insert("c".into(), context);
        }
    }
    let changed = |(name, value): &(&'static str, &Val)| {
        !old.attrs.has(name) || old.attrs.get(name) != *value
    };
    let attrs: Map<String, Value> = new
        .attrs
        .iter()
        .filter(changed)
        .map(|(name, value)| (name.to_owned(), value.json()))
        .collect();
    if !attrs.is_empty() {
        plus.insert("a".into(), Value::Object(attrs));
    }
    let mut out = Map::from_iter([("+".to_owned(), Value::Object(plus))]);
    let gone: Vec<&str> =
        old.attrs.iter().map(|(name, _)| name).filter(|name| !new.attrs.has(name)).collect();
    if !gone.is_empty() {
        out.insert("-".into(), json!({ "a": gone }));
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lamp() -> Entity {
        Entity {
            id: "light.lamp".into(),
            state: "off".into(),
            attrs: Attrs::new(vec![("brightness", Val::Null), ("effect", "none".into())]),
            context: Context { id: 1, by_user: false },
            changed: 10.5,
            updated: 10.5,
        }
    }

    #[test]
    fn a_change_is_told_by_its_difference_only() {
        let old = lamp();
        let mut new = old.clone();
        new.put("on");
        new.attrs = Attrs::new(vec![("brightness", Val::Int(128))]);
        new.changed = 11.0;
        new.updated = 11.0;
        new.context = Context { id: 2, by_user: true };
        assert_eq!(
            difference(&old, &new),
            json!({
                "+": { "s": "on", "lc": 11.0, "a": { "brightness": 128 },
                       "c": { "user_id": USER, "id": "00000000000000000000000002" } },
                "-": { "a": ["effect"] }
            })
        );
        let mut later = new.clone();
        later.updated = 12.0;
        later.context.id = 3;
        let expected = json!({ "+": { "lu": 12.0, "c": "00000000000000000000000003" } });
        assert_eq!(difference(&new, &later), expected);
    }

    #[test]
    fn short_form_leaves_out_what_is_equal() {
        let short = serde_json::to_value(Short(&lamp())).unwrap();
        assert_eq!(
            short,
            json!({ "s": "off", "a": { "brightness": null, "effect": "none" },
                    "c": "00000000000000000000000001", "lc": 10.5 })
        );
        let long = serde_json::to_value(Long(&lamp())).unwrap();
        assert_eq!(long["last_changed"], "1970-01-01T00:00:10.500000+00:00");
        assert_eq!(long["context"]["user_id"], Value::Null);
    }
}
