//! Being a parent: passing signals on, reaping orphans, waiting for the one child that matters.

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::AsFd;
use std::process::{Child, ExitCode};

/// The signals that a parent waits for.
pub(super) fn watched() -> SigSet {
    let mut set = SigSet::empty();
    [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT]
        .into_iter()
        .for_each(|signal| set.add(signal));
    set
}

/// Keeps signals until somebody waits for them. Before the child starts; it gets an empty mask.
pub(super) fn block() -> Result<(), String> {
    watched().thread_block().map_err(|e| format!("cannot hold signals back: {e}"))
}

/// Waits for the child and reaps all others; `told` is called with each other signal.
/// Returns the child's exit code, or 128 and the number of the signal that ended it.
pub(super) fn wait(child: &Child, told: impl Fn(Pid, Signal)) -> Result<u8, String> {
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(|e| e.to_string())?);
    loop {
        if let Some(code) = reap(pid)? {
            return Ok(code);
        }
        match watched().wait() {
            Ok(Signal::SIGCHLD) | Err(Errno::EINTR) => {}
            Ok(signal) => told(pid, signal),
            Err(e) => return Err(format!("cannot wait for signals: {e}")),
        }
    }
}

/// Reaps whoever has ended; the code when the child `own` is among them.
fn reap(own: Pid) -> Result<Option<u8>, String> {
    let mut code = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, with)) if pid == own => {
                code = u8::try_from(with & 0xFF).ok();
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == own => {
                code = u8::try_from(128 + signal as i32).ok();
            }
            Ok(WaitStatus::StillAlive) => return Ok(code),
            Err(Errno::ECHILD) if code.is_some() => return Ok(code),
            Err(Errno::EINTR) | Ok(_) => {}
            Err(e) => return Err(format!("cannot wait for the server: {e}")),
        }
    }
}

/// Passes a signal on to the child.
pub(super) fn pass_on(child: Pid, signal: Signal) {
    // It may have ended in between; then its end is what comes next.
    let _ = kill(child, signal);
}

/// Lets go of stdin and stdout, so that their other ends see when the server closes them.
pub(super) fn let_go() -> Result<(), String> {
    let fault = |e: &dyn std::fmt::Display| format!("cannot let go of stdin and stdout: {e}");
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(|e| fault(&e))?;
    nix::unistd::dup2_stdin(null.as_fd()).map_err(|e| fault(&e))?;
    nix::unistd::dup2_stdout(null.as_fd()).map_err(|e| fault(&e))
}

/// The exit code of a program that ended with `code`.
pub(super) fn code(code: u8) -> ExitCode {
    ExitCode::from(code)
}
