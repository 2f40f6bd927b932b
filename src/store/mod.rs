//! The store: named tables of keys and bytes. (In memory; the engines on disk and Redis follow.)

use crate::error::Error;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

type Table = BTreeMap<String, (Vec<u8>, Option<Instant>)>;

/// Keeps what must be remembered. Cloning it is cheap.
#[derive(Clone, Default)]
pub struct Store {
    tables: Arc<Mutex<BTreeMap<String, Table>>>,
}

impl Store {
    /// Makes a store that forgets everything when the program ends.
    pub fn memory() -> Store {
        Store::default()
    }

    fn with<T>(&self, table: &str, run: impl FnOnce(&mut Table) -> T) -> T {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.entry(table.to_owned()).or_default();
        table.retain(|_, (_, until)| until.is_none_or(|until| until > Instant::now()));
        run(table)
    }

    /// Reads a value.
    ///
    /// # Errors
    /// None in memory.
    pub async fn get(&self, table: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.with(table, |t| t.get(key).map(|(value, _)| value.clone())))
    }

    /// Writes a value, for `ttl` or for good.
    ///
    /// # Errors
    /// None in memory.
    pub async fn put(
        &self,
        table: &str,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), Error> {
        let until = ttl.map(|ttl| Instant::now() + ttl);
        self.with(table, |t| t.insert(key.to_owned(), (value.to_vec(), until)));
        Ok(())
    }

    /// Removes a value; says whether there was one.
    ///
    /// # Errors
    /// None in memory.
    pub async fn delete(&self, table: &str, key: &str) -> Result<bool, Error> {
        Ok(self.with(table, |t| t.remove(key).is_some()))
    }

    /// Lists keys that begin with `prefix`, after `after`, in order.
    ///
    /// # Errors
    /// None in memory.
    pub async fn list(
        &self,
        table: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let fits = |key: &str| key.starts_with(prefix) && after.is_none_or(|after| key > after);
        Ok(self.with(table, |t| {
            let found = t.iter().filter(|(key, _)| fits(key)).take(limit);
            found.map(|(key, (value, _))| (key.clone(), value.clone())).collect()
        }))
    }

    /// Replaces `expected` by `new` if it still stands; says whether it did.
    ///
    /// # Errors
    /// None in memory.
    pub async fn swap(
        &self,
        table: &str,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, Error> {
        Ok(self.with(table, |t| {
            if t.get(key).map(|(value, _)| &value[..]) != expected {
                return false;
            }
            match new {
                Some(new) => t.insert(key.to_owned(), (new.to_vec(), None)),
                None => t.remove(key),
            };
            true
        }))
    }
}
