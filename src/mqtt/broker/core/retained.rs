//! The newest retained message of each topic, in the order of the topics. Pure.

use crate::mqtt::broker::core::message::Message;
use crate::mqtt::filter::Filter;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

/// Topics that one step of a search looks at, so that no search holds up the others.
const STEP: usize = 4096;

/// The store.
pub(super) struct Retained {
    kept: BTreeMap<Arc<str>, Arc<Message>>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

/// Where a search stands: the filter, and the last topic that it has looked at.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    filter: Filter,
    after: Option<Arc<str>>,
}

/// What one step of a search found.
pub(super) enum Step {
    Found(Arc<Message>),
    /// Nothing in this step; there is more to look at.
    Further,
    Done,
}

impl Cursor {
    pub(super) fn new(filter: Filter) -> Cursor {
        Cursor { filter, after: None }
    }

    pub(super) fn filter(&self) -> &str {
        self.filter.as_str()
    }
}

impl Retained {
    pub(super) fn new(most: usize, most_bytes: usize) -> Retained {
        Retained { kept: BTreeMap::new(), bytes: 0, most, most_bytes }
    }

    /// Takes a message in, or with an empty one the older out (section 3.3.1.3); false when there is no
    /// room for it.
    pub(super) fn put(&mut self, message: &Arc<Message>) -> bool {
        let old = self.kept.get(&message.topic).map_or(0, |old| old.weight());
        if message.payload.is_empty() {
            self.kept.remove(&message.topic);
            self.bytes -= old;
            return true;
        }
        let bytes = self.bytes - old + message.weight();
        if bytes > self.most_bytes || (old == 0 && self.kept.len() >= self.most) {
            return false;
        }
        self.bytes = bytes;
        self.kept.insert(message.topic.clone(), message.clone());
        true
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Goes on to the next message that the cursor's filter matches.
    pub(super) fn step(&self, cursor: &mut Cursor, now: Instant) -> Step {
        if let Some(topic) = cursor.filter.exact() {
            let found = self.kept.get(topic).filter(|_| cursor.after.is_none()).cloned();
            cursor.after = Some(topic.into());
            return match found.filter(|message| !message.is_expired(now)) {
                Some(message) => Step::Found(message),
                None => Step::Done,
            };
        }
        let fixed = cursor.filter.prefix();
        let from = match &cursor.after {
            Some(after) => Bound::Excluded(&**after),
            None => Bound::Included(fixed),
        };
        let mut last = None;
        let range = self.kept.range::<str, _>((from, Bound::Unbounded));
        for (count, (topic, message)) in range.enumerate() {
            if !topic.starts_with(fixed) {
                return Step::Done;
            }
            if count == STEP {
                cursor.after = last;
                return Step::Further;
            }
            if cursor.filter.matches(topic) && !message.is_expired(now) {
                cursor.after = Some(topic.clone());
                return Step::Found(message.clone());
            }
            last = Some(topic.clone());
        }
        Step::Done
    }

    /// Drops what is of no use any more.
    pub(super) fn sweep(&mut self, now: Instant) {
        let mut freed = 0;
        self.kept.retain(|_, message| {
            let stays = !message.is_expired(now);
            freed += if stays { 0 } else { message.weight() };
            stays
        });
        self.bytes -= freed;
    }
}
