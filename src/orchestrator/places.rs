//! The places of this machine: a container engine, looked for again and again, and the kernel's means.

use crate::error::Error;
use crate::mcp::Boxed;
use crate::orchestrator::Config;
use crate::orchestrator::engine::{self, Asked, Engine};
use crate::orchestrator::kernel::{self, Kernel};
use crate::orchestrator::node;
use crate::orchestrator::sandbox::{Level, Order, Place, Sandbox};
use crate::tasks::{Status, Tasks, Whose};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// In place of an engine's address: none is used.
const NONE: &str = "none";

/// Returns the places that there are on this machine. An engine that is not there yet is no error: it
/// is looked for with each session.
///
/// # Errors
/// Broken when this node's name, or the place of our own binary, cannot be read.
pub fn places(
    config: &Config,
    data_dir: &Path,
    tasks: &Tasks,
) -> Result<Vec<Arc<dyn Place>>, Error> {
    let binary = std::env::current_exe()
        .map_err(|e| Error::broken("cannot find our own binary").because(e))?;
    let node = node::name(data_dir)?;
    let mut places: Vec<Arc<dyn Place>> = Vec::new();
    if config.docker_host.trim() != NONE {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let host = given(&config.docker_host);
        // Only an engine that was named is missed when it is away.
        let status = host.as_ref().map(|_| tasks.status("engine", Whose::Peer));
        // The engine sees our paths only where it runs beside us.
        let beside = host.as_ref().is_none_or(|host| host.starts_with("unix:")) && !is_contained();
        let ways_out = beside.then(|| data_dir.join("ways-out"));
        let certificates = given(&config.docker_cert_path).map(Into::into);
        let settings = engine::Settings {
            asked: Asked { host, certificates },
            node: node.clone(),
            image: config.image.clone(),
            binary: binary.clone(),
            runtime: given(&config.runtime),
            ways_out,
        };
        let (tasks, engine) = (tasks.clone(), OnceLock::new());
        places.push(Arc::new(Sought { settings, tasks, engine, status }));
    }
    let data = data_dir.to_owned();
    places.push(Arc::new(Kernel::new(kernel::Settings { binary, data, node }, tasks)));
    Ok(places)
}

/// Whether Hearth itself runs in a container, by the files that engines leave there.
fn is_contained() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|file| Path::new(file).exists())
}

/// An engine that may come later.
struct Sought {
    settings: engine::Settings,
    tasks: Tasks,
    engine: OnceLock<Engine>,
    status: Option<Status>,
}

impl Sought {
    fn engine(&self) -> Result<&Engine, Error> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine);
        }
        let made = Engine::new(self.settings.clone(), &self.tasks)?;
        Ok(self.engine.get_or_init(|| made))
    }

    fn note<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        match (&self.status, &done) {
            (Some(status), Ok(_)) => status.up(),
            (Some(status), Err(e)) => status.degraded(e.to_string()),
            (None, _) => {}
        }
        done
    }
}

impl Place for Sought {
    fn name(&self) -> &str {
        self.engine.get().map_or("container engine", Place::name)
    }

    fn level(&self) -> Boxed<'_, Result<Level, Error>> {
        Box::pin(async move {
            let level = match self.engine() {
                Ok(engine) => engine.level().await,
                Err(e) => Err(e),
            };
            self.note(level)
        })
    }

    fn start<'a>(&'a self, order: &'a Order) -> Boxed<'a, Result<Sandbox, Error>> {
        Box::pin(async move { self.engine()?.start(order).await })
    }

    fn sweep<'a>(&'a self, keep: &'a BTreeSet<String>) -> Boxed<'a, Result<usize, Error>> {
        Box::pin(async move {
            let swept = match self.engine() {
                Ok(engine) => engine.sweep(keep).await,
                Err(e) => Err(e),
            };
            self.note(swept)
        })
    }
}
