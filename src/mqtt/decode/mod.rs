//! What a payload says: JSON, text, MessagePack or CBOR, packed with gzip or zlib or not, or bytes.
//!
//! Pure. Everything is bounded: what unpacks to more than [`UNPACKED`], nests too deeply or does not end
//! where the payload ends stays bytes. Binary formats have no mark of their own, so only a map with
//! texts as keys is taken for one, unless the sender names the format.

mod cbor;
mod msgpack;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::Value;
use std::io::Read;

/// Bytes that a packed payload may have at most.
pub(crate) const UNPACKED: usize = 4 << 20;
/// Deeper values are not read.
const DEEPEST: usize = 64;

/// What a payload says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decoded {
    /// `json`, `text`, `binary` or `empty`.
    pub(crate) kind: &'static str,
    /// What it was packed or written in, from the outside to the inside: `gzip`, `msgpack` and the like.
    pub(crate) ways: Vec<&'static str>,
    /// Binary as base64.
    pub(crate) value: Value,
    /// Of binary, when its first bytes tell: a MIME type.
    pub(crate) detected: Option<&'static str>,
}

/// Reads a payload. `content_type` is what the sender says of it (MQTT 5, section 3.3.2.3.9).
pub(crate) fn decode(payload: &[u8], content_type: Option<&str>) -> Decoded {
    let mut ways = Vec::new();
    if let Some((way, inside)) = unpack(payload) {
        ways.push(way);
        let inner = plain(&inside, content_type, ways);
        // What only looked packed is shown as it is.
        if inner.kind != "binary" || inner.detected.is_some() {
            return inner;
        }
        ways = inner.ways;
        ways.truncate(1);
        return binary(payload, ways);
    }
    plain(payload, content_type, ways)
}

fn plain(payload: &[u8], content_type: Option<&str>, mut ways: Vec<&'static str>) -> Decoded {
    let found = |kind, ways, value| Decoded { kind, ways, value, detected: None };
    if payload.is_empty() {
        return found("empty", ways, Value::Null);
    }
    if let Some(value) = crate::mqtt::inbox::read_json(payload) {
        return found("json", ways, value);
    }
    let said = |format: &str| content_type.is_some_and(|said| said.contains(format));
    let text = std::str::from_utf8(payload).ok().filter(|text| !has_controls(text));
    if let Some(text) = text.filter(|_| !said("msgpack") && !said("cbor")) {
        return found("text", ways, text.into());
    }
    for (way, read) in [
        ("msgpack", msgpack::read as fn(&[u8]) -> Option<Value>),
        ("cbor", cbor::read as fn(&[u8]) -> Option<Value>),
    ] {
        let is_named = said(way);
        let known = read(payload).filter(|value| is_named || is_telling(value));
        if let Some(value) = known {
            ways.push(way);
            return found("json", ways, value);
        }
    }
    binary(payload, ways)
}

/// Whether a value is hardly there by chance: a map whose keys are names.
fn is_telling(value: &Value) -> bool {
    let is_name = |key: &String| {
        key.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && !has_controls(key)
            && !matches!(&**key, "null" | "true" | "false")
    };
    value.as_object().is_some_and(|fields| !fields.is_empty() && fields.keys().all(is_name))
}

fn has_controls(text: &str) -> bool {
    text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn binary(payload: &[u8], ways: Vec<&'static str>) -> Decoded {
    Decoded {
        kind: "binary",
        ways,
        value: STANDARD.encode(payload).into(),
        detected: detected(payload),
    }
}

/// Unpacks gzip (RFC 1952) or zlib (RFC 1950).
fn unpack(payload: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let most = UNPACKED as u64 + 1;
    let mut inside = Vec::new();
    let way = match payload {
        [0x1f, 0x8b, 8, ..] => {
            GzDecoder::new(payload).take(most).read_to_end(&mut inside).ok()?;
            "gzip"
        }
        // Deflate, and a header whose check holds.
        [a @ 0x78, b, ..] if (u16::from(*a) * 256 + u16::from(*b)) % 31 == 0 => {
            ZlibDecoder::new(payload).take(most).read_to_end(&mut inside).ok()?;
            "zlib"
        }
        _ => return None,
    };
    (inside.len() <= UNPACKED).then_some((way, inside))
}

/// What the first bytes say a payload is.
fn detected(bytes: &[u8]) -> Option<&'static str> {
    const KNOWN: &[(&[u8], &str)] = &[
        (b"\x1f\x8b", "application/gzip"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"PK\x03\x04", "application/zip"),
        (b"%PDF", "application/pdf"),
        (b"\x28\xb5\x2f\xfd", "application/zstd"),
        (b"OggS", "audio/ogg"),
        (b"\x7fELF", "application/x-elf"),
    ];
    if bytes.starts_with(b"RIFF") {
        return match bytes.get(8..12) {
            Some(b"WAVE") => Some("audio/wav"),
            Some(b"WEBP") => Some("image/webp"),
            _ => None,
        };
    }
    KNOWN.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, name)| *name)
}

