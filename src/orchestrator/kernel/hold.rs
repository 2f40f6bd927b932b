//! What keeps a sandbox that runs: its end, its usage, and that nothing is left of it.

use crate::error::Error;
use crate::http::peer;
use crate::mcp::Boxed;
use crate::orchestrator::egress::Way;
use crate::orchestrator::kernel::cgroup::Group;
use crate::orchestrator::kernel::plan::Job;
use crate::orchestrator::kernel::{read, watch};
use crate::orchestrator::sandbox::{End, Guard, Hold, Level, Limits, Sandbox, Tail, Usage};
use crate::tasks::Tasks;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch as channel;
use tokio::task::JoinHandle;

/// Time for the outer stage to end everything; then it is ended itself, and the rest by its mark.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a wait looks by itself, besides being woken.
const LOOK: Duration = Duration::from_secs(1);

/// A sandbox while it is being started.
pub(super) struct Made {
    pub(super) job: Job,
    pub(super) way: Option<Way>,
    pub(super) child: Child,
    pub(super) tail: Tail,
    pub(super) pump: JoinHandle<()>,
    pub(super) group: Group,
    pub(super) inner: u32,
    pub(super) landlock: Option<String>,
}

impl Made {
    /// Ends what did not start and returns what it wrote to stderr, in one line.
    pub(super) async fn abandon(mut self, tasks: &Tasks) -> String {
        // Both stages end by themselves when their stdin does, and one reaps the other; one that
        // hangs is killed.
        if tokio::time::timeout(LOOK, exited(self.child.id())).await.is_err() {
            let _ = self.child.kill();
        }
        let (mark, group, scratch) = (self.job.outer.mark, self.group, self.job.inner.scratch);
        let mut child = self.child;
        let cleared = tasks.blocking(move || {
            let _ = child.wait();
            clear(mark, &group, scratch.as_ref());
        });
        if let Err(e) = cleared.await {
            log::warn!("{e}");
        }
        let _ = tokio::time::timeout(LOOK, &mut self.pump).await;
        self.tail.lines().0.join(" | ")
    }
}

/// One that runs, before it is handed out.
pub(super) struct Begun {
    pub(super) shared: Arc<Shared>,
    talk: (Sender, Receiver),
}

impl Begun {
    pub(super) fn into_sandbox(self) -> Sandbox {
        let (stdin, stdout) = self.talk;
        Sandbox {
            id: self.shared.outer.to_string(),
            level: self.shared.level,
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            hold: Arc::new(Held(self.shared)),
        }
    }
}

/// What all who deal with one sandbox share.
pub(super) struct Shared {
    pub(super) level: Level,
    pub(super) mark: (u64, u64),
    /// The user that it runs as, when that is not Hearth's.
    pub(super) user: Option<u32>,
    pub(super) outer: u32,
    pub(super) inner: u32,
    pub(super) group: Group,
    pub(super) asked: Limits,
    pub(super) guards: crate::orchestrator::first::Guards,
    pub(super) landlock: Option<String>,
    pub(super) scratch: Option<PathBuf>,
    tail: Tail,
    /// Open as long as anybody holds the sandbox.
    _way: Option<Way>,
    usage: Mutex<Usage>,
    /// Why it was ended by us, when it was.
    why: Mutex<Option<String>>,
    /// Whether the outer stage has been reaped, so that its number may be somebody else's.
    reaped: Mutex<bool>,
    end: channel::Receiver<Option<End>>,
}

