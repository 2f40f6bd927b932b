//! One entity, and what can be asked of it.

use crate::policy::EntityFacts;
use serde_json::{Map, Value};
use std::sync::Arc;

/// An entity as Home Assistant described it last.
#[derive(Clone, Debug)]
pub(crate) struct Entity {
    pub(crate) state: Arc<str>,
    /// A JSON object.
    pub(crate) attributes: Box<str>,
    pub(crate) name: Option<Arc<str>>,
    /// When its state changed, seconds since 1970.
    pub(crate) changed: f64,
    /// When its state or an attribute changed.
    pub(crate) updated: f64,
    /// The id of the call that caused it.
    pub(crate) context: Box<str>,
    pub(crate) area: Option<Arc<str>>,
    pub(crate) labels: Arc<[Arc<str>]>,
    pub(crate) exposed: bool,
}

impl Entity {
    /// Returns the attributes as an object.
    pub(crate) fn attributes(&self) -> Map<String, Value> {
        serde_json::from_str(&self.attributes).unwrap_or_default()
    }

    /// Returns one attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<Value> {
        // Most entities lack most attributes: do not build the object to find that out.
        self.attributes.contains(name).then(|| self.attributes().remove(name)).flatten()
    }

    /// Returns what a scope needs to know.
    pub(crate) fn facts<'a>(&'a self, entity_id: &'a str) -> EntityFacts<'a> {
        let area = self.area.as_deref();
        EntityFacts { entity_id, area, labels: &self.labels, exposed: self.exposed }
    }

    /// Returns the members of a group, a scene or the like: whatever it acts on.
    pub(crate) fn members(&self) -> Vec<String> {
        match self.attribute("entity_id") {
            Some(Value::Array(ids)) => {
                ids.into_iter().filter_map(|id| id.as_str().map(str::to_owned)).collect()
            }
            Some(Value::String(id)) => vec![id],
            _ => Vec::new(),
        }
    }
}
