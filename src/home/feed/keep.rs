//! What a connection asks of a house: how far its start is, its registries, its states; and the
//! registries again after each change.

use crate::error::{Error, Kind};
use crate::home::entities::Shelf;
use crate::home::house::House;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Registry events come in bursts; one reading follows each burst.
const SETTLE: Duration = Duration::from_millis(150);
/// A house that is starting is asked so often whether it is ready, and so long.
const STARTING_EVERY: Duration = Duration::from_millis(500);
const STARTING_MOST: Duration = Duration::from_secs(120);
/// Exposure to assistants has no event of its own for every entity.
const EXPOSURE_EVERY: Duration = Duration::from_secs(300);

/// What is missing without an administrator's token.
const NO_EXPOSURE: &str = "which entities are exposed to assistants is not known, because the user of \
    the token (HASS_TOKEN) is no administrator in Home Assistant: whoever may use exposed entities \
    only sees none";

/// Which events are ours, by their number; 0 is none.
#[derive(Default)]
pub(super) struct Known {
    pub(super) states: AtomicU64,
    pub(super) first: AtomicBool,
    shelves: [[AtomicU64; 2]; Shelf::ALL.len()],
    config: AtomicU64,
    /// Bits of [`Shelf`], and one more for the configuration.
    changed: AtomicU8,
    pub(super) wake: Notify,
}

const CONFIG_BIT: u8 = 1 << 7;

impl Known {
    /// Notes that the registry behind event number `id` changed; whether it is one.
    pub(super) fn note(&self, id: u64) -> bool {
        let shelf = Shelf::ALL
            .into_iter()
            .zip(&self.shelves)
            .find(|(_, own)| own.iter().any(|own| own.load(Ordering::Relaxed) == id));
        let bits = match shelf {
            // What the house exposes is part of an entity's options.
            Some((Shelf::Entries, _)) => Shelf::Entries.bit() | Shelf::Exposed.bit(),
            // An entity's device is found while its entry is read.
            Some((Shelf::Devices, _)) => Shelf::Devices.bit() | Shelf::Entries.bit(),
            Some((shelf, _)) => shelf.bit(),
            None if self.config.load(Ordering::Relaxed) == id => CONFIG_BIT,
            None => return false,
        };
        self.changed.fetch_or(bits, Ordering::Relaxed);
        true
    }
}

/// Sets the connection up, then reads again what changed.
pub(super) async fn keep(house: &House, known: &Known) -> Error {
    if let Err(e) = set_up(house, known).await {
        return e;
    }
    loop {
        tokio::select! {
            () = known.wake.notified() => tokio::time::sleep(SETTLE).await,
            () = tokio::time::sleep(EXPOSURE_EVERY) => {
                known.changed.fetch_or(Shelf::Exposed.bit(), Ordering::Relaxed);
            }
        }
        let bits = known.changed.swap(0, Ordering::Relaxed);
        if bits & CONFIG_BIT != 0
            && let Err(e) = read_config(house).await
        {
            return e;
        }
        let shelves = Shelf::ALL.into_iter().filter(|shelf| bits & shelf.bit() != 0);
        for shelf in shelves {
            if let Err(e) = read_shelf(house, shelf).await {
                return e;
            }
        }
        // Nothing that anybody reads changes with the services alone.
        if bits & !Shelf::Services.bit() != 0 {
            house.registries_changed();
        }
    }
}

async fn set_up(house: &House, known: &Known) -> Result<(), Error> {
    let features = json!({"type": "supported_features", "features": {"coalesce_messages": 1}});
    house.link.ask(&features, house.timeout).await?;
    let began = Instant::now();
    while read_config(house).await? != "RUNNING" && began.elapsed() < STARTING_MOST {
        house.starting();
        tokio::time::sleep(STARTING_EVERY).await;
    }
    // Listening before reading: no change falls between the two.
    for (shelf, own) in Shelf::ALL.into_iter().zip(&known.shelves) {
        for (event, own) in shelf.events().iter().zip(own) {
            own.store(listen(house, event).await?, Ordering::Relaxed);
        }
    }
    known.config.store(listen(house, "core_config_updated").await?, Ordering::Relaxed);
    for shelf in Shelf::ALL {
        read_shelf(house, shelf).await?;
    }
    let command = json!({"type": "subscribe_entities"});
    let note = |id| known.states.store(id, Ordering::Relaxed);
    house.link.follow(&command, house.timeout, note).await
}

/// Listens for an event and returns its number; 0 when Home Assistant does not let this token's user.
async fn listen(house: &House, event: &str) -> Result<u64, Error> {
    let command = json!({"type": "subscribe_events", "event_type": event});
    let mut number = 0;
    match house.link.follow(&command, house.timeout, |id| number = id).await {
        Ok(()) => Ok(number),
        Err(e) if e.kind() == Kind::Refused => {
            log::info!("home '{}': {event} is not heard, and seen late: {e}", house.name);
            Ok(0)
        }
        Err(e) => Err(e),
    }
}

/// Reads the list of services again.
///
/// # Errors
/// What Home Assistant says, or Offline.
pub(crate) async fn read_services(house: &House) -> Result<(), Error> {
    read_shelf(house, Shelf::Services).await
}

async fn read_shelf(house: &House, shelf: Shelf) -> Result<(), Error> {
    let answer = house.link.ask(&json!({"type": shelf.command()}), house.timeout).await;
    // Without it calls are checked by Home Assistant alone.
    let is_optional = shelf == Shelf::Services;
    match answer {
        Ok(json) => match house.cache_mut().set_registry(shelf, &json) {
            Err(e) if is_optional => {
                log::info!("home '{}': its services are not known: {e}", house.name);
                Ok(())
            }
            other => {
                if shelf == Shelf::Exposed {
                    house.limit(None);
                }
                other
            }
        },
        Err(e) if is_optional && e.kind() != Kind::Offline => {
            log::info!("home '{}': its services are not known: {e}", house.name);
            Ok(())
        }
        // A token of a user who is no administrator may not ask; then nothing counts as exposed.
        Err(e) if shelf == Shelf::Exposed && e.kind() != Kind::Offline => {
            if house.limits().is_none() {
                log::warn!("home '{}': {NO_EXPOSURE}: {e}", house.name);
            }
            house.limit(Some(NO_EXPOSURE));
            Ok(())
        }
        Err(e) => Err(e.at(shelf.command())),
    }
}

/// Reads version, time zone and name, and returns how far the start is.
async fn read_config(house: &House) -> Result<String, Error> {
    let answer = house.link.ask(&json!({"type": "get_config"}), house.timeout).await?;
    let config: Value = serde_json::from_str(&answer)
        .map_err(|e| Error::offline("get_config has an unknown answer").because(e))?;
    let text = |name: &str| config.get(name).and_then(Value::as_str).unwrap_or_default();
    house.learn(text("version"), text("time_zone"), text("location_name"));
    Ok(text("state").to_owned())
}
