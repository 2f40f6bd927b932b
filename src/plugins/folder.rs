//! The folder of scripts: what is in it, and being told when that changes.
//!
//! The kernel tells of changes; nothing is polled. While there is no folder, the one above it is
//! watched, so that making it needs no restart.

use crate::error::Error;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

/// So many scripts run at once.
pub(super) const MOST: usize = 32;
/// The largest script, in bytes.
const LARGEST: u64 = 256 << 10;

/// A script as it stands in its file: its code, or why it cannot be read.
pub(super) type Code = Result<Vec<u8>, String>;

/// Reads every script of the folder, by name. A folder that is not there has none.
pub(super) fn read(folder: &Path) -> BTreeMap<String, (String, Code)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeMap::new() };
    let files = entries.flatten().filter_map(|entry| {
        let file = entry.file_name().into_string().ok()?;
        let name = file.strip_suffix(".lua").filter(|name| !name.starts_with('.'))?.to_owned();
        Some((name, file))
    });
    let files: BTreeMap<String, String> = files.collect();
    let all = files.into_iter().enumerate();
    all.map(|(count, (name, file))| {
        let code = match count < MOST {
            true => read_one(&folder.join(&file), &name),
            false => Err(format!("there are {MOST} scripts already; put some together")),
        };
        (name, (file, code))
    })
    .collect()
}

fn read_one(path: &Path, name: &str) -> Code {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.len() > 24 || !name.chars().all(is_word) || name.is_empty() {
        return Err("name the file with 1 to 24 of a-z, 0-9 and _, like night_light.lua".into());
    }
    let about = std::fs::metadata(path).map_err(|e| format!("it cannot be read: {e}"))?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(format!("it must be a file of at most {LARGEST} bytes"));
    }
    std::fs::read(path).map_err(|e| format!("it cannot be read: {e}"))
}

/// Tells when the folder may have changed.
pub(super) struct Watcher {
    // What the kernel tells is read like a pipe; only that it tells something is looked at.
    inotify: pipe::Receiver,
}

impl Watcher {
    /// Watches `folder`, or the one above while it is not there.
    ///
    /// # Errors
    /// Broken, with what to do, when the system watches nothing for us.
    pub(super) fn new(folder: &Path) -> Result<Watcher, Error> {
        let failed = |e: std::io::Error| {
            let folder = folder.display();
            Error::broken(format!(
                "{folder} cannot be watched for changed scripts; raise fs.inotify.max_user_instances \
                 or restart Hearth after each change"
            ))
            .because(e)
        };
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC);
        let inotify = inotify.map_err(|e| failed(e.into()))?;
        let inside = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let above =
            AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_ONLYDIR;
        match inotify.add_watch(folder, inside) {
            Ok(_) => {}
            Err(Errno::ENOENT | Errno::ENOTDIR) => {
                if let Some(parent) = folder.parent() {
                    // It may be made between the two; then the first reading finds it.
                    let _ = inotify.add_watch(parent, above);
                }
                if folder.is_dir() {
                    inotify.add_watch(folder, inside).map_err(|e| failed(e.into()))?;
                }
            }
            Err(e) => return Err(failed(e.into())),
        }
        let inotify = pipe::Receiver::from_owned_fd_unchecked(OwnedFd::from(inotify));
        let inotify = inotify.map_err(failed)?;
        Ok(Watcher { inotify })
    }

    /// Waits until something changes. Giving up waiting loses nothing.
    ///
    /// # Errors
    /// Broken when the system stops telling.
    pub(super) async fn told(&mut self) -> Result<(), Error> {
        // Larger than any single event, or the kernel refuses.
        let mut events = [0; 4096];
        let read = self.inotify.read(&mut events).await;
        read.map(drop)
            .map_err(|e| Error::broken("the folder of scripts is no longer watched").because(e))
    }
}
