//! The files of the embedded store: made, locked, opened and checked, each failure in words that
//! say which file it is and what to do.

use crate::error::Error;
use crate::store::embedded::backend::Stage;
use crate::store::embedded::{CACHE, TABLE};
use crate::store::records::{FORMAT, FORMAT_KEY};
use nix::unistd::AccessFlags;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageError};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Name of the store's file in `DATA_DIR`.
const FILE: &str = "hearth.redb";
/// A file up to this size is checked from end to end each time it is opened (about 3 ms per 2 MB
/// of entries here); a larger one only after a crash, which redb does by itself.
const CHECKED: u64 = 8 << 20;

/// Returns where the store's file is.
pub(super) fn path_in(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

/// Makes `DATA_DIR` if it is missing, readable by its owner only.
pub(in crate::store) fn make_dir(dir: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| cannot_write(dir, e))
}

/// Says whether `DATA_DIR` can be written, or made when it is missing; changes nothing.
pub(in crate::store) fn check_dir(dir: &Path) -> Result<(), Error> {
    let there = |path: &&Path| path.symlink_metadata().is_ok();
    let first = dir.ancestors().find(there).unwrap_or(Path::new("."));
    if !first.is_dir() {
        return Err(cannot_write(dir, ErrorKind::NotADirectory.into()));
    }
    let may = AccessFlags::W_OK | AccessFlags::X_OK;
    nix::unistd::access(first, may).map_err(|e| cannot_write(dir, e.into()))
}

/// Holds a directory against other processes until it is dropped.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that is just being started still has it for a
        // moment.
        let _ = self.0.unlock();
    }
}

/// Makes sure that no other process uses `dir`, until the answer is dropped.
pub(super) fn lock(dir: &Path) -> Result<Lock, Error> {
    let path = dir.join("hearth.lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|e| cannot_write(dir, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = (&file).take(32).read_to_string(&mut holder);
            let who = match holder.trim().parse::<u32>() {
                Ok(pid) => format!("process {pid}"),
                Err(_) => "another process".to_owned(),
            };
            return Err(Error::conflict(format!(
                "{} is in use by {who}: another Hearth already keeps its data in {}. Stop that \
                 one, or start this one with another DATA_DIR",
                path_in(dir).display(),
                dir.display()
            )));
        }
        Err(TryLockError::Error(e)) => {
            return Err(Error::broken(format!("cannot lock {}", path.display())).because(e));
        }
    }
    // The number is for the message above; a lock without it is a lock all the same.
    let _ = file.set_len(0).and_then(|()| file.rewind());
    let _ = writeln!(file, "{}", std::process::id());
    Ok(Lock(file))
}

/// Opens the store's file in `dir`; makes it when there is none. The caller holds the lock.
pub(super) fn open(dir: &Path) -> Result<Database, Error> {
    let path = path_in(dir);
    match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => open_file(&path, file),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            make(dir, &path)?;
            let file = OpenOptions::new().read(true).write(true).open(&path);
            open_file(&path, file.map_err(|e| cannot_write(dir, e))?)
        }
        Err(e) => Err(cannot_write(dir, e)),
    }
}

/// Makes a new file under another name first: a store's file that exists is never an unfinished
/// one, so an empty or short one is damage and not a first start.
fn make(dir: &Path, path: &Path) -> Result<(), Error> {
    let new = dir.join(format!("{FILE}.new"));
    if let Err(e) = std::fs::remove_file(&new)
        && e.kind() != ErrorKind::NotFound
    {
        return Err(cannot_write(dir, e));
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&new);
    let file = file.map_err(|e| cannot_write(dir, e))?;
    fill(file).map_err(|e| match e {
        redb::Error::Io(e) => cannot_write(dir, e),
        e => Error::broken(format!("cannot make {}", path.display())).because(e),
    })?;
    let kept = std::fs::rename(&new, path).and_then(|()| File::open(dir)?.sync_all());
    kept.map_err(|e| cannot_write(dir, e))
}

fn fill(file: File) -> Result<(), redb::Error> {
    let stage = Stage::rehearse(file)?;
    let db = Builder::new().set_cache_size(CACHE).create_with_backend(stage.clone())?;
    let write = db.begin_write()?;
    write.open_table(TABLE)?.insert(FORMAT_KEY, [FORMAT].as_slice())?;
    write.commit()?;
    // Closing it writes too.
    drop(db);
    Ok(stage.perform_unseen()?)
}

