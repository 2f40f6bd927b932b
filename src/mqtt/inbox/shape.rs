//! The shape of what a topic carries, learned from one value after the other. Pure.
//!
//! A shape counts; [`super::schema`] says it as JSON Schema. Shapes of several topics can be merged.

use serde_json::Value;

/// Deeper values, more fields of one object, and more different texts are not looked at one by one.
const DEEPEST: usize = 12;
const FIELDS: usize = 120;
const TEXTS: usize = 12;
/// A longer text is no word out of a few.
const WORD: usize = 40;

/// What was seen in one place of the values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(super) seen: u32,
    pub(super) nulls: u32,
    pub(super) bools: u32,
    pub(super) numbers: Option<Box<Numbers>>,
    pub(super) texts: Option<Box<Texts>>,
    pub(super) list: Option<Box<List>>,
    pub(super) object: Option<Box<Object>>,
}

#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) count: u32,
    /// How many of them were written without a fraction.
    pub(super) whole: u32,
    pub(super) least: f64,
    pub(super) most: f64,
    last: f64,
    /// How often it rose and fell.
    rises: u32,
    falls: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    pub(super) count: u32,
    /// The different ones with how often, while they are few.
    pub(super) words: Vec<(Box<str>, u32)>,
    pub(super) is_open: bool,
    pub(super) times: u32,
    pub(super) dates: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct List {
    pub(super) count: u32,
    pub(super) items: Shape,
    pub(super) longest: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) count: u32,
    pub(super) fields: Vec<(Box<str>, Shape)>,
    /// There were more fields than are kept.
    pub(super) is_open: bool,
}

impl Shape {
    /// Takes in a value; whether it brought something new: a field, a type.
    pub(crate) fn learn(&mut self, value: &Value) -> bool {
        self.learn_at(value, 0)
    }

    /// Returns how many values it has seen.
    pub(crate) fn seen(&self) -> u32 {
        self.seen
    }

    fn learn_at(&mut self, value: &Value, depth: usize) -> bool {
        self.seen = self.seen.saturating_add(1);
        match value {
            Value::Null => first(&mut self.nulls),
            Value::Bool(_) => first(&mut self.bools),
            Value::Number(number) => {
                let number = (number.as_f64().unwrap_or_default(), !number.is_f64());
                let news = self.numbers.is_none();
                let numbers = self.numbers.get_or_insert_with(|| Box::new(Numbers::new(number.0)));
                numbers.learn(number.0, number.1);
                news
            }
            Value::String(text) => {
                let news = self.texts.is_none();
                self.texts.get_or_insert_default().learn(text);
                news
            }
            Value::Array(_) | Value::Object(_) if depth >= DEEPEST => false,
            Value::Array(items) => {
                let mut news = self.list.is_none();
                let list = self.list.get_or_insert_default();
                list.count = list.count.saturating_add(1);
                list.longest = list.longest.max(items.len());
                for item in items.iter().take(FIELDS) {
                    news |= list.items.learn_at(item, depth + 1);
                }
                news
            }
            Value::Object(fields) => {
                let mut news = self.object.is_none();
                let object = self.object.get_or_insert_default();
                object.count = object.count.saturating_add(1);
                for (place, (name, value)) in fields.iter().enumerate() {
                    let Some((field, is_new)) = object.field(name, place) else { continue };
                    news |= field.learn_at(value, depth + 1) || is_new;
                }
                news
            }
        }
    }

    /// Takes in what another shape has seen; whether that brought something new.
    pub(crate) fn merge(&mut self, other: &Shape) -> bool {
        self.seen = self.seen.saturating_add(other.seen);
        let mut news = (self.nulls == 0 && other.nulls > 0) || (self.bools == 0 && other.bools > 0);
        self.nulls = self.nulls.saturating_add(other.nulls);
        self.bools = self.bools.saturating_add(other.bools);
        match (&mut self.numbers, &other.numbers) {
            (Some(own), Some(more)) => own.merge(more),
            (own @ None, Some(more)) => (*own, news) = (Some(more.clone()), true),
            _ => {}
        }
        match (&mut self.texts, &other.texts) {
            (Some(own), Some(more)) => own.merge(more),
            (own @ None, Some(more)) => (*own, news) = (Some(more.clone()), true),
            _ => {}
        }
        match (&mut self.list, &other.list) {
            (Some(own), Some(more)) => {
                own.count = own.count.saturating_add(more.count);
                own.longest = own.longest.max(more.longest);
                news |= own.items.merge(&more.items);
            }
            (own @ None, Some(more)) => (*own, news) = (Some(more.clone()), true),
            _ => {}
        }
        match (&mut self.object, &other.object) {
            (Some(own), Some(more)) => {
                own.count = own.count.saturating_add(more.count);
                own.is_open |= more.is_open;
                for (place, (name, shape)) in more.fields.iter().enumerate() {
                    let Some((field, is_new)) = own.field(name, place) else { continue };
                    news |= field.merge(shape) || is_new;
                }
            }
            (own @ None, Some(more)) => (*own, news) = (Some(more.clone()), true),
            _ => {}
        }
        news
    }

