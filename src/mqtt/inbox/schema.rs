//! A shape as JSON Schema (2020-12), and what in a value is not as a schema says. Pure.
//!
//! The schema says only what the samples bear: a range is wider than what was seen and only given
//! when there were enough, words are listed when each came again, a field is required when it never
//! lacked. What was seen exactly stands in `x-` keywords, which validators pass over.

use crate::mqtt::inbox::shape::{Numbers, Shape, Texts, is_date, is_time};
use serde_json::{Map, Value, json};

/// So many samples are needed to call a field required or a number whole, and to give a range.
const FEW: u32 = 5;
const ENOUGH: u32 = 10;

/// Returns a shape as a schema, without `$schema`.
pub(crate) fn schema(shape: &Shape) -> Value {
    let mut out = Map::new();
    let mut types = Vec::new();
    if let Some(object) = &shape.object {
        types.push("object");
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (name, field) in &object.fields {
            let mut own = schema(field);
            if field.seen >= object.count && object.count >= FEW {
                required.push(Value::from(&**name));
            } else if let Some(own) = own.as_object_mut() {
                own.insert("x-share".into(), share(field.seen, object.count));
            }
            properties.insert(name.to_string(), own);
        }
        out.insert("properties".into(), properties.into());
        if !required.is_empty() {
            out.insert("required".into(), required.into());
        }
        if object.is_open {
            out.insert("x-more".into(), true.into());
        }
    }
    if let Some(list) = &shape.list {
        types.push("array");
        if list.items.seen > 0 {
            out.insert("items".into(), schema(&list.items));
        }
        out.insert("x-longest".into(), list.longest.into());
    }
    if let Some(numbers) = &shape.numbers {
        // A sensor's value is whole now and then by chance.
        let is_whole = numbers.whole == numbers.count && numbers.count >= ENOUGH;
        types.push(if is_whole { "integer" } else { "number" });
        range(numbers, &mut out);
    }
    if let Some(texts) = &shape.texts {
        types.push("string");
        words(texts, types.len() == 1 && shape.bools + shape.nulls == 0, &mut out);
    }
    if shape.bools > 0 {
        types.push("boolean");
    }
    if shape.nulls > 0 {
        types.push("null");
    }
    match *types {
        [] => {}
        [one] => drop(out.insert("type".into(), one.into())),
        _ => drop(out.insert("type".into(), types.into())),
    }
    out.into()
}

fn range(numbers: &Numbers, out: &mut Map<String, Value>) {
    let Numbers { least, most, count, .. } = *numbers;
    out.insert("x-seen".into(), json!([number(least), number(most)]));
    if count < ENOUGH {
        return;
    }
    // As far again to each side as what was seen is wide; a value that never changed gets its half.
    let wide = if most > least { most - least } else { least.abs() / 2.0 + 1.0 };
    // What only goes one way has no end there that could be told.
    if !numbers.only_falls() {
        let floor = if numbers.only_rises() { least.min(0.0) } else { least - wide };
        out.insert("minimum".into(), number(floor.floor()));
    }
    if !numbers.only_rises() {
        out.insert("maximum".into(), number((most + wide).ceil()));
    }
}

fn words(texts: &Texts, is_alone: bool, out: &mut Map<String, Value>) {
    if texts.times == texts.count {
        out.insert("format".into(), "date-time".into());
    } else if texts.dates == texts.count {
        out.insert("format".into(), "date".into());
    } else if let Some(few) = texts.few() {
        let key = if is_alone { "enum" } else { "x-words" };
        out.insert(key.into(), few.map(Value::from).collect());
    }
}

/// A number as JSON writes it, without `.0` where it is whole.
fn number(value: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "only when it is exact")]
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

/// A share of 0 to 1 with two digits.
fn share(part: u32, all: u32) -> Value {
    let share = f64::from(part) / f64::from(all.max(1));
    json!((share * 100.0).floor() / 100.0)
}

