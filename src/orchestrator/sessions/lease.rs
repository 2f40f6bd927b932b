//! Who is alive: nodes that renew, and nodes that were silent too long. Pure; times are arguments.
//!
//! Clocks of two machines are never compared. A node is given up when *its word has not changed* for the
//! length of a lease of the watcher's own time; a node trusts itself for two thirds of that after the last
//! renewal that it *began*, so it stops before anybody else begins.

use crate::orchestrator::sessions::Lease;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A node whose word did not change for so long is given up, unless tests say otherwise.
pub const LEASE: Duration = Duration::from_secs(15);

/// What a node says of itself in the store, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// Its run.
    pub run: String,
    /// Goes up with each renewal.
    pub beat: u64,
    /// Where other nodes reach it; empty when they cannot.
    #[serde(default)]
    pub url: String,
    /// Somebody gave it up: this run may not go on.
    #[serde(default)]
    pub given_up: bool,
}

/// Who a node is, and how long it may trust itself.
#[derive(Clone, Debug)]
pub struct Own {
    /// Its name and run, as they stand in the sessions that it holds.
    pub lease: Lease,
    trust: Trust,
}

#[derive(Clone, Copy, Debug)]
enum Trust {
    /// Nobody else can write.
    Always,
    /// How long its word holds, and when the last renewal that succeeded was begun.
    For(Duration, Option<Instant>),
}

impl Own {
    /// A node that has the store for itself: nobody can take anything from it.
    pub fn alone(lease: Lease) -> Own {
        Own { lease, trust: Trust::Always }
    }

    /// A node among others that give it up after `length`; it has not said anything yet.
    pub fn among_others(lease: Lease, length: Duration) -> Own {
        Own { lease, trust: Trust::For(length, None) }
    }

    /// Notes a renewal that was begun then and has succeeded.
    pub fn renewed(&mut self, began: Instant) {
        if let Trust::For(_, last) = &mut self.trust {
            *last = Some(last.map_or(began, |last| last.max(began)));
        }
    }

    /// Forgets all renewals: from now on it is nobody until the next.
    pub fn lost(&mut self) {
        if let Trust::For(_, last) = &mut self.trust {
            *last = None;
        }
    }

    /// Whether it may still act as the holder of its sessions.
    pub fn trusts_itself(&self, now: Instant) -> bool {
        match self.trust {
            Trust::Always => true,
            Trust::For(length, last) => {
                last.is_some_and(|last| now.duration_since(last) < length * 2 / 3)
            }
        }
    }
}

/// How a session stands to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is ours.
    Ours,
    /// It was ours in a former run: nobody else may have it, and we may take it.
    Former,
    /// Another node has it.
    Other,
    /// Another node had it and was given up: we may take it.
    Orphaned,
}

/// What a node has seen of the others.
#[derive(Debug)]
pub struct Watch {
    length: Duration,
    seen: BTreeMap<String, (Beat, Instant)>,
}

impl Watch {
    /// One that gives nodes up after `length`.
    pub fn new(length: Duration) -> Watch {
        Watch { length, seen: BTreeMap::new() }
    }

    /// Takes what the store says now of every node.
    pub fn saw(&mut self, beats: &BTreeMap<String, Beat>, now: Instant) {
        self.seen.retain(|node, _| beats.contains_key(node));
        for (node, beat) in beats {
            let same = self.seen.get(node).is_some_and(|(known, _)| known == beat);
            if !same {
                self.seen.insert(node.clone(), (beat.clone(), now));
            }
        }
    }

    /// Returns the nodes whose word has not changed for a whole lease and that nobody gave up yet.
    pub fn silent(&self, own: &str, now: Instant) -> Vec<(String, Beat)> {
        let silent = |seen: &Instant| now.duration_since(*seen) >= self.length;
        let others = self.seen.iter().filter(|(node, _)| *node != own);
        others
            .filter(|(_, (beat, seen))| !beat.given_up && silent(seen))
            .map(|(node, (beat, _))| (node.clone(), beat.clone()))
            .collect()
    }
}

/// Says how a session that is held by `lease` stands to the node `own`. `beat` is what the store says
/// of the holder, read after the session: a node speaks before it takes anything, so one that the store
/// does not know, or knows in another run, has nothing any more.
pub fn standing(lease: &Lease, own: &Lease, beat: Option<&Beat>) -> Standing {
    if lease.node == own.node {
        return if lease.run == own.run { Standing::Ours } else { Standing::Former };
    }
    match beat {
        Some(beat) if beat.run == lease.run && !beat.given_up => Standing::Other,
        _ => Standing::Orphaned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(run: &str, beat: u64) -> Beat {
        Beat { run: run.into(), beat, url: String::new(), given_up: false }
    }

    fn lease(node: &str, run: &str) -> Lease {
        Lease { node: node.into(), run: run.into() }
    }

    #[test]
    fn a_node_stops_before_another_may_begin() {
        let start = Instant::now();
        let mut own = Own::among_others(lease("a", "1"), LEASE);
        assert!(!own.trusts_itself(start), "it has said nothing yet");
        own.renewed(start);
        let mut watch = Watch::new(LEASE);
        // The other sees the renewal at the earliest moment possible: when it was begun.
        watch.saw(&BTreeMap::from([("a".into(), beat("1", 1))]), start);
        for ms in (0..20_000).step_by(100) {
            let now = start + Duration::from_millis(ms);
            let given_up = !watch.silent("b", now).is_empty();
            assert!(!(given_up && own.trusts_itself(now)), "both at {ms} ms");
            assert_eq!(given_up, ms >= 15_000);
        }
    }

    #[test]
    fn a_renewal_carries_on_and_an_old_one_takes_nothing_back() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut own = Own::among_others(lease("a", "1"), LEASE);
        own.renewed(start);
        own.renewed(at(8));
        own.renewed(at(2));
        assert!(own.trusts_itself(at(17)) && !own.trusts_itself(at(18)));
        let mut watch = Watch::new(LEASE);
        watch.saw(&BTreeMap::from([("a".into(), beat("1", 1))]), start);
        watch.saw(&BTreeMap::from([("a".into(), beat("1", 2))]), at(14));
        assert!(watch.silent("b", at(28)).is_empty());
        assert_eq!(watch.silent("b", at(29)).len(), 1);
        assert!(watch.silent("a", at(60)).is_empty(), "nobody gives itself up");
        own.lost();
        assert!(!own.trusts_itself(at(8)));
        let alone = Own::alone(lease("a", "1"));
        assert!(alone.trusts_itself(at(1_000_000)));
    }

    #[test]
    fn whose_a_session_is_follows_from_what_the_store_says() {
        let given_up = Beat { given_up: true, ..beat("1", 5) };
        let own = lease("a", "2");
        for (held, says, want) in [
            (lease("a", "2"), None, Standing::Ours),
            (lease("a", "1"), None, Standing::Former),
            (lease("b", "1"), Some(beat("1", 5)), Standing::Other),
            (lease("b", "0"), Some(beat("1", 5)), Standing::Orphaned),
            (lease("b", "1"), Some(given_up), Standing::Orphaned),
            (lease("b", "1"), None, Standing::Orphaned),
        ] {
            assert_eq!(standing(&held, &own, says.as_ref()), want, "{held:?}");
        }
    }
}
