//! Prints the commented default configuration from the types themselves.

use crate::config::{Env, JsonSchema, Range};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;

/// Returns the section `[name]` with every field commented out at its default, the field's doc
/// comment above it, the environment variables that set it and its range.
pub fn reference<T: JsonSchema + Serialize + Default>(
    name: &str,
    (rows, ranges): (&[Env], &[Range]),
) -> String {
    let schema = schemars::schema_for!(T);
    let defaults = serde_json::to_value(T::default()).unwrap_or(Value::Null);
    let mut out = String::new();
    section(&mut out, name, (schema.as_value(), schema.as_value()), &defaults, (rows, ranges));
    out
}

/// Writes one section, and behind it those within it. `schema` is all of it and this part of it.
fn section(
    out: &mut String,
    name: &str,
    (whole, schema): (&Value, &Value),
    defaults: &Value,
    (rows, ranges): (&[Env], &[Range]),
) {
    if let Some(about) = schema.get("description").and_then(Value::as_str) {
        comment(out, about);
    }
    let _ = writeln!(out, "[{name}]");
    let fields = schema.get("properties").and_then(Value::as_object);
    let mut within = Vec::new();
    for (field, about) in fields.into_iter().flatten() {
        if defaults.get(field).is_some_and(Value::is_object)
            && let Some(inner) = about.get("$ref").and_then(Value::as_str)
            && let Some(inner) = whole.pointer(inner.trim_start_matches('#'))
        {
            within.push((field, inner));
            continue;
        }
        out.push('\n');
        if let Some(text) = about.get("description").and_then(Value::as_str) {
            comment(out, text);
        }
        let path = format!("{name}.{field}");
        let names: Vec<&str> = rows.iter().filter(|r| r.path == path).map(|r| r.name).collect();
        if !names.is_empty() {
            let _ = writeln!(out, "# Environment: {}", names.join(", "));
        }
        if let Some(range) = ranges.iter().find(|range| range.path == path) {
            let _ = writeln!(out, "# From {} to {}.", range.low, range.high);
        }
        let value = defaults.get(field).unwrap_or(&Value::Null);
        match toml_value(value) {
            Some(text) => {
                let _ = writeln!(out, "#{field} = {text}");
            }
            None => {
                let _ = writeln!(out, "#{field} =");
            }
        }
    }
    for (field, inner) in within {
        out.push('\n');
        let inner = (whole, inner);
        section(out, &format!("{name}.{field}"), inner, &defaults[field], (rows, ranges));
    }
}

fn comment(out: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "{}", format!("# {line}").trim_end());
    }
}

/// One value as TOML writes it; `None` for "not set".
fn toml_value(value: &Value) -> Option<String> {
    let value: toml::Value = serde_json::from_value(value.clone()).ok()?;
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Form;

    /// A small house.
    #[derive(Serialize, JsonSchema)]
    struct House {
        /// Where it is.
        /// Two lines.
        url: String,
        /// How many rooms.
        rooms: Option<u8>,
    }

    impl Default for House {
        fn default() -> Self {
            House { url: "http://x".into(), rooms: None }
        }
    }

    #[test]
    fn the_reference_comes_from_the_doc_comments() {
        let rows = [Env::new("HOUSE_URL", "house.url", Form::Text)];
        let text = reference::<House>("house", (&rows, &[Range::new("house.rooms", 1, 9)]));
        let want = "# A small house.\n[house]\n\n# Where it is.\n# Two lines.\n\
                    # Environment: HOUSE_URL\n#url = \"http://x\"\n\n# How many rooms.\n# From 1 to 9.\n#rooms =\n";
        assert_eq!(text, want);
    }
}
