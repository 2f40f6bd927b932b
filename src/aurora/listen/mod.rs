//! Listening: from a sound card, a pipe, a connection, a file or a WLED to frames, as they are heard.
//!
//! One thread reads the one chosen input ([`source`] says which there are), puts its samples through
//! the [analysis](crate::aurora::analyse) and publishes a frame each 10 ms with the time at which it
//! was heard. Effects, the page and tools read them, as many as like: none can hold the thread up.
//! It reads only while somebody has [joined](Listening::join), and per hop it allocates nothing, takes
//! no lock and logs nothing (files excepted, whose decoder allocates). An input that goes away is
//! waited for and taken up again; that never ends anything else.

#[cfg(feature = "alsa")]
pub(super) mod card;
mod choice;
mod config;
#[cfg(test)]
mod counted;
mod hearing;
pub(super) mod meter;
mod mix;
mod pace;
mod pack;
mod pcm;
mod play;
mod report;
mod slot;
mod source;
mod thread;
mod wake;
mod wav;
mod wled;

pub use crate::aurora::Config;
pub use config::{faults, is_there};
pub use meter::Test;
pub use report::{Doing, Report};
pub use slot::Heard;

use crate::error::Error;
use crate::tasks::{Status, Tasks, Whose};
use choice::Choice;
use report::Notes;
use slot::Slot;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The input that is always there.
const SAMPLE: &str = "sample";
/// A page asks for the inputs each second; a card that was plugged in may show so much later.
const CARDS_LAST: Duration = Duration::from_secs(2);

/// Listens to the chosen input for whoever has joined. Cloning it is cheap.
#[derive(Clone)]
pub struct Listening {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    tasks: Tasks,
    status: Status,
    slot: Slot,
    notes: Notes,
    listeners: AtomicUsize,
    /// The input as it is written, and as it was read.
    chosen: Mutex<(String, Choice)>,
    cards: Cards,
    /// Counts choices.
    turn: AtomicU64,
    ending: AtomicBool,
    changed: Notify,
}

/// The sound cards as they were found a moment ago: looking for them asks the system for each.
#[derive(Default)]
struct Cards {
    found: Mutex<Option<(Instant, Vec<String>)>>,
}

impl Cards {
    /// The names of their inputs; none without ALSA, or when it fails.
    fn names(&self) -> Vec<String> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, names)) = found.as_ref().filter(|(at, _)| at.elapsed() < CARDS_LAST) {
            return names.clone();
        }
        let names = crate::aurora::input_names().unwrap_or_default();
        *found = Some((Instant::now(), names.clone()));
        names
    }
}

/// One choice of an input.
struct Turn {
    number: u64,
    choice: Choice,
}

impl Listening {
    /// Starts the thread that will read; it opens nothing before somebody joins. Its line in `/health`
    /// is `aurora`.
    ///
    /// # Errors
    /// Invalid when the settings are; Broken when the system gives no thread.
    pub fn start(config: &Config, tasks: &Tasks) -> Result<Listening, Error> {
        let chosen = Choice::parse(&config.input).map_err(|e| e.at("aurora.input"))?;
        let shared = Shared {
            config: config.clone(),
            tasks: tasks.clone(),
            status: tasks.status("aurora", Whose::Own),
            slot: Slot::new(),
            notes: Notes::default(),
            listeners: AtomicUsize::new(0),
            chosen: Mutex::new((config.input.clone(), chosen)),
            cards: Cards::default(),
            turn: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            changed: Notify::new(),
        };
        let listening = Listening { shared: Arc::new(shared) };
        listening.shared.status.up();
        let own = listening.shared.clone();
        tasks.thread("aurora", move |stop| thread::run(&own, &stop))?;
        Ok(listening)
    }

    /// Sound is read for as long as what this returns lives.
    pub fn join(&self) -> Joined {
        self.shared.listeners.fetch_add(1, Ordering::SeqCst);
        self.shared.changed.notify_one();
        Joined { shared: self.shared.clone() }
    }

    /// The newest frame; nothing before the first. It may be old: while nobody listens, none comes.
    pub fn latest(&self) -> Option<Heard> {
        self.shared.slot.latest()
    }

    /// Reads every frame from now on, in a thread that may wait.
    pub fn reader(&self) -> Reader {
        Reader { read: self.shared.slot.written(), shared: self.shared.clone() }
    }

    /// Reads the newest frame again and again, in a task.
    ///
    /// # Errors
    /// Broken: the system gives no more file descriptors.
    pub fn follow(&self) -> Result<Follower, Error> {
        let ear = self.shared.slot.bell.ear()?;
        Ok(Follower { read: self.shared.slot.written(), ear, shared: self.shared.clone() })
    }

