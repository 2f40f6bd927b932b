//! How many calls each token has under way. Pure but for its lock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Calls under way by token.
#[derive(Default)]
pub(crate) struct Shares {
    taken: Mutex<HashMap<u64, usize>>,
}

impl Shares {
    /// Takes one of the `most` places of `token`; `None` when they are all taken.
    pub(crate) fn take(&self, token: u64, most: usize) -> Option<Share<'_>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = taken.entry(token).or_default();
        if *mine >= most {
            return None;
        }
        *mine += 1;
        Some(Share { shares: self, token })
    }
}

/// A place that is given back when it is dropped.
pub(crate) struct Share<'a> {
    shares: &'a Shares,
    token: u64,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = taken.get_mut(&self.token) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_its_places_and_no_more() {
        let shares = Shares::default();
        let first = shares.take(1, 2);
        let second = shares.take(1, 2);
        assert!(first.is_some() && second.is_some() && shares.take(1, 2).is_none());
        assert!(shares.take(2, 2).is_some());
        drop(first);
        assert!(shares.take(1, 2).is_some());
        drop(second);
        assert!(shares.taken.lock().unwrap().is_empty());
    }
}
