//! What a message is asked for: topic, text, pattern, a place in its JSON, time. Pure.

use crate::error::Error;
use crate::mqtt::decode::decode;
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::Kept;
use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

/// A pattern may become a program of so many bytes.
const PATTERN: usize = 1 << 18;
/// So much of a payload is looked through with a pattern, which is slow.
const LOOKED: usize = 64 << 10;

/// What messages are asked for. Empty: all.
#[derive(Debug, Default)]
pub(crate) struct Query {
    pub(crate) filter: Option<Filter>,
    /// Lower case; in topic or payload.
    pub(crate) text: Option<String>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) condition: Option<Condition>,
    /// Microseconds since 1970; the first excluded moment is `until`.
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    pub(crate) retained: Option<bool>,
}

impl Query {
    /// Whether what is quick to see of a message fits.
    pub(crate) fn may_fit(&self, kept: &Kept) -> bool {
        self.retained.is_none_or(|retained| kept.retained == retained)
            && self.from.is_none_or(|from| kept.at >= from)
            && self.until.is_none_or(|until| kept.at < until)
            && self.filter.as_ref().is_none_or(|filter| filter.matches(&kept.topic))
    }

    /// Whether what a message carries fits.
    pub(crate) fn fits(&self, kept: &Kept) -> bool {
        if self.text.is_none() && self.pattern.is_none() && self.condition.is_none() {
            return true;
        }
        let payload = kept.payload.as_deref().unwrap_or_default();
        let said = String::from_utf8_lossy(payload);
        if let Some(text) = &self.text {
            let has = |place: &str| place.to_lowercase().contains(&**text);
            if !has(&said) && !has(&kept.topic) {
                return false;
            }
        }
        if let Some(pattern) = &self.pattern {
            let end = (0..=LOOKED.min(said.len())).rev().find(|at| said.is_char_boundary(*at));
            if !pattern.is_match(&said[..end.unwrap_or(0)]) && !pattern.is_match(&kept.topic) {
                return false;
            }
        }
        let Some(condition) = &self.condition else { return true };
        let content_type = kept.properties.as_ref().and_then(|p| p.content_type.as_deref());
        let decoded = decode(payload, content_type);
        matches!(decoded.kind, "json" | "text") && condition.holds(&decoded.value)
    }
}

/// Reads a regular expression.
///
/// # Errors
/// Invalid: says what is wrong with it.
pub(crate) fn pattern(text: &str) -> Result<Regex, Error> {
    RegexBuilder::new(text)
        .size_limit(PATTERN)
        .build()
        .map_err(|e| Error::invalid(format!("the regular expression cannot be used: {e}")))
}

/// A comparison with a place in a value: `temperature > 21`, `state == "ON"`, `a.b[0]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    path: Path,
    compare: Option<(Compare, Value)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Compare {
    Equal,
    Other,
    AtLeast,
    AtMost,
    More,
    Less,
}

impl Condition {
    /// Reads one. A place alone asks whether it is there.
    ///
    /// # Errors
    /// Invalid: says how to write one.
    pub(crate) fn read(text: &str) -> Result<Condition, Error> {
        const SIGNS: [(&str, Compare); 7] = [
            ("==", Compare::Equal),
            ("!=", Compare::Other),
            (">=", Compare::AtLeast),
            ("<=", Compare::AtMost),
            (">", Compare::More),
            ("<", Compare::Less),
            ("=", Compare::Equal),
        ];
        let first = |sign: &(&'static str, Compare)| outside(text, sign.0).map(|at| (at, *sign));
        // The first sign counts, and of two at one place the longer.
        let found = SIGNS.iter().filter_map(first).reduce(|a, b| if b.0 < a.0 { b } else { a });
        let (path, compare) = match found {
            None => (text, None),
            Some((at, (sign, compare))) => {
                let want = text[at + sign.len()..].trim();
                if want.is_empty() {
                    return Err(bad());
                }
                // A word without quotes is meant as text.
                let want = serde_json::from_str(want).unwrap_or_else(|_| want.into());
                (&text[..at], Some((compare, want)))
            }
        };
        Ok(Condition { path: Path::read(path)?, compare })
    }

    /// Whether it holds for a value.
    pub(crate) fn holds(&self, value: &Value) -> bool {
        let Some(found) = self.path.of(value) else { return false };
        let Some((compare, want)) = &self.compare else { return true };
        let order = match (found, want) {
            (Value::String(a), Value::String(b)) => a.partial_cmp(b),
            (a, b) => number(a).zip(number(b)).and_then(|(a, b)| a.partial_cmp(&b)),
        };
        let is_same = found == want || order.is_some_and(|order| order.is_eq());
        match compare {
            Compare::Equal => is_same,
            Compare::Other => !is_same,
            Compare::AtLeast => order.is_some_and(|order| order.is_ge()),
            Compare::AtMost => order.is_some_and(|order| order.is_le()),
            Compare::More => order.is_some_and(|order| order.is_gt()),
            Compare::Less => order.is_some_and(|order| order.is_lt()),
        }
    }
}

/// A value as a number; devices send numbers as text now and then.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// A place in a value: `a.b[0]`, `["odd.key"]`, `$` for all of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    /// Counted from the end when negative.
    Item(i64),
}

