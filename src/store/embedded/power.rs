//! A disk whose power is cut, to test that an acknowledged change is on it and not on its way.
//!
//! SIGKILL leaves the system's page cache whole, so it cannot tell a flushed write from one that
//! was only handed over. This disk forgets: at a cut, each write since the last flush is kept,
//! lost, or torn at a sector, at random.

use crate::error::Kind;
use crate::events::Events;
use crate::store::change::{Change, Engine, Op, now};
use crate::store::embedded::writer::{Wanted, Writer};
use crate::store::embedded::{CACHE, Disk, Embedded, files};
use crate::store::records;
use crate::tasks::{Tasks, Whose};
use redb::{Builder, StorageBackend};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::{Semaphore, mpsc};

const SECTOR: usize = 512;

#[derive(Clone, Debug)]
struct Frail(Arc<Mutex<Platter>>);

#[derive(Debug)]
struct Platter {
    /// What is sure to be there after a cut.
    flushed: Vec<u8>,
    /// What the running system sees.
    seen: Vec<u8>,
    /// What was written since the last flush.
    under_way: Vec<Under>,
    /// Calls until the power goes.
    left: u64,
    /// Whether the program breaks down then, instead of being told.
    panics: bool,
}

#[derive(Debug)]
enum Under {
    Write(usize, Vec<u8>),
    Length(usize),
}

fn act(image: &mut Vec<u8>, under: &Under) {
    match under {
        Under::Length(length) => image.resize(*length, 0),
        Under::Write(at, data) => {
            image.resize(image.len().max(at + data.len()), 0);
            image[*at..at + data.len()].copy_from_slice(data);
        }
    }
}

impl Frail {
    fn holding(image: Vec<u8>, left: u64) -> Frail {
        let seen = image.clone();
        let platter = Platter { flushed: image, seen, under_way: Vec::new(), left, panics: false };
        Frail(Arc::new(Mutex::new(platter)))
    }

    fn call<T>(&self, run: impl FnOnce(&mut Platter) -> T) -> io::Result<T> {
        let mut platter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(!platter.panics || platter.left > 0, "broken down on purpose");
        platter.left = platter.left.checked_sub(1).ok_or_else(|| io::Error::other("no power"))?;
        Ok(run(&mut platter))
    }

    fn change(&self, under: Under) -> io::Result<()> {
        self.call(|platter| {
            act(&mut platter.seen, &under);
            platter.under_way.push(under);
        })
    }

    /// What is found when the power is back.
    fn after_the_cut(&self, dice: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
        let platter = self.0.lock().unwrap();
        let mut image = platter.flushed.clone();
        // In every second cut all of it made it to the disk, only the answer did not.
        let all = dice(2) == 0;
        for under in &platter.under_way {
            match (under, if all { 2 } else { dice(3) }) {
                (_, 0) => {}
                (Under::Write(at, data), 1) => {
                    let sectors = dice(1 + (data.len() / SECTOR) as u64) as usize;
                    act(&mut image, &Under::Write(*at, data[..sectors * SECTOR].to_vec()));
                }
                _ => act(&mut image, under),
            }
        }
        image
    }
}

impl StorageBackend for Frail {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = offset as usize;
        let platter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = platter.seen.get(at..at + out.len());
        out.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Under::Length(length as usize))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Under::Write(offset as usize, data.to_vec()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.call(|platter| {
            platter.flushed.clone_from(&platter.seen);
            platter.under_way.clear();
        })
    }
}

fn dice(mut state: u64) -> impl FnMut(u64) -> u64 {
    move |most| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % most
    }
}

fn disk(frail: &Frail, dir: PathBuf, tasks: &Tasks) -> Option<Arc<Disk>> {
    let db = Builder::new().set_cache_size(CACHE).create_with_backend(frail.clone()).ok()?;
    Some(Arc::new(Disk {
        lock: Mutex::new(Some(files::lock(&dir).ok()?)),
        path: files::path_in(&dir),
        dir,
        most: 1 << 30,
        db: RwLock::new(Some(db)),
        unsure: AtomicBool::new(false),
        changes: AtomicU64::new(0),
        commits: AtomicU64::new(0),
        status: tasks.status("store", Whose::Own),
    }))
}

/// One transaction: two batches that each write three keys.
fn group(n: u64) -> Vec<Wanted> {
    let batch = |part: u64| {
        let value = [n.to_be_bytes().to_vec(), vec![n as u8; (n * 701 % 6000) as usize]].concat();
        let op = |k: u64| Op::put("t", &format!("{part}/{}", k + n % 5 * 3), &value);
        Wanted::new(Change::Batch((0..3).map(op).collect()))
    };
    vec![batch(0), batch(1)]
}

