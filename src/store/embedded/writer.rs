//! The thread that writes: takes what waits, does it in one transaction, flushes, answers.

use crate::error::Error;
use crate::store::change::{BATCH_BYTES, Change, now};
use crate::store::embedded::{Disk, TABLE, files};
use crate::store::records::{self, Look, Records};
use redb::{ReadableTable, ReadableTableMetadata, StorageError, Table};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Most changes that share one flush.
const GROUP: usize = 256;
/// Most entries that one sweep removes in one transaction.
const SWEEP_MAX: usize = 1000;

/// Work for the writer.
pub(super) enum Job {
    /// A change that somebody waits for.
    Change {
        change: Change,
        reply: oneshot::Sender<Result<u64, Error>>,
        place: OwnedSemaphorePermit,
    },
    /// Remove what has come to the end of its life.
    Sweep { reply: oneshot::Sender<Result<u64, Error>> },
    /// A read failed: see whether the file must be opened again.
    Reopen,
}

/// A change and who waits for it.
pub(super) struct Wanted {
    change: Change,
    reply: oneshot::Sender<Result<u64, Error>>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Wanted {
    /// Makes one that nobody waits for.
    #[cfg(test)]
    pub(super) fn new(change: Change) -> Wanted {
        Wanted { change, reply: oneshot::channel().0, _place: None }
    }
}

/// Why a transaction did not happen.
pub(super) struct Failed {
    why: redb::Error,
    /// Whether the commit had begun, so that nobody can say whether it is on the disk.
    open_end: bool,
}

impl<E: Into<redb::Error>> From<E> for Failed {
    fn from(e: E) -> Failed {
        Failed { why: e.into(), open_end: false }
    }
}

/// The writer; [`Writer::run`] is the body of its thread.
pub(super) struct Writer {
    disk: Arc<Disk>,
    runtime: tokio::runtime::Handle,
    queue: Mutex<mpsc::UnboundedReceiver<Job>>,
    /// Bytes that live in the table; counted only once the file has grown to its bound.
    used: Mutex<Option<u64>>,
}

impl Writer {
    /// Makes a writer. Must be called inside the runtime.
    pub(super) fn new(disk: Arc<Disk>, queue: mpsc::UnboundedReceiver<Job>) -> Writer {
        let runtime = tokio::runtime::Handle::current();
        Writer { disk, runtime, queue: Mutex::new(queue), used: Mutex::new(None) }
    }

