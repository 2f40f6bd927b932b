//! Token buckets: how often somebody may ask. Pure; the time is handed in.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// So many are kept apart at most; then the one that asked least lately is forgotten.
const KNOWN: usize = 4096;

/// A bucket per key.
pub(super) struct Buckets<K> {
    per_second: f64,
    burst: f64,
    known: HashMap<K, Bucket>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Eq + Hash + Copy> Buckets<K> {
    /// Makes buckets that hold `burst` and refill with `per_second`.
    pub(super) fn new(per_second: u32, burst: u32) -> Buckets<K> {
        let (per_second, burst) = (f64::from(per_second.max(1)), f64::from(burst.max(1)));
        Buckets { per_second, burst, known: HashMap::new() }
    }

    /// Takes one request out of the key's bucket; `false` when it is empty.
    pub(super) fn take(&mut self, key: K, now: Instant) -> bool {
        if !self.known.contains_key(&key) {
            self.make_room(now);
        }
        let (burst, per_second) = (self.burst, self.per_second);
        let bucket = self.known.entry(key).or_insert(Bucket { left: burst, at: now });
        let since = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + since * per_second).min(burst);
        bucket.at = now;
        let may = bucket.left >= 1.0;
        if may {
            bucket.left -= 1.0;
        }
        may
    }

    fn make_room(&mut self, now: Instant) {
        if self.known.len() < KNOWN {
            return;
        }
        // One that would be full by now is as good as unknown.
        let (burst, per_second) = (self.burst, self.per_second);
        self.known.retain(|_, bucket| {
            let since = now.saturating_duration_since(bucket.at).as_secs_f64();
            bucket.left + since * per_second < burst
        });
        if self.known.len() >= KNOWN {
            let oldest = self.known.iter().min_by_key(|(_, bucket)| bucket.at).map(|(key, _)| *key);
            oldest.map(|key| self.known.remove(&key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_allowed_and_then_the_steady_rate() {
        let mut buckets = Buckets::new(10, 3);
        let start = Instant::now();
        let allowed = |buckets: &mut Buckets<u8>, at: Duration| {
            (0..10).filter(|_| buckets.take(1, start + at)).count()
        };
        assert_eq!(allowed(&mut buckets, Duration::ZERO), 3);
        assert_eq!(allowed(&mut buckets, Duration::from_millis(200)), 2);
        assert!(buckets.take(2, start), "another key has its own bucket");
        assert_eq!(allowed(&mut buckets, Duration::from_secs(60)), 3);
    }

    #[test]
    fn the_table_stays_bounded() {
        let mut buckets = Buckets::new(1, 2);
        let start = Instant::now();
        for n in 0..KNOWN as u64 * 3 {
            buckets.take(n, start + Duration::from_micros(n));
        }
        assert!(buckets.known.len() <= KNOWN);
    }
}