    /// Returns about how many bytes of memory it takes besides itself.
    pub(crate) fn weight(&self) -> usize {
        let texts = self.texts.as_ref().map_or(0, |texts| {
            let words = texts.words.iter().map(|(word, _)| word.len() + 40);
            size_of::<Texts>() + words.sum::<usize>()
        });
        let list = self.list.as_ref().map_or(0, |l| size_of::<List>() + l.items.weight());
        let object = self.object.as_ref().map_or(0, |object| {
            let fields = object.fields.iter();
            let fields = fields.map(|(name, shape)| name.len() + 32 + 64 + shape.weight());
            size_of::<Object>() + fields.sum::<usize>()
        });
        self.numbers.as_ref().map_or(0, |_| size_of::<Numbers>()) + texts + list + object
    }
}

fn first(count: &mut u32) -> bool {
    *count = count.saturating_add(1);
    *count == 1
}

impl Object {
    /// Returns the shape of a field, and whether the field is new; `None` when there is no room.
    /// `place` is where it stood this time, which is mostly where it stands here.
    fn field(&mut self, name: &str, place: usize) -> Option<(&mut Shape, bool)> {
        let is_it = |(known, _): &(Box<str>, Shape)| **known == *name;
        let at = if self.fields.get(place).is_some_and(is_it) {
            Some(place)
        } else {
            self.fields.iter().position(is_it)
        };
        match at {
            Some(at) => self.fields.get_mut(at).map(|(_, shape)| (shape, false)),
            None if self.fields.len() >= FIELDS => {
                self.is_open = true;
                None
            }
            None => {
                self.fields.push((name.into(), Shape::default()));
                self.fields.last_mut().map(|(_, shape)| (shape, true))
            }
        }
    }
}

impl Numbers {
    fn new(first: f64) -> Numbers {
        Numbers { count: 0, whole: 0, least: first, most: first, last: first, rises: 0, falls: 0 }
    }

    fn learn(&mut self, number: f64, is_whole: bool) {
        self.count = self.count.saturating_add(1);
        self.whole = self.whole.saturating_add(u32::from(is_whole));
        self.least = self.least.min(number);
        self.most = self.most.max(number);
        self.rises = self.rises.saturating_add(u32::from(number > self.last));
        self.falls = self.falls.saturating_add(u32::from(number < self.last));
        self.last = number;
    }

    fn merge(&mut self, more: &Numbers) {
        self.count = self.count.saturating_add(more.count);
        self.whole = self.whole.saturating_add(more.whole);
        self.least = self.least.min(more.least);
        self.most = self.most.max(more.most);
        self.rises = self.rises.saturating_add(more.rises);
        self.falls = self.falls.saturating_add(more.falls);
    }

    /// Whether it only ever rises, as counters and clocks do.
    pub(super) fn only_rises(&self) -> bool {
        self.falls == 0 && self.rises >= 3
    }

    /// Whether it only ever falls, as batteries do.
    pub(super) fn only_falls(&self) -> bool {
        self.rises == 0 && self.falls >= 3
    }
}

impl Texts {
    fn learn(&mut self, text: &str) {
        self.count = self.count.saturating_add(1);
        self.times = self.times.saturating_add(u32::from(is_time(text)));
        self.dates = self.dates.saturating_add(u32::from(is_date(text)));
        self.word(text, 1);
    }

    fn word(&mut self, text: &str, times: u32) {
        if self.is_open {
            return;
        }
        if let Some((_, count)) = self.words.iter_mut().find(|(word, _)| **word == *text) {
            *count = count.saturating_add(times);
        } else if self.words.len() < TEXTS && text.len() <= WORD {
            self.words.push((text.into(), times));
        } else {
            self.is_open = true;
            self.words = Vec::new();
        }
    }

