//! The store: named tables of small values and durable outboxes, kept across crashes.
//!
//! Fed and read by every service that must remember something (policy, sessions, talks, mirrors).
//! A change that was answered is on the disk (with Redis: acknowledged by it). It never knows what
//! a value means, never grows beyond its bounds, and never overwrites a file that it cannot read.
//!
//! # Why redb
//! Measured before it was chosen: each engine in an otherwise empty release program (`opt-level =
//! "s"`, fat LTO, x86-64, ext4 on a virtual disk, cache of 1 MiB), medians of three runs. Every
//! commit is flushed to the disk; "open" is a file with 10,000 entries of 200 bytes.
//!
//! | | redb 4.4 | fjall 3.1 | SQLite (rusqlite 0.41, WAL) | canopydb 0.2 | a bare log |
//! | --- | --- | --- | --- | --- | --- |
//! | one put of 100 bytes: processor | 99 µs | 64 µs | 75 µs | 44 µs | 53 µs |
//! | one put: to the disk | 32.8 kB | 4.3 kB | 9.9 kB | 4.3 kB | 4.2 kB |
//! | 16 puts in one commit: processor | 224 µs | 89 µs | 110 µs | 64 µs | 64 µs |
//! | 16 puts in one commit: to the disk | 98 kB | 6.2 kB | 50 kB | 6.4 kB | 6.0 kB |
//! | open: processor | 1.4 ms | 12.4 ms | < 2 ms | 11.9 ms | 3.9 ms |
//! | open after a kill: processor | 4.3 ms | 12.2 ms | < 2 ms | 14.0 ms | 7.2 ms |
//! | memory after opening | 0.5 MiB | 1.3 MiB | 0.8 MiB | 3.9 MiB | 3.1 MiB |
//! | size of the program | +632 KiB | +716 KiB | +1,056 KiB | +585 KiB | 0 |
//! | threads of its own | 0 | 1 | 0 | 2 | 0 |
//! | packages besides itself | 1 | 33 | 8, and a C compiler | 40 | 0 |
//! | licence | MIT/Apache-2.0 | MIT/Apache-2.0 | MIT, public domain | MIT | |
//!
//! The program may have 6 MB and 10 MB of memory, and starts for every `hearth mcp`: that leaves
//! redb and SQLite. SQLite writes a third of the bytes and would be taken where the disk is the
//! bottleneck; redb is 424 KiB smaller, holds the least memory and is one package of plain Rust. Its
//! price is that a lone put writes eight pages. Hearth writes rarely (tokens, sessions, talks), and
//! puts that wait together share a flush: with 64 waiting, one costs 3.4 kB. What changes every
//! second belongs into memory first, not here. `tests/it/store/cost.rs` measures it again.

mod change;
mod config;
mod embedded;
mod memory;
mod outbox;
mod records;
mod redis;

pub use change::{
    BATCH_BYTES, BATCH_MAX, Bounds, Counts, KEY_MAX, NAME_MAX, Op, PAGE_BYTES, PAGE_MAX, TTL_MAX,
    VALUE_MAX,
};
pub use config::{Config, ENV, RANGES};
pub use outbox::Outbox;

use crate::error::Error;
use crate::tasks::Tasks;
use change::{Change, Engine};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often entries whose life has ended are removed.
const SWEEP: Duration = Duration::from_secs(300);

/// Makes the data folder if it is missing, readable by its owner only.
///
/// # Errors
/// Broken, with what to do, when it cannot be made.
pub fn make_folder(data_dir: &Path) -> Result<(), Error> {
    embedded::files::make_dir(data_dir)
}

/// Says whether the data folder can be written, or made when it is missing; changes nothing.
///
/// # Errors
/// Broken, with what to do, when it cannot.
pub fn check_folder(data_dir: &Path) -> Result<(), Error> {
    embedded::files::check_dir(data_dir)
}

/// Returns the error for a data folder that cannot be written, with what to do about it.
pub fn cannot_write(data_dir: &Path, e: std::io::Error) -> Error {
    embedded::files::cannot_write(data_dir, e)
}

/// A handle to the store. Cloning it is cheap.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    lasting: bool,
}

impl Store {
    /// Makes a store that lives in memory (at most 64 MB) and is gone with the process.
    pub fn memory() -> Store {
        Store { engine: Arc::new(memory::Memory::default()), lasting: false }
    }

