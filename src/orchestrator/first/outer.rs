//! The outer stage: outside of the sandbox, with none of its secrets. It ends when Hearth does, however
//! that ends, and takes everything inside with it.

use crate::http::peer;
use crate::orchestrator::first::plan::{Outer, Said};
use crate::orchestrator::first::{NAME, frame, guard, reap};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getgid, getppid, getuid};
use std::process::{Command, ExitCode};

/// Keeps one sandbox, from the first frame on stdin to the end of all its processes.
pub(super) fn run() -> Result<ExitCode, String> {
    // From here on the end of the thread that started this, which is Hearth's own, ends it.
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|e| format!("cannot follow Hearth's end: {e}"))?;
    let plan: Outer = frame::read(std::io::stdin())?;
    if getppid().as_raw().unsigned_abs() != plan.parent {
        return Err("Hearth is gone already".into());
    }
    let started = start(&plan);
    let said = match &started {
        Ok(child) => Said::Started(child.id()),
        Err(words) => Said::Failed(words.clone()),
    };
    frame::write(std::io::stdout(), &said)?;
    let child = started?;
    reap::let_go()?;
    let code = reap::wait(&child, |inner, _| {
        // Whatever is asked: the sandbox ends. Its own processes get no time; the server was told by
        // the end of its stdin.
        reap::pass_on(inner, Signal::SIGKILL);
    })?;
    if !plan.apart {
        end_all(plan.mark);
    }
    Ok(reap::code(code))
}

fn start(plan: &Outer) -> Result<std::process::Child, String> {
    let (own, node) = plan.mark;
    setrlimit(Resource::RLIMIT_RTTIME, own, node)
        .map_err(|e| format!("cannot set the mark: {e}"))?;
    reap::block()?;
    if plan.apart {
        let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID)
            .map_err(|e| format!("cannot make user and process namespaces: {e}"))?;
        guard::map_user(0, uid, gid)?;
    } else {
        // Without a process namespace orphans come to this process, and it ends them.
        prctl::set_child_subreaper(true).map_err(|e| format!("cannot adopt orphans: {e}"))?;
        prctl::set_pdeathsig(Signal::SIGTERM).map_err(|e| format!("cannot follow Hearth: {e}"))?;
        if getppid().as_raw().unsigned_abs() != plan.parent {
            return Err("Hearth is gone already".into());
        }
    }
    Command::new("/proc/self/exe")
        .args([NAME, "--inner"])
        .env_clear()
        .spawn()
        .map_err(|e| format!("cannot start the inner stage: {e}"))
}

/// Ends every process with this mark but this one, until there is none.
fn end_all(mark: (u64, u64)) {
    let own = std::process::id();
    loop {
        let left = peer::marked(|found| found == mark);
        let others: Vec<u32> = left.into_iter().filter(|pid| *pid != own).collect();
        if others.is_empty() {
            return;
        }
        for pid in &others {
            if let Ok(pid) = i32::try_from(*pid) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        // They are children of this process by now, or will be when their parent is gone.
        while nix::sys::wait::waitpid(None, Some(nix::sys::wait::WaitPidFlag::WNOHANG))
            .is_ok_and(|status| status != nix::sys::wait::WaitStatus::StillAlive)
        {}
        let _ = nix::sched::sched_yield();
    }
}
