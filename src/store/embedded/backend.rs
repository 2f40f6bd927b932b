//! The file below the embedded store, with a rehearsal: while a file is being opened and checked,
//! nothing is written to it, so that a damaged one stays as it was found.
//!
//! During the rehearsal writes are kept in a list and laid over what is read. [`Stage::perform`]
//! plays them to the file, with the flushes between them that matter, and from then on writes go
//! through. A flush is most of the time that a start takes: redb asks for four to open a file and
//! for eight to make one.

use redb::StorageBackend;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most bytes that a rehearsal keeps in memory; opening never needs nearly as much.
const REHEARSAL_MAX: usize = 64 << 20;

enum Act {
    Write(u64, Vec<u8>),
    Length(u64),
    Flush,
}

#[derive(Default)]
struct Rehearsal {
    acts: Vec<Act>,
    bytes: usize,
    length: u64,
}

/// The file; redb holds one clone, whoever opens it the other.
#[derive(Clone)]
pub(super) struct Stage {
    file: Arc<File>,
    rehearsal: Arc<Mutex<Option<Rehearsal>>>,
    /// Set when the rehearsal is over, so that reads need no lock from then on.
    live: Arc<AtomicBool>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stage")
    }
}

impl Stage {
    /// Begins a rehearsal on `file`.
    pub(super) fn rehearse(file: File) -> io::Result<Stage> {
        let length = file.metadata()?.len();
        let rehearsal = Rehearsal { length, ..Rehearsal::default() };
        Ok(Stage {
            file: Arc::new(file),
            rehearsal: Arc::new(Mutex::new(Some(rehearsal))),
            live: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Ends the rehearsal: does to the file what was asked so far.
    pub(super) fn perform(&self) -> io::Result<()> {
        let mut rehearsal = self.rehearsal();
        let Some(played) = rehearsal.as_ref() else { return Ok(()) };
        for act in needed(&played.acts) {
            self.play(act)?;
        }
        *rehearsal = None;
        self.live.store(true, Ordering::Release);
        Ok(())
    }

    /// The same for a file that nobody opens before it gets its real name: no crash can leave it
    /// half written under that name, so one flush at the end is enough.
    pub(super) fn perform_unseen(&self) -> io::Result<()> {
        let rehearsal = self.rehearsal();
        let acts = rehearsal.iter().flat_map(|played| &played.acts);
        for act in acts.filter(|act| !matches!(act, Act::Flush)) {
            self.play(act)?;
        }
        self.file.sync_data()
    }

    fn play(&self, act: &Act) -> io::Result<()> {
        match act {
            Act::Write(at, data) => self.file.write_all_at(data, *at),
            Act::Length(length) => self.file.set_len(*length),
            Act::Flush => self.file.sync_data(),
        }
    }

    fn rehearsal(&self) -> MutexGuard<'_, Option<Rehearsal>> {
        self.rehearsal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StorageBackend for Stage {
    fn len(&self) -> io::Result<u64> {
        match self.rehearsal().as_ref() {
            Some(rehearsal) => Ok(rehearsal.length),
            None => Ok(self.file.metadata()?.len()),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.live.load(Ordering::Acquire) {
            return self.file.read_exact_at(out, offset);
        }
        let rehearsal = self.rehearsal();
        let Some(rehearsal) = rehearsal.as_ref() else {
            return self.file.read_exact_at(out, offset);
        };
        if offset.saturating_add(out.len() as u64) > rehearsal.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // What the file does not have yet, but the rehearsal made room for, reads as zeros.
        out.fill(0);
        let there = self.file.metadata()?.len().saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        self.file.read_exact_at(&mut out[..there], offset)?;
        for act in &rehearsal.acts {
            match act {
                Act::Write(at, data) => overlay(out, offset, data, *at),
                Act::Length(length) => {
                    let kept = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
                    let kept = kept.min(out.len());
                    out[kept..].fill(0);
                }
                Act::Flush => {}
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        match self.rehearsal().as_mut() {
            Some(rehearsal) => {
                rehearsal.acts.push(Act::Length(length));
                rehearsal.length = length;
                Ok(())
            }
            None => self.file.set_len(length),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.rehearsal().as_mut() {
            Some(rehearsal) => {
                rehearsal.acts.push(Act::Flush);
                Ok(())
            }
            None => self.file.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        match self.rehearsal().as_mut() {
            Some(rehearsal) if rehearsal.bytes + data.len() > REHEARSAL_MAX => {
                Err(io::Error::other("opening the store wants to write too much"))
            }
            Some(rehearsal) => {
                rehearsal.bytes += data.len();
                rehearsal.length = rehearsal.length.max(offset + data.len() as u64);
                rehearsal.acts.push(Act::Write(offset, data.to_vec()));
                Ok(())
            }
            None => self.file.write_all_at(data, offset),
        }
    }
}

/// Leaves out what leads to no other state after a crash: a flush right behind a flush, and a write
/// between two flushes when the next one writes the same place again. Opening writes the header
/// three times; two of them remain. The first flush always does: a process that was killed may have
/// left what is not on the disk yet.
fn needed(acts: &[Act]) -> Vec<&Act> {
    let mut kept: Vec<&Act> = Vec::new();
    for act in acts {
        match (act, kept.as_slice()) {
            (Act::Flush, [.., Act::Flush]) => continue,
            (
                Act::Write(at, data),
                [before @ .., Act::Flush, Act::Write(earlier, old), Act::Flush],
            ) if (at, data.len()) == (earlier, old.len()) => kept.truncate(before.len() + 1),
            _ => {}
        }
        kept.push(act);
    }
    kept
}

/// Copies the part of `data` (which lies at `at`) that falls into `out` (which lies at `offset`).
fn overlay(out: &mut [u8], offset: u64, data: &[u8], at: u64) {
    let from = at.max(offset);
    let to = (at + data.len() as u64).min(offset + out.len() as u64);
    if from < to {
        let (into, of) = ((from - offset) as usize, (from - at) as usize);
        let length = (to - from) as usize;
        out[into..into + length].copy_from_slice(&data[of..of + length]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> (std::path::PathBuf, Stage) {
        let path = std::env::temp_dir().join(format!("hearth-stage-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let open = File::options().read(true).write(true).open(&path).unwrap();
        (path, Stage::rehearse(open).unwrap())
    }

    fn read(stage: &Stage, at: u64, length: usize) -> Vec<u8> {
        let mut out = vec![9; length];
        stage.read(at, &mut out).unwrap();
        out
    }

    #[test]
    fn a_rehearsal_reads_its_own_writes_and_leaves_the_file_alone() {
        let (path, stage) = file("own", b"abcdef");
        stage.write(1, b"XY").unwrap();
        stage.set_len(8).unwrap();
        stage.write(7, b"Z").unwrap();
        assert_eq!(read(&stage, 0, 8), b"aXYdef\0Z");
        assert_eq!(read(&stage, 2, 3), b"Yde");
        stage.set_len(2).unwrap();
        stage.set_len(4).unwrap();
        assert_eq!(read(&stage, 0, 4), b"aX\0\0");
        assert!(stage.read(2, &mut [0; 3]).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"abcdef");
    }

    #[test]
    fn a_performed_rehearsal_is_what_the_file_holds() {
        let (path, stage) = file("performed", b"abcdef");
        stage.write(4, b"XYZ").unwrap();
        stage.sync_data().unwrap();
        let rehearsed = read(&stage, 0, 7);
        stage.perform().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), rehearsed);
        stage.write(0, b"-").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"-bcdXYZ");
    }

    #[test]
    fn only_flushes_that_matter_are_played() {
        let check = |asked: &str, want: &str| {
            let acts: Vec<Act> = asked
                .chars()
                .map(|c| match c {
                    'f' => Act::Flush,
                    'l' => Act::Length(9),
                    c => Act::Write(u64::from(u32::from(c)), vec![0; 2]),
                })
                .collect();
            let kept: String = needed(&acts)
                .into_iter()
                .map(|act| match act {
                    Act::Flush => 'f',
                    Act::Length(_) => 'l',
                    Act::Write(at, _) => char::from_u32(*at as u32).unwrap(),
                })
                .collect();
            assert_eq!(kept, want, "{asked}");
        };
        check("hffhfhf", "hfhf");
        check("fhfhf", "fhf");
        check("afhfhf", "afhf");
        // Here the second header may only follow when what came with the first is on the disk.
        check("ahfhf", "ahfhf");
        check("lfhfhf", "lfhf");
        check("afbfhf", "afbfhf");
        check("hfafhf", "hfafhf");
    }
}
