//! What is really in force in a container, seen from inside: `hearth sandbox-look`, which the engine
//! runs beside the server, in the same namespaces and control group.
//!
//! The engine takes limits that its kernel cannot hold (Docker on Raspberry Pi OS: memory) and says
//! nothing afterwards. So each is read where the kernel keeps it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

/// The subcommand's name.
pub const NAME: &str = "sandbox-look";

/// What the kernel says inside.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    /// Fields of `/proc/1/status`: the server's own.
    pub(super) status: BTreeMap<String, String>,
    /// Open files that the server may have.
    pub(super) open_files: Option<u64>,
    /// Bytes; none when there is no limit.
    pub(super) memory: Option<u64>,
    pub(super) processes: Option<u64>,
    /// Thousandths of a core.
    pub(super) cpu: Option<u64>,
    /// Options of the mounts at `/` and the scratch folder.
    pub(super) root: String,
    pub(super) scratch: String,
    /// Network interfaces.
    pub(super) interfaces: Vec<String>,
}

/// Prints what is seen when the command line says so; `None` when it is an ordinary one.
pub fn run(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<ExitCode> {
    if arguments.next()? != NAME {
        return None;
    }
    let seen = serde_json::to_string(&see(|path| std::fs::read_to_string(path).ok()));
    let said = seen.is_ok_and(|seen| writeln!(std::io::stdout(), "{seen}").is_ok());
    Some(if said { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn see(read: impl Fn(&str) -> Option<String>) -> Seen {
    let first = |paths: &[&str]| paths.iter().find_map(|path| read(path));
    let group = |name: &str| format!("/sys/fs/cgroup/{name}");
    // Control groups version 2, then 1. In a container each is its own.
    let one = |two: &str, one: &str| first(&[&group(two), &group(one)]);
    let status = read("/proc/1/status").unwrap_or_default();
    let fields = ["Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"];
    let mounts = read("/proc/self/mountinfo").unwrap_or_default();
    let cpu = read(&group("cpu.max")).or_else(|| {
        let quota = read(&group("cpu/cpu.cfs_quota_us"))?;
        Some(format!("{} {}", quota.trim(), read(&group("cpu/cpu.cfs_period_us"))?))
    });
    Seen {
        status: status
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(name, _)| fields.contains(name))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        open_files: read("/proc/1/limits").and_then(|limits| {
            let line = limits.lines().find(|line| line.starts_with("Max open files"))?.to_owned();
            line.split_whitespace().nth(3)?.parse().ok()
        }),
        memory: one("memory.max", "memory/memory.limit_in_bytes").and_then(number),
        processes: one("pids.max", "pids/pids.max").and_then(number),
        cpu: cpu.and_then(|line| share(&line)),
        root: mount(&mounts, "/"),
        scratch: mount(&mounts, super::recipe::SCRATCH),
        interfaces: read("/proc/net/dev")
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.trim().to_owned())
            .collect(),
    }
}

/// A limit; none for `max` and for what version 1 says when there is none (about 2^63).
fn number(text: String) -> Option<u64> {
    text.trim().parse().ok().filter(|n| *n < 1 << 62)
}

fn share(line: &str) -> Option<u64> {
    let (quota, period) = line.split_once(' ')?;
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.trim().parse().ok()?);
    (quota * 1000).checked_div(period)
}

/// The options of the mount at `path`, of the mount and of what is mounted (proc_pid_mountinfo(5)).
fn mount(mounts: &str, path: &str) -> String {
    let found = mounts.lines().rev().find_map(|line| {
        let (head, tail) = line.split_once(" - ")?;
        let head: Vec<&str> = head.split(' ').collect();
        (*head.get(4)? == path).then(|| {
            let mut tail = tail.split(' ');
            let (kind, _, of) = (tail.next(), tail.next(), tail.next());
            format!("{},{},{}", head.get(5).unwrap_or(&""), kind.unwrap_or(""), of.unwrap_or(""))
        })
    });
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(files: &'static [(&str, &str)]) -> Seen {
        see(|path| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()))
    }

    #[test]
    fn both_versions_of_control_groups_are_read() {
        let two = at(&[
            ("/sys/fs/cgroup/memory.max", "268435456\n"),
            ("/sys/fs/cgroup/pids.max", "64\n"),
            ("/sys/fs/cgroup/cpu.max", "50000 100000\n"),
        ]);
        assert_eq!((two.memory, two.processes, two.cpu), (Some(268_435_456), Some(64), Some(500)));
        let one = at(&[
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/pids/pids.max", "max\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!((one.memory, one.processes, one.cpu), (None, None, None));
    }

    #[test]
    fn the_last_mount_at_a_place_is_the_one_in_force() {
        let seen = at(&[
            (
                "/proc/self/mountinfo",
                concat!(
                    "1 0 0:1 / / ro,relatime - overlay overlay rw,lowerdir=x\n",
                    "2 1 0:2 / /tmp rw - ext4 /dev/x rw\n",
                    "3 1 0:3 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw,size=65536k\n",
                ),
            ),
            ("/proc/net/dev", "Inter-|\n face |bytes\n    lo:       0\n"),
            (
                "/proc/1/limits",
                "Limit  Soft Hard\nMax open files            256     256     files\n",
            ),
        ]);
        assert!(seen.root.starts_with("ro,"));
        assert!(seen.scratch.contains("noexec") && seen.scratch.contains("size=65536k"));
        assert_eq!((seen.interfaces, seen.open_files), (vec!["lo".to_owned()], Some(256)));
    }
}
