//! What a broker's strangers wrote, as it may be shown; times as answers write them. Pure.

use jiff::Timestamp;

/// Names of things, and the like.
pub(crate) const NAME: usize = 120;
/// Topics.
pub(crate) const TOPIC: usize = 300;

/// Returns `text` with at most `most` characters; control and direction characters are written as
/// `\u{…}` so that they are seen and do nothing.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most * 2));
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

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns a time (microseconds since 1970) as RFC 3339 in UTC, with milliseconds.
pub(crate) fn time(at: i64) -> String {
    let stamp = Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{stamp:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_does_nothing_and_times_have_milliseconds() {
        assert_eq!(clean("a\u{202e}b\nc", 10), "a\\u{202e}b\\nc");
        assert_eq!(clean("abcd", 2), "ab…");
        assert_eq!(time(1_795_258_800_123_456), "2026-11-21T11:00:00.123Z");
    }
}
