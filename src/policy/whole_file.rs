//! Small files that are written whole: after a crash there is the old one or the new one.

use crate::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Returns what the file holds; `None` when there is none.
///
/// # Errors
/// Broken: it cannot be read.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::broken(format!("cannot read {}", path.display())).because(e)),
    }
}

/// Writes the file (mode 0600) beside its place, flushes it and puts it there.
///
/// # Errors
/// Broken: it cannot be written; then the old one stands.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    let written = (|| {
        // One that a crash left may have been made with other rights.
        let _ = std::fs::remove_file(&beside);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        // The new name is on the disk when its folder is.
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    })();
    written.map_err(|e| Error::broken(format!("cannot write {}", path.display())).because(e))
}
