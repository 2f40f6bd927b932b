//! Sessions in the store: read, written by comparing, listed; and this node's word among the others'.
//!
//! Everything that was answered is in the store before. A write that was refused says that somebody
//! else has the session now: the writer has to let go of what it runs. It starts nothing.

use crate::error::{Error, Kind};
use crate::orchestrator::sessions::{
    Beat, Key, LEASE, Lease, Own, Record, Standing, Watch, standing,
};
use crate::store::{PAGE_MAX, Store};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const SESSIONS: &str = "orchestrator-sessions";
const NODES: &str = "orchestrator-nodes";
const KEYS: &str = "orchestrator-keys";
/// More nodes than these are not looked at.
const MOST_NODES: usize = 64;

/// A record, and the bytes that it has in the store: what the next write is compared with.
#[derive(Clone, Debug)]
pub struct Held {
    /// What it says.
    pub record: Record,
    bytes: Vec<u8>,
}

impl Held {
    fn read(bytes: Vec<u8>) -> Result<Held, Error> {
        let record = serde_json::from_slice(&bytes).map_err(|e| {
            Error::broken("a session in the store cannot be read; another version wrote it")
                .because(e)
        })?;
        Ok(Held { record, bytes })
    }

    /// Returns where it stands.
    pub fn key(&self) -> Key {
        Key { token: self.record.owner.token, id: self.record.id.clone() }
    }
}

/// The sessions of the store, and this node among those that use it. Cloning it is cheap.
#[derive(Clone)]
pub struct Keeper {
    store: Store,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    own: Own,
    watch: Watch,
    beat: Beat,
    /// The key of the nodes, once it was read.
    key: Option<String>,
}

impl Keeper {
    /// A keeper of a store that no other node writes to.
    pub fn alone(store: &Store, lease: Lease) -> Keeper {
        Keeper::new(store, Own::alone(lease), LEASE, "")
    }

    /// A keeper of a store that other nodes write to, too; they give this one up when it did not renew
    /// for `length`, and reach it at `url`. [`Keeper::join`] must come first.
    pub fn among_others(store: &Store, lease: Lease, length: Duration, url: &str) -> Keeper {
        Keeper::new(store, Own::among_others(lease, length), length, url)
    }

    fn new(store: &Store, own: Own, length: Duration, url: &str) -> Keeper {
        let (run, url) = (own.lease.run.clone(), url.to_owned());
        let beat = Beat { run, beat: 0, url, given_up: false };
        let shared = Shared { own, watch: Watch::new(length), beat, key: None };
        Keeper { store: store.clone(), shared: Arc::new(Mutex::new(shared)) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the lease that this node writes into its sessions.
    pub fn lease(&self) -> Lease {
        self.lock().own.lease.clone()
    }

    /// Checks that this node may act for its sessions.
    ///
    /// # Errors
    /// Offline when its own word in the store is too old: another node may have them by now.
    pub fn check_trust(&self) -> Result<(), Error> {
        match self.lock().own.trusts_itself(Instant::now()) {
            true => Ok(()),
            false => Err(Error::offline(
                "this node could not renew its lease in Redis in time, so another may have its \
                 sessions; it goes on when Redis answers again",
            )),
        }
    }

    /// Returns the session of that key.
    ///
    /// # Errors
    /// What the store says; Broken when the record cannot be read.
    pub async fn get(&self, key: &Key) -> Result<Option<Held>, Error> {
        self.store.get(SESSIONS, &key.text()).await?.map(Held::read).transpose()
    }

    /// Returns all sessions, of all owners and nodes, ended ones too, in the order of their keys. One
    /// that cannot be read is left out and logged.
    ///
    /// # Errors
    /// What the store says.
    pub async fn all(&self) -> Result<Vec<Held>, Error> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.list(SESSIONS, "", after.as_deref(), PAGE_MAX).await?;
            let Some((last, _)) = page.last() else { return Ok(all) };
            after = Some(last.clone());
            for (key, bytes) in page {
                match Held::read(bytes) {
                    Ok(held) => all.push(held),
                    Err(e) => log::warn!("session {key}: {e}"),
                }
            }
        }
    }

    /// Writes `new` in place of `old` (`None`: there must be none). Answers what stands there now.
    ///
    /// # Errors
    /// Conflict when somebody else wrote it meanwhile: whoever gets this has lost the session. What the
    /// store says otherwise; then it may or may not have been written, and writing again settles it.
    pub async fn write(&self, old: Option<&Held>, new: Record) -> Result<Held, Error> {
        let bytes = serde_json::to_vec(&new)
            .map_err(|e| Error::broken("a session is no JSON").because(e))?;
        let new = Held { record: new, bytes };
        let key = new.key();
        let mut expected = old.map(|old| old.bytes.clone());
        // A write whose answer was lost may have happened: then the second try finds what it wrote.
        for _ in 0..3 {
            let text = key.text();
            if self.store.swap(SESSIONS, &text, expected.as_deref(), Some(&new.bytes)).await? {
                return Ok(new);
            }
            let Some(there) = self.get(&key).await? else { break };
            if there.bytes == new.bytes {
                return Ok(new);
            }
            let is_own = old.is_some_and(|old| {
                let (there, old) = (&there.record, &old.record);
                there.epoch == old.epoch && there.lease == old.lease && there.is_open()
            });
            if !is_own {
                break;
            }
            expected = Some(there.bytes);
        }
        Err(Error::conflict(format!(
            "the session '{}' was changed by somebody else meanwhile; look at it again",
            key.id
        )))
    }