impl Shared {
    /// Takes over a sandbox that has started.
    pub(super) fn begin(tasks: &Tasks, made: Made, talk: (Sender, Receiver)) -> Begun {
        let (ended, end) = channel::channel(None);
        let shared = Arc::new(Shared {
            level: made.job.level,
            mark: made.job.outer.mark,
            user: made.job.user,
            outer: made.child.id(),
            inner: made.inner,
            group: made.group,
            asked: made.job.asked,
            guards: made.job.inner.guards,
            landlock: made.landlock,
            scratch: made.job.inner.scratch,
            tail: made.tail,
            _way: made.way,
            usage: Mutex::default(),
            why: Mutex::default(),
            reaped: Mutex::default(),
            end,
        });
        let (own, of) = (shared.clone(), tasks.clone());
        tasks.job(async move {
            let end = own.see_off(&of, made.child, made.pump).await;
            ended.send_replace(Some(end));
        });
        watch::begin(tasks, &shared);
        Begun { shared, talk }
    }

    /// Whether it has not ended yet.
    pub(super) fn runs(&self) -> bool {
        self.end.borrow().is_none()
    }

    /// Waits for the outer stage, clears what is left, and says how it ended.
    async fn see_off(&self, tasks: &Tasks, child: Child, pump: JoinHandle<()>) -> End {
        let status = exited(self.outer).await;
        // The figures of what has ended are there until it is reaped.
        self.note_usage();
        let out_of_memory = self.group.out_of_memory() > 0;
        let (mark, group, scratch) = (self.mark, self.group.clone(), self.scratch.clone());
        self.reap(child);
        if let Err(e) = tasks.blocking(move || clear(mark, &group, scratch.as_ref())).await {
            log::warn!("after a sandbox: {e}");
        }
        let _ = tokio::time::timeout(LOOK, pump).await;
        let why = lock(&self.why).clone();
        words(status, why, out_of_memory)
    }

    fn reap(&self, mut child: Child) {
        let mut reaped = lock(&self.reaped);
        // It has ended: this returns at once.
        let _ = child.wait();
        *reaped = true;
    }

    /// Reads its figures and keeps the largest.
    pub(super) fn note_usage(&self) -> Usage {
        let cpu = self.group.cpu_seconds().or_else(|| read::cpu_seconds(self.mark));
        let mut usage = lock(&self.usage);
        usage.cpu_seconds = usage.cpu_seconds.max(cpu.unwrap_or(0.0));
        usage.peak_memory = usage.peak_memory.max(self.group.peak().unwrap_or(0));
        *usage
    }

    /// Takes note of memory that somebody else counted.
    pub(super) fn note_memory(&self, bytes: u64) {
        let mut usage = lock(&self.usage);
        usage.peak_memory = usage.peak_memory.max(bytes);
    }

    /// Tells the outer stage to end all; the reason, when given, is told whoever asks how it ended.
    pub(super) fn stop(&self, why: Option<&str>) {
        if let Some(why) = why {
            lock(&self.why).get_or_insert_with(|| why.to_owned());
        }
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, which: Signal) {
        let reaped = lock(&self.reaped);
        if let (false, Ok(pid)) = (*reaped, i32::try_from(self.outer)) {
            let _ = kill(Pid::from_raw(pid), which);
        }
    }

    /// Ends it and returns when nothing is left.
    pub(super) async fn end(&self) {
        self.stop(Some("ended"));
        let mut end = self.end.clone();
        let done = tokio::time::timeout(PATIENCE, end.wait_for(Option::is_some)).await.is_ok();
        if !done {
            log::warn!(
                "the sandbox of process {} does not end by itself; it is killed",
                self.outer
            );
            self.signal(Signal::SIGKILL);
            let _ = end.wait_for(Option::is_some).await;
        }
    }
}

/// Waits until a child has ended, without reaping it.
async fn exited(pid: u32) -> Option<WaitStatus> {
    let mut changes = signal(SignalKind::child()).ok();
    let pid = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        match waitid(Id::Pid(pid), flags) {
            Ok(WaitStatus::StillAlive) => {}
            Ok(status) => return Some(status),
            Err(nix::errno::Errno::EINTR) => continue,
            Err(_) => return None,
        }
        let woken = async {
            match &mut changes {
                Some(changes) => changes.recv().await,
                None => std::future::pending().await,
            }
        };
        let _ = tokio::time::timeout(LOOK, woken).await;
    }
}

