//! Reads back from the kernel what is in force in a sandbox, and what it uses.

use crate::http::peer;
use crate::orchestrator::first::Filter;
use crate::orchestrator::kernel::hold::Shared;
use crate::orchestrator::sandbox::{Guard, Level};
use std::fs;

const STATUS: &str = "/proc/PID/status";
const LIMITS: &str = "/proc/PID/limits";

/// Every guard and limit of a sandbox that runs, as the kernel says it.
pub(super) fn in_force(shared: &Shared) -> Vec<Guard> {
    let seen = Seen::of(shared);
    let mut guards =
        vec![seen.spaces(shared), seen.user(shared), seen.capabilities(), seen.privileges()];
    guards.push(seen.root(shared));
    guards.push(seen.network(shared));
    guards.push(seen.filter());
    let asked = if shared.guards.landlock { "all that this kernel has" } else { "none" };
    guards.push(guard("landlock", asked, shared.landlock.clone(), "landlock_restrict_self"));
    guards.extend(seen.amounts(shared));
    guards
}

fn guard(
    name: &'static str,
    asked: impl Into<String>,
    in_force: Option<String>,
    read_at: &'static str,
) -> Guard {
    Guard { name, asked: asked.into(), in_force, read_at }
}

/// What the kernel shows of the server's process.
struct Seen {
    pid: u32,
    status: String,
    limits: String,
    mounts: String,
}

impl Seen {
    fn of(shared: &Shared) -> Seen {
        // The first child of the inner stage is the server; below level 3 it is the server itself.
        let children = format!("/proc/{0}/task/{0}/children", shared.inner);
        let children = fs::read_to_string(children).unwrap_or_default();
        let server = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        let pid = server.filter(|_| shared.level == Level::Apart).unwrap_or(shared.inner);
        let file =
            |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        Seen { pid, status: file("status"), limits: file("limits"), mounts: file("mountinfo") }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    }

    /// The hard limit of this name, as the kernel writes it.
    fn limit(&self, name: &str) -> Option<String> {
        let line = self.limits.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().nth(1).map(str::to_owned).filter(|text| text != "unlimited")
    }

    fn spaces(&self, shared: &Shared) -> Guard {
        let of = |who: &str, name: &str| fs::read_link(format!("/proc/{who}/ns/{name}")).ok();
        let pid = self.pid.to_string();
        let own: Vec<&str> = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"]
            .into_iter()
            .filter(|name| {
                let (theirs, ours) = (of(&pid, name), of("self", name));
                theirs.is_some() && theirs != ours
            })
            .collect();
        let asked = match shared.level {
            Level::Apart => "user, mnt, pid, net, ipc, uts, cgroup of its own",
            _ => "none",
        };
        let found = (!own.is_empty()).then(|| format!("{} of its own", own.join(", ")));
        guard("namespaces", asked, found, "/proc/PID/ns")
    }

    fn user(&self, shared: &Shared) -> Guard {
        let asked = match shared.user {
            Some(uid) => format!("user {uid}, nobody else's"),
            None => "the user that Hearth runs as".into(),
        };
        let uid = self.field("Uid").and_then(|ids| ids.split_whitespace().next());
        guard("user", asked, uid.map(|uid| format!("user {uid}")), STATUS)
    }

    fn capabilities(&self) -> Guard {
        let zero = |name: &str| self.field(name).is_some_and(|v| v.chars().all(|c| c == '0'));
        let none = ["CapInh", "CapPrm", "CapEff", "CapAmb"].into_iter().all(zero);
        guard("capabilities", "none", none.then(|| "none".into()), STATUS)
    }

    fn privileges(&self) -> Guard {
        let set = self.field("NoNewPrivs") == Some("1");
        guard("no new privileges", "set", set.then(|| "set".into()), STATUS)
    }

    fn root(&self, shared: &Shared) -> Guard {
        let asked = match shared.level {
            Level::Apart => "read-only, in memory",
            _ => "the machine's, as far as Landlock and the filter allow",
        };
        // Fields of a line: … root, mount point, options, … - type, source, options.
        let root = self.mounts.lines().rev().find_map(|line| {
            let (front, back) = line.split_once(" - ")?;
            let mut front = front.split(' ').skip(4);
            let (point, options) = (front.next()?, front.next()?);
            let sealed = options.split(',').any(|o| o == "ro") && back.starts_with("tmpfs ");
            (point == "/" && sealed).then(|| "read-only, in memory".to_owned())
        });
        guard("root", asked, root, "/proc/PID/mountinfo")
    }

