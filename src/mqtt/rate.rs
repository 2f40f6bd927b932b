//! How often each token may do something. Pure.

use crate::error::Error;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tokens that are remembered: as many as there can be, and the ones of this machine.
const TOKENS: usize = 128;
const MINUTE: Duration = Duration::from_secs(60);

/// A measure that fills up evenly: so many a minute, in a burst or one by one.
pub(crate) struct Rate {
    per_minute: f64,
    /// What each token has left, and when that was.
    left: Mutex<HashMap<u64, (f64, Instant)>>,
}

impl Rate {
    /// Lets each token do it so often in a minute.
    pub(crate) fn new(per_minute: u64) -> Rate {
        Rate { per_minute: per_minute as f64, left: Mutex::default() }
    }

    /// Takes one for `token` at `now`.
    ///
    /// # Errors
    /// Limit: says how long to wait; `what` says for what.
    pub(crate) fn take(&self, token: u64, now: Instant, what: &str) -> Result<(), Error> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.len() >= TOKENS {
            // A full measure says nothing that a new one would not.
            left.retain(|_, (_, since)| now.duration_since(*since) < MINUTE);
        }
        let (had, since) = left.get(&token).copied().unwrap_or((self.per_minute, now));
        let grown = now.duration_since(since).as_secs_f64() * self.per_minute / 60.0;
        let have = (had + grown).min(self.per_minute);
        if have < 1.0 {
            let wait = ((1.0 - have) * 60.0 / self.per_minute).ceil();
            return Err(Error::limit(format!(
                "{what} {} times a minute at most; try again in {wait} s",
                self.per_minute
            )));
        }
        left.insert(token, (have - 1.0, now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_has_a_measure_of_its_own_that_fills_up_again() {
        let (rate, now) = (Rate::new(6), Instant::now());
        for _ in 0..6 {
            rate.take(1, now, "x").unwrap();
        }
        let e = rate.take(1, now, "this is done").unwrap_err().to_string();
        assert!(e.contains("6 times a minute") && e.contains("in 10 s"), "{e}");
        rate.take(2, now, "x").unwrap();
        let later = now + Duration::from_secs(11);
        rate.take(1, later, "x").unwrap();
        assert!(rate.take(1, later, "x").is_err());
    }

    #[test]
    fn tokens_that_are_gone_are_forgotten() {
        let (rate, now) = (Rate::new(1), Instant::now());
        for token in 0..1000 {
            rate.take(token, now + MINUTE * token as u32, "x").unwrap();
        }
        assert!(rate.left.lock().unwrap().len() <= TOKENS);
    }
}
