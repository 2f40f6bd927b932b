//! The registries as Home Assistant lists them: floors, areas, labels, devices, entities. Pure.
//!
//! Made from the plan when asked for and kept nowhere; long lists are written row by row, so that
//! a house of thousands needs no second copy of itself.

use crate::demo::entity::Entity;
use crate::demo::house::House;
use crate::demo::plan::{self, Device, Kind, Thing};
use serde_json::{Value, json};

/// When everything was set up, seconds since 1970.
const SET_UP: f64 = 1_790_000_000.5;
/// The one configuration entry.
const ENTRY: &str = "01M500000000000000000DEMO0";

/// Returns the id of a device: 32 hexadecimal digits made from its name.
pub(crate) fn device_id(device: &Device) -> String {
    long_id("device", device.id)
}

fn long_id(kind: &str, name: &str) -> String {
    let hash = |start: u64| {
        let bytes = kind.bytes().chain(name.bytes());
        bytes.fold(start, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    };
    format!("{:016x}{:016x}", hash(0xcbf2_9ce4_8422_2325), hash(0x6c62_272e_07bb_0142))
}

/// Returns the answer to `config/<name>_registry/list`, as JSON text; none for another name.
pub(crate) fn list(name: &str, house: &House) -> Option<String> {
    Some(match name {
        "floor" => rows(plan::FLOORS.iter().map(|f| {
            json!({
                "aliases": [], "created_at": SET_UP, "floor_id": f.id, "icon": f.icon,
                "level": f.level, "name": f.name, "modified_at": SET_UP
            })
        })),
        "area" => rows(plan::AREAS.iter().map(|a| {
            json!({
                "aliases": [], "area_id": a.id, "floor_id": a.floor,
                "humidity_entity_id": a.humidity, "icon": a.icon, "labels": [], "name": a.name,
                "picture": null, "temperature_entity_id": a.temperature,
                "created_at": SET_UP, "modified_at": SET_UP
            })
        })),
        "label" => rows(plan::LABELS.iter().map(|l| {
            json!({
                "color": l.colour, "created_at": SET_UP, "description": l.description,
                "icon": l.icon, "label_id": l.id, "name": l.name, "modified_at": SET_UP
            })
        })),
        "device" => rows(plan::DEVICES.iter().map(device)),
        "entity" => rows(entities(house).map(|(entity, planned)| row(entity, planned))),
        _ => return None,
    })
}

/// Returns the answer to `config/entity_registry/list_for_display`, as JSON text.
pub(crate) fn list_for_display(house: &House) -> String {
    let entities = rows(entities(house).map(|(entity, planned)| short_row(entity, planned)));
    format!(
        "{{\"entity_categories\":{{\"0\":\"config\",\"1\":\"diagnostic\"}},\"entities\":{entities}}}"
    )
}

/// Returns the answer to `homeassistant/expose_entity/list`, as JSON text.
pub(crate) fn exposed(house: &House) -> String {
    let shown = entities(house).filter(|(_, planned)| planned.is_none_or(|(_, t)| t.is_exposed));
    let mut out = String::from("{\"exposed_entities\":{");
    for (n, (entity, _)) in shown.enumerate() {
        if n > 0 {
            out.push(',');
        }
        // Entity ids need no escaping.
        out.extend(["\"", &entity.id, "\":{\"conversation\":true}"]);
    }
    out.push_str("}}");
    out
}

type Planned = Option<(Option<&'static Device>, &'static Thing)>;

/// Every entity with its place in the plan; what was added for measuring has none. The sun, zones
/// and the like are in no registry.
fn entities(house: &House) -> impl Iterator<Item = (&Entity, Planned)> {
    let mut planned = plan::things();
    let with_plan = house.all().iter().map(move |entity| (&**entity, planned.next()));
    with_plan.filter(|(_, planned)| planned.is_none_or(|(_, t)| is_registered(t)))
}

fn is_registered(thing: &Thing) -> bool {
    !matches!(thing.kind, Kind::Zone | Kind::Sun)
}

fn rows(rows: impl Iterator<Item = Value>) -> String {
    let mut out = String::from("[");
    for row in rows {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&row.to_string());
    }
    out.push(']');
    out
}