    /// Removes a record that says exactly this; false when it says something else by now.
    ///
    /// # Errors
    /// What the store says.
    pub async fn forget(&self, held: &Held) -> Result<bool, Error> {
        self.store.swap(SESSIONS, &held.key().text(), Some(&held.bytes), None).await
    }

    /// Says how a session stands to this node; asks the store about the node that holds it.
    ///
    /// # Errors
    /// What the store says.
    pub async fn standing(&self, record: &Record) -> Result<Standing, Error> {
        let own = self.lease();
        let beat = match record.lease.node == own.node {
            true => None,
            false => self.beat_of(&record.lease.node).await?,
        };
        Ok(standing(&record.lease, &own, beat.as_ref()))
    }

    /// Returns where another node is reached; `None` when it does not say.
    ///
    /// # Errors
    /// What the store says.
    pub async fn url_of(&self, node: &str) -> Result<Option<String>, Error> {
        let beat = self.beat_of(node).await?;
        Ok(beat.map(|beat| beat.url).filter(|url| !url.is_empty()))
    }

    /// Returns the key by which the nodes of this store know each other; made when there is none.
    ///
    /// # Errors
    /// What the store says.
    pub async fn nodes_key(&self) -> Result<String, Error> {
        if let Some(key) = self.lock().key.clone() {
            return Ok(key);
        }
        let made = crate::orchestrator::beyond::fresh_key()?;
        self.store.swap(KEYS, "nodes", None, Some(&made)).await?;
        let there = self.store.get(KEYS, "nodes").await?.unwrap_or(made);
        let key: String = serde_json::from_slice(&there)
            .map_err(|e| Error::broken("the nodes' key in the store cannot be read").because(e))?;
        self.lock().key = Some(key.clone());
        Ok(key)
    }

    async fn beat_of(&self, node: &str) -> Result<Option<Beat>, Error> {
        let bytes = self.store.get(NODES, node).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Says in the store that this run of the node is there. What an earlier run said is replaced.
    ///
    /// # Errors
    /// What the store says.
    pub async fn join(&self) -> Result<(), Error> {
        let began = Instant::now();
        let (node, beat) = {
            let shared = self.lock();
            (shared.own.lease.node.clone(), shared.beat.clone())
        };
        self.store.put(NODES, &node, &json(&beat)?, None).await?;
        self.lock().own.renewed(began);
        Ok(())
    }

    /// Renews this node's word.
    ///
    /// # Errors
    /// Conflict when another node gave this run up: its sessions are lost, and it must begin
    /// [anew](Keeper::begin_anew). What the store says otherwise.
    pub async fn renew(&self) -> Result<(), Error> {
        let began = Instant::now();
        let (node, old) = {
            let shared = self.lock();
            (shared.own.lease.node.clone(), shared.beat.clone())
        };
        let new = Beat { beat: old.beat + 1, ..old.clone() };
        let mut expected = Some(json(&old)?);
        // The answer of the renewal before may have been lost: then that one stands there.
        for _ in 0..3 {
            if self.store.swap(NODES, &node, expected.as_deref(), Some(&json(&new)?)).await? {
                let mut shared = self.lock();
                shared.beat = new;
                shared.own.renewed(began);
                return Ok(());
            }
            expected = self.store.get(NODES, &node).await?;
            let there = expected.as_deref().and_then(|b| serde_json::from_slice::<Beat>(b).ok());
            if there.is_none_or(|there| there.given_up || there.run != new.run) {
                break;
            }
        }
        self.lock().own.lost();
        Err(Error::conflict("other nodes gave this one up while Redis did not hear of it"))
    }

    /// Begins a new run, after the old one was given up.
    pub fn begin_anew(&self, run: &str) {
        let mut shared = self.lock();
        shared.own.lease.run = run.to_owned();
        shared.beat.run = run.to_owned();
        shared.beat.beat = 0;
    }

    /// Looks at the other nodes and gives up those that were silent for a lease; returns their names.
    ///
    /// # Errors
    /// What the store says.
    pub async fn look_at_nodes(&self) -> Result<Vec<String>, Error> {
        let page = self.store.list(NODES, "", None, MOST_NODES).await?;
        let read = |(node, bytes): (String, Vec<u8>)| {
            Some((node, serde_json::from_slice::<Beat>(&bytes).ok()?))
        };
        let beats: BTreeMap<String, Beat> = page.into_iter().filter_map(read).collect();
        let now = Instant::now();
        let silent = {
            let mut shared = self.lock();
            shared.watch.saw(&beats, now);
            let own = shared.own.lease.node.clone();
            shared.watch.silent(&own, now)
        };
        let mut given_up = Vec::new();
        for (node, beat) in silent {
            let new = Beat { given_up: true, ..beat.clone() };
            if self.store.swap(NODES, &node, Some(&json(&beat)?), Some(&json(&new)?)).await? {
                given_up.push(node);
            }
        }
        Ok(given_up)
    }
}

fn json(beat: &Beat) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(beat).map_err(|e| Error::broken("a node's word is no JSON").because(e))
}

/// Whether a failure says that somebody else has the session.
pub fn is_lost(e: &Error) -> bool {
    e.kind() == Kind::Conflict
}