/// Bytes inside of a binary format, as JSON has no bytes.
fn bytes(raw: &[u8]) -> Value {
    STANDARD.encode(raw).into()
}

/// A key of a binary format, as JSON has only texts.
fn key(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Reads the bytes of a binary format from the front.
struct Bytes<'a> {
    left: &'a [u8],
    depth: usize,
}

impl<'a> Bytes<'a> {
    fn new(left: &'a [u8]) -> Bytes<'a> {
        Bytes { left, depth: 0 }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(count)?;
        self.left = left;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).and_then(|one| one.first().copied())
    }

    /// A number of so many bytes, the highest first.
    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// A count of things of at least one byte each: more than there are bytes cannot be.
    fn count(&mut self, bytes: usize) -> Option<usize> {
        let count = usize::try_from(self.number(bytes)?).ok()?;
        (count <= self.left.len()).then_some(count)
    }

    fn text(&mut self, length: usize) -> Option<Value> {
        std::str::from_utf8(self.take(length)?).ok().map(Value::from)
    }

    /// Reads something that lies one level deeper.
    fn within<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= DEEPEST {
            return None;
        }
        self.depth += 1;
        let found = read(self);
        self.depth -= 1;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn packed(bytes: &[u8], zlib: bool) -> Vec<u8> {
        use flate2::Compression;
        use std::io::Write;
        if zlib {
            let mut to = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
            to.write_all(bytes).unwrap();
            return to.finish().unwrap();
        }
        let mut to = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        to.write_all(bytes).unwrap();
        to.finish().unwrap()
    }

    #[test]
    fn every_kind_is_told() {
        let check = |payload: &[u8], kind: &str, ways: &[&str], value: Value| {
            let found = decode(payload, None);
            assert_eq!((found.kind, &*found.ways, found.value), (kind, ways, value), "{payload:?}");
        };
        check(b"", "empty", &[], Value::Null);
        check(b"{\"a\": 1}\0", "json", &[], json!({"a": 1}));
        check(b"21.5", "json", &[], json!(21.5));
        check(b"ON", "text", &[], json!("ON"));
        check("Küche\n".as_bytes(), "text", &[], json!("Küche\n"));
        check(b"\xff\x00", "binary", &[], json!("/wA="));
        check(b"a\x07b", "binary", &[], json!("YQdi"));
        check(&packed(b"{\"a\":1}", false), "json", &["gzip"], json!({"a": 1}));
        check(&packed(b"hello", true), "text", &["zlib"], json!("hello"));
        check(b"\x82\xa1a\x01\xa1b\xc3", "json", &["msgpack"], json!({"a": 1, "b": true}));
        check(b"\xa2\x61a\x01\x61b\xf5", "json", &["cbor"], json!({"a": 1, "b": true}));
        let both = packed(b"\x81\xa1a\x01", false);
        check(&both, "json", &["gzip", "msgpack"], json!({"a": 1}));
        assert_eq!(decode(b"\xff\xd8\xff\xe0", None).detected, Some("image/jpeg"));
        assert_eq!(decode(b"RIFF\xff\0\0\0WEBP", None).detected, Some("image/webp"));
    }

    #[test]
    fn a_named_format_is_believed_and_a_guessed_one_must_be_telling() {
        let list = b"\x93\x01\x02\xc0";
        assert_eq!(decode(list, None).kind, "binary");
        assert_eq!(decode(list, Some("application/msgpack")).value, json!([1, 2, null]));
        assert_eq!(decode(b"\x83\x01\x02\x03", Some("application/cbor")).value, json!([1, 2, 3]));
        assert_eq!(decode(b"\x81\xc0\x01", None).kind, "binary", "a key that is no text");
    }

    #[test]
    fn what_would_unpack_to_too_much_or_is_cut_stays_as_it_is() {
        let bomb = packed(&vec![b'a'; UNPACKED + 1], false);
        assert_eq!((decode(&bomb, None).kind, bomb.len() < 100_000), ("binary", true));
        assert_eq!(decode(&bomb, None).detected, Some("application/gzip"));
        let whole = packed(b"{\"a\":1}", false);
        assert_eq!(decode(&whole[..whole.len() - 9], None).kind, "binary");
    }

    #[test]
    fn no_bytes_at_all_make_it_fail_or_take_long() {
        let mut seed = 1_u64;
        for length in 0..400 {
            for _ in 0..20 {
                let bytes: Vec<u8> = (0..length % 97)
                    .map(|_| {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (seed >> 56) as u8
                    })
                    .collect();
                for said in [None, Some("application/msgpack"), Some("application/cbor")] {
                    decode(&bytes, said);
                }
            }
        }
        // Nested as deeply as bytes allow, and counts of what is not there.
        for byte in [0x91, 0x81, 0x9f, 0xd9, 0xc1] {
            decode(&vec![byte; 100_000], Some("application/msgpack"));
            decode(&vec![byte; 100_000], Some("application/cbor"));
        }
        decode(b"\xdf\xff\xff\xff\xff", Some("msgpack"));
        decode(b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", Some("cbor"));
    }
}
