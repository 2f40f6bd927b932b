//! Walking through what a session has, in steps: the link waits for nobody longer than for one.

use crate::error::Error;
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::{Kept, Topic};
use crate::mqtt::session::Session;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Topics or messages of one step.
const STEP: usize = 2000;

/// Shows every topic that `filter` matches, in the order of their names.
///
/// # Errors
/// Timeout when the caller gave up.
pub(crate) async fn scan(
    session: &Session,
    filter: &Filter,
    cancelled: &CancellationToken,
    mut visit: impl FnMut(&Arc<str>, &Topic),
) -> Result<(), Error> {
    let prefix = filter.prefix();
    let mut last: Option<Arc<str>> = None;
    loop {
        let mut steps = 0;
        {
            let inbox = session.inbox();
            let from = last.as_deref().unwrap_or(prefix);
            let topics = inbox.topics().from(from, last.is_none());
            let mut newest = None;
            for (name, topic) in topics.take_while(|(name, _)| name.starts_with(prefix)).take(STEP)
            {
                steps += 1;
                newest = Some(name);
                if filter.matches(name) {
                    visit(name, topic);
                }
            }
            last = newest.cloned().or(last);
        }
        if steps < STEP {
            return Ok(());
        }
        breathe(cancelled).await?;
    }
}

/// Lets others have their turn.
///
/// # Errors
/// Timeout when the caller gave up.
pub(crate) async fn breathe(cancelled: &CancellationToken) -> Result<(), Error> {
    tokio::task::yield_now().await;
    if cancelled.is_cancelled() {
        return Err(Error::timeout("cancelled"));
    }
    Ok(())
}

/// Walks back through the ring from the newest message, or from below a number.
pub(crate) struct Back {
    below: u64,
}

impl Back {
    pub(crate) fn from(below: Option<u64>) -> Back {
        Back { below: below.unwrap_or(u64::MAX) }
    }

    /// Returns the number below which it goes on.
    pub(crate) fn below(&self) -> u64 {
        self.below
    }

    /// Returns the next messages that `fits`, newest first, and whether that was all. `fits` is asked
    /// while the link waits, so it must be quick.
    pub(crate) fn step(
        &mut self,
        session: &Session,
        fits: impl Fn(&Kept) -> bool,
    ) -> (Vec<Kept>, bool) {
        let inbox = session.inbox();
        let (mut steps, mut found) = (0, Vec::new());
        for kept in inbox.ring().before(self.below).rev().take(STEP) {
            steps += 1;
            self.below = kept.number;
            if fits(kept) {
                found.push(kept.clone());
            }
        }
        (found, steps < STEP)
    }
}
