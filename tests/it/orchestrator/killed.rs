//! Kills the writer of sessions with SIGKILL and looks at what is left: each acknowledged session is
//! there, each acknowledged end is an end, and no epoch was given twice.

use crate::store::Dir;
use crate::store::redis_server::RedisServer;
use hearth::config::Secret;
use hearth::events::Events;
use hearth::orchestrator::Keeper;
use hearth::orchestrator::sessions::{Key, Lease, Owner, Receipt, Record, Wish};
use hearth::store::{Config, Store};
use hearth::tasks::Tasks;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const ROUNDS: usize = 12;
const DIR: &str = "HEARTH_TEST_SESSIONS_DIR";
const REDIS: &str = "HEARTH_TEST_SESSIONS_REDIS";
const ROUND: &str = "HEARTH_TEST_SESSIONS_ROUND";

async fn open(dir: &Path, redis: &str) -> (Store, Tasks) {
    let tasks = Tasks::new(Events::new());
    let config = Config { redis_url: Secret::new(redis.to_owned()), ..Config::default() };
    (Store::open(&config, dir, &tasks).await.unwrap(), tasks)
}

/// Makes sessions without end, takes those of former runs over, ends every third.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the other tests kill"]
async fn sessions_child() {
    let var = |name| std::env::var(name).expect("only the other tests start this one");
    let (store, _tasks) = open(Path::new(&var(DIR)), &var(REDIS)).await;
    let run = var(ROUND);
    let own = Keeper::alone(&store, Lease { node: "n".into(), run: run.clone() });
    let said = |line: String| {
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        std::io::stdout().flush().unwrap();
    };
    for held in own.all().await.unwrap().into_iter().filter(|held| held.record.is_open()) {
        let taken = own.write(Some(&held), held.record.next(own.lease())).await.unwrap();
        said(format!("open {} {}\n", taken.record.id, taken.record.epoch));
    }
    for n in 0.. {
        let owner = Owner { token: 1, name: "t".into() };
        let id = format!("r{run}-{n}");
        let new = Record::new((&id, owner), (Wish::default(), 60), own.lease(), 1000.0, None);
        let held = own.write(None, new).await.unwrap();
        said(format!("open {id} {}\n", held.record.epoch));
        if n % 3 == 2 {
            let ended = held.record.ended(1001.0, "by its owner", Receipt::default());
            own.write(Some(&held), ended).await.unwrap();
            said(format!("ended {id} {}\n", held.record.epoch));
        }
    }
}

fn start(dir: &Path, redis: &str, round: usize) -> Child {
    let test = "orchestrator::killed::sessions_child";
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--quiet"])
        .env(DIR, dir)
        .env(REDIS, redis)
        .env(ROUND, round.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets it work until it said `lines` lines, kills it, and returns all that it said.
fn run_and_kill(mut child: Child, lines: usize) -> Vec<String> {
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut said = Vec::new();
    for line in out.lines() {
        let line = line.unwrap();
        if line.starts_with("open ") || line.starts_with("ended ") {
            said.push(line);
        }
        if said.len() == lines {
            // What it does between this line and the signal is the point.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(said.len() >= lines, "it ended by itself after {} lines", said.len());
    said
}

async fn nothing_acknowledged_is_lost(dir: &Path, redis: &str) {
    let mut last: BTreeMap<String, (bool, u64)> = BTreeMap::new();
    for round in 0..ROUNDS {
        let lines = 5 + round * 7 % 23;
        let child = start(dir, redis, round);
        let said = tokio::task::block_in_place(|| run_and_kill(child, lines));
        for line in said {
            let words: Vec<&str> = line.split(' ').collect();
            let epoch: u64 = words[2].parse().unwrap();
            let before = last.insert(words[1].to_owned(), (words[0] == "open", epoch));
            if let Some((was_open, before)) = before.filter(|_| words[0] == "open") {
                assert!(was_open && epoch > before, "{line}, before {before}");
            }
        }
        let (store, tasks) = open(dir, redis).await;
        let keeper = Keeper::alone(&store, Lease { node: "look".into(), run: "1".into() });
        for (id, (open, epoch)) in &last {
            let key = Key { token: 1, id: id.clone() };
            let held = keeper.get(&key).await.unwrap().unwrap_or_else(|| panic!("{id} is lost"));
            // One step more than was acknowledged may have happened.
            assert!(*open || !held.record.is_open(), "the end of {id} is lost");
            let more = held.record.epoch - epoch;
            assert!(more <= 1, "{id} has epoch {}, acknowledged {epoch}", held.record.epoch);
        }
        tasks.stop().await;
        drop(store);
    }
    assert!(last.len() > ROUNDS * 2, "hardly anything was written: {}", last.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_no_acknowledged_session_on_disk() {
    let dir = Dir::new();
    nothing_acknowledged_is_lost(dir.path(), "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_no_acknowledged_session_on_redis() {
    let dir = Dir::new();
    let mut server = RedisServer::start(dir.path()).await;
    nothing_acknowledged_is_lost(dir.path(), server.url().reveal()).await;
    // Redis itself is killed, too; it flushes each write.
    let count = |store: Store| async move {
        let lease = Lease { node: "look".into(), run: "1".into() };
        let keeper = Keeper::alone(&store, lease);
        tokio::time::timeout(Duration::from_secs(20), keeper.all()).await.unwrap().unwrap().len()
    };
    let (store, tasks) = open(dir.path(), server.url().reveal()).await;
    let before = count(store).await;
    tasks.stop().await;
    server.kill();
    server.restart().await;
    let (store, tasks) = open(dir.path(), server.url().reveal()).await;
    assert_eq!(count(store).await, before);
    tasks.stop().await;
}
