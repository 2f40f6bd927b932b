//! Guards that a process puts up for itself and all that it starts: limits, Landlock, user ids.

use crate::orchestrator::first::plan::{Inner, Limits};
use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, path_beneath_rules,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::path::{Path, PathBuf};

/// Folders of the system that every program may read and run things from.
pub(crate) const SYSTEM: &[&str] = &["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// What of `/etc` programs need to start, to tell the time and to trust certificates.
pub(super) const ETC: &[&str] = &[
    "alternatives",
    "ca-certificates",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "ssl/certs",
    "ssl/openssl.cnf",
];

/// Devices that are nobody's.
pub(super) const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];

/// What Landlock is asked for. A kernel that knows less enforces less and says so.
const WANTED: ABI = ABI::V7;

/// Sets the resource limits, never above those that are in force already.
pub(super) fn limit(limits: &Limits) -> Result<(), String> {
    let all = [
        (Resource::RLIMIT_CORE, Some(0)),
        (Resource::RLIMIT_NICE, Some(0)),
        (Resource::RLIMIT_RTPRIO, Some(0)),
        (Resource::RLIMIT_MSGQUEUE, Some(0)),
        (Resource::RLIMIT_MEMLOCK, Some(64 << 10)),
        (Resource::RLIMIT_DATA, limits.data),
        (Resource::RLIMIT_NPROC, limits.processes),
        (Resource::RLIMIT_NOFILE, limits.files),
        (Resource::RLIMIT_FSIZE, limits.file_bytes),
    ];
    for (which, most) in all {
        let Some(most) = most else { continue };
        let fault = |e| format!("cannot set the limit {which:?}: {e}");
        let (_, hard) = getrlimit(which).map_err(fault)?;
        let most = most.min(hard);
        setrlimit(which, most, most).map_err(fault)?;
    }
    Ok(())
}

/// Puts up Landlock and returns in words what the kernel enforces; an error where it has none.
pub(super) fn landlock(plan: &Inner) -> Result<String, String> {
    let fault = |e: &dyn std::fmt::Display| format!("Landlock: {e}");
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(WANTED))
        .map_err(|e| fault(&e))?
        .scope(Scope::from_all(WANTED))
        .map_err(|e| fault(&e))?;
    if !plan.guards.network {
        // In a network of its own there is nobody to connect to.
        rules = rules.handle_access(AccessNet::from_all(WANTED)).map_err(|e| fault(&e))?;
    }
    let (reads, writes) = allowed(plan);
    let read = AccessFs::from_read(WANTED);
    // A device may be asked what it is: programs ask whether their output is a terminal.
    let write = (AccessFs::from_all(WANTED) & !AccessFs::Execute) & !AccessFs::MakeBlock;
    let status = rules
        .create()
        .map_err(|e| fault(&e))?
        .add_rules(path_beneath_rules(reads, read))
        .map_err(|e| fault(&e))?
        .add_rules(path_beneath_rules(writes, write & !AccessFs::MakeChar))
        .map_err(|e| fault(&e))?
        .restrict_self()
        .map_err(|e| fault(&e))?;
    let LandlockStatus::Available { effective_abi, .. } = status.landlock else {
        return Err("Landlock: this kernel has none, or it is not switched on at boot".into());
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(format!("fully, ABI {effective_abi}")),
        RulesetStatus::PartiallyEnforced => Ok(format!("partly, ABI {effective_abi}")),
        RulesetStatus::NotEnforced => Err("Landlock: nothing is enforced".into()),
    }
}

/// Paths that may be read and run, and paths that may be written.
fn allowed(plan: &Inner) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut writes: Vec<PathBuf> = DEVICES.iter().map(|d| Path::new("/dev").join(d)).collect();
    if plan.guards.root {
        // Everything that is shown there is for it; what may be written is said by the mounts.
        writes.extend(["/tmp".into(), "/proc".into()]);
        return (vec!["/".into()], writes);
    }
    writes.extend(plan.scratch.clone());
    let mut reads: Vec<PathBuf> = SYSTEM.iter().map(|d| Path::new("/").join(d)).collect();
    reads.extend(ETC.iter().map(|f| Path::new("/etc").join(f)));
    reads.extend(["/etc/passwd", "/etc/group", "/etc/nsswitch.conf"].map(PathBuf::from));
    // Machine-wide numbers that runtimes read at their start; nothing of other processes.
    reads.extend(["/proc/meminfo", "/proc/cpuinfo", "/proc/stat"].map(PathBuf::from));
    reads.push(plan.binary.clone());
    reads.extend(plan.reads.iter().cloned());
    (reads, writes)
}

/// Says who `uid` outside is inside a user namespace that this process has just made.
pub(super) fn map_user(inside: u32, uid: u32, gid: u32) -> Result<(), String> {
    let write = |file: &str, text: String| {
        std::fs::write(format!("/proc/self/{file}"), text)
            .map_err(|e| format!("cannot write /proc/self/{file}: {e}"))
    };
    // Without this the system does not let an ordinary user map groups.
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{inside} {uid} 1"))?;
    write("gid_map", format!("{inside} {gid} 1"))
}
