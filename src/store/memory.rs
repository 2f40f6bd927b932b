//! The engine in memory: for `hearth mcp` without a daemon, which must not hold the files, and for
//! tests of others. Everything is gone when the process ends.

use crate::error::Error;
use crate::store::change::{Answer, Change, Counts, Engine, Peeked, now};
use crate::store::records::{self, Look, Records};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most bytes (keys and values) that are kept.
const MAX: usize = 64 << 20;
/// Nobody starts a timer for a store in memory, so it sweeps at every so many changes.
const SWEEP_EVERY: u64 = 256;

/// An ordered map that knows its size.
#[derive(Default)]
pub(super) struct Map {
    tree: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
}

impl Map {
    /// Returns how many records there are, of all sorts.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }
}

impl Look for Map {
    type Fail = Infallible;

    fn with<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Infallible> {
        Ok(self.tree.get(key).map(|value| read(value)))
    }

    fn scan(
        &self,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Infallible> {
        for (key, value) in self.tree.range(from.to_vec()..) {
            if !visit(key, value) {
                break;
            }
        }
        Ok(())
    }
}

impl Records for Map {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Infallible> {
        self.remove(key)?;
        self.bytes += key.len() + value.len();
        self.tree.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Infallible> {
        if let Some(value) = self.tree.remove(key) {
            self.bytes -= key.len() + value.len();
        }
        Ok(())
    }
}

/// The engine.
#[derive(Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    map: Map,
    changes: u64,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is checked before it touches the map, so a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sure<T>(answer: Result<T, Infallible>) -> T {
    match answer {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

impl Engine for Memory {
    fn get<'a>(&'a self, table: &'a str, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(async move { Ok(sure(records::get(&self.state().map, table, key, now()))) })
    }

    fn list<'a>(
        &'a self,
        table: &'a str,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(async move {
            Ok(sure(records::list(&self.state().map, table, prefix, after, limit, now())))
        })
    }

    fn change(&self, change: Change) -> Answer<'_, u64> {
        Box::pin(async move {
            let mut state = self.state();
            let adds = change.adds();
            if adds > 0 && state.map.bytes + adds > MAX {
                return Err(Error::limit(format!(
                    "the store in memory is full: it holds {MAX} bytes; start `hearth serve`, \
                     which keeps its data on disk"
                )));
            }
            let answer = sure(records::apply(&mut state.map, &change, now()))?;
            state.changes += 1;
            if state.changes.is_multiple_of(SWEEP_EVERY) {
                sure(records::sweep(&mut state.map, now(), usize::MAX));
            }
            Ok(answer)
        })
    }

    fn peek<'a>(&'a self, outbox: &'a str, limit: usize) -> Answer<'a, Peeked> {
        Box::pin(async move { Ok(sure(records::peek(&self.state().map, outbox, limit))) })
    }

    fn sweep(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let ended = sure(records::sweep(&mut self.state().map, now(), usize::MAX));
            Ok(ended as u64)
        })
    }

    fn counts(&self) -> Counts {
        let changes = self.state().changes;
        Counts { changes, commits: changes }
    }
}
