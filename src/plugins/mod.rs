//! Plugins: the house's own scripts, files in Lua in one folder.
//!
//! A script hears events from the bus, calls tools through the toolbox as the identity
//! `plugin:<name>`, keeps small values in the store and offers tools of its own. Each runs in a Lua of
//! its own (`sandbox`) on a thread of its own (`script`), within limits of memory, steps and time
//! (`meter`, `pattern`). `running` starts and stops them as files come and go. It names no service:
//! the house is reached by tools only, past policy. It never runs half of a script, and never looks at
//! files outside the folder.

mod config;
mod desk;
mod examples;
mod folder;
mod meter;
mod offer;
mod pattern;
mod reach;
mod report;
mod routes;
mod running;
mod sandbox;
mod script;
mod value;
mod when;
mod words;

pub use config::{Config, ENV, RANGES};
pub use examples::EXAMPLES;
pub use report::Facts;
pub use routes::{API, routes};

use crate::error::Error;
use crate::events::Events;
use crate::mcp::Toolbox;
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use crate::web;
use jiff::tz::TimeZone;
use report::Report;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The scripts. Cloning it is cheap.
#[derive(Clone)]
pub struct Plugins {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    folder: PathBuf,
    zone: TimeZone,
    events: Events,
    store: Store,
    tasks: Tasks,
    toolbox: Toolbox,
    reports: Mutex<Vec<Report>>,
}

impl Plugins {
    /// Starts the scripts of the folder, and from then on those that come. A script that does not
    /// load is said in `/health` and does not make it fail. Without scripts there is no thread.
    ///
    /// # Errors
    /// Invalid when the time zone is none.
    pub fn start(
        config: &Config,
        data_dir: &Path,
        events: &Events,
        store: &Store,
        tasks: &Tasks,
        toolbox: &Toolbox,
    ) -> Result<Plugins, Error> {
        let shared = Shared {
            config: config.clone(),
            folder: config.folder(data_dir),
            zone: config.zone().map_err(|e| Error::invalid(e).at("plugins.time_zone"))?,
            events: events.clone(),
            store: store.clone(),
            tasks: tasks.clone(),
            toolbox: toolbox.clone(),
            reports: Mutex::default(),
        };
        let plugins = Plugins { shared: Arc::new(shared) };
        if config.enabled {
            let (own, status) = (plugins.clone(), tasks.status("plugins", Whose::Own));
            status.up();
            tasks.spawn("plugins", move |stop| running::run(own.clone(), status.clone(), stop));
        }
        Ok(plugins)
    }

    /// Returns what is known of each script, in the order of their names.
    pub fn scripts(&self) -> Vec<Facts> {
        let reports = self.shared.reports.lock().unwrap_or_else(PoisonError::into_inner).clone();
        reports.iter().map(Report::facts).collect()
    }

    /// Returns the folder of the scripts.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }
}

/// Returns the scripts in one sentence, for the overview.
fn sentence(plugins: &Plugins) -> String {
    let all = plugins.scripts();
    let bad = all.iter().filter(|facts| facts.error.is_some()).count();
    let noun = if all.len() == 1 { "script" } else { "scripts" };
    match (all.len(), bad) {
        (0, _) => "no scripts".into(),
        (count, 0) => format!("{count} {noun}"),
        (count, bad) => format!("{count} {noun}, {bad} not running"),
    }
}

/// Returns the page of the scripts.
pub fn page(plugins: &Plugins) -> web::Page {
    let own = plugins.clone();
    let summary: web::Summary = Arc::new(move |_| sentence(&own));
    web::Page {
        name: "plugins",
        title: "Scripts",
        events: &[],
        summary: Some(summary),
        check: None,
    }
}

/// Returns `text` with at most `most` characters and without any that do something to a log.
fn plain(text: &str, most: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut out: String = text.chars().take(most).map(clean).collect();
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}
