//! The list of changes in the store: a short head for each, and beside it the versions in parts.

use crate::error::Error;
use crate::home::house::now;
use crate::home::settings::members::Member;
use crate::policy::Caller;
use crate::store::{Op, Store};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Table of the heads; keys are the ids, which begin with the time.
const HEADS: &str = "home-changes";
/// Table of the versions; keys are `<id>/<part>`.
const VERSIONS: &str = "home-versions";
/// The store takes values of 1 MiB.
const PART: usize = 512 * 1024;
/// A change whose versions are larger is refused; a batch of the store holds 4 MiB.
const LARGEST: usize = 3 << 20;
/// So many changes of the configuration are kept.
const MOST: usize = 500;
/// So many of one object.
const MOST_OF_ONE: usize = 20;
/// So many calls whose states before are kept.
const MOST_CALLS: usize = 200;
/// All versions together may take so many bytes.
const MOST_BYTES: usize = 32 << 20;
/// After so many changes the oldest are looked for.
const EACH: u64 = 16;
/// Entities of a change that its head names.
const NAMED: usize = 60;

/// How far a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stand {
    /// Its version is stored; whether Home Assistant was written is not noted.
    Started,
    /// Home Assistant has it.
    Done,
    /// Home Assistant refused it, or it never came there.
    Failed,
    /// Something else is there now, and what became of this cannot be told.
    Unknown,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// A configured thing.
    Config,
    /// States, by a call.
    States,
}

/// The head of a change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) at: f64,
    pub(crate) who: String,
    pub(crate) via: String,
    pub(crate) house: String,
    pub(crate) part: Part,
    /// created, changed, deleted, called.
    pub(crate) action: String,
    /// The kind; the service of a call.
    pub(crate) kind: String,
    /// The object's id; empty for a call and until a new one has one.
    pub(crate) object: String,
    /// What people call it.
    pub(crate) name: String,
    /// The entities it has to do with, the first of them.
    pub(crate) entities: Vec<String>,
    /// There are more than those.
    pub(crate) more_entities: bool,
    pub(crate) stand: Stand,
    /// The change that this one undoes.
    pub(crate) undoes: Option<String>,
    /// The change that undid this one.
    pub(crate) undone_by: Option<String>,
    bytes: usize,
}

/// What a change replaced and what it put there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Draft {
    /// Fields before; `None` when there was nothing. For a call: states by entity.
    pub(crate) before: Option<Map<String, Value>>,
    /// Fields after; `None` when it is deleted.
    pub(crate) after: Option<Map<String, Value>>,
    /// What pointed to an object that is deleted.
    pub(crate) members: Vec<Member>,
    /// Ids that were there before one is created whose id is not known yet.
    pub(crate) others: Vec<String>,
}

/// The changes. Cloning it is cheap.
#[derive(Clone)]
pub(crate) struct Changes {
    store: Store,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The last id, as a number.
    last: AtomicU64,
    count: AtomicU64,
    /// Whoever reads, compares and writes a configuration holds it.
    pub(crate) one: tokio::sync::Mutex<()>,
}

impl Changes {
    /// Keeps the changes in `store`.
    pub(crate) fn new(store: &Store) -> Changes {
        Changes { store: store.clone(), shared: Arc::default() }
    }

