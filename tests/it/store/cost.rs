//! What the embedded store costs: flushes, processor time, bytes to the disk, memory.

use super::{Dir, open};
use futures_util::future::join_all;
use hearth::store::Store;
use std::time::{Duration, Instant};

/// Writers that wait at the same time.
const CROWD: usize = 64;

async fn crowd(store: &Store, puts: usize) {
    let writers = (0..CROWD).map(|writer| async move {
        for n in 0..puts {
            let key = format!("{writer}/{}", n % 20);
            store.put("crowd", &key, &[7; 100], None).await.unwrap();
        }
    });
    join_all(writers).await;
}

#[tokio::test]
async fn puts_that_wait_together_share_a_flush() {
    let dir = Dir::new();
    let opened = open(dir.path()).await.unwrap();
    crowd(&opened.store, 20).await;
    let counts = opened.store.counts();
    assert_eq!(counts.changes, 20 * CROWD as u64);
    let shared = counts.changes / counts.commits;
    assert!(shared >= 8, "only {shared} puts share a flush: {counts:?}");
    // A swap that finds another value changes nothing, so it needs no flush.
    assert!(!opened.store.swap("crowd", "0/0", None, Some(b"x")).await.unwrap());
    assert!(!opened.store.delete("crowd", "none").await.unwrap());
    assert_eq!(opened.store.counts().commits, counts.commits);
    opened.tasks.stop().await;
}

struct Meter {
    cpu: Duration,
    bytes: u64,
    rss: u64,
    at: Instant,
}

fn field(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn meter() -> Meter {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = (usage.user_time() + usage.system_time()).num_microseconds() as u64;
    Meter {
        cpu: Duration::from_micros(micros),
        bytes: field("/proc/self/io", "write_bytes:"),
        rss: field("/proc/self/status", "VmRSS:"),
        at: Instant::now(),
    }
}

/// Prints one line of the table and returns processor time and bytes per change.
fn line(what: &str, before: &Meter, changes: usize) -> (Duration, u64) {
    let now = meter();
    let n = changes as u32;
    let (cpu, bytes) = ((now.cpu - before.cpu) / n, (now.bytes - before.bytes) / changes as u64);
    eprintln!(
        "{what:<28} {cpu:>10.1?} cpu {:>10.1?} wall {bytes:>7} B to disk",
        before.at.elapsed() / n
    );
    (cpu, bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures the whole process: run it alone, with --release --nocapture"]
async fn the_store_is_cheap_enough_for_a_small_board() {
    let dir = Dir::new();
    let opened = open(dir.path()).await.unwrap();
    let store = &opened.store;
    let keys: Vec<String> = (0..2000).map(|n| format!("{:05}", n * 7919 % 10_000)).collect();
    for key in &keys[..50] {
        store.put("t", key, &[7; 100], None).await.unwrap();
    }
    let before = meter();
    for key in &keys {
        store.put("t", key, &[7; 100], None).await.unwrap();
    }
    let (cpu, bytes) = line("a put, one at a time", &before, keys.len());
    assert!(cpu < Duration::from_millis(1) && bytes < 64 * 1024, "a put: {cpu:?}, {bytes} B");
    let before = meter();
    crowd(store, 30).await;
    let (_, shared) = line("a put, 64 at a time", &before, 30 * CROWD);
    assert!(shared < bytes / 4, "group commit saves too little: {shared} B of {bytes} B");
    let before = meter();
    for key in &keys {
        assert!(store.get("t", key).await.unwrap().is_some());
    }
    line("a get", &before, keys.len());
    opened.tasks.stop().await;
    drop(opened);
    let before = meter();
    let opened = open(dir.path()).await.unwrap();
    let (cpu, _) = line("opening 3,900 entries", &before, 1);
    assert!(cpu < Duration::from_millis(40), "opening took {cpu:?}");
    let rss = meter().rss.saturating_sub(before.rss);
    eprintln!("memory after opening: +{rss} KiB");
    assert!(rss < 4096, "an open store holds {rss} KiB");
    opened.tasks.stop().await;
}