    /// Writes until `stop` (and then what still waits), then closes the file.
    pub(super) fn run(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let next = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    job = queue.recv() => job,
                    () = stop.cancelled() => None,
                }
            });
            let Some(first) = next else { break };
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut take = |job, group: &mut Vec<Wanted>| match job {
                Job::Change { change, reply, place } => {
                    bytes += change.adds();
                    group.push(Wanted { change, reply, _place: Some(place) });
                    group.len() < GROUP && bytes < BATCH_BYTES
                }
                Job::Sweep { reply } => {
                    let _ = reply.send(self.sweep());
                    true
                }
                Job::Reopen => {
                    self.reopen_if_needed();
                    true
                }
            };
            let mut more = take(first, &mut group);
            while more && let Ok(job) = queue.try_recv() {
                more = take(job, &mut group);
            }
            if !group.is_empty() {
                self.write(group);
            }
        }
        queue.close();
        self.disk.close();
        Ok(())
    }

    /// Does a group of changes and answers each. When one of them fails the disk, the others are
    /// tried alone, unless the commit had begun.
    fn write(&self, group: Vec<Wanted>) {
        let failed = match self.attempt(&group) {
            Ok(answers) => {
                self.disk.status.up();
                for (wanted, answer) in group.into_iter().zip(answers) {
                    let _ = wanted.reply.send(answer);
                }
                return;
            }
            Err(failed) => failed,
        };
        let open_end = failed.open_end;
        let why = self.disk.trouble(failed.why);
        self.reopen(&why);
        if group.len() > 1 && !open_end {
            for wanted in group {
                self.write(vec![wanted]);
            }
            return;
        }
        for wanted in group {
            let _ = wanted.reply.send(Err(Error::new(why.kind(), why.to_string())));
        }
    }

    /// Does a group of changes in one transaction; when it returns, they are on the disk.
    pub(super) fn attempt(&self, group: &[Wanted]) -> Result<Vec<Result<u64, Error>>, Failed> {
        if self.disk.unsure.load(Ordering::Acquire) {
            self.reopen_if_needed();
        }
        let db = self.disk.db.read().unwrap_or_else(PoisonError::into_inner);
        let Some(db) = db.as_ref() else {
            return Ok(group.iter().map(|_| Err(self.disk.closed())).collect());
        };
        self.disk.unsure.store(true, Ordering::Release);
        let write = db.begin_write()?;
        let mut open = Open { table: write.open_table(TABLE)?, gained: 0, touched: false };
        let now = now();
        let mut answers = Vec::with_capacity(group.len());
        let mut adds = 0;
        for wanted in group {
            adds += wanted.change.adds() as u64;
            answers.push(match self.room(&open, adds)? {
                Err(full) if wanted.change.adds() > 0 => Err(full),
                _ => records::apply(&mut open, &wanted.change, now)?,
            });
        }
        let (gained, touched) = (open.gained, open.touched);
        drop(open);
        if touched {
            write.commit().map_err(|e| Failed { why: e.into(), open_end: true })?;
            self.disk.commits.fetch_add(1, Ordering::Relaxed);
        } else {
            write.abort()?;
        }
        let done = answers.iter().filter(|answer| answer.is_ok()).count();
        self.disk.changes.fetch_add(done as u64, Ordering::Relaxed);
        self.disk.unsure.store(false, Ordering::Release);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        *used = used.map(|used| used.saturating_add_signed(gained));
        Ok(answers)
    }

    /// Says whether `adds` more bytes may be kept. Free pages inside the file are used again, so a
    /// file at its bound is no proof that the store is full: then what lives in it is counted.
    fn room(&self, open: &Open<'_>, adds: u64) -> Result<Result<(), Error>, StorageError> {
        let most = self.disk.most;
        let on_disk = std::fs::metadata(&self.disk.path).map_or(0, |file| file.blocks() * 512);
        if on_disk.saturating_add(adds) <= most {
            return Ok(Ok(()));
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let lives = match *used {
            Some(lives) => lives,
            None => open.table.stats()?.stored_bytes().saturating_add_signed(-open.gained),
        };
        *used = Some(lives);
        if lives.saturating_add(adds) <= most {
            return Ok(Ok(()));
        }
        Ok(Err(Error::limit(format!(
            "the store in {} is full: it holds {} MB of {}; delete something, or raise max_mb in \
             [store] of the configuration",
            self.disk.path.display(),
            lives >> 20,
            most >> 20
        ))))
    }

    /// Removes what has come to the end of its life, a bounded number at a time.
    fn sweep(&self) -> Result<u64, Error> {
        let mut seen = 0;
        while self.disk.read(|map| records::has_expired(map, now()))? {
            match self.sweep_once() {
                Ok(ended) => seen += ended as u64,
                Err(failed) => {
                    let why = self.disk.trouble(failed.why);
                    self.reopen(&why);
                    return Err(why);
                }
            }
        }
        Ok(seen)
    }

    fn sweep_once(&self) -> Result<usize, Failed> {
        let db = self.disk.db.read().unwrap_or_else(PoisonError::into_inner);
        let Some(db) = db.as_ref() else { return Ok(0) };
        self.disk.unsure.store(true, Ordering::Release);
        let write = db.begin_write()?;
        let mut open = Open { table: write.open_table(TABLE)?, gained: 0, touched: false };
        let seen = records::sweep(&mut open, now(), SWEEP_MAX)?;
        drop(open);
        write.commit().map_err(|e| Failed { why: e.into(), open_end: true })?;
        self.disk.unsure.store(false, Ordering::Release);
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(seen)
    }

    /// Opens the file again unless it works.
    fn reopen_if_needed(&self) {
        let works = self.disk.read(|seen| seen.with(records::FORMAT_KEY, |_| ()));
        if self.disk.unsure.load(Ordering::Acquire) || works.is_err() {
            let why = works.err().unwrap_or_else(|| Error::broken("a change did not end"));
            self.reopen(&why);
        }
    }

    /// Closes the file and opens it again, back at its last commit.
    fn reopen(&self, why: &Error) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut db = self.disk.db.write().unwrap_or_else(PoisonError::into_inner);
        *db = None;
        match files::open(&self.disk.dir) {
            Ok(opened) => {
                *db = Some(opened);
                self.disk.unsure.store(false, Ordering::Release);
                self.disk.status.degraded(why.to_string());
            }
            Err(e) => {
                self.disk.unsure.store(true, Ordering::Release);
                self.disk.status.set(crate::tasks::State::Down(e.to_string()));
            }
        }
    }
}

impl Disk {
    /// Closes the file cleanly and lets another process have it.
    fn close(&self) {
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = None;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// An open transaction's table.
struct Open<'t> {
    table: Table<'t, &'static [u8], &'static [u8]>,
    /// Bytes more than before.
    gained: i64,
    touched: bool,
}

impl Look for Open<'_> {
    type Fail = StorageError;

    fn with<T>(
        &self,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, StorageError> {
        Ok(self.table.get(key)?.map(|value| read(value.value())))
    }

    fn scan(
        &self,
        from: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StorageError> {
        for record in self.table.range::<&[u8]>(from..)? {
            let (key, value) = record?;
            if !visit(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }
}

impl Records for Open<'_> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
        self.touched = true;
        let old = self.table.insert(key, value)?;
        let old = old.map_or(0, |old| key.len() + old.value().len());
        self.gained += (key.len() + value.len()) as i64 - old as i64;
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), StorageError> {
        if let Some(old) = self.table.remove(key)? {
            self.touched = true;
            self.gained -= (key.len() + old.value().len()) as i64;
        }
        Ok(())
    }
}
