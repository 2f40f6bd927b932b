//! Noticing what is odd while it happens. Pure.
//!
//! What is usual is taken from what was known before: how often a topic speaks, and the schema of what
//! it says. Each topic is looked at on its own.

use crate::mqtt::decode::decode;
use crate::mqtt::inbox::{Drift, Kept, faults};
use crate::mqtt::search::{Path, number};
use crate::mqtt::silence::says_offline;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// So many topics are followed at once.
const TOPICS: usize = 5000;
/// Messages are counted in spans of so many microseconds.
const SPAN: i64 = 5_000_000;

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Rules {
    /// A value out of the range, at `path` (the whole payload without one).
    pub(crate) path: Option<Path>,
    pub(crate) least: Option<f64>,
    pub(crate) most: Option<f64>,
    /// A topic that speaks more often in a second than this; otherwise ten times what is usual.
    pub(crate) per_second: Option<f64>,
    /// The same value for so many seconds, though messages come.
    pub(crate) stuck_seconds: Option<f64>,
    /// Changes between online and offline.
    pub(crate) flaps: u32,
    /// Fields, types and ranges that are new.
    pub(crate) drift: bool,
}

/// What was known of a topic before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usual {
    /// Messages per second.
    pub(crate) rate: f64,
    /// Of its JSON, when there were enough samples.
    pub(crate) schema: Option<Value>,
}

/// Something odd.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    /// `rate`, `range`, `stuck`, `flapping`, `drift`.
    pub(crate) kind: &'static str,
    pub(crate) topic: Arc<str>,
    pub(crate) at: i64,
    /// What was found, and what was expected: data of the device among it.
    pub(crate) detail: Value,
}

#[derive(Default)]
struct Followed {
    usual: Usual,
    span: i64,
    count: u32,
    value: Option<Value>,
    same_since: i64,
    same: u32,
    is_offline: Option<bool>,
    flaps: u32,
}

/// Follows topics.
pub(crate) struct Watcher {
    rules: Rules,
    topics: HashMap<Arc<str>, Followed>,
}

impl Watcher {
    pub(crate) fn new(rules: Rules) -> Watcher {
        Watcher { rules, topics: HashMap::new() }
    }

    /// Looks at a message; `usual` is asked once for each topic. Returns what is odd about it.
    pub(crate) fn see(
        &mut self,
        kept: &Kept,
        usual: impl FnOnce(&str) -> Usual,
    ) -> Option<Finding> {
        if kept.retained {
            return None;
        }
        if !self.topics.contains_key(&kept.topic) {
            if self.topics.len() >= TOPICS {
                return None;
            }
            let followed = Followed { usual: usual(&kept.topic), ..Followed::default() };
            self.topics.insert(kept.topic.clone(), followed);
        }
        let (rules, followed) = (&self.rules, self.topics.get_mut(&kept.topic)?);
        let payload = kept.payload.as_deref()?;
        let decoded = decode(payload, None).value;
        let (kind, detail) = followed
            .rate(rules, kept.at)
            .or_else(|| followed.flap(rules, payload))
            .or_else(|| range(rules, &decoded))
            .or_else(|| followed.stuck(rules, &decoded, kept.at))
            .or_else(|| followed.drift(rules, &decoded))?;
        Some(Finding { kind, topic: kept.topic.clone(), at: kept.at, detail })
    }

    /// Returns how many topics were looked at.
    pub(crate) fn topics(&self) -> usize {
        self.topics.len()
    }
}

