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
    Arc::new(map)
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
