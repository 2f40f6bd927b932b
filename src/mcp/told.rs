//! The arguments of a call as a person reads them, in the audit log and in approvals: without codes.

use crate::policy::{may_be_a_code, names_a_code};
use serde_json::{Map, Value};

/// The arguments in at most `most` bytes. What goes on to a device (`data`), to a server or into its
/// environment (`arguments`, `env`) is named and not told, and so is whatever looks like a code: one that
/// is misspelt is a code all the same.
pub(crate) fn told(args: &Map<String, Value>, most: usize) -> String {
    let told = args.iter().map(|(name, value)| {
        let told = match value {
            Value::Object(fields) if matches!(name.as_str(), "data" | "env" | "arguments") => {
                let named = fields.keys().map(|field| (field.clone(), Value::from("…")));
                Value::Object(named.collect())
            }
            value if looks_secret(name, value) => "…".into(),
            value => value.clone(),
        };
        (name.clone(), told)
    });
    let mut text = Value::Object(told.collect()).to_string();
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Whether it may be the code of a lock or an alarm, by its name or by being nothing but digits, or an
/// address that holds a password.
fn looks_secret(name: &str, value: &Value) -> bool {
    let named = names_a_code(name) || name.contains("secret") || name.contains("connection_string");
    match value {
        Value::String(text) => named || may_be_a_code(text) || holds_a_user(text),
        Value::Number(number) => named || may_be_a_code(&number.to_string()),
        Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_) => named,
    }
}

/// Whether it is a URL with a user, as in `mqtt://ann:secret@broker`.
fn holds_a_user(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_code_reaches_the_audit_log_however_it_is_written() {
        for args in [
            json!({"service": "alarm.disarm", "data": {"code": "987654"}}),
            json!({"service": "alarm.disarm", "data": {"cod": 987654}}),
            json!({"service": "alarm.disarm", "code": "987654"}),
            json!({"service": "alarm.disarm", "cod": 987654}),
            json!({"service": "lock.unlock", "my_pin": "x987654"}),
            json!({"service": "x", "connection_string": "ann:x987654@broker"}),
            json!({"service": "x", "conection": "mqtt://ann:x987654@broker:1883"}),
        ] {
            let told = told(args.as_object().unwrap(), 160);
            assert!(!told.contains("987654"), "{told}");
            assert!(told.contains("\"service\":\""), "{told}");
        }
        let plain = json!({"entity_ids": ["light.a"], "seconds": 12});
        assert_eq!(told(plain.as_object().unwrap(), 160), plain.to_string());
    }
}
