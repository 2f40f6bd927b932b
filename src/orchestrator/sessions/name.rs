//! What sessions are called: ids of a token's own.

use crate::error::Error;

/// An id has at most so many characters.
const LONGEST: usize = 64;

/// Where a session stands in the store: its owner's token and its id. Two tokens may use the same id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The token's number.
    pub token: u64,
    /// The session's id.
    pub id: String,
}

impl Key {
    /// Returns the key in the store's table.
    pub fn text(&self) -> String {
        format!("{:016x}/{}", self.token, self.id)
    }

    /// Reads what [`Key::text`] wrote.
    pub fn read(text: &str) -> Option<Key> {
        let (token, id) = text.split_once('/')?;
        check_id(id).ok()?;
        Some(Key { token: u64::from_str_radix(token, 16).ok()?, id: id.to_owned() })
    }
}

/// Checks an id of a session: 1 to 64 letters, digits, `.`, `_` and `-`.
///
/// # Errors
/// Invalid, with what it must be.
pub fn check_id(id: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=LONGEST).contains(&id.len()) && id.bytes().all(plain) {
        true => Ok(()),
        false => {
            let shown = crate::text::clean(id, LONGEST);
            Err(Error::invalid(format!(
                "'{shown}' is no id of a session: write 1 to {LONGEST} letters, digits, '.', '_' and '-'"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_keys_are_read_again() {
        for good in ["a", "chat-1", "A.b_c-9", &"x".repeat(64)] {
            check_id(good).unwrap();
            let key = Key { token: u64::MAX, id: good.to_owned() };
            assert_eq!(Key::read(&key.text()), Some(key));
        }
        for bad in ["", "a/b", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(check_id(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Key::read("zz/a"), None);
        assert_eq!(Key::read("00"), None);
    }

    #[test]
    fn one_id_of_two_tokens_are_two_keys_in_order_of_the_tokens() {
        let key = |token| Key { token, id: "chat".into() }.text();
        assert_ne!(key(1), key(2));
        assert!(key(9) < key(10) && key(10) < key(u64::MAX));
    }
}
