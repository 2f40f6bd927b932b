//! What other services may ask of the first house: its devices and entities as the registries have them,
//! the state of one, and the services that are called. Nothing here is kept or decided.

use crate::error::Error;
use crate::events::{Event, HouseChange, Next};
use crate::home::feed::link::Subscription;
use crate::home::text::clean;
use crate::home::{Home, ask};
use crate::policy::Caller;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A device of Home Assistant's registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thing {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) area: Option<String>,
    /// Domain and identifier.
    pub(crate) identifiers: Vec<(String, String)>,
    /// Kind and value: `mac`, `zigbee` and the like.
    pub(crate) connections: Vec<(String, String)>,
}

/// An entity of Home Assistant's registry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Member {
    pub(crate) entity_id: String,
    pub(crate) unique_id: String,
    /// The integration that it comes from.
    pub(crate) platform: String,
    /// Id of its [`Thing`].
    pub(crate) device: Option<String>,
    pub(crate) is_disabled: bool,
}

/// The registries of a house, as far as the caller may see them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Things {
    pub(crate) things: Vec<Thing>,
    pub(crate) members: Vec<Member>,
}

/// The state of an entity.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) state: String,
    /// When its state or an attribute changed, in seconds since 1970.
    pub(crate) updated: f64,
}

/// A service that was called, by whomever.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServiceCall {
    /// Microseconds since 1970 (UTC), by Home Assistant's clock.
    pub(crate) at: i64,
    /// `domain.service`.
    pub(crate) service: String,
    /// What it was aimed at, as it was written.
    pub(crate) entities: Vec<String>,
    pub(crate) devices: Vec<String>,
    pub(crate) areas: Vec<String>,
}

/// The services that are called, as they are.
pub(crate) struct Calls(Subscription);

#[derive(Deserialize)]
struct RawThing {
    id: String,
    name: Option<String>,
    name_by_user: Option<String>,
    area_id: Option<String>,
    #[serde(default)]
    identifiers: Vec<Vec<Value>>,
    #[serde(default)]
    connections: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct RawMember {
    entity_id: String,
    #[serde(default)]
    unique_id: Value,
    #[serde(default)]
    platform: String,
    device_id: Option<String>,
    disabled_by: Option<String>,
}

impl Home {
    /// Asks for the registries of devices and entities.
    ///
    /// # Errors
    /// Offline while the house is away, and what Home Assistant says.
    pub(crate) async fn things(&self, caller: &Caller) -> Result<Things, Error> {
        let house = self.house(None)?;
        let list = |kind: &str| json!({ "type": format!("config/{kind}_registry/list") });
        let things: Vec<RawThing> = ask::ask(house, &list("device")).await?;
        let members: Vec<RawMember> = ask::ask(house, &list("entity")).await?;
        let cache = house.known()?;
        let sight = self.sight(caller);
        let may = |id: &str| match cache.get(id) {
            Some(entity) => sight.permits(id, entity),
            // Disabled ones have no state; who may see only some is not told of them.
            None => sight.is_open(),
        };
        let members: Vec<Member> =
            members.into_iter().filter(|raw| may(&raw.entity_id)).map(member).collect();
        let seen: BTreeMap<&str, ()> =
            members.iter().filter_map(|m| Some((m.device.as_deref()?, ()))).collect();
        let areas = &cache.registry.areas;
        let named = |id: &String| areas.get(id.as_str()).map(|area| area.name.to_string());
        let things = things
            .into_iter()
            .filter(|raw| sight.is_open() || seen.contains_key(raw.id.as_str()))
            .map(|raw| thing(raw, named))
            .collect();
        Ok(Things { things, members })
    }

    /// Returns the state of an entity that the caller may see.
    pub(crate) fn standing(&self, caller: &Caller, entity_id: &str) -> Option<Standing> {
        let house = self.house(None).ok()?;
        let cache = house.known().ok()?;
        let entity = self.sight(caller).get(&cache, entity_id)?;
        Some(Standing { state: clean(&entity.state, 255), updated: entity.updated })
    }

