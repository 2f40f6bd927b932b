//! What differs between two versions, place by place, and the hash that tells versions apart. Pure.

use crate::error::Error;
use crate::home::text::{clean, clean_value, shrink};
use serde_json::{Map, Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

/// At most so many places are shown.
const MOST: usize = 40;
/// A value in a difference is cut to so many bytes.
const LONGEST: usize = 300;

/// Returns the hash of a version: 16 hex digits that do not depend on the order of fields.
pub(crate) fn hash(fields: &Map<String, Value>) -> String {
    let mut hasher = DefaultHasher::new();
    add_object(fields, &mut hasher);
    format!("{:016x}", hasher.finish())
}

fn add(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(fields) => add_object(fields, hasher),
        Value::Array(items) => {
            (b'[', items.len()).hash(hasher);
            items.iter().for_each(|item| add(item, hasher));
        }
        Value::Number(number) => {
            // 5 and 5.0 are the same setting.
            (b'#', number.as_f64().unwrap_or_default().to_bits()).hash(hasher);
        }
        other => other.to_string().hash(hasher),
    }
}

fn add_object(fields: &Map<String, Value>, hasher: &mut DefaultHasher) {
    let mut keys: Vec<&String> = fields.keys().collect();
    keys.sort_unstable();
    (b'{', keys.len()).hash(hasher);
    for key in keys {
        key.hash(hasher);
        add(&fields[key], hasher);
    }
}

/// Returns the differences: `at` is a JSON pointer, `from` and `to` are left out where there is none.
/// The last row says how many more there are.
pub(crate) fn diff(from: &Value, to: &Value) -> Vec<Value> {
    let mut rows = Vec::new();
    compare("", Some(from), Some(to), &mut rows);
    let more = rows.len().saturating_sub(MOST);
    rows.truncate(MOST);
    if more > 0 {
        rows.push(json!({ "more": more }));
    }
    rows
}

fn compare(at: &str, from: Option<&Value>, to: Option<&Value>, rows: &mut Vec<Value>) {
    match (from, to) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let new = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(new) {
                let step = key.replace('~', "~0").replace('/', "~1");
                compare(&format!("{at}/{step}"), a.get(key), b.get(key), rows);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            // What stands alike at the beginning and the end is not what changed.
            let head = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            let room = a.len().min(b.len()) - head;
            let tail = a.iter().rev().zip(b.iter().rev()).take(room).take_while(|(a, b)| a == b);
            let tail = tail.count();
            for place in head..(a.len().max(b.len()) - tail) {
                let a = a.get(place).filter(|_| place < a.len() - tail);
                let b = b.get(place).filter(|_| place < b.len() - tail);
                compare(&format!("{at}/{place}"), a, b, rows);
            }
        }
        _ => {
            let mut row = Map::new();
            row.insert("at".into(), clean(at, 200).into());
            for (name, value) in [("from", from), ("to", to)] {
                if let Some(value) = value {
                    let mut value = value.clone();
                    shrink(&mut value, LONGEST);
                    row.insert(name.into(), clean_value(value));
                }
            }
            rows.push(row.into());
        }
    }
}

/// Puts `value` at a JSON pointer; null takes what is there out. A list takes one more at its end.
///
/// # Errors
/// Invalid when the path leads nowhere.
pub(crate) fn put(whole: &mut Value, path: &str, value: Value) -> Result<(), Error> {
    let nowhere = || {
        let path = clean(path, 120);
        Error::invalid(format!(
            "path '{path}' leads nowhere; it is a JSON pointer into the config, like /actions/0"
        ))
    };
    let (above, last) = path.rsplit_once('/').ok_or_else(nowhere)?;
    let last = last.replace("~1", "/").replace("~0", "~");
    match whole.pointer_mut(above).ok_or_else(nowhere)? {
        Value::Object(fields) if value.is_null() => {
            fields.shift_remove(&last).map(drop).ok_or_else(nowhere)
        }
        Value::Object(fields) => {
            fields.insert(last, value);
            Ok(())
        }
        Value::Array(items) => {
            let place = match last.as_str() {
                "-" => items.len(),
                digits => {
                    digits.parse().ok().filter(|at| *at <= items.len()).ok_or_else(nowhere)?
                }
            };
            match (place < items.len(), value.is_null()) {
                (true, true) => drop(items.remove(place)),
                (true, false) => items[place] = value,
                (false, true) => return Err(nowhere()),
                (false, false) => items.push(value),
            }
            Ok(())
        }
        _ => Err(nowhere()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_hash_ignores_the_order_of_fields_and_nothing_else() {
        let a = hash(&object(json!({"a": 1, "b": [1, 2], "c": null})));
        assert_eq!(a, hash(&object(json!({"c": null, "b": [1.0, 2], "a": 1}))));
        for other in [
            json!({"a": 1, "b": [2, 1], "c": null}),
            json!({"a": 1, "b": [1, 2]}),
            json!({"a": "1", "b": [1, 2], "c": null}),
        ] {
            assert_ne!(a, hash(&object(other.clone())), "{other}");
        }
    }

    #[test]
    fn differences_name_their_places() {
        let from = json!({"alias": "a", "list": [1, 2, 3, 4], "gone": true});
        let to = json!({"alias": "b", "list": [1, 9, 3, 4], "new": {"x": 1}});
        assert_eq!(
            Value::from(diff(&from, &to)),
            json!([
                {"at": "/alias", "from": "a", "to": "b"},
                {"at": "/list/1", "from": 2, "to": 9},
                {"at": "/gone", "from": true},
                {"at": "/new", "to": {"x": 1}},
            ])
        );
        let shorter = diff(&json!([1, 2, 3]), &json!([1, 3]));
        assert_eq!(Value::from(shorter), json!([{"at": "/1", "from": 2}]));
        let longer = diff(&json!([1, 1]), &json!([1, 1, 1]));
        assert_eq!(Value::from(longer), json!([{"at": "/2", "to": 1}]));
        let many =
            diff(&json!({}), &Value::Object((0..50).map(|n| (n.to_string(), json!(n))).collect()));
        assert_eq!(many.len(), MOST + 1);
        assert_eq!(many[MOST], json!({"more": 10}));
    }

    #[test]
    fn a_part_is_put_by_its_path() {
        let check = |path: &str, value: Value, want: Option<Value>| {
            let mut whole = json!({"a": [1, {"b/c": 2}]});
            let done = put(&mut whole, path, value).ok().map(|()| whole);
            assert_eq!(done, want, "{path}");
        };
        check("/a/0", json!(5), Some(json!({"a": [5, {"b/c": 2}]})));
        check("/a/0", json!(null), Some(json!({"a": [{"b/c": 2}]})));
        check("/a/-", json!(3), Some(json!({"a": [1, {"b/c": 2}, 3]})));
        check("/a/1/b~1c", json!(null), Some(json!({"a": [1, {}]})));
        check("/x", json!({}), Some(json!({"a": [1, {"b/c": 2}], "x": {}})));
        for nowhere in ["", "a", "/b/c", "/a/3", "/a/x", "/a/0/x"] {
            check(nowhere, json!(1), None);
        }
        check("/b", json!(null), None);
    }
}
