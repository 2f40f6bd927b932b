//! Tests of store: one suite on every engine, and what each engine owes on its bad days.

mod agree;
mod cost;
mod files;
mod kill;
mod outage;
pub(crate) mod redis_server;
mod suite;

use hearth::error::Error;
use hearth::events::Events;
use hearth::store::{Config, Store};
use hearth::tasks::{State, Tasks};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A directory that is removed with the value.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hearth-store-{}-{next}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Dir(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store with its supervisor.
struct Opened {
    store: Store,
    tasks: Tasks,
}

async fn open_with(config: &Config, dir: &Path) -> Result<Opened, Error> {
    let tasks = Tasks::new(Events::new());
    let store = Store::open(config, dir, &tasks).await?;
    Ok(Opened { store, tasks })
}

async fn open(dir: &Path) -> Result<Opened, Error> {
    open_with(&Config::default(), dir).await
}

impl Opened {
    fn state(&self, name: &str) -> State {
        self.tasks.health().into_iter().find(|h| h.name == name).unwrap().state
    }
}

/// Waits until `done` says so; fails the test after 20 s.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < Duration::from_secs(20), "waited 20 s until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Random numbers that a failing test can repeat: the seed is printed.
struct Dice(u64);

impl Dice {
    fn new() -> Dice {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.unwrap().as_nanos() as u64 | 1
        });
        eprintln!("SEED={seed}");
        Dice(seed)
    }

    fn from(seed: u64) -> Dice {
        Dice(seed | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}
