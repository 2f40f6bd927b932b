//! The broker itself, without sockets and clocks: sessions, subscriptions, retained messages, wills.
//!
//! The edge feeds it with packets and the time; what it says lies in each client's outbox. It never
//! waits and never calls out. Every store has a bound (see [`Limits`]), and what is dropped is counted.

mod connect;
mod message;
mod outbox;
mod publish;
mod retained;
mod session;
mod status;
mod subscribe;
mod time;
mod trie;

#[cfg(test)]
mod tests;

pub(super) use connect::{Seat, refuse};
pub(super) use outbox::Outbox;

use crate::mqtt::broker::wire::{Ack, AckKind, Fault, Packet, code};
use retained::Retained;
use session::Session;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use trie::Trie;

/// How much of everything there may be.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) clients: usize,
    /// Sessions, those without a connection included.
    pub(super) sessions: usize,
    /// Of each client.
    pub(super) subscriptions: usize,
    pub(super) retained: usize,
    pub(super) retained_bytes: usize,
    /// Messages that wait for one client.
    pub(super) queued: usize,
    /// Their bytes.
    pub(super) queued_bytes: usize,
    /// Bytes that wait for all clients together, those on their way to a socket included.
    pub(super) all_queued_bytes: usize,
    /// Bytes of one packet.
    pub(super) packet: usize,
    /// Seconds that a session without a connection stays at most.
    pub(super) session_expiry: u32,
    /// Whether a client gets a message once for each subscription that it matches.
    pub(super) copies: bool,
}

/// The room for what waits.
pub(super) struct Room {
    client_messages: usize,
    client_bytes: usize,
    all_bytes: usize,
    queued: usize,
    /// Bytes in all outboxes.
    outgoing: Arc<AtomicUsize>,
}

impl Room {
    /// Whether so many bytes more may wait, of all clients together.
    fn has(&self, bytes: usize) -> bool {
        self.queued + self.outgoing.load(Ordering::Relaxed) + bytes <= self.all_bytes
    }
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Messages that clients published.
    pub(crate) received: u64,
    /// Messages that went out to clients.
    pub(crate) sent: u64,
    /// QoS 0 messages dropped because their client read too slowly.
    pub(crate) dropped_slow: u64,
    /// QoS 1 and 2 messages for which the client's queue had no room.
    pub(crate) dropped_full: u64,
    /// Messages larger than what their client takes.
    pub(crate) too_large: u64,
    /// Messages that the access list did not let through.
    pub(crate) refused: u64,
    /// Retained messages for which the store had no room.
    pub(crate) unretained: u64,
    /// Connections that were closed because their client read too slowly.
    pub(crate) cut_off: u64,
}

/// What there is now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    /// Clients that are connected.
    pub(crate) clients: usize,
    /// Sessions, those without a connection included.
    pub(crate) sessions: usize,
    /// Subscriptions.
    pub(crate) subscriptions: usize,
    /// Retained messages.
    pub(crate) retained: usize,
    /// Bytes of the retained messages.
    pub(crate) retained_bytes: usize,
    /// Messages that wait for their clients.
    pub(crate) waiting: usize,
    /// Bytes of what waits.
    pub(crate) waiting_bytes: usize,
}

/// The broker.
pub(super) struct Core {
    limits: Limits,
    room: Room,
    counts: Counts,
    sessions: HashMap<u32, Session>,
    by_client: HashMap<Arc<str>, u32>,
    subscriptions: Trie,
    retained: Retained,
    /// Sessions whose queue overflowed while somebody else was served.
    overflowed: Vec<u32>,
    /// For the matches of one message; kept for its room.
    matches: Vec<trie::Sub>,
    last: u64,
    status: status::Status,
}

