//! The index: every topic that was seen, with its counts and its newest message.

use crate::mqtt::message::{Arrived, Payload, Qos};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a topic.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    /// Messages, and how many of them the broker had kept (retained).
    pub(crate) count: u64,
    pub(crate) retained_count: u64,
    /// Bytes of payload.
    pub(crate) bytes: u64,
    /// Microseconds since 1970 (UTC) of the first and the newest message.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Of the newest message.
    pub(crate) qos: Qos,
    /// The newest payload; `None` when it was skipped for its size.
    pub(crate) payload: Option<Arc<[u8]>>,
    /// Bytes of the newest payload.
    pub(crate) size: u64,
    /// Whether the broker holds a retained message here, as far as was seen.
    pub(crate) is_retained: bool,
}

/// Every topic, in the order of their names.
pub(crate) struct Topics {
    known: BTreeMap<Arc<str>, Topic>,
    most: usize,
}

impl Topics {
    pub(super) fn new(most: usize) -> Topics {
        Topics { known: BTreeMap::new(), most }
    }

    /// Takes a message in; false when there is no place for its topic.
    pub(super) fn note(&mut self, arrived: &Arrived<'_>) -> bool {
        let (payload, size): (Option<Arc<[u8]>>, u64) = match arrived.payload {
            Payload::Whole(bytes) => (Some(bytes.into()), bytes.len() as u64),
            Payload::TooLarge(size) => (None, size),
        };
        if !self.known.contains_key(arrived.topic) {
            if self.known.len() >= self.most {
                return false;
            }
            let fresh = Topic {
                count: 0,
                retained_count: 0,
                bytes: 0,
                first: arrived.at,
                last: arrived.at,
                qos: arrived.qos,
                payload: None,
                size: 0,
                is_retained: false,
            };
            self.known.insert(arrived.topic.into(), fresh);
        }
        let Some(topic) = self.known.get_mut(arrived.topic) else { return false };
        topic.count += 1;
        topic.bytes += size;
        topic.last = arrived.at;
        topic.qos = arrived.qos;
        topic.is_retained |= arrived.retained;
        topic.retained_count += u64::from(arrived.retained);
        if size == 0 && !arrived.retained {
            // An empty message may have cleared what the broker kept (MQTT 5, section 3.3.1.3).
            topic.is_retained = false;
        }
        (topic.payload, topic.size) = (payload, size);
        true
    }

    /// Returns the topics in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Topic)> {
        self.known.iter()
    }

    /// Returns one topic.
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.known.get(name)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }
}