/// How sure it is that the next value is as a shape says: of `samples`, the last `quiet` brought
/// nothing new (the rule of succession). From 0 to 1.
pub(crate) fn confidence(quiet: u32) -> f64 {
    let sure = (f64::from(quiet) + 1.0) / (f64::from(quiet) + 2.0);
    (sure * 1000.0).floor() / 1000.0
}

/// What is not as a schema says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drift {
    NewField,
    ChangedType,
    MissingField,
    OutOfRange,
    NewWord,
    WrongFormat,
}

impl Drift {
    /// Returns the word that answers use.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Drift::NewField => "new_field",
            Drift::ChangedType => "changed_type",
            Drift::MissingField => "missing_field",
            Drift::OutOfRange => "out_of_range",
            Drift::NewWord => "new_value",
            Drift::WrongFormat => "wrong_format",
        }
    }
}

/// Where a value is not as a schema says: the place (`a.b[]`), what it is, and what is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) place: String,
    pub(crate) drift: Drift,
    pub(crate) found: Value,
}

/// So many faults of one value are named.
const NAMED: usize = 20;

/// Returns where `value` is not as `schema` says, which must come from [`schema`].
pub(crate) fn faults(schema: &Value, value: &Value) -> Vec<Fault> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, out: &mut Vec<Fault>) {
    if out.len() >= NAMED {
        return;
    }
    let mut tell = |drift: Drift, found: &Value| {
        out.push(Fault { place: place.to_owned(), drift, found: found.clone() });
    };
    let is_type = |word: &Value| {
        matches!(
            (word.as_str(), value),
            (Some("null"), Value::Null)
                | (Some("boolean"), Value::Bool(_))
                | (Some("number"), Value::Number(_))
                | (Some("string"), Value::String(_))
                | (Some("array"), Value::Array(_))
                | (Some("object"), Value::Object(_))
        ) || (word == "integer" && value.as_f64().is_some_and(|n| n.fract() == 0.0))
    };
    match &schema["type"] {
        Value::Null => {}
        Value::Array(any) if any.iter().any(is_type) => {}
        one @ Value::String(_) if is_type(one) => {}
        _ => return tell(Drift::ChangedType, value),
    }
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            let below = schema["minimum"].as_f64().is_some_and(|least| number < least);
            let above = schema["maximum"].as_f64().is_some_and(|most| number > most);
            if below || above {
                tell(Drift::OutOfRange, value);
            }
        }
        Value::String(text) => {
            let known = schema["enum"].as_array();
            if known.is_some_and(|known| !known.contains(value)) {
                tell(Drift::NewWord, value);
            }
            match schema["format"].as_str() {
                Some("date-time") if !is_time(text) => tell(Drift::WrongFormat, value),
                Some("date") if !is_date(text) => tell(Drift::WrongFormat, value),
                _ => {}
            }
        }
        Value::Array(items) => {
            let place = format!("{place}[]");
            items.iter().for_each(|item| check(&schema["items"], item, &place, out));
        }
        Value::Object(fields) => check_fields(schema, fields, place, out),
        Value::Null | Value::Bool(_) => {}
    }
}

fn check_fields(schema: &Value, fields: &Map<String, Value>, place: &str, out: &mut Vec<Fault>) {
    let below = |name: &str| match place {
        "" => name.to_owned(),
        place => format!("{place}.{name}"),
    };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) && out.len() < NAMED {
            out.push(Fault { place: below(name), drift: Drift::MissingField, found: Value::Null });
        }
    }
    let Some(known) = schema["properties"].as_object() else { return };
    for (name, value) in fields {
        match known.get(name) {
            Some(own) => check(own, value, &below(name), out),
            None if schema["x-more"] == true || out.len() >= NAMED => {}
            None => {
                out.push(Fault { place: below(name), drift: Drift::NewField, found: value.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
