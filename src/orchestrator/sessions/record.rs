//! What is written down of a session, and how each step changes it.

use crate::orchestrator::sandbox::{Destination, Limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whose session it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The token's number, the same after a restart; 0 is this machine's own user.
    pub token: u64,
    /// The token's name when the session was made.
    pub name: String,
}

/// Who may write the session now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The node: one Hearth with its data folder.
    pub node: String,
    /// Its run: another one after each start and each lease that was lost.
    pub run: String,
}

/// What the session is to run. Values of the environment are never written down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Name in the catalogue; none is our own worker.
    pub image: Option<String>,
    /// Names of the environment that the owner gave along.
    pub env: Vec<String>,
    /// What it may use.
    pub limits: Limits,
    /// Where it may connect to.
    pub egress: Vec<Destination>,
}

/// What a session has used, all its sandboxes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Processor time in seconds.
    pub cpu_seconds: f64,
    /// Most memory that one of them held at once, in bytes; 0 where nobody counts it.
    pub peak_memory: u64,
    /// Bytes that went to its server.
    pub bytes_in: u64,
    /// Bytes that its server wrote.
    pub bytes_out: u64,
    /// Calls of tools.
    pub calls: u64,
    /// Sandboxes that were started for it.
    pub sandboxes: u32,
}

impl Receipt {
    /// Adds what one more sandbox has used.
    pub fn and(self, more: Receipt) -> Receipt {
        Receipt {
            cpu_seconds: self.cpu_seconds + more.cpu_seconds,
            peak_memory: self.peak_memory.max(more.peak_memory),
            bytes_in: self.bytes_in.saturating_add(more.bytes_in),
            bytes_out: self.bytes_out.saturating_add(more.bytes_out),
            calls: self.calls.saturating_add(more.calls),
            sandboxes: self.sandboxes.saturating_add(more.sandboxes),
        }
    }
}

/// Whether it goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It may be used.
    Open,
    /// It is over; kept for a while for its receipt and its epoch.
    Ended(Ended),
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// When, seconds since 1970.
    pub at: f64,
    /// For people: `ended by its owner`, `900 s without activity`.
    pub why: String,
}

/// A session as it stands in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its id, among those of its owner.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// The fencing token: raised with each new node and each new sandbox, never used twice.
    pub epoch: u64,
    /// Who may write it.
    pub lease: Lease,
    /// When it was made, seconds since 1970.
    pub made: f64,
    /// When it was used last, as far as it was written down, seconds since 1970.
    pub used: f64,
    /// Seconds without activity after which it ends.
    pub ttl: u64,
    /// What it runs.
    pub wish: Wish,
    /// Whether it goes on.
    pub state: State,
    /// What its sandboxes have used, those that ended.
    pub receipt: Receipt,
    /// What whoever made it wants to remember with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, String>,
}

impl Record {
    /// Makes one at `now` (seconds since 1970). `former` is what stood under its key before.
    ///
    /// The first epoch is the second in which it was made, so that an id whose past is forgotten still
    /// never sees an epoch again.
    pub fn new(
        (id, owner): (&str, Owner),
        (wish, ttl): (Wish, u64),
        lease: Lease,
        now: f64,
        former: Option<&Record>,
    ) -> Record {
        let after = former.map_or(0, |former| former.epoch + 1);
        Record {
            id: id.to_owned(),
            owner,
            epoch: after.max(now.max(1.0) as u64),
            lease,
            made: now,
            used: now,
            ttl,
            wish,
            state: State::Open,
            receipt: Receipt::default(),
            notes: BTreeMap::new(),
        }
    }

    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Returns it with a new writer, or a new sandbox of the same one: the next epoch.
    pub fn next(&self, lease: Lease) -> Record {
        Record { epoch: self.epoch + 1, lease, ..self.clone() }
    }

    /// Returns it as used at `now`; a clock that was set back makes it no older.
    pub fn used_at(&self, now: f64) -> Record {
        Record { used: self.used.max(now), ..self.clone() }
    }

    /// Returns it as over.
    pub fn ended(&self, now: f64, why: &str, used: Receipt) -> Record {
        let state = State::Ended(Ended { at: now, why: why.to_owned() });
        Record { state, receipt: used, ..self.clone() }
    }

    /// Returns how many seconds at `now` it may go on without activity; 0 when it is to end. What the
    /// clock says of the future counts as just now.
    pub fn left(&self, now: f64) -> f64 {
        (self.ttl as f64 - (now - self.used).max(0.0)).max(0.0)
    }

    /// Whether this was written after `other` by a lawful writer: a higher epoch, or the same epoch by
    /// the same writer.
    pub fn follows(&self, other: &Record) -> bool {
        self.epoch > other.epoch || (self.epoch == other.epoch && self.lease == other.lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(run: &str) -> Lease {
        Lease { node: "pi".into(), run: run.into() }
    }

    fn record(now: f64, former: Option<&Record>) -> Record {
        let owner = Owner { token: 7, name: "tablet".into() };
        Record::new(("chat", owner), (Wish::default(), 900), lease("a"), now, former)
    }

    #[test]
    fn an_epoch_is_never_used_twice() {
        let first = record(1000.0, None);
        assert_eq!(first.epoch, 1000);
        let moved = first.next(lease("b"));
        assert_eq!((moved.epoch, &moved.lease), (1001, &lease("b")));
        let ended = moved.ended(1001.0, "ended by its owner", Receipt::default());
        // The same id in the same second.
        assert_eq!(record(1001.0, Some(&ended)).epoch, 1002);
        // The clock was set back.
        assert_eq!(record(3.0, Some(&ended)).epoch, 1002);
        // What was before is forgotten.
        assert_eq!(record(5000.0, None).epoch, 5000);
        // A machine whose clock begins at 1970.
        assert_eq!(record(0.0, None).epoch, 1);
        assert!(moved.follows(&first) && ended.follows(&moved) && !first.follows(&moved));
        assert!(!first.next(lease("c")).follows(&moved), "another writer of the same epoch");
    }

    #[test]
    fn it_ends_by_its_time_without_activity_whatever_the_clock_does() {
        let made = record(1000.0, None);
        assert_eq!(made.left(1000.0), 900.0);
        assert_eq!(made.left(1899.5), 0.5);
        assert_eq!(made.left(1900.0), 0.0);
        assert_eq!(made.left(10.0), 900.0, "the clock was set back");
        let used = made.used_at(1800.0);
        assert_eq!(used.left(1900.0), 800.0);
        assert_eq!(used.used_at(5.0).used, 1800.0);
    }

    #[test]
    fn what_is_written_is_read_again_and_what_was_used_adds_up() {
        let mut made = record(1000.25, None).used_at(1234.5);
        made.wish.env = vec!["TOKEN".into()];
        made.wish.egress = vec![Destination { host: "example.org".into(), port: 443 }];
        let ended = made.ended(1300.0, "x", Receipt { calls: 3, ..Receipt::default() });
        for record in [made, ended] {
            let text = serde_json::to_vec(&record).unwrap();
            assert_eq!(serde_json::from_slice::<Record>(&text).unwrap(), record);
        }
        let one = Receipt { cpu_seconds: 1.0, peak_memory: 5, bytes_in: 1, ..Receipt::default() };
        let two = Receipt { cpu_seconds: 0.5, peak_memory: 3, bytes_in: 2, ..Receipt::default() };
        let both = one.and(two);
        assert_eq!((both.cpu_seconds, both.peak_memory, both.bytes_in), (1.5, 5, 3));
    }
}
