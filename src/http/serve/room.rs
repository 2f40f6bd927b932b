//! How many connections there are, what each is doing, and which one has to go when there is no room.

use crate::http::{Counters, Reason};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A client that left its answer unread this long counts as idle.
const STALLED: u64 = 1_000;

/// So many connections are closed at once when the system runs short.
const AT_ONCE: usize = 8;

/// So many connections from this machine beyond all others: they may ask for `/health` and nothing
/// else, so that whoever watches Hearth here learns that it is full and not gone.
const SPARE: usize = 4;

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The address has all its connections.
    Address,
    /// All there are.
    All,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Open, and nothing was sent yet.
    Fresh,
    /// Kept alive between two requests.
    Idle,
    /// A head is coming in.
    Head,
    /// A body is coming in.
    Body,
    /// A route works on the answer, or it is being sent.
    Busy,
}

const PHASES: [Phase; 5] = [Phase::Fresh, Phase::Idle, Phase::Head, Phase::Body, Phase::Busy];

/// What stopped a request while its route was at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stopped {
    No,
    TooLarge,
    TooSlow,
}

/// All connections.
pub(super) struct Room {
    began: Instant,
    total: usize,
    per_address: usize,
    counters: Counters,
    seats: Arc<Mutex<Seats>>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<State>>,
}

/// One connection's state, shared by its parts.
pub(super) struct State {
    began: Instant,
    address: IpAddr,
    limited: bool,
    /// Why it has no place among the others, for one of the spare ones.
    pub(super) spare: Option<Full>,
    phase: AtomicU8,
    /// When the phase began, in ms.
    since: AtomicU64,
    /// When something came from the client last, in ms.
    heard: AtomicU64,
    /// Since when a write waits, in ms plus one; 0 when none does.
    stalled: AtomicU64,
    stopped: AtomicU8,
    /// Cancelled when the connection has to make room.
    pub(super) gone: CancellationToken,
}

/// A connection's place; leaving it gives the place back.
pub(super) struct Seat {
    id: u64,
    pub(super) state: Arc<State>,
    seats: Arc<Mutex<Seats>>,
    counters: Counters,
}

impl Room {
    pub(super) fn new(total: usize, per_address: usize, counters: Counters) -> Room {
        Room { began: Instant::now(), total, per_address, counters, seats: Arc::default() }
    }

    /// Takes a place for a connection from `address`. When there is none, the connection that was
    /// idle longest loses its own; when all are busy, one from this machine gets a spare place, and
    /// another none. A proxy stands for many clients, so only the total limits it.
    pub(super) fn enter(&self, address: IpAddr, is_proxy: bool) -> Result<Seat, Full> {
        let mut seats = lock(&self.seats);
        let is_common = |s: &State| s.spare.is_none();
        let of_address = |s: &State| s.limited && is_common(s) && s.address == address;
        let count = |seats: &Seats, among: &dyn Fn(&State) -> bool| {
            seats.taken.values().filter(|s| among(s)).count()
        };
        let full = if !is_proxy
            && count(&seats, &of_address) >= self.per_address
            && !self.evict(&mut seats, of_address)
        {
            Some(Full::Address)
        } else if count(&seats, &is_common) >= self.total && !self.evict(&mut seats, is_common) {
            Some(Full::All)
        } else {
            None
        };
        if let Some(full) = full {
            let is_spare = |s: &State| s.spare.is_some();
            let has_room = count(&seats, &is_spare) < SPARE || self.evict(&mut seats, is_spare);
            if !address.is_loopback() || !has_room {
                return Err(full);
            }
        }
        let now = millis(self.began);
        let state = Arc::new(State {
            began: self.began,
            address,
            limited: !is_proxy,
            spare: full,
            phase: AtomicU8::new(Phase::Fresh as u8),
            since: AtomicU64::new(now),
            heard: AtomicU64::new(now),
            stalled: AtomicU64::new(0),
            stopped: AtomicU8::new(Stopped::No as u8),
            gone: CancellationToken::new(),
        });
        seats.next += 1;
        let id = seats.next;
        seats.taken.insert(id, state.clone());
        self.counters.opened();
        Ok(Seat { id, state, seats: self.seats.clone(), counters: self.counters.clone() })
    }

    /// Closes the few connections that were idle longest; `false` when none is idle.
    pub(super) fn make_room(&self) -> bool {
        let mut seats = lock(&self.seats);
        (0..AT_ONCE).filter(|_| self.evict(&mut seats, |_| true)).count() > 0
    }

