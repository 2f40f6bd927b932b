//! A message, and which of them fit a window. Pure.

use crate::config::JsonSchema;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An id has at most so many characters.
const LONGEST_ID: usize = 64;
/// A message has at most so many bytes of JSON.
const LARGEST: usize = 256 << 10;
/// So many characters count as one token.
const CHARS: u64 = 4;

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// What the model is told before all else.
    System,
    /// A person.
    User,
    /// The model.
    Assistant,
    /// What a tool answered to the model.
    Tool,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// A text, or a provider's parts as it wrote them.
    pub content: Value,
    /// How many tokens it counts as.
    pub tokens: u64,
    /// When it was appended, seconds since 1970.
    pub at: f64,
}

impl Message {
    /// Makes one of `now`; without `tokens` they are estimated.
    ///
    /// # Errors
    /// Invalid for one that is empty or larger than 256 KiB.
    pub fn new(
        role: Role,
        content: Value,
        tokens: Option<u64>,
        now: f64,
    ) -> Result<Message, Error> {
        let bytes = content.to_string().len();
        if content.is_null() || content == "" {
            return Err(Error::invalid("a message without 'content' is none"));
        }
        if bytes > LARGEST {
            return Err(Error::invalid(format!(
                "a message of {bytes} bytes is too large; {LARGEST} fit"
            )));
        }
        let tokens = tokens.unwrap_or_else(|| estimate(&content));
        Ok(Message { role, content, tokens, at: now })
    }
}

/// Estimates how many tokens a content has: a quarter of its characters, at least one.
pub fn estimate(content: &Value) -> u64 {
    let chars = match content {
        Value::String(text) => text.chars().count(),
        other => other.to_string().chars().count(),
    };
    (chars as u64).div_ceil(CHARS).max(1)
}

/// Returns where the window begins: from there to the end `messages` have at most `tokens`. The last one
/// is always in it. It never begins with what a tool answered, since the call would be missing.
pub fn window(messages: &[Message], tokens: u64) -> usize {
    let mut sum: u64 = 0;
    let mut begin = messages.len();
    while begin > 0 {
        sum = sum.saturating_add(messages[begin - 1].tokens);
        if sum > tokens && begin < messages.len() {
            break;
        }
        begin -= 1;
    }
    while begin + 1 < messages.len() && messages[begin].role == Role::Tool {
        begin += 1;
    }
    begin
}

/// Checks an id of a conversation: 1 to 64 letters, digits, `.`, `_` and `-`.
///
/// # Errors
/// Invalid, with what it must be.
pub fn check_id(id: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(plain) {
        true => Ok(()),
        false => {
            let shown = crate::text::clean(id, LONGEST_ID);
            Err(Error::invalid(format!(
                "'{shown}' is no id of a conversation: write 1 to {LONGEST_ID} letters, digits, '.', \
                 '_' and '-'"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(role: Role, tokens: u64) -> Message {
        Message { role, content: json!("x"), tokens, at: 0.0 }
    }

    #[test]
    fn a_window_holds_the_newest_that_fit_and_always_the_last() {
        use Role::{Assistant, Tool, User};
        let all = [(User, 10), (Assistant, 20), (Tool, 5), (Assistant, 5), (User, 3)]
            .map(|(role, tokens)| message(role, tokens));
        for (tokens, begin) in [(43, 0), (42, 1), (33, 1), (32, 3), (13, 3), (8, 3), (7, 4), (0, 4)]
        {
            assert_eq!(window(&all, tokens), begin, "{tokens} tokens");
        }
        assert_eq!(window(&[], 10), 0);
        assert_eq!(window(&[message(Tool, 5)], 1), 0, "alone it stays");
        assert_eq!(window(&[message(User, u64::MAX), message(User, u64::MAX)], 9), 1);
    }

    #[test]
    fn tokens_are_estimated_by_characters_not_bytes() {
        assert_eq!(estimate(&json!("")), 1);
        assert_eq!(estimate(&json!("abcd")), 1);
        assert_eq!(estimate(&json!("äöüßé")), 2);
        assert_eq!(estimate(&json!({ "a": 1 })), 2);
        assert!(Message::new(Role::User, json!(""), None, 0.0).is_err());
        assert!(Message::new(Role::User, Value::Null, None, 0.0).is_err());
        let large = json!("x".repeat(LARGEST));
        assert!(Message::new(Role::User, large, None, 0.0).is_err());
        assert_eq!(Message::new(Role::User, json!("abcde"), None, 0.0).unwrap().tokens, 2);
        assert_eq!(Message::new(Role::User, json!("abcde"), Some(9), 0.0).unwrap().tokens, 9);
    }
}
