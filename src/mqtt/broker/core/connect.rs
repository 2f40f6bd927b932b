//! Clients come and go: sessions begin, are taken over, wait, and end.

use crate::mqtt::broker::access::Who;
use crate::mqtt::broker::config::OWN;
use crate::mqtt::broker::core::Core;
use crate::mqtt::broker::core::message::Message;
use crate::mqtt::broker::core::outbox::Outbox;
use crate::mqtt::broker::core::publish::may_publish;
use crate::mqtt::broker::core::session::{Link, Session};
use crate::mqtt::broker::wire::{self, Connect, Disconnect, Fault, Welcome, code};
use crate::mqtt::config::Version;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// QoS 2 messages that a client may have open at once, and aliases that it may use.
pub(super) const RECEIVE_MAXIMUM: u16 = 256;
pub(super) const ALIAS_MAXIMUM: u16 = 64;
/// Messages of QoS 1 and 2 that go to a client at once, whatever it takes; and topics shortened for it.
const WINDOW: u16 = 256;
const SHORTENED: u16 = 256;
/// Bytes of a client id.
const CLIENT_ID: usize = 512;

/// A client's place while its connection lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mqtt::broker) struct Seat {
    pub(super) session: u32,
    pub(super) link: u64,
}

impl Core {
    /// Lets a client in whose password has been checked. `fresh` is its id when it has none.
    ///
    /// What it is told lies in `outbox`, in the good case as in the bad.
    pub(in crate::mqtt::broker) fn connect(
        &mut self,
        mut connect: Connect,
        who: Who,
        outbox: &Arc<Outbox>,
        fresh: &str,
        now: Instant,
    ) -> Option<Seat> {
        let version = connect.version;
        let is_assigned = connect.client_id.is_empty();
        if let Err(fault) = self.check(&connect, &who) {
            refuse(outbox, &connect, fault);
            return None;
        }
        if is_assigned {
            fresh.clone_into(&mut connect.client_id);
        }
        let older = self.by_client.get(&*connect.client_id).copied();
        if let Some(key) = older {
            self.take_over(key, connect.clean, now);
        }
        let older = self.by_client.get(&*connect.client_id).copied();
        let key = older.unwrap_or_else(|| self.begin(&connect.client_id, who.clone()));
        self.last += 1;
        let seat = Seat { session: key, link: self.last };
        self.seat(seat, &connect, who, outbox, now);
        let expiry = connect.session_expiry.min(self.limits.session_expiry);
        let response = format!("response/{}", connect.client_id);
        let may_have = connect.wants_response && !connect.client_id.contains(['+', '#', '/', '$']);
        let welcome = Welcome {
            has_session: older.is_some(),
            session_expiry: (expiry != connect.session_expiry).then_some(expiry),
            keep_alive: None,
            client_id: is_assigned.then_some(&*connect.client_id),
            receive_maximum: RECEIVE_MAXIMUM,
            packet_maximum: u32::try_from(self.limits.packet).unwrap_or(u32::MAX),
            alias_maximum: ALIAS_MAXIMUM,
            response: may_have.then_some(&*response),
        };
        outbox.write(|out| wire::connack(out, version, Ok(&welcome)));
        self.pump(key, now);
        self.end_overflowed(now);
        Some(seat)
    }

    fn check(&self, connect: &Connect, who: &Who) -> Result<(), Fault> {
        let id = &*connect.client_id;
        let known = self.by_client.get(id).and_then(|key| self.sessions.get(key));
        let is_connected = known.is_some_and(|session| session.link.is_some());
        if connect.has_method {
            return Err(Fault::new(
                code::AUTH_METHOD,
                "only user name and password are understood",
            ));
        }
        if id.is_empty() && connect.version == Version::V4 && !connect.clean {
            return Err(Fault::new(code::CLIENT_ID, "a session that stays needs a client id"));
        }
        if id.len() > CLIENT_ID {
            return Err(Fault::new(code::CLIENT_ID, "the client id is longer than 512 bytes"));
        }
        if known.is_some_and(|session| session.who.name != who.name) {
            return Err(Fault::new(code::NOT_ALLOWED, "the client id is another user's"));
        }
        if connect.will.as_ref().is_some_and(|will| !may_publish(who, &will.topic)) {
            return Err(Fault::new(code::NOT_ALLOWED, "the will's topic may not be written"));
        }
        let clients = self.sessions.values().filter(|session| session.link.is_some()).count();
        if !is_connected && clients >= self.limits.clients {
            return Err(Fault::new(code::BUSY, "there are as many clients as may be"));
        }
        if known.is_none() && self.sessions.len() >= self.limits.sessions {
            return Err(Fault::new(code::QUOTA, "there are as many sessions as may be"));
        }
        Ok(())
    }

    fn begin(&mut self, client_id: &str, who: Who) -> u32 {
        // 0 is the broker itself.
        let key = (1..).find(|key| !self.sessions.contains_key(key)).unwrap_or(u32::MAX);
        let client_id: Arc<str> = client_id.into();
        self.by_client.insert(client_id.clone(), key);
        self.sessions.insert(key, Session::new(client_id, who));
        key
    }

