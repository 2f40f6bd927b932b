//! What is known about the input, for the status tool, the page and `/metrics`.

use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What the thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Doing {
    /// Nobody listens, nothing is open.
    #[default]
    Idle,
    /// The input is not there; it is tried again and again.
    Waiting,
    /// Sound is being read.
    Listening,
    /// The file has ended.
    Ended,
}

/// How the input does.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The input as it was chosen; empty for the first sound card.
    pub chosen: String,
    /// The input that is open, or was last.
    pub input: String,
    /// What is being done.
    pub state: Doing,
    /// Why it is waiting.
    pub reason: Option<String>,
    /// Samples in a second; none for levels without samples.
    pub rate: Option<u32>,
    /// What the sound looks like.
    pub form: String,
    /// How often the machine was too slow and sound was lost, since the start.
    pub overruns: u64,
    /// How often the input was opened again after it went away.
    pub reopened: u64,
    /// Hops that were heard, since the start.
    pub hops: u64,
    /// Whether the thread has real-time priority; unknown before it first runs.
    pub realtime: Option<bool>,
    /// How many listen.
    pub listeners: usize,
    /// Level of the last hop, RMS, 0 to 1.
    pub level: f32,
    /// Peak of the last hop, 0 to 1.
    pub peak: f32,
    /// Whether it was too loud for the input within the last second.
    pub clipped: bool,
    /// Whether there is sound above the noise.
    pub sounding: bool,
}

/// The part of a report that the thread writes: words when something changes, counts as they come.
#[derive(Default)]
pub(super) struct Notes {
    words: Mutex<Words>,
    pub(super) overruns: AtomicU64,
    pub(super) reopened: AtomicU64,
    known: AtomicBool,
    realtime: AtomicBool,
}

#[derive(Clone, Default)]
struct Words {
    input: String,
    form: String,
    rate: Option<u32>,
    state: Doing,
    reason: Option<String>,
}

impl Notes {
    fn change(&self, change: impl FnOnce(&mut Words)) {
        change(&mut self.words.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn opened(&self, input: &str, form: String, rate: Option<u32>) {
        let (input, state, reason) = (input.to_owned(), Doing::Listening, None);
        self.change(|words| *words = Words { input, form, rate, state, reason });
    }

    pub(super) fn is(&self, state: Doing, reason: Option<String>) {
        self.change(|words| (words.state, words.reason) = (state, reason));
    }

    pub(super) fn priority_is_unknown(&self) -> bool {
        !self.known.load(Ordering::Relaxed)
    }

    pub(super) fn priority(&self, realtime: bool) {
        self.realtime.store(realtime, Ordering::Relaxed);
        self.known.store(true, Ordering::Relaxed);
    }

    /// Puts what is noted into a report.
    pub(super) fn fill(&self, report: &mut Report) {
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner).clone();
        report.input = words.input;
        report.form = words.form;
        report.rate = words.rate;
        report.state = words.state;
        report.reason = words.reason;
        report.overruns = self.overruns.load(Ordering::Relaxed);
        report.reopened = self.reopened.load(Ordering::Relaxed);
        let known = self.known.load(Ordering::Relaxed);
        report.realtime = known.then(|| self.realtime.load(Ordering::Relaxed));
    }
}
