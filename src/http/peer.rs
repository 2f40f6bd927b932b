//! Who is at the other end of a local socket: never something that runs in one of our sandboxes.
//!
//! The first process of a sandbox sets a resource limit that has no effect on ordinary processes (the
//! time a real-time thread may run without a pause, RLIMIT_RTTIME) to a number that says whose sandbox
//! it is. Limits pass on to every descendant, whoever adopts it, and the sandbox's system-call filter
//! denies changing this one. So it is a mark that a process cannot take off.

/// The upper 16 bits of the mark: the hard limit, and with one less the soft one.
pub const MARK: u64 = 0x3EA7;

/// Reads the mark of a process: the soft and the hard limit, or `None` when it is not in a sandbox.
///
/// # Errors
/// What the system says when there is no such process any more.
pub fn mark(pid: u32) -> std::io::Result<Option<(u64, u64)>> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits"))?;
    Ok(read(&limits))
}

/// Returns every process of this machine that has a mark which `is_meant`.
pub fn marked(is_meant: impl Fn((u64, u64)) -> bool) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| matches!(mark(*pid), Ok(Some(found)) if is_meant(found))).collect()
}

fn read(limits: &str) -> Option<(u64, u64)> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max realtime timeout"))?;
    let mut numbers = line.split_whitespace().map(str::parse::<u64>);
    let (soft, hard) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (hard >> 48 == MARK).then_some((soft, hard))
}

/// Why the process at the other end of a local socket is not served; `None` when it is.
///
/// A process that nobody can see any more, or that is in another process namespace than ours and so
/// has no number here, is not served either: it might be of a sandbox.
pub fn stranger(pid: Option<i32>) -> Option<String> {
    let pid = pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0);
    let Some(pid) = pid else {
        return Some("a process of another process namespace".into());
    };
    match mark(pid) {
        Ok(None) => None,
        Ok(Some(_)) => Some(format!("process {pid} descends from a sandbox")),
        Err(_) => Some(format!("process {pid} is gone")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_marked_process_is_a_stranger() {
        let line = |soft: u64, hard: u64| {
            format!("Limit  Soft Limit  Hard Limit\nMax realtime timeout  {soft} {hard} us\n")
        };
        let own = (MARK - 1) << 48 | 5;
        assert_eq!(read(&line(own, MARK << 48 | 7)), Some((own, MARK << 48 | 7)));
        assert_eq!(read(&line(own, own)), None);
        assert_eq!(read("Max realtime timeout  unlimited unlimited us\n"), None);
        let ours = i32::try_from(std::process::id()).unwrap();
        assert_eq!(stranger(Some(ours)), None);
        assert!(stranger(None).unwrap().contains("namespace"));
        assert!(stranger(Some(0)).is_some());
    }
}
