//! The index: every topic that was seen, with its counts and its newest message.
//!
//! Taking a message in costs one look into a table of hashes; the order of names is kept beside it and
//! only touched for a new topic. What is known of live traffic is a part of its own, so that a topic
//! that only was retained costs little.

use crate::mqtt::inbox::order::Order;
use crate::mqtt::inbox::rates::{Gaps, Pulse};
use crate::mqtt::inbox::sample::{Lesson, Tutor};
use crate::mqtt::message::{Arrived, Payload, Qos};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

/// What an entry takes in the tables of hashes and names, the allocator's share included.
const ENTRY: usize = 64;

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
    /// The newest payload; `None` when it was skipped for its size, or found no room in the index
    /// ([`Topics::without_payload`]).
    pub(crate) payload: Option<Arc<[u8]>>,
    /// Bytes of the newest payload.
    pub(crate) size: u64,
    /// Whether the broker holds a retained message here, as far as was seen.
    pub(crate) is_retained: bool,
    /// Bytes of the smallest and the largest payload, at most 4 GB.
    pub(crate) smallest: u32,
    pub(crate) largest: u32,
    /// `None` until the first message that was not retained.
    live: Option<Box<Live>>,
}

/// The live traffic of a topic: without what was retained.
#[derive(Clone, Debug, Default)]
struct Live {
    pulse: Pulse,
    lesson: Lesson,
}

impl Topic {
    fn new(arrived: &Arrived<'_>) -> Topic {
        Topic {
            count: 0,
            retained_count: 0,
            bytes: 0,
            first: arrived.at,
            last: arrived.at,
            qos: arrived.qos,
            payload: None,
            size: 0,
            is_retained: false,
            smallest: u32::MAX,
            largest: 0,
            live: None,
        }
    }

    /// Returns how many messages were not retained.
    pub(crate) fn live_count(&self) -> u64 {
        self.count - self.retained_count
    }

    /// Returns live messages per second, smoothed over a minute.
    pub(crate) fn rate(&self, now: i64) -> f64 {
        self.live.as_ref().map_or(0.0, |live| live.pulse.per_second(now))
    }

    /// Returns the live messages of the last minute.
    pub(crate) fn last_minute(&self, now: i64) -> u32 {
        self.live.as_ref().map_or(0, |live| live.pulse.last_minute(now))
    }

    /// Returns the times between live messages, in seconds.
    pub(crate) fn gaps(&self) -> Gaps {
        self.live.as_ref().map_or_else(Gaps::default, |live| live.pulse.gaps())
    }

    /// Returns what was learned of its payloads.
    pub(crate) fn lesson(&self) -> Option<&Lesson> {
        self.live.as_ref().map(|live| &live.lesson)
    }
}

/// What taking a message in has found.
pub(super) struct Noted {
    pub(super) name: Arc<str>,
    /// Shared with the index.
    pub(super) payload: Option<Arc<[u8]>>,
    pub(super) is_indexed: bool,
}

/// Every topic, in the order of their names.
pub(crate) struct Topics {
    slots: Vec<(Arc<str>, Topic)>,
    /// Places in `slots` plus one, by hash; zero is free. Topics are never taken out.
    table: Vec<u32>,
    hashes: RandomState,
    names: Order,
    most: usize,
    /// Bytes of names, payloads and lessons.
    heap: usize,
    most_bytes: usize,
    /// How often the newest payload of a topic had no room.
    bare: usize,
    tutor: Tutor,
}

impl Topics {
    pub(super) fn new(most: usize, most_bytes: usize) -> Topics {
        Topics {
            slots: Vec::new(),
            table: vec![0; 64],
            hashes: RandomState::new(),
            names: Order::default(),
            most: most.min(u32::MAX as usize - 1),
            heap: 0,
            most_bytes,
            bare: 0,
            tutor: Tutor::new(most_bytes / 4),
        }
    }

