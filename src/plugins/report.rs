//! What is known of a script, for `/api/plugins`, the page and the log.

use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The same error is logged again after so many seconds.
const AGAIN: f64 = 60.0;

/// What is known of a script.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
    /// Its name: that of the file without `.lua`.
    pub name: String,
    /// Name of its file.
    pub file: String,
    /// `loading`, `running` or `failed`.
    pub state: &'static str,
    /// Why it does not run, with file and line.
    pub error: Option<String>,
    /// How often a function of it was run.
    pub runs: u64,
    /// How often that failed.
    pub failures: u64,
    /// How many events it was too slow to hear.
    pub lost: u64,
    /// What the last run that failed said, with file and line.
    pub last_error: Option<String>,
    /// When the last run ended, seconds since 1970.
    pub last_run: Option<f64>,
    /// How long it took, in ms.
    pub last_ms: Option<u64>,
    /// What it listens to.
    pub handlers: usize,
    /// Its timers.
    pub timers: usize,
    /// The memory of its Lua, in bytes, after the last run.
    pub memory: usize,
    /// The MCP tools that it offers.
    pub tools: Vec<&'static str>,
    #[serde(skip)]
    logged: f64,
}

/// The facts of one script, shared by its thread and whoever shows them.
#[derive(Clone, Default)]
pub(super) struct Report {
    facts: Arc<Mutex<Facts>>,
}

impl Report {
    pub(super) fn new(name: &str, file: &str) -> Report {
        let report = Report::default();
        report.change(|facts| {
            facts.name = name.to_owned();
            facts.file = file.to_owned();
            facts.state = "loading";
        });
        report
    }

    pub(super) fn facts(&self) -> Facts {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes that it does not load.
    pub(super) fn failed(&self, why: &str) {
        self.change(|facts| {
            facts.state = "failed";
            facts.error = Some(why.to_owned());
            log::warn!("the script {} does not run: {why}", facts.file);
        });
    }

    /// Notes a run and how it ended.
    pub(super) fn ran(&self, took: Duration, failure: Option<&str>) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64());
        self.change(|facts| {
            facts.runs += 1;
            facts.last_run = Some(at);
            facts.last_ms = u64::try_from(took.as_millis()).ok();
            let Some(why) = failure else { return };
            facts.failures += 1;
            if facts.last_error.as_deref() != Some(why) || at - facts.logged > AGAIN {
                facts.logged = at;
                log::warn!("the script {}: {why}", facts.name);
            }
            facts.last_error = Some(why.to_owned());
        });
    }
}
