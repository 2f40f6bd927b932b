//! Files of one folder of the file system, which nothing leads out of.
//!
//! Each name of a path is opened by itself below the one before, as a descriptor, and never through a
//! link; `..` is no name. So it does not matter what somebody else renames or links meanwhile: there
//! is no moment between looking and opening.

use crate::error::Error;
use crate::orchestrator::worker::files::{Files, Item, Listing, Part};
use crate::orchestrator::worker::path;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Most names of one folder that a listing looks at.
const NAMES: usize = 20_000;

const ENTER: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// How a file is opened: a pipe or a device that stands in its place must not block or answer.
const FILE: OFlag =
    OFlag::O_NOFOLLOW.union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// A folder that is held open.
pub(super) struct Folder {
    root: OwnedFd,
    /// How many names were taken for files that are not whole yet.
    parts: u64,
}

impl Folder {
    /// Opens the folder; the path to it itself may lead through links.
    ///
    /// # Errors
    /// NotFound, with what the system said.
    pub(super) fn open(root: &Path) -> Result<Folder, Error> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(root, flags, Mode::empty()).map_err(|e| {
            Error::not_found(format!("cannot open the folder {}", root.display())).because(e)
        })?;
        Ok(Folder { root, parts: 0 })
    }

    /// Opens a folder below it, for a program that is to run there.
    ///
    /// # Errors
    /// As [`Files::list`].
    pub(super) fn enter(&self, path: &str) -> Result<OwnedFd, Error> {
        self.walk(&path::names(path)?, false)
    }

    /// Goes down name by name; `make` makes what is missing.
    fn walk(&self, names: &[&str], make: bool) -> Result<OwnedFd, Error> {
        let mut at = self.root.try_clone().map_err(|e| Error::limit(e.to_string()))?;
        for name in names {
            if make {
                match mkdirat(&at, *name, Mode::from_bits_truncate(0o755)) {
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(e) => return Err(fault(name, e)),
                }
            }
            at = openat(&at, *name, ENTER, Mode::empty()).map_err(|e| match e {
                Errno::ENOTDIR | Errno::ELOOP => Error::refused(format!(
                    "'{}' is no folder; links are not followed",
                    name.escape_debug()
                )),
                e => fault(name, e),
            })?;
        }
        Ok(at)
    }

    /// Writes the whole file under a name of its own and puts it in the place of the old one, so that
    /// nobody reads half of it and a full disk costs nothing.
    fn replace(&mut self, at: BorrowedFd<'_>, name: &str, bytes: &[u8]) -> Result<u64, Error> {
        let mode = match fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => regular(name, &stat).map(|()| Mode::from_bits_truncate(stat.st_mode))?,
            Err(Errno::ENOENT) => Mode::from_bits_truncate(0o644),
            Err(e) => return Err(fault(name, e)),
        };
        self.parts += 1;
        let part = format!(".hearth-{}-{}", std::process::id(), self.parts);
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | FILE;
        let new = openat(at, part.as_str(), flags, Mode::from_bits_truncate(0o600))
            .map_err(|e| fault(name, e))?;
        let mut new = File::from(new);
        let done = new
            .write_all(bytes)
            .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or_default()))
            .and_then(|()| fchmod(&new, mode))
            .and_then(|()| renameat(at, part.as_str(), at, name));
        done.map_err(|e| {
            // It may be gone already; nothing more can be done about it.
            let _ = unlinkat(at, part.as_str(), UnlinkatFlags::NoRemoveDir);
            fault(name, e)
        })?;
        Ok(bytes.len() as u64)
    }
}

