//! One house: its connection, its cache, and whether what is in the cache is still true.

use crate::config::Secret;
use crate::error::Error;
use crate::events::{self, Event, Events, HouseChange};
use crate::home::config::{Address, Config, Place};
use crate::home::entities::Cache;
use crate::home::feed::link::Link;
use crate::home::history::Recorder;
use crate::home::rename::Desk;
use crate::home::text;
use crate::policy::{EntityFacts, EntityScope};
use crate::tasks::{State, Status};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// A house and everything known of it.
pub(crate) struct House {
    pub(crate) name: Arc<str>,
    pub(crate) address: Address,
    pub(crate) token: Secret,
    pub(crate) link: Arc<Link>,
    pub(crate) timeout: Duration,
    pub(crate) ping: Duration,
    pub(crate) retry: Duration,
    pub(crate) refused: Duration,
    pub(crate) most_message: usize,
    /// The way to what the house has stored.
    pub(crate) recorder: Recorder,
    /// Whose turn it is to rename something.
    pub(crate) desk: Desk,
    cache: RwLock<Cache>,
    about: RwLock<About>,
    stand: Mutex<Stand>,
    was_connected: AtomicBool,
    /// What the user of the token may not ask Home Assistant.
    limits: Mutex<Option<String>>,
    /// When something was heard last, in milliseconds since 1970.
    heard: AtomicU64,
    suspect: Notify,
    changes: AtomicU64,
    connections: AtomicU64,
    events: Events,
    status: Status,
    /// What nobody may see; the bus does not hear of it either.
    hidden: EntityScope,
}

/// What Home Assistant says of itself.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) version: String,
    pub(crate) location: String,
    pub(crate) zone: TimeZone,
}

/// Whether the cache is true.
#[derive(Clone, Debug, PartialEq)]
enum Stand {
    /// Nothing was ever read.
    Unknown,
    /// What is in the cache is what Home Assistant said last.
    Fresh,
    /// The connection went at this time, seconds since 1970.
    Stale(f64),
}

impl House {
    /// Makes a house of which nothing is known yet.
    pub(crate) fn new(place: Place, config: &Config, events: &Events, status: Status) -> House {
        let name: Arc<str> = place.name.into();
        let why = match place.token.is_empty() {
            true => not_configured(),
            false => "it has not been reached yet".to_owned(),
        };
        if place.token.is_empty() {
            status.degraded(why.clone());
        }
        if place.address.was_page {
            log::warn!(
                "home '{name}': the address in the settings is one of a page; its path is left out, and \
                 the house is looked for at {}",
                place.address.text()
            );
        }
        House {
            link: Link::new(name.clone(), &why),
            cache: RwLock::new(Cache::new(name.clone(), config.most_entities)),
            about: RwLock::new(About {
                version: String::new(),
                location: String::new(),
                zone: TimeZone::UTC,
            }),
            stand: Mutex::new(Stand::Unknown),
            heard: AtomicU64::new(0),
            suspect: Notify::new(),
            was_connected: AtomicBool::new(false),
            limits: Mutex::new(None),
            changes: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            events: events.clone(),
            status,
            hidden: EntityScope { deny: config.deny.clone(), ..EntityScope::default() },
            name,
            address: place.address,
            token: place.token,
            timeout: Duration::from_secs(config.timeout_seconds.max(1)),
            ping: Duration::from_secs(config.ping_seconds.max(1)),
            retry: Duration::from_secs(config.retry_seconds.max(1)),
            refused: Duration::from_secs(config.refused_seconds.max(1)),
            most_message: config.most_message_bytes,
            recorder: Recorder::default(),
            desk: Desk::default(),
        }
    }

    /// Whether a token is set.
    pub(crate) fn is_configured(&self) -> bool {
        !self.token.is_empty()
    }

