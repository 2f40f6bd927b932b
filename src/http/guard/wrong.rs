//! Who sent wrong tokens has to wait, longer each time. Pure; the time is handed in.
//!
//! A token that worked from an address before is let through while that address waits: one bad client
//! must not lock out the others behind the same router or proxy.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// So many addresses are remembered at most; then the one heard of least lately is forgotten.
const KNOWN: usize = 4096;
/// So many working tokens are remembered per address.
const GOOD: usize = 8;
const FIRST_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Wrong {
    free: u32,
    longest: Duration,
    salt: RandomState,
    known: HashMap<IpAddr, Record>,
}

struct Record {
    failures: u32,
    at: Instant,
    until: Instant,
    /// Salted hashes of tokens that worked.
    good: Vec<u64>,
}

impl Wrong {
    /// Lets each address send `free` wrong tokens; then it waits, at most `longest`.
    pub(super) fn new(free: u32, longest: Duration) -> Wrong {
        Wrong { free, longest, salt: RandomState::new(), known: HashMap::new() }
    }

    /// Whether this address may try this token now; else how long it has to wait.
    pub(super) fn may_try(&self, who: IpAddr, secret: &str, now: Instant) -> Result<(), Duration> {
        let Some(record) = self.known.get(&who) else { return Ok(()) };
        let wait = record.until.saturating_duration_since(now);
        if wait.is_zero() || record.good.contains(&self.salt.hash_one(secret)) {
            return Ok(());
        }
        Err(wait)
    }

    /// Notes a wrong token.
    pub(super) fn failed(&mut self, who: IpAddr, now: Instant) {
        let (free, longest) = (self.free, self.longest);
        let record = self.record(who, now);
        if now.saturating_duration_since(record.at.max(record.until)) > longest {
            record.failures = 0;
        }
        record.failures = record.failures.saturating_add(1);
        record.at = now;
        if let Some(over) = record.failures.checked_sub(free + 1) {
            record.until = now + longest.min(FIRST_WAIT * 2u32.saturating_pow(over.min(20)));
        }
    }

    /// Notes a token that worked.
    pub(super) fn worked(&mut self, who: IpAddr, secret: &str, now: Instant) {
        let hash = self.salt.hash_one(secret);
        let record = self.record(who, now);
        if record.good.contains(&hash) {
            return;
        }
        if record.good.len() == GOOD {
            record.good.remove(0);
        }
        record.good.push(hash);
    }

    fn record(&mut self, who: IpAddr, now: Instant) -> &mut Record {
        if self.known.len() >= KNOWN && !self.known.contains_key(&who) {
            let oldest = self.known.iter().min_by_key(|(_, r)| r.at.max(r.until)).map(|(k, _)| *k);
            oldest.map(|key| self.known.remove(&key));
        }
        self.known.entry(who).or_insert_with(|| Record {
            failures: 0,
            at: now,
            until: now,
            good: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const WHO: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_wrong_token_too_many_doubles_the_wait() {
        let mut wrong = Wrong::new(2, 5 * SECOND);
        let mut now = Instant::now();
        for want in [0, 0, 1, 2, 4, 5, 5] {
            wrong.failed(WHO, now);
            let wait = wrong.may_try(WHO, "guess", now).err().unwrap_or_default();
            assert_eq!(wait, want * SECOND);
            now += wait;
        }
        assert!(wrong.may_try(OTHER, "guess", now).is_ok());
        now += 6 * SECOND;
        wrong.failed(WHO, now);
        assert!(wrong.may_try(WHO, "guess", now).is_ok(), "old wrong tokens are forgotten");
    }

    #[test]
    fn a_token_that_worked_here_is_let_through() {
        let mut wrong = Wrong::new(0, 60 * SECOND);
        let now = Instant::now();
        wrong.worked(WHO, "good", now);
        wrong.failed(WHO, now);
        assert!(wrong.may_try(WHO, "good", now).is_ok());
        assert!(wrong.may_try(WHO, "guess", now).is_err());
        wrong.failed(OTHER, now);
        assert!(wrong.may_try(OTHER, "good", now).is_err(), "it worked from another address");
    }

    #[test]
    fn the_table_stays_bounded() {
        let mut wrong = Wrong::new(0, SECOND);
        let now = Instant::now();
        for n in 0..KNOWN as u32 + 100 {
            wrong.failed(Ipv4Addr::from(n).into(), now + Duration::from_micros(n.into()));
        }
        assert_eq!(wrong.known.len(), KNOWN);
    }
}
