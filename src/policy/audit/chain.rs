//! The chain of the audit log: each line carries the hash of the one before and its own. Pure.
//!
//! A line is the entry's JSON object with four more fields at its end: `n` counts entries from 1,
//! `prev` is the hash of the entry before (64 zeros for the first), `torn` is there when a line before
//! it was cut short and hashes those bytes, `hash` is the SHA-256 of all of the line before that field.
//! Whoever changes, removes or inserts an entry breaks the chain from there on. It has no key: whoever
//! may write the file could make the whole chain anew, which only a hash noted elsewhere shows.

use crate::text::hex;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Begins the last field of a line.
const LAST: &str = ",\"hash\":\"";
/// What follows the hash.
const END: &str = "\"}";
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// Where the chain stands: how many entries there are, and the hash of the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) n: u64,
    pub(super) hash: String,
}

impl Link {
    /// Where it stands before the first entry.
    pub(super) fn start() -> Link {
        Link { n: 0, hash: "0".repeat(DIGITS) }
    }
}

/// What a line turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// An entry whose own hash is right.
    Entry { link: Link, prev: String, torn: Option<String> },
    /// An entry that was changed after it was written; its number, if that can be read.
    Changed(Option<u64>),
    /// An object without a hash, as they were written before there was a chain.
    Plain,
    /// No entry: the bytes of a line that was cut short, or something else.
    Scrap,
}

/// Returns the line for an entry (a JSON object) that follows `before`, without its line break, and
/// where the chain stands then. `torn` is the hash of what was cut short in between.
pub(super) fn close(entry: &str, before: &Link, torn: Option<&str>) -> (String, Link) {
    let fields = entry.trim_end().strip_suffix('}').unwrap_or(entry);
    let comma = if fields.ends_with('{') { "" } else { "," };
    let n = before.n + 1;
    let mut line = format!("{fields}{comma}\"n\":{n},\"prev\":\"{}\"", before.hash);
    if let Some(torn) = torn {
        line += &format!(",\"torn\":\"{torn}\"");
    }
    let hash = hash_of(line.as_bytes());
    line += LAST;
    line += &hash;
    line += END;
    (line, Link { n, hash })
}

/// The fields that the chain adds.
#[derive(Deserialize)]
struct Fields {
    n: u64,
    prev: String,
    torn: Option<String>,
}

/// Reads a line without its line break.
pub(super) fn read(line: &[u8]) -> Line {
    let Some((head, hash)) = split(line) else {
        return match serde_json::from_slice::<Value>(line) {
            Ok(Value::Object(fields)) if !fields.contains_key("hash") => Line::Plain,
            Ok(Value::Object(fields)) => Line::Changed(fields.get("n").and_then(Value::as_u64)),
            _ => Line::Scrap,
        };
    };
    match serde_json::from_slice::<Fields>(line) {
        Ok(Fields { n, prev, torn }) if hash_of(head) == hash => {
            Line::Entry { link: Link { n, hash: hash.to_owned() }, prev, torn }
        }
        Ok(fields) => Line::Changed(Some(fields.n)),
        Err(_) => Line::Changed(None),
    }
}

/// The hash of some bytes, in hexadecimal.
pub(super) fn hash_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// What is hashed, and the hash that the line says it has.
fn split(line: &[u8]) -> Option<(&[u8], &str)> {
    let at = line.len().checked_sub(LAST.len() + DIGITS + END.len())?;
    let (head, tail) = line.split_at(at);
    let tail = std::str::from_utf8(tail).ok()?;
    let hash = tail.strip_prefix(LAST)?.strip_suffix(END)?;
    hash.bytes().all(|b| b.is_ascii_hexdigit()).then_some((head, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_it_was_closed() {
        let (first, link) = close(r#"{"who":"a"}"#, &Link::start(), None);
        assert_eq!(
            read(first.as_bytes()),
            Line::Entry { link: link.clone(), prev: "0".repeat(64), torn: None }
        );
        let value: Value = serde_json::from_str(&first).unwrap();
        assert_eq!((&value["who"], &value["n"]), (&"a".into(), &1.into()));
        let torn = hash_of(b"{\"who");
        let (second, next) = close("{}", &link, Some(&torn));
        let want = Line::Entry { link: next.clone(), prev: link.hash, torn: Some(torn) };
        assert_eq!((read(second.as_bytes()), next.n), (want, 2));
    }

    #[test]
    fn a_changed_byte_anywhere_is_seen() {
        let (line, _) = close(r#"{"who":"a","target":"x"}"#, &Link::start(), None);
        for at in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[at] ^= 1;
            let got = read(&bytes);
            assert!(
                !matches!(got, Line::Entry { .. }),
                "{at}: {}",
                String::from_utf8_lossy(&bytes)
            );
            // What had a hash is never taken for a line of before there were hashes.
            let named = String::from_utf8_lossy(&bytes).contains("\"hash\"");
            assert!(!named || got != Line::Plain, "{at}");
        }
        assert_eq!(read(br#"{"who":"a"}"#), Line::Plain);
        assert_eq!(read(&line.as_bytes()[..20]), Line::Scrap);
        assert_eq!(read(b""), Line::Scrap);
        assert_eq!(read("\0".repeat(40).as_bytes()), Line::Scrap);
    }
}
