//! A container that runs: what it used, what is in force in it, and its end.

use crate::error::Error;
use crate::mcp::Boxed;
use crate::orchestrator::egress::Way;
use crate::orchestrator::engine::binary::PROGRAM;
use crate::orchestrator::engine::fault::{self, is_gone};
use crate::orchestrator::engine::look::{self, Seen};
use crate::orchestrator::engine::{guards, recipe};
use crate::orchestrator::sandbox::{End, Guard, Hold, Limits, Tail, Usage};
use crate::tasks::Tasks;
use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::{
    RemoveContainerOptionsBuilder, StatsOptionsBuilder, WaitContainerOptions,
};
use futures_util::StreamExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long looking inside may take, and how much it may say.
const LOOK: Duration = Duration::from_secs(15);
const LOOK_BYTES: usize = 64 << 10;
/// Pauses between attempts to reach an engine that is away, first and longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The container of one sandbox, for as long as somebody holds it.
pub(super) struct Container {
    pub(super) docker: Docker,
    pub(super) id: String,
    pub(super) limits: Limits,
    /// What the engine said when it made it.
    pub(super) warnings: Vec<String>,
    pub(super) tail: Tail,
    pub(super) tasks: Tasks,
    /// Set once it is removed.
    pub(super) end: watch::Receiver<Option<End>>,
    pub(super) last: Mutex<Usage>,
    /// Closed when nobody holds the sandbox any more.
    pub(super) _way: Option<Way>,
}

impl Hold for Container {
    fn stderr(&self) -> &Tail {
        &self.tail
    }

    fn in_force(&self) -> Boxed<'_, Result<Vec<Guard>, Error>> {
        Box::pin(async move {
            self.is_there()?;
            let asked = tokio::time::timeout(LOOK, self.look()).await;
            let seen = asked.unwrap_or_else(|_| {
                Err(Error::new(crate::error::Kind::Timeout, "looking into the sandbox took 15 s"))
            });
            let mut all = match seen {
                Ok(seen) => guards::compare(&self.limits, &seen),
                // With all its processes used up nobody can look; nothing is claimed then.
                Err(e) => {
                    log::warn!("cannot look into {}: {e}", self.id);
                    let mut none = guards::compare(&self.limits, &Seen::default());
                    none.iter_mut().for_each(|guard| guard.in_force = None);
                    none
                }
            };
            all.extend(self.warnings.iter().map(|words| Guard {
                name: "engine",
                asked: "no warning".into(),
                in_force: Some(words.clone()),
                read_at: "engine",
            }));
            Ok(all)
        })
    }

    fn usage(&self) -> Boxed<'_, Result<Usage, Error>> {
        Box::pin(async move {
            if self.end.borrow().is_none() {
                self.count().await?;
            }
            Ok(*self.last.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }

    fn ended(&self) -> Boxed<'_, End> {
        let mut end = self.end.clone();
        Box::pin(async move {
            let unknown = || End { code: None, words: "nobody saw its end".into() };
            match end.wait_for(Option::is_some).await {
                Ok(end) => end.clone().unwrap_or_else(unknown),
                Err(_) => unknown(),
            }
        })
    }

    fn end(&self) -> Boxed<'_, Result<(), Error>> {
        Box::pin(async move {
            if self.end.borrow().is_some() {
                return Ok(());
            }
            // The last figures; an engine that cannot give them must not keep it alive.
            if let Err(e) = self.count().await {
                log::debug!("no last figures of {}: {e}", self.id);
            }
            remove(&self.docker, &self.id).await?;
            self.ended().await;
            Ok(())
        })
    }
}

impl Container {
    fn is_there(&self) -> Result<(), Error> {
        match &*self.end.borrow() {
            None => Ok(()),
            Some(end) => Err(Error::not_found(format!("this sandbox has {}", end.words))),
        }
    }

