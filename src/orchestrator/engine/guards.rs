//! What was asked for beside what is in force. Pure.

use crate::orchestrator::engine::look::Seen;
use crate::orchestrator::engine::recipe::USER;
use crate::orchestrator::sandbox::{Guard, Limits};

/// Where each was read, by the container's own paths.
const STATUS: &str = "/proc/1/status";
const MOUNTS: &str = "/proc/self/mountinfo";
const GROUP: &str = "/sys/fs/cgroup";

/// Compares. A limit that is looser than asked for is not in force.
pub(super) fn compare(limits: &Limits, seen: &Seen) -> Vec<Guard> {
    let most = |name, asked: u64, seen: Option<u64>, unit: &str, read_at| Guard {
        name,
        asked: format!("{asked}{unit}"),
        in_force: seen.filter(|seen| *seen <= asked).map(|seen| format!("{seen}{unit}")),
        read_at,
    };
    let status = |name: &str| seen.status.get(name).map(String::as_str).unwrap_or_default();
    let is = |name, asked: &str, holds: bool, read_at| Guard {
        name,
        asked: asked.to_owned(),
        in_force: holds.then(|| asked.to_owned()),
        read_at,
    };
    let user = USER.split(':').next().unwrap_or_default();
    let only = |field: &str| {
        let mut ids = status(field).split_whitespace();
        ids.clone().count() == 4 && ids.all(|id| id == user)
    };
    let none = |field: &str| u64::from_str_radix(status(field), 16) == Ok(0);
    let has = |mount: &str, wanted: &[&str]| {
        wanted.iter().all(|option| mount.split(',').any(|has| has == *option))
    };
    let room = seen.scratch.split(',').find_map(size);
    vec![
        most("memory", limits.memory_bytes, seen.memory, " bytes", GROUP),
        most("processes", u64::from(limits.processes), seen.processes, "", GROUP),
        most("cpu", u64::from(limits.cpu_thousandths), seen.cpu, " thousandths of a core", GROUP),
        most("open files", u64::from(limits.open_files), seen.open_files, "", "/proc/1/limits"),
        most("scratch", limits.scratch_bytes, room, " bytes", MOUNTS),
        is(
            "scratch options",
            "no programs, no devices, no set-user-id",
            has(&seen.scratch, &["noexec", "nodev", "nosuid", "tmpfs"]),
            MOUNTS,
        ),
        is("root", "read-only", has(&seen.root, &["ro"]), MOUNTS),
        is("user", user, only("Uid") && only("Gid"), STATUS),
        is("capabilities", "none", none("CapEff") && none("CapBnd"), STATUS),
        is("new privileges", "never", status("NoNewPrivs") == "1", STATUS),
        is("system calls", "filtered", status("Seccomp") == "2", STATUS),
        is("network", "none", seen.interfaces.iter().all(|name| name == "lo"), "/proc/net/dev"),
    ]
}

/// Reads `size=65536k` of a tmpfs, in bytes.
fn size(option: &str) -> Option<u64> {
    let text = option.strip_prefix("size=")?;
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looser_than_asked_for_or_not_there_is_not_in_force() {
        let mut seen = Seen {
            memory: Some(256 << 20),
            processes: Some(65),
            scratch: "rw,nosuid,nodev,noexec,tmpfs,rw,size=65536k".into(),
            ..Seen::default()
        };
        for (name, value) in
            [("Uid", "65534 65534 65534 65534"), ("Gid", "65534 65534 65534 0"), ("CapEff", "0")]
        {
            seen.status.insert(name.into(), value.into());
        }
        let all = compare(&Limits::default(), &seen);
        let of = |name: &str| all.iter().find(|g| g.name == name).unwrap().in_force.as_deref();
        assert_eq!(of("memory"), Some("268435456 bytes"));
        assert_eq!(of("scratch"), Some("67108864 bytes"));
        assert_eq!(of("scratch options"), Some("no programs, no devices, no set-user-id"));
        for loose in ["processes", "cpu", "user", "capabilities", "new privileges", "root"] {
            assert_eq!(of(loose), None, "{loose}");
        }
    }
}
