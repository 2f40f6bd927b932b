//! When we were not connected: silence of a device in such a time means nothing. Pure.

use std::collections::VecDeque;

/// So many are kept.
const KEPT: usize = 100;

/// A time without a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    /// Microseconds since 1970 (UTC).
    pub(crate) from: i64,
    /// The same; `None` while it lasts.
    pub(crate) until: Option<i64>,
    /// The latest reason, for people.
    pub(crate) why: String,
}

/// The newest outages.
#[derive(Debug, Default)]
pub(crate) struct Outages {
    kept: VecDeque<Outage>,
    forgotten: u64,
}

impl Outages {
    /// Begins with the time before the first connection.
    pub(crate) fn begin(at: i64) -> Outages {
        let mut outages = Outages::default();
        outages.begin_again(at, "not connected yet");
        outages
    }

    /// Takes in that there is no connection, for a reason that may be a new one for the same outage.
    pub(crate) fn begin_again(&mut self, at: i64, why: &str) {
        match self.kept.back_mut().filter(|last| last.until.is_none()) {
            Some(last) => why.clone_into(&mut last.why),
            None => self.kept.push_back(Outage { from: at, until: None, why: why.to_owned() }),
        }
        if self.kept.len() > KEPT {
            self.kept.pop_front();
            self.forgotten += 1;
        }
    }

    /// Takes in that there is a connection again.
    pub(crate) fn end(&mut self, at: i64) {
        if let Some(last) = self.kept.back_mut() {
            last.until.get_or_insert(at);
        }
    }

    /// Returns those that are kept, oldest first, and how many are forgotten.
    pub(crate) fn list(&self) -> (Vec<Outage>, u64) {
        (self.kept.iter().cloned().collect(), self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_attempts_are_one_outage_with_the_latest_reason() {
        let mut outages = Outages::begin(1);
        outages.begin_again(2, "refused");
        outages.begin_again(3, "no answer");
        outages.end(4);
        outages.end(5);
        outages.begin_again(6, "cut");
        let first = Outage { from: 1, until: Some(4), why: "no answer".into() };
        let second = Outage { from: 6, until: None, why: "cut".into() };
        assert_eq!(outages.list(), (vec![first, second], 0));
    }

    #[test]
    fn only_the_newest_are_kept_and_the_others_counted() {
        let mut outages = Outages::default();
        for at in 0..250 {
            outages.begin_again(at * 2, "cut");
            outages.end(at * 2 + 1);
        }
        let (kept, forgotten) = outages.list();
        assert_eq!((kept.len(), kept[0].from, forgotten), (KEPT, 300, 150));
    }
}
