//! The newest messages, bounded by bytes.

use crate::mqtt::message::{Arrived, Payload, Properties, Qos};
use std::collections::VecDeque;
use std::sync::Arc;

/// A message that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Its number.
    pub(crate) number: u64,
    /// Microseconds since 1970 (UTC).
    pub(crate) at: i64,
    pub(crate) topic: Arc<str>,
    /// `None` when it was skipped for its size.
    pub(crate) payload: Option<Arc<[u8]>>,
    /// Bytes of the payload as it was sent.
    pub(crate) size: u64,
    pub(crate) qos: Qos,
    pub(crate) retained: bool,
    pub(crate) dup: bool,
    pub(crate) properties: Option<Arc<Properties>>,
}

/// The newest messages, oldest first.
pub(crate) struct Ring {
    kept: VecDeque<Kept>,
    bytes: usize,
    most: usize,
}

impl Ring {
    pub(super) fn new(most: usize) -> Ring {
        Ring { kept: VecDeque::new(), bytes: 0, most }
    }

    /// Keeps a message and returns how many older ones had to go.
    pub(super) fn push(&mut self, number: u64, arrived: &Arrived<'_>) -> u64 {
        let (payload, size) = match arrived.payload {
            Payload::Whole(bytes) => (Some(bytes.into()), bytes.len() as u64),
            Payload::TooLarge(size) => (None, size),
        };
        let kept = Kept {
            number,
            at: arrived.at,
            topic: arrived.topic.into(),
            payload,
            size,
            qos: arrived.qos,
            retained: arrived.retained,
            dup: arrived.dup,
            properties: arrived.properties.cloned().map(Arc::new),
        };
        self.bytes += weight(&kept);
        self.kept.push_back(kept);
        let mut gone = 0;
        while self.bytes > self.most
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= weight(&oldest);
            gone += 1;
        }
        gone
    }

    /// Returns the messages, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Kept> + ExactSizeIterator {
        self.kept.iter()
    }

    /// Returns the messages with a number above `number`, oldest first.
    pub(crate) fn after(&self, number: u64) -> impl DoubleEndedIterator<Item = &Kept> {
        let first = self.kept.partition_point(|kept| kept.number <= number);
        self.kept.range(first..)
    }
}

fn weight(kept: &Kept) -> usize {
    size_of::<Kept>() + kept.topic.len() + kept.payload.as_ref().map_or(0, |bytes| bytes.len())
}
