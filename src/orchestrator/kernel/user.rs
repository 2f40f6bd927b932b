//! As which user a sandbox runs: when Hearth is root, one of its own for each; otherwise Hearth's.

use std::sync::atomic::{AtomicU32, Ordering};

/// The user ids that are taken: the range that systemd assigns to nobody (UIDS-GIDS in its docs), or in a
/// container with few ids, a part of those that programs do not use.
const WIDE: (u32, u32) = (1_900_000_000, 10_000_000);
const NARROW: (u32, u32) = (40_000, 20_000);

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Returns a user (and group) id that no running sandbox has; `None` when Hearth is not root and the
/// sandbox runs as the same user.
pub(super) fn next() -> Option<u32> {
    if !nix::unistd::geteuid().is_root() {
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
    fn only_ids_that_the_namespace_has_are_taken() {
        assert!(has("         0          0 4294967295\n", WIDE));
        assert!(!has("         0     100000      65536\n", WIDE));
        assert!(has("         0     100000      65536\n", NARROW));
        assert!(!has("      1000       1000          1\n", NARROW));
    }
}
