//! What a call reaches without being aimed at it: members of scenes and groups, ids among the data.
//! Pure.

use crate::home::entities::Cache;
use crate::home::select::{Sight, domain};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Entities that a call reaches without being aimed at them: members of groups and scenes, ids among
/// the data, the script that a service is named after.
pub(super) fn implied(
    cache: &Cache,
    service: &str,
    touched: &[Arc<str>],
    data: &Map<String, Value>,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for id in touched {
        add_members(cache, id, &mut found, 0);
    }
    for (key, value) in data {
        add_mentioned(cache, key, &mut found);
        add_ids(cache, value, &mut found, 0);
    }
    if domain(service) == "script" {
        add_mentioned(cache, service, &mut found);
    }
    found.retain(|id| !touched.iter().any(|touched| **touched == **id));
    found
}

fn add_members(cache: &Cache, id: &str, found: &mut BTreeSet<String>, depth: usize) {
    let Some(entity) = cache.get(id).filter(|_| depth < 8) else { return };
    for member in entity.members() {
        if cache.get(&member).is_some() && found.insert(member.clone()) {
            add_members(cache, &member, found, depth + 1);
        }
    }
}

fn add_ids(cache: &Cache, value: &Value, found: &mut BTreeSet<String>, depth: usize) {
    match value {
        Value::String(text) => text.split(',').for_each(|id| add_mentioned(cache, id, found)),
        Value::Array(items) if depth < 8 => {
            items.iter().for_each(|item| add_ids(cache, item, found, depth + 1));
        }
        Value::Object(fields) if depth < 8 => {
            for (key, field) in fields {
                add_mentioned(cache, key, found);
                add_ids(cache, field, found, depth + 1);
            }
        }
        _ => {}
    }
}

fn add_mentioned(cache: &Cache, text: &str, found: &mut BTreeSet<String>) {
    let id = text.trim();
    if id.contains('.') && cache.get(id).is_some() && found.insert(id.to_owned()) {
        add_members(cache, id, found, 0);
    }
}

/// What a call would reach beyond a caller's share.
#[derive(Debug, PartialEq)]
pub(super) enum Beyond {
    /// The data names this, as an entity id; whether it exists is not said.
    Named(String),
    /// A member of what the caller may use.
    Inside,
}

/// Domains of entities that have no service of their own.
const SILENT: &[&str] = &[
    "air_quality",
    "binary_sensor",
    "device_tracker",
    "event",
    "geo_location",
    "image",
    "person",
    "sensor",
    "stt",
    "sun",
    "wake_word",
    "zone",
];

/// Returns what a call with this data, which reaches `implied`, would reach that may not be seen. An id
/// in the data that names nothing is answered like one that is hidden: otherwise a token for one room
/// could ask for the others by guessing.
pub(super) fn beyond(
    cache: &Cache,
    sight: Sight<'_>,
    data: &Map<String, Value>,
    implied: &BTreeSet<String>,
) -> Option<Beyond> {
    let hidden = |id: &str| sight.get(cache, id).is_none();
    if sight.is_open() {
        return None;
    }
    let mut named = BTreeSet::new();
    for (key, value) in data {
        add_texts(key, &mut named);
        add_all_texts(value, &mut named, 0);
    }
    let is_id = |id: &str| is_entity_id(cache, id);
    match named.into_iter().find(|id| is_id(id) && hidden(id)) {
        Some(id) => Some(Beyond::Named(id)),
        None => implied.iter().any(|id| hidden(id)).then_some(Beyond::Inside),
    }
}

fn add_all_texts(value: &Value, found: &mut BTreeSet<String>, depth: usize) {
    match value {
        Value::String(text) => add_texts(text, found),
        Value::Array(items) if depth < 8 => {
            items.iter().for_each(|item| add_all_texts(item, found, depth + 1));
        }
        Value::Object(fields) if depth < 8 => {
            for (key, field) in fields {
                add_texts(key, found);
                add_all_texts(field, found, depth + 1);
            }
        }
        _ => {}
    }
}

fn add_texts(text: &str, found: &mut BTreeSet<String>) {
    found.extend(text.split(',').map(|text| text.trim().to_owned()));
}

/// Whether a text can only be an entity id: `song.mp3` and `light.turn_on` are none, `light.attic` is
/// one even where there is no such lamp.
fn is_entity_id(cache: &Cache, text: &str) -> bool {
    let word = |part: &str| {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !part.is_empty() && part.chars().all(good)
    };
    let Some((own, name)) = text.split_once('.') else { return false };
    let is_domain = || {
        SILENT.contains(&own) || cache.services.of(own).next().is_some() || cache.has_domain(own)
    };
    let is_service = || cache.get(text).is_none() && cache.services.aim(text).is_some();
    word(own) && word(name) && is_domain() && !is_service()
}
