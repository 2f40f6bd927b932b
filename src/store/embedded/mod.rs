//! The embedded engine: redb in one file, one thread that writes, group commit.
//!
//! A change goes to the writer's queue and is answered when the disk has it; changes that wait
//! together share one flush. Reads run on the runtime's pool of blocking threads and see only what
//! was committed. A failure of the disk closes the file and opens it again, back at the last commit.

mod backend;
pub(super) mod files;
#[cfg(test)]
mod power;
mod writer;

use crate::error::Error;
use crate::store::change::{Answer, Change, Counts, Engine, Peeked, now};
use crate::store::config::Config;
use crate::store::records::{self, Look};
use crate::tasks::{State, Status, Tasks, Whose};
use redb::{Database, ReadOnlyTable, ReadableDatabase, StorageError, TableDefinition};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::{Semaphore, mpsc, oneshot};
use writer::{Job, Writer};

/// Memory that redb may use for pages of the file.
const CACHE: usize = 1 << 20;
/// Kilobytes of changes that may wait for the writer; whoever comes then waits before the queue.
const WAITING_KB: u32 = 16 * 1024;
/// Reads that may run at once.
const READERS: usize = 8;

/// Everything lies in this one table; see [`records`].
const TABLE: TableDefinition<'static, &'static [u8], &'static [u8]> =
    TableDefinition::new("hearth");

/// The engine; handles and the writer share its [`Disk`].
pub(super) struct Embedded {
    disk: Arc<Disk>,
    jobs: mpsc::UnboundedSender<Job>,
    waiting: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    tasks: Tasks,
}

/// The open file.
struct Disk {
    dir: PathBuf,
    path: PathBuf,
    most: u64,
    db: RwLock<Option<Database>>,
    lock: Mutex<Option<files::Lock>>,
    /// Set while a change is under way and after a failure: the file must be opened again.
    unsure: AtomicBool,
    changes: AtomicU64,
    commits: AtomicU64,
    status: Status,
}

impl Embedded {
    /// Opens (or makes) the store in `dir` and starts its writer.
    pub(super) async fn open(
        config: &Config,
        dir: &Path,
        tasks: &Tasks,
    ) -> Result<Embedded, Error> {
        let status = tasks.status("store", Whose::Own);
        let folder = dir.to_owned();
        let opened = tasks.blocking(move || {
            files::make_dir(&folder)?;
            let lock = files::lock(&folder)?;
            files::open(&folder).map(|db| (lock, db))
        });
        let (lock, db) = opened.await??;
        let disk = Arc::new(Disk {
            dir: dir.to_owned(),
            path: files::path_in(dir),
            most: config.max_mb.saturating_mul(1 << 20),
            db: RwLock::new(Some(db)),
            lock: Mutex::new(Some(lock)),
            unsure: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            status,
        });
        let (jobs, queue) = mpsc::unbounded_channel();
        let writer = Writer::new(disk.clone(), queue);
        tasks.thread("store", move |stop| writer.run(&stop))?;
        disk.status.up();
        Ok(Embedded {
            disk,
            jobs,
            waiting: Arc::new(Semaphore::new(WAITING_KB as usize)),
            readers: Arc::new(Semaphore::new(READERS)),
            tasks: tasks.clone(),
        })
    }

    async fn read<T, F>(&self, look: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Seen) -> Result<T, StorageError> + Send + 'static,
    {
        let place = self.readers.clone().acquire_owned().await;
        let disk = self.disk.clone();
        let run = move || {
            let _place = place;
            disk.read(look)
        };
        let answer = self.tasks.blocking(run).await;
        let answer = answer.unwrap_or_else(|e| Err(e.at(self.disk.path.display())));
        if answer.is_err() {
            // One failed read makes redb refuse all that follow until the file is opened again.
            let _ = self.jobs.send(Job::Reopen);
        }
        answer
    }
}

/// What a read sees: the last commit.
struct Seen(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl Look for Seen {
    type Fail = StorageError;

    fn with<T>(
        &self,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StorageError> {
        Ok(self.0.get(key)?.map(|value| read(value.value())))
    }

    fn scan(
        &self,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StorageError> {
        for record in self.0.range::<&[u8]>(from..)? {
            let (key, value) = record?;
            if !visit(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }
}

impl Disk {
    fn read<T>(&self, look: impl FnOnce(&Seen) -> Result<T, StorageError>) -> Result<T, Error> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(|| self.closed())?;
        let seen = || {
            let table = db.begin_read()?.open_table(TABLE)?;
            Ok(look(&Seen(table))?)
        };
        seen().map_err(|e| self.trouble(e))
    }

    /// The error for a file that is not open.
    fn closed(&self) -> Error {
        let stopping = self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_none();
        Error::offline(match self.status.state() {
            State::Down(why) => format!("the store is not open: {why}"),
            _ if stopping => "the store is closed because Hearth is stopping".to_owned(),
            _ => format!("the store in {} is starting again; try again", self.path.display()),
        })
    }

    /// Puts a failure of redb into words.
    fn trouble(&self, e: redb::Error) -> Error {
        let path = self.path.display();
        match e {
            redb::Error::Io(e) if files::is_full(&e) => files::full(&self.path),
            redb::Error::Io(e) => Error::broken(format!(
                "cannot read or write {path}; see `dmesg` for what its disk says"
            ))
            .because(e),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                Error::offline(format!("{path} is being opened again after a failure; try again"))
            }
            redb::Error::Corrupted(how) => files::damaged(&self.path, &how),
            e => Error::broken(format!("the store in {path} failed")).because(e),
        }
    }
}

impl Engine for Embedded {
    fn get<'a>(&'a self, table: &'a str, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        let (table, key) = (table.to_owned(), key.to_owned());
        Box::pin(self.read(move |seen| records::get(seen, &table, &key, now())))
    }

    fn list<'a>(
        &'a self,
        table: &'a str,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<(String, Vec<u8>)>> {
        let (table, prefix) = (table.to_owned(), prefix.to_owned());
        let after = after.map(str::to_owned);
        Box::pin(
            self.read(move |seen| {
                records::list(seen, &table, &prefix, after.as_deref(), limit, now())
            }),
        )
    }

    fn change(&self, change: Change) -> Answer<'_, u64> {
        Box::pin(async move {
            let kb = u32::try_from(change.adds() / 1024).unwrap_or(WAITING_KB).min(WAITING_KB - 1);
            let place = self.waiting.clone().acquire_many_owned(kb + 1).await;
            let place = place.map_err(|_| self.disk.closed())?;
            let (reply, answer) = oneshot::channel();
            let job = Job::Change { change, reply, place };
            self.jobs.send(job).map_err(|_| self.disk.closed())?;
            answer.await.unwrap_or_else(|_| Err(self.disk.closed()))
        })
    }

    fn peek<'a>(&'a self, outbox: &'a str, limit: usize) -> Answer<'a, Peeked> {
        let outbox = outbox.to_owned();
        Box::pin(self.read(move |seen| records::peek(seen, &outbox, limit)))
    }

    fn sweep(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.jobs.send(Job::Sweep { reply }).map_err(|_| self.disk.closed())?;
            answer.await.unwrap_or_else(|_| Err(self.disk.closed()))
        })
    }

    fn counts(&self) -> Counts {
        Counts {
            changes: self.disk.changes.load(Ordering::Relaxed),
            commits: self.disk.commits.load(Ordering::Relaxed),
        }
    }
}
