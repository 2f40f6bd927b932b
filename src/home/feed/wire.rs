//! The outer shape of Home Assistant's WebSocket messages.

use crate::error::Error;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A message, with what is inside left as raw JSON text.
#[derive(Deserialize)]
pub(crate) struct Head<'a> {
    pub(crate) id: Option<u64>,
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    pub(crate) success: Option<bool>,
    #[serde(borrow)]
    pub(crate) result: Option<&'a RawValue>,
    pub(crate) error: Option<Fault>,
    #[serde(borrow)]
    pub(crate) event: Option<&'a RawValue>,
}

/// Home Assistant's own error.
#[derive(Deserialize)]
pub(crate) struct Fault {
    #[serde(default)]
    pub(crate) code: String,
    #[serde(default)]
    pub(crate) message: String,
}

/// Reads a frame: one message, or an array of them when several were on their way.
///
/// # Errors
/// Broken when it is neither.
pub(crate) fn heads(text: &str) -> Result<Vec<Head<'_>>, Error> {
    let read = match text.trim_start().starts_with('[') {
        true => serde_json::from_str(text),
        false => serde_json::from_str(text).map(|head| vec![head]),
    };
    read.map_err(|e| Error::broken("a message that Home Assistant would not send").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_holds_one_message_or_many() {
        let one = r#"{"id":3,"type":"event","event":{"a": 1}}"#;
        let heads_of = |text: &str| -> Vec<(Option<u64>, String)> {
            heads(text).unwrap().iter().map(|h| (h.id, h.kind.to_string())).collect()
        };
        assert_eq!(heads_of(one), [(Some(3), "event".into())]);
        assert_eq!(heads_of(&format!("[{one},{one}]")).len(), 2);
        for bad in ["", "[1]", "{}", "null", "{\"type\":\"x\"", "\u{0}"] {
            assert!(heads(bad).is_err(), "{bad:?}");
        }
    }
}