fn device(d: &Device) -> Value {
    json!({
        "area_id": d.area, "configuration_url": null, "config_entries": [ENTRY],
        "config_entries_subentries": { ENTRY: [null] }, "config_entry_id": ENTRY,
        "config_subentry_id": null, "connections": [], "created_at": SET_UP,
        "disabled_by": null, "entry_type": null, "hw_version": null, "id": device_id(d),
        "identifiers": [["demo_house", d.id]], "labels": d.labels, "manufacturer": d.maker,
        "model": d.model, "model_id": null, "modified_at": SET_UP, "name_by_user": null,
        "name": d.name, "next_name_part": d.area.map(|_| "area"), "parent_device_id": null,
        "primary_config_entry": ENTRY, "serial_number": null, "sw_version": "1.0",
        "via_device_id": null
    })
}

fn platform(entity: &Entity, planned: Planned) -> &str {
    match planned {
        Some((_, t)) if matches!(t.kind, Kind::Scene(_)) => "homeassistant",
        Some((_, t)) if matches!(t.kind, Kind::List(_)) => "local_todo",
        Some((None, t)) if !matches!(t.kind, Kind::Weather) => entity.domain(),
        _ => "demo",
    }
}

fn row(entity: &Entity, planned: Planned) -> Value {
    let platform = platform(entity, planned).to_owned();
    let (device, thing) = planned.map_or((None, None), |(d, t)| (d, Some(t)));
    let entry = (platform == "demo").then_some(ENTRY);
    let own_name = match thing {
        Some(thing) => thing.name.map(Value::from).unwrap_or_default(),
        None => Value::from(entity.name()),
    };
    json!({
        "area_id": null, "categories": {}, "config_entry_id": entry, "config_subentry_id": null,
        "created_at": SET_UP, "device_id": device.map(device_id), "disabled_by": null,
        "entity_category": thing.filter(|t| t.is_diagnostic).map(|_| "diagnostic"),
        "entity_id": &*entity.id, "hidden_by": null, "icon": null,
        "id": long_id("entity", &entity.id), "labels": thing.map_or(&[][..], |t| t.labels),
        "modified_at": SET_UP, "name": null, "next_name_part": device.map(|_| "device"),
        "options": { "conversation": { "should_expose": thing.is_none_or(|t| t.is_exposed) } },
        "original_name": own_name, "platform": platform, "translation_key": null,
        "unique_id": entity.id.replace('.', "_")
    })
}

fn short_row(entity: &Entity, planned: Planned) -> Value {
    let (device, thing) = planned.map_or((None, None), |(d, t)| (d, Some(t)));
    let mut row = json!({
        "ei": &*entity.id,
        "pl": platform(entity, planned),
        "lb": thing.map_or(&[][..], |t| t.labels)
    });
    if let Some(device) = device {
        row["di"] = device_id(device).into();
        row["np"] = "device".into();
    }
    if thing.is_some_and(|t| t.is_diagnostic) {
        row["ec"] = 1.into();
    }
    let own_name = thing.map_or(Some(entity.name()), |t| t.name);
    if let Some(name) = own_name {
        row["en"] = name.into();
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_registry_lists_its_rows_with_ids_of_their_own() {
        let house = House::new(1, 1.8e9, 3);
        for (name, key, count) in [
            ("floor", "floor_id", 2),
            ("area", "area_id", 7),
            ("label", "label_id", 3),
            ("device", "id", plan::DEVICES.len()),
            ("entity", "entity_id", house.all().len() - 2),
        ] {
            let list: Vec<Value> = serde_json::from_str(&list(name, &house).unwrap()).unwrap();
            let ids: BTreeSet<&str> = list.iter().map(|row| row[key].as_str().unwrap()).collect();
            assert_eq!(ids.len(), count, "{name}");
        }
        assert!(list("tag", &house).is_none());
        let shown: Value = serde_json::from_str(&list_for_display(&house)).unwrap();
        assert_eq!(shown["entities"].as_array().unwrap().len(), house.all().len() - 2);
        let exposed: Value = serde_json::from_str(&exposed(&house)).unwrap();
        assert!(exposed["exposed_entities"].get("light.hallway").is_some());
        assert!(exposed["exposed_entities"].get("sensor.front_door_battery").is_none());
    }
}
