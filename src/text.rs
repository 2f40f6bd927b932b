//! Text of strangers made plain, and bytes written as text. Pure.
//!
//! Names, states, topics and payloads are data: whoever shows them passes them through [`clean`], so that
//! they are seen as they are and do nothing. It knows no service.

use std::fmt::Write as _;

/// Returns `text` with at most `most` characters; control and direction characters are written as
/// `\u{…}` so that they are seen and do nothing.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for (count, c) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character has no shape of its own: it could hide or turn round what a person reads.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes text as it may stand in a path or a query: everything but letters, digits and `-._~` as
/// `%41` (RFC 3986, section 2.3).
pub(crate) fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Reads what [`percent`] wrote (RFC 3986, section 2.1); `None` when it is no UTF-8.
pub(crate) fn unpercent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let two = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match two.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// Writes bytes as two digits each, in lower case.
pub(crate) fn hex(raw: &[u8]) -> String {
    raw.iter().fold(String::with_capacity(raw.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_shown_and_long_text_is_cut() {
        let check = |text: &str, most, want: &str| assert_eq!(clean(text, most), want, "{text:?}");
        check("Küche", 10, "Küche");
        check("a\nb\u{7}", 10, "a\\nb\\u{7}");
        check("x\u{202e}y\u{200b}", 10, "x\\u{202e}y\\u{200b}");
        check("abcdef", 3, "abc…");
        check("abc", 3, "abc");
    }

    #[test]
    fn what_is_percent_encoded_is_read_again() {
        assert_eq!(percent("a/b %ä"), "a%2Fb%20%25%C3%A4");
        assert_eq!(percent("2026-11-21T18:00:00+01:00"), "2026-11-21T18%3A00%3A00%2B01%3A00");
        for text in ["", "a/b %ä", "%", "100 %", "\u{202e}"] {
            assert_eq!(unpercent(&percent(text)).unwrap(), text);
        }
        assert_eq!(unpercent("%ff"), None);
    }
}