    /// The inputs that may be chosen: those of the settings, and the sound cards there are now.
    pub fn inputs(&self) -> Vec<String> {
        let config = &self.shared.config;
        let mut names = vec![config.input.clone()];
        names.extend(config.inputs.iter().cloned());
        names.extend(self.shared.cards.names());
        names.push(SAMPLE.to_owned());
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// Changes the input until the program ends; whoever has joined hears the new one.
    ///
    /// # Errors
    /// Invalid: no name of an input. Refused: one that is neither in the settings nor a sound card, as
    /// a caller must not make Hearth open what it likes.
    pub fn choose(&self, input: &str) -> Result<(), Error> {
        let choice = Choice::parse(input)?;
        let known = self.inputs();
        let same = |name: &String| Choice::parse(name).is_ok_and(|known| known == choice);
        if !known.iter().any(same) {
            let shown: Vec<String> = known
                .iter()
                .filter(|name| !name.is_empty())
                .map(|n| n.escape_debug().to_string())
                .collect();
            return Err(Error::refused(format!(
                "'{}' may not be listened to; add it to aurora.inputs, or choose of: {}",
                input.escape_debug(),
                if shown.is_empty() { "nothing is configured".into() } else { shown.join(", ") }
            )));
        }
        self.switch(input, choice);
        Ok(())
    }

    /// Listens to what a part of Hearth chose, and no caller: the file that it plays, or the demo's
    /// music.
    ///
    /// # Errors
    /// Invalid: no name of an input.
    pub fn listen_to(&self, input: &str) -> Result<(), Error> {
        self.switch(input, Choice::parse(input)?);
        Ok(())
    }

    fn switch(&self, input: &str, choice: Choice) {
        let shared = &self.shared;
        *shared.chosen.lock().unwrap_or_else(PoisonError::into_inner) = (input.to_owned(), choice);
        shared.turn.fetch_add(1, Ordering::SeqCst);
        shared.changed.notify_one();
    }

    /// How the input does.
    pub fn report(&self) -> Report {
        let shared = &self.shared;
        let chosen = shared.chosen.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        let mut report = Report { chosen, ..Report::default() };
        shared.notes.fill(&mut report);
        report.listeners = shared.listeners.load(Ordering::SeqCst);
        report.hops = shared.slot.written();
        if report.state == Doing::Listening {
            let level = shared.slot.latest().unwrap_or_default().frame.level;
            (report.level, report.peak) = (level.rms, level.peak);
            (report.clipped, report.sounding) = (level.clipped, level.open);
        }
        report
    }
}

/// Somebody who listens; sound is read while one lives.
pub struct Joined {
    shared: Arc<Shared>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.shared.listeners.fetch_sub(1, Ordering::SeqCst);
        self.shared.changed.notify_one();
    }
}

/// Reads frames in order, in a thread that may wait.
pub struct Reader {
    read: u64,
    shared: Arc<Shared>,
}

impl Reader {
    /// The next frame, when there is one. A reader that was away for more than 150 ms misses some.
    ///
    /// Named as an iterator's, but it goes on after `None`.
    #[allow(clippy::should_implement_trait, reason = "an iterator would be taken to end")]
    pub fn next(&mut self) -> Option<Heard> {
        let (heard, read) = self.shared.slot.after(self.read)?;
        self.read = read;
        Some(heard)
    }

    /// Waits for a frame that was not read yet, at most until the clock stands at `until`
    /// (nanoseconds of [`clock`](crate::aurora::clock)); whether there is one. Allocates nothing and
    /// takes no lock.
    pub fn wait(&self, until: u64) -> bool {
        let slot = &self.shared.slot;
        loop {
            let rung = slot.bell.rung();
            if slot.written() > self.read {
                return true;
            }
            if !slot.bell.wait(rung, until) {
                return false;
            }
        }
    }
}

/// Reads the newest frame again and again, in a task.
pub struct Follower {
    read: u64,
    ear: wake::Ear,
    shared: Arc<Shared>,
}

impl Follower {
    /// Waits for a frame that was not returned yet and returns the newest one; those between are left
    /// out.
    pub async fn next(&mut self) -> Heard {
        loop {
            let written = self.shared.slot.written();
            if written > self.read {
                self.read = written;
                if let Some(heard) = self.shared.slot.latest() {
                    return heard;
                }
            }
            self.ear.hear().await;
        }
    }
}

/// What the thread asks.
impl Shared {
    fn turn(&self) -> Turn {
        // First the number: a choice made in between is a change at once.
        let number = self.turn.load(Ordering::SeqCst);
        let choice = self.chosen.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        Turn { number, choice }
    }

    /// Whether this choice is still to be listened to.
    fn is_wanted(&self, turn: &Turn) -> bool {
        self.listeners.load(Ordering::SeqCst) > 0
            && self.turn.load(Ordering::SeqCst) == turn.number
            && !self.ending.load(Ordering::SeqCst)
    }

    /// Makes [`Shared::is_wanted`] see the end without asking the token, which takes a lock.
    fn watch(self: &Arc<Self>, stop: &CancellationToken) {
        let (own, stop) = (self.clone(), stop.clone());
        self.tasks.job(async move {
            stop.cancelled().await;
            own.ending.store(true, Ordering::SeqCst);
            own.changed.notify_one();
        });
    }

    /// Waits until somebody listens; false when the program ends.
    fn wait_for_work(&self, stop: &CancellationToken) -> bool {
        self.tasks.runtime().block_on(async {
            while !stop.is_cancelled() {
                if self.listeners.load(Ordering::SeqCst) > 0 {
                    return true;
                }
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = stop.cancelled() => {}
                }
            }
            false
        })
    }

    /// Waits until something else is wanted, at most so long.
    fn wait_for_change(&self, stop: &CancellationToken, turn: &Turn, most: Option<Duration>) {
        let changed = async {
            while self.is_wanted(turn) && !stop.is_cancelled() {
                tokio::select! {
                    () = self.changed.notified() => {}
                    () = stop.cancelled() => {}
                }
            }
        };
        self.tasks.runtime().block_on(async {
            match most {
                // Nothing has to be done when the time is over.
                Some(most) => drop(tokio::time::timeout(most, changed).await),
                None => changed.await,
            }
        });
    }
}
