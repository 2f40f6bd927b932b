//! The file of the audit log: lines of the chain, appended under a lock, rotated by size.
//!
//! Several processes append to it (`hearth mcp` without a daemon beside one that starts later), so each
//! takes the file's lock for the few microseconds of a line, and looks where the chain stands when the
//! file is not as it left it. Nothing is flushed to the disk: what was written outlives the process,
//! and a power cut costs the newest lines. What a crash cut short stays; the next line says so.

use crate::error::Error;
use crate::policy::audit::chain::{self, Line, Link};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So many rotated files are kept beside the one being written.
pub(super) const OLDER: usize = 3;
/// The end of the chain is looked for in so many bytes; a line has at most a tenth of it.
const TAIL: u64 = 64 << 10;
/// So long is the lock of another process waited for; it holds it for microseconds.
const PATIENCE: Duration = Duration::from_millis(50);
/// After that it is only tried, and not waited for, so long.
const PAUSE: Duration = Duration::from_secs(1);
/// So long is it tried when the program ends.
const LAST_TRY: Duration = Duration::from_secs(2);
/// So many entries wait for a lock that does not come.
const WAITING: usize = 1000;

/// The file being written.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    file: File,
    most: u64,
    /// Where the chain stood, and how long the file was, after our own last line.
    known: Option<(u64, Link)>,
    /// Entries whose turn has not come: another process held the lock.
    waiting: VecDeque<String>,
    /// Until when the lock is not waited for.
    hurry: Option<Instant>,
}

/// Where the chain stands, and what comes after it that is no entry.
struct Tail {
    link: Link,
    scrap: Vec<u8>,
}

impl Ledger {
    /// Opens or makes the file at `path` (mode 0600), to be rotated at `most` bytes.
    ///
    /// # Errors
    /// Broken: the file cannot be written.
    pub(super) fn open(path: &Path, most: u64) -> Result<Ledger, Error> {
        let (path, file) = (path.to_owned(), append(path)?);
        Ok(Ledger { path, file, most, known: None, waiting: VecDeque::new(), hurry: None })
    }

