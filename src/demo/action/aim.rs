//! Finds the entities a call is aimed at: by entity, device, area, floor or label. Pure.

use crate::demo::action::Data;
use crate::demo::action::catalogue::{Aim, Service};
use crate::demo::entity::Entity;
use crate::demo::house::House;
use crate::demo::plan::{self, Device, Thing};
use crate::demo::registry;
use serde_json::Value;
use std::sync::Arc;

/// Returns the entities of the target that the service can be meant for, in the house's order.
/// Whatever the target names in vain is left out, as Home Assistant does.
pub(crate) fn entities(house: &House, service: &Service, target: &Data) -> Vec<Arc<Entity>> {
    let is_own = |e: &Entity| service.aim == Aim::Any || e.domain() == service.domain;
    let by_id = words(target, "entity_id");
    let wants_all = by_id.contains(&"all");
    let planned =
        |id: &str| plan::thing(id).is_some_and(|(device, thing)| is_aimed(target, device, thing));
    let mut out: Vec<Arc<Entity>> = Vec::new();
    let indirect = target.keys().any(|key| key != "entity_id");
    if !wants_all && !indirect {
        // The common case needs no walk over a large house.
        for id in by_id {
            let Some(entity) = house.get(id).filter(|e| is_own(e)) else { continue };
            if !out.iter().any(|e| e.id == entity.id) {
                out.push(entity.clone());
            }
        }
        return out;
    }
    let is_meant =
        |e: &&Arc<Entity>| is_own(e) && (wants_all || by_id.contains(&&*e.id) || planned(&e.id));
    out.extend(house.all().iter().filter(is_meant).cloned());
    out
}

fn words<'a>(target: &'a Data, key: &str) -> Vec<&'a str> {
    let list = target.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn is_aimed(target: &Data, device: Option<&Device>, thing: &Thing) -> bool {
    let has = |key: &str, id: &str| words(target, key).contains(&id);
    if thing.labels.iter().any(|label| has("label_id", label)) {
        return true;
    }
    let Some(device) = device else { return false };
    let area = device.area.and_then(|id| plan::AREAS.iter().find(|a| a.id == id));
    has("device_id", &registry::device_id(device))
        || device.labels.iter().any(|label| has("label_id", label))
        || area.is_some_and(|area| has("area_id", area.id) || has("floor_id", area.floor))
}
