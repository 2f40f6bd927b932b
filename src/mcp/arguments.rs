//! Reading the arguments of a call. What does not fit is named by its place.
//!
//! The place is found by reading parts of the arguments again, only after they were refused: a reader
//! that keeps track of it would stand in the program once more for each type of arguments.

use crate::error::Error;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads the arguments of `tool`.
///
/// # Errors
/// Invalid, with the place and what is wrong there.
pub(crate) fn read<A: DeserializeOwned>(tool: &str, args: &Value) -> Result<A, Error> {
    A::deserialize(args).map_err(|e| {
        let said = e.to_string();
        let mut fails = |part: Value| A::deserialize(&part).is_err_and(|e| e.to_string() == said);
        let mut place = String::new();
        find(args, &mut fails, &mut place);
        let place = if place.is_empty() { place } else { format!(" at '{place}'") };
        Error::invalid(format!("{tool}: bad arguments{place}: {said}"))
    })
}

/// Adds to `place` where in `value` reading stops. `fails` says whether it still does with another
/// value in its place. Reading goes from the front to the back, so a part that ends behind the place
/// fails in the same way, and one that ends before it does not.
fn find(value: &Value, fails: &mut dyn FnMut(Value) -> bool, place: &mut String) {
    match value {
        Value::Object(fields) => {
            let up_to = |end: usize| -> Map<String, Value> {
                fields.iter().take(end).map(|(key, value)| (key.clone(), value.clone())).collect()
            };
            let end = first(fields.len(), &mut |end| fails(Value::Object(up_to(end))));
            let Some((at, (key, inner))) = end.and_then(|at| Some((at, fields.iter().nth(at)?)))
            else {
                return;
            };
            *place += if place.is_empty() { "" } else { "." };
            *place += key;
            let before = up_to(at);
            let mut inside = |part: Value| {
                let mut fields = before.clone();
                fields.insert(key.clone(), part);
                fails(Value::Object(fields))
            };
            find(inner, &mut inside, place);
        }
        Value::Array(items) => {
            let end = first(items.len(), &mut |end| fails(Value::Array(items[..end].to_vec())));
            let Some((at, inner)) = end.and_then(|at| Some((at, items.get(at)?))) else { return };
            *place += &format!("[{at}]");
            let mut inside = |part: Value| {
                let mut items = items[..at].to_vec();
                items.push(part);
                fails(Value::Array(items))
            };
            find(inner, &mut inside, place);
        }
        _ => {}
    }
}

/// The place of the first of `all` parts with which it fails; `None` when it fails without any, or
/// not at all.
fn first(all: usize, fails_with: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
    if fails_with(0) || !fails_with(all) {
        return None;
    }
    let (mut good, mut bad) = (0, all);
    while bad - good > 1 {
        let middle = good.midpoint(bad);
        if fails_with(middle) {
            bad = middle;
        } else {
            good = middle;
        }
    }
    Some(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only what does not fit is looked at")]
    struct Args {
        name: String,
        #[serde(default)]
        rooms: Vec<Room>,
        #[serde(default)]
        more: Map<String, Value>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "as above")]
    struct Room {
        lamps: Vec<u8>,
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_place() {
        for (args, want) in [
            (json!({}), "t: bad arguments: missing field `name`"),
            (json!({ "more": {} }), "t: bad arguments: missing field `name`"),
            (json!([]), "t: bad arguments: invalid length 0"),
            (json!({ "name": 7 }), "t: bad arguments at 'name': invalid type: integer `7`"),
            (json!({ "name": {} }), "t: bad arguments at 'name': invalid type: map"),
            (json!({ "name": "a", "color": {} }), "t: bad arguments at 'color': unknown field"),
            (
                json!({ "name": "a", "rooms": [{}] }),
                "t: bad arguments at 'rooms[0]': missing field",
            ),
            (
                json!({ "name": "a", "rooms": [{ "lamps": [] }, { "x": 1, "lamps": [1, -2, -2] }] }),
                "t: bad arguments at 'rooms[1].lamps[1]': invalid value: integer `-2`",
            ),
            (json!({ "name": "a", "more": 1, "rooms": 1 }), "t: bad arguments at 'more': invalid"),
        ] {
            let e = read::<Args>("t", &args).unwrap_err().to_string();
            assert!(e.starts_with(want), "{args}: {e}");
        }
    }

    #[test]
    fn a_great_many_arguments_are_looked_through_quickly() {
        let mut more: Map<String, Value> = (0..50_000).map(|n| (n.to_string(), json!(n))).collect();
        more.insert("name".into(), json!(null));
        let began = std::time::Instant::now();
        let e = read::<std::collections::HashMap<String, u32>>("t", &Value::Object(more));
        assert!(e.unwrap_err().to_string().starts_with("t: bad arguments at 'name'"));
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