    /// Waits for the turn to read, compare and write: two changes never go by the same version.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.one.lock().await
    }

    /// Makes a head that is not stored yet.
    pub(crate) fn head(&self, caller: &Caller, house: &str, part: Part, kind: &str) -> Change {
        Change {
            id: self.next_id(),
            at: now(),
            who: caller.name.to_string(),
            via: caller.via.word().to_owned(),
            house: house.to_owned(),
            part,
            action: String::new(),
            kind: kind.to_owned(),
            object: String::new(),
            name: String::new(),
            entities: Vec::new(),
            more_entities: false,
            stand: Stand::Started,
            undoes: None,
            undone_by: None,
            bytes: 0,
        }
    }

    /// Milliseconds since 1970 in base 36, so that ids sort by time; one more when two fall together.
    fn next_id(&self) -> String {
        let time = (now() * 1000.0) as u64;
        let last = &self.shared.last;
        let before =
            last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |l| Some(time.max(l + 1)));
        let mut number = time.max(before.unwrap_or_default() + 1);
        let mut digits = [b'0'; 9];
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
            number /= 36;
        }
        String::from_utf8_lossy(&digits).into_owned()
    }

    /// Stores a change and what it replaces, before it is made.
    ///
    /// # Errors
    /// Limit when the versions are too large to keep; what the store says. Nothing must be changed
    /// then.
    pub(crate) async fn begin(
        &self,
        change: &mut Change,
        entities: impl Iterator<Item = String>,
        draft: &Draft,
    ) -> Result<(), Error> {
        let mut entities = entities;
        change.entities = entities.by_ref().take(NAMED).collect();
        change.more_entities = entities.next().is_some();
        let version = json(draft)?;
        change.bytes = version.len();
        if version.len() > LARGEST {
            return Err(Error::limit(format!(
                "what this replaces is {} bytes, more than Hearth keeps for undo ({LARGEST}); change \
                 it in Home Assistant itself",
                version.len()
            )));
        }
        let mut ops = vec![Op::put(HEADS, &change.id, &json(change)?)];
        for (number, part) in version.chunks(PART).enumerate() {
            ops.push(Op::put(VERSIONS, &format!("{}/{number}", change.id), part));
        }
        self.store.batch(ops).await?;
        // The oldest go when there are too many; one that stays a while longer does no harm.
        if self.shared.count.fetch_add(1, Ordering::Relaxed).is_multiple_of(EACH)
            && let Err(e) = self.prune().await
        {
            log::warn!("old changes stay in the store for now: {e}");
        }
        Ok(())
    }

    /// Notes what came of a change, and with `draft` what there is now. When that cannot be stored it
    /// is told from Home Assistant later.
    pub(crate) async fn end(&self, change: &mut Change, draft: Option<&Draft>) {
        let done = async {
            let mut ops = Vec::new();
            if let Some(draft) = draft {
                let version = json(draft)?;
                for (number, part) in version.chunks(PART).enumerate() {
                    ops.push(Op::put(VERSIONS, &format!("{}/{number}", change.id), part));
                }
                // A part that is left over would be read as the end of a shorter version.
                for number in version.len().div_ceil(PART)..change.bytes.div_ceil(PART) {
                    ops.push(Op::delete(VERSIONS, &format!("{}/{number}", change.id)));
                }
                change.bytes = version.len();
            }
            ops.push(Op::put(HEADS, &change.id, &json(change)?));
            self.store.batch(ops).await
        }
        .await;
        if let Err(e) = done {
            log::warn!("what came of the change {} could not be stored: {e}", change.id);
        }
    }

    /// Returns a change.
    ///
    /// # Errors
    /// NotFound when there is none of that id; what the store says.
    pub(crate) async fn get(&self, id: &str) -> Result<Change, Error> {
        let known = |id: &str| id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        let head = match known(id) {
            true => self.store.get(HEADS, id).await?,
            false => None,
        };
        let head = head.ok_or_else(|| {
            Error::not_found(
                "there is no such change, or it is too old to be kept; home_undo without \
                              arguments lists them",
            )
        })?;
        read(&head)
    }

    /// Returns what a change replaced and what it put there.
    ///
    /// # Errors
    /// NotFound; what the store says.
    pub(crate) async fn version(&self, id: &str) -> Result<Draft, Error> {
        let mut whole = Vec::new();
        for number in 0.. {
            match self.store.get(VERSIONS, &format!("{id}/{number}")).await? {
                Some(part) => whole.extend(part),
                None => break,
            }
        }
        match whole.is_empty() {
            true => Err(Error::not_found(format!("the versions of the change {id} are gone"))),
            false => read(&whole),
        }
    }

    /// Returns every change that is kept, the oldest first.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn all(&self) -> Result<Vec<Change>, Error> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.list(HEADS, "", after.as_deref(), 1000).await?;
            let Some((last, _)) = page.last() else { return Ok(all) };
            after = Some(last.clone());
            for (key, head) in &page {
                match read::<Change>(head) {
                    Ok(change) => all.push(change),
                    Err(e) => log::warn!("the change {key} cannot be read: {e}"),
                }
            }
        }
    }

    async fn prune(&self) -> Result<(), Error> {
        let all = self.all().await?;
        let gone = surplus(&all);
        for some in gone.chunks(32) {
            let mut ops = Vec::new();
            for change in some {
                ops.push(Op::delete(HEADS, &change.id));
                for number in 0..change.bytes.div_ceil(PART).max(1) {
                    ops.push(Op::delete(VERSIONS, &format!("{}/{number}", change.id)));
                }
            }
            self.store.batch(ops).await?;
        }
        Ok(())
    }
}

