//! Checks the chain of the audit log, all files of it, oldest first.

use crate::error::Error;
use crate::policy::audit::chain::{self, Line, Link};
use crate::policy::audit::ledger::{self, OLDER};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

/// Longer lines are no entries.
const LONGEST: u64 = 1 << 20;

/// What a chain that holds turned out to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries that the chain holds.
    pub entries: u64,
    /// Number of the first of them; above 1 the older ones are not here (any more).
    pub first: u64,
    /// Number of the newest.
    pub newest: u64,
    /// Hash of the newest; noted elsewhere, it shows later that nothing up to here was changed.
    pub hash: String,
    /// Files that were read.
    pub files: usize,
    /// Lines from before there was a chain.
    pub unchained: u64,
    /// Places where a crash cut a line short and the next entry says so.
    pub torn: u64,
    /// Whether the newest line is cut short; the next entry will say so.
    pub open: bool,
    /// Number of the entry whose hash was asked for.
    pub found: Option<u64>,
}

/// Reads the audit log of a data folder and checks each entry against the one before. With `hash` one
/// of the entries must have it. What is written meanwhile is not looked at, and waits for nothing.
///
/// # Errors
/// NotFound when there is no audit log or no entry of that hash; Conflict: the first place where the
/// chain does not hold, with file and line.
pub fn verify(data_dir: &Path, hash: Option<&str>) -> Result<Verified, Error> {
    let files = open_all(&data_dir.join("audit.jsonl"))?;
    if files.is_empty() {
        return Err(Error::not_found(format!(
            "there is no audit log in {}; is this the data folder?",
            data_dir.display()
        )));
    }
    let mut walk = Walk::new(hash);
    for (path, file, length) in files {
        walk.file(&path, file, length)?;
    }
    walk.end()
}

/// Opens all files of the log, oldest first, each with its present length. The lock is held only for
/// that: nobody is in the middle of a line or of a rotation then, and what is open stays as it is.
fn open_all(newest: &Path) -> Result<Vec<(PathBuf, File, u64)>, Error> {
    let cannot =
        |path: &Path, e| Error::broken(format!("cannot read {}", path.display())).because(e);
    let held = File::open(newest).ok();
    if let Some(file) = &held {
        file.lock_shared().map_err(|e| cannot(newest, e))?;
    }
    let mut paths: Vec<PathBuf> = (1..=OLDER).rev().map(|n| ledger::name(newest, n)).collect();
    paths.push(newest.to_owned());
    let mut files = Vec::new();
    for path in paths.into_iter().filter(|path| path.exists()) {
        let file = File::open(&path).map_err(|e| cannot(&path, e))?;
        let length = file.metadata().map_err(|e| cannot(&path, e))?.len();
        files.push((path, file, length));
    }
    Ok(files)
}

struct Walk<'a> {
    wanted: Option<&'a str>,
    seen: Verified,
    /// Where the chain stands; `None` before its first entry.
    at: Option<Link>,
    /// What stands since the newest entry and is none.
    scrap: Vec<u8>,
    /// Where that begins.
    place: String,
}

impl<'a> Walk<'a> {
    fn new(wanted: Option<&'a str>) -> Walk<'a> {
        let (seen, scrap, place) = (Verified::default(), Vec::new(), String::new());
        Walk { wanted, seen, at: None, scrap, place }
    }

    fn file(&mut self, path: &Path, file: File, length: u64) -> Result<(), Error> {
        let cannot = |e| Error::broken(format!("cannot read {}", path.display())).because(e);
        let mut reader = BufReader::new(file.take(length));
        self.seen.files += 1;
        for number in 1u64.. {
            let mut line = Vec::new();
            if reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(cannot)? == 0 {
                break;
            }
            let name = path.file_name().unwrap_or_default().display();
            self.line(&line, format!("{name}, line {number}"))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8], place: String) -> Result<(), Error> {
        let whole = line.strip_suffix(b"\n");
        match whole.map(chain::read) {
            Some(Line::Entry { link, prev, torn }) => self.entry(link, &prev, torn, &place),
            Some(Line::Changed(n)) => {
                let which = n.map_or("an entry".to_owned(), |n| format!("entry {n}"));
                Err(broken(&place, &format!("{which} was changed: it does not have its own hash")))
            }
            Some(Line::Plain) if self.at.is_none() && self.scrap.is_empty() => {
                self.seen.unchained += 1;
                Ok(())
            }
            Some(Line::Plain) => Err(broken(&place, "an entry without a hash was put in")),
            Some(Line::Scrap) | None => {
                if self.scrap.is_empty() {
                    self.place = place;
                }
                self.scrap.extend_from_slice(line);
                Ok(())
            }
        }
    }

    fn entry(
        &mut self,
        link: Link,
        prev: &str,
        torn: Option<String>,
        place: &str,
    ) -> Result<(), Error> {
        let scrap = (!self.scrap.is_empty()).then(|| chain::hash_of(&self.scrap));
        if scrap != torn {
            let text =
                "here stand bytes that no entry accounts for, or some that stood here are gone";
            return Err(broken(if scrap.is_some() { &self.place } else { place }, text));
        }
        self.scrap.clear();
        self.seen.torn += u64::from(torn.is_some());
        match &self.at {
            Some(before) if link.n != before.n + 1 => {
                let text = format!("entry {} follows entry {}: some are missing", link.n, before.n);
                return Err(broken(place, &text));
            }
            Some(before) if prev != before.hash => {
                let text = format!("entry {} does not follow the one before it", link.n);
                return Err(broken(place, &text));
            }
            None if self.seen.unchained > 0 && link.n != 1 => {
                return Err(broken(place, "the beginning of the chain is missing"));
            }
            None if link.n == 1 && prev != Link::start().hash => {
                return Err(broken(place, "entry 1 claims to have one before it"));
            }
            None => self.seen.first = link.n,
            Some(_) => {}
        }
        if self.wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(&link.hash)) {
            self.seen.found = Some(link.n);
        }
        self.seen.entries += 1;
        self.at = Some(link);
        Ok(())
    }

    fn end(mut self) -> Result<Verified, Error> {
        self.seen.open = !self.scrap.is_empty();
        if let Some(Link { n, hash }) = self.at {
            (self.seen.newest, self.seen.hash) = (n, hash);
        }
        match self.wanted {
            Some(wanted) if self.seen.found.is_none() => Err(Error::not_found(format!(
                "no entry of the audit log has the hash {}: it is older than what is kept, or the \
                 chain was made anew since that hash was noted",
                crate::text::clean(wanted, 80)
            ))),
            _ => Ok(self.seen),
        }
    }
}

fn broken(place: &str, what: &str) -> Error {
    Error::conflict(format!("the chain of the audit log does not hold: {place}: {what}"))
}
