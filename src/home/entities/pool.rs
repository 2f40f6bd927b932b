//! One copy of each short text that many entities share: states, area ids, labels.

use std::collections::HashSet;
use std::sync::Arc;

/// Unused texts are dropped each time the pool has doubled beyond this.
const FIRST_SWEEP: usize = 1024;
/// Longer texts are seldom shared.
const LONGEST: usize = 48;

pub(crate) struct Pool {
    known: HashSet<Arc<str>>,
    sweep_at: usize,
    none: Arc<[Arc<str>]>,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool { known: HashSet::new(), sweep_at: FIRST_SWEEP, none: Arc::new([]) }
    }
}

impl Pool {
    /// Returns the shared copy of `text`.
    pub(crate) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        if text.len() <= LONGEST {
            if self.known.len() >= self.sweep_at {
                self.known.retain(|text| Arc::strong_count(text) > 1);
                self.sweep_at = FIRST_SWEEP.max(self.known.len() * 2);
            }
            self.known.insert(new.clone());
        }
        new
    }

    /// Returns a list of shared copies; every empty list is the same one.
    pub(crate) fn share_all(&mut self, texts: &[Arc<str>]) -> Arc<[Arc<str>]> {
        match texts.is_empty() {
            true => self.none.clone(),
            false => texts.iter().map(|text| self.share(text)).collect(),
        }
    }

    /// Returns the empty list.
    pub(crate) fn none(&self) -> Arc<[Arc<str>]> {
        self.none.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_and_unused_ones_go() {
        let mut pool = Pool::default();
        let on = pool.share("on");
        assert!(Arc::ptr_eq(&on, &pool.share("on")));
        for n in 0..10 * FIRST_SWEEP {
            pool.share(&n.to_string());
        }
        assert!(pool.known.len() <= FIRST_SWEEP && pool.known.contains("on"));
    }
}