/// Returns which of the changes, the oldest first, are too many. The newest is never one of them.
fn surplus(all: &[Change]) -> Vec<&Change> {
    let (mut configs, mut calls, mut bytes) = (0, 0, 0);
    let mut of_one: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
    let mut gone = Vec::new();
    for (age, change) in all.iter().rev().enumerate() {
        bytes += change.bytes;
        let is_many = match change.part {
            Part::States => {
                calls += 1;
                calls > MOST_CALLS
            }
            Part::Config => {
                configs += 1;
                let which = (&*change.house, &*change.kind, &*change.object);
                let count = of_one.entry(which).or_default();
                *count += 1;
                configs > MOST || *count > MOST_OF_ONE
            }
        };
        if age > 0 && (is_many || bytes > MOST_BYTES) {
            bytes -= change.bytes;
            gone.push(change);
        }
    }
    gone
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::broken("a change is no JSON").because(e))
}

fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(json)
        .map_err(|e| Error::broken("a stored change cannot be read").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Events;
    use crate::policy::{self, Policy, Via};
    use crate::tasks::Tasks;

    async fn someone(store: &Store) -> Caller {
        let events = Events::new();
        let tasks = Tasks::new(events.clone());
        let rules = policy::Config::default();
        let policy = Policy::start(&rules, store, &events, &tasks, None).await.unwrap();
        policy.local(Via::Control)
    }

    #[tokio::test]
    async fn versions_of_any_size_come_back_until_they_are_too_large() {
        let store = Store::memory();
        let changes = Changes::new(&store);
        let caller = someone(&store).await;
        for (size, kept) in [(10, true), (2 << 20, true), (4 << 20, false)] {
            let mut head = changes.head(&caller, "home", Part::Config, "dashboard");
            let mut fields = Map::new();
            fields.insert("x".into(), "y".repeat(size).into());
            let draft = Draft { before: Some(fields.clone()), ..Draft::default() };
            let done = changes.begin(&mut head, std::iter::empty(), &draft).await;
            assert_eq!(done.is_ok(), kept, "{size}: {done:?}");
            if kept {
                assert_eq!(changes.version(&head.id).await.unwrap().before, Some(fields));
            }
        }
        assert_eq!(changes.all().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn old_changes_go_and_ids_sort_by_time() {
        let store = Store::memory();
        let changes = Changes::new(&store);
        let caller = someone(&store).await;
        let mut ids = Vec::new();
        for number in 0..100 {
            let mut head = changes.head(&caller, "home", Part::Config, "area");
            head.object = if number % 2 == 0 { "attic".into() } else { format!("a{number}") };
            changes.begin(&mut head, std::iter::empty(), &Draft::default()).await.unwrap();
            ids.push(head.id);
        }
        assert!(ids.is_sorted(), "{ids:?}");
        changes.prune().await.unwrap();
        let all = changes.all().await.unwrap();
        let attics = all.iter().filter(|change| change.object == "attic").count();
        assert_eq!((attics, all.len()), (MOST_OF_ONE, 50 + MOST_OF_ONE));
        assert!(changes.version(&ids[0]).await.is_err() && changes.version(&ids[98]).await.is_ok());
        assert!(changes.get("../../etc").await.is_err());
    }
}