    /// Adds an entry, a JSON object in one line.
    ///
    /// # Errors
    /// Broken: the file cannot be written or rotated; Conflict: another process holds its lock for too
    /// long. Then the entry waits for the next one.
    pub(super) fn add(&mut self, entry: String) -> Result<(), Error> {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
            log::error!("the audit log cannot be written, and an entry is lost");
        }
        self.waiting.push_back(entry);
        self.hold()?;
        let done = self.write_waiting();
        if done.is_err() {
            // Part of a line may be in the file now.
            self.known = None;
        }
        let _ = self.file.unlock();
        done
    }

    fn write_waiting(&mut self) -> Result<(), Error> {
        while let Some(entry) = self.waiting.front() {
            let bad = |e| Error::broken(format!("cannot write {}", self.path.display())).because(e);
            let length = self.file.metadata().map_err(bad)?.len();
            let tail = match self.known.take() {
                Some((then, link)) if then == length => Tail { link, scrap: Vec::new() },
                _ => self.find_end(length).map_err(bad)?,
            };
            let Tail { link, mut scrap } = tail;
            let open = scrap.last().is_some_and(|last| *last != b'\n');
            if open {
                scrap.push(b'\n');
            }
            let torn = (!scrap.is_empty()).then(|| chain::hash_of(&scrap));
            let (mut line, link) = chain::close(entry, &link, torn.as_deref());
            if open {
                line.insert(0, '\n');
            }
            line.push('\n');
            self.file.write_all(line.as_bytes()).map_err(bad)?;
            self.waiting.pop_front();
            let length = length + line.len() as u64;
            self.known = Some((length, link));
            if length >= self.most {
                self.rotate()?;
            }
        }
        Ok(())
    }

    /// Takes the lock of the file that has the name now; another process may have rotated it.
    fn hold(&mut self) -> Result<(), Error> {
        let bad =
            |path: &Path, e| Error::broken(format!("cannot lock {}", path.display())).because(e);
        let now = Instant::now();
        let until = self.hurry.filter(|hurry| *hurry > now).map_or(now + PATIENCE, |_| now);
        loop {
            match self.file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    // Not a spin: on a busy machine whoever has it must get to run.
                    std::thread::sleep(Duration::from_micros(100));
                    continue;
                }
                Err(TryLockError::WouldBlock) => {
                    self.hurry = self.hurry.filter(|hurry| *hurry > now).or(Some(now + PAUSE));
                    return Err(Error::conflict(format!(
                        "another process holds the lock of {} for long; is one of them stopped?",
                        self.path.display()
                    )));
                }
                Err(TryLockError::Error(e)) => return Err(bad(&self.path, e)),
            }
            let own = self.file.metadata().map_err(|e| bad(&self.path, e))?;
            let named = std::fs::metadata(&self.path).ok();
            if named.is_some_and(|named| (named.dev(), named.ino()) == (own.dev(), own.ino())) {
                return Ok(());
            }
            self.file = append(&self.path)?;
            self.known = None;
        }
    }

    /// Looks for the end of the chain in this file, or in the newest of the older ones.
    fn find_end(&self, length: u64) -> std::io::Result<Tail> {
        if length > 0 {
            return end_of(&self.file, length);
        }
        for n in 1..=OLDER {
            let Ok(file) = File::open(name(&self.path, n)) else { continue };
            let length = file.metadata()?.len();
            // What is cut short there is followed by the next line here, which says so all the same.
            return end_of(&file, length);
        }
        Ok(Tail { link: Link::start(), scrap: Vec::new() })
    }

    fn rotate(&mut self) -> Result<(), Error> {
        for n in (1..OLDER).rev() {
            // A gap in the row of files is no fault.
            let _ = std::fs::rename(name(&self.path, n), name(&self.path, n + 1));
        }
        std::fs::rename(&self.path, name(&self.path, 1)).map_err(|e| {
            Error::broken(format!("cannot rotate {}", self.path.display())).because(e)
        })?;
        // Closing the old file gives its lock back; whoever waits for it sees that it has moved.
        self.file = append(&self.path)?;
        self.known = self.known.take().map(|(_, link)| (0, link));
        Ok(())
    }
}

impl Drop for Ledger {
    /// Writes what still waits for the lock.
    fn drop(&mut self) {
        let until = Instant::now() + LAST_TRY;
        while !self.waiting.is_empty() && Instant::now() < until {
            self.hurry = None;
            if self.hold().is_ok() {
                let done = self.write_waiting();
                let _ = self.file.unlock();
                if done.is_err() {
                    break;
                }
            }
        }
        if !self.waiting.is_empty() {
            log::error!("{} entries of the audit log are lost at the end", self.waiting.len());
        }
    }
}

/// The path of an older file: `audit.1.jsonl` is the newest of them.
pub(super) fn name(path: &Path, n: usize) -> PathBuf {
    let ending = path.extension().map_or("log", |e| e.to_str().unwrap_or("log"));
    path.with_extension(format!("{n}.{ending}"))
}

fn append(path: &Path) -> Result<File, Error> {
    let open = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path);
    open.map_err(|e| Error::broken(format!("cannot write {}", path.display())).because(e))
}

fn end_of(file: &File, length: u64) -> std::io::Result<Tail> {
    let from = length.saturating_sub(TAIL);
    let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
    file.read_exact_at(&mut bytes, from)?;
    Ok(end_in(&bytes))
}

/// The end of the chain in the last bytes of a file.
fn end_in(bytes: &[u8]) -> Tail {
    let mut end = bytes.len();
    // Line by line from the end; what has no line break is no entry, however whole it looks.
    while let Some(stop) = bytes[..end].iter().rposition(|b| *b == b'\n') {
        let start = bytes[..stop].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let link = match chain::read(&bytes[start..stop]) {
            Line::Entry { link, .. } => Some(link),
            Line::Plain => Some(Link::start()),
            Line::Changed(_) | Line::Scrap => None,
        };
        if let Some(link) = link {
            return Tail { link, scrap: bytes[stop + 1..].to_vec() };
        }
        end = start;
    }
    Tail { link: Link::start(), scrap: bytes.to_vec() }
}
