//! The way out of a sandbox, on the file system: a folder of its own that holds one socket, which is
//! mounted into it.

use crate::error::Error;
use crate::orchestrator::egress::Door;
use crate::orchestrator::sandbox::Order;
use crate::tasks::Tasks;
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Name of the socket in its folder.
pub(in crate::orchestrator) const SOCKET: &str = "socket";

/// Who passes through the folder to its socket.
#[derive(Clone, Copy)]
pub(in crate::orchestrator) enum For {
    /// An engine, which mounts it for whoever runs in its container.
    Engine,
    /// A sandbox of the kernel's means that runs as this user, or as ours.
    Sandbox(Option<u32>),
}

/// A folder with an open door in it; both go with the value.
pub(in crate::orchestrator) struct Way {
    pub(in crate::orchestrator) folder: PathBuf,
    _door: Door,
}

impl Way {
    /// Opens one below `all`, a folder that whoever it is for sees at the same path.
    ///
    /// # Errors
    /// Broken when the folder cannot be made or its path is too long for a socket.
    pub(in crate::orchestrator) fn open(
        all: &Path,
        whose: For,
        order: &Order,
        tasks: &Tasks,
    ) -> Result<Way, Error> {
        let broken =
            |e| Error::broken(format!("cannot make a way out in {}", all.display())).because(e);
        let make = |mode, path: &Path| {
            std::fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(broken)
        };
        // An engine is root and passes through ours; users of their own must be let through, and find
        // only their own folder open.
        let (outer, inner) = match whose {
            For::Engine => (0o700, 0o755),
            For::Sandbox(_) => (0o711, 0o700),
        };
        make(outer, all)?;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Short: a socket's whole path has at most 107 bytes.
        let own = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = all.join(own);
        make(inner, &folder)?;
        if let For::Sandbox(Some(user)) = whose {
            chown(&folder, Some(user), Some(user)).map_err(broken)?;
        }
        let door = Door::open(&folder.join(SOCKET), &order.name, order.egress.clone(), tasks)?;
        Ok(Way { folder, _door: door })
    }
}

/// Removes what a former run left there.
pub(in crate::orchestrator) fn clean(all: &Path) {
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
