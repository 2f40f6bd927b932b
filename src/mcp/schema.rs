//! JSON schemas of tools: what the types say, without what costs a model tokens and says nothing.

use crate::config::JsonSchema;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A JSON schema of an object.
pub(crate) type Schema = Arc<Map<String, Value>>;

/// The schema of `T`, everything inline, without title, description and dialect at the top.
pub(crate) fn of<T: JsonSchema>() -> Schema {
    let generator = schemars::generate::SchemaSettings::draft2020_12()
        .with(|s| {
            s.inline_subschemas = true;
            s.meta_schema = None;
        })
        .into_generator();
    let Value::Object(mut map) = generator.into_root_schema_for::<T>().to_value() else {
        return Schema::default();
    };
    map.remove("title");
    map.remove("description");
    let mut schema = Value::Object(map);
    quieten(&mut schema);
    match schema {
        Value::Object(map) => Arc::new(map),
        _ => Schema::default(),
    }
}

/// Takes out what says nothing to a model: defaults that are empty, and the width of numbers.
fn quieten(schema: &mut Value) {
    let is_empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match schema {
        Value::Object(fields) => {
            // Among properties, `default` and `format` are names that somebody gave.
            let is_schema = fields.contains_key("type") || fields.contains_key("anyOf");
            if is_schema && fields.get("default").is_some_and(is_empty) {
                fields.shift_remove("default");
            }
            let width = |format: &Value| format.as_str().is_some_and(|f| f.contains("int"));
            if is_schema && fields.get("format").is_some_and(width) {
                fields.shift_remove("format");
            }
            // "Anything" as `true` is a schema too, but some official clients take only objects.
            if let Some(Value::Object(properties)) = fields.get_mut("properties") {
                let any = |field: &&mut Value| **field == Value::Bool(true);
                properties.values_mut().filter(any).for_each(|field| *field = json!({}));
            }
            if fields.get("items") == Some(&Value::Bool(true)) {
                fields.insert("items".into(), json!({}));
            }
            fields.values_mut().for_each(quieten);
        }
        Value::Array(items) => items.iter_mut().for_each(quieten),
        _ => {}
    }
}

/// Adds the argument `confirm`.
pub(crate) fn with_confirm(schema: &Schema) -> Schema {
    let mut map = (**schema).clone();
    let properties = map.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        let about = "Only when an answer asked for it and the person agreed";
        properties.insert("confirm".into(), json!({ "type": "string", "description": about }));
    }
    Arc::new(map)
}

/// Lets the error answer (`{"error": …}`) pass too: some clients check failed answers as well.
pub(crate) fn open_to_errors(schema: Schema) -> Schema {
    let mut map = (*schema).clone();
    if let Some(required) = map.remove("required") {
        map.insert("anyOf".into(), json!([{ "required": required }, { "required": ["error"] }]));
    }
    if map.get("additionalProperties") == Some(&Value::Bool(false)) {
        let properties = map.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.insert("error".into(), json!({ "type": "object" }));
        }
    }
    Arc::new(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(default)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Args {
        /// What it is.
        name: String,
        count: u64,
        default: Option<bool>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Anything {
        any: Value,
        many: Vec<Value>,
    }

    impl Default for Args {
        fn default() -> Args {
            Args { name: String::new(), count: 7, default: None }
        }
    }

    #[test]
    fn a_schema_says_only_what_helps() {
        let want = json!({"type": "object", "properties": {
            "name": {"type": "string", "description": "What it is."},
            "count": {"type": "integer", "minimum": 0, "default": 7},
            "default": {"type": ["boolean", "null"]},
        }});
        assert_eq!(Value::Object((*of::<Args>()).clone()), want);
        assert_eq!(
            of::<Anything>()["properties"],
            json!({
                "any": {}, "many": {"type": "array", "items": {}},
            })
        );
    }
}
