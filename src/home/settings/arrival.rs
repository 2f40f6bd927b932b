//! Waits until Home Assistant has loaded an automation, a script or a scene that was just written, and
//! says which entity it is and whether it works.

use crate::events::Reader;
use crate::home::house::House;
use crate::home::select::domain;
use crate::home::settings::kinds::Kind;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// Home Assistant loads them within moments; on a slow machine the answer does not wait for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// An entity that came.
pub(super) struct Arrival {
    pub(super) entity_id: String,
    /// Home Assistant could not load what was written.
    pub(super) is_broken: bool,
}

/// Waits for the entity of the file `id`; `bus` must have been read from since before the write. `None`
/// when it does not come in time.
pub(super) async fn wait(house: &House, mut bus: Reader, kind: &Kind, id: &str) -> Option<Arrival> {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look(house, kind, id) {
            return Some(found);
        }
        tokio::time::timeout_at(until, bus.next()).await.ok()?;
    }
}

fn look(house: &House, kind: &Kind, id: &str) -> Option<Arrival> {
    let cache = house.cache();
    let script = format!("script.{id}");
    let is_it = |own: &str, attribute: Option<Value>| match kind.name {
        "script" => own == script,
        _ => attribute.is_some_and(|attribute| attribute == *id),
    };
    let mut own = cache.iter().filter(|(own, _)| domain(own) == kind.name);
    let (own, entity) = own.find(|(own, entity)| is_it(own, entity.attribute("id")))?;
    let (entity_id, is_broken) = (own.to_string(), &*entity.state == "unavailable");
    // It is taken away for a moment while it is loaded anew.
    (!is_broken || kind.name != "scene").then_some(Arrival { entity_id, is_broken })
}
