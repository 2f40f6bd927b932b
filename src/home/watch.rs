//! Waits, for a bounded time, until something happens in a house.

use crate::error::Error;
use crate::events::{self, Event, Next};
use crate::home::Home;
use crate::home::house::House;
use crate::home::select::{Filter, Sight, missing};
use crate::home::text;
use crate::mcp::Call;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A client that wants progress gets a sign of life this often.
const STEP: Duration = Duration::from_secs(5);
/// An event's data is cut to this, in bytes.
const BUDGET: usize = 4 * 1024;

/// What is waited for.
pub(crate) struct Watch {
    /// Only these; empty means any that fits the filter.
    pub(crate) entities: Vec<String>,
    pub(crate) filter: Filter,
    /// Changes of attributes count too.
    pub(crate) attributes: bool,
    pub(crate) within: Duration,
}

/// Waits for a change of an entity that `call`'s caller may see; `None` when nothing happened.
///
/// # Errors
/// Offline when the house is away, or goes away for all of the time.
pub(crate) async fn state(
    home: &Home,
    house: &House,
    call: &Call,
    watch: &Watch,
) -> Result<Option<Map<String, Value>>, Error> {
    let mut reader = home.events().read();
    let sight = home.sight(&call.caller);
    if let Some(found) = already(house, sight, watch)? {
        return Ok(Some(found));
    }
    let clock = Clock::start(watch.within);
    loop {
        let next = tokio::select! {
            biased;
            () = call.cancelled.cancelled() => return Err(cancelled()),
            next = reader.next() => next,
            () = clock.tick() => {
                if clock.is_over() {
                    return Ok(None);
                }
                clock.report(call).await;
                continue;
            }
        };
        match next {
            Next::Event(stamped) => {
                if let Event::Entity(change) = &stamped.event
                    && watch.fits(house, sight, change)
                {
                    return Ok(Some(found(house, change)));
                }
            }
            // What was lost may be what is waited for: a state that is asked for is looked up.
            Next::Lost(_) => {
                if let Some(found) = already(house, sight, watch)? {
                    return Ok(Some(found));
                }
            }
            Next::Closed => return Err(Error::offline("Hearth is ending")),
        }
    }
}

/// Whether a named entity is in the asked-for state already.
fn already(
    house: &House,
    sight: Sight<'_>,
    watch: &Watch,
) -> Result<Option<Map<String, Value>>, Error> {
    let cache = house.known()?;
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    for id in &watch.entities {
        let entity = sight.get(&cache, id).ok_or_else(|| missing(&cache, sight, id))?;
        if watch.filter.wants_state() && watch.filter.fits(id, entity) {
            let state = text::clean(&entity.state, 255);
            let row = json!({ "id": id, "state": state, "already": true,
                              "at": house.time(entity.changed) });
            return Ok(row.as_object().cloned());
        }
    }
    Ok(None)
}

impl Watch {
    fn fits(&self, house: &House, sight: Sight<'_>, change: &events::Entity) -> bool {
        let named =
            self.entities.is_empty() || self.entities.iter().any(|id| **id == *change.entity_id);
        if *house.name != *change.house || !named {
            return false;
        }
        if change.state == change.old_state && !self.attributes {
            return false;
        }
        let cache = house.cache();
        let Some(entity) = cache.get(&change.entity_id) else {
            // Removed: seen only by whoever named it, and no filter for a state fits it.
            let facts = crate::policy::EntityFacts {
                entity_id: &change.entity_id,
                area: change.area.as_deref(),
                labels: &change.labels,
                exposed: change.exposed,
            };
            let permitted = sight.scope.permits(facts) && sight.house.permits(facts);
            return permitted && !self.entities.is_empty() && !self.filter.wants_state();
        };
        let state = change.state.as_deref().unwrap_or_default();
        sight.permits(&change.entity_id, entity)
            && self.filter.fits_place(&change.entity_id, entity)
            && self.filter.fits_state(state)
    }
}

fn found(house: &House, change: &events::Entity) -> Map<String, Value> {
    let mut row = Map::new();
    let shown = |state: &Arc<str>| Value::from(text::clean(state, 255));
    row.insert("id".into(), json!(*change.entity_id));
    if let Some(name) = &change.name {
        row.insert("name".into(), text::clean(name, 100).into());
    }
    row.insert("state".into(), change.state.as_ref().map_or(Value::Null, shown));
    row.insert("was".into(), change.old_state.as_ref().map_or(Value::Null, shown));
    row.insert("at".into(), house.time(change.changed).into());
    row
}

/// Waits for an event of a type; `None` when none came.
///
/// # Errors
/// Offline, and what Home Assistant says of the type.
pub(crate) async fn event(
    house: &House,
    call: &Call,
    kind: &str,
    within: Duration,
) -> Result<Option<Map<String, Value>>, Error> {
    let good = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    if kind.is_empty() || kind.len() > 64 || !kind.chars().all(good) {
        return Err(Error::invalid("event_type must be 1 to 64 of a-z, 0-9, _, -, . and :"));
    }
    let command = json!({ "type": "subscribe_events", "event_type": kind });
    let mut events = house.link.subscribe(&command, house.timeout).await?;
    let clock = Clock::start(within);
    loop {
        tokio::select! {
            biased;
            () = call.cancelled.cancelled() => return Err(cancelled()),
            event = events.next() => {
                let event = event.ok_or_else(|| house.link.away())?;
                let mut event: Value = serde_json::from_str(&event)
                    .map_err(|e| Error::broken("an event that is no JSON").because(e))?;
                if let Some(fields) = event.as_object_mut() {
                    fields.remove("context");
                    fields.remove("origin");
                }
                text::shrink(&mut event, BUDGET);
                let row = json!({ "event": text::clean_value(event) });
                return Ok(row.as_object().cloned());
            }
            () = clock.tick() => {
                if clock.is_over() {
                    return Ok(None);
                }
                clock.report(call).await;
            }
        }
    }
}

fn cancelled() -> Error {
    Error::timeout("the wait was cancelled")
}

/// How far a wait has come.
struct Clock {
    began: Instant,
    within: Duration,
}

impl Clock {
    fn start(within: Duration) -> Clock {
        Clock { began: Instant::now(), within }
    }

    /// Waits for the next step or the end, whichever is sooner.
    async fn tick(&self) {
        let steps = self.began.elapsed().as_secs() / STEP.as_secs() + 1;
        let next = STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX));
        tokio::time::sleep_until(self.began + next.min(self.within)).await;
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= self.within
    }

    async fn report(&self, call: &Call) {
        let (done, total) = (self.began.elapsed().as_secs_f64(), self.within.as_secs_f64());
        call.progress.report(done.floor(), Some(total), Some("waiting")).await;
    }
}
