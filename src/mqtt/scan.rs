//! Walking through what a session has, in steps: the link waits for nobody longer than for one.

use crate::error::Error;
use crate::mqtt::filter::Filter;
use crate::mqtt::inbox::{Kept, Topic};
use crate::mqtt::session::Session;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// After so many topics in a row that are not meant it pays to leap.
const FAR: usize = 16;
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
    let (mut from, mut with) = (prefix.to_owned(), true);
    loop {
        let (mut steps, mut misses, mut next) = (0, 0, None);
        {
            let inbox = session.inbox();
            for (name, topic) in inbox.topics().from(&from, with) {
                if !name.starts_with(prefix) {
                    return Ok(());
                }
                steps += 1;
                if filter.matches(name) {
                    misses = 0;
                    visit(name, topic);
                } else {
                    misses += 1;
                }
                // One step costs less than a leap, but many do not.
                let leap = if misses >= FAR { filter.skip(name) } else { None };
                if leap.is_some() || steps >= STEP {
                    let is_leap = leap.is_some();
                    next = Some((leap.unwrap_or_else(|| name.to_string()), is_leap));
                    break;
                }
            }
        }
        match next {
            Some(next) => (from, with) = next,
            None => return Ok(()),
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
