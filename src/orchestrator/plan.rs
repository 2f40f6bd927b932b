//! What a session shall run: from the words of its owner, through the catalogue, to an order.

use crate::config::{JsonSchema, Secret};
use crate::error::Error;
use crate::orchestrator::catalogue::{Catalogue, destination};
use crate::orchestrator::config::LONGEST_TTL;
use crate::orchestrator::sandbox::{Destination, Level, Limits, Order, Program};
use crate::orchestrator::sessions::{Wish, check_id};
use crate::orchestrator::{Config, config};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The environment has at most so many names, and each value so many bytes.
const ENV_NAMES: usize = 64;
const ENV_BYTES: usize = 32 << 10;
/// Destinations that one session may name.
const DESTINATIONS: usize = 32;

/// What somebody asks for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// 1 to 64 letters, digits, `.`, `_` and `-`; the same id renews. Without one it is made up.
    pub id: Option<String>,
    /// A name of the catalogue; without one our own worker: files and commands in an empty folder.
    pub image: Option<String>,
    /// Seconds without activity after which it ends, at most 86400.
    pub ttl: Option<u64>,
    /// Environment of the server. It is not written down: after a restart it must be given again.
    pub env: BTreeMap<String, Secret>,
    /// Less than the image's usual limits.
    pub limits: WantedLimits,
    /// Hosts that our own worker may connect to, `api.example.org:443`; needs level admin.
    pub egress: Vec<String>,
}

/// Limits that somebody asks for: never more than what the house gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WantedLimits {
    /// In MB.
    pub memory_mb: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u32>,
    /// 100 is one core.
    pub cpu_percent: Option<u32>,
    /// The writable folder, in MB.
    pub scratch_mb: Option<u64>,
}

/// What will be run.
pub(super) struct Plan {
    pub(super) wish: Wish,
    pub(super) ttl: Option<u64>,
    /// What the owner gave along.
    pub(super) env: BTreeMap<String, Secret>,
}

impl Wanted {
    /// Checks all of it. `may_widen` says whether the caller may name destinations.
    ///
    /// # Errors
    /// Invalid for what can never be; Refused for an image that is not in the catalogue, an environment
    /// that it does not take, and destinations that the caller may not name.
    pub(super) fn plan(
        self,
        config: &Config,
        catalogue: &Catalogue,
        may_widen: bool,
    ) -> Result<Plan, Error> {
        if let Some(id) = &self.id {
            check_id(id)?;
        }
        if let Some(ttl) = self.ttl
            && !(1..=LONGEST_TTL).contains(&ttl)
        {
            return Err(Error::invalid(format!("'ttl' is 1 to {LONGEST_TTL} seconds")));
        }
        check_env(&self.env)?;
        let image = self.image.clone().filter(|image| !is_worker(image, config));
        let usual = config.limits();
        let (egress, most) = match &image {
            None => (self.own_egress(may_widen)?, usual),
            Some(name) => {
                let entry = catalogue.find(name)?;
                if !self.egress.is_empty() {
                    return Err(Error::refused(format!(
                        "where '{name}' may connect to stands in the catalogue"
                    )));
                }
                let extra = self.env.keys().find(|name| !entry.env.contains(name));
                if let Some(extra) = extra {
                    return Err(Error::refused(format!(
                        "'{name}' takes no environment '{extra}'; the catalogue names {:?}",
                        entry.env
                    )));
                }
                (entry.destinations()?, entry.limits(usual))
            }
        };
        let limits = self.limits.within(most)?;
        let env = self.env.keys().cloned().collect();
        let wish = Wish { image, env, limits, egress };
        Ok(Plan { wish, ttl: self.ttl, env: self.env })
    }

    fn own_egress(&self, may_widen: bool) -> Result<Vec<Destination>, Error> {
        if self.egress.is_empty() {
            return Ok(Vec::new());
        }
        if !may_widen {
            return Err(Error::refused("'egress' needs a token of level admin"));
        }
        if self.egress.len() > DESTINATIONS {
            return Err(Error::invalid(format!("'egress' has more than {DESTINATIONS} hosts")));
        }
        self.egress.iter().map(|text| destination(text)).collect()
    }
}

/// Whether the documents' image name is meant: our own worker.
fn is_worker(image: &str, config: &Config) -> bool {
    image.is_empty() || image == config.image || image == config::Config::default().image
}

impl WantedLimits {
    fn within(self, most: Limits) -> Result<Limits, Error> {
        fn less<T: PartialOrd + std::fmt::Display + Copy + From<u8>>(
            name: &str,
            wanted: Option<T>,
            most: T,
        ) -> Result<T, Error> {
            match wanted {
                None => Ok(most),
                Some(wanted) if wanted >= T::from(1) && wanted <= most => Ok(wanted),
                Some(_) => Err(Error::refused(format!("'limits.{name}' is 1 to {most} here"))),
            }
        }
        Ok(Limits {
            memory_bytes: less("memory_mb", self.memory_mb, most.memory_bytes >> 20)? << 20,
            processes: less("processes", self.processes, most.processes)?,
            cpu_thousandths: less("cpu_percent", self.cpu_percent, most.cpu_thousandths / 10)? * 10,
            scratch_bytes: less("scratch_mb", self.scratch_mb, most.scratch_bytes >> 20)? << 20,
            ..most
        })
    }
}

