//! A session that this node holds: its record, its sandbox and the server in it.
//!
//! A slot stands for one session from its making to its end. What changes it (starting, ending, writing
//! its record) waits for its turn; calls only look at what runs.

use crate::config::Secret;
use crate::error::Error;
use crate::mcp::peer::Peer;
use crate::orchestrator::Held;
use crate::orchestrator::memory::Promise;
use crate::orchestrator::sandbox::{End, Hold, Level, Sandbox};
use crate::orchestrator::sessions::{Key, Receipt};
use crate::tasks::Tasks;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A server has so long to greet; the first start of an image on a slow disk takes its time.
const GREET: Duration = Duration::from_secs(30);
/// So many lines of stderr are told with a server that does not start.
const TOLD: usize = 5;
/// After so many starts within [`QUICK`] it is left alone for a while.
const STARTS: usize = 5;
const QUICK: Duration = Duration::from_secs(60);

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// A sandbox with the server that runs in it.
pub(super) struct Running {
    /// The order's name, which the sweep goes by.
    pub(super) name: String,
    /// Container or process id.
    pub(super) id: String,
    pub(super) level: Level,
    /// The place's name.
    pub(super) place: String,
    pub(super) hold: Arc<dyn Hold>,
    pub(super) peer: Peer,
    pub(super) calls: AtomicU64,
    end: Arc<OnceLock<End>>,
    _memory: Promise,
}

impl Running {
    /// Greets the server of a sandbox; ends the sandbox when it does not answer as one.
    pub(super) async fn greet(
        (name, place): (String, String),
        sandbox: Sandbox,
        memory: Promise,
        tasks: &Tasks,
    ) -> Result<Running, Error> {
        let Sandbox { id, level, stdin, stdout, hold } = sandbox;
        let end = Arc::new(OnceLock::new());
        let (ended, watched) = (end.clone(), hold.clone());
        tasks.job(async move {
            let _ = ended.set(watched.ended().await);
        });
        match Peer::connect(stdin, stdout, GREET, tasks).await {
            Ok(peer) => {
                let calls = AtomicU64::new(0);
                let _memory = memory;
                Ok(Running { name, id, level, place, hold, peer, calls, end, _memory })
            }
            Err(e) => {
                let (lines, _) = hold.stderr().lines();
                let last = lines[lines.len().saturating_sub(TOLD)..].join(" | ");
                if let Err(e) = hold.end().await {
                    log::warn!("the sandbox {name} is left to the next sweep: {e}");
                }
                let said = if last.is_empty() { "nothing".into() } else { last };
                Err(Error::new(e.kind(), format!("{}; it wrote to stderr: {said}", e.what())))
            }
        }
    }

    /// Whether its server can be asked.
    pub(super) fn is_open(&self) -> bool {
        self.end.get().is_none() && self.peer.is_open()
    }

    /// How it came to its end, when it did by itself.
    pub(super) fn ended(&self) -> Option<&End> {
        self.end.get()
    }

    /// What it has used. What cannot be read counts as nothing.
    pub(super) async fn receipt(&self) -> Receipt {
        let usage = self.hold.usage().await.unwrap_or_default();
        let (bytes_in, bytes_out) = self.peer.bytes();
        Receipt {
            cpu_seconds: usage.cpu_seconds,
            peak_memory: usage.peak_memory,
            bytes_in,
            bytes_out,
            calls: self.calls.load(Ordering::Relaxed),
            sandboxes: 1,
        }
    }

    /// Ends it and says what it has used.
    pub(super) async fn end(&self) -> Receipt {
        let receipt = self.receipt().await;
        if let Err(e) = self.hold.end().await {
            log::warn!("the sandbox {} is left to the next sweep: {e}", self.name);
        }
        receipt
    }
}

/// One session of this node.
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) turn: tokio::sync::Mutex<Turn>,
    /// What runs, and the epoch that it was started with.
    running: Mutex<Option<(Arc<Running>, u64)>>,
    touched: Mutex<Instant>,
    busy: AtomicUsize,
    pub(super) answers: Mutex<Answers>,
}