    fn merge(&mut self, more: &Texts) {
        self.count = self.count.saturating_add(more.count);
        self.times = self.times.saturating_add(more.times);
        self.dates = self.dates.saturating_add(more.dates);
        more.words.iter().for_each(|(word, count)| self.word(word, *count));
        if more.is_open {
            self.is_open = true;
            self.words = Vec::new();
        }
    }

    /// Returns the few words that it is one of, when each came at least twice and they are much fewer
    /// than the texts: then another one is unlikely.
    pub(super) fn few(&self) -> Option<impl Iterator<Item = &str>> {
        let again = self.words.iter().all(|(_, count)| *count > 1);
        let many = self.count as usize >= (self.words.len() * 5).max(10);
        (!self.is_open && again && many).then(|| self.words.iter().map(|(word, _)| &**word))
    }
}

/// Whether a text is a date and time of RFC 3339, section 5.6.
pub(crate) fn is_time(text: &str) -> bool {
    let Some((date, time)) = text.split_at_checked(10) else { return false };
    let bytes = time.as_bytes();
    is_date(date)
        && matches!(bytes.first(), Some(b'T' | b't' | b' '))
        && bytes.len() >= 10
        && form(&bytes[1..9], b"00:00:00")
        && {
            let rest = bytes[9..].strip_prefix(b".").unwrap_or(&bytes[9..]);
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let fraction = bytes.get(9) == Some(&b'.');
            let zone = &rest[digits..];
            (fraction == (digits > 0))
                && (matches!(zone, b"Z" | b"z")
                    || matches!(zone, [b'+' | b'-', zone @ ..] if form(zone, b"00:00")))
        }
}

/// Whether a text is a full-date of RFC 3339.
pub(crate) fn is_date(text: &str) -> bool {
    let number = |from: usize, to: usize| text.get(from..to).and_then(|n| n.parse::<u8>().ok());
    form(text.as_bytes(), b"0000-00-00")
        && number(5, 7).is_some_and(|month| (1..=12).contains(&month))
        && number(8, 10).is_some_and(|day| (1..=31).contains(&day))
}

/// Whether bytes have digits where the form has 0, and otherwise are the same.
fn form(bytes: &[u8], form: &[u8]) -> bool {
    bytes.len() == form.len()
        && bytes.iter().zip(form).all(|(byte, want)| match want {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_and_dates_are_told_from_other_texts() {
        for text in
            ["2026-11-21T18:00:00Z", "2026-11-21t18:00:00.123+01:00", "2026-11-21 18:00:00Z"]
        {
            assert!(is_time(text), "{text}");
        }
        for text in [
            "2026-11-21",
            "2026-11-21T18:00:00",
            "2026-11-21T18:00:00.Z",
            "2026-13-21T18:00:00Z",
            "2026-11-21T18:00:00+1",
            "2026-11-21T18:00",
            "on",
            "äääää",
        ] {
            assert!(!is_time(text), "{text}");
        }
        assert!(is_date("2026-11-21") && !is_date("2026-11-32") && !is_date("2026-1-1"));
    }

    #[test]
    fn only_what_was_not_there_before_is_news() {
        let mut shape = Shape::default();
        assert!(shape.learn(&json!({"a": 1, "b": "x"})));
        assert!(!shape.learn(&json!({"a": 2, "b": "y"})));
        assert!(shape.learn(&json!({"a": 2.5, "c": [1]})), "a new field");
        assert!(shape.learn(&json!({"a": "off", "c": []})), "a new type");
        assert!(shape.learn(&json!({"c": [null]})), "a new type of items");
        let mut other = Shape::default();
        other.learn(&json!({"a": 1, "c": [2]}));
        assert!(!shape.merge(&other) && other.merge(&shape));
        assert_eq!((shape.seen(), other.seen()), (6, 7));
    }

    #[test]
    fn a_shape_stays_bounded_whatever_comes() {
        let mut shape = Shape::default();
        let mut deep = json!(1);
        (0..100).for_each(|_| deep = json!([deep]));
        shape.learn(&deep);
        for n in 0..5000 {
            shape.learn(
                &json!({ format!("field {n}"): format!("text {n}"), "same": n.to_string() }),
            );
        }
        assert!(shape.weight() < 100_000, "{}", shape.weight());
        assert!(shape.object.as_ref().unwrap().is_open);
    }
}