fn check_env(env: &BTreeMap<String, Secret>) -> Result<(), Error> {
    if env.len() > ENV_NAMES {
        return Err(Error::invalid(format!("'env' has more than {ENV_NAMES} names")));
    }
    for (name, value) in env {
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        let rest = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let shown = crate::text::clean(name, 40);
        if !first || !rest || name.len() > 128 {
            let text = format!("'env': '{shown}' is no name: letters, digits and _");
            return Err(Error::invalid(text));
        }
        // What decides how a program is loaded would reach our own first process.
        if name.starts_with("LD_") || name.starts_with("HEARTH_") {
            return Err(Error::refused(format!("'env': '{shown}' cannot be set")));
        }
        if value.reveal().len() > ENV_BYTES || value.reveal().contains('\0') {
            let text = format!("'env': '{shown}' has more than {ENV_BYTES} bytes, or a NUL");
            return Err(Error::invalid(text));
        }
    }
    Ok(())
}

/// Says what to order for a session.
///
/// # Errors
/// Refused when the catalogue does not have its image any more; Conflict when its environment is not
/// known any more.
pub(super) fn order(
    (name, node, epoch): (String, String, u64),
    wish: &Wish,
    given: &BTreeMap<String, Secret>,
    catalogue: &Catalogue,
) -> Result<Order, Error> {
    if let Some(missing) = wish.env.iter().find(|name| !given.contains_key(*name)) {
        return Err(Error::conflict(format!(
            "this session was made with the environment '{missing}', which is never written down; \
             acquire it again with 'env'"
        )));
    }
    let mut environment = BTreeMap::new();
    let program = match &wish.image {
        None => Program::Worker,
        Some(image) => {
            let entry = catalogue.find(image)?;
            environment = entry.set;
            Program::Image { reference: entry.image, command: entry.command }
        }
    };
    environment.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    let (limits, egress) = (wish.limits, wish.egress.clone());
    Ok(Order { name, node, epoch, program, environment, limits, egress })
}

/// The least level that a program may run at here.
pub(super) fn least_level(program: &Program, config: &Config) -> Level {
    let set = match config.min_level {
        0 | 1 => Level::Filtered,
        2 => Level::Confined,
        3 => Level::Apart,
        _ => Level::Container,
    };
    match program {
        Program::Worker => program.least_level(),
        _ => program.least_level().max(set),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn catalogue() -> (Catalogue, std::path::PathBuf) {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("hearth-plan-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let text = "[[image]]\nname = \"search\"\nimage = \"x@sha256:0\"\nenv = [\"KEY\"]\n\
                    egress = [\"a.example.org:443\"]\n[image.limits]\nmemory_mb = 512\n";
        std::fs::write(dir.join("catalogue.toml"), text).unwrap();
        (Catalogue::new("", &dir), dir)
    }

    fn wanted(json: &str) -> Wanted {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_wish_is_planned_or_refused_with_its_reason() {
        let ((catalogue, dir), config) = (catalogue(), Config::default());
        let plan = |json: &str, admin| wanted(json).plan(&config, &catalogue, admin);
        let own = plan("{}", false).unwrap();
        assert_eq!((own.wish.image, own.wish.limits), (None, config.limits()));
        assert_eq!(plan(r#"{"image":"mcp-server:latest"}"#, false).unwrap().wish.image, None);
        let search = plan(r#"{"image":"search","env":{"KEY":"x"}}"#, false).unwrap();
        assert_eq!(search.wish.limits.memory_bytes, 512 << 20);
        assert_eq!((search.wish.env.len(), search.wish.egress.len()), (1, 1));
        for (json, kind, want) in [
            (r#"{"image":"alpine"}"#, Kind::Refused, "not in the catalogue"),
            (r#"{"image":"search","env":{"OTHER":"x"}}"#, Kind::Refused, "'OTHER'"),
            (r#"{"image":"search","egress":["a.b:1"]}"#, Kind::Refused, "catalogue"),
            (r#"{"egress":["a.b:1"]}"#, Kind::Refused, "level admin"),
            (r#"{"limits":{"memory_mb":4096}}"#, Kind::Refused, "1 to 256"),
            (r#"{"limits":{"processes":0}}"#, Kind::Refused, "1 to 64"),
            (r#"{"ttl":0}"#, Kind::Invalid, "1 to 86400"),
            (r#"{"ttl":86401}"#, Kind::Invalid, "1 to 86400"),
            (r#"{"id":"../x"}"#, Kind::Invalid, "no id"),
            (r#"{"env":{"A=B":"x"}}"#, Kind::Invalid, "no name"),
            (r#"{"env":{"LD_PRELOAD":"x"}}"#, Kind::Refused, "cannot be set"),
        ] {
            let e = plan(json, false).err().unwrap_or_else(|| panic!("{json} was planned"));
            assert_eq!(e.kind(), kind, "{json}: {e}");
            assert!(e.to_string().contains(want), "{json}: {e}");
        }
        assert_eq!(plan(r#"{"egress":["a.b:1"]}"#, true).unwrap().wish.egress[0].host, "a.b");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn an_environment_that_is_not_known_any_more_is_asked_for() {
        let ((catalogue, dir), config) = (catalogue(), Config::default());
        let json = r#"{"image":"search","env":{"KEY":"x"}}"#;
        let plan = wanted(json).plan(&config, &catalogue, false).unwrap();
        let names = || ("s-1".to_owned(), "n".to_owned(), 5);
        let made = order(names(), &plan.wish, &plan.env, &catalogue).unwrap();
        assert_eq!(made.environment["KEY"].reveal(), "x");
        assert_eq!(least_level(&made.program, &config), Level::Container);
        let e = order(names(), &plan.wish, &BTreeMap::new(), &catalogue).unwrap_err();
        assert!(e.kind() == Kind::Conflict && e.to_string().contains("'KEY'"), "{e}");
        assert_eq!(least_level(&Program::Worker, &config), Level::Filtered);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