    /// Returns the services that are called in the first house from now on.
    ///
    /// # Errors
    /// Offline while the house is away; Refused when the token's user may not hear them.
    pub(crate) async fn calls(&self) -> Result<Calls, Error> {
        let command = json!({ "type": "subscribe_events", "event_type": "call_service" });
        ask::follow(self.house(None)?, &command).await.map(Calls)
    }

    /// Waits until the first house is connected anew; at once when it is and `was_away`.
    pub(crate) async fn connected_anew(&self, was_away: bool) {
        let mut bus = self.events().read();
        if was_away && self.is_connected() {
            return;
        }
        loop {
            match bus.next().await {
                Next::Event(stamped) => {
                    if let Event::House(house) = &stamped.event
                        && house.change == HouseChange::Connected
                        && self.is_connected()
                    {
                        return;
                    }
                }
                Next::Lost(_) if self.is_connected() => return,
                Next::Lost(_) => {}
                Next::Closed => std::future::pending().await,
            }
        }
    }
}

impl Calls {
    /// Waits for the next; `None` when the connection is gone.
    pub(crate) async fn next(&mut self) -> Option<ServiceCall> {
        loop {
            let event = self.0.next().await?;
            if let Some(call) = serde_json::from_str(&event).ok().and_then(|e| read(&e)) {
                return Some(call);
            }
        }
    }
}

fn read(event: &Value) -> Option<ServiceCall> {
    let data = event.get("data")?;
    let at: Timestamp = event.get("time_fired")?.as_str()?.parse().ok()?;
    let word = |key: &str| data.get(key).and_then(Value::as_str);
    let aimed = data.get("service_data");
    let list = |key: &str| match aimed.and_then(|aimed| aimed.get(key)) {
        Some(Value::String(one)) => one.split(',').map(|id| id.trim().to_owned()).collect(),
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).take(200).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    Some(ServiceCall {
        at: at.as_microsecond(),
        service: format!("{}.{}", word("domain")?, word("service")?),
        entities: list("entity_id"),
        devices: list("device_id"),
        areas: list("area_id"),
    })
}

fn thing(raw: RawThing, area: impl Fn(&String) -> Option<String>) -> Thing {
    let pairs = |all: Vec<Vec<Value>>| {
        let pair = |pair: Vec<Value>| match pair.as_slice() {
            [Value::String(kind), Value::String(value)] => Some((kind.clone(), value.clone())),
            _ => None,
        };
        all.into_iter().filter_map(pair).collect()
    };
    Thing {
        area: raw.area_id.as_ref().and_then(area),
        name: raw.name_by_user.or(raw.name),
        identifiers: pairs(raw.identifiers),
        connections: pairs(raw.connections),
        id: raw.id,
    }
}

fn member(raw: RawMember) -> Member {
    let unique_id = match raw.unique_id {
        Value::String(text) => text,
        other => other.to_string(),
    };
    Member {
        entity_id: raw.entity_id,
        unique_id,
        platform: raw.platform,
        device: raw.device_id,
        is_disabled: raw.disabled_by.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_with_all_that_it_is_aimed_at() {
        let event = json!({
            "event_type": "call_service", "time_fired": "2026-11-21T11:00:00.250000+00:00",
            "data": {"domain": "light", "service": "turn_on",
                     "service_data": {"entity_id": ["light.a", "light.b"], "area_id": "attic"}},
            "context": {"id": "01X", "parent_id": null}
        });
        let call = read(&event).unwrap();
        assert_eq!((call.at, &*call.service), (1_795_258_800_250_000, "light.turn_on"));
        assert_eq!((call.entities.len(), &*call.areas[0]), (2, "attic"));
        assert!(read(&json!({"data": {}})).is_none());
    }
}