    fn network(&self, shared: &Shared) -> Guard {
        if shared.level < Level::Apart {
            // Sockets cannot be made at all; the filter is what says so.
            let held = self.field("Seccomp") == Some("2") && shared.guards.filter != Filter::Apart;
            return guard("network", "no sockets", held.then(|| "no sockets".into()), STATUS);
        }
        let table = fs::read_to_string(format!("/proc/{}/net/dev", self.pid)).unwrap_or_default();
        let names: Vec<&str> =
            table.lines().skip(2).filter_map(|l| Some(l.split_once(':')?.0.trim())).collect();
        let alone = (names == ["lo"]).then(|| "loopback of its own".to_owned());
        guard("network", "none but its own loopback", alone, "/proc/PID/net/dev")
    }

    fn filter(&self) -> Guard {
        let count = self.field("Seccomp_filters").unwrap_or("some").to_owned();
        let on = self.field("Seccomp") == Some("2");
        guard("system calls", "filtered", on.then(|| format!("filtered ({count} filters)")), STATUS)
    }

    fn amounts(&self, shared: &Shared) -> Vec<Guard> {
        let asked = &shared.asked;
        let memory = match shared.group.memory() {
            Some((bytes, file)) => (Some(format!("{bytes} bytes together")), file),
            None => {
                let each = self.limit("Max data size");
                let words = |b: String| {
                    format!("{b} bytes each process; together looked at 4 times a second")
                };
                (each.map(words), LIMITS)
            }
        };
        let own = self.limit("Max processes");
        let processes = match shared.group.processes() {
            Some((count, file)) => (Some(format!("{count} (2 of them Hearth's)")), file),
            None => (own.map(|n| format!("{n} of its user")), LIMITS),
        };
        let cpu = shared.group.cpu();
        let cpu_file = cpu.map_or("", |(_, file)| file);
        let cpu = cpu.map(|(share, _)| format!("{share} thousandths of a core"));
        let scratch = match &shared.scratch {
            Some(_) => {
                let each = self.limit("Max file size");
                (
                    each.map(|b| {
                        format!("{b} bytes each file; together looked at 4 times a second")
                    }),
                    LIMITS,
                )
            }
            // The worker keeps its files in its own memory and counts them itself.
            None if shared.level == Level::Filtered => (None, ""),
            None => (self.scratch(), "/proc/PID/mountinfo"),
        };
        let files = self.limit("Max open files");
        vec![
            guard("memory", format!("{} bytes", asked.memory_bytes), memory.0, memory.1),
            guard("processes", asked.processes.to_string(), processes.0, processes.1),
            guard(
                "processor",
                format!("{} thousandths of a core", asked.cpu_thousandths),
                cpu,
                cpu_file,
            ),
            guard(
                "scratch",
                format!("{} bytes, not executable", asked.scratch_bytes),
                scratch.0,
                scratch.1,
            ),
            guard("open files", asked.open_files.to_string(), files, LIMITS),
        ]
    }

    fn scratch(&self) -> Option<String> {
        let line = self.mounts.lines().find(|line| line.split(' ').nth(4) == Some("/tmp"))?;
        let all = line.split([' ', ',']);
        let size = all.clone().find_map(|word| word.strip_prefix("size="))?;
        let noexec = all.into_iter().any(|word| word == "noexec");
        noexec.then(|| format!("{size} in memory, not executable"))
    }
}

/// Whether a process has ended and only waits to be reaped.
pub(super) fn is_dead(pid: u32) -> bool {
    match stat(pid) {
        Some(fields) => fields.first().is_none_or(|state| state == "Z" || state == "X"),
        None => true,
    }
}

/// The fields of `/proc/PID/stat` from the state (the third) on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in brackets and may have any character.
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Processor time of all processes with this mark and of those that they have reaped, in seconds.
pub(super) fn cpu_seconds(mark: (u64, u64)) -> Option<f64> {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten()?;
    let of = |pid: u32| -> Option<u64> {
        // utime, stime, cutime, cstime: fields 14 to 17.
        stat(pid)?.get(11..15)?.iter().map(|n| n.parse::<u64>().ok()).sum()
    };
    let sum: u64 = peer::marked(|found| found == mark).into_iter().filter_map(of).sum();
    #[allow(clippy::cast_precision_loss, reason = "ticks of a process are far below 2^52")]
    Some(sum as f64 / ticks as f64)
}

/// Threads of all processes with this mark.
pub(super) fn threads(mark: (u64, u64)) -> u64 {
    let of = |pid: u32| -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
        line.trim().parse().ok()
    };
    peer::marked(|found| found == mark).into_iter().filter_map(of).sum()
}

/// Memory of all processes with this mark, in bytes; what they share counts once where the kernel
/// says so.
pub(super) fn memory(mark: (u64, u64)) -> u64 {
    let of = |pid: u32| -> Option<u64> {
        let field = |file: &str, name: &str| {
            let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        // A process may hide the first from its own user.
        field("smaps_rollup", "Pss:").or_else(|| field("status", "VmRSS:")).map(|kib| kib * 1024)
    };
    peer::marked(|found| found == mark).into_iter().filter_map(of).sum()
}
