//! The index as a tree of levels: what stands below a place, with counts. Pure.

use crate::mqtt::inbox::{Topic, Topics};
use std::sync::Arc;

/// One name below a place.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    /// The name between two slashes; may be empty.
    pub(crate) name: Arc<str>,
    /// The topic of this very place, when there is one.
    pub(crate) topic: Option<Topic>,
    /// Topics at and below it.
    pub(crate) topics: u64,
    /// Messages at and below it.
    pub(crate) messages: u64,
    /// Microseconds since 1970 of the newest message at or below it.
    pub(crate) last: i64,
}

/// A part of the names below a place, in the order of their bytes.
#[derive(Debug)]
pub(crate) struct Levels {
    pub(crate) levels: Vec<Level>,
    /// There is more after the last one.
    pub(crate) more: bool,
    /// Names below the place, all of them.
    pub(crate) total: u64,
}

/// Returns at most `most` names below `place` (empty: the top), those after `after`.
///
/// `place` is a topic's beginning without its last slash. A level with an empty name is one: MQTT
/// makes `a` and `/a` two topics (MQTT 5, section 4.7.3).
pub(crate) fn below(
    topics: &Topics,
    place: Option<&str>,
    after: Option<&str>,
    most: usize,
) -> Levels {
    let mut out = Levels { levels: Vec::new(), more: false, total: 0 };
    // `a/b`, `a-b/c`, `a/c`: the names come in the order of the bytes of whole topics, in which one
    // level's topics do not always stand together, so each is looked up by its name.
    let mut found: std::collections::BTreeMap<&str, Level> = std::collections::BTreeMap::new();
    for (name, topic) in topics.iter() {
        let rest = match place {
            None => Some(&**name),
            Some(place) => name.strip_prefix(place).and_then(|rest| rest.strip_prefix('/')),
        };
        let Some(rest) = rest else { continue };
        let (level, is_here) = match rest.split_once('/') {
            Some((level, _)) => (level, false),
            None => (rest, true),
        };
        let entry = found.entry(level).or_insert_with(|| Level {
            name: level.into(),
            topic: None,
            topics: 0,
            messages: 0,
            last: i64::MIN,
        });
        entry.topics += 1;
        entry.messages += topic.count;
        entry.last = entry.last.max(topic.last);
        if is_here {
            entry.topic = Some(topic.clone());
        }
    }
    out.total = found.len() as u64;
    for (name, level) in found {
        if after.is_some_and(|after| name <= after) {
            continue;
        }
        if out.levels.len() == most {
            out.more = true;
            break;
        }
        out.levels.push(level);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::inbox::{Bounds, Inbox};
    use crate::mqtt::message::{Arrived, Payload, Qos};

    fn inbox(names: &[&str]) -> Inbox {
        let mut inbox = Inbox::new(Bounds { ring_bytes: 1 << 20, topics: 100 });
        for (at, topic) in names.iter().enumerate() {
            inbox.push(&Arrived {
                at: i64::try_from(at).unwrap(),
                topic,
                payload: Payload::Whole(b"x"),
                qos: Qos::AtMostOnce,
                retained: false,
                dup: false,
                properties: None,
            });
        }
        inbox
    }

    fn shown(inbox: &Inbox, place: Option<&str>, after: Option<&str>, most: usize) -> Vec<String> {
        let levels = below(inbox.topics(), place, after, most);
        let row = |l: &Level| {
            let own = if l.topic.is_some() { "*" } else { "" };
            format!("{}{own} {} {} {}", l.name, l.topics, l.messages, l.last)
        };
        levels.levels.iter().map(row).collect()
    }

    #[test]
    fn each_level_counts_what_stands_at_and_below_it() {
        let inbox = inbox(&["a", "a/b", "a-b/c", "a/c/d", "/a", "a/b"]);
        assert_eq!(shown(&inbox, None, None, 9), [" 1 1 4", "a* 3 4 5", "a-b 1 1 2"]);
        assert_eq!(shown(&inbox, Some("a"), None, 9), ["b* 1 2 5", "c 1 1 3"]);
        assert_eq!(shown(&inbox, Some(""), None, 9), ["a* 1 1 4"]);
        assert_eq!(shown(&inbox, Some("a/b"), None, 9), [""; 0]);
    }

    #[test]
    fn pages_walk_through_a_level() {
        let inbox = inbox(&["x/3", "x/1", "x/2/y", "x/4"]);
        assert_eq!(shown(&inbox, Some("x"), None, 2), ["1* 1 1 1", "2 1 1 2"]);
        assert_eq!(shown(&inbox, Some("x"), Some("2"), 9), ["3* 1 1 0", "4* 1 1 3"]);
        assert!(below(inbox.topics(), Some("x"), None, 3).more);
        assert!(!below(inbox.topics(), Some("x"), None, 4).more);
        assert_eq!(below(inbox.topics(), Some("x"), None, 1).total, 4);
    }
}