/// Ends processes by their mark until there is none; returns how many there were.
pub(super) fn end_marked(is_meant: impl Fn((u64, u64)) -> bool) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let left: Vec<u32> =
            peer::marked(&is_meant).into_iter().filter(|p| !read::is_dead(*p)).collect();
        if left.is_empty() {
            return seen.len();
        }
        for pid in left {
            seen.insert(pid);
            if let Ok(pid) = i32::try_from(pid) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        // They end when the system next runs them.
        let _ = nix::sched::sched_yield();
    }
}

/// Removes what a sandbox leaves besides processes, after these.
fn clear(mark: (u64, u64), group: &Group, scratch: Option<&PathBuf>) {
    end_marked(|found| found == mark);
    if !group.remove() {
        // Left for the next sweep.
        log::warn!("the control group of a sandbox that ended is still in use");
    }
    if let Some(scratch) = scratch
        && let Err(e) = std::fs::remove_dir_all(scratch)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        log::warn!("cannot remove {}: {e}", scratch.display());
    }
}

fn words(status: Option<WaitStatus>, why: Option<String>, out_of_memory: bool) -> End {
    let code = match status {
        Some(WaitStatus::Exited(_, code)) => Some(code),
        Some(WaitStatus::Signaled(_, signal, _)) => Some(128 + signal as i32),
        _ => None,
    };
    let killed = code.and_then(|code| Signal::try_from(code - 128).ok());
    let words = match (why, code, killed) {
        (Some(why), _, _) => why,
        (None, _, Some(Signal::SIGKILL)) if out_of_memory => "killed: out of memory".into(),
        (None, _, Some(signal)) => format!("killed by {signal}"),
        (None, Some(code), None) => format!("exited with {code}"),
        (None, None, _) => "ended; nobody knows how".into(),
    };
    End { code, words }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in these short sections can be half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is handed out. Dropping it ends the sandbox.
struct Held(Arc<Shared>);

impl Drop for Held {
    fn drop(&mut self) {
        if self.0.runs() {
            self.0.stop(Some("ended: nobody uses it any more"));
        }
    }
}

impl Hold for Held {
    fn stderr(&self) -> &Tail {
        &self.0.tail
    }

    fn in_force(&self) -> Boxed<'_, Result<Vec<Guard>, Error>> {
        Box::pin(async {
            match self.0.runs() {
                true => Ok(read::in_force(&self.0)),
                false => Err(Error::not_found("the sandbox has ended")),
            }
        })
    }

    fn usage(&self) -> Boxed<'_, Result<Usage, Error>> {
        Box::pin(async {
            match self.0.runs() {
                true => Ok(self.0.note_usage()),
                false => Ok(*lock(&self.0.usage)),
            }
        })
    }

    fn ended(&self) -> Boxed<'_, End> {
        Box::pin(async {
            let mut end = self.0.end.clone();
            let lost = || End { code: None, words: "ended with Hearth".into() };
            let found = end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
            found.unwrap_or_else(lost)
        })
    }

    fn end(&self) -> Boxed<'_, Result<(), Error>> {
        Box::pin(async {
            self.0.end().await;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let pid = Pid::from_raw(1);
        let said =
            |status, why: Option<&str>, oom| words(status, why.map(str::to_owned), oom).words;
        assert_eq!(said(Some(WaitStatus::Exited(pid, 1)), None, false), "exited with 1");
        assert_eq!(said(Some(WaitStatus::Exited(pid, 137)), None, true), "killed: out of memory");
        assert_eq!(said(Some(WaitStatus::Exited(pid, 139)), None, true), "killed by SIGSEGV");
        let term = WaitStatus::Signaled(pid, Signal::SIGTERM, false);
        assert_eq!(said(Some(term), Some("ended"), false), "ended");
        assert_eq!(words(Some(term), None, false).code, Some(143));
        assert_eq!(said(None, None, false), "ended; nobody knows how");
    }
}
