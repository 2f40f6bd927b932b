//! What the data of a service may hold, as far as `get_services` describes it: fields with a name,
//! whether each is required, and its selector (developers.home-assistant.io, "Integration service
//! actions"; home-assistant.io, "Selectors"). Pure.

use serde_json::{Map, Value};

/// One field of a service.
#[derive(Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: Box<str>,
    /// The service can do nothing without it.
    pub(crate) is_required: bool,
    pub(crate) form: Form,
}

/// What a field may hold.
#[derive(Debug, PartialEq)]
pub(crate) enum Form {
    /// Whatever Home Assistant takes: it is not described, or not in a way that holds for every call.
    Open,
    /// A number, and its ends where it has any.
    Number { least: Option<f64>, most: Option<f64> },
    /// One of these words, or several.
    Choice(Box<[Box<str>]>),
}

/// Units of spans of time. For these the description says how far a slider goes, while Home Assistant
/// takes any span: a lamp may well fade for an hour.
const SPANS: &[&str] = &["ms", "milliseconds", "s", "seconds", "minutes", "h", "hours", "days"];

/// Reads the fields of a service, those of sections among them.
pub(super) fn read(fields: Option<&Value>) -> Box<[Field]> {
    let mut found = Vec::new();
    if let Some(Value::Object(fields)) = fields {
        add(fields, &mut found);
    }
    found.into()
}

fn add(fields: &Map<String, Value>, found: &mut Vec<Field>) {
    for (name, said) in fields {
        match said.get("fields") {
            // A section of the page; sections hold no sections.
            Some(Value::Object(inner)) => inner.iter().for_each(|(name, said)| {
                found.push(field(name, said));
            }),
            _ => found.push(field(name, said)),
        }
    }
}

fn field(name: &str, said: &Value) -> Field {
    let selector = said.get("selector").and_then(Value::as_object);
    let (kind, rules) =
        selector.and_then(|s| s.iter().next()).map_or(("", &Value::Null), |(k, v)| (k.as_str(), v));
    let form = match kind {
        "number" => number(rules),
        "select" => choice(rules),
        _ => Form::Open,
    };
    // Some entities have no use for a field with a filter. A piece of media and an entry may be named
    // in other fields instead.
    let elsewhere = said.get("filter").is_some() || ["media", "config_entry"].contains(&kind);
    let is_required =
        said.get("required") == Some(&Value::Bool(true)) && said.get("default").is_none();
    Field { name: name.into(), is_required: is_required && !elsewhere, form }
}

fn number(rules: &Value) -> Form {
    let end = |name: &str| rules.get(name).and_then(Value::as_f64);
    let (mut least, mut most) = (end("min"), end("max"));
    if let (Some(low), Some(high)) = (least, most)
        && low < 0.0
    {
        // Steps up and down: `light.turn_on` describes -225 to 255 and takes -255.
        least = Some(low.min(-high));
    }
    let unit = rules.get("unit_of_measurement").and_then(Value::as_str).unwrap_or_default();
    if SPANS.contains(&unit) {
        most = None;
    }
    Form::Number { least, most }
}

fn choice(rules: &Value) -> Form {
    let options = rules.get("options").and_then(Value::as_array);
    let is_free = rules.get("custom_value") == Some(&Value::Bool(true));
    let word = |option: &Value| -> Option<Box<str>> {
        option.as_str().or_else(|| option.get("value")?.as_str()).map(Into::into)
    };
    match options {
        Some(options) if !is_free && !options.is_empty() => {
            let words: Option<Box<[_]>> = options.iter().map(word).collect();
            words.map_or(Form::Open, Form::Choice)
        }
        _ => Form::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_is_read_as_far_as_its_description_holds_for_every_call() {
        let check = |said: Value, is_required: bool, form: Form| {
            let fields = read(Some(&json!({ "x": said.clone() })));
            assert_eq!(*fields, [Field { name: "x".into(), is_required, form }], "{said}");
        };
        let range = |least, most| Form::Number { least, most };
        let number = |rules: Value| json!({ "selector": { "number": rules } });
        check(number(json!({"min": 0, "max": 255})), false, range(Some(0.0), Some(255.0)));
        check(number(json!({"min": 0.5})), false, range(Some(0.5), None));
        check(number(json!({"min": -225, "max": 255})), false, range(Some(-255.0), Some(255.0)));
        let span = json!({"min": 0, "max": 300, "unit_of_measurement": "seconds"});
        check(number(span), false, range(Some(0.0), None));
        let select = |rules: Value| json!({ "required": true, "selector": { "select": rules } });
        let words = || Form::Choice(["off".into(), "one".into()].into());
        check(select(json!({"options": ["off", "one"]})), true, words());
        let labelled = json!([{"value": "off", "label": "Off"}, {"value": "one", "label": "1"}]);
        check(select(json!({ "options": labelled })), true, words());
        check(select(json!({"options": ["off"], "custom_value": true})), true, Form::Open);
        check(json!({"required": true, "selector": {"text": {}}}), true, Form::Open);
        check(json!({"required": true, "default": 3}), false, Form::Open);
        check(json!({"required": true, "filter": {"supported_features": [1]}}), false, Form::Open);
        check(json!({"required": true, "selector": {"media": {}}}), false, Form::Open);
        check(json!({"required": true, "selector": null}), true, Form::Open);
        check(json!(null), false, Form::Open);
    }

    #[test]
    fn fields_of_a_section_are_fields_of_the_service() {
        let fields = json!({"a": {}, "more": {"collapsed": true, "fields": {"b": {}, "c": {}}}});
        let names: Vec<String> = read(Some(&fields)).iter().map(|f| f.name.to_string()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert!(read(None).is_empty() && read(Some(&json!([]))).is_empty());
    }
}
