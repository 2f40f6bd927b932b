//! What the broker knows of one client, connected or not, and what is on its way to it.

use crate::mqtt::broker::access::Who;
use crate::mqtt::broker::core::message::Letter;
use crate::mqtt::broker::core::outbox::{FULL, Outbox};
use crate::mqtt::broker::core::retained::{Cursor, Retained, Step};
use crate::mqtt::broker::core::trie::Sub;
use crate::mqtt::broker::core::{Counts, Room};
use crate::mqtt::broker::wire::{self, AckKind, Outgoing, Will};
use crate::mqtt::config::Version;
use crate::mqtt::filter::Filter;
use crate::mqtt::message::Qos;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection.
pub(super) struct Link {
    /// Tells it from earlier ones of the same session.
    pub(super) number: u64,
    pub(super) outbox: Arc<Outbox>,
    pub(super) version: Version,
    pub(super) heard: Instant,
    /// How long it may be silent: one and a half of what it said (section 3.1.2.10).
    pub(super) patience: Option<Duration>,
    pub(super) packet_maximum: usize,
    /// Messages of QoS 1 and 2 that it takes at once.
    pub(super) window: usize,
    pub(super) wants_problems: bool,
    /// Topics that it shortened.
    pub(super) aliases: HashMap<u16, Arc<str>>,
    /// Topics that are shortened for it, and how many may be.
    pub(super) shortened: HashMap<Arc<str>, u16>,
    pub(super) alias_maximum: u16,
}

/// A message of QoS 1 or 2 that the client has not taken over yet.
struct Flight {
    letter: Letter,
    id: u16,
    /// QoS 2: the client has it, and is told that it will not come again.
    is_released: bool,
    /// Whether it went over the present connection.
    is_sent: bool,
    /// Whether it went over an earlier one.
    was_sent: bool,
}

/// A subscription for which retained messages are still to be sent.
struct Replay {
    cursor: Cursor,
    sub: Sub,
}

/// One client.
pub(super) struct Session {
    pub(super) client_id: Arc<str>,
    pub(super) who: Who,
    pub(super) link: Option<Link>,
    /// Seconds that it stays without a connection.
    pub(super) expiry: u32,
    pub(super) ends: Option<Instant>,
    pub(super) will: Option<Will>,
    pub(super) will_due: Option<Instant>,
    pub(super) filters: BTreeSet<Box<str>>,
    /// QoS 2 messages of the client that it has not released yet.
    pub(super) received: BTreeSet<u16>,
    flights: VecDeque<Flight>,
    sent: usize,
    queue: VecDeque<Letter>,
    queued_bytes: usize,
    replays: VecDeque<Replay>,
    last_id: u16,
}

/// What became of a message for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    /// There is no room for it; the client is to be told.
    Overflow,
}

impl Session {
    pub(super) fn new(client_id: Arc<str>, who: Who) -> Session {
        Session {
            client_id,
            who,
            link: None,
            expiry: 0,
            ends: None,
            will: None,
            will_due: None,
            filters: BTreeSet::new(),
            received: BTreeSet::new(),
            flights: VecDeque::new(),
            sent: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            replays: VecDeque::new(),
            last_id: 0,
        }
    }

    /// Appends a packet for the client, when it is connected.
    pub(super) fn write(&self, add: impl FnOnce(&mut Vec<u8>, Version)) {
        if let Some(link) = &self.link {
            link.outbox.write(|out| add(out, link.version));
        }
    }

    /// Appends an answer, with its reason when the client wants reasons.
    pub(super) fn answer(&self, kind: AckKind, id: u16, code: u8, why: &str) {
        let is_welcome =
            self.link.as_ref().is_some_and(|link| link.wants_problems && link.packet_maximum > 256);
        let why = if is_welcome { why } else { "" };
        self.write(|out, version| wire::ack(out, version, (kind, id, code), why));
    }

