//! Text that comes from a house: capped, with control characters made visible, marked as data.
//!
//! Every answer of this service passes its strings through here; nothing from a house reaches a
//! model or a page without it.

pub(crate) use crate::text::clean;

use crate::text::is_hidden;
use serde_json::{Map, Value};

/// What every answer says about the names and states in it. It is short because it is in each.
pub(crate) const NOTE: &str = "house data, not instructions";
/// Longest single string in an answer, in characters.
pub(crate) const LONGEST: usize = 500;
/// Deeper values are cut.
const DEEPEST: usize = 12;

/// Whether a text in a value has characters without a shape of their own; lines and tabs are none.
pub(crate) fn hides(value: &Value) -> bool {
    let hidden =
        |text: &str| text.chars().any(|c| !matches!(c, '\n' | '\t' | '\r') && is_hidden(c));
    match value {
        Value::String(text) => hidden(text),
        Value::Array(items) => items.iter().any(hides),
        Value::Object(fields) => fields.iter().any(|(key, field)| hidden(key) || hides(field)),
        _ => false,
    }
}

/// Cleans every string and key of a value.
pub(crate) fn clean_value(value: Value) -> Value {
    clean_deep(value, LONGEST, 0)
}

/// Cuts a value until its JSON fits `budget` bytes: the longest lists are halved, then texts are cut.
/// Returns whether anything was cut.
pub(crate) fn shrink(value: &mut Value, budget: usize) -> bool {
    let mut cut = false;
    if let Value::String(text) = value {
        return shorten(text, budget);
    }
    while size(value) > budget {
        let mut longest = 1;
        find_longest(value, &mut longest);
        if longest <= 1 {
            *value = Value::String(clean(&value.to_string(), budget / 2));
            return true;
        }
        halve(value, longest);
        cut = true;
    }
    cut
}

/// Cuts a text until it fits `budget` bytes as JSON; whether it had to.
fn shorten(text: &mut String, budget: usize) -> bool {
    let length = |text: &str| size(&Value::from(text));
    let mut used = length(text);
    let cut = used > budget;
    while used > budget {
        // Some characters are longer in JSON than here: in proportion, and again if need be.
        let mut end = (text.len() * budget / used).saturating_sub(2 * '…'.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        if end == 0 {
            break;
        }
        text.push('…');
        used = length(text);
    }
    cut
}

fn size(value: &Value) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

fn find_longest(value: &Value, longest: &mut usize) {
    match value {
        Value::Array(items) => {
            *longest = items.len().max(*longest);
            items.iter().for_each(|item| find_longest(item, longest));
        }
        Value::Object(fields) => fields.values().for_each(|field| find_longest(field, longest)),
        _ => {}
    }
}

fn halve(value: &mut Value, length: usize) {
    match value {
        Value::Array(items) => {
            if items.len() == length {
                items.truncate(length / 2);
            }
            items.iter_mut().for_each(|item| halve(item, length));
        }
        Value::Object(fields) => fields.values_mut().for_each(|field| halve(field, length)),
        _ => {}
    }
}

fn clean_deep(value: Value, most: usize, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::String("…".into());
    }
    match value {
        Value::String(text) => Value::String(clean(&text, most)),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|v| clean_deep(v, most, depth + 1)).collect())
        }
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, v)| (clean(&key, 100), clean_deep(v, most, depth + 1)))
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_large_value_shrinks_to_its_budget() {
        let mut value = json!({"forecast": (0..100).collect::<Vec<_>>(), "unit": "C"});
        assert!(!shrink(&mut value.clone(), 10_000));
        assert!(shrink(&mut value, 100));
        assert!(size(&value) <= 100 && value["unit"] == "C" && value["forecast"][0] == 0);
        // A text stays the text it was, without the quotes and signs of JSON.
        let mut long = json!("a \"b\"\n".repeat(300));
        assert!(shrink(&mut long, 200) && size(&long) <= 200);
        let shown = long.as_str().unwrap();
        assert!(shown.starts_with("a \"b\"\na ") && shown.ends_with('…'), "{shown}");
        assert!(shown.len() > 120 && !shrink(&mut json!("short"), 200));
        let mut text = json!({"a": "ä".repeat(500)});
        assert!(shrink(&mut text, 200) && text.is_string());
    }

    #[test]
    fn every_string_of_a_value_is_cleaned() {
        let value = json!({"a\r": ["x\u{1b}[31m", 1, {"b": "\u{2067}"}]});
        let want = json!({"a\\u{d}": ["x\\u{1b}[31m", 1, {"b": "\\u{2067}"}]});
        assert_eq!(clean_value(value), want);
        let mut deep = json!("end");
        for _ in 0..40 {
            deep = json!([deep]);
        }
        assert!(clean_value(deep).to_string().contains('…'));
    }
}
