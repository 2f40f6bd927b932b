//! What has arrived from one broker: an index of every topic and the newest messages, in memory.
//!
//! Pure: the link pushes, tools, routes and the page read. Both parts have a bound; what falls out is
//! counted and never missing silently. It never asks a broker anything.

mod clock;
mod order;
mod rates;
mod ring;
mod sample;
mod schema;
mod shape;
mod topics;

pub(crate) use self::ring::{Kept, Ring};
pub(crate) use clock::Clock;
pub(crate) use rates::{Gaps, Pulse};
pub(crate) use sample::{Lesson, read as read_json};
pub(crate) use schema::{Drift, confidence, faults, schema};
pub(crate) use shape::Shape;
pub(crate) use topics::{Topic, Topics};

use crate::mqtt::message::{Arrived, Payload};
use std::collections::VecDeque;
use std::sync::Arc;

/// What may be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of messages in the ring, their overhead included. The index may take four times as much,
    /// and at least 32 MB.
    pub(crate) ring_bytes: usize,
    /// Topics in the index.
    pub(crate) topics: usize,
}

/// Bytes that the index may always take.
const INDEX_BYTES: usize = 32 << 20;

/// So many times that the clock was set are remembered.
const SKIPS: usize = 20;

/// What has arrived since the session began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Messages, without those in `copies` and `repeated`.
    pub(crate) messages: u64,
    /// How many of them were retained.
    pub(crate) retained: u64,
    /// Bytes of payload, those of skipped ones included.
    pub(crate) bytes: u64,
    /// Messages larger than `mqtt.max_packet_bytes`: their payload was skipped.
    pub(crate) too_large: u64,
    /// Messages whose topic found no place in the index any more; they are in the ring.
    pub(crate) unindexed: u64,
    /// Messages that the ring dropped for newer ones.
    pub(crate) dropped: u64,
    /// Deliveries of a message that had arrived already, for another of our subscriptions.
    pub(crate) copies: u64,
    /// Deliveries that the broker marked as repeated and that had arrived already.
    pub(crate) repeated: u64,
}

/// What has arrived.
pub(crate) struct Inbox {
    ring: Ring,
    topics: Topics,
    totals: Totals,
    pulse: Pulse,
    /// Nothing is learned from times between messages that begin before.
    trusted_from: i64,
    /// Spans by which the clock was set forward, in microseconds since 1970; the newest.
    skips: VecDeque<(i64, i64)>,
    /// The subscriptions for which the newest message has arrived.
    heard_by: Vec<u32>,
}

impl Inbox {
    pub(crate) fn new(bounds: Bounds) -> Inbox {
        let index = bounds.ring_bytes.saturating_mul(4).max(INDEX_BYTES);
        Inbox {
            ring: Ring::new(bounds.ring_bytes),
            topics: Topics::new(bounds.topics, index),
            totals: Totals::default(),
            pulse: Pulse::default(),
            trusted_from: 0,
            skips: VecDeque::new(),
            heard_by: Vec::new(),
        }
    }

    /// Takes a message in and returns its number: they count up by one from 1. A second delivery of
    /// the newest message is counted apart, and the number is that of the first.
    pub(crate) fn push(&mut self, arrived: &Arrived<'_>) -> u64 {
        if self.is_copy(arrived) {
            self.totals.copies += 1;
            return self.totals.messages;
        }
        if arrived.dup && self.is_known(arrived) {
            self.totals.repeated += 1;
            return self.totals.messages;
        }
        self.totals.messages += 1;
        let size = match arrived.payload {
            Payload::Whole(bytes) => bytes.len() as u64,
            Payload::TooLarge(size) => {
                self.totals.too_large += 1;
                size
            }
        };
        self.totals.bytes += size;
        self.totals.retained += u64::from(arrived.retained);
        if !arrived.retained {
            self.pulse.beat(arrived.at, self.trusted_from);
        }
        let noted = self.topics.note(arrived, self.trusted_from);
        self.totals.unindexed += u64::from(!noted.is_indexed);
        let kept = Kept {
            number: self.totals.messages,
            at: arrived.at,
            topic: noted.name,
            payload: noted.payload,
            size,
            qos: arrived.qos,
            retained: arrived.retained,
            dup: arrived.dup,
            properties: arrived.properties.cloned().map(Arc::new),
        };
        self.totals.dropped += self.ring.push(kept);
        self.heard_by.clear();
        if let Some(properties) = arrived.properties {
            self.heard_by.extend_from_slice(&properties.subscriptions);
        }
        self.totals.messages
    }

    /// Says that messages may have been missed until `at`: the times between messages across it mean
    /// nothing.
    pub(crate) fn resume(&mut self, at: i64) {
        self.trusted_from = at;
    }

    /// Says that the clock was set from `was` to `at`.
    pub(crate) fn clock_set(&mut self, was: i64, at: i64) {
        self.resume(at);
        if was < at {
            self.skips.push_back((was, at));
        }
        if self.skips.len() > SKIPS {
            self.skips.pop_front();
        }
    }

    /// Returns spans of time that never were, as the clock was set forward; in microseconds since 1970.
    pub(crate) fn skips(&self) -> impl Iterator<Item = (i64, i64)> {
        self.skips.iter().copied()
    }

    /// Whether it is the newest message once more, for subscriptions that had not brought it yet: a
    /// broker may send one for each that overlaps (MQTT 5, section 3.3.4). Without their numbers
    /// nobody can tell it from a message that was sent twice.
    fn is_copy(&mut self, arrived: &Arrived<'_>) -> bool {
        let by = arrived.properties.map_or(&[][..], |properties| &properties.subscriptions);
        if by.is_empty() || self.heard_by.is_empty() || by.iter().any(|n| self.heard_by.contains(n))
        {
            return false;
        }
        let is_it = self.ring.newest().is_some_and(|newest| {
            newest.number == self.totals.messages
                && *newest.topic == *arrived.topic
                && newest.retained == arrived.retained
                && is_same(newest.payload.as_deref(), newest.size, arrived.payload)
        });
        if is_it {
            self.heard_by.extend_from_slice(by);
        }
        is_it
    }

    /// Whether the newest message of the topic is this one.
    fn is_known(&self, arrived: &Arrived<'_>) -> bool {
        self.topics
            .get(arrived.topic)
            .is_some_and(|topic| is_same(topic.payload.as_deref(), topic.size, arrived.payload))
    }

    /// Returns the messages that are kept.
    pub(crate) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Returns the index.
    pub(crate) fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Returns the counters.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Returns the beat of all live messages together.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

fn is_same(known: Option<&[u8]>, size: u64, payload: Payload<'_>) -> bool {
    match (known, payload) {
        (Some(known), Payload::Whole(bytes)) => known == bytes,
        (None, Payload::TooLarge(other)) => size == other,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
