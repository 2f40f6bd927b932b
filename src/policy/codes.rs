//! What is kept out of the audit log and of questions: the codes of locks and alarms.

/// Whether a field of that name holds a code or the like.
pub(crate) fn names_a_code(field: &str) -> bool {
    ["code", "pin", "password", "token"].iter().any(|word| field.contains(word))
}

/// Whether a text may be a code that stands under another name, a misspelt one: only digits.
pub(crate) fn may_be_a_code(text: &str) -> bool {
    text.len() >= 3 && text.bytes().all(|b| b.is_ascii_digit())
}
