//! The event bus: what happened, told to whoever listens.
//!
//! Services publish; the web page, `/events`, MCP subscriptions and metrics read. Publishing never
//! waits and never fails. A slow reader loses the oldest events and is told how many. The last
//! [`RECENT`] events are kept so that a reader who comes back can ask for what it missed; the place
//! that it names holds the run of the program, because the count begins anew with each start.
//! Nothing per audio frame goes on it.

use serde::Serialize;
use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// How many past events are kept for readers that reconnect.
pub const RECENT: usize = 512;

/// Something that happened. Closed: a new service adds a variant here.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A task or counterpart changed its state.
    Service(Service),
    /// An entity of a house changed, appeared or went away.
    Entity(Entity),
    /// A whole house changed: connected, lost, registries read again.
    House(House),
    /// An entry of the audit log.
    Audit(Audit),
    /// Something waits for a person's word, or got it.
    Approval(Approval),
}

impl Event {
    /// The names of all events, as [`Event::name`] returns them.
    pub const NAMES: [&str; 5] = ["service", "entity", "house", "audit", "approval"];

    /// Returns the name used in SSE `event:` lines and filters.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Service(_) => "service",
            Event::Entity(_) => "entity",
            Event::House(_) => "house",
            Event::Audit(_) => "audit",
            Event::Approval(_) => "approval",
        }
    }
}

/// A task or counterpart changed its state.
#[derive(Clone, Debug, Serialize)]
pub struct Service {
    /// Name of the service, as in `/health`.
    pub service: String,
    /// `starting`, `up`, `degraded` or `down`.
    pub state: &'static str,
    /// Why, when it is not up.
    pub reason: Option<String>,
}

/// An entity of a house changed. Carries what a list needs, not all attributes.
#[derive(Clone, Debug, Serialize)]
pub struct Entity {
    /// Name of the house.
    pub house: Arc<str>,
    /// Home Assistant's entity id, for example `light.kitchen`.
    pub entity_id: Arc<str>,
    /// The new state; `None` when the entity was removed.
    pub state: Option<Arc<str>>,
    /// The state before; `None` when the entity is new.
    pub old_state: Option<Arc<str>>,
    /// Friendly name.
    pub name: Option<Arc<str>>,
    /// Area id, when the entity or its device has one.
    pub area: Option<Arc<str>>,
    /// Label ids of the entity and its device; who may see it can depend on them.
    pub labels: Arc<[Arc<str>]>,
    /// Whether the house exposes it to assistants.
    pub exposed: bool,
    /// When Home Assistant says it changed, seconds since 1970.
    pub changed: f64,
}

/// A whole house changed.
#[derive(Clone, Debug, Serialize)]
pub struct House {
    /// Name of the house.
    pub house: Arc<str>,
    /// What happened.
    pub change: HouseChange,
}

/// What happened to a house.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HouseChange {
    /// Connected and every state read.
    Connected,
    /// The connection is gone; cached states are stale from here on.
    Lost,
    /// Areas, floors, labels, devices or entities were renamed, added or removed.
    Registries,
}

/// An entry of the audit log: who asked for what, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// When, seconds since 1970.
    pub at: f64,
    /// Name of the identity.
    pub who: String,
    /// By which way it came: `http`, `stdio`, `page`, `control`, `script`.
    pub via: &'static str,
    /// Tool or action.
    pub action: String,
    /// What it was aimed at, capped.
    pub target: String,
    /// `allowed`, `asked` (a confirmation is needed), `denied`, `failed` or `dry_run`.
    pub outcome: &'static str,
    /// Why it was denied or failed, capped.
    pub reason: Option<String>,
    /// How long a call took, in ms; `None` for what is no call.
    pub ms: Option<u64>,
}

/// Something that waits for a person's word before it is done, or what the word was.
#[derive(Clone, Debug, Serialize)]
pub struct Approval {
    /// Eight hexadecimal digits.
    pub id: String,
    /// When it was asked, seconds since 1970.
    pub at: f64,
    /// Until when it can be answered, or its answer used; seconds since 1970.
    pub until: f64,
    /// Name of the identity that wants to do it.
    pub who: String,
    /// By which way that came.
    pub via: &'static str,
    /// Tool or action.
    pub action: String,
    /// What it is aimed at, capped.
    pub target: String,
    /// Whether only a person's answer counts; else the assistant may pass the question on.
    pub by_person: bool,
    /// `pending`, `allowed`, `denied` or `expired`.
    pub state: &'static str,
    /// Who answered.
    pub by: Option<String>,
}

/// An event with its place in the order of all events.
#[derive(Debug)]
pub struct Stamped {
    /// Counts up by one from 1 for each event since the start.
    pub id: u64,
    /// What happened.
    pub event: Event,
}

/// What a reader that comes back has missed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// So many events are no longer kept.
    Count(u64),
    /// It names no place of this run: nobody knows how many.
    Unknown,
}

/// What a [`Reader`] gets.
#[derive(Debug)]
pub enum Next {
    /// The next event.
    Event(Arc<Stamped>),
    /// So many events were lost because this reader was too slow.
    Lost(u64),
    /// The program is ending.
    Closed,
}

/// The bus. Cloning it is cheap; all clones are the same bus.
#[derive(Clone)]
pub struct Events {
    shared: Arc<Shared>,
}

