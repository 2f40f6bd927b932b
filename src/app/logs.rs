//! Where log lines go: standard error, the ring that the page shows, and files when asked for.
//!
//! Standard output is never used: it belongs to MCP.

use crate::app::config::General;
use crate::error::Error;
use crate::journal::Journal;
use crate::web::Line;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// So many lines are kept for the page.
const RECENT: usize = 500;
/// A line is cut at this many characters.
const LONGEST: usize = 2_000;
/// A log file is rotated at this size, in bytes.
const FILE_BYTES: u64 = 4 << 20;

/// The last lines. Cloning it is cheap.
#[derive(Clone, Default)]
pub(super) struct Ring(Arc<Mutex<VecDeque<Line>>>);

impl Ring {
    /// Returns the kept lines, oldest first.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn push(&self, line: Line) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == RECENT {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// Files that log lines go to.
struct Files {
    whole: Option<Journal>,
    folder: Option<PathBuf>,
    by_service: BTreeMap<String, Option<Journal>>,
}

struct Tee {
    stderr: env_logger::Logger,
    ring: Ring,
    files: Mutex<Files>,
}

/// Starts logging and returns the ring.
///
/// # Errors
/// Broken when logging was started before.
pub(super) fn start(general: &General) -> Result<Ring, Error> {
    let debug = general.debug || general.environment == "development";
    let level = match general.log_level.as_str() {
        "trace" => log::LevelFilter::Trace,
        _ if debug => log::LevelFilter::Debug,
        "debug" => log::LevelFilter::Debug,
        "warn" | "warning" => log::LevelFilter::Warn,
        "error" => log::LevelFilter::Error,
        _ => log::LevelFilter::Info,
    };
    // Packages below us speak only when something is wrong, except while tracing.
    let others = if level == log::LevelFilter::Trace { level } else { log::LevelFilter::Warn };
    let stderr = env_logger::Builder::new()
        .filter_level(others.min(level))
        .filter_module("hearth", level)
        .build();
    let (ring, most) = (Ring::default(), stderr.filter());
    let (whole, complaint) = open_whole(&general.log_file);
    let folder = (!general.logs_dir.is_empty()).then(|| PathBuf::from(&general.logs_dir));
    let files = Mutex::new(Files { whole, folder, by_service: BTreeMap::new() });
    log::set_boxed_logger(Box::new(Tee { stderr, ring: ring.clone(), files }))
        .map_err(|e| Error::broken("logging was started before").because(e))?;
    log::set_max_level(most);
    if let Some(e) = complaint {
        log::warn!("the log goes to standard error only: {e}");
    }
    Ok(ring)
}

fn open_whole(path: &str) -> (Option<Journal>, Option<Error>) {
    if path.is_empty() {
        return (None, None);
    }
    match Journal::open(Path::new(path), FILE_BYTES) {
        Ok(journal) => (Some(journal), None),
        Err(e) => (None, Some(e)),
    }
}

impl log::Log for Tee {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        self.stderr.enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.stderr.matches(record) {
            return;
        }
        self.stderr.log(record);
        let text: String = record.args().to_string().chars().take(LONGEST).collect();
        let line = Line {
            at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64()),
            level: word(record.level()),
            target: service(record.target()),
            text: text.replace(char::is_control, "\u{fffd}"),
        };
        self.files.lock().unwrap_or_else(PoisonError::into_inner).add(&line);
        self.ring.push(line);
    }

    fn flush(&self) {
        self.stderr.flush();
    }
}

impl Files {
    /// A line that cannot be written is still on standard error and in the ring.
    fn add(&mut self, line: &Line) {
        if self.whole.is_none() && self.folder.is_none() {
            return;
        }
        let text = format!("{:.3} {} {}: {}", line.at, line.level, line.target, line.text);
        if let Some(whole) = &mut self.whole {
            let _ = whole.add(&text);
        }
        if let Some(folder) = &self.folder {
            let open = || {
                std::fs::create_dir_all(folder).ok()?;
                Journal::open(&folder.join(format!("{}.log", line.target)), FILE_BYTES).ok()
            };
            let journal = self.by_service.entry(line.target.clone()).or_insert_with(open);
            if let Some(journal) = journal {
                let _ = journal.add(&text);
            }
        }
    }
}

fn word(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error",
        log::Level::Warn => "warn",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    }
}

/// `hearth::home::feed` is the service `home`; other packages are `hearth`.
fn service(target: &str) -> String {
    let own = target.strip_prefix("hearth::").and_then(|rest| rest.split("::").next());
    own.unwrap_or("hearth").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest_lines() {
        let ring = Ring::default();
        for n in 0..RECENT + 3 {
            ring.push(Line { at: 0.0, level: "info", target: "app".into(), text: n.to_string() });
        }
        let lines = ring.lines();
        assert_eq!((lines.len(), lines[0].text.as_str()), (RECENT, "3"));
    }

    #[test]
    fn a_target_names_its_service() {
        assert_eq!(service("hearth::home::feed"), "home");
        assert_eq!(service("other::client"), "hearth");
    }
}
