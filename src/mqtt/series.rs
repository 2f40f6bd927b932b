//! What each second brought, for charts: a bounded ring of counters per session.
//!
//! Once a second the counters of each session are read; the way of a message is not touched.

use crate::mqtt::inbox::Totals;
use crate::mqtt::session::Session;
use crate::tasks::Tasks;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::MissedTickBehavior;

/// Seconds that are kept.
pub(crate) const KEPT: usize = 600;

/// What one second brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Second {
    /// Seconds since 1970.
    pub(crate) at: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// Messages whose payload was skipped for its size.
    pub(crate) too_large: u64,
    /// Messages that fell out of the ring.
    pub(crate) dropped: u64,
}

/// The seconds of every session. Cloning it is cheap.
#[derive(Clone, Default)]
pub(crate) struct Series {
    all: Arc<Mutex<BTreeMap<Arc<str>, One>>>,
}

#[derive(Default)]
struct One {
    before: Totals,
    seconds: VecDeque<Second>,
}

impl Series {
    /// Reads the counters once a second until the end; `sessions` says of which sessions.
    pub(crate) fn start<F>(tasks: &Tasks, sessions: F) -> Series
    where
        F: Fn() -> Vec<Arc<Session>> + Send + 'static,
    {
        let series = Series::default();
        let (own, stop) = (series.clone(), tasks.stopping());
        tasks.job(async move {
            let mut beat = tokio::time::interval(Duration::from_secs(1));
            beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
            loop {
                tokio::select! {
                    _ = beat.tick() => {}
                    () = stop.cancelled() => return,
                }
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let sessions = sessions();
                own.lock().retain(|id, _| sessions.iter().any(|session| session.id == *id));
                for session in sessions {
                    let totals = session.inbox().totals();
                    own.note(&session.id, now.as_secs(), totals);
                }
            }
        });
        series
    }

    fn note(&self, id: &Arc<str>, at: u64, totals: Totals) {
        let mut all = self.lock();
        let one = all.entry(id.clone()).or_default();
        let before = std::mem::replace(&mut one.before, totals);
        one.seconds.push_back(Second {
            at,
            messages: totals.messages.saturating_sub(before.messages),
            bytes: totals.bytes.saturating_sub(before.bytes),
            too_large: totals.too_large.saturating_sub(before.too_large),
            dropped: totals.dropped.saturating_sub(before.dropped),
        });
        if one.seconds.len() > KEPT {
            one.seconds.pop_front();
        }
    }

    /// Returns the newest `most` seconds of a session, oldest first.
    pub(crate) fn of(&self, id: &str, most: usize) -> Vec<Second> {
        let all = self.lock();
        let Some(one) = all.get(id) else { return Vec::new() };
        one.seconds.iter().skip(one.seconds.len().saturating_sub(most)).copied().collect()
    }

    /// Returns messages and bytes a second, as the mean of the newest `seconds`.
    pub(crate) fn rate(&self, id: &str, seconds: usize) -> (f64, f64) {
        let newest = self.of(id, seconds);
        let (mut messages, mut bytes) = (0, 0);
        for second in &newest {
            messages += second.messages;
            bytes += second.bytes;
        }
        #[allow(clippy::cast_precision_loss, reason = "rates are far below 2^53")]
        let mean = |sum: u64| sum as f64 / newest.len().max(1) as f64;
        (mean(messages), mean(bytes))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, One>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_differences_and_the_oldest_go() {
        let series = Series::default();
        let id: Arc<str> = "home".into();
        for n in 0..KEPT as u64 + 5 {
            let totals = Totals { messages: n * 3, bytes: n * 30, dropped: n, ..Totals::default() };
            series.note(&id, n, totals);
        }
        let all = series.of("home", usize::MAX);
        assert_eq!((all.len(), all[0].at), (KEPT, 5));
        let want = Second { at: 604, messages: 3, bytes: 30, too_large: 0, dropped: 1 };
        assert_eq!(all.last(), Some(&want));
        assert_eq!(series.rate("home", 10), (3.0, 30.0));
        assert!(series.of("other", 10).is_empty());
    }
}
