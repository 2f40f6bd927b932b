//! Learning the shape of payloads while they arrive, at a bounded cost.
//!
//! Slow topics are learned from with every message. From a quick one the first messages are taken and
//! then one in a second; over all topics there is a budget for each second. The ring has the others,
//! so a question about a topic in the ring is answered from all of it.

use crate::mqtt::inbox::shape::Shape;
use serde_json::Value;

/// So many messages of a topic are learned from without regard to their rate.
const FIRST: u32 = 8;
/// Microseconds between two lessons after that.
const PAUSE: i64 = 1_000_000;
/// Bytes that are parsed in a second at most, over all topics, and of one payload.
const IN_A_SECOND: usize = 1 << 20;
const LARGEST: usize = 64 << 10;

/// What was learned of a topic.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lesson {
    shape: Option<Box<Shape>>,
    /// Payloads that were looked at.
    looked: u32,
    /// So many of the newest brought nothing new.
    quiet: u32,
    at: i64,
}

impl Lesson {
    /// Returns the shape of its JSON payloads.
    pub(crate) fn shape(&self) -> Option<&Shape> {
        self.shape.as_deref()
    }

    /// Returns how many payloads were looked at.
    pub(crate) fn looked(&self) -> u32 {
        self.looked
    }

    /// Returns how many of the newest brought nothing new.
    pub(crate) fn quiet(&self) -> u32 {
        self.quiet
    }
}

/// Decides what is learned from.
pub(super) struct Tutor {
    second: i64,
    left: usize,
    /// Bytes that shapes may still take.
    room: usize,
}

impl Tutor {
    pub(super) fn new(room: usize) -> Tutor {
        Tutor { second: 0, left: IN_A_SECOND, room }
    }

    /// Learns from a payload when it is its turn; returns how many bytes of memory that took.
    pub(super) fn teach(&mut self, lesson: &mut Lesson, payload: &[u8], at: i64) -> usize {
        // A clock that was set back must not end all learning.
        let is_turn = lesson.looked < FIRST || (at - lesson.at).abs() >= PAUSE;
        if !is_turn || payload.len() > LARGEST {
            return 0;
        }
        let second = at.div_euclid(PAUSE);
        if second != self.second {
            (self.second, self.left) = (second, IN_A_SECOND);
        }
        if self.left < payload.len() || self.room == 0 {
            return 0;
        }
        self.left -= payload.len();
        lesson.at = at;
        lesson.looked = lesson.looked.saturating_add(1);
        let Some(value) = read(payload) else { return 0 };
        let before = lesson.shape.as_ref().map_or(0, |shape| size_of::<Shape>() + shape.weight());
        let shape = lesson.shape.get_or_insert_default();
        let news = shape.learn(&value);
        lesson.quiet = if news { 0 } else { lesson.quiet.saturating_add(1) };
        let grown = (size_of::<Shape>() + shape.weight()).saturating_sub(before);
        self.room = self.room.saturating_sub(grown);
        grown
    }
}

/// Reads JSON, also where a sender ends it with zero bytes, as C programs do.
pub(crate) fn read(payload: &[u8]) -> Option<Value> {
    let end = payload.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    serde_json::from_slice(&payload[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_topics_teach_each_time_and_quick_ones_once_a_second() {
        let (mut tutor, mut slow, mut quick) =
            (Tutor::new(1 << 20), Lesson::default(), Lesson::default());
        for n in 0..1000 {
            tutor.teach(&mut quick, b"{\"a\":1}", n * 10_000);
            if n % 100 == 0 {
                tutor.teach(&mut slow, b"{\"a\":1}", n * 10_000);
            }
        }
        assert_eq!(slow.looked(), 10);
        assert!((FIRST..=FIRST + 10).contains(&quick.looked()), "{}", quick.looked());
        assert_eq!(slow.quiet(), 9);
    }

    #[test]
    fn learning_has_a_budget_of_time_and_of_memory() {
        let mut tutor = Tutor::new(1 << 20);
        let payload = format!("[{}1]", "1,".repeat(5000));
        let mut lessons = vec![Lesson::default(); 400];
        let total = |lessons: &[Lesson]| lessons.iter().map(|l| l.looked()).sum::<u32>() as usize;
        for lesson in lessons.iter_mut() {
            tutor.teach(lesson, payload.as_bytes(), 1);
        }
        assert_eq!(total(&lessons), IN_A_SECOND / payload.len());
        let mut tutor = Tutor::new(2000);
        let mut taken = 0;
        for n in 0..400 {
            let own = format!("{{\"field {n}\":1}}");
            taken += tutor.teach(&mut Lesson::default(), own.as_bytes(), n * PAUSE);
        }
        assert!(taken < 4000, "{taken}");
    }
}
