//! What a script asked for: what it wants to hear, when it wants to be woken, the tools it offers.
//!
//! Lives on the script's thread. Says what is to be run next and runs nothing itself.

use crate::events::{Entity, Stamped};
use crate::plugins::offer::Offer;
use crate::plugins::when::{self, Filter};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mlua::Function;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A script has at most so many handlers, and as many timers.
pub(super) const MOST: usize = 64;
/// So many entities at once may be on their way to have lasted long enough, for each handler.
const WAITING: usize = 256;
/// The clock of the machine may be set: times of day are looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(900);

/// When a timer is due, and when again.
#[derive(Clone, Copy)]
pub(super) enum Rhythm {
    Every(Duration),
    At((i8, i8, i8)),
    Once,
}

enum Due {
    In(Instant),
    On(Timestamp),
}

struct Timer {
    id: u64,
    due: Due,
    rhythm: Rhythm,
    run: Function,
}

struct Hear {
    id: u64,
    filter: Filter,
    run: Function,
    waiting: HashMap<Arc<str>, Waiting>,
}

struct Waiting {
    due: Instant,
    event: Arc<Stamped>,
    /// Events were lost since: the state must be looked up.
    unsure: bool,
}

/// Something to run now.
pub(super) enum Work {
    Timer(Function),
    Event(Function, Arc<Stamped>),
    /// As [`Work::Event`], when the entity's state still is one that the handler asks for.
    IfStill(Function, Arc<Stamped>, u64),
}

/// The desk of one script.
pub(super) struct Desk {
    next: u64,
    zone: TimeZone,
    hears: Vec<Hear>,
    timers: Vec<Timer>,
    pub(super) offers: Vec<Offer>,
    pub(super) loading: bool,
}

impl Desk {
    pub(super) fn new(zone: TimeZone) -> Desk {
        let (hears, timers, offers) = (Vec::new(), Vec::new(), Vec::new());
        Desk { next: 1, zone, hears, timers, offers, loading: true }
    }

    /// Adds a handler and returns its number.
    pub(super) fn hear(&mut self, filter: Filter, run: Function) -> Result<u64, String> {
        if self.hears.len() >= MOST {
            return Err(format!("a script has at most {MOST} handlers"));
        }
        let id = self.number();
        self.hears.push(Hear { id, filter, run, waiting: HashMap::new() });
        Ok(id)
    }

    /// Adds a timer, `first` away unless it is a time of day, and returns its number.
    pub(super) fn time(
        &mut self,
        first: Duration,
        rhythm: Rhythm,
        run: Function,
    ) -> Result<u64, String> {
        if self.timers.len() >= MOST {
            return Err(format!("a script has at most {MOST} timers at once"));
        }
        let due = match rhythm {
            Rhythm::At(at) => Due::On(self.next_day(at)),
            Rhythm::Every(_) | Rhythm::Once => Due::In(Instant::now() + first),
        };
        let id = self.number();
        self.timers.push(Timer { id, due, rhythm, run });
        Ok(id)
    }

    /// Forgets the handler or timer of that number.
    pub(super) fn forget(&mut self, id: u64) {
        self.hears.retain(|hear| hear.id != id);
        self.timers.retain(|timer| timer.id != id);
    }

    /// Returns how many handlers and timers there are.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.hears.len(), self.timers.len())
    }

    /// Whether it wants to hear anything.
    pub(super) fn listens(&self) -> bool {
        !self.hears.is_empty()
    }

    /// Returns when to look for work again at the latest.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let now = Instant::now();
        let timers = self.timers.iter().map(|timer| match timer.due {
            Due::In(at) => at,
            Due::On(at) => {
                let left = Duration::try_from(at.duration_since(Timestamp::now()));
                now + left.unwrap_or_default().min(LOOK_AGAIN)
            }
        });
        let waiting = self.hears.iter().flat_map(|hear| hear.waiting.values().map(|w| w.due));
        timers.chain(waiting).min()
    }

    /// Returns something that is due now.
    pub(super) fn due(&mut self) -> Option<Work> {
        let now = Instant::now();
        let is_due = |timer: &Timer| match timer.due {
            Due::In(at) => at <= now,
            Due::On(at) => at <= Timestamp::now(),
        };
        if let Some(place) = self.timers.iter().position(is_due) {
            let run = self.timers[place].run.clone();
            match (self.timers[place].rhythm, &self.timers[place].due) {
                (Rhythm::Every(span), Due::In(at)) => {
                    // Who was late does not run twice to make up for it.
                    let next = *at + span;
                    self.timers[place].due = Due::In(if next > now { next } else { now + span });
                }
                (Rhythm::At(at), _) => self.timers[place].due = Due::On(self.next_day(at)),
                _ => drop(self.timers.remove(place)),
            }
            return Some(Work::Timer(run));
        }
        for hear in &mut self.hears {
            let found = hear.waiting.iter().find(|(_, w)| w.due <= now).map(|(id, _)| id.clone());
            if let Some(waiting) = found.and_then(|id| hear.waiting.remove(&id)) {
                let run = hear.run.clone();
                return Some(match waiting.unsure {
                    true => Work::IfStill(run, waiting.event, hear.id),
                    false => Work::Event(run, waiting.event),
                });
            }
        }
        None
    }

    /// Takes an event in and returns what to run for it; the number is that of entities that could
    /// not be remembered.
    pub(super) fn take(&mut self, event: &Arc<Stamped>) -> (Vec<Work>, u64) {
        let (mut work, mut lost) = (Vec::new(), 0);
        for hear in &mut self.hears {
            let entity = match &event.event {
                crate::events::Event::Entity(e) => Some(e),
                _ => None,
            };
            if let Some(e) = entity.filter(|e| hear.filter.is_about(e))
                && !hear.filter.fits_state(e.state.as_deref())
            {
                hear.waiting.remove(&key(e));
            }
            if !hear.filter.fits(&event.event) {
                continue;
            }
            match (hear.filter.lasting, entity) {
                (Some(_), Some(_)) if hear.waiting.len() >= WAITING => lost += 1,
                (Some(span), Some(e)) => {
                    let due = Instant::now() + span;
                    let waiting = Waiting { due, event: event.clone(), unsure: false };
                    // From one state that is asked for to another: it has lasted since the first.
                    hear.waiting.entry(key(e)).or_insert(waiting);
                }
                _ => work.push(Work::Event(hear.run.clone(), event.clone())),
            }
        }
        (work, lost)
    }

    /// Notes that events were lost: what waits may have changed unheard.
    pub(super) fn doubt(&mut self) {
        let all = self.hears.iter_mut().flat_map(|hear| hear.waiting.values_mut());
        all.for_each(|waiting| waiting.unsure = true);
    }

    /// Whether the handler of that number asks for `state`.
    pub(super) fn wants(&self, id: u64, state: &str) -> bool {
        self.hears.iter().any(|hear| hear.id == id && hear.filter.fits_state(Some(state)))
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn next_day(&self, at: (i8, i8, i8)) -> Timestamp {
        let now = Timestamp::now();
        when::next(at, now, &self.zone).unwrap_or(Timestamp::MAX)
    }
}

fn key(e: &Entity) -> Arc<str> {
    format!("{}/{}", e.house, e.entity_id).into()
}
