//! The inner stage: puts up the guards of the plan, one after the other, and starts the server.
//!
//! The order matters: what a guard needs must still be allowed when it is put up. From the system-call
//! filter on, this process itself may do no more than the server.

use crate::orchestrator::egress::inside;
use crate::orchestrator::first::plan::{Guards, Inner, Run, Said};
use crate::orchestrator::first::{filter, frame, guard, net, reap, root, trial};
use crate::orchestrator::worker::{self, Offer};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{getgid, getuid};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Exit code of a shell whose command is not there.
const NOT_FOUND: u8 = 127;

/// Reads the plan and becomes, or keeps, the server.
pub(super) fn run() -> Result<ExitCode, String> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| format!("cannot follow the outer: {e}"))?;
    // When the outer stage was gone before that line, Hearth ends this by closing stdin.
    let plan: Inner = frame::read(std::io::stdin())?;
    let is_first = std::process::id() == 1;
    let ready = put_up(&plan, is_first);
    let said = match &ready {
        Ok(landlock) => Said::Ready { landlock: landlock.clone() },
        Err(words) => Said::Failed(words.clone()),
    };
    frame::write(std::io::stdout(), &said)?;
    ready?;
    let argv = match &plan.run {
        Run::Program(argv) => argv,
        Run::Trial => return trial::run(),
        Run::Memory(bytes) => {
            worker::run(&Offer::Memory(*bytes)).map_err(|e| e.to_string())?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let (name, arguments) = argv.split_first().ok_or("no program is named")?;
    let mut command = Command::new(name);
    command.args(arguments).env_clear().envs(&plan.environment);
    if !is_first {
        // The outer stage reaps; this process becomes the server.
        let fault = command.exec();
        eprintln!("hearth: cannot start {name}: {fault}");
        return Ok(ExitCode::from(NOT_FOUND));
    }
    reap::block()?;
    match command.spawn() {
        Ok(child) => {
            drop(plan);
            reap::let_go()?;
            reap::wait(&child, reap::pass_on).map(reap::code)
        }
        Err(fault) => {
            eprintln!("hearth: cannot start {name}: {fault}");
            Ok(ExitCode::from(NOT_FOUND))
        }
    }
}

/// Puts up all guards; returns what Landlock enforces.
fn put_up(plan: &Inner, is_first: bool) -> Result<Option<String>, String> {
    let guards = &plan.guards;
    if is_first {
        apart(plan, guards)?;
    } else if let Some(scratch) = &plan.scratch {
        nix::unistd::chdir(scratch).map_err(|e| format!("cannot enter the scratch folder: {e}"))?;
    }
    if let Run::Program(argv) = &plan.run {
        find(argv, plan)?;
    }
    prctl::set_no_new_privs().map_err(|e| format!("cannot give up new privileges: {e}"))?;
    if guards.limits {
        guard::limit(&plan.limits)?;
    }
    if plan.egress.is_some() {
        // It opens what Landlock and the filter deny from here on.
        inside::start(Path::new(root::EGRESS))?;
    }
    let landlock = if guards.landlock { Some(guard::landlock(plan)?) } else { None };
    filter::apply(guards.filter)?;
    Ok(landlock)
}

/// Namespaces, the root, and being nobody in them.
fn apart(plan: &Inner, guards: &Guards) -> Result<(), String> {
    let mut spaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWCGROUP;
    if guards.network {
        spaces |= CloneFlags::CLONE_NEWNET;
    }
    unshare(spaces).map_err(|e| format!("cannot make namespaces: {e}"))?;
    if guards.network {
        net::loopback_up()?;
    }
    nix::unistd::sethostname("sandbox").map_err(|e| format!("cannot set the host name: {e}"))?;
    if guards.root {
        root::enter(plan)?;
    }
    // All capabilities so far were over the namespaces just made. In one more user namespace this
    // process and the server have none over them, and are nobody.
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| format!("cannot leave root behind: {e}"))?;
    guard::map_user(65534, uid, gid)?;
    if guards.root {
        nix::unistd::chdir("/tmp").map_err(|e| format!("cannot go to /tmp: {e}"))?;
    }
    Ok(())
}

/// Looks whether the program is there, while its absence can still be said.
fn find(argv: &[String], plan: &Inner) -> Result<(), String> {
    let name = argv.first().ok_or("no program is named")?;
    let places = match name.contains('/') {
        true => vec![name.into()],
        false => {
            let path = plan.environment.get("PATH").map_or("", String::as_str);
            std::env::split_paths(path).map(|folder| folder.join(name)).collect()
        }
    };
    let runs = |path: &Path| nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok();
    match places.iter().any(|path| runs(path) && path.is_file()) {
        true => Ok(()),
        false => Err(format!(
            "there is no program '{}' in the sandbox; name the folder that it is in under what it may read",
            name.escape_debug()
        )),
    }
}