impl Files for Folder {
    fn read(&self, path: &str, offset: u64, most: usize) -> Result<Part, Error> {
        let (folders, name) = path::file(path)?;
        let at = self.walk(&folders, false)?;
        let file = openat(&at, name, OFlag::O_RDONLY | FILE, Mode::empty());
        let mut file = File::from(file.map_err(|e| fault(name, e))?);
        let stat = fstat(&file).map_err(|e| fault(name, e))?;
        regular(name, &stat)?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(most as u64).read_to_end(&mut bytes))
            .map_err(|e| Error::broken(format!("'{}'", name.escape_debug())).because(e))?;
        Ok(Part { bytes, size: u64::try_from(stat.st_size).unwrap_or_default() })
    }

    fn write(&mut self, path: &str, bytes: &[u8], at_end: bool) -> Result<u64, Error> {
        let (folders, name) = path::file(path)?;
        let at = self.walk(&folders, true)?;
        if !at_end {
            return self.replace(at.as_fd(), name, bytes);
        }
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | FILE;
        let file = openat(&at, name, flags, Mode::from_bits_truncate(0o644));
        let mut file = File::from(file.map_err(|e| fault(name, e))?);
        let stat = fstat(&file).map_err(|e| fault(name, e))?;
        regular(name, &stat)?;
        let before = u64::try_from(stat.st_size).unwrap_or_default();
        if let Err(e) = file.write_all(bytes) {
            // Half of what was to be added is worse than nothing.
            let _ = file.set_len(before);
            return Err(fault(name, Errno::from_raw(e.raw_os_error().unwrap_or_default())));
        }
        Ok(before + bytes.len() as u64)
    }

    fn list(&self, path: &str, after: &str, most: usize) -> Result<Listing, Error> {
        let at = self.enter(path)?;
        let own = at.try_clone().map_err(|e| Error::limit(e.to_string()))?;
        let mut dir = Dir::from_fd(own).map_err(|e| fault(path, e))?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let name = entry.map_err(|e| fault(path, e))?.file_name().to_owned();
            if name.as_bytes() == b"." || name.as_bytes() == b".." {
                continue;
            }
            if names.len() == NAMES {
                let what = format!("the folder has more than {NAMES} names; list one below it");
                return Err(Error::limit(what));
            }
            names.push((name.to_string_lossy().into_owned(), name));
        }
        names.sort_unstable();
        let mut listing = Listing::default();
        for (shown, name) in names {
            if *shown <= *after {
                continue;
            }
            if listing.items.len() == most {
                listing.more = true;
                break;
            }
            // Gone since it was listed: not worth a word.
            let Ok(stat) = fstatat(&at, &*name, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            let kind = kind(&stat);
            let size = (kind == "file").then(|| u64::try_from(stat.st_size).unwrap_or_default());
            listing.items.push(Item { name: shown, kind, size });
        }
        Ok(listing)
    }
}

fn kind(stat: &FileStat) -> &'static str {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => "file",
        SFlag::S_IFDIR => "folder",
        SFlag::S_IFLNK => "link",
        _ => "other",
    }
}

fn regular(name: &str, stat: &FileStat) -> Result<(), Error> {
    let shown = name.escape_debug();
    match kind(stat) {
        "file" => Ok(()),
        "folder" => Err(Error::refused(format!("'{shown}' is a folder"))),
        "link" => Err(Error::refused(format!("'{shown}' is a link; links are not followed"))),
        _ => Err(Error::refused(format!("'{shown}' is a pipe or a device, not a file"))),
    }
}

fn fault(name: &str, e: Errno) -> Error {
    let shown = name.escape_debug();
    match e {
        Errno::ENOENT => Error::not_found(format!("there is no '{shown}'")),
        Errno::ELOOP => Error::refused(format!("'{shown}' is a link; links are not followed")),
        Errno::EISDIR => Error::refused(format!("'{shown}' is a folder")),
        Errno::ENXIO => Error::refused(format!("'{shown}' is a pipe or a device, not a file")),
        Errno::EACCES | Errno::EPERM => Error::refused(format!("'{shown}'")).because(e),
        Errno::EROFS => Error::refused(format!("'{shown}': this folder cannot be written")),
        Errno::ENOSPC | Errno::EDQUOT => {
            Error::limit(format!("'{shown}': there is no room left in this sandbox"))
        }
        e => Error::broken(format!("'{shown}'")).because(e),
    }
}
