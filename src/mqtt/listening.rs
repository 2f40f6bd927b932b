//! Following what arrives on a filter for a while: from the session when it listens there, else from a
//! connection of its own.

use crate::error::Error;
use crate::mqtt::Mqtt;
use crate::mqtt::aside::Aside;
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::{Inbox, Kept};
use crate::mqtt::session::{Session, State};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Messages are looked at so often at most: a busy broker must not wake us for each.
const PAUSE: Duration = Duration::from_millis(50);
/// So many are copied while the link waits.
const STEP: usize = 2000;

/// What arrives on a filter from now on.
pub(crate) struct Listening {
    session: Arc<Session>,
    aside: Option<Aside>,
    filter: Filter,
    arrivals: watch::Receiver<u64>,
    /// Number of the last message that was looked at.
    last: u64,
    /// Messages that left the ring before they were looked at; of all topics.
    missed: u64,
    looked: Instant,
}

impl Listening {
    /// Begins.
    ///
    /// # Errors
    /// Offline when the session has no connection, or the broker does not let us hear the filter.
    pub(crate) async fn begin(
        mqtt: &Mqtt,
        session: Arc<Session>,
        filter: Filter,
    ) -> Result<Listening, Error> {
        if let State::Away(why) = session.state() {
            let broker = &session.target.address;
            return Err(Error::offline(format!("{broker} cannot be reached: {why}")));
        }
        let is_heard = session.hears(&filter);
        let aside = match is_heard {
            true => None,
            false => Some(Aside::open(mqtt, &session, filter.as_str()).await?),
        };
        let arrivals = aside.as_ref().map_or_else(|| session.arrivals(), Aside::arrivals);
        // What an own connection has heard so far belongs to it; a session's past does not.
        let last = if aside.is_some() { 0 } else { session.inbox().totals().messages };
        let looked = Instant::now();
        Ok(Listening { session, aside, filter, arrivals, last, missed: 0, looked })
    }

    /// Whether it has a connection of its own.
    pub(crate) fn is_aside(&self) -> bool {
        self.aside.is_some()
    }

    /// Returns how many messages left the ring before they could be looked at.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    /// Returns what it follows.
    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.aside.as_ref().map_or_else(|| self.session.inbox(), Aside::inbox)
    }

    /// Waits for messages until `until` and shows each of the filter's once, in their order; returns
    /// at the latest then, and whenever some came.
    pub(crate) async fn next(&mut self, until: Instant, mut visit: impl FnMut(&Kept)) {
        if !self.has_more() {
            // Only what comes after this is news.
            let _ = self.arrivals.borrow_and_update();
            if !self.has_more() {
                let _ = tokio::time::timeout_at(until, self.arrivals.changed()).await;
            }
            tokio::time::sleep_until((self.looked + PAUSE).min(until)).await;
        }
        self.looked = Instant::now();
        for kept in self.step() {
            visit(&kept);
        }
    }

    fn has_more(&self) -> bool {
        self.inbox().totals().messages > self.last
    }

    fn step(&mut self) -> Vec<Kept> {
        let inbox = self.aside.as_ref().map_or_else(|| self.session.inbox(), Aside::inbox);
        let newest = inbox.totals().messages;
        let mut found = Vec::new();
        let mut last = self.last;
        for kept in inbox.ring().after(self.last).take(STEP) {
            // One that was larger than the ring is missing too.
            self.missed += kept.number - last - 1;
            last = kept.number;
            if self.filter.matches(&kept.topic) {
                found.push(kept.clone());
            }
        }
        if inbox.ring().newest().is_none_or(|ring| ring.number <= last) {
            self.missed += newest - last;
            last = newest;
        }
        drop(inbox);
        self.last = last;
        found
    }
}