    /// Takes a message in for the client: sends it, keeps it for later, or has no place for it.
    pub(super) fn take(
        &mut self,
        letter: Letter,
        room: &mut Room,
        counts: &mut Counts,
        now: Instant,
    ) -> Taken {
        let lying = self.link.as_ref().map(|link| link.outbox.len());
        if letter.qos == Qos::AtMostOnce {
            match lying {
                // Without a connection there is nobody to send it to, which is no loss (section 4.3.1).
                None => {}
                Some(0) => self.send(&letter, 0, false, counts, now),
                Some(lying)
                    if lying + letter.message.weight() <= room.client_bytes
                        && room.has(letter.message.weight()) =>
                {
                    self.send(&letter, 0, false, counts, now);
                }
                Some(_) => counts.dropped_slow += 1,
            }
            return Taken::Yes;
        }
        if self.can_fly() && self.queue.is_empty() && lying.is_some_and(|lying| lying < FULL) {
            self.fly(letter, counts, now);
            return Taken::Yes;
        }
        let weight = letter.weight();
        let is_full = self.queue.len() >= room.client_messages
            || self.queued_bytes + weight > room.client_bytes
            || !room.has(weight);
        if is_full {
            counts.dropped_full += 1;
            return Taken::Overflow;
        }
        self.queued_bytes += weight;
        room.queued += weight;
        self.queue.push_back(letter);
        // When the window is what is full, the client's next answer goes on.
        if let Some(link) = self.link.as_ref().filter(|_| lying.is_some_and(|lying| lying >= FULL))
        {
            link.outbox.set_more(true);
        }
        Taken::Yes
    }

    fn can_fly(&self) -> bool {
        self.link.as_ref().is_some_and(|link| self.sent < link.window)
            && self.flights.len() < usize::from(u16::MAX) / 2
    }

    fn fly(&mut self, letter: Letter, counts: &mut Counts, now: Instant) {
        let id = self.fresh_id();
        if self.is_too_large(&letter, now) {
            counts.too_large += 1;
            return;
        }
        self.send(&letter, id, false, counts, now);
        self.sent += 1;
        let flight = Flight { letter, id, is_released: false, is_sent: true, was_sent: true };
        self.flights.push_back(flight);
    }

