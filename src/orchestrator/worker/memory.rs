//! Files that are kept in memory: for a sandbox in which nothing may be opened.
//!
//! A system-call filter cannot see which path a program opens, so at level 1 it denies opening
//! altogether. What is written here lives as long as the worker.

use crate::error::Error;
use crate::orchestrator::worker::files::{Files, Item, Listing, Part};
use crate::orchestrator::worker::path;
use std::collections::BTreeMap;

/// What a file costs besides its bytes, so that empty ones are bounded too.
const EACH: usize = 256;

/// Files by their path without `.` and doubled slashes.
pub(super) struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    room: usize,
}

impl Memory {
    /// Keeps at most `room` bytes, names included.
    pub(super) fn new(room: usize) -> Memory {
        Memory { files: BTreeMap::new(), room }
    }

    fn used(&self) -> usize {
        self.files.iter().map(|(name, bytes)| name.len() + bytes.len() + EACH).sum()
    }

    fn is_folder(&self, path: &str) -> bool {
        let below = format!("{path}/");
        path.is_empty()
            || self.files.range(below.clone()..).next().is_some_and(|(n, _)| n.starts_with(&below))
    }
}

impl Files for Memory {
    fn read(&self, path: &str, offset: u64, most: usize) -> Result<Part, Error> {
        let (mut names, own) = path::file(path)?;
        names.push(own);
        let name = names.join("/");
        let Some(file) = self.files.get(&name) else {
            return Err(match self.is_folder(&name) {
                true => Error::refused(format!("'{}' is a folder", name.escape_debug())),
                false => Error::not_found(format!("there is no file '{}'", name.escape_debug())),
            });
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(file.len());
        let to = from.saturating_add(most).min(file.len());
        Ok(Part { bytes: file[from..to].to_vec(), size: file.len() as u64 })
    }

    fn write(&mut self, path: &str, bytes: &[u8], at_end: bool) -> Result<u64, Error> {
        let (folders, own) = path::file(path)?;
        for upto in 1..=folders.len() {
            let above = folders[..upto].join("/");
            if self.files.contains_key(&above) {
                let what = format!("'{}' is a file, not a folder", above.escape_debug());
                return Err(Error::refused(what));
            }
        }
        let name = [&folders[..], &[own]].concat().join("/");
        if self.is_folder(&name) {
            return Err(Error::refused(format!("'{}' is a folder", name.escape_debug())));
        }
        let old = self.files.get(&name);
        let freed = match (old, at_end) {
            (Some(file), false) => name.len() + file.len() + EACH,
            (Some(_), true) => name.len() + EACH,
            (None, _) => 0,
        };
        let wanted = self.used() - freed + name.len() + bytes.len() + EACH;
        if wanted > self.room {
            return Err(Error::limit(format!(
                "no room: this sandbox keeps files in memory, at most {} bytes",
                self.room
            )));
        }
        let file = self.files.entry(name).or_default();
        if !at_end {
            file.clear();
        }
        file.extend_from_slice(bytes);
        Ok(file.len() as u64)
    }

    fn list(&self, path: &str, after: &str, most: usize) -> Result<Listing, Error> {
        let folder = path::names(path)?.join("/");
        if !self.is_folder(&folder) {
            let what = format!("there is no folder '{}'", folder.escape_debug());
            return Err(Error::not_found(what));
        }
        let below = if folder.is_empty() { folder } else { format!("{folder}/") };
        // Several files of one folder below are one name here.
        let mut found = BTreeMap::new();
        for (name, bytes) in self.files.range(below.clone()..) {
            let Some(rest) = name.strip_prefix(&below) else { break };
            match rest.split_once('/') {
                Some((name, _)) => found.insert(name, ("folder", None)),
                None => found.insert(rest, ("file", Some(bytes.len() as u64))),
            };
        }
        let mut items: Vec<Item> = found
            .into_iter()
            .filter(|(name, _)| *name > after)
            .map(|(name, (kind, size))| Item { name: name.to_owned(), kind, size })
            .take(most + 1)
            .collect();
        let more = items.len() > most;
        items.truncate(most);
        Ok(Listing { items, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn what_was_written_is_read_and_listed_and_nothing_leads_out() {
        let mut files = Memory::new(10_000);
        assert_eq!(files.write("a/b.txt", b"one", false).unwrap(), 3);
        assert_eq!(files.write("./a//b.txt", b" two", true).unwrap(), 7);
        files.write("a-b", b"", false).unwrap();
        assert_eq!(files.read("a/b.txt", 4, 2).unwrap(), Part { bytes: b"tw".into(), size: 7 });
        let names = |l: Listing| l.items.into_iter().map(|i| i.name).collect::<Vec<_>>();
        assert_eq!(names(files.list("", "", 10).unwrap()), ["a", "a-b"]);
        assert_eq!(names(files.list("a", "", 10).unwrap()), ["b.txt"]);
        assert!(files.list("", "", 1).unwrap().more);
        assert_eq!(names(files.list("", "a", 1).unwrap()), ["a-b"]);
        for (path, kind) in [("a", Kind::Refused), ("b", Kind::NotFound), ("../a", Kind::Refused)] {
            assert_eq!(files.read(path, 0, 1).unwrap_err().kind(), kind, "{path}");
        }
        assert_eq!(files.write("a/b.txt/c", b"", false).unwrap_err().kind(), Kind::Refused);
        assert_eq!(files.write("a", b"", false).unwrap_err().kind(), Kind::Refused);
    }

    #[test]
    fn its_room_is_bounded_and_a_refused_write_changes_nothing() {
        let mut files = Memory::new(1000);
        files.write("a", &[1; 500], false).unwrap();
        assert_eq!(files.write("a", &[2; 500], true).unwrap_err().kind(), Kind::Limit);
        assert_eq!(files.read("a", 0, 1000).unwrap().bytes, [1; 500]);
        files.write("a", &[3; 700], false).unwrap();
        let small = (0..100).filter(|n| files.write(&format!("n{n}"), b"", false).is_ok()).count();
        assert_eq!(small, 0);
    }
}