fn open_file(path: &Path, file: File) -> Result<Database, Error> {
    let unreadable =
        |e: io::Error| Error::broken(format!("cannot read {}", path.display())).because(e);
    let length = file.metadata().map_err(unreadable)?.len();
    if length == 0 {
        return Err(damaged(path, "it is empty"));
    }
    let stage = Stage::rehearse(file).map_err(unreadable)?;
    let rehearsed = stage.clone();
    let name = path.display().to_string();
    // redb answers damage with an error, and in rare cases with a panic.
    let opened = std::panic::catch_unwind(move || {
        let mut builder = Builder::new();
        let said = AtomicBool::new(false);
        builder.set_cache_size(CACHE).set_repair_callback(move |_| {
            if !said.swap(true, Ordering::Relaxed) {
                log::info!("{name} was not closed cleanly; going back to its last commit");
            }
        });
        let mut db = builder.create_with_backend(rehearsed)?;
        let intact = length > CHECKED || db.check_integrity()?;
        Ok((db, intact))
    });
    let db = match opened {
        Ok(Ok((db, true))) => db,
        Ok(Ok((_, false))) => return Err(damaged(path, "its checksums do not fit")),
        Ok(Err(DatabaseError::UpgradeRequired(_))) => return Err(other_version(path)),
        Ok(Err(DatabaseError::Storage(StorageError::Io(e)))) if is_trouble(&e) => {
            return Err(unreadable(e));
        }
        Ok(Err(e)) => return Err(damaged(path, &e.to_string())),
        Err(_) => return Err(damaged(path, "it cannot be read")),
    };
    let format = format(&db).map_err(|e| damaged(path, &e.to_string()))?;
    match format {
        Some(FORMAT) => {}
        Some(_) => return Err(other_version(path)),
        None => return Err(damaged(path, "it is not Hearth's")),
    }
    stage.perform().map_err(|e| cannot_write(path, e))?;
    Ok(db)
}

fn format(db: &Database) -> Result<Option<u8>, redb::Error> {
    let table = match db.begin_read()?.open_table(TABLE) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    Ok(table.get(FORMAT_KEY)?.and_then(|version| version.value().first().copied()))
}

/// Whether the disk is at fault, and not what stands on it.
fn is_trouble(e: &io::Error) -> bool {
    !matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::InvalidInput)
}

/// The error for a file that is not what was written.
pub(super) fn damaged(path: &Path, how: &str) -> Error {
    let shown = path.display();
    Error::broken(format!(
        "{shown} is damaged ({how}) and was left as it is. Put a backup of it in its place, or \
         move it away (mv {shown} {shown}.damaged) to start with an empty store"
    ))
}

fn other_version(path: &Path) -> Error {
    Error::broken(format!(
        "{} was written by another version of Hearth and was left as it is. Start the version \
         that wrote it, or move the file away to start with an empty store",
        path.display()
    ))
}

/// The error for a disk that has no room.
pub(super) fn full(path: &Path) -> Error {
    Error::limit(format!(
        "the disk that holds {} is full and nothing was saved; free some space on it",
        path.display()
    ))
}

/// Whether a disk (or a quota, or a limit on file sizes) is full.
pub(super) fn is_full(e: &io::Error) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(e.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// The error for a directory that cannot be written, with the line that repairs it.
pub(in crate::store) fn cannot_write(path: &Path, e: io::Error) -> Error {
    if is_full(&e) {
        return full(path);
    }
    let shown = path.display();
    // `/proc/self` belongs to the user that the process runs as.
    let me = std::fs::metadata("/proc/self").map_or((0, 0), |m| (m.uid(), m.gid()));
    let what = match e.kind() {
        ErrorKind::PermissionDenied => {
            let first = path.ancestors().find(|p| p.symlink_metadata().is_ok()).unwrap_or(path);
            let owner = std::fs::metadata(first).map_or(0, |m| m.uid());
            // What lies above a missing folder is not ours to give away: it may be `/`.
            let make = if first == path { "" } else { &format!("sudo mkdir -p {shown} && ") };
            format!(
                "cannot write to DATA_DIR {shown}: {} belongs to uid {owner} and Hearth runs as \
                 uid {}; run `{make}sudo chown -R {}:{} {shown}` or set DATA_DIR to another place",
                first.display(),
                me.0,
                me.0,
                me.1,
            )
        }
        ErrorKind::ReadOnlyFilesystem => {
            format!("cannot write to DATA_DIR {shown}: it is mounted read-only; mount it writable")
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            format!("cannot write to DATA_DIR {shown}: a file is in the way; set DATA_DIR anew")
        }
        _ => format!("cannot write to DATA_DIR {shown} as uid {}", me.0),
    };
    Error::broken(what).because(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_lock_is_free_even_while_a_child_still_has_its_file() {
        let dir = std::env::temp_dir().join(format!("hearth-lock-{}", std::process::id()));
        make_dir(&dir).unwrap();
        let held = lock(&dir).unwrap();
        // What a process has between its fork and its exec.
        let inherited = held.0.try_clone().unwrap();
        assert!(lock(&dir).is_err());
        drop(held);
        assert!(lock(&dir).is_ok());
        drop(inherited);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
