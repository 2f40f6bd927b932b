//! The settings of section `[plugins]`.

use crate::config::{Env, Fault, JsonSchema, Range};
use crate::policy::{EntityScope, Grant, Level};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Environment variables of section `[plugins]`: none.
pub const ENV: &[Env] = &[];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("plugins.memory_mb", 1, 1024),
    Range::new("plugins.steps", 100_000, 10_000_000_000),
    Range::new("plugins.seconds", 1, 3600),
];

/// The house's own scripts: files in Lua that hear events, call tools and offer tools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether scripts run at all. Without a folder nothing does.
    pub enabled: bool,
    /// Where the scripts are. Empty: `plugins` in the data folder.
    pub folder: String,
    /// What scripts may do: read, control or admin. Each is the identity `plugin:<name>`.
    pub level: Level,
    /// Scripts see only entities that the house exposes to assistants.
    pub exposed_only: bool,
    /// Scripts see only entities in these areas (area ids).
    pub areas: Vec<String>,
    /// Scripts never see these entities: entity ids, or `lock.*` for a whole domain.
    pub deny: Vec<String>,
    /// The zone of `at` and `os.date`, like `Europe/Berlin`. Empty: that of this machine (TZ).
    pub time_zone: String,
    /// The memory of each script, in MB.
    pub memory_mb: usize,
    /// So many instructions for each run of a function of a script.
    pub steps: u64,
    /// So many seconds for each run, waiting included.
    pub seconds: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            enabled: true,
            folder: String::new(),
            level: Level::Control,
            exposed_only: false,
            areas: Vec::new(),
            deny: Vec::new(),
            time_zone: String::new(),
            memory_mb: 8,
            steps: 10_000_000,
            seconds: 30,
        }
    }
}

impl Config {
    /// Returns what would be refused at the start, all of it.
    pub fn faults(&self) -> Vec<Fault> {
        let zone = self.zone().err();
        zone.map(|text| Fault::new("plugins.time_zone", text)).into_iter().collect()
    }

    pub(super) fn zone(&self) -> Result<TimeZone, String> {
        if self.time_zone.is_empty() {
            return Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC));
        }
        TimeZone::get(&self.time_zone).map_err(|_| {
            let name = self.time_zone.escape_debug();
            format!("'{name}' is no time zone; write one like Europe/Berlin")
        })
    }

    pub(super) fn folder(&self, data_dir: &Path) -> PathBuf {
        if self.folder.is_empty() { data_dir.join("plugins") } else { PathBuf::from(&self.folder) }
    }

    /// What every script may do.
    pub(super) fn grant(&self) -> Grant {
        let entities = EntityScope {
            exposed_only: self.exposed_only,
            areas: self.areas.clone(),
            labels: Vec::new(),
            deny: self.deny.clone(),
        };
        Grant { level: self.level, services: Vec::new(), entities }
    }
}
