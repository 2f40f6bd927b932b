//! Page sessions: a random cookie that stands for a token, so that the browser never keeps it.

use crate::error::Error;
use crate::policy::{now, random_hex, sha256};
use crate::store::Store;
use crate::text::hex;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const TABLE: &str = "pages";
/// So many sessions at most; the oldest goes first.
const MOST: usize = 256;
/// A session lasts this long.
const LASTS: Duration = Duration::from_secs(30 * 24 * 3600);

struct Session {
    token: u64,
    until: f64,
}

pub(super) struct Pages {
    /// By the hash of the cookie, so that a copy of the store opens no door.
    open: Mutex<HashMap<String, Session>>,
}

/// What is to be written to the store.
pub(super) enum Write {
    Put(String, String),
    Delete(String),
}

impl Write {
    pub(super) async fn run(self, store: &Store) -> Result<(), Error> {
        match self {
            Write::Put(key, value) => store.put(TABLE, &key, value.as_bytes(), Some(LASTS)).await,
            Write::Delete(key) => store.delete(TABLE, &key).await.map(|_| ()),
        }
    }
}

impl Pages {
    pub(super) async fn read(store: &Store) -> Result<Pages, Error> {
        let mut open = HashMap::new();
        for (key, value) in store.list(TABLE, "", None, MOST).await? {
            let text = String::from_utf8_lossy(&value);
            let parsed = text.split_once(' ').and_then(|(token, until)| {
                Some(Session { token: token.parse().ok()?, until: until.parse().ok()? })
            });
            if let Some(session) = parsed.filter(|s| s.until > now()) {
                open.insert(key, session);
            }
        }
        Ok(Pages { open: Mutex::new(open) })
    }

    pub(super) fn open(&self, token: u64) -> (String, Write) {
        // Without random numbers there is no safe cookie; an empty one opens nothing.
        let cookie = random_hex(24).unwrap_or_default();
        let key = hex(&sha256(&cookie));
        let until = now() + LASTS.as_secs_f64();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= MOST {
            let oldest = open.iter().min_by(|a, b| a.1.until.total_cmp(&b.1.until));
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                open.remove(&key);
            }
        }
        if !cookie.is_empty() {
            open.insert(key.clone(), Session { token, until });
        }
        (cookie, Write::Put(key, format!("{token} {until}")))
    }

    pub(super) fn find(&self, cookie: &str) -> Option<u64> {
        let key = hex(&sha256(cookie));
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(&key).filter(|session| session.until > now()).map(|session| session.token)
    }

    pub(super) fn close(&self, cookie: &str) -> Option<Write> {
        let key = hex(&sha256(cookie));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&key).map(|_| Write::Delete(key))
    }
}