/// Which change wrote each of the fifteen keys of a part.
fn numbers(seen: &impl records::Look<Fail: std::fmt::Debug>) -> Vec<Option<u64>> {
    let keys = (0..2).flat_map(|part| (0..15).map(move |k| format!("{part}/{k}")));
    keys.map(|key| {
        let value = records::get(seen, "t", &key, now()).unwrap()?;
        let n = u64::from_be_bytes(value[..8].try_into().unwrap());
        assert!(
            value.len() as u64 == 8 + n * 701 % 6000 && value[8..].iter().all(|b| *b == n as u8)
        );
        Some(n)
    })
    .collect()
}

/// What the keys must be after change `n`.
fn expected(n: u64) -> Vec<Option<u64>> {
    let newest = |k: u64| (1..=n).rev().find(|n| n % 5 == k / 3);
    (0..2).flat_map(|_| (0..15).map(newest)).collect()
}

#[tokio::test]
async fn a_power_cut_takes_no_acknowledged_change_and_leaves_no_half_transaction() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(now() | 1);
    eprintln!("SEED={seed}");
    let mut dice = dice(seed);
    let dir = std::env::temp_dir().join(format!("hearth-power-{}", std::process::id()));
    files::make_dir(&dir).unwrap();
    let tasks = Tasks::new(Events::new());
    drop(files::open(&dir).unwrap());
    let path = files::path_in(&dir);
    let (mut acknowledged, mut lost) = (0, 0);
    for round in 0..100 {
        let frail = Frail::holding(std::fs::read(&path).unwrap(), 20 + dice(150));
        let mut next = acknowledged + 1;
        if let Some(disk) = disk(&frail, dir.clone(), &tasks) {
            let (_jobs, queue) = mpsc::unbounded_channel();
            let writer = Writer::new(disk, queue);
            while let Ok(answers) = writer.attempt(&group(next)) {
                assert!(answers.iter().all(Result::is_ok));
                next += 1;
                assert!(next < acknowledged + 1000, "changes are answered without the disk");
            }
        }
        std::fs::write(&path, frail.after_the_cut(&mut dice)).unwrap();
        let back = files::open(&dir).unwrap_or_else(|e| panic!("round {round}: {e}"));
        let disk = Disk {
            db: RwLock::new(Some(back)),
            ..Arc::into_inner(
                disk(&Frail::holding(Vec::new(), 1 << 40), dir.clone(), &tasks).unwrap(),
            )
            .unwrap()
        };
        let found = disk.read(|seen| Ok(numbers(seen))).unwrap();
        let kept = found == expected(next);
        assert!(kept || found == expected(next - 1), "round {round}: {found:?} next {next}");
        acknowledged = if kept { next } else { next - 1 };
        lost += u64::from(!kept);
    }
    eprintln!("{acknowledged} transactions, {lost} of 100 under way were lost whole");
    assert!(acknowledged > 200 && lost > 10, "{acknowledged} transactions, {lost} lost");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_writer_that_breaks_down_answers_and_starts_again() {
    let dir = std::env::temp_dir().join(format!("hearth-breakdown-{}", std::process::id()));
    files::make_dir(&dir).unwrap();
    drop(files::open(&dir).unwrap());
    let tasks = Tasks::new(Events::new());
    let frail = Frail::holding(std::fs::read(files::path_in(&dir)).unwrap(), 1000);
    let disk = disk(&frail, dir.clone(), &tasks).unwrap();
    let (jobs, queue) = mpsc::unbounded_channel();
    let writer = Writer::new(disk.clone(), queue);
    tasks.thread("store", move |stop| writer.run(&stop)).unwrap();
    let engine = Embedded {
        disk,
        jobs,
        waiting: Arc::new(Semaphore::new(100)),
        readers: Arc::new(Semaphore::new(1)),
        tasks: tasks.clone(),
    };
    let put = |key: &str| engine.change(Change::Batch(vec![Op::put("t", key, b"v")]));
    put("before").await.unwrap();
    {
        let mut platter = frail.0.lock().unwrap();
        (platter.panics, platter.left) = (true, 0);
    }
    let e = put("meanwhile").await.unwrap_err();
    assert_eq!(e.kind(), Kind::Offline);
    assert!(e.what().contains("starting again"), "{e}");
    // It opened the real file below; this disk has served its turn.
    put("after").await.unwrap();
    assert_eq!(engine.get("t", "after").await.unwrap().unwrap(), b"v");
    assert!(tasks.is_ready());
    tasks.stop().await;
    std::fs::remove_dir_all(&dir).unwrap();
}