    /// Takes a message in. Nothing is learned from the time before `trusted_from`.
    pub(super) fn note(&mut self, arrived: &Arrived<'_>, trusted_from: i64) -> Noted {
        let place = match self.find(arrived.topic) {
            Ok(place) => place,
            Err(free) => match self.add(arrived, free) {
                Some(place) => place,
                None => {
                    let payload = whole(arrived).map(Arc::from);
                    return Noted { name: arrived.topic.into(), payload, is_indexed: false };
                }
            },
        };
        let room = self.most_bytes.saturating_sub(self.bytes());
        let (name, topic) = &mut self.slots[place];
        let size = match arrived.payload {
            Payload::Whole(bytes) => bytes.len() as u64,
            Payload::TooLarge(size) => size,
        };
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
        topic.size = size;
        let short = u32::try_from(size).unwrap_or(u32::MAX);
        topic.smallest = topic.smallest.min(short);
        topic.largest = topic.largest.max(short);
        if !arrived.retained {
            let live = topic.live.get_or_insert_with(|| {
                self.heap += size_of::<Live>();
                Box::default()
            });
            live.pulse.beat(arrived.at, trusted_from);
            if let Some(bytes) = whole(arrived) {
                self.heap += self.tutor.teach(&mut live.lesson, bytes, arrived.at);
            }
        }
        // Devices repeat themselves; then the copy that there is serves again.
        let same = topic.payload.as_deref().is_some_and(|old| Some(old) == whole(arrived));
        let payload = if same { topic.payload.clone() } else { whole(arrived).map(Arc::from) };
        if !same {
            let old = topic.payload.take().map_or(0, |old| old.len());
            self.heap -= old;
            let new = payload.as_ref().map_or(0, |new| new.len());
            if new <= room + old {
                self.heap += new;
                topic.payload.clone_from(&payload);
            }
            self.bare += usize::from(payload.is_some() && topic.payload.is_none());
        }
        Noted { name: name.clone(), payload, is_indexed: true }
    }

    /// Returns the place of a topic, or the free place in the table where it belongs.
    fn find(&self, name: &str) -> Result<usize, usize> {
        let mask = self.table.len() - 1;
        #[allow(clippy::cast_possible_truncation, reason = "the low bits are what counts")]
        let mut at = self.hashes.hash_one(name) as usize & mask;
        loop {
            match self.table[at] {
                0 => return Err(at),
                slot if *self.slots[slot as usize - 1].0 == *name => return Ok(slot as usize - 1),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Adds a topic, when there is room.
    fn add(&mut self, arrived: &Arrived<'_>, free: usize) -> Option<usize> {
        let more = arrived.topic.len() + ENTRY + size_of::<(Arc<str>, Topic)>();
        if self.slots.len() >= self.most || self.bytes() + more > self.most_bytes {
            return None;
        }
        let name: Arc<str> = arrived.topic.into();
        let place = self.slots.len();
        if place == self.slots.capacity() {
            // Doubling would hold twice the memory that is counted.
            self.slots.reserve_exact((place / 8).max(64));
        }
        self.heap += name.len();
        let number = u32::try_from(place).unwrap_or(u32::MAX);
        let slots = &self.slots;
        self.names.insert(number, |other| slots[other as usize].0.cmp(&name));
        self.slots.push((name, Topic::new(arrived)));
        self.table[free] = number + 1;
        if self.slots.len() * 2 > self.table.len() {
            self.grow();
        }
        Some(place)
    }

    fn grow(&mut self) {
        self.table = vec![0; self.table.len() * 2];
        for number in 0..self.slots.len() {
            let free = self.find(&self.slots[number].0);
            if let Err(free) = free {
                self.table[free] = u32::try_from(number + 1).unwrap_or(u32::MAX);
            }
        }
    }

    /// Returns the topics in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Topic)> {
        self.names.iter().filter_map(|place| self.row(place))
    }

    /// Returns the topics behind `name` in the order of their names, `name` itself too when `with`.
    pub(crate) fn from<'a>(
        &'a self,
        name: &'a str,
        with: bool,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Topic)> {
        let places = self.names.from(|place| (*self.slots[place as usize].0).cmp(name));
        let rows = places.filter_map(|place| self.row(place));
        rows.skip_while(move |(found, _)| !with && ***found == *name)
    }

    fn row(&self, place: u32) -> Option<(&Arc<str>, &Topic)> {
        self.slots.get(place as usize).map(|(name, topic)| (name, topic))
    }

    /// Returns how many topics there are below `prefix` (`prefix/#`, with `prefix` itself) without
    /// looking at each; below nothing all but those of the broker itself.
    pub(crate) fn count_below(&self, prefix: &str) -> usize {
        let before =
            |name: &str| self.names.before(|place| (*self.slots[place as usize].0).cmp(name));
        // Behind the last name with a slash there comes a zero.
        if prefix.is_empty() {
            return self.slots.len() - (before("%") - before("$"));
        }
        let below = before(&format!("{prefix}0")) - before(&format!("{prefix}/"));
        below + usize::from(self.find(prefix).is_ok())
    }

    /// Returns one topic.
    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.find(name).ok().and_then(|place| self.slots.get(place)).map(|(_, topic)| topic)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns about how many bytes of memory the index takes.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(Arc<str>, Topic)>()
            + self.slots.len() * ENTRY
            + self.heap
    }

    /// Returns how often a newest payload was left out because the index had no room for it.
    pub(crate) fn without_payload(&self) -> usize {
        self.bare
    }
}

fn whole<'a>(arrived: &Arrived<'a>) -> Option<&'a [u8]> {
    match arrived.payload {
        Payload::Whole(bytes) => Some(bytes),
        Payload::TooLarge(_) => None,
    }
}