    /// Puts the connection into the session.
    fn seat(
        &mut self,
        seat: Seat,
        connect: &Connect,
        who: Who,
        outbox: &Arc<Outbox>,
        now: Instant,
    ) {
        let most = self.limits.session_expiry;
        let Some(session) = self.sessions.get_mut(&seat.session) else { return };
        session.who = who;
        session.expiry = connect.session_expiry.min(most);
        (session.ends, session.will_due) = (None, None);
        session.will = connect.will.clone();
        let patience = Duration::from_millis(u64::from(connect.keep_alive) * 1500);
        session.link = Some(Link {
            number: seat.link,
            outbox: outbox.clone(),
            version: connect.version,
            heard: now,
            patience: (connect.keep_alive > 0).then_some(patience),
            packet_maximum: connect.packet_maximum,
            window: connect.receive_maximum.min(WINDOW).into(),
            wants_problems: connect.wants_problems,
            aliases: HashMap::new(),
            shortened: HashMap::new(),
            alias_maximum: connect.alias_maximum.min(SHORTENED),
        });
    }

    /// Ends the older connection of a client that connects again, and its session when it starts anew.
    fn take_over(&mut self, key: u32, clean: bool, now: Instant) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if session.link.is_some() {
            let why = "the client connected again";
            tell_end(session, Fault::new(code::TAKEN_OVER, why));
            session.unlink();
            // A will with a delay waits for just this: that the client comes back (section 3.1.2.5).
            let stays = session.will.as_ref().is_some_and(|will| will.delay > 0) && !clean;
            if !stays {
                self.publish_will(key, now);
            }
        }
        let Some(session) = self.sessions.get(&key) else { return };
        let has_ended = session.expiry == 0 || session.ends.is_some_and(|ends| ends <= now);
        if clean || has_ended {
            self.drop_session(key, now);
        }
    }

    /// DISCONNECT (section 3.14).
    pub(super) fn leave(&mut self, key: u32, said: &Disconnect, now: Instant) -> Result<(), Fault> {
        let most = self.limits.session_expiry;
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        if let Some(expiry) = said.session_expiry {
            if session.expiry == 0 && expiry > 0 {
                return Err(Fault::new(
                    code::PROTOCOL,
                    "the session was to end with the connection",
                ));
            }
            session.expiry = expiry.min(most);
        }
        if said.code == code::OK {
            session.will = None;
        }
        if let Some(link) = &session.link {
            link.outbox.end();
        }
        self.gone(key, now);
        Ok(())
    }

    /// The connection broke.
    pub(in crate::mqtt::broker) fn lost(&mut self, seat: Seat, now: Instant) {
        if self.seated(seat).is_some() {
            self.gone(seat.session, now);
            self.end_overflowed(now);
        }
    }

    /// Ends a connection from this side.
    pub(super) fn end(&mut self, key: u32, fault: Fault, now: Instant) {
        if let Some(session) = self.sessions.get(&key) {
            tell_end(session, fault);
            self.gone(key, now);
        }
    }

    /// Ends the connections of everybody but Hearth itself, which ends at the same time and would take
    /// it for a loss. Wills stay unsaid, as nobody is there to hear them.
    pub(in crate::mqtt::broker) fn shut(&mut self) {
        for session in self.sessions.values_mut().filter(|session| *session.who.name != *OWN) {
            tell_end(session, Fault::new(code::ENDING, "the broker ends"));
            session.unlink();
        }
    }

    /// The session has no connection any more.
    fn gone(&mut self, key: u32, now: Instant) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if session.unlink().is_none() {
            return;
        }
        if session.expiry == 0 {
            return self.drop_session(key, now);
        }
        let after = |seconds: u32| now.checked_add(Duration::from_secs(seconds.into()));
        session.ends = after(session.expiry);
        match session.will.as_ref().map(|will| will.delay) {
            None => {}
            Some(0) => self.publish_will(key, now),
            Some(delay) => session.will_due = after(delay),
        }
    }

    /// Says the will of a client that is gone.
    pub(super) fn publish_will(&mut self, key: u32, now: Instant) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.will_due = None;
        if let Some(will) = session.will.take() {
            self.route(Message::of_will(will, key, now), now);
        }
    }

    /// Ends a session; a will that still waits is said now (section 3.1.3.2.2).
    pub(super) fn drop_session(&mut self, key: u32, now: Instant) {
        self.publish_will(key, now);
        let Some(mut session) = self.sessions.remove(&key) else { return };
        session.clear(&mut self.room);
        self.by_client.remove(&session.client_id);
        for filter in &session.filters {
            self.subscriptions.remove(filter, key);
        }
    }
}

/// Tells a client that it is not let in, and why where the reason fits into what it takes.
pub(in crate::mqtt::broker) fn refuse(outbox: &Outbox, connect: &Connect, fault: Fault) {
    let why = if connect.packet_maximum > 256 { fault.why } else { "" };
    outbox.write(|out| wire::connack(out, connect.version, Err((fault.code, why))));
    outbox.end();
}

/// Tells the client why its connection ends, and ends it. MQTT 3.1.1 has no word for it.
fn tell_end(session: &Session, fault: Fault) {
    let Some(link) = &session.link else { return };
    let why = if link.packet_maximum > 256 { fault.why } else { "" };
    session.write(|out, version| {
        if version == Version::V5 {
            wire::disconnect(out, fault.code, why);
        }
    });
    link.outbox.end();
}
