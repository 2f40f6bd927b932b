//! What lamps were like before a show: kept in the store until it is put back, so that it is put back
//! after a kill, too.

use crate::error::Error;
use crate::policy::{Caller, Grant, Policy};
use crate::store::Store;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

const TABLE: &str = "aurora_before";
/// What could not be put back for so long is of no use any more.
const KEPT: Duration = Duration::from_secs(7 * 86_400);
const PAGE: usize = 100;

/// A lamp as it was before a show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::aurora::lamps) struct Before {
    /// What the output calls it.
    pub(in crate::aurora::lamps) lamp: String,
    /// Who started the show.
    who: String,
    /// What they may do: putting back does no more.
    grant: Grant,
    /// As the output wrote it.
    pub(in crate::aurora::lamps) state: Value,
}

/// What one output keeps. Cloning it is cheap.
#[derive(Clone)]
pub(in crate::aurora::lamps) struct Kept {
    store: Store,
    output: &'static str,
    turn: Arc<Mutex<()>>,
}

impl Before {
    /// A lamp that `caller` has in a show from now on.
    pub(in crate::aurora::lamps) fn new(lamp: &str, caller: &Caller, state: Value) -> Before {
        let grant = Grant::clone(&caller.grant);
        Before { lamp: lamp.into(), who: caller.name.to_string(), grant, state }
    }

    /// Whether both can be put back in one call.
    pub(in crate::aurora::lamps) fn is_alike(&self, other: &Before) -> bool {
        self.state == other.state && self.who == other.who && self.grant == other.grant
    }

    /// Returns whom putting back acts as: whoever started the show, also when their token is gone by
    /// now, since what they began must end.
    pub(in crate::aurora::lamps) fn caller(&self, policy: &Policy) -> Caller {
        policy.acting(&self.who, &self.grant)
    }
}

impl Kept {
    pub(in crate::aurora::lamps) fn new(store: &Store, output: &'static str) -> Kept {
        Kept { store: store.clone(), output, turn: Arc::default() }
    }

    /// Waits for the turn of whoever begins a show or puts back what another left: a lamp that is being
    /// put back must not be kept as it still is.
    pub(in crate::aurora::lamps) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Keeps lamps as they are now. One of which something older is kept stays as it is: an earlier show
    /// was not put back yet, and what it found counts.
    ///
    /// # Errors
    /// What the store says.
    pub(in crate::aurora::lamps) async fn keep(&self, all: &[Before]) -> Result<(), Error> {
        for before in all {
            let key = self.key(&before.lamp);
            if self.store.get(TABLE, &key).await?.is_none() {
                let json = serde_json::to_vec(before)
                    .map_err(|e| Error::broken("a lamp's state cannot be written").because(e))?;
                self.store.put(TABLE, &key, &json, Some(KEPT)).await?;
            }
        }
        Ok(())
    }

    /// Returns what is kept.
    ///
    /// # Errors
    /// What the store says.
    pub(in crate::aurora::lamps) async fn all(&self) -> Result<Vec<Before>, Error> {
        let (prefix, mut all, mut after) = (self.key(""), Vec::new(), None::<String>);
        loop {
            let page = self.store.list(TABLE, &prefix, after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(all) };
            after = Some(last.clone());
            for (key, json) in &page {
                match serde_json::from_slice(json) {
                    Ok(before) => all.push(before),
                    Err(e) => {
                        log::warn!("what is kept of the lamp '{key}' cannot be read: {e}");
                        self.store.delete(TABLE, key).await?;
                    }
                }
            }
        }
    }

    /// Forgets a lamp that is as it was.
    ///
    /// # Errors
    /// What the store says.
    pub(in crate::aurora::lamps) async fn forget(&self, lamp: &str) -> Result<(), Error> {
        self.store.delete(TABLE, &self.key(lamp)).await.map(drop)
    }

    fn key(&self, lamp: &str) -> String {
        format!("{}/{lamp}", self.output)
    }
}