impl Core {
    pub(super) fn new(limits: Limits, now: Instant) -> Core {
        Core {
            room: Room {
                client_messages: limits.queued,
                client_bytes: limits.queued_bytes,
                all_bytes: limits.all_queued_bytes,
                queued: 0,
                outgoing: Arc::default(),
            },
            retained: Retained::new(limits.retained, limits.retained_bytes),
            limits,
            counts: Counts::default(),
            sessions: HashMap::new(),
            by_client: HashMap::new(),
            subscriptions: Trie::default(),
            overflowed: Vec::new(),
            matches: Vec::new(),
            last: 0,
            status: status::Status::new(now),
        }
    }

    /// Makes an outbox for a client that is about to connect.
    pub(super) fn outbox(&self) -> Arc<Outbox> {
        Arc::new(Outbox::new(self.room.outgoing.clone()))
    }

    /// Returns what has happened.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns what there is.
    pub(super) fn sizes(&self) -> Sizes {
        let all = || self.sessions.values();
        Sizes {
            clients: all().filter(|session| session.link.is_some()).count(),
            sessions: self.sessions.len(),
            subscriptions: all().map(|session| session.filters.len()).sum(),
            retained: self.retained.len(),
            retained_bytes: self.retained.bytes(),
            waiting: all().map(|session| session.waiting().0).sum(),
            waiting_bytes: self.room.queued + self.room.outgoing.load(Ordering::Relaxed),
        }
    }

    /// Takes one packet of a client. A fault ends the connection, and the client has been told.
    pub(super) fn hear(&mut self, seat: Seat, packet: Packet, now: Instant) {
        let Some(session) = self.seated(seat) else { return };
        if let Some(link) = &mut session.link {
            link.heard = now;
        }
        let key = seat.session;
        let heard = match packet {
            Packet::Publish(publish) => self.publish(key, publish, now),
            Packet::Ack(ack) => {
                self.answer(key, &ack, now);
                Ok(())
            }
            Packet::Subscribe(subscribe) => {
                self.subscribe(key, subscribe, now);
                Ok(())
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.unsubscribe(key, &unsubscribe);
                Ok(())
            }
            Packet::Ping => {
                session.write(|out, _| crate::mqtt::broker::wire::pong(out));
                Ok(())
            }
            Packet::Disconnect(said) => self.leave(key, &said, now),
        };
        if let Err(fault) = heard {
            self.end(key, fault, now);
        }
        self.end_overflowed(now);
    }

    /// Goes on with what waits for the client: its socket has room again.
    pub(super) fn drained(&mut self, seat: Seat, now: Instant) {
        if self.seated(seat).is_some() {
            self.pump(seat.session, now);
        }
    }

    /// Ends a connection because of a fault; the client is told, in MQTT 5.
    pub(super) fn refuse(&mut self, seat: Seat, fault: Fault, now: Instant) {
        if self.seated(seat).is_some() {
            self.end(seat.session, fault, now);
        }
    }

    fn answer(&mut self, key: u32, ack: &Ack, now: Instant) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if ack.kind == AckKind::Release {
            let was_open = session.received.remove(&ack.id);
            let answer = if was_open { code::OK } else { code::NO_SUCH_ID };
            session.answer(AckKind::Complete, ack.id, answer, "no such message is open");
            return;
        }
        session.hear(ack.kind, ack.id, ack.code >= 0x80);
        self.pump(key, now);
    }

    fn pump(&mut self, key: u32, now: Instant) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.pump(&self.retained, &mut self.room, &mut self.counts, now);
        }
    }

    /// Returns the session when the seat is still its present connection.
    fn seated(&mut self, seat: Seat) -> Option<&mut Session> {
        let session = self.sessions.get_mut(&seat.session)?;
        let is_same = session.link.as_ref().is_some_and(|link| link.number == seat.link);
        is_same.then_some(session)
    }

    /// Whoever did not take its messages fast enough is told and let go; its session stays as it asked.
    fn end_overflowed(&mut self, now: Instant) {
        // A will that is published on the way may overflow others.
        while let Some(key) = self.overflowed.pop() {
            self.counts.cut_off += 1;
            let fault = Fault::new(code::QUOTA, "messages came faster than this client took them");
            self.end(key, fault, now);
        }
    }
}
