//! A message in the broker, and one subscriber's copy of it.

use crate::mqtt::broker::wire::{Publish, Will};
use crate::mqtt::message::Qos;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A message; every queue and the retained store share it.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: Arc<str>,
    pub(super) payload: Box<[u8]>,
    /// Properties that are passed on, as bytes.
    pub(super) kept: Box<[u8]>,
    pub(super) qos: Qos,
    pub(super) retain: bool,
    /// When it is of no use any more.
    pub(super) expires: Option<Instant>,
    /// The session that sent it; 0 is the broker.
    pub(super) from: u32,
}

impl Message {
    pub(super) fn of_publish(
        publish: Publish,
        topic: Arc<str>,
        from: u32,
        now: Instant,
    ) -> Message {
        let Publish { payload, kept, qos, retain, expiry, .. } = publish;
        Message { topic, payload, kept, qos, retain, expires: until(expiry, now), from }
    }

    pub(super) fn of_will(will: Will, from: u32, now: Instant) -> Message {
        let Will { topic, payload, kept, qos, retain, expiry, .. } = will;
        Message { topic, payload, kept, qos, retain, expires: until(expiry, now), from }
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        size_of::<Message>() + 32 + self.topic.len() + self.payload.len() + self.kept.len()
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }

    /// Seconds that are left, a begun one as a whole one.
    pub(super) fn left(&self, now: Instant) -> Option<u32> {
        let left = self.expires?.saturating_duration_since(now);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

fn until(seconds: Option<u32>, now: Instant) -> Option<Instant> {
    now.checked_add(Duration::from_secs(seconds?.into()))
}

/// A message for one session.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) message: Arc<Message>,
    /// The lower of what was sent and what was asked for.
    pub(super) qos: Qos,
    pub(super) retain: bool,
    /// Identifiers of the subscriptions that it matched.
    pub(super) numbers: Vec<u32>,
}

impl Letter {
    pub(super) fn weight(&self) -> usize {
        size_of::<Letter>() + self.message.weight()
    }
}
