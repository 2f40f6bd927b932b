//! As which user a sandbox runs: when Hearth is root, one of its own for each; otherwise Hearth's.

use std::sync::atomic::{AtomicU32, Ordering};

/// The user ids that are taken: the range that systemd assigns to nobody (UIDS-GIDS in its docs), or in a
/// container with few ids, a part of those that programs do not use.
const WIDE: (u32, u32) = (1_900_000_000, 10_000_000);
const NARROW: (u32, u32) = (40_000, 20_000);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Whether sandboxes run as users of their own: Hearth is root, and may do what root usually may. In a
/// container that took its capabilities away it may not.
pub(super) fn are_apart() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    nix::unistd::geteuid().is_root() && may_change(&status)
}

/// Whether a process with this `/proc/PID/status` may give files away, signal others, and become them:
/// CAP_CHOWN, CAP_KILL, CAP_SETGID and CAP_SETUID of linux/capability.h.
fn may_change(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    [0, 5, 6, 7].into_iter().all(|bit| bits >> bit & 1 == 1)
}

/// Returns a user (and group) id that no running sandbox has; `None` when the sandbox runs as Hearth's
/// own user.
pub(super) fn next() -> Option<u32> {
    if !are_apart() {
        return None;
    }
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let (first, count) = [WIDE, NARROW].into_iter().find(|range| has(&map, *range))?;
    // Different runs begin at different places, so that what one left is not the next one's.
    let begin = std::process::id().wrapping_mul(977);
    Some(first + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % count)
}

/// Whether the user namespace has all ids of this range.
fn has(map: &str, (first, count): (u32, u32)) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(start)), Some(Ok(length))) = (numbers.next(), numbers.nth(1)) else {
            return false;
        };
        start <= u64::from(first) && u64::from(first) + u64::from(count) <= start + length
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_without_capabilities_is_as_anybody() {
        assert!(may_change("Name:\tx\nCapEff:\t00000000a80425fb\n"));
        assert!(!may_change("CapEff:\t0000000000000000\n"));
        assert!(!may_change(""));
    }

    #[test]
    fn only_ids_that_the_namespace_has_are_taken() {
        assert!(has("         0          0 4294967295\n", WIDE));
        assert!(!has("         0     100000      65536\n", WIDE));
        assert!(has("         0     100000      65536\n", NARROW));
        assert!(!has("      1000       1000          1\n", NARROW));
    }
}