    fn evict(&self, seats: &mut Seats, among: impl Fn(&State) -> bool) -> bool {
        let now = millis(self.began);
        let idle = seats.taken.iter().filter(|(_, s)| among(s));
        let idle = idle.filter_map(|(id, s)| s.idle_since(now).map(|since| (since, *id)));
        let Some((_, id)) = idle.min() else { return false };
        if let Some(state) = seats.taken.remove(&id) {
            self.counters.refuse(Reason::Evicted, state.address);
            state.gone.cancel();
        }
        true
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        lock(&self.seats).taken.remove(&self.id);
        self.counters.closed();
    }
}

impl State {
    /// Since when the connection waits for its client; `None` while a call or stream is open.
    fn idle_since(&self, now: u64) -> Option<u64> {
        if self.phase() != Phase::Busy {
            let heard = self.heard.load(Ordering::Relaxed);
            return Some(heard.max(self.since.load(Ordering::Relaxed)));
        }
        let stalled = self.stalled.load(Ordering::Relaxed);
        (stalled > 0 && now.saturating_sub(stalled) > STALLED).then_some(stalled)
    }

    pub(super) fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Ordering::Relaxed)) % PHASES.len()]
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.since.store(millis(self.began), Ordering::Relaxed);
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The body is complete or nobody wants it: from here on the connection works.
    pub(super) fn body_over(&self) {
        if self.phase() == Phase::Body {
            self.enter(Phase::Busy);
        }
    }

    /// Something came from the client.
    pub(super) fn heard(&self) {
        self.heard.store(millis(self.began), Ordering::Relaxed);
        if matches!(self.phase(), Phase::Fresh | Phase::Idle) {
            self.enter(Phase::Head);
        }
    }

    /// Notes that a write waits for the client, or no longer does.
    pub(super) fn stall(&self, waits: bool) {
        let value = if waits { millis(self.began) + 1 } else { 0 };
        self.stalled.store(value, Ordering::Relaxed);
    }

    /// When the present phase began.
    pub(super) fn since(&self) -> Instant {
        self.began + Duration::from_millis(self.since.load(Ordering::Relaxed))
    }

    pub(super) fn stop(&self, why: Stopped) {
        self.stopped.store(why as u8, Ordering::Relaxed);
    }

    pub(super) fn stopped(&self) -> Stopped {
        match self.stopped.load(Ordering::Relaxed) {
            1 => Stopped::TooLarge,
            2 => Stopped::TooSlow,
            _ => Stopped::No,
        }
    }
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn lock(seats: &Mutex<Seats>) -> MutexGuard<'_, Seats> {
    seats.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(n: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, n).into()
    }

    #[test]
    fn the_longest_idle_connection_makes_room() {
        let room = Room::new(3, 2, Counters::default());
        let first = room.enter(address(1), false).unwrap();
        let second = room.enter(address(1), false).unwrap();
        // The first was idle longer, but a call is open on it.
        first.state.enter(Phase::Busy);
        let third = room.enter(address(1), false).unwrap();
        assert!(second.state.gone.is_cancelled() && !first.state.gone.is_cancelled());
        third.state.enter(Phase::Busy);
        assert_eq!(
            room.enter(address(1), false).err(),
            Some(Full::Address),
            "both connections of the address work"
        );
        let other = room.enter(address(2), false).unwrap();
        other.state.enter(Phase::Busy);
        assert_eq!(room.enter(address(3), false).err(), Some(Full::All), "all connections work");
        drop(first);
        assert!(room.enter(address(3), false).is_ok());
    }

    #[test]
    fn this_machine_has_a_few_places_more() {
        let room = Room::new(9, 1, Counters::default());
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let first = room.enter(here, false).unwrap();
        first.state.enter(Phase::Busy);
        let spare: Vec<Seat> = (0..SPARE).map(|_| room.enter(here, false).unwrap()).collect();
        assert!(first.state.spare.is_none());
        assert!(spare.iter().all(|seat| seat.state.spare == Some(Full::Address)));
        // They make room among themselves and for nobody else.
        let more = room.enter(here, false).unwrap();
        assert!(spare[0].state.gone.is_cancelled() && !spare[1].state.gone.is_cancelled());
        spare.iter().chain([&more]).for_each(|seat| seat.state.enter(Phase::Busy));
        assert_eq!(room.enter(here, false).err(), Some(Full::Address));
        drop(first);
        assert!(room.enter(here, false).unwrap().state.spare.is_none());
    }

    #[test]
    fn a_proxy_is_limited_by_the_total_alone() {
        let room = Room::new(3, 1, Counters::default());
        let seats: Vec<Seat> = (0..3).map(|_| room.enter(address(1), true).unwrap()).collect();
        assert_eq!(seats.len(), 3);
        assert!(seats.iter().all(|s| !s.state.gone.is_cancelled()));
        assert!(room.enter(address(1), true).is_ok());
        assert_eq!(seats.iter().filter(|s| s.state.gone.is_cancelled()).count(), 1);
    }
}