    fn fresh_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.flights.iter().any(|flight| flight.id == self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Whether the client said that it does not take packets of this size (section 3.1.2.11.4).
    fn is_too_large(&self, letter: &Letter, now: Instant) -> bool {
        let size = |version| outgoing(letter, 1, now).size(version);
        self.link.as_ref().is_some_and(|link| size(link.version) > link.packet_maximum)
    }

    fn send(&mut self, letter: &Letter, id: u16, again: bool, counts: &mut Counts, now: Instant) {
        let Some(link) = &mut self.link else { return };
        let mut packet = outgoing(letter, id, now);
        packet.again = again;
        if packet.size(link.version) > link.packet_maximum {
            counts.too_large += 1;
            return;
        }
        if link.alias_maximum > 0 && packet.size(link.version) + 3 <= link.packet_maximum {
            match link.shortened.get(&letter.message.topic) {
                Some(alias) => (packet.topic, packet.alias) = ("", Some(*alias)),
                None if link.shortened.len() < usize::from(link.alias_maximum) => {
                    let alias = link.shortened.len() as u16 + 1;
                    link.shortened.insert(letter.message.topic.clone(), alias);
                    packet.alias = Some(alias);
                }
                None => {}
            }
        }
        counts.sent += 1;
        let version = link.version;
        link.outbox.write(|out| wire::publish(out, version, &packet));
    }

    /// Begins to send the retained messages that a subscription matches.
    pub(super) fn replay(&mut self, filter: Filter, sub: Sub) {
        self.replays.push_back(Replay { cursor: Cursor::new(filter), sub });
    }

    /// How many subscriptions wait for retained messages.
    pub(super) fn replays(&self) -> usize {
        self.replays.len()
    }

    /// Stops sending retained messages for a subscription that ended.
    pub(super) fn stop_replay(&mut self, filter: &str) {
        self.replays.retain(|replay| replay.cursor.filter() != filter);
    }

    /// Takes the client's answer to a message.
    pub(super) fn hear(&mut self, kind: AckKind, id: u16, failed: bool) {
        let at = self.flights.iter().position(|flight| flight.id == id);
        let flight = at.and_then(|at| self.flights.get_mut(at));
        let is_exact = flight.as_ref().is_some_and(|f| f.letter.qos == Qos::ExactlyOnce);
        let is_done = match (kind, flight) {
            (AckKind::Done, Some(_)) => !is_exact,
            (AckKind::Received, Some(_)) if is_exact && failed => true,
            (AckKind::Received, Some(flight)) if is_exact => {
                flight.is_released = true;
                self.answer(AckKind::Release, id, wire::code::OK, "");
                false
            }
            (AckKind::Received, _) if !failed => {
                self.answer(
                    AckKind::Release,
                    id,
                    wire::code::NO_SUCH_ID,
                    "no such message is open",
                );
                false
            }
            (AckKind::Complete, Some(flight)) => flight.is_released,
            _ => false,
        };
        if let Some(at) = at.filter(|_| is_done) {
            let gone = self.flights.remove(at);
            self.sent -= usize::from(gone.is_some_and(|flight| flight.is_sent));
        }
    }

    /// Sends what waits, as far as there is room: what was open when the last connection broke, then the
    /// queue and retained messages by turns.
    pub(super) fn pump(
        &mut self,
        retained: &Retained,
        room: &mut Room,
        counts: &mut Counts,
        now: Instant,
    ) {
        let Some(outbox) = self.link.as_ref().map(|link| link.outbox.clone()) else { return };
        let mut has_more = self.resend(counts, now);
        while !has_more {
            if outbox.len() >= FULL {
                has_more = !self.replays.is_empty() || !self.queue.is_empty();
                break;
            }
            let mut moved = false;
            if self.can_fly()
                && let Some(letter) = self.queue.pop_front()
            {
                moved = true;
                self.forget(&letter, room);
                if !letter.message.is_expired(now) {
                    self.fly(letter, counts, now);
                }
            }
            match self.step_replay(retained, counts, now) {
                Some(Step::Further) => has_more = true,
                Some(_) => moved = true,
                None => {}
            }
            if !moved {
                break;
            }
        }
        outbox.set_more(has_more);
    }

    fn forget(&mut self, letter: &Letter, room: &mut Room) {
        self.queued_bytes -= letter.weight();
        room.queued -= letter.weight();
    }

    /// Sends again what the last connection left open; true when the socket is full before the end.
    fn resend(&mut self, counts: &mut Counts, now: Instant) -> bool {
        let Some(window) = self.link.as_ref().map(|link| link.window) else { return false };
        for at in 0..self.flights.len() {
            if self.flights[at].is_sent {
                continue;
            }
            if self.sent >= window {
                return false;
            }
            if self.link.as_ref().is_some_and(|link| link.outbox.len() >= FULL) {
                return true;
            }
            let flight = &mut self.flights[at];
            flight.is_sent = true;
            self.sent += 1;
            let (id, again) = (flight.id, flight.was_sent);
            flight.was_sent = true;
            if flight.is_released {
                self.answer(AckKind::Release, id, wire::code::OK, "");
            } else {
                let letter = flight.letter.clone();
                self.send(&letter, id, again, counts, now);
            }
        }
        false
    }

    /// Sends one retained message; `None` when none waits or none may go.
    fn step_replay(
        &mut self,
        retained: &Retained,
        counts: &mut Counts,
        now: Instant,
    ) -> Option<Step> {
        let can_fly = self.can_fly();
        let replay = self.replays.front_mut()?;
        if !can_fly && replay.sub.qos != Qos::AtMostOnce {
            return None;
        }
        let sub = replay.sub;
        let step = retained.step(&mut replay.cursor, now);
        match &step {
            Step::Done => drop(self.replays.pop_front()),
            Step::Further => {}
            Step::Found(message) => {
                let qos = sub.qos.min(message.qos);
                let numbers = Vec::from_iter((sub.number > 0).then_some(sub.number));
                let letter = Letter { message: message.clone(), qos, retain: true, numbers };
                if qos == Qos::AtMostOnce {
                    self.send(&letter, 0, false, counts, now);
                } else {
                    self.fly(letter, counts, now);
                }
            }
        }
        Some(step)
    }

    /// Lets the connection go; what it did not take stays.
    pub(super) fn unlink(&mut self) -> Option<Link> {
        self.sent = 0;
        self.flights.iter_mut().for_each(|flight| flight.is_sent = false);
        self.link.take()
    }

    /// Gives back the room that its queue took.
    pub(super) fn clear(&mut self, room: &mut Room) {
        room.queued -= self.queued_bytes;
        self.queued_bytes = 0;
        self.queue.clear();
    }

    /// Returns how many messages wait, and their bytes.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.queue.len() + self.flights.len(), self.queued_bytes)
    }
}

fn outgoing(letter: &Letter, id: u16, now: Instant) -> Outgoing<'_> {
    Outgoing {
        qos: letter.qos,
        retain: letter.retain,
        again: false,
        id,
        topic: &letter.message.topic,
        alias: None,
        expiry: letter.message.left(now),
        numbers: &letter.numbers,
        kept: &letter.message.kept,
        payload: &letter.message.payload,
    }
}
