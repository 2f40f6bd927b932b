//! The form of each WebSocket command, and Home Assistant's words for what is wrong. Pure.

use crate::demo::action::Refusal;
use serde_json::{Map, Value};

/// What a key of a message must hold.
#[derive(Clone, Copy, PartialEq)]
enum Hold {
    Text,
    Map,
    /// A map, or nothing.
    MapOrNull,
    Int,
    Flag,
    Texts,
    Number,
}

/// A key, what it holds, whether it must be there.
type Key = (&'static str, Hold, bool);

const PLAIN: &[Key] = &[];

/// Every command with its keys.
const COMMANDS: &[(&str, &[Key])] = &[
    ("ping", PLAIN),
    ("supported_features", &[("features", Hold::Map, true)]),
    ("get_config", PLAIN),
    ("get_states", PLAIN),
    ("get_services", PLAIN),
    ("auth/current_user", PLAIN),
    ("subscribe_entities", &[("entity_ids", Hold::Texts, false)]),
    ("subscribe_events", &[("event_type", Hold::Text, false)]),
    ("unsubscribe_events", &[("subscription", Hold::Int, true)]),
    ("fire_event", &[("event_type", Hold::Text, true), ("event_data", Hold::Map, false)]),
    (
        "call_service",
        &[
            ("domain", Hold::Text, true),
            ("service", Hold::Text, true),
            ("service_data", Hold::MapOrNull, false),
            ("target", Hold::Map, false),
            ("return_response", Hold::Flag, false),
        ],
    ),
    (
        "render_template",
        &[
            ("template", Hold::Text, true),
            ("entity_ids", Hold::Texts, false),
            ("variables", Hold::Map, false),
            ("timeout", Hold::Number, false),
            ("strict", Hold::Flag, false),
            ("report_errors", Hold::Flag, false),
        ],
    ),
    ("config/area_registry/list", PLAIN),
    ("config/floor_registry/list", PLAIN),
    ("config/label_registry/list", PLAIN),
    ("config/device_registry/list", PLAIN),
    ("config/entity_registry/list", PLAIN),
    ("config/entity_registry/list_for_display", PLAIN),
    ("homeassistant/expose_entity/list", PLAIN),
];

/// The answer to a command that nobody knows.
pub(crate) fn unknown() -> Refusal {
    Refusal { code: "unknown_command", message: "Unknown command.".into(), translation: None }
}

/// Checks a message's keys.
pub(crate) fn check(kind: &str, message: &Map<String, Value>) -> Result<(), Refusal> {
    let (_, keys) = COMMANDS.iter().find(|(name, _)| *name == kind).ok_or_else(unknown)?;
    for (name, value) in message.iter().filter(|(name, _)| *name != "id" && *name != "type") {
        let Some((_, hold, _)) = keys.iter().find(|(key, _, _)| key == name) else {
            return Err(Refusal::format(format!("not a valid option at '{name}'. Got {value}")));
        };
        if let Some(what) = fault(*hold, value) {
            return Err(Refusal::format(format!("expected {what} at '{name}'. Got {value}")));
        }
    }
    match keys.iter().find(|(key, _, must)| *must && !message.contains_key(*key)) {
        Some((key, _, _)) => {
            Err(Refusal::format(format!("required key not provided at '{key}'. Got None")))
        }
        None => Ok(()),
    }
}

/// What was expected, when the value is not it.
fn fault(hold: Hold, value: &Value) -> Option<&'static str> {
    let (is_right, what) = match hold {
        Hold::Text => (value.is_string(), "str"),
        Hold::Map => (value.is_object(), "a dictionary"),
        Hold::MapOrNull => (value.is_object() || value.is_null(), "a dictionary"),
        Hold::Int => (value.is_i64(), "int"),
        Hold::Flag => (value.is_boolean(), "bool"),
        Hold::Number => (value.is_number(), "float"),
        Hold::Texts => {
            let is_list = value.as_array().is_some_and(|l| l.iter().all(Value::is_string));
            (is_list || value.is_string(), "a list of strings")
        }
    };
    (!is_right).then_some(what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn malformed_commands_get_home_assistants_words() {
        // Rows recorded from Home Assistant 2026.11.
        let rows = [
            ("nope/nope", json!({}), "Unknown command."),
            ("subscribe_entities", json!({ "x": 1 }), "not a valid option at 'x'. Got 1"),
            ("subscribe_events", json!({ "event_type": 5 }), "expected str at 'event_type'. Got 5"),
            (
                "call_service",
                json!({ "domain": "light" }),
                "required key not provided at 'service'. Got None",
            ),
        ];
        for (kind, message, words) in rows {
            assert_eq!(check(kind, message.as_object().unwrap()).unwrap_err().message, words);
        }
        assert!(check("ping", &Map::new()).is_ok());
    }
}