struct Shared {
    /// Stands for this start of the program.
    run: String,
    send: broadcast::Sender<Arc<Stamped>>,
    recent: Mutex<Ring>,
}

struct Ring {
    next: u64,
    kept: VecDeque<Arc<Stamped>>,
}

impl Default for Events {
    fn default() -> Self {
        Events::new()
    }
}

impl Events {
    /// Makes a bus with no readers.
    pub fn new() -> Events {
        let (send, _) = broadcast::channel(RECENT);
        let recent = Mutex::new(Ring { next: 1, kept: VecDeque::with_capacity(RECENT) });
        // Two runs must differ, no more; the standard library's seed is random enough for that.
        let run = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        Events { shared: Arc::new(Shared { run, send, recent }) }
    }

    /// Tells every reader; never waits.
    pub fn publish(&self, event: Event) {
        // Sending under the lock keeps the order on the channel equal to the order of the ids.
        let mut ring = self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let stamped = Arc::new(Stamped { id: ring.next, event });
        ring.next += 1;
        if ring.kept.len() == RECENT {
            ring.kept.pop_front();
        }
        ring.kept.push_back(stamped.clone());
        // An error only means that nobody listens.
        let _ = self.shared.send.send(stamped);
    }

    /// Starts reading with the next event.
    pub fn read(&self) -> Reader {
        Reader { receive: self.shared.send.subscribe() }
    }

    /// Returns the place of an event as a reader may keep it: `<run>-<id>`.
    pub fn place(&self, stamped: &Stamped) -> String {
        format!("{}-{}", self.shared.run, stamped.id)
    }

    /// Starts reading after `place`, as [`Events::place`] gave it: returns what is still kept of the
    /// events since then, what is gone, and the reader for what follows. Nothing falls between the
    /// two. A place of an earlier run, of the future or of no meaning gets everything that is kept.
    pub fn read_after(&self, place: &str) -> (Vec<Arc<Stamped>>, Gone, Reader) {
        let ring = self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = self.read();
        let id = place.strip_prefix(&*self.shared.run).and_then(|rest| rest.strip_prefix('-'));
        let id = id.and_then(|id| id.parse::<u64>().ok()).filter(|id| *id < ring.next);
        let Some(id) = id else {
            return (ring.kept.iter().cloned().collect(), Gone::Unknown, reader);
        };
        let first = ring.kept.front().map_or(ring.next, |s| s.id);
        let kept = ring.kept.iter().filter(|s| s.id > id).cloned().collect();
        (kept, Gone::Count(first.saturating_sub(id + 1)), reader)
    }

    /// Returns how many read the bus, Hearth's own parts among them.
    pub fn readers(&self) -> usize {
        self.shared.send.receiver_count()
    }

    /// Returns the id of the newest event, 0 when there was none.
    pub fn newest(&self) -> u64 {
        self.shared.recent.lock().unwrap_or_else(PoisonError::into_inner).next - 1
    }
}

/// One reader's place on the bus.
pub struct Reader {
    receive: broadcast::Receiver<Arc<Stamped>>,
}

impl Reader {
    /// Waits for the next event.
    pub async fn next(&mut self) -> Next {
        match self.receive.recv().await {
            Ok(stamped) => Next::Event(stamped),
            Err(broadcast::error::RecvError::Lagged(n)) => Next::Lost(n),
            Err(broadcast::error::RecvError::Closed) => Next::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: usize) -> Event {
        Event::Service(Service { service: n.to_string(), state: "up", reason: None })
    }

    #[tokio::test]
    async fn slow_reader_loses_oldest_and_is_told() {
        let bus = Events::new();
        let mut slow = bus.read();
        for n in 0..RECENT + 10 {
            bus.publish(event(n));
        }
        assert!(matches!(slow.next().await, Next::Lost(10)));
        let Next::Event(first) = slow.next().await else { panic!("no event after the gap") };
        assert_eq!(first.id, 11);
    }

    #[tokio::test]
    async fn reader_that_returns_gets_what_it_missed() {
        let bus = Events::new();
        for n in 0..RECENT + 5 {
            bus.publish(event(n));
        }
        let second = Stamped { id: 2, event: event(1) };
        let (kept, gone, mut reader) = bus.read_after(&bus.place(&second));
        assert_eq!((kept.len(), gone, kept[0].id), (RECENT, Gone::Count(3), 6));
        bus.publish(event(0));
        let Next::Event(next) = reader.next().await else { panic!("no event") };
        assert_eq!(next.id, RECENT as u64 + 6);
    }

    #[tokio::test]
    async fn a_place_of_another_run_is_known_as_such() {
        let (before, bus) = (Events::new(), Events::new());
        for n in 0..3 {
            before.publish(event(n));
            bus.publish(event(n));
        }
        let place = |bus: &Events, id| bus.place(&Stamped { id, event: event(0) });
        for foreign in [
            place(&before, 2),
            place(&bus, 4),
            "2".into(),
            "".into(),
            format!("{}x", place(&bus, 2)),
        ] {
            let (kept, gone, _) = bus.read_after(&foreign);
            assert_eq!((kept.len(), gone), (3, Gone::Unknown), "{foreign}");
        }
        let (kept, gone, _) = bus.read_after(&place(&bus, 3));
        assert_eq!((kept.len(), gone), (0, Gone::Count(0)));
    }
}
