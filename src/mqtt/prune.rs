//! Choosing few messages out of many, always the same ones, and saying which. Pure.
//!
//! The first and the last are kept, what looks like a fault, and of the others one in every so many,
//! evenly. It is decided while they come, so that a long time costs no more memory than a short one.

use crate::mqtt::inbox::Kept;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// So many of each sort are held while they come.
const ENDS: usize = 10;
const FAULTS: usize = 20;
const MIDDLE: usize = 256;
/// So many topics are counted one by one.
const TOPICS: usize = 2000;
/// So much of a payload is looked at for words.
const LOOKED: usize = 4096;

/// What a message about a fault says (in English, as devices do).
const WORDS: [&str; 10] = [
    "error",
    "warn",
    "fail",
    "exception",
    "critical",
    "alert",
    "fault",
    "offline",
    "timeout",
    "denied",
];

/// Messages as they come.
#[derive(Default)]
pub(crate) struct Pruner {
    received: u64,
    bytes: u64,
    faulty: u64,
    first: Vec<Kept>,
    faults: Vec<Kept>,
    middle: Vec<Kept>,
    /// One in so many of the middle is held; a power of two.
    every: u64,
    seen: u64,
    last: VecDeque<Kept>,
    topics: HashMap<Arc<str>, u64>,
    more_topics: bool,
}

/// What was chosen.
pub(crate) struct Chosen {
    /// In the order of their arrival.
    pub(crate) messages: Vec<Kept>,
    /// Why these, in numbers.
    pub(crate) stats: Value,
}

impl Pruner {
    /// Takes a message in.
    pub(crate) fn take(&mut self, kept: &Kept) {
        self.received += 1;
        self.bytes += kept.size;
        if let Some(count) = self.topics.get_mut(&kept.topic) {
            *count += 1;
        } else if self.topics.len() < TOPICS {
            self.topics.insert(kept.topic.clone(), 1);
        } else {
            self.more_topics = true;
        }
        let is_fault = is_fault(kept);
        self.faulty += u64::from(is_fault);
        if self.first.len() < ENDS {
            return self.first.push(kept.clone());
        }
        self.last.push_back(kept.clone());
        if self.last.len() > ENDS
            && let Some(old) = self.last.pop_front()
        {
            self.settle(old);
        }
    }

    /// Decides about a message that is neither among the first nor the last.
    fn settle(&mut self, kept: Kept) {
        if self.faults.len() < FAULTS && is_fault(&kept) {
            return self.faults.push(kept);
        }
        self.every = self.every.max(1);
        if self.seen.is_multiple_of(self.every) {
            self.middle.push(kept);
        }
        self.seen += 1;
        if self.middle.len() >= MIDDLE {
            let mut place = 0;
            self.middle.retain(|_| {
                place += 1;
                place % 2 == 1
            });
            self.every *= 2;
        }
    }

    /// Returns how many messages there were.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Returns at most `target` messages and why these.
    pub(crate) fn choose(self, target: usize) -> Chosen {
        let (first, last) = (self.first.len(), self.last.len());
        let mut faults = self.faults;
        let ends = first + last;
        faults.truncate(target.saturating_sub(ends));
        let room = target.saturating_sub(ends + faults.len());
        let step = self.middle.len().div_ceil(room.max(1)).max(1);
        let middle = self.middle.into_iter().step_by(step).take(room);
        let mut messages: Vec<Kept> = self.first;
        let shown_faults = faults.len();
        messages.extend(faults);
        messages.extend(middle);
        let even = messages.len() - first - shown_faults;
        messages.extend(self.last);
        if messages.len() > target {
            // Of too many ends the newest are kept.
            messages.drain(..messages.len() - target);
        }
        messages.sort_by_key(|kept| kept.number);
        let mut busy: Vec<_> = self.topics.iter().collect();
        busy.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let stats = json!({
            "received": self.received,
            "received_bytes": self.bytes,
            "unique_topics": self.topics.len(),
            "more_topics": self.more_topics,
            "error_messages": self.faulty,
            "shown": messages.len(),
            "shown_first": first.min(messages.len()),
            "shown_last": last.min(messages.len()),
            "shown_errors": shown_faults,
            "shown_evenly": even,
            "evenly_one_in": self.every.max(1) * step as u64,
            "strategy": "the first and last 10, up to 20 with words like error or offline, others evenly",
        });
        Chosen { messages, stats }
    }

