//! Entities as answers show them: cleaned, with names of areas and times in the house's zone.

use crate::home::entities::{Cache, Entity};
use crate::home::house::House;
use crate::home::select::Sight;
use crate::home::text::{self, clean};
use serde_json::{Map, Value, json};

/// One entity in an answer.
pub(crate) type Row = Map<String, Value>;

/// What a row holds besides the id.
pub(crate) const USUAL: &[&str] = &["name", "state", "unit", "area"];

/// Every field that is no attribute.
pub(crate) const FIELDS: &[&str] = &[
    "id",
    "name",
    "state",
    "unit",
    "area",
    "floor",
    "labels",
    "device",
    "last_changed",
    "last_updated",
    "exposed",
    "attributes",
];

/// Attributes that nobody reads in text: pictures, lists of what could be chosen.
const SILENT: &[&str] = &["friendly_name", "entity_picture", "icon", "supported_features"];

/// Returns a row with these fields: `name`, `state`, `unit`, `area`, `floor`, `labels`, `device`,
/// `last_changed`, `exposed`, or any attribute. What an entity does not have is left out.
pub(crate) fn row(
    house: &House,
    cache: &Cache,
    id: &str,
    entity: &Entity,
    fields: &[impl AsRef<str>],
) -> Row {
    let mut row = Row::new();
    row.insert("id".into(), id.into());
    for field in fields {
        let field = field.as_ref();
        if let Some(value) = value(house, cache, id, entity, field) {
            row.insert(clean(field, 100), value);
        }
    }
    row
}

fn value(house: &House, cache: &Cache, id: &str, entity: &Entity, field: &str) -> Option<Value> {
    let registry = &cache.registry;
    let area = || entity.area.as_ref().and_then(|area| registry.areas.get(area));
    match field {
        "name" => Some(clean(entity.name.as_deref()?, 100).into()),
        "state" if is_password(entity) => Some(HIDDEN.into()),
        "state" => Some(clean(&entity.state, 255).into()),
        "unit" => {
            let unit = entity.attribute("unit_of_measurement")?;
            Some(clean(unit.as_str()?, 20).into())
        }
        "area" => Some(clean(&area()?.name, 60).into()),
        "floor" => Some(clean(&registry.floors.get(area()?.floor.as_ref()?)?.name, 60).into()),
        "labels" if entity.labels.is_empty() => None,
        "labels" => {
            let name = |id: &std::sync::Arc<str>| registry.labels.get(id).map(|label| &label.name);
            let names = entity.labels.iter().map(|id| clean(name(id).unwrap_or(id), 60));
            Some(names.collect::<Vec<_>>().into())
        }
        "device" => {
            let device = registry.entries.get(id)?.device.as_ref()?;
            Some(clean(registry.devices.get(device)?.name()?, 100).into())
        }
        "last_changed" => Some(house.time(entity.changed).into()),
        "last_updated" => Some(house.time(entity.updated).into()),
        "exposed" => Some(entity.exposed.into()),
        "attributes" => Some(attributes(entity, None)),
        key if KEYS.contains(&key) => None,
        // One that says nothing is left out like one that is not there.
        attribute => {
            Some(text::clean_value(entity.attribute(attribute).filter(|value| !value.is_null())?))
        }
    }
}

/// Returns everything of an entity; `wanted` chooses the attributes, `None` is all that say
/// something.
pub(crate) fn whole(
    house: &House,
    cache: &Cache,
    id: &str,
    entity: &Entity,
    wanted: Option<&[String]>,
) -> Row {
    let fields = ["name", "state", "unit", "area", "floor", "device", "labels", "last_changed"];
    let mut row = row(house, cache, id, entity, &fields);
    if (entity.updated - entity.changed).abs() >= 1.0 {
        row.insert("last_updated".into(), house.time(entity.updated).into());
    }
    let attributes = attributes(entity, wanted);
    if attributes.as_object().is_some_and(|all| !all.is_empty()) {
        row.insert("attributes".into(), attributes);
    }
    row
}

/// What is shown in place of a password.
pub(crate) const HIDDEN: &str = "(hidden)";

/// Takes the ids of members that may not be seen out of a row: a group may be seen, and part of what
/// is in it not.
pub(crate) fn hide_members(row: &mut Row, cache: &Cache, sight: Sight<'_>) {
    const MEMBERS: [&str; 2] = ["entity_id", "group_members"];
    if sight.is_open() {
        return;
    }
    let is_seen = |id: &Value| id.as_str().is_none_or(|id| sight.get(cache, id).is_some());
    let hide = |fields: &mut Row| {
        for name in MEMBERS {
            match fields.get_mut(name) {
                Some(Value::Array(ids)) => ids.retain(is_seen),
                Some(one) if !is_seen(one) => *one = Value::Null,
                _ => {}
            }
        }
    };
    hide(row);
    if let Some(Value::Object(attributes)) = row.get_mut("attributes") {
        hide(attributes);
    }
}

/// Whether the state is a password: a text entity in that mode.
pub(crate) fn is_password(entity: &Entity) -> bool {
    entity.attributes.contains("\"password\"")
        && entity.attribute("mode").is_some_and(|mode| mode == "password")
}

/// Attributes that are keys to something, such as a camera's pictures: nobody is shown them.
const KEYS: &[&str] = &["access_token", "entity_picture", "entity_picture_local"];

fn attributes(entity: &Entity, wanted: Option<&[String]>) -> Value {
    let mut all = entity.attributes();
    all.retain(|name, _| !KEYS.contains(&name.as_str()));
    match wanted {
        Some(wanted) => all.retain(|name, _| wanted.contains(name)),
        None => all.retain(|name, value| !SILENT.contains(&name.as_str()) && !value.is_null()),
    }
    text::clean_value(Value::Object(all))
}

/// Returns what a page or another program reads of an entity.
pub(crate) fn json(
    house: &House,
    cache: &Cache,
    sight: Sight<'_>,
    id: &str,
    entity: &Entity,
) -> Value {
    let mut row = whole(house, cache, id, entity, None);
    hide_members(&mut row, cache, sight);
    if let Some(area) = &entity.area {
        row.insert("area_id".into(), json!(clean(area, 60)));
    }
    if let Some(category) = cache.registry.entries.get(id).and_then(|entry| entry.category()) {
        row.insert("category".into(), category.into());
    }
    row.insert("house".into(), json!(*house.name));
    row.insert("exposed".into(), entity.exposed.into());
    if let Some(since) = house.stale_since() {
        row.insert("stale_since".into(), since.into());
    }
    Value::Object(row)
}
