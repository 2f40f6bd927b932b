//! The newest messages, bounded by bytes.
//!
//! Topics and payloads are shared with the index for as long as both have them, and a payload with the
//! message before when a device repeats itself; they are counted each time, so the bound is kept with
//! room to spare.

use crate::mqtt::message::{Properties, Qos};
use std::collections::VecDeque;
use std::sync::Arc;

/// What the memory allocator and the counters of a shared payload take besides its bytes.
const SHARED: usize = 32;

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
    /// Bytes outside of the records.
    heap: usize,
    most: usize,
}

impl Ring {
    pub(super) fn new(most: usize) -> Ring {
        Ring { kept: VecDeque::new(), heap: 0, most }
    }

    /// Keeps a message and returns how many older ones had to go; one that is larger than the whole
    /// ring goes itself.
    pub(super) fn push(&mut self, kept: Kept) -> u64 {
        let heap = weight(&kept);
        if heap + size_of::<Kept>() > self.most {
            return 1;
        }
        let mut gone = 0;
        while self.heap + heap > self.most.saturating_sub(self.records()) && self.drop_oldest() {
            gone += 1;
        }
        if self.kept.len() == self.kept.capacity() {
            // Doubling would hold twice the memory that is counted.
            let more = (self.kept.len() / 8).max(16);
            if self.bytes() + heap + more * size_of::<Kept>() <= self.most {
                self.kept.reserve_exact(more);
            } else if self.drop_oldest() {
                gone += 1;
            }
        }
        self.heap += heap;
        self.kept.push_back(kept);
        gone
    }

    fn drop_oldest(&mut self) -> bool {
        let Some(oldest) = self.kept.pop_front() else { return false };
        self.heap -= weight(&oldest);
        // Room for the records of small messages is given back when large ones need it.
        if self.kept.len() < self.kept.capacity() / 2 {
            self.kept.shrink_to(self.kept.len() * 5 / 4);
        }
        true
    }

    fn records(&self) -> usize {
        self.kept.capacity() * size_of::<Kept>()
    }

    /// Returns what it takes of memory, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.records() + self.heap
    }

    /// Returns how many bytes it may take.
    pub(crate) fn most(&self) -> usize {
        self.most
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

    /// Returns the messages with a number below `number`, oldest first.
    pub(crate) fn before(&self, number: u64) -> impl DoubleEndedIterator<Item = &Kept> {
        let end = self.kept.partition_point(|kept| kept.number < number);
        self.kept.range(..end)
    }

    /// Returns the oldest message: nothing before it can be asked for any more.
    pub(crate) fn oldest(&self) -> Option<&Kept> {
        self.kept.front()
    }

    /// Returns the newest message.
    pub(crate) fn newest(&self) -> Option<&Kept> {
        self.kept.back()
    }
}

fn weight(kept: &Kept) -> usize {
    let payload = kept.payload.as_ref().map_or(0, |bytes| bytes.len() + SHARED);
    kept.topic.len()
        + payload
        + kept.properties.as_ref().map_or(0, |properties| properties.weight())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(number: u64, payload: &[u8]) -> Kept {
        Kept {
            number,
            at: 0,
            topic: "a".into(),
            payload: Some(payload.into()),
            size: payload.len() as u64,
            qos: Qos::AtMostOnce,
            retained: false,
            dup: false,
            properties: None,
        }
    }

    #[test]
    fn the_bound_holds_for_small_and_large_messages_in_turn() {
        let mut ring = Ring::new(100_000);
        let (mut pushed, mut gone) = (0, 0);
        let large = vec![0; 30_000];
        for round in 0..8 {
            for _ in 0..3000 {
                let payload = if round % 2 == 0 { &b"on"[..] } else { &large[..] };
                pushed += 1;
                gone += ring.push(kept(pushed, payload));
                assert!(ring.bytes() <= ring.most(), "{}", ring.bytes());
                assert_eq!(ring.iter().len() as u64 + gone, pushed);
                assert_eq!(ring.newest().unwrap().number, pushed);
            }
            // Records of small messages do not take the room of large ones.
            let floor = if round % 2 == 0 { 500 } else { 3 };
            assert!(ring.iter().len() >= floor, "{} kept", ring.iter().len());
        }
        let numbers: Vec<u64> = ring.iter().map(|kept| kept.number).collect();
        assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1));
    }

    #[test]
    fn one_that_is_too_large_for_the_ring_costs_no_other() {
        let mut ring = Ring::new(10_000);
        assert_eq!(ring.push(kept(1, b"on")), 0);
        assert_eq!(ring.push(kept(2, &[0; 10_000])), 1);
        assert_eq!(ring.push(kept(3, b"off")), 0);
        let numbers = |kept: &Kept| kept.number;
        assert_eq!(ring.iter().map(numbers).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(ring.after(1).map(numbers).collect::<Vec<_>>(), [3]);
        assert_eq!(ring.before(3).map(numbers).collect::<Vec<_>>(), [1]);
    }
}
