//! What one client asked to hear: resources, a level of its log. Filled by the server's requests,
//! read by [`crate::mcp::watch`].
#![expect(deprecated, reason = "sessions before 2026-07-28 need what the newest protocol drops")]

use crate::error::Error;
use crate::events::{Events, Reader};
use rmcp::model::LoggingLevel;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// So many resources may one session ask about.
pub(crate) const MOST: usize = 1024;
/// Ears opened ahead of their subscription; more are not needed, and late ones hear a little less.
const EARS: usize = 8;

/// What one client wants to hear.
#[derive(Default)]
pub(crate) struct Wanted {
    state: Mutex<State>,
    ended: CancellationToken,
    versions: Arc<Versions>,
}

/// Resources whose changes are looked up, with the version that the client knows of each.
#[derive(Default)]
pub(crate) struct Versions {
    known: Mutex<BTreeMap<String, u64>>,
    more: Notify,
}

impl Versions {
    /// Begins to look after one, from this version on.
    pub(crate) fn add(&self, uri: &str, version: u64) {
        self.lock().insert(uri.to_owned(), version);
        self.more.notify_one();
    }

    fn remove(&self, uri: &str) {
        self.lock().remove(uri);
    }

    /// Waits until there is one to look after.
    pub(crate) async fn any(&self) {
        while self.lock().is_empty() {
            self.more.notified().await;
        }
    }

    /// Returns those that `look` gives another version of than the client knows.
    pub(crate) fn changed(&self, look: impl Fn(&str) -> Option<u64>) -> Vec<String> {
        let mut known = self.lock();
        let news = known.iter_mut().filter_map(|(uri, version)| {
            let now = look(uri).filter(|now| now != version)?;
            *version = now;
            Some(uri.clone())
        });
        news.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct State {
    level: Option<LoggingLevel>,
    uris: BTreeSet<String>,
    begun: bool,
    early: Vec<Reader>,
}

impl Wanted {
    /// The token that is cancelled when the client is gone.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Starts hearing, once: returns the ear the first time.
    pub(crate) fn begin(&self, events: &Events) -> Option<Reader> {
        let mut state = self.lock();
        (!std::mem::replace(&mut state.begun, true)).then(|| events.read())
    }

    pub(crate) fn listen_early(&self, events: &Events) {
        let mut state = self.lock();
        if state.early.len() < EARS {
            state.early.push(events.read());
        }
    }

    pub(crate) fn early(&self, events: &Events) -> Reader {
        self.lock().early.pop().unwrap_or_else(|| events.read())
    }

    pub(crate) fn add(&self, uri: &str) -> Result<(), Error> {
        let mut state = self.lock();
        if state.uris.len() >= MOST && !state.uris.contains(uri) {
            return Err(Error::limit(format!("a session may subscribe to {MOST} resources")));
        }
        state.uris.insert(uri.to_owned());
        Ok(())
    }

    pub(crate) fn remove(&self, uri: &str) {
        self.lock().uris.remove(uri);
        self.versions.remove(uri);
    }

    /// The resources whose changes are looked up.
    pub(crate) fn versions(&self) -> Arc<Versions> {
        self.versions.clone()
    }

    pub(crate) fn set_level(&self, level: LoggingLevel) {
        self.lock().level = Some(level);
    }

    pub(crate) fn level(&self) -> Option<LoggingLevel> {
        self.lock().level
    }

    /// The resources that the session asked about.
    pub(crate) fn uris(&self) -> BTreeSet<String> {
        self.lock().uris.clone()
    }

    /// Whether the session asked about this one.
    pub(crate) fn contains(&self, uri: &str) -> bool {
        self.lock().uris.contains(uri)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in these short sections can be half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