    /// Returns the cache for reading. Hold it shortly and never across an `.await`.
    pub(crate) fn cache(&self) -> RwLockReadGuard<'_, Cache> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the cache for the feed.
    pub(crate) fn cache_mut(&self) -> RwLockWriteGuard<'_, Cache> {
        self.cache.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the cache when there is anything in it to answer from.
    ///
    /// # Errors
    /// Offline when the house was never reached or is not configured.
    pub(crate) fn known(&self) -> Result<RwLockReadGuard<'_, Cache>, Error> {
        match self.was_connected() {
            true => Ok(self.cache()),
            false => Err(self.link.away()),
        }
    }

    /// Returns what Home Assistant says of itself.
    pub(crate) fn about(&self) -> About {
        self.about.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what Home Assistant says of itself.
    pub(crate) fn learn(&self, version: &str, zone: &str, location: &str) {
        let zone = TimeZone::get(zone).unwrap_or_else(|e| {
            log::warn!("home '{}': its time zone is not known here, UTC is used: {e}", self.name);
            TimeZone::UTC
        });
        let version = text::clean(version, 40);
        let location = text::clean(location, 100);
        *self.about.write().unwrap_or_else(PoisonError::into_inner) =
            About { version, location, zone };
    }

    /// Whether nothing is known yet of how reaching it goes.
    pub(crate) fn is_new(&self) -> bool {
        self.status.state() == State::Starting
    }

    /// Whether it was ever connected since the start.
    pub(crate) fn was_connected(&self) -> bool {
        self.was_connected.load(Ordering::Acquire)
    }

    /// Whether the cache is true right now.
    pub(crate) fn is_fresh(&self) -> bool {
        *self.stand() == Stand::Fresh
    }

    /// Returns since when the cache is stale, in the house's time; `None` while it is true.
    pub(crate) fn stale_since(&self) -> Option<String> {
        match *self.stand() {
            Stand::Stale(at) => Some(self.time(at)),
            Stand::Unknown | Stand::Fresh => None,
        }
    }

    /// Returns a time (seconds since 1970) as text with the house's offset.
    pub(crate) fn time(&self, at: f64) -> String {
        let zone = self.about.read().unwrap_or_else(PoisonError::into_inner).zone.clone();
        time_in(at, &zone)
    }

    /// Notes that every state is read.
    pub(crate) fn connected(&self) {
        *self.stand() = Stand::Fresh;
        self.was_connected.store(true, Ordering::Release);
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.status.up();
        let (count, left_out) = {
            let cache = self.cache();
            (cache.len(), cache.left_out)
        };
        let version = self.about().version;
        log::info!("home '{}': Home Assistant {version}, {count} entities", self.name);
        if left_out > 0 {
            log::warn!(
                "home '{}': {left_out} entities are left out (home.most_entities)",
                self.name
            );
        }
        self.tell_house(HouseChange::Connected);
    }

    /// Notes that something was heard from Home Assistant.
    pub(crate) fn hears(&self) {
        self.heard.store((now() * 1000.0) as u64, Ordering::Relaxed);
    }

    /// Has the connection tried at once: an answer is missing that should have come.
    pub(crate) fn doubt(&self) {
        self.suspect.notify_one();
    }

    /// Waits until somebody [doubts](House::doubt) the connection.
    pub(crate) async fn doubted(&self) {
        self.suspect.notified().await;
    }

    /// Notes that the connection is gone.
    pub(crate) fn lost(&self, why: &str) {
        // First: who hears that the cache is stale finds that /ready says so too.
        self.status.set(State::Degraded(format!("Home Assistant is away: {why}")));
        let was_fresh = {
            let mut stand = self.stand();
            let was_fresh = *stand == Stand::Fresh;
            if was_fresh {
                // True until the last word that was heard, not until that was noticed.
                *stand = Stand::Stale(self.heard.load(Ordering::Relaxed) as f64 / 1000.0);
            }
            was_fresh
        };
        self.link.close(why);
        if was_fresh {
            self.tell_house(HouseChange::Lost);
        }
    }

    /// Hangs up because Hearth ends: nothing is wrong, so nothing is said.
    pub(crate) fn leave(&self) {
        self.link.close("Hearth is ending");
    }

    /// Notes that Home Assistant is there and not ready.
    pub(crate) fn starting(&self) {
        self.status.set(State::Degraded("Home Assistant is starting".into()));
    }

    /// Notes what the user of the token may not ask; `None` when nothing is missing.
    pub(crate) fn limit(&self, what: Option<&str>) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = what.map(str::to_owned);
    }

    /// Returns what is not known because the token's user may not ask for it.
    pub(crate) fn limits(&self) -> Option<String> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that registries were read again.
    pub(crate) fn registries_changed(&self) {
        self.tell_house(HouseChange::Registries);
    }

    /// Publishes an entity's change, unless it is hidden from everybody: readers of the bus know
    /// what their caller may see, and not what this house hides.
    pub(crate) fn tell_entity(&self, change: events::Entity) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        let facts = EntityFacts {
            entity_id: &change.entity_id,
            area: change.area.as_deref(),
            labels: &change.labels,
            exposed: change.exposed,
        };
        if !self.hidden.permits(facts) {
            return;
        }
        self.events.publish(Event::Entity(change));
    }

    /// Returns how many changes were told and how often it was connected.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.changes), read(&self.connections))
    }

    fn tell_house(&self, change: HouseChange) {
        self.events.publish(Event::House(events::House { house: self.name.clone(), change }));
    }

    fn stand(&self) -> std::sync::MutexGuard<'_, Stand> {
        self.stand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_configured() -> String {
    "it is not configured; set HASS_TOKEN (home.token) to a long-lived access token of Home Assistant \
     (your profile there, Security, at the bottom) and HASS_HOST (home.url) to its address, like \
     http://homeassistant.local:8123, in the environment or in hearth.toml in the data folder. 'hearth \
     check' then tries both; start Hearth again after that"
        .to_owned()
}

/// Seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// Returns a time as text with the offset of `zone`, to the second.
fn time_in(at: f64, zone: &TimeZone) -> String {
    let stamp = Timestamp::from_second(at as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    stamp.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_the_offset_of_the_house() {
        let check = |at, zone: &str, want| {
            assert_eq!(time_in(at, &TimeZone::get(zone).unwrap()), want);
        };
        check(1_795_258_804.3, "UTC", "2026-11-21T11:00:04+00:00");
        check(1_795_258_804.3, "Europe/Amsterdam", "2026-11-21T12:00:04+01:00");
        check(1_782_000_000.0, "Europe/Amsterdam", "2026-06-21T02:00:00+02:00");
        check(0.0, "Asia/Kolkata", "1970-01-01T05:30:00+05:30");
    }
}
