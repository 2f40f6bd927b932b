//! Messages as a page, a script or a model is shown them: data of strangers, capped and made plain.
//!
//! Pure. Nothing of a topic or payload leaves through the routes or resources without passing here.

use crate::mqtt::inbox::Kept;
use crate::mqtt::message::Properties;
use crate::text::{clean, is_hidden, percent};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

/// A topic is shown with so many characters; the longest that MQTT allows is 65,535 bytes.
pub(crate) const TOPIC: usize = 512;
/// Names and values among the properties are shown with so many characters each.
const PROPERTY: usize = 200;
/// So many properties of the sender's own are shown.
const PROPERTIES: usize = 32;

/// Seconds since 1970 of microseconds since 1970.
pub(crate) fn seconds(at: i64) -> f64 {
    // Beyond 2^53 microseconds (the year 2255) the last digits would be lost.
    #[allow(clippy::cast_precision_loss, reason = "see above")]
    let at = at as f64;
    at / 1e6
}

/// Returns a message: `number`, `at` in seconds since 1970, `topic`, `size` in bytes, `qos`,
/// `retained`, `dup`, and [`payload`] with at most `most` bytes of it.
pub(crate) fn message(kept: &Kept, most: usize) -> Value {
    let mut row = json!({
        "number": kept.number,
        "at": seconds(kept.at),
        "topic": clean(&kept.topic, TOPIC),
        "size": kept.size,
        "qos": kept.qos.number(),
        "retained": kept.retained,
    });
    if let Some(id) = id(&kept.topic) {
        row["id"] = id.into();
    }
    if kept.dup {
        row["dup"] = true.into();
    }
    row["payload"] = payload(kept.payload.as_deref(), kept.size, most);
    if let Some(properties) = &kept.properties {
        row["properties"] = self::properties(properties);
    }
    row
}

/// Returns the topic percent-encoded when [`clean`] does not show it as it is: whoever asks for it
/// puts this into the address.
pub(crate) fn id(topic: &str) -> Option<String> {
    let is_plain = topic.chars().count() <= TOPIC
        && !topic.chars().any(|c| matches!(c, '\n' | '\t') || is_hidden(c));
    (!is_plain).then(|| percent(topic))
}

/// Returns a payload by its `kind`: `json` and `text` with `text`, `binary` with `base64` and, where
/// its first bytes tell, `type`; `empty`; `too_large` when it was skipped while it was read. `cut`
/// says that only the first `most` bytes are shown.
///
/// The text of `json` is JSON as long as it is not cut: hidden characters in it are JSON's escapes.
pub(crate) fn payload(bytes: Option<&[u8]>, size: u64, most: usize) -> Value {
    let Some(bytes) = bytes else { return json!({ "kind": "too_large", "size": size }) };
    if bytes.is_empty() {
        return json!({ "kind": "empty" });
    }
    let is_cut = bytes.len() > most;
    let mut shown = match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => {
            let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
            let part = &text[..end.unwrap_or(0)];
            match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => json!({ "kind": "json", "text": plain_json(part) }),
                Err(_) => json!({ "kind": "text", "text": clean(part, usize::MAX / 2) }),
            }
        }
        _ => {
            let mut shown = json!({ "kind": "binary", "base64": STANDARD.encode(&bytes[..bytes.len().min(most)]) });
            if let Some(detected) = detected(bytes) {
                shown["type"] = detected.into();
            }
            shown
        }
    };
    if is_cut {
        shown["cut"] = true.into();
    }
    shown
}

/// Returns JSON text with hidden characters as JSON's own escapes; between its tokens they cannot
/// stand, but for line ends and tabs, which stay.
fn plain_json(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\n' | '\t' | '\r') || !is_hidden(c) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// What the first bytes of a payload say it is (the formats' own specifications).
fn detected(bytes: &[u8]) -> Option<&'static str> {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "gzip"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff", "jpeg"),
        (b"GIF8", "gif"),
        (b"PK\x03\x04", "zip"),
        (b"%PDF", "pdf"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
    ];
    KNOWN.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, name)| *name)
}

fn properties(of: &Properties) -> Value {
    let mut row = json!({});
    if let Some(is_text) = of.is_text {
        row["is_text"] = is_text.into();
    }
    if let Some(expiry) = of.expiry {
        row["expiry_seconds"] = expiry.into();
    }
    if let Some(topic) = &of.response_topic {
        row["response_topic"] = clean(topic, TOPIC).into();
    }
    if let Some(bytes) = &of.correlation {
        row["correlation"] = STANDARD.encode(&bytes[..bytes.len().min(PROPERTY)]).into();
    }
    if let Some(kind) = &of.content_type {
        row["content_type"] = clean(kind, PROPERTY).into();
    }
    if !of.user.is_empty() {
        let own = of.user.iter().take(PROPERTIES);
        let own = own.map(|(name, value)| json!([clean(name, PROPERTY), clean(value, PROPERTY)]));
        row["user"] = own.collect();
        if of.user.len() > PROPERTIES {
            row["more_user"] = (of.user.len() - PROPERTIES).into();
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::unpercent;

    #[test]
    fn json_stays_json_when_its_hidden_characters_are_made_visible() {
        let text = "{\"a\":\"x\u{202e}y\u{e0041}\",\n\t\"b\":1}";
        let shown = payload(Some(text.as_bytes()), 0, 1000);
        assert_eq!(shown["kind"], "json");
        let shown = shown["text"].as_str().unwrap();
        assert!(!shown.chars().any(|c| c != '\n' && c != '\t' && is_hidden(c)), "{shown}");
        let (before, after): (Value, Value) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(shown).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn every_payload_has_its_kind_and_says_when_it_is_cut() {
        for (bytes, most, want) in [
            (&b"on\x07"[..], 100, json!({"kind": "text", "text": "on\\u{7}"})),
            (b"", 100, json!({"kind": "empty"})),
            (b"21.5", 100, json!({"kind": "json", "text": "21.5"})),
            ("häuser".as_bytes(), 2, json!({"kind": "text", "text": "h", "cut": true})),
            (b"\x1f\x8b\x00", 100, json!({"kind": "binary", "base64": "H4sA", "type": "gzip"})),
            (b"a\0b", 100, json!({"kind": "binary", "base64": "YQBi"})),
            (b"\xff\xfe\xfd", 1, json!({"kind": "binary", "base64": "/w==", "cut": true})),
        ] {
            assert_eq!(payload(Some(bytes), 0, most), want);
        }
        assert_eq!(payload(None, 7, 1), json!({"kind": "too_large", "size": 7}));
    }

    #[test]
    fn a_topic_that_is_shown_otherwise_can_be_asked_for() {
        assert_eq!(id("home/küche"), None);
        for odd in ["a\u{202e}b/c", "a\tb", &"x".repeat(TOPIC + 1)] {
            assert_eq!(unpercent(&id(odd).unwrap()).unwrap(), odd);
        }
    }
}