    /// Opens the configured store: Redis when it has an address, else the file in `data_dir`.
    ///
    /// # Errors
    /// Conflict when another process uses `data_dir`, Broken when the file or its directory cannot
    /// be used, Invalid when the address of Redis is none. A Redis that is away is no error here.
    pub async fn open(config: &Config, data_dir: &Path, tasks: &Tasks) -> Result<Store, Error> {
        let engine: Arc<dyn Engine> = if config.redis_url.is_empty() {
            Arc::new(embedded::Embedded::open(config, data_dir, tasks).await?)
        } else {
            Arc::new(redis::Redis::open(config, tasks)?)
        };
        let store = Store { engine, lasting: true };
        store.sweep_now_and_then(tasks);
        Ok(store)
    }

    /// Whether what is written here is there after the process has ended.
    pub fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// Returns the value of an entry, or none when there is none or its life has ended.
    ///
    /// # Errors
    /// Invalid for a table or key out of bounds; Offline or Timeout when the engine cannot be
    /// reached now; Broken when the disk or the file is at fault.
    pub async fn get(&self, table: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        change::check_key(table, key)?;
        self.engine.get(table, key).await
    }

    /// Writes an entry that lives for `ttl`, or for ever.
    ///
    /// # Errors
    /// As [`Store::get`]; Limit when the store or its disk is full. After any error but Invalid and
    /// Limit the entry may or may not have been written.
    pub async fn put(
        &self,
        table: &str,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
    ) -> Result<(), Error> {
        let (table, key, value) = (table.to_owned(), key.to_owned(), value.to_vec());
        self.change(Change::Batch(vec![Op::Put { table, key, value, ttl }])).await.map(drop)
    }

    /// Removes an entry; false when there was none.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn delete(&self, table: &str, key: &str) -> Result<bool, Error> {
        Ok(self.change(Change::Batch(vec![Op::delete(table, key)])).await? == 1)
    }

    /// Returns entries in the order of their keys' bytes: those that start with `prefix` and come
    /// after the key `after`, at most `limit`, at most [`PAGE_MAX`], fewer when they are large.
    /// Only an empty page is the end.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn list(
        &self,
        table: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        change::check_name(table)?;
        for part in [Some(prefix), after].into_iter().flatten().filter(|part| !part.is_empty()) {
            change::check_key(table, part)?;
        }
        self.engine.list(table, prefix, after, limit.min(PAGE_MAX)).await
    }

    /// Writes `new` (`None` deletes) if the value is `expected` (`None`: there is no entry), in one
    /// step; false when it was another. An entry with a lifetime keeps its end.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn swap(
        &self,
        table: &str,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool, Error> {
        let (table, key) = (table.to_owned(), key.to_owned());
        let (expected, new) = (expected.map(<[u8]>::to_vec), new.map(<[u8]>::to_vec));
        Ok(self.change(Change::Swap { table, key, expected, new }).await? == 1)
    }

    /// Does all operations, in order, or none of them: at most [`BATCH_MAX`] and [`BATCH_BYTES`].
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn batch(&self, ops: Vec<Op>) -> Result<(), Error> {
        if ops.is_empty() {
            return Ok(());
        }
        self.change(Change::Batch(ops)).await.map(drop)
    }

    /// Returns the outbox `name`, which refuses messages beyond `bounds`.
    ///
    /// # Errors
    /// Invalid for a name that is none.
    pub fn outbox(&self, name: &str, bounds: Bounds) -> Result<Outbox, Error> {
        Outbox::new(self.clone(), name, bounds)
    }

    /// Returns how much was written since the start, for metrics.
    pub fn counts(&self) -> Counts {
        self.engine.counts()
    }

    /// Says in a sentence what a crash of the engine could take of what was acknowledged.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn weakness(&self) -> Result<Option<String>, Error> {
        self.engine.weakness().await
    }

    /// Removes what has come to the end of its life and returns how many endings it looked at. An
    /// opened store does it by itself every 5 minutes; nobody reads such an entry before that.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn sweep(&self) -> Result<u64, Error> {
        self.engine.sweep().await
    }

    fn sweep_now_and_then(&self, tasks: &Tasks) {
        let engine = Arc::downgrade(&self.engine);
        let stop = tasks.stopping();
        tasks.job(async move {
            loop {
                tokio::select! {
                    () = tokio::time::sleep(SWEEP) => {}
                    () = stop.cancelled() => return,
                }
                let Some(engine) = engine.upgrade() else { return };
                if let Err(e) = engine.sweep().await {
                    log::debug!("what has ended stays in the store for now: {e}");
                }
            }
        });
    }

    fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    async fn change(&self, change: Change) -> Result<u64, Error> {
        change.check()?;
        self.engine.change(change).await
    }
}
