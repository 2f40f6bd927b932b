//! Messages: in from one client, out to all that subscribed.

use crate::mqtt::broker::access::Who;
use crate::mqtt::broker::core::Core;
use crate::mqtt::broker::core::connect::{ALIAS_MAXIMUM, RECEIVE_MAXIMUM};
use crate::mqtt::broker::core::message::{Letter, Message};
use crate::mqtt::broker::core::session::Taken;
use crate::mqtt::broker::core::trie::Sub;
use crate::mqtt::broker::wire::{AckKind, Fault, Publish, code};
use crate::mqtt::config::Version;
use crate::mqtt::message::Qos;
use std::sync::Arc;
use std::time::Instant;

/// What became of a message.
pub(super) struct Routed {
    was_heard: bool,
    /// False when it was to be retained and there was no room.
    was_kept: bool,
}

/// Whether somebody may publish on a topic: below `$SYS/broker/` only the broker speaks.
pub(super) fn may_publish(who: &Who, topic: &str) -> bool {
    who.may_write(topic) && !topic.starts_with("$SYS/broker/")
}

impl Core {
    /// PUBLISH of a client (section 3.3).
    pub(super) fn publish(
        &mut self,
        key: u32,
        publish: Publish,
        now: Instant,
    ) -> Result<(), Fault> {
        self.counts.received += 1;
        let topic = self.topic(key, &publish)?;
        let (id, qos) = (publish.id, publish.qos);
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        let version = session.link.as_ref().map(|link| link.version);
        if qos == Qos::ExactlyOnce {
            if session.received.contains(&id) {
                // It is here already; only the answer was lost.
                session.answer(AckKind::Received, id, code::OK, "");
                return Ok(());
            }
            if version == Some(Version::V5) && session.received.len() >= RECEIVE_MAXIMUM.into() {
                let why = "more messages are open than this broker takes at once";
                return Err(Fault::new(code::RECEIVE_MAXIMUM, why));
            }
        }
        let may = may_publish(&session.who, &topic);
        let (answer, why) = if !may {
            self.counts.refused += 1;
            (code::NOT_ALLOWED, "this topic may not be written")
        } else if publish.is_no_text {
            (code::FORMAT, "the payload is said to be text, and is not")
        } else {
            let routed = self.route(Message::of_publish(publish, topic, key, now), now);
            if !routed.was_kept {
                (code::QUOTA, "delivered, but there is no room to retain it")
            } else if routed.was_heard {
                (code::OK, "")
            } else {
                (code::UNHEARD, "")
            }
        };
        let Some(session) = self.sessions.get_mut(&key) else { return Ok(()) };
        match qos {
            Qos::AtMostOnce => {}
            Qos::AtLeastOnce => session.answer(AckKind::Done, id, answer, why),
            Qos::ExactlyOnce => {
                // With an error the exchange is over, in the version that knows errors (section 4.3.3).
                if answer < 0x80 || version == Some(Version::V4) {
                    session.received.insert(id);
                }
                session.answer(AckKind::Received, id, answer, why);
            }
        }
        Ok(())
    }

    /// Returns the topic, which may be known by its alias only (section 3.3.2.3.4).
    fn topic(&mut self, key: u32, publish: &Publish) -> Result<Arc<str>, Fault> {
        let Some(alias) = publish.alias else { return Ok(publish.topic.clone()) };
        if alias > ALIAS_MAXIMUM {
            return Err(Fault::new(
                code::ALIAS,
                "the topic alias is larger than this broker allows",
            ));
        }
        let link = self.sessions.get_mut(&key).and_then(|session| session.link.as_mut());
        let Some(link) = link else { return Ok(publish.topic.clone()) };
        if !publish.topic.is_empty() {
            link.aliases.insert(alias, publish.topic.clone());
            return Ok(publish.topic.clone());
        }
        let unknown = Fault::new(code::PROTOCOL, "the topic alias stands for nothing yet");
        link.aliases.get(&alias).cloned().ok_or(unknown)
    }

    /// Brings a message to everybody who subscribed, and keeps it when it is to be retained.
    pub(super) fn route(&mut self, message: Message, now: Instant) -> Routed {
        let mut matches = std::mem::take(&mut self.matches);
        let sessions = &self.sessions;
        let is_online = |key| sessions.get(&key).is_some_and(|session| session.link.is_some());
        self.subscriptions.matches(&message.topic, &is_online, &mut matches);
        matches.retain(|sub| !(sub.no_local && sub.session == message.from));
        let was_heard = !matches.is_empty();
        let message = Arc::new(message);
        let was_kept = !message.retain || self.retained.put(&message);
        self.counts.unretained += u64::from(!was_kept);
        // One copy for all subscriptions of a client (section 3.3.4), but each shared one is its own.
        matches.sort_by_key(|sub| (sub.session, sub.is_shared));
        let copies = self.limits.copies;
        let one_copy =
            |a: &Sub, b: &Sub| !copies && a.session == b.session && !a.is_shared && !b.is_shared;
        for subs in matches.chunk_by(one_copy) {
            let qos = subs.iter().map(|sub| sub.qos).max().unwrap_or_default();
            let letter = Letter {
                message: message.clone(),
                qos: qos.min(message.qos),
                retain: message.retain && subs.iter().any(|sub| sub.keeps_retain),
                numbers: subs.iter().map(|sub| sub.number).filter(|n| *n > 0).collect(),
            };
            let key = subs[0].session;
            let Some(session) = self.sessions.get_mut(&key) else { continue };
            let is_online = session.link.is_some();
            let taken = session.take(letter, &mut self.room, &mut self.counts, now);
            if taken == Taken::Overflow && is_online && !self.overflowed.contains(&key) {
                self.overflowed.push(key);
            }
        }
        matches.clear();
        self.matches = matches;
        Routed { was_heard, was_kept }
    }
}