/// What only whoever has the turn may change.
#[derive(Default)]
pub(super) struct Turn {
    /// Its record; `None` before it is made and after its end.
    pub(super) held: Option<Held>,
    /// The slot is out of use: look for a new one.
    pub(super) over: bool,
    /// The environment that its owner gave; only in memory.
    pub(super) env: BTreeMap<String, Secret>,
    /// Whether a sandbox was started with the record's epoch.
    pub(super) used_epoch: bool,
    starts: VecDeque<Instant>,
}

impl Turn {
    /// Notes a start.
    ///
    /// # Errors
    /// Offline when it was started too often just now.
    pub(super) fn note_start(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        self.starts.retain(|start| now.duration_since(*start) < QUICK);
        if self.starts.len() >= STARTS {
            return Err(Error::offline(format!(
                "its server ended {STARTS} times within {} s and is not started again before that \
                 has passed; its stderr may say why",
                QUICK.as_secs()
            )));
        }
        self.starts.push_back(now);
        Ok(())
    }
}

/// Answers that were too long for one part, kept for whoever asks for the rest.
#[derive(Default)]
pub(super) struct Answers {
    next: u64,
    kept: VecDeque<(u64, Arc<str>)>,
}

impl Answers {
    const MOST: usize = 4;

    /// Keeps one, and forgets the oldest beyond four.
    pub(super) fn keep(&mut self, text: Arc<str>) -> u64 {
        self.next += 1;
        self.kept.push_back((self.next, text));
        while self.kept.len() > Answers::MOST {
            self.kept.pop_front();
        }
        self.next
    }

    pub(super) fn get(&self, number: u64) -> Option<Arc<str>> {
        let found = self.kept.iter().find(|(known, _)| *known == number);
        found.map(|(_, text)| text.clone())
    }
}

/// Counts a call as activity as long as it lasts.
pub(super) struct Busy(Arc<Slot>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.touch();
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Slot {
    pub(super) fn new(key: Key, held: Option<Held>) -> Slot {
        // One that was read from the store goes on from what stands there.
        let age = held.as_ref().map_or(0.0, |held| (now() - held.record.used).max(0.0));
        let age = Duration::try_from_secs_f64(age).unwrap_or_default();
        let touched = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
        // Whatever epoch it has, an earlier run may have used it.
        let turn = Turn { used_epoch: held.is_some(), held, ..Turn::default() };
        Slot {
            key,
            turn: tokio::sync::Mutex::new(turn),
            running: Mutex::default(),
            touched: Mutex::new(touched),
            busy: AtomicUsize::new(0),
            answers: Mutex::default(),
        }
    }

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What runs now, whether or not its server still answers.
    pub(super) fn running(&self) -> Option<Arc<Running>> {
        Slot::lock(&self.running).as_ref().map(|(running, _)| running.clone())
    }

    /// What runs and can be asked, and its epoch.
    pub(super) fn open_one(&self) -> Option<(Arc<Running>, u64)> {
        Slot::lock(&self.running).clone().filter(|(running, _)| running.is_open())
    }

    pub(super) fn set_running(&self, running: Option<(Arc<Running>, u64)>) {
        *Slot::lock(&self.running) = running;
    }

    /// Notes that it was used just now.
    pub(super) fn touch(&self) {
        *Slot::lock(&self.touched) = Instant::now();
    }

    pub(super) fn busy(self: &Arc<Slot>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        self.touch();
        Busy(self.clone())
    }

    /// How long it has not been used; nothing while a call runs.
    pub(super) fn idle(&self) -> Duration {
        match self.busy.load(Ordering::Acquire) {
            0 => Slot::lock(&self.touched).elapsed(),
            _ => Duration::ZERO,
        }
    }

    /// When it was used last, seconds since 1970.
    pub(super) fn used(&self) -> f64 {
        now() - self.idle().as_secs_f64()
    }
}
