//! The folder of the recordings. Everything here blocks; it never reads a whole file into memory.

use crate::error::Error;
use crate::mqtt::record::format::End;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Files in the folder.
const FILES: usize = 200;
/// Bytes of all files.
const BYTES: u64 = 4 << 30;
/// A finished recording.
const WHOLE: &str = "jsonl";
/// One that is being written, or was cut off.
const PART: &str = "part";

/// A recording in the folder.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// Seconds since 1970 at which it was written last.
    pub(crate) changed: u64,
    /// Its last line; `None` while it is written, and when it was cut off.
    pub(crate) end: Option<End>,
}

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    folder: PathBuf,
}

/// Checks the name of a recording.
///
/// # Errors
/// Invalid when it could be anything but a file of its own.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    match !name.is_empty() && name.len() <= 64 && name.chars().all(fits) {
        true => Ok(()),
        false => Err(Error::invalid("a recording's name is 1 to 64 of a-z, 0-9, - and _")),
    }
}

impl Shelf {
    pub(super) fn new(folder: PathBuf) -> Shelf {
        Shelf { folder }
    }

    /// Returns the path of a finished recording.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{WHOLE}"))
    }

    fn part(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{PART}"))
    }

    /// Makes the file of a new recording.
    pub(super) fn make(&self, name: &str) -> Result<File, Error> {
        fs::create_dir_all(&self.folder).map_err(|e| trouble("make", &self.folder, &e))?;
        let all = self.all()?;
        if all.iter().any(|found| found.name == name) {
            return Err(Error::conflict(format!(
                "there is a recording '{name}' already; delete it or take another name"
            )));
        }
        if all.len() >= FILES || all.iter().map(|found| found.bytes).sum::<u64>() >= BYTES {
            return Err(Error::limit(format!(
                "{FILES} recordings or {} GB are kept at most; delete some",
                BYTES >> 30
            )));
        }
        let path = self.part(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.map_err(|e| trouble("write", &path, &e))
    }

    /// Makes a written file a finished one.
    pub(super) fn finish(&self, name: &str, file: &File) -> Result<(), Error> {
        let (from, to) = (self.part(name), self.path(name));
        file.sync_all().map_err(|e| trouble("write", &from, &e))?;
        fs::rename(&from, &to).map_err(|e| trouble("write", &to, &e))
    }

    pub(super) fn delete(&self, name: &str) -> Result<(), Error> {
        let mut is_gone = false;
        for path in [self.path(name), self.part(name)] {
            match fs::remove_file(&path) {
                Ok(()) => is_gone = true,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(trouble("delete", &path, &e)),
            }
        }
        match is_gone {
            true => Ok(()),
            false => Err(Error::not_found(format!("there is no recording '{name}'"))),
        }
    }

    pub(super) fn all(&self) -> Result<Vec<Found>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(trouble("read", &self.folder, &e)),
        };
        let mut all = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            if check_name(name).is_err() || ![WHOLE, PART].contains(&kind) {
                continue;
            }
            let Ok(about) = entry.metadata() else { continue };
            let changed = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            all.push(Found {
                name: name.to_owned(),
                bytes: about.len(),
                changed: changed.map_or(0, |at| at.as_secs()),
                end: if kind == WHOLE { end_of(&path) } else { None },
            });
        }
        all.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}

/// Reads the last line of a recording.
fn end_of(path: &Path) -> Option<End> {
    /// The end of a recording is far shorter.
    const LONGEST: u64 = 1024;
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST))).ok()?;
    let mut tail = Vec::new();
    file.take(LONGEST).read_to_end(&mut tail).ok()?;
    let last = tail.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()?;
    serde_json::from_slice(last).ok()
}

/// Says what the system said about a file, and what to do.
pub(super) fn trouble(verb: &str, path: &Path, e: &io::Error) -> Error {
    let place = path.display();
    let todo = match e.kind() {
        io::ErrorKind::StorageFull => "; the disk is full: delete recordings or make room",
        io::ErrorKind::PermissionDenied => "; let Hearth's user write there",
        _ => "",
    };
    Error::limit(format!("cannot {verb} '{place}': {e}{todo}"))
}
