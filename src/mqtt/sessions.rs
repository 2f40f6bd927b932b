//! The sessions that tools opened: whose they are, how many, and when they end.
//!
//! A session belongs to the token that opened it; nobody else sees it. It ends when it is closed, when it
//! was not used for `mqtt.session_ttl`, and when its token is revoked.

use crate::error::Error;
use crate::mqtt::clock::now;
use crate::mqtt::session::Session;
use crate::policy::{Caller, Policy};
use crate::tasks::Tasks;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A session as its owner sees it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) session: Arc<Session>,
    owner: Caller,
    /// Name of the profile that was used.
    pub(crate) profile: Option<String>,
    /// Microseconds since 1970 (UTC).
    pub(crate) created: i64,
    used: Instant,
}

impl Entry {
    /// Since when it was not used.
    pub(crate) fn idle(&self) -> Duration {
        self.used.elapsed()
    }
}

/// All of them.
pub(crate) struct Sessions {
    open: Mutex<BTreeMap<String, Entry>>,
    most: usize,
    ttl: Duration,
}

impl Sessions {
    /// Starts with none, and sees to it that they end.
    pub(crate) fn start(
        most: usize,
        ttl: Duration,
        policy: &Policy,
        tasks: &Tasks,
    ) -> Arc<Sessions> {
        let sessions = Arc::new(Sessions { open: Mutex::default(), most, ttl });
        let (all, policy, stop) = (sessions.clone(), policy.clone(), tasks.stopping());
        tasks.job(async move {
            let mut revoked = policy.revoked();
            let mut tick = tokio::time::interval((ttl / 4).clamp(SOONEST, LATEST));
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    changed = revoked.changed() => if changed.is_err() { return },
                    () = stop.cancelled() => return,
                }
                all.sweep(&policy);
            }
        });
        sessions
    }

    /// Returns how many there may be, and for how long without use.
    pub(crate) fn bounds(&self) -> (usize, Duration) {
        (self.most, self.ttl)
    }

    /// Makes place for one more and takes it in.
    ///
    /// # Errors
    /// Limit when there are as many as there may be; `make` is not called then.
    pub(crate) fn add(
        &self,
        owner: &Caller,
        profile: Option<&str>,
        make: impl FnOnce(&str) -> Arc<Session>,
    ) -> Result<Entry, Error> {
        let id = crate::policy::random_token()?[..16].to_owned();
        let mut open = self.open();
        self.drop_unused(&mut open);
        if open.len() >= self.most {
            return Err(Error::limit(format!(
                "{} sessions are open already, more may not be (mqtt.max_sessions); close one with \
                 mqtt_close_connection",
                self.most
            )));
        }
        let owner = Caller { underway: None, ..owner.clone() };
        let profile = profile.map(str::to_owned);
        let (created, session) = (now(), make(&id));
        let entry = Entry { session, owner, profile, created, used: Instant::now() };
        open.insert(id, entry.clone());
        Ok(entry)
    }

    /// Returns a session of the caller's and notes that it is used.
    pub(crate) fn find(&self, caller: &Caller, id: &str) -> Result<Arc<Session>, Error> {
        let mut open = self.open();
        self.drop_unused(&mut open);
        let found = open.get_mut(id).filter(|entry| is_of(entry, caller));
        let entry = found.ok_or_else(unknown)?;
        entry.used = Instant::now();
        Ok(entry.session.clone())
    }

    /// Returns the caller's, oldest first.
    pub(crate) fn list(&self, caller: &Caller) -> Vec<Entry> {
        let mut open = self.open();
        self.drop_unused(&mut open);
        let mut own: Vec<_> = open.values().filter(|entry| is_of(entry, caller)).cloned().collect();
        own.sort_by_key(|entry| entry.created);
        own
    }

    /// Returns everybody's, for what nobody in particular asks.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.open().values().map(|entry| entry.session.clone()).collect()
    }

    /// Returns how many are open, everybody's.
    pub(crate) fn count(&self) -> usize {
        self.open().len()
    }

    /// Ends a session of the caller's.
    pub(crate) fn close(&self, caller: &Caller, id: &str) -> Result<Entry, Error> {
        let mut open = self.open();
        if !open.get(id).is_some_and(|entry| is_of(entry, caller)) {
            return Err(unknown());
        }
        let entry = open.remove(id).ok_or_else(unknown)?;
        entry.session.close();
        Ok(entry)
    }

    fn sweep(&self, policy: &Policy) {
        let mut open = self.open();
        self.drop_unused(&mut open);
        open.retain(|_, entry| {
            let is_live = policy.is_live(&entry.owner);
            if !is_live {
                entry.session.close();
            }
            is_live
        });
    }

    fn drop_unused(&self, open: &mut BTreeMap<String, Entry>) {
        open.retain(|_, entry| {
            let is_used = entry.idle() < self.ttl;
            if !is_used {
                entry.session.close();
            }
            is_used
        });
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SOONEST: Duration = Duration::from_millis(250);
const LATEST: Duration = Duration::from_secs(30);

/// Two tokens of one name differ; scripts and the command line have a token of their own each.
fn is_of(entry: &Entry, caller: &Caller) -> bool {
    entry.owner.token == caller.token && (caller.token != 0 || entry.owner.name == caller.name)
}

fn unknown() -> Error {
    Error::not_found(
        "there is no such session, or it ended; mqtt_list_active_connections lists yours, and \
         without session_id the home's broker is meant",
    )
}