type Odd = Option<(&'static str, Value)>;

impl Followed {
    fn rate(&mut self, rules: &Rules, at: i64) -> Odd {
        let span = at.div_euclid(SPAN);
        if span != self.span {
            (self.span, self.count) = (span, 0);
        }
        self.count += 1;
        let seconds = 5.0;
        let rate = f64::from(self.count) / seconds;
        // Ten times nothing is nothing: a few messages are never too many.
        let most = rules.per_second.unwrap_or((self.usual.rate * 10.0).max(2.0));
        (rate > most).then(|| {
            let usual = (self.usual.rate * 100.0).round() / 100.0;
            (
                "rate",
                json!({ "messages": self.count, "within_seconds": 5, "usual_per_second": usual }),
            )
        })
    }

    fn flap(&mut self, rules: &Rules, payload: &[u8]) -> Odd {
        let is_offline = says_offline(payload)?;
        if self.is_offline.replace(is_offline).is_some_and(|before| before != is_offline) {
            self.flaps += 1;
        }
        (self.flaps >= rules.flaps).then(|| ("flapping", json!({ "changes": self.flaps })))
    }

    fn stuck(&mut self, rules: &Rules, value: &Value, at: i64) -> Odd {
        let seconds = rules.stuck_seconds?;
        let value = rules.path.as_ref().map_or(Some(value), |path| path.of(value))?;
        if self.value.as_ref() != Some(value) {
            (self.value, self.same_since, self.same) = (Some(value.clone()), at, 0);
            return None;
        }
        self.same += 1;
        #[allow(clippy::cast_precision_loss, reason = "spans of years are exact")]
        let since = (at - self.same_since) as f64 / 1e6;
        (since >= seconds && self.same >= 2).then(|| {
            (
                "stuck",
                json!({ "value": value, "seconds": since.round(), "messages": self.same + 1 }),
            )
        })
    }

    fn drift(&self, rules: &Rules, value: &Value) -> Odd {
        let schema = self.usual.schema.as_ref().filter(|_| rules.drift)?;
        let first = faults(schema, value).into_iter().next()?;
        let kind = if first.drift == Drift::OutOfRange { "range" } else { "drift" };
        let place = if first.place.is_empty() { "$" } else { &first.place };
        Some((kind, json!({ "what": first.drift.word(), "place": place, "found": first.found })))
    }
}

fn range(rules: &Rules, value: &Value) -> Odd {
    if rules.least.is_none() && rules.most.is_none() {
        return None;
    }
    let found = rules.path.as_ref().map_or(Some(value), |path| path.of(value)).and_then(number)?;
    let is_out = rules.least.is_some_and(|least| found < least)
        || rules.most.is_some_and(|most| found > most);
    is_out.then(|| ("range", json!({ "found": found, "min": rules.least, "max": rules.most })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::inbox::{Shape, schema};

    const SECOND: i64 = 1_000_000;

    fn rules() -> Rules {
        Rules {
            path: None,
            least: None,
            most: None,
            per_second: None,
            stuck_seconds: None,
            flaps: 3,
            drift: true,
        }
    }

    fn usual() -> Usual {
        let mut shape = Shape::default();
        for n in 0..50 {
            shape.learn(&json!({"temperature": 18.5 + f64::from(n % 7), "battery": 90 + n % 5}));
        }
        Usual { rate: 0.2, schema: Some(schema(&shape)) }
    }

    fn first(rules: Rules, said: &[(i64, &str)]) -> Option<(&'static str, usize, Value)> {
        let mut watcher = Watcher::new(rules);
        said.iter().enumerate().find_map(|(place, (at, payload))| {
            let kept = Kept {
                number: place as u64,
                at: at * SECOND / 10,
                topic: "a".into(),
                payload: Some(payload.as_bytes().into()),
                size: 0,
                qos: Default::default(),
                retained: false,
                dup: false,
                properties: None,
            };
            watcher.see(&kept, |_| usual()).map(|found| (found.kind, place, found.detail))
        })
    }

    const FINE: &str = r#"{"temperature": 21.0, "battery": 92}"#;

    #[test]
    fn the_usual_is_not_odd() {
        let calm: Vec<_> = (0..40).map(|n| (n * 50, FINE)).collect();
        assert_eq!(first(rules(), &calm), None);
    }

    #[test]
    fn each_sort_of_oddness_is_found_where_it_begins() {
        let quick: Vec<_> = (0..40).map(|n| (n, FINE)).collect();
        let (kind, place, detail) = first(rules(), &quick).unwrap();
        assert_eq!((kind, place, &detail["messages"]), ("rate", 10, &json!(11)));
        let quick_enough = Rules { per_second: Some(10.0), ..rules() };
        assert_eq!(first(quick_enough, &quick), None);

        let hot = r#"{"temperature": 99.0, "battery": 92}"#;
        assert_eq!(first(rules(), &[(0, FINE), (50, hot)]).unwrap().0, "range");
        let temperature = || Some(Path::read("temperature").unwrap());
        let cool = Rules { path: temperature(), most: Some(20.0), ..rules() };
        let (kind, place, detail) = first(cool, &[(0, FINE)]).unwrap();
        assert_eq!((kind, place, detail["found"].as_f64()), ("range", 0, Some(21.0)));

        let stuck = || Rules { path: temperature(), stuck_seconds: Some(60.0), ..rules() };
        let same: Vec<_> = (0..20).map(|n| (n * 100, FINE)).collect();
        let (kind, place, _) = first(stuck(), &same).unwrap();
        assert_eq!((kind, place), ("stuck", 6));
        let other = r#"{"temperature": 21.5, "battery": 92}"#;
        let moving: Vec<_> =
            (0..20).map(|n| (n * 100, if n % 4 == 0 { other } else { FINE })).collect();
        assert_eq!(first(stuck(), &moving), None);

        let nervous: Vec<_> = ["online", "offline", "offline", "online", "offline"]
            .into_iter()
            .map(|w| (0, w))
            .collect();
        let calm = Rules { drift: false, ..rules() };
        let (kind, place, detail) = first(calm, &nervous).unwrap();
        assert_eq!((kind, place, detail), ("flapping", 4, json!({"changes": 3})));

        let more = r#"{"temperature": 21.0, "battery": 92, "pressure": 1013}"#;
        let (kind, place, detail) = first(rules(), &[(0, FINE), (50, more)]).unwrap();
        assert_eq!((kind, place), ("drift", 1));
        assert_eq!(detail, json!({"what": "new_field", "place": "pressure", "found": 1013}));
        let blind = Rules { drift: false, ..rules() };
        assert_eq!(first(blind, &[(0, FINE), (50, more)]), None);
    }
}
