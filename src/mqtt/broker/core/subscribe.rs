//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 and 3.10).

use crate::mqtt::broker::core::Core;
use crate::mqtt::broker::core::trie::{Sub, shared};
use crate::mqtt::broker::wire::{self, Handling, Subscribe, Unsubscribe, Wanted, code};
use crate::mqtt::filter::Filter;
use std::time::Instant;

/// Subscriptions of one client for which retained messages wait to be sent.
const REPLAYS: usize = 1024;
/// Levels of a filter: the tree of subscriptions is as deep.
const LEVELS: usize = 256;

impl Core {
    pub(super) fn subscribe(&mut self, key: u32, subscribe: Subscribe, now: Instant) {
        let mut answers = Vec::with_capacity(subscribe.filters.len());
        for filter in &subscribe.filters {
            answers.push(self.subscribe_one(key, filter, subscribe.number.unwrap_or(0)));
        }
        if let Some(session) = self.sessions.get(&key) {
            session.write(|out, version| wire::suback(out, version, subscribe.id, &answers));
        }
        self.pump(key, now);
    }

    /// Returns the code for the filter: the QoS that is granted, or why not.
    fn subscribe_one(&mut self, key: u32, wanted: &Wanted, number: u32) -> u8 {
        let filter = &*wanted.filter;
        let Some(session) = self.sessions.get_mut(&key) else { return code::NOT_ALLOWED };
        let Some(read) = Filter::read(filter).ok().filter(|_| filter.split('/').count() <= LEVELS)
        else {
            return code::FILTER;
        };
        let is_shared = shared(filter).is_some();
        if !session.who.may_read(&read) {
            self.counts.refused += 1;
            return code::NOT_ALLOWED;
        }
        let is_new = !session.filters.contains(filter);
        let is_full =
            session.filters.len() >= self.limits.subscriptions || session.replays() >= REPLAYS;
        if is_new && is_full {
            return code::QUOTA;
        }
        let sub = Sub {
            session: key,
            qos: wanted.qos,
            no_local: wanted.no_local,
            keeps_retain: wanted.keeps_retain,
            number,
            is_shared,
        };
        session.stop_replay(filter);
        let wants_retained = match wanted.handling {
            Handling::Always => true,
            Handling::IfNew => is_new,
            Handling::Never => false,
        };
        if wants_retained && !is_shared {
            session.replay(read, sub);
        }
        session.filters.insert(filter.into());
        self.subscriptions.insert(filter, sub);
        wanted.qos.number()
    }

    pub(super) fn unsubscribe(&mut self, key: u32, unsubscribe: &Unsubscribe) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let mut answers = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            let was_there = session.filters.remove(&**filter);
            if was_there {
                session.stop_replay(filter);
                self.subscriptions.remove(filter, key);
            }
            answers.push(if was_there { code::OK } else { code::NO_SUBSCRIPTION });
        }
        session.write(|out, version| wire::unsuback(out, version, unsubscribe.id, &answers));
    }
}
