//! What has arrived from one broker: an index of every topic and the newest messages, in memory.
//!
//! Pure: the link pushes, tools, routes and the page read. Both parts have a bound; what falls out is
//! counted and never missing silently. It never asks a broker anything.

mod ring;
mod topics;

pub(crate) use ring::{Kept, Ring};
pub(crate) use topics::{Topic, Topics};

use crate::mqtt::message::{Arrived, Payload};

/// What may be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of messages in the ring, their overhead included.
    pub(crate) ring_bytes: usize,
    /// Topics in the index.
    pub(crate) topics: usize,
}

/// What has arrived since the session began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    /// Messages.
    pub(crate) messages: u64,
    /// Bytes of payload, those of skipped ones included.
    pub(crate) bytes: u64,
    /// Messages larger than `mqtt.max_packet_bytes`: their payload was skipped.
    pub(crate) too_large: u64,
    /// Messages whose topic found no place in the index any more; they are in the ring.
    pub(crate) unindexed: u64,
    /// Messages that the ring dropped for newer ones.
    pub(crate) dropped: u64,
}

/// What has arrived.
pub(crate) struct Inbox {
    ring: Ring,
    topics: Topics,
    totals: Totals,
}

impl Inbox {
    pub(crate) fn new(bounds: Bounds) -> Inbox {
        Inbox {
            ring: Ring::new(bounds.ring_bytes),
            topics: Topics::new(bounds.topics),
            totals: Totals::default(),
        }
    }

    /// Takes a message in and returns its number: they count up by one from 1.
    pub(crate) fn push(&mut self, arrived: &Arrived<'_>) -> u64 {
        self.totals.messages += 1;
        match arrived.payload {
            Payload::Whole(bytes) => self.totals.bytes += bytes.len() as u64,
            Payload::TooLarge(size) => {
                self.totals.too_large += 1;
                self.totals.bytes += size;
            }
        }
        if !self.topics.note(arrived) {
            self.totals.unindexed += 1;
        }
        self.totals.dropped += self.ring.push(self.totals.messages, arrived);
        self.totals.messages
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
}
