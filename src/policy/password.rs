//! Passwords that are kept as what `mosquitto_passwd` writes: PBKDF2 with HMAC and SHA-512
//! (RFC 8018, section 5.2; RFC 2104).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha512};
use subtle::ConstantTimeEq as _;

/// Rounds that a hash may ask for: more would let whoever tries passwords keep a processor busy.
const ROUNDS: u32 = 100_000;
const BLOCK: usize = 128;
const SIZE: usize = 64;

/// A password's hash: `$7$rounds$salt$hash`, the last two in base64.
pub struct PasswordHash {
    rounds: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl PasswordHash {
    /// Reads a hash; `None` when it is none, or asks for more than 100,000 rounds.
    pub fn read(text: &str) -> Option<PasswordHash> {
        let mut parts = text.strip_prefix("$7$")?.split('$');
        let rounds = parts.next()?.parse().ok().filter(|n| (1..=ROUNDS).contains(n))?;
        let salt = STANDARD.decode(parts.next()?).ok()?;
        let hash = STANDARD.decode(parts.next()?).ok().filter(|hash| hash.len() == SIZE)?;
        parts.next().is_none().then_some(PasswordHash { rounds, salt, hash })
    }

    /// Whether it is this password's; takes as long for a wrong one as for the right one.
    pub fn is_of(&self, password: &[u8]) -> bool {
        let (inner, outer) = keys(password);
        let mac = |parts: &[&[u8]]| {
            let mut hasher = inner.clone();
            parts.iter().for_each(|part| hasher.update(part));
            let first = hasher.finalize();
            outer.clone().chain_update(first).finalize()
        };
        // The hash is as long as one block of PBKDF2, whose number is 1.
        let mut last = mac(&[&self.salt, &1u32.to_be_bytes()]);
        let mut sum = last;
        for _ in 1..self.rounds {
            last = mac(&[&last]);
            sum.iter_mut().zip(&last).for_each(|(sum, byte)| *sum ^= byte);
        }
        sum.as_slice().ct_eq(&self.hash).into()
    }
}

/// SHA-512 after the inner and the outer block of HMAC.
fn keys(password: &[u8]) -> (Sha512, Sha512) {
    let mut key = [0u8; BLOCK];
    if password.len() > BLOCK {
        key[..SIZE].copy_from_slice(&Sha512::digest(password));
    } else {
        key[..password.len()].copy_from_slice(password);
    }
    let with = |pad: u8| Sha512::new().chain_update(key.map(|byte| byte ^ pad));
    (with(0x36), with(0x5c))
}

/// Whether two secrets are the same; takes as long wherever they differ.
pub fn is_same_secret(a: &[u8], b: &[u8]) -> bool {
    let (a, b) = (Sha512::digest(a), Sha512::digest(b));
    a.as_slice().ct_eq(b.as_slice()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mosquitto_passwd_wrote_is_understood() {
        let long = "x".repeat(200);
        let ann = "$7$101$IAiyIgJLcj/iPJCm$hUYfe9KMXJo0xhFDBS+gBaZB3yxVK4hxB42dZFzfgrWueF5lZdEDMo9N5OgdP9sQKv3joc7CA+7opQjvF5L4tg==";
        let bob = "$7$101$lIBsCIjm0FOSigsi$krJTOADb1F/9llLdEENEugbwTbkNTU7DWYB+Z8QvT3Y1M7t7ku5uW7z3kUBCAJwCKF4HdVKywHi5vGHvhPIrxQ==";
        for (hash, right, wrong) in [(ann, "correct horse", "correct hors"), (bob, &*long, "")] {
            let hash = PasswordHash::read(hash).unwrap();
            assert!(hash.is_of(right.as_bytes()) && !hash.is_of(wrong.as_bytes()));
        }
    }

    #[test]
    fn what_is_no_hash_or_too_dear_is_none() {
        let hash = "A".repeat(86) + "==";
        assert!(PasswordHash::read(&format!("$7$100000$AAAA${hash}")).is_some());
        for text in [
            "secret".to_owned(),
            format!("$6$1$AAAA${hash}"),
            format!("$7$100001$AAAA${hash}"),
            format!("$7$0$AAAA${hash}"),
            format!("$7$1$AAAA${hash}$x"),
            "$7$1$AAAA$AAAA".to_owned(),
        ] {
            assert!(PasswordHash::read(&text).is_none(), "{text}");
        }
    }

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(is_same_secret(b"a", b"a") && !is_same_secret(b"a", b"b"));
        assert!(!is_same_secret(b"", b"a"));
    }
}
