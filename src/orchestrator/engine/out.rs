//! The way out of a container, on the file system: a folder of its own that holds one socket, which the
//! engine mounts into it.

use crate::error::Error;
use crate::orchestrator::egress::Door;
use crate::orchestrator::engine::recipe::OUT_SOCKET;
use crate::orchestrator::sandbox::Order;
use crate::tasks::Tasks;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder with an open door in it; both go with the value.
pub(super) struct Way {
    pub(super) folder: PathBuf,
    _door: Door,
}

impl Way {
    /// Opens one below `all`, a folder that the engine sees at the same path.
    ///
    /// # Errors
    /// Broken when the folder cannot be made or its path is too long for a socket.
    pub(super) fn open(all: &Path, order: &Order, tasks: &Tasks) -> Result<Way, Error> {
        let broken =
            |e| Error::broken(format!("cannot make a way out in {}", all.display())).because(e);
        let make = |mode, path: &Path| {
            std::fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(broken)
        };
        // Only we pass through this one; what is mounted inside is the one below.
        make(0o700, all)?;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Short: a socket's whole path has at most 107 bytes.
        let own = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = all.join(own);
        make(0o755, &folder)?;
        let door = Door::open(&folder.join(OUT_SOCKET), &order.name, order.egress.clone(), tasks)?;
        Ok(Way { folder, _door: door })
    }
}

/// Removes what a former run left there.
pub(super) fn clean(all: &Path) {
    if let Err(e) = std::fs::remove_dir_all(all)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!("{}: {e}", all.display());
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.folder) {
            log::debug!("{}: {e}", self.folder.display());
        }
    }
}
