//! Who has fallen silent, by how often they speak otherwise. Pure.
//!
//! Time in which we were away ourselves does not count: nobody was silent then as far as we know.

use crate::mqtt::inbox::{Gaps, Topic};

/// So many times between messages must be known.
const KNOWN: u32 = 3;
/// Seconds that anything may be late.
const GRACE: f64 = 1.0;

/// A topic that is overdue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Overdue {
    /// Seconds without a message while we listened.
    pub(crate) silent: f64,
    /// Seconds after which it counts as silent.
    pub(crate) limit: f64,
}

/// Seconds after which a topic with these gaps counts as silent; `None` when too little is known.
pub(crate) fn limit(gaps: Gaps) -> Option<f64> {
    let spread = gaps.mean + 6.0 * gaps.deviation();
    (gaps.count >= KNOWN).then(|| spread.max(gaps.mean * 3.0).max(gaps.longest * 1.5) + GRACE)
}

/// Says whether a topic is overdue. `outages` are spans of time in which we were away, in microseconds
/// since 1970, in their order.
pub(crate) fn overdue(topic: &Topic, outages: &[(i64, i64)], now: i64) -> Option<Overdue> {
    let limit = limit(topic.gaps())?;
    let silent = listened(topic.last, now, outages);
    (silent > limit).then_some(Overdue { silent, limit })
}

/// Returns how many seconds of a span we listened.
#[allow(clippy::cast_precision_loss, reason = "spans of years are exact")]
pub(crate) fn listened(from: i64, to: i64, outages: &[(i64, i64)]) -> f64 {
    let overlap = |(begin, end): &(i64, i64)| (*end.min(&to) - *begin.max(&from)).max(0);
    let away: i64 = outages.iter().map(overlap).sum();
    (to - from - away).max(0) as f64 / 1e6
}

/// Whether a payload says that something is not there, as availability topics and last wills do:
/// `Some(false)` when it says that it is there, `None` when it says neither.
pub(crate) fn says_offline(payload: &[u8]) -> Option<bool> {
    const OFF: [&str; 4] = ["offline", "disconnected", "dead", "unavailable"];
    const ON: [&str; 4] = ["online", "connected", "alive", "available"];
    let word = |word: &str| {
        let is = |known: &&str| word.eq_ignore_ascii_case(known);
        if OFF.iter().any(is) { Some(true) } else { ON.iter().any(is).then_some(false) }
    };
    if payload.len() > 100 {
        return None;
    }
    let text = std::str::from_utf8(payload).ok()?.trim();
    let value: Option<serde_json::Value> = serde_json::from_str(text).ok();
    match value {
        Some(serde_json::Value::Object(fields)) if fields.len() == 1 => {
            fields.get("state").and_then(serde_json::Value::as_str).and_then(word)
        }
        Some(serde_json::Value::String(text)) => word(&text),
        _ => word(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::inbox::{Bounds, Inbox};
    use crate::mqtt::message::{Arrived, Payload, Qos};

    const START: i64 = 1_795_258_800_000_000;
    const SECOND: i64 = 1_000_000;

    /// Devices that speak every 1 to 20 seconds, a little unevenly; every third stops half way.
    fn house(minutes: i64) -> (Inbox, Vec<String>) {
        let mut inbox = Inbox::new(Bounds { ring_bytes: 1 << 20, topics: 1000 });
        let mut stopped = Vec::new();
        let mut said = Vec::new();
        for device in 0..60_i64 {
            let name = format!("home/device {device}/state");
            let (every, stops) = ((device % 20 + 1) * SECOND, device % 3 == 0);
            let until = if stops { minutes * 30 * SECOND } else { minutes * 60 * SECOND };
            let mut at = device * 37_000;
            while at < until {
                said.push((at, name.clone()));
                // Up to a fifth early or late.
                at += every + every / 5 * ((at / 1000 * 7919) % 3 - 1);
            }
            if stops {
                stopped.push(name);
            }
        }
        said.sort();
        for (at, topic) in &said {
            inbox.push(&Arrived {
                at: START + at,
                topic,
                payload: Payload::Whole(b"1"),
                qos: Qos::AtMostOnce,
                retained: false,
                dup: false,
                properties: None,
            });
        }
        stopped.sort();
        (inbox, stopped)
    }

    fn silent(inbox: &Inbox, outages: &[(i64, i64)], now: i64) -> Vec<String> {
        let topics = inbox.topics().iter();
        let late = topics.filter(|(_, topic)| overdue(topic, outages, now).is_some());
        late.map(|(name, _)| name.to_string()).collect()
    }

    #[test]
    fn exactly_those_that_stopped_are_found() {
        let (inbox, stopped) = house(10);
        assert_eq!(silent(&inbox, &[], START + 600 * SECOND), stopped);
    }

    #[test]
    fn nobody_is_silent_while_we_are_away() {
        let (inbox, stopped) = house(10);
        let end = START + 600 * SECOND;
        let away = [(end, end + 7200 * SECOND)];
        assert_eq!(silent(&inbox, &away, end + 7200 * SECOND), stopped);
        assert_eq!(silent(&inbox, &[], end + 7200 * SECOND).len(), 60, "were we not away");
        // Two hours away in the middle of the silence are taken off, what was heard around it counts.
        let outages = [(START, START + SECOND), (end - 10 * SECOND, end)];
        assert_eq!(listened(START, end, &outages), 589.0);
    }

    #[test]
    fn who_has_hardly_spoken_is_not_called_silent() {
        let gaps = Gaps { count: 2, mean: 1.0, ..Gaps::default() };
        assert_eq!(limit(gaps), None);
        assert_eq!(limit(Gaps { count: 3, ..gaps }), Some(4.0));
        assert_eq!(limit(Gaps { count: 3, longest: 10.0, ..gaps }), Some(16.0));
    }

    #[test]
    fn availability_is_read_in_its_usual_forms() {
        for (text, want) in [
            ("offline", Some(true)),
            ("Online", Some(false)),
            ("{\"state\":\"offline\"}", Some(true)),
            ("\"online\"", Some(false)),
            ("ON", None),
            ("{\"state\":\"ON\"}", None),
            ("{\"state\":\"offline\",\"x\":1}", None),
            ("", None),
        ] {
            assert_eq!(says_offline(text.as_bytes()), want, "{text}");
        }
    }
}