impl Path {
    /// Reads one.
    ///
    /// # Errors
    /// Invalid: says how to write one.
    pub(crate) fn read(text: &str) -> Result<Path, Error> {
        let text = text.trim();
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        let mut steps = Vec::new();
        if rest.is_empty() {
            return if text == "$" { Ok(Path(steps)) } else { Err(bad()) };
        }
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (step, behind) = match inside.strip_prefix('"') {
                    Some(quoted) => quoted.split_once("\"]").map(|(k, r)| (Step::Key(k.into()), r)),
                    None => inside.split_once(']').and_then(|(number, behind)| {
                        Some((Step::Item(number.trim().parse().ok()?), behind))
                    }),
                }
                .ok_or_else(bad)?;
                steps.push(step);
                rest = behind;
                continue;
            }
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(bad());
            }
            steps.push(Step::Key(rest[..end].trim().to_owned()));
            rest = &rest[end..];
        }
        Ok(Path(steps))
    }

    /// Returns what is there.
    pub(crate) fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.get(key),
            Step::Item(at) => {
                let items = value.as_array()?;
                let at = if *at < 0 { i64::try_from(items.len()).ok()? + at } else { *at };
                items.get(usize::try_from(at).ok()?)
            }
        })
    }
}

/// Where `sign` stands first outside of quotes.
fn outside(text: &str, sign: &str) -> Option<usize> {
    let quoted = |at: usize| text[..at].matches('"').count() % 2 == 1;
    text.match_indices(sign).map(|(at, _)| at).find(|at| !quoted(*at))
}

fn bad() -> Error {
    Error::invalid(
        "write a place in the JSON and what it is compared with: temperature > 21, state == \"ON\", \
         color.x, list[0].id != 3, $ == 21.5 for the whole payload",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_hold_as_they_read() {
        let value = json!({
            "temperature": 21.5, "state": "ON", "text": "19", "none": null, "ok": true,
            "color": {"x": 0.3}, "list": [{"id": 7}, {"id": 8}], "odd.key": 1, "a>b": 2, "äö": 1,
        });
        for (text, want) in [
            ("temperature > 21", true),
            ("temperature >= 21.5", true),
            ("temperature<21.5", false),
            ("temperature <= 21.5", true),
            ("temperature != 21.5", false),
            ("temperature == \"21.5\"", true),
            ("state == \"ON\"", true),
            ("state = ON", true),
            ("state==\"OFF\"", false),
            ("state != OFF", true),
            ("state > 3", false),
            ("state >= \"OM\"", true),
            ("text < 20", true),
            ("none == null", true),
            ("ok == true", true),
            ("ok", true),
            ("missing", false),
            ("missing != 1", false),
            ("color.x < 1", true),
            ("$.color.x < 1", true),
            ("list[0].id == 7", true),
            ("list[-1].id == 8", true),
            ("list[2].id == 8", false),
            ("[\"odd.key\"] == 1", true),
            ("[\"a>b\"] == 2", true),
            ("äö == 1", true),
            ("list == [{\"id\":7},{\"id\":8}]", true),
            ("state == \"a == b\"", false),
        ] {
            assert_eq!(Condition::read(text).unwrap().holds(&value), want, "{text}");
        }
        assert!(Condition::read("$ > 21").unwrap().holds(&json!(22)));
        assert!(Condition::read("$ == ON").unwrap().holds(&json!("ON")));
        for text in ["", "> 3", "a >", "a..b", "a[x]", "a[", "[\"a", "  "] {
            assert!(Condition::read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_message_must_fit_all_of_what_is_asked() {
        let kept = Kept {
            number: 1,
            at: 1000,
            topic: "home/Lamp".into(),
            payload: Some((&br#"{"state":"ON","power":12}"#[..]).into()),
            size: 25,
            qos: Default::default(),
            retained: false,
            dup: false,
            properties: None,
        };
        let fits = |query: Query| query.may_fit(&kept) && query.fits(&kept);
        assert!(fits(Query::default()));
        let filter = |text| Some(Filter::read(text).unwrap());
        assert!(fits(Query { filter: filter("home/+"), ..Query::default() }));
        assert!(!fits(Query { filter: filter("work/+"), ..Query::default() }));
        assert!(fits(Query { text: Some("lamp".into()), ..Query::default() }), "in the topic");
        assert!(fits(Query { text: Some("\"on\"".into()), ..Query::default() }), "in the payload");
        assert!(!fits(Query { text: Some("off".into()), ..Query::default() }));
        let with = |text| Some(pattern(text).unwrap());
        assert!(fits(Query { pattern: with(r"power.:\d+"), ..Query::default() }));
        assert!(fits(Query { pattern: with("^home/L"), ..Query::default() }));
        assert!(!fits(Query { pattern: with("OFF|off"), ..Query::default() }));
        assert!(pattern("(").is_err() && pattern("(a{1000}){1000}").is_err());
        let where_ = |text| Some(Condition::read(text).unwrap());
        assert!(fits(Query { condition: where_("power > 10"), ..Query::default() }));
        assert!(!fits(Query { condition: where_("power > 12"), ..Query::default() }));
        assert!(fits(Query { from: Some(1000), until: Some(1001), ..Query::default() }));
        assert!(!fits(Query { until: Some(1000), ..Query::default() }));
        assert!(!fits(Query { from: Some(1001), ..Query::default() }));
        assert!(!fits(Query { retained: Some(true), ..Query::default() }));
    }
}
