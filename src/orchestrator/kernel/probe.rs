//! Which levels there are on this machine: each is tried by a sandbox of it that starts and ends.

use crate::error::Error;
use crate::orchestrator::first::{self, Run};
use crate::orchestrator::kernel::{Kernel, plan};
use crate::orchestrator::sandbox::{Guard, Level, Limits, Order, Program};
use std::collections::BTreeMap;
use tokio::io::AsyncReadExt as _;

/// What was found out about one level.
#[derive(Clone, Debug)]
pub struct Rung {
    /// The level.
    pub level: Level,
    /// The guards read back from a sandbox of it, or why there is none, in words.
    pub found: Result<Vec<Guard>, String>,
}

/// What was found out, best level first.
#[derive(Clone, Debug)]
pub struct Probed {
    /// Levels 3, 2 and 1.
    pub rungs: Vec<Rung>,
    /// Why control groups do not hold everything, when they do not.
    pub groups: Option<String>,
}

impl Probed {
    /// Returns the best level.
    ///
    /// # Errors
    /// Offline with the reasons when there is none.
    pub fn level(&self) -> Result<Level, Error> {
        let best = self.rungs.iter().find(|rung| rung.found.is_ok()).map(|rung| rung.level);
        best.ok_or_else(|| {
            let why: Vec<String> = self
                .rungs
                .iter()
                .filter_map(|r| {
                    Some(format!("level {}: {}", r.level.number(), r.found.as_ref().err()?))
                })
                .collect();
            Error::offline(format!("this kernel offers no sandbox; {}", why.join("; ")))
        })
    }
}

/// Tries all levels.
pub(super) async fn climb(kernel: &Kernel) -> Probed {
    let mut rungs = Vec::new();
    for level in [Level::Apart, Level::Confined, Level::Filtered] {
        let found = attempt(kernel, level).await.map_err(|e| e.to_string());
        if let Err(why) = &found {
            log::info!("no sandboxes of level {}: {why}", level.number());
        }
        rungs.push(Rung { level, found });
    }
    Probed { rungs, groups: kernel.groups().why_not.clone() }
}

/// Starts our own binary, which waits until it may end, reads back what holds it, and ends it.
async fn attempt(kernel: &Kernel, level: Level) -> Result<Vec<Guard>, Error> {
    let order = Order {
        name: format!("probe-{}-{}", level.number(), std::process::id()),
        node: kernel.inner.settings.node.clone(),
        epoch: 0,
        program: Program::Worker,
        environment: BTreeMap::new(),
        limits: Limits::default(),
        egress: Vec::new(),
    };
    let mut job =
        plan::job(&kernel.inner.settings, kernel.groups(), &order, level, plan::guards(level))?;
    let binary = match level {
        Level::Apart => first::BINARY.to_owned(),
        _ => kernel.inner.settings.binary.to_string_lossy().into_owned(),
    };
    job.inner.run = match level {
        Level::Filtered => Run::Trial,
        _ => Run::Program(vec![binary, first::NAME.into(), "--wait".into()]),
    };
    let begun = super::launch::launch(kernel, job, None).await?;
    let mut sandbox = begun.into_sandbox();
    // One byte says that it runs behind all guards.
    let ran = sandbox.stdout.read_u8().await;
    let read = sandbox.hold.in_force().await;
    let ended = sandbox.hold.end().await;
    if let Err(e) = ran {
        let said = sandbox.hold.stderr().lines().0.join(" | ");
        return Err(Error::broken(format!("our own binary does not run in it ({e}): {said}")));
    }
    let guards = read?;
    ended?;
    missing(level, &guards).map_or(Ok(guards), |name| {
        Err(Error::broken(format!("it starts, but '{name}' is not in force")))
    })
}

/// The first guard that a level needs and that is not in force.
fn missing(level: Level, guards: &[Guard]) -> Option<&'static str> {
    let needed: &[&str] = match level {
        Level::Apart => &[
            "namespaces",
            "capabilities",
            "no new privileges",
            "root",
            "network",
            "system calls",
            "memory",
            "processes",
            "scratch",
            "open files",
        ],
        Level::Confined => &[
            "capabilities",
            "no new privileges",
            "network",
            "system calls",
            "landlock",
            "memory",
            "processes",
            "scratch",
            "open files",
        ],
        _ => &[
            "capabilities",
            "no new privileges",
            "network",
            "system calls",
            "memory",
            "open files",
        ],
    };
    let holds = |name: &&&str| guards.iter().any(|g| g.name == **name && g.in_force.is_some());
    needed.iter().find(|name| !holds(name)).copied()
}
