//! Between Lua's values and JSON, in both directions, bounded.

use mlua::{Lua, Table, Value};
use serde_json::{Map, Value as Json};

/// Deeper values are refused: a table can hold itself.
const DEEPEST: usize = 24;
/// A value has at most so many parts.
const PARTS: usize = 20_000;

/// Returns a JSON value as Lua's. JSON's null is Lua's nil.
///
/// # Errors
/// When the memory of the script does not suffice.
pub(super) fn to_lua(lua: &Lua, value: &Json) -> mlua::Result<Value> {
    Ok(match value {
        Json::Null => Value::Nil,
        Json::Bool(is) => Value::Boolean(*is),
        Json::Number(n) => match n.as_i64() {
            Some(n) => Value::Integer(n),
            None => Value::Number(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let table = lua.create_table()?;
            for (at, item) in items.iter().enumerate() {
                table.raw_set(at + 1, to_lua(lua, item)?)?;
            }
            Value::Table(table)
        }
        Json::Object(fields) => {
            let table = lua.create_table()?;
            for (key, field) in fields {
                table.raw_set(key.as_str(), to_lua(lua, field)?)?;
            }
            Value::Table(table)
        }
    })
}

/// Returns a value of Lua as JSON: a table with entries 1, 2, … as a list, others as an object.
///
/// # Errors
/// What is wrong with it: a function, a table that holds itself, too much of it.
pub(super) fn to_json(value: &Value) -> Result<Json, String> {
    read(value, 0, &mut 0)
}

/// Returns a table as a JSON object.
///
/// # Errors
/// As [`to_json`], and for a list.
pub(super) fn to_object(table: &Table) -> Result<Map<String, Json>, String> {
    match to_json(&Value::Table(table.clone()))? {
        Json::Object(fields) => Ok(fields),
        _ => Err("a table with names is needed here, not a list".into()),
    }
}

fn read(value: &Value, depth: usize, parts: &mut usize) -> Result<Json, String> {
    *parts += 1;
    if depth > DEEPEST || *parts > PARTS {
        return Err(format!(
            "the value is deeper than {DEEPEST} tables, has more than {PARTS} parts or holds itself"
        ));
    }
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Boolean(is) => Json::Bool(*is),
        Value::Integer(n) => Json::from(*n),
        Value::Number(n) => serde_json::Number::from_f64(*n)
            .map(Json::Number)
            .ok_or_else(|| format!("{n} is no number that can leave a script"))?,
        Value::String(text) => Json::String(text.to_string_lossy()),
        Value::Table(table) => return read_table(table, depth, parts),
        other => return Err(format!("a {} cannot leave a script", other.type_name())),
    })
}

fn read_table(table: &Table, depth: usize, parts: &mut usize) -> Result<Json, String> {
    let length = table.raw_len();
    if length > PARTS {
        return Err(format!("the list has more than {PARTS} items"));
    }
    let mut fields = Map::new();
    let mut items = vec![Json::Null; length];
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|e| e.to_string())?;
        let inner = read(&value, depth + 1, parts)?;
        let place = key.as_integer().and_then(|n| usize::try_from(n).ok()?.checked_sub(1));
        match (place.and_then(|place| items.get_mut(place)), &key) {
            (Some(item), _) => *item = inner,
            (None, Value::String(name)) => drop(fields.insert(name.to_string_lossy(), inner)),
            (None, Value::Integer(n)) => drop(fields.insert(n.to_string(), inner)),
            _ => return Err(format!("a {} as key cannot leave a script", key.type_name())),
        }
    }
    match (length, fields.is_empty()) {
        (0, _) => Ok(Json::Object(fields)),
        (_, true) => Ok(Json::Array(items)),
        _ => Err("a table is a list or has names, not both".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_go_in_and_out_unchanged_and_what_has_no_end_is_refused() {
        let lua = Lua::new();
        for value in [
            json!({"a": [1, 2.5, "x", true], "b": {"c": "ä"}}),
            json!([[1], [2, 3]]),
            json!("text"),
            json!(-7),
        ] {
            let inner = to_lua(&lua, &value).unwrap();
            assert_eq!(to_json(&inner), Ok(value));
        }
        let check = |code: &str, want: &str| {
            let value: Value = lua.load(code).eval().unwrap();
            let e = to_json(&value).unwrap_err();
            assert!(e.contains(want), "{code}: {e}");
        };
        check("local t = {} t.t = t return t", "holds itself");
        check("return {1, a = 2}", "not both");
        check("return {f = print}", "a function");
        check("return 0/0", "no number");
    }
}
