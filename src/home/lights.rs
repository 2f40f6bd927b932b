//! What a show of lights needs of the first house: which lights a caller may use, what they can do and
//! how they stand, their changes, and calls that are repeated many times a second.

use crate::error::Error;
use crate::events;
use crate::home::Home;
use crate::home::call::{self, Order};
use crate::home::entities::{Cache, Entity};
use crate::home::select::{Target, domain, missing};
use crate::home::text::clean;
use crate::policy::{Caller, Level};
use serde_json::{Map, Value, json};

pub(crate) use crate::home::call::Sent;

/// The bit of `supported_features` for lights that fade (`LightEntityFeature.TRANSITION`).
const FADES: u64 = 32;

/// A light as Home Assistant describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bulb {
    /// For people.
    pub(crate) name: String,
    /// `on`, `off`, `unavailable` or `unknown`.
    pub(crate) state: String,
    /// `supported_color_modes`.
    pub(crate) modes: Vec<String>,
    /// Whether it fades by itself.
    pub(crate) fades: bool,
    /// The warmest and the coldest white (K), when it says so.
    pub(crate) kelvin: Option<(u64, u64)>,
    pub(crate) attributes: Map<String, Value>,
    /// The name of its area; empty without one.
    pub(crate) area: String,
}

impl Home {
    /// Returns the lights that the caller may use, in the order of their ids.
    ///
    /// # Errors
    /// Refused for a caller who may not use the house; Offline when it was never reached.
    pub(crate) fn bulbs(&self, caller: &Caller) -> Result<Vec<(String, Bulb)>, Error> {
        self.policy().check(caller, "home", Level::Control)?;
        let cache = self.house(None)?.known()?;
        let sight = self.sight(caller);
        let lights = sight.iter(&cache).filter(|(id, _)| domain(id) == "light");
        Ok(lights.map(|(id, entity)| (id.to_string(), bulb(&cache, id, entity))).collect())
    }

    /// Returns a light that the caller may use.
    ///
    /// # Errors
    /// As [`Home::bulbs`]; NotFound when there is none of that id for this caller.
    pub(crate) fn bulb(&self, caller: &Caller, id: &str) -> Result<Bulb, Error> {
        self.policy().check(caller, "home", Level::Control)?;
        let cache = self.house(None)?.known()?;
        let sight = self.sight(caller);
        match sight.get(&cache, id).filter(|_| domain(id) == "light") {
            Some(entity) => Ok(bulb(&cache, id, entity)),
            None => Err(missing(&cache, sight, id)),
        }
    }

    /// Calls `service` on lights; see [`call::send`].
    ///
    /// # Errors
    /// As there, and Refused for a caller who may not use the house any more.
    pub(crate) fn light_call(
        &self,
        caller: &Caller,
        service: &str,
        entities: Vec<String>,
        data: Map<String, Value>,
    ) -> Result<Sent, Error> {
        self.policy().check(caller, "home", Level::Control)?;
        let target = Target { entities, ..Target::default() };
        let order = Order { service: service.into(), target, data, return_response: false };
        call::send(self, self.house(None)?, caller, order)
    }

    /// Returns the id of the call that caused the last change of an entity, as far as it is known.
    pub(crate) fn last_context(&self, entity_id: &str) -> Option<Box<str>> {
        let house = self.house(None).ok()?;
        let cache = house.cache();
        Some(cache.get(entity_id)?.context.clone())
    }

    /// Whether the house answers at all, within the time that any call has.
    pub(crate) async fn is_answering(&self) -> bool {
        let Ok(house) = self.house(None) else { return false };
        house.link.ask(&json!({ "type": "ping" }), house.timeout).await.is_ok()
    }

    /// Returns what tells of changes of entities.
    pub(crate) fn changes_of_entities(&self) -> events::Reader {
        self.events().read()
    }
}

fn bulb(cache: &Cache, id: &str, entity: &Entity) -> Bulb {
    let attributes = entity.attributes();
    let number = |name: &str| attributes.get(name).and_then(Value::as_u64);
    let modes = attributes.get("supported_color_modes").and_then(Value::as_array);
    let modes = modes.into_iter().flatten().filter_map(Value::as_str);
    let area = entity.area.as_ref().and_then(|area| cache.registry.areas.get(area));
    Bulb {
        area: area.map(|area| clean(&area.name, 60)).unwrap_or_default(),
        name: entity.name.as_deref().map_or_else(|| id.to_owned(), |name| clean(name, 100)),
        state: clean(&entity.state, 40),
        modes: modes.take(16).map(str::to_owned).collect(),
        fades: number("supported_features").unwrap_or_default() & FADES != 0,
        kelvin: number("min_color_temp_kelvin").zip(number("max_color_temp_kelvin")),
        attributes,
    }
}
