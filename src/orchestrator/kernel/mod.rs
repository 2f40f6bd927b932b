//! Sandboxes of the kernel's own means, without any engine: the ladder of levels 3, 2 and 1.
//!
//! Which level there is depends on the kernel, on what an outer container allows, and on who Hearth
//! is. So each is tried once, from the best down, by starting a sandbox of it; none is promised that
//! did not start. What is in force in a sandbox that runs is read back from the kernel.

mod cgroup;
mod hold;
mod keeper;
mod launch;
mod plan;
mod probe;
mod read;
mod report;
mod user;
mod watch;

pub use probe::{Probed, Rung};
pub use report::report;

use crate::error::Error;
use crate::http::peer;
use crate::mcp::Boxed;
use crate::orchestrator::egress::{For, SOCKET, Way};
use crate::orchestrator::first::Guards;
use crate::orchestrator::sandbox::{Level, Order, Place, Sandbox};
use crate::tasks::Tasks;
use cgroup::Groups;
use hold::Shared;
use keeper::Keeper;
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// What the place is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our own binary, the first process of each sandbox.
    pub binary: PathBuf,
    /// Hearth's data folder, of which no sandbox may see anything.
    pub data: PathBuf,
    /// The node: what tells the sandboxes of this Hearth from those of others on the machine.
    pub node: String,
}

/// Makes sandboxes on this machine. Cloning it is cheap.
#[derive(Clone)]
pub struct Kernel {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    tasks: Tasks,
    keeper: Keeper,
    groups: OnceLock<Groups>,
    probed: tokio::sync::OnceCell<Probed>,
    running: Mutex<BTreeMap<String, Weak<Shared>>>,
}

impl Kernel {
    /// Makes the place; nothing is tried or started yet.
    pub fn new(settings: Settings, tasks: &Tasks) -> Kernel {
        Kernel {
            inner: Arc::new(Inner {
                settings,
                tasks: tasks.clone(),
                keeper: Keeper::new(tasks),
                groups: OnceLock::new(),
                probed: tokio::sync::OnceCell::new(),
                running: Mutex::default(),
            }),
        }
    }

    /// Tries each level, once; later calls return what was found.
    pub async fn probe(&self) -> &Probed {
        self.inner.probed.get_or_init(|| probe::climb(self)).await
    }

    /// Ends all sandboxes of this node and removes what is only of use while it runs: the place for
    /// scratch folders and the node's control group.
    pub async fn clear(&self) {
        if let Err(e) = self.sweep_all(&BTreeSet::new()).await {
            log::warn!("sandboxes: {e}");
        }
        self.groups().remove();
    }

    /// Starts a sandbox of this level with these guards, in place of the level's own: what the tests
    /// take a guard away with, and what the probe tries a level by.
    ///
    /// # Errors
    /// As [`Place::start`].
    pub async fn start_guarded(
        &self,
        order: &Order,
        level: Level,
        guards: Guards,
    ) -> Result<Sandbox, Error> {
        let mut job = plan::job(&self.inner.settings, self.groups(), order, level, guards)?;
        let way = match order.egress.is_empty() {
            true => None,
            false => {
                let home = self.scratch_home();
                launch::make_home(&home)?;
                Some(Way::open(&home, For::Sandbox(job.user), order, &self.inner.tasks)?)
            }
        };
        job.inner.egress = way.as_ref().map(|way| way.folder.join(SOCKET));
        let begun = launch::launch(self, job, way).await?;
        self.running().insert(order.name.clone(), Arc::downgrade(&begun.shared));
        Ok(begun.into_sandbox())
    }

    /// The guards that a sandbox of this level gets.
    pub fn guards(level: Level) -> Guards {
        plan::guards(level)
    }

    fn groups(&self) -> &Groups {
        self.inner.groups.get_or_init(|| Groups::find(&self.group_name()))
    }

    /// The name of this node's control group, and of its folder below the system's temporary one.
    pub fn group_name(&self) -> String {
        format!("hearth-{:012x}", hash(&self.inner.settings.node))
    }

    /// The node's part of the mark that all processes of its sandboxes have: see `http::peer`.
    pub fn mark(&self) -> u64 {
        peer::MARK << 48 | hash(&self.inner.settings.node)
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Weak<Shared>>> {
        let mut running = self.inner.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|_, shared| shared.strong_count() > 0);
        running
    }

    /// The folder for scratch folders of level 2.
    fn scratch_home(&self) -> PathBuf {
        std::env::temp_dir().join(self.group_name())
    }

    async fn sweep_all(&self, keep: &BTreeSet<String>) -> Result<usize, Error> {
        let stale: Vec<Arc<Shared>> = {
            let running = self.running();
            let stale = running.iter().filter(|(name, _)| !keep.contains(*name));
            stale.filter_map(|(_, shared)| shared.upgrade()).filter(|s| s.runs()).collect()
        };
        for shared in &stale {
            shared.end().await;
        }
        let known: BTreeSet<u64> =
            self.running().values().filter_map(Weak::upgrade).map(|s| s.mark.0).collect();
        let (node, home) = (self.mark(), self.scratch_home());
        let groups = self.groups().clone();
        let left = self.inner.tasks.blocking(move || {
            let left = hold::end_marked(|(own, of)| of == node && !known.contains(&own));
            groups.sweep();
            if known.is_empty() {
                let _ = std::fs::remove_dir_all(&home);
            }
            left
        });
        Ok(stale.len() + left.await?)
    }
}

impl Place for Kernel {
    fn name(&self) -> &str {
        "kernel"
    }

    fn level(&self) -> Boxed<'_, Result<Level, Error>> {
        Box::pin(async { self.probe().await.level() })
    }

    fn start<'a>(&'a self, order: &'a Order) -> Boxed<'a, Result<Sandbox, Error>> {
        Box::pin(async move {
            let level = self.level().await?;
            self.start_guarded(order, level, plan::guards(level)).await
        })
    }

    fn sweep<'a>(&'a self, keep: &'a BTreeSet<String>) -> Boxed<'a, Result<usize, Error>> {
        Box::pin(self.sweep_all(keep))
    }

    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(self.clear())
    }
}

/// 48 bits that tell names apart.
fn hash(name: &str) -> u64 {
    let digest = sha2::Sha256::digest(name.as_bytes());
    digest.iter().take(6).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}