    async fn look(&self) -> Result<Seen, Error> {
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            cmd: Some(vec![PROGRAM, look::NAME]),
            user: Some(recipe::USER),
            ..Default::default()
        };
        let failed = |e| fault::of("cannot look into the sandbox", e);
        let exec = self.docker.create_exec(&self.id, options).await.map_err(failed)?;
        let started = self.docker.start_exec(&exec.id, None).await.map_err(failed)?;
        let mut said = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(Ok(part)) = output.next().await {
                if let LogOutput::StdOut { message } = part {
                    said.extend_from_slice(&message);
                }
                if said.len() > LOOK_BYTES {
                    break;
                }
            }
        }
        serde_json::from_slice(&said)
            .map_err(|e| Error::broken("the sandbox said nothing of itself").because(e))
    }

    async fn count(&self) -> Result<(), Error> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let mut stats = std::pin::pin!(self.docker.stats(&self.id, Some(options)));
        match stats.next().await {
            Some(Ok(stats)) => {
                let now = figures(&stats);
                let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                last.cpu_seconds = last.cpu_seconds.max(now.cpu_seconds);
                last.peak_memory = last.peak_memory.max(now.peak_memory);
                Ok(())
            }
            // It is ending: what we have is the last.
            Some(Err(e)) if is_gone(&e) => Ok(()),
            Some(Err(e)) => Err(fault::of("cannot ask for figures", e)),
            None => Ok(()),
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.end.borrow().is_none() {
            let (docker, id) = (self.docker.clone(), self.id.clone());
            self.tasks.job(async move {
                if let Err(e) = remove(&docker, &id).await {
                    log::warn!("cannot end {id}: {e}; the next sweep does");
                }
            });
        }
    }
}

fn figures(stats: &ContainerStatsResponse) -> Usage {
    let cpu = stats.cpu_stats.as_ref().and_then(|c| c.cpu_usage.as_ref()?.total_usage);
    let memory = stats.memory_stats.as_ref().map(|m| m.max_usage.max(m.usage).unwrap_or(0));
    Usage {
        // Nanoseconds.
        cpu_seconds: cpu.unwrap_or(0) as f64 / 1e9,
        peak_memory: memory.unwrap_or(0),
    }
}

/// Ends a container and removes it; one that is gone already is as good.
///
/// # Errors
/// Offline when the engine cannot be reached.
pub(super) async fn remove(docker: &Docker, id: &str) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker.remove_container(id, Some(options)).await {
        Ok(()) => Ok(()),
        Err(e) if is_gone(&e) => Ok(()),
        // Somebody else is at it.
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. }) => Ok(()),
        Err(e) => Err(fault::offline("cannot remove a sandbox", e)),
    }
}

/// Waits until a container has ended, removes it, and says how it ended.
pub(super) async fn watch(docker: Docker, id: String, said: Arc<watch::Sender<Option<End>>>) {
    let mut pause = FIRST_PAUSE;
    let end = loop {
        let waited = docker.wait_container(&id, None::<WaitContainerOptions>).next().await;
        // Whatever waiting said: only the engine's own record tells how it ended.
        match docker.inspect_container(&id, None).await {
            Ok(found) => {
                let state = found.state.unwrap_or_default();
                if state.running != Some(true) && state.pid.unwrap_or(0) == 0 {
                    break words(state.exit_code, state.oom_killed == Some(true));
                }
            }
            Err(e) if is_gone(&e) => break End { code: code(waited), words: "ended".into() },
            Err(e) => log::debug!("cannot ask for {id}: {e}"),
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    };
    if let Err(e) = remove(&docker, &id).await {
        log::warn!("cannot remove {id}: {e}; the next sweep does");
    }
    said.send_replace(Some(end));
}

fn words(code: Option<i64>, out_of_memory: bool) -> End {
    let code = code.and_then(|code| i32::try_from(code).ok());
    let words = match code {
        _ if out_of_memory => "killed: out of memory".into(),
        Some(code) if code > 128 => format!("killed by signal {}", code - 128),
        Some(code) => format!("exited with {code}"),
        None => "ended".into(),
    };
    End { code, words }
}

fn code(
    waited: Option<Result<bollard::models::ContainerWaitResponse, bollard::errors::Error>>,
) -> Option<i32> {
    let code = match waited? {
        Ok(end) => end.status_code,
        Err(bollard::errors::Error::DockerContainerWaitError { code, .. }) => code,
        Err(_) => return None,
    };
    i32::try_from(code).ok()
}