    /// Returns the busiest topics with their counts.
    pub(crate) fn busiest(&self, most: usize) -> Vec<(Arc<str>, u64)> {
        let mut all: Vec<_> =
            self.topics.iter().map(|(name, count)| (name.clone(), *count)).collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(most);
        all
    }
}

/// Whether topic or payload has a word of those that tell of faults.
pub(crate) fn is_fault(kept: &Kept) -> bool {
    let payload = kept.payload.as_deref().unwrap_or_default();
    let payload = &payload[..payload.len().min(LOOKED)];
    WORDS
        .iter()
        .any(|word| has(kept.topic.as_bytes(), word.as_bytes()) || has(payload, word.as_bytes()))
}

/// Whether `word` stands in `text`, whatever its case; `word` is lower case.
fn has(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(number: u64, payload: &str) -> Kept {
        Kept {
            number,
            at: 0,
            topic: format!("topic/{}", number % 3).into(),
            payload: Some(payload.as_bytes().into()),
            size: payload.len() as u64,
            qos: Default::default(),
            retained: false,
            dup: false,
            properties: None,
        }
    }

    fn chosen(count: u64, faults: &[u64], target: usize) -> (Vec<u64>, Value) {
        let mut pruner = Pruner::default();
        for n in 1..=count {
            pruner.take(&kept(n, if faults.contains(&n) { "an ERROR" } else { "ok" }));
        }
        let chosen = pruner.choose(target);
        (chosen.messages.iter().map(|kept| kept.number).collect(), chosen.stats)
    }

    #[test]
    fn few_are_all_shown() {
        for count in [0, 1, 10, 20, 21, 50] {
            let (shown, stats) = chosen(count, &[], 50);
            assert_eq!(shown, (1..=count).collect::<Vec<_>>());
            assert_eq!(
                (stats["received"].as_u64(), stats["shown"].as_u64()),
                (Some(count), Some(count))
            );
        }
    }

    #[test]
    fn of_many_the_ends_the_faults_and_some_evenly_are_shown() {
        for count in [51, 500, 5000, 123_456] {
            let (shown, stats) = chosen(count, &[33, count / 2, count - 1], 50);
            assert!(shown.len() <= 50 && shown.len() >= 35, "{count}: {}", shown.len());
            assert!(shown.is_sorted() && shown.windows(2).all(|two| two[0] != two[1]));
            assert_eq!(shown[..10], (1..=10).collect::<Vec<_>>());
            assert_eq!(shown[shown.len() - 10..], (count - 9..=count).collect::<Vec<_>>());
            assert!(shown.contains(&33) && shown.contains(&(count / 2)));
            assert_eq!((&stats["received"], &stats["error_messages"]), (&json!(count), &json!(3)));
            let middle: Vec<u64> = shown[10..shown.len() - 10].to_vec();
            let widest = middle.windows(2).map(|two| two[1] - two[0]).max().unwrap();
            assert!(widest <= count / 10, "{count}: {widest} between two");
            assert_eq!(
                chosen(count, &[33, count / 2, count - 1], 50).0,
                shown,
                "each time the same"
            );
        }
    }

    #[test]
    fn many_faults_leave_room_and_memory_stays_bounded() {
        let faults: Vec<u64> = (1..=1000).collect();
        let (shown, stats) = chosen(1000, &faults, 50);
        assert!(shown.len() <= 50);
        assert_eq!(stats["error_messages"], 1000);
        assert_eq!(stats["shown_errors"], 20);
        let mut pruner = Pruner::default();
        (1..200_000).for_each(|n| pruner.take(&kept(n, "ok")));
        assert!(pruner.middle.len() <= MIDDLE);
        assert_eq!(chosen(1000, &[], 5).0.len(), 5);
    }
}
