//! Starts one sandbox: the first process, its control group, and the words with its two stages.

use crate::error::Error;
use crate::orchestrator::egress::Way;
use crate::orchestrator::first::{self, Said};
use crate::orchestrator::kernel::Kernel;
use crate::orchestrator::kernel::cgroup::{Asked, Group};
use crate::orchestrator::kernel::hold::{Begun, Made, Shared};
use crate::orchestrator::kernel::plan::Job;
use crate::orchestrator::sandbox::Tail;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe::{Receiver, Sender};

/// Time for a stage to do its part. Milliseconds are usual; a busy machine needs more.
const STAGE: Duration = Duration::from_secs(10);

/// Starts it and returns when all its guards are up and the server begins.
///
/// # Errors
/// Broken with what the first process said; Timeout.
pub(super) async fn launch(kernel: &Kernel, job: Job, way: Option<Way>) -> Result<Begun, Error> {
    let about = format!("the sandbox '{}'", job.name);
    if let Some(scratch) = &job.inner.scratch {
        make_scratch(&kernel.scratch_home(), scratch, job.user).map_err(|e| e.at(&about))?;
    }
    let mut command = Command::new(&kernel.inner.settings.binary);
    command
        .args([first::NAME, "--outer"])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C in a terminal is for Hearth, which ends sandboxes in its own order.
        .process_group(0);
    if let Some(user) = job.user {
        command.uid(user).gid(user);
    }
    let mut child = kernel.inner.keeper.start(command).await?;
    let tail = Tail::default();
    let pipes = Pipes::of(&mut child)?;
    let pump = kernel.inner.tasks.job(pump(pipes.stderr, tail.clone()));
    let mut made =
        Made { job, way, child, tail, pump, group: Group::default(), inner: 0, landlock: None };
    let mut talk = (pipes.stdin, pipes.stdout);
    let begun = tokio::time::timeout(STAGE, introduce(kernel, &mut made, &mut talk)).await;
    match begun.unwrap_or_else(|_| Err(Error::timeout("it did not start within 10 seconds"))) {
        Ok(()) => Ok(Shared::begin(&kernel.inner.tasks, made, talk)),
        Err(e) => {
            drop(talk);
            let said = made.abandon(&kernel.inner.tasks).await;
            // Usually the same words.
            let is_news = !said.is_empty() && !said.contains(e.what());
            let said = if is_news { format!("; it said: {said}") } else { String::new() };
            Err(Error::new(e.kind(), format!("{about}: {e}{said}")))
        }
    }
}

struct Pipes {
    stdin: Sender,
    stdout: Receiver,
    stderr: Receiver,
}

impl Pipes {
    fn of(child: &mut Child) -> Result<Pipes, Error> {
        let lost = || Error::broken("the first process of a sandbox has no pipes");
        let fault = |e| Error::broken("cannot use a pipe").because(e);
        let stdin = OwnedFd::from(child.stdin.take().ok_or_else(lost)?);
        let stdout = OwnedFd::from(child.stdout.take().ok_or_else(lost)?);
        let stderr = OwnedFd::from(child.stderr.take().ok_or_else(lost)?);
        Ok(Pipes {
            stdin: Sender::from_owned_fd(stdin).map_err(fault)?,
            stdout: Receiver::from_owned_fd(stdout).map_err(fault)?,
            stderr: Receiver::from_owned_fd(stderr).map_err(fault)?,
        })
    }
}

/// Tells both stages their plans. The group is joined before anything else is started, so that all
/// of the sandbox is in it.
async fn introduce(
    kernel: &Kernel,
    made: &mut Made,
    (stdin, stdout): &mut (Sender, Receiver),
) -> Result<(), Error> {
    let asked = Asked {
        memory: made.job.asked.memory_bytes,
        // The first process, in both its stages, is not the server's.
        processes: u64::from(made.job.asked.processes) + 2 + u64::from(made.way.is_some()),
        cpu_thousandths: u64::from(made.job.asked.cpu_thousandths),
    };
    let out_of_step = || Error::broken("its two stages are out of step");
    made.group = kernel.groups().make(&made.job.name, &asked).map_err(Error::broken)?;
    made.group.admit(made.child.id()).map_err(Error::broken)?;
    say(stdin, &made.job.outer).await?;
    made.inner = match hear(stdout).await? {
        Said::Started(pid) => pid,
        Said::Failed(words) => return Err(Error::broken(words)),
        Said::Ready { .. } => return Err(out_of_step()),
    };
    say(stdin, &made.job.inner).await?;
    made.landlock = match hear(stdout).await? {
        Said::Ready { landlock } => landlock,
        Said::Failed(words) => return Err(Error::broken(words)),
        Said::Started(_) => return Err(out_of_step()),
    };
    // The secrets are the server's now.
    made.job.inner.environment.clear();
    Ok(())
}

async fn say(stdin: &mut Sender, plan: &impl serde::Serialize) -> Result<(), Error> {
    let frame = first::make_frame(plan).map_err(Error::limit)?;
    let gone = |e| Error::broken("the first process ended before it was told its plan").because(e);
    stdin.write_all(&frame).await.map_err(gone)
}

async fn hear(stdout: &mut Receiver) -> Result<Said, Error> {
    let gone = |e| Error::broken("the first process ended without a word").because(e);
    let length = stdout.read_u32().await.map_err(gone)? as usize;
    if length > first::FRAME_MAX {
        return Err(Error::broken("the first process said no frame"));
    }
    let mut json = vec![0; length];
    stdout.read_exact(&mut json).await.map_err(gone)?;
    serde_json::from_slice(&json).map_err(|e| Error::broken("the first process").because(e))
}

async fn pump(mut stderr: impl AsyncRead + Unpin, tail: Tail) {
    let mut buffer = vec![0; 4096];
    while let Ok(n) = stderr.read(&mut buffer).await {
        if n == 0 {
            return;
        }
        tail.push(&buffer[..n]);
    }
}

/// Makes the folder that sandboxes' own folders are in.
///
/// # Errors
/// Conflict when somebody else has one of that name; Broken.
pub(super) fn make_home(home: &Path) -> Result<(), Error> {
    let fault = |e: std::io::Error| {
        Error::broken(format!("cannot make the folder {}", home.display())).because(e)
    };
    match std::fs::DirBuilder::new().mode(0o711).create(home) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(fault(e)),
        _ => {}
    }
    // Anybody may make folders where this one is: it must be ours, and no link.
    let found = std::fs::symlink_metadata(home).map_err(fault)?;
    if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() {
        return Err(Error::conflict(format!(
            "{} belongs to somebody else; remove it, or set TMPDIR to another folder",
            home.display()
        )));
    }
    Ok(())
}

/// Makes the writable folder, which only the sandbox's user can enter.
fn make_scratch(home: &Path, scratch: &Path, user: Option<u32>) -> Result<(), Error> {
    let fault = |e: std::io::Error| {
        Error::broken(format!("cannot make the folder {}", scratch.display())).because(e)
    };
    make_home(home)?;
    // What a killed run of this name left.
    let _ = std::fs::remove_dir_all(scratch);
    std::fs::DirBuilder::new().mode(0o700).create(scratch).map_err(fault)?;
    match user {
        None => Ok(()),
        Some(user) => std::os::unix::fs::chown(scratch, Some(user), Some(user)).map_err(fault),
    }
}
