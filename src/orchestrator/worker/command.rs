//! Commands that run in the sandbox: each in a process group of its own, ended at its time.

use crate::error::Error;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, fchdir};
use serde_json::Value;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Commands that run at once; one more is refused.
const MOST: usize = 8;
/// The end of each stream that is kept.
const KEPT: usize = 3 << 10;

/// A request that is answered when its command has ended.
pub(super) struct Asked {
    pub(super) id: Value,
    pub(super) params: serde_json::Map<String, Value>,
}

/// A command that has ended.
pub(super) struct Ended {
    /// `None` when the client took the request back: then nobody is answered.
    pub(super) asked: Option<Asked>,
    /// Its exit code, or 128 and the number of the signal that ended it.
    pub(super) code: i32,
    /// The time after which it was ended, if it was.
    pub(super) late: Option<Duration>,
    pub(super) stdout: Kept,
    pub(super) stderr: Kept,
}

/// The end of a stream, and how much came before it.
#[derive(Default)]
pub(super) struct Kept {
    bytes: VecDeque<u8>,
    before: u64,
}

impl Kept {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let over = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..over);
        self.before += over as u64;
    }

    /// For people and models: what came, and how much of it is not shown.
    pub(super) fn shown(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        match self.before {
            0 => text.into_owned(),
            n => {
                format!("({n} bytes before this are not shown; write to a file to see all)\n{text}")
            }
        }
    }
}

struct Running {
    asked: Option<Asked>,
    group: Pid,
    until: Instant,
    within: Duration,
    late: bool,
    streams: [Option<OwnedFd>; 2],
    kept: [Kept; 2],
}

/// The commands that run now.
#[derive(Default)]
pub(super) struct Commands {
    running: Vec<Running>,
}

impl Commands {
    /// Starts a line of shell in a folder.
    ///
    /// # Errors
    /// Limit when too many run; Offline when there is no shell; Broken when the system refuses.
    pub(super) fn start(
        &mut self,
        line: &str,
        folder: &OwnedFd,
        within: Duration,
    ) -> Result<usize, Error> {
        if self.running.len() >= MOST {
            return Err(Error::limit(format!("{MOST} commands run already; wait for one to end")));
        }
        fchdir(folder).map_err(|e| Error::broken("cannot go to the folder").because(e))?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What we hold back for ourselves must reach the command: it inherits the mask.
        let mask = held();
        let _ = mask.thread_unblock();
        let child = command.spawn();
        let _ = mask.thread_block();
        let mut child = child.map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::offline(
                "there is no /bin/sh in this sandbox; use an image that has one \
                 (docker build -f Dockerfile.mcp --build-arg BASE=debian:12-slim)",
            ),
            _ => Error::broken("cannot start a command").because(e),
        })?;
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        let streams =
            [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        for stream in streams.iter().flatten() {
            fcntl(stream, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(|e| Error::broken("cannot set up a pipe").because(e))?;
        }
        self.running.push(Running {
            asked: None,
            group,
            until: Instant::now() + within,
            within,
            late: false,
            streams,
            kept: [Kept::default(), Kept::default()],
        });
        Ok(self.running.len() - 1)
    }

    /// Says whose the command is that was just started.
    pub(super) fn belongs(&mut self, at: usize, asked: Asked) {
        if let Some(one) = self.running.get_mut(at) {
            one.asked = Some(asked);
        }
    }

    /// Ends the command of a request that its client took back.
    pub(super) fn cancel(&mut self, id: &Value) {
        for one in &mut self.running {
            if one.asked.as_ref().is_some_and(|asked| asked.id == *id) {
                one.asked = None;
                end(one.group);
            }
        }
    }

    /// Ends what has used up its time; returns how long until the next one has.
    pub(super) fn late(&mut self) -> Option<Duration> {
        let now = Instant::now();
        for one in self.running.iter_mut().filter(|one| one.until <= now && !one.late) {
            one.late = true;
            end(one.group);
        }
        let next = self.running.iter().filter(|one| !one.late).map(|one| one.until).min();
        next.map(|until| until.saturating_duration_since(now))
    }

    /// The streams to wait for.
    pub(super) fn streams(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.running.iter().flat_map(|one| one.streams.iter().flatten()).map(AsFd::as_fd)
    }

    /// Takes what all commands wrote.
    pub(super) fn hear(&mut self) {
        self.running.iter_mut().for_each(hear);
    }

    /// Takes the ends of all our processes: of commands, and of orphans that the kernel gave us.
    pub(super) fn reap(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        loop {
            let (pid, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Err(Errno::EINTR) | Ok(WaitStatus::Stopped(..) | WaitStatus::Continued(_)) => {
                    continue;
                }
                _ => return ended,
            };
            let Some(at) = self.running.iter().position(|one| one.group == pid) else { continue };
            let mut one = self.running.remove(at);
            hear(&mut one);
            let [stdout, stderr] = one.kept;
            let late = one.late.then_some(one.within);
            ended.push(Ended { asked: one.asked, code, late, stdout, stderr });
        }
    }

    /// Ends all of them.
    pub(super) fn end(&mut self) {
        self.running.drain(..).for_each(|one| end(one.group));
    }
}

/// The signals that the worker holds back and reads from a descriptor.
pub(super) fn held() -> SigSet {
    let mut set = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT] {
        set.add(signal);
    }
    set
}

fn end(group: Pid) {
    // It may have ended by itself.
    let _ = killpg(group, Signal::SIGKILL);
}

fn hear(one: &mut Running) {
    let mut part = [0u8; 16 << 10];
    for (stream, kept) in one.streams.iter_mut().zip(&mut one.kept) {
        while let Some(open) = stream {
            match nix::unistd::read(open, &mut part) {
                Ok(0) => *stream = None,
                Ok(n) => kept.push(&part[..n]),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(_) => *stream = None,
            }
        }
    }
}
