//! The audit log: one JSON line per action in a chain of hashes, and a ring of the newest for the page.

mod chain;
mod ledger;
mod verify;

pub use verify::{Verified, verify};

use crate::error::Error;
use crate::events::{Audit, Event, Events};
use crate::policy::{Caller, now};
use ledger::Ledger;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many entries are kept in memory.
const RECENT: usize = 500;
/// Longer texts are cut.
const LONGEST: usize = 200;

/// What came of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Allowed,
    /// A confirmation was asked for.
    Asked,
    /// It was refused.
    Denied,
    /// It was allowed and went wrong.
    Failed,
    /// It was only tried: what it would do was said, and nothing was done.
    DryRun,
}

impl Outcome {
    /// Returns the word used in the log.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::Asked => "asked",
            Outcome::Denied => "denied",
            Outcome::Failed => "failed",
            Outcome::DryRun => "dry_run",
        }
    }
}

pub(super) struct Log {
    events: Events,
    inner: Mutex<Inner>,
}

struct Inner {
    recent: VecDeque<Audit>,
    file: Option<Ledger>,
}

impl Log {
    /// Opens the log; one that cannot be written is said once and kept in memory only.
    pub(super) fn open(data_dir: Option<&Path>, most: u64, events: Events) -> Log {
        let file = data_dir.and_then(|dir| match Ledger::open(&dir.join("audit.jsonl"), most) {
            Ok(file) => Some(file),
            Err(e) => {
                log::warn!("the audit log is kept in memory only: {e}");
                None
            }
        });
        let recent = VecDeque::with_capacity(RECENT);
        Log { events, inner: Mutex::new(Inner { recent, file }) }
    }

    pub(super) fn write(
        &self,
        caller: &Caller,
        action: &str,
        target: &str,
        outcome: Outcome,
        reason: Option<&str>,
        took: Option<Duration>,
    ) {
        let entry = Audit {
            at: now(),
            who: caller.name.to_string(),
            via: caller.via.word(),
            action: plain(action),
            target: plain(target),
            outcome: outcome.word(),
            reason: reason.map(plain),
            ms: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = &mut inner.file
            && let Err(e) = add(lines, &entry)
        {
            log::error!("an entry of the audit log could not be written: {e}");
        }
        if inner.recent.len() == RECENT {
            inner.recent.pop_front();
        }
        inner.recent.push_back(entry.clone());
        drop(inner);
        self.events.publish(Event::Audit(entry));
    }

    pub(super) fn recent(&self) -> Vec<Audit> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.recent.iter().cloned().collect()
    }
}

fn add(lines: &mut Ledger, entry: &Audit) -> Result<(), Error> {
    let line = serde_json::to_string(entry)
        .map_err(|e| Error::broken("the entry is no JSON").because(e))?;
    lines.add(line)
}

/// The text without control characters, cut to a length that a log can bear.
fn plain(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().take(LONGEST).map(clean).collect()
}

#[cfg(test)]
mod tests;
