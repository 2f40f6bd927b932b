//! Kills a writing process with SIGKILL, many times at random points, and looks at what is left:
//! each acknowledged change is there, and each batch is there whole or not at all.
//!
//! The writer is this same test binary, started for `writer_child` alone. It prints one line for
//! each acknowledged change. Each of its writers works through numbered changes one after the
//! other, so at most the next one after the last acknowledged may or may not have happened; the
//! next process begins with that one.

use super::{Dice, Dir, open};
use hearth::store::{Bounds, Op, Store};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const KILLS: usize = 200;
const WRITERS: usize = 6;
/// Keys that one writer uses in turn.
const KEYS: u64 = 7;
const DIR: &str = "HEARTH_TEST_STORE_DIR";
const FROM: &str = "HEARTH_TEST_STORE_FROM";
const BOUNDS: Bounds = Bounds { items: 1_000_000, bytes: 1 << 30 };

/// The value that change `n` writes: its number and a tail whose length and bytes depend on it.
fn value(n: u64) -> Vec<u8> {
    let tail = (n * 997 % 3000) as usize;
    let mut value = n.to_be_bytes().to_vec();
    value.extend((0..tail).map(|i| (n as usize * 31 + i * 7) as u8));
    value
}

fn number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value[..8].try_into().unwrap())
}

/// Does change `n` of a writer: a put, a delete, a batch over three keys, a swap or a message.
async fn change(store: &Store, writer: usize, n: u64) {
    let key = format!("w{writer}/{}", n % KEYS);
    match n % 5 {
        0 => {
            let ops = (0..3).map(|k| Op::put("batch", &format!("w{writer}/{k}"), &value(n)));
            store.batch(ops.collect()).await.unwrap();
        }
        1 => drop(store.delete("single", &key).await.unwrap()),
        2 => {
            let old = store.get("swap", &key).await.unwrap();
            let new = Some(value(n));
            assert!(store.swap("swap", &key, old.as_deref(), new.as_deref()).await.unwrap());
        }
        3 => {
            let outbox = store.outbox(&format!("w{writer}"), BOUNDS).unwrap();
            if let [(oldest, _), _, _, ..] = outbox.peek(3).await.unwrap()[..] {
                assert!(outbox.ack(oldest).await.unwrap());
            }
            outbox.push(&value(n)).await.unwrap();
        }
        _ => store.put("single", &key, &value(n), None).await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the other test kills"]
async fn writer_child() {
    let dir = std::env::var(DIR).expect("only the other test starts this one");
    let from = std::env::var(FROM).unwrap();
    let opened = open(Path::new(&dir)).await.unwrap();
    let writers = from.split(' ').enumerate().map(|(writer, from)| {
        let store = opened.store.clone();
        let from: u64 = from.parse().unwrap();
        async move {
            for n in from.. {
                change(&store, writer, n).await;
                // One write call a line: a killed process leaves no half of one.
                std::io::stdout().write_all(format!("ack {writer} {n}\n").as_bytes()).unwrap();
                std::io::stdout().flush().unwrap();
            }
        }
    });
    futures_util::future::join_all(writers).await;
}

fn start(dir: &Path, next: &[u64]) -> Child {
    let from: Vec<String> = next.iter().map(u64::to_string).collect();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::kill::writer_child", "--ignored", "--nocapture", "--quiet"])
        .env(DIR, dir)
        .env(FROM, from.join(" "))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a writer run for a random time and kills it; advances `next` by what it acknowledged.
fn run_and_kill(dir: &Path, next: &mut [u64], dice: &mut Dice) {
    let mut child = start(dir, next);
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    // In three of four rounds the time counts from the first acknowledged change, else from the
    // start of the process, so that opening is interrupted too.
    if dice.below(4) > 0 {
        while !line.starts_with("ack ") {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the writer ended by itself");
        }
        note(&line, next);
    }
    let until = Instant::now() + Duration::from_micros(dice.below(25_000));
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::sleep(left);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines.lines() {
        note(&line.unwrap(), next);
    }
}

fn note(line: &str, next: &mut [u64]) {
    let Some(rest) = line.trim().strip_prefix("ack ") else { return };
    let (writer, n) = rest.split_once(' ').unwrap();
    let (writer, n): (usize, u64) = (writer.parse().unwrap(), n.parse().unwrap());
    assert_eq!(n, next[writer], "writer {writer} left one out");
    next[writer] = n + 1;
}

/// The newest change below `end` that `is` of the sort.
fn newest(end: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
    (1..end).rev().take(200).find(|n| is(*n))
}

/// Checks that `found` is what the changes below `next` leave, or those up to `next`.
fn check(what: &str, next: u64, found: Option<&Vec<u8>>, is: impl Fn(u64) -> bool) {
    let with = |end| newest(end, &is).filter(|n| n % 5 != 1);
    let seen = found.map(|value| number(value));
    assert!(
        seen == with(next) || seen == with(next + 1),
        "{what}: found {seen:?}, acknowledged {:?}, next {next}",
        with(next)
    );
    if let (Some(n), Some(found)) = (seen, found) {
        assert_eq!(found, &value(n), "{what}");
    }
}

/// Looks at everything that a writer wrote.
async fn look(store: &Store, writer: usize, next: u64) {
    let all = |table| async move {
        let page = store.list(table, &format!("w{writer}/"), None, 100).await.unwrap();
        page.into_iter().collect::<std::collections::BTreeMap<_, _>>()
    };
    let (singles, swaps, batch) = (all("single").await, all("swap").await, all("batch").await);
    for k in 0..KEYS {
        let key = format!("w{writer}/{k}");
        let single = |n: u64| n % KEYS == k && (n % 5 == 4 || n % 5 == 1);
        check(&format!("single {key}"), next, singles.get(&key), single);
        let swap = |n: u64| n % KEYS == k && n % 5 == 2;
        check(&format!("swap {key}"), next, swaps.get(&key), swap);
    }
    for k in 0..3 {
        let key = format!("w{writer}/{k}");
        check(&format!("batch {key}"), next, batch.get(&key), |n| n % 5 == 0);
    }
    let one = batch.values().next();
    assert!(batch.values().all(|value| Some(value) == one), "half a batch of writer {writer}");
    let outbox = store.outbox(&format!("w{writer}"), BOUNDS).unwrap();
    let messages = outbox.peek(100).await.unwrap();
    assert_eq!(outbox.waiting().await.unwrap(), messages.len() as u64);
    assert!(messages.is_sorted_by(|a, b| a.0 < b.0));
    check(&format!("outbox w{writer}"), next, messages.last().map(|m| &m.1), |n| n % 5 == 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_kills_lose_no_acknowledged_write() {
    let dir = Dir::new();
    let mut dice = Dice::new();
    let mut next = vec![1; WRITERS];
    let began = Instant::now();
    for _ in 0..KILLS {
        tokio::task::block_in_place(|| run_and_kill(dir.path(), &mut next, &mut dice));
        let opened = open(dir.path()).await.unwrap();
        for (writer, next) in next.iter().enumerate() {
            look(&opened.store, writer, *next).await;
        }
        opened.tasks.stop().await;
    }
    let changes: u64 = next.iter().sum::<u64>() - WRITERS as u64;
    eprintln!("{KILLS} kills, {changes} acknowledged changes, {:?}", began.elapsed());
    assert!(changes > 2 * KILLS as u64, "the writers hardly wrote: {changes} changes");
}
