//! What can be asked of an engine, and the bounds that every engine shares.
//!
//! [`Store`](crate::store::Store) checks a request here before any engine sees it, so that a value
//! that fits one engine fits them all.

use crate::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Largest value, in bytes.
pub const VALUE_MAX: usize = 1 << 20;
/// Longest key, in bytes.
pub const KEY_MAX: usize = 512;
/// Longest name of a table or an outbox, in bytes.
pub const NAME_MAX: usize = 64;
/// Longest life of an entry that does not live for ever.
pub const TTL_MAX: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
/// Most operations in one batch.
pub const BATCH_MAX: usize = 256;
/// Most bytes (keys and values) in one batch.
pub const BATCH_BYTES: usize = 4 << 20;
/// Most entries in one page of a list or a peek.
pub const PAGE_MAX: usize = 1000;
/// A page ends after the entry that reaches this many bytes of values.
pub const PAGE_BYTES: usize = 4 << 20;

/// One operation of a batch.
#[derive(Clone, Debug)]
pub enum Op {
    /// Writes an entry.
    Put {
        /// Name of the table.
        table: String,
        /// Key in it.
        key: String,
        /// The new value.
        value: Vec<u8>,
        /// How long the entry lives; `None` is for ever.
        ttl: Option<Duration>,
    },
    /// Removes an entry; one that is not there is no error.
    Delete {
        /// Name of the table.
        table: String,
        /// Key in it.
        key: String,
    },
}

impl Op {
    /// Makes a [`Op::Put`] that lives for ever.
    pub fn put(table: &str, key: &str, value: &[u8]) -> Op {
        Op::Put { table: table.into(), key: key.into(), value: value.into(), ttl: None }
    }

    /// Makes a [`Op::Delete`].
    pub fn delete(table: &str, key: &str) -> Op {
        Op::Delete { table: table.into(), key: key.into() }
    }
}

/// How much an outbox may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most messages.
    pub items: u64,
    /// Most bytes, all messages together.
    pub bytes: u64,
}

/// One atomic change. Its answer is a number, said at each kind.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// All operations or none; answers how many entries were deleted.
    Batch(Vec<Op>),
    /// Writes `new` (or deletes) if the value is `expected` (or there is none); answers 1 or 0.
    Swap { table: String, key: String, expected: Option<Vec<u8>>, new: Option<Vec<u8>> },
    /// Appends to an outbox; answers the message's id.
    Push { outbox: String, value: Vec<u8>, bounds: Bounds },
    /// Removes a message from an outbox; answers 1, or 0 when it was not there.
    Ack { outbox: String, id: u64 },
}

impl Change {
    /// Returns how many bytes it may add to what is stored.
    pub(super) fn adds(&self) -> usize {
        match self {
            Change::Batch(ops) => ops.iter().map(op_bytes).sum(),
            Change::Swap { key, new, .. } => new.as_ref().map_or(0, |v| key.len() + v.len()),
            Change::Push { value, .. } => value.len(),
            Change::Ack { .. } => 0,
        }
    }

    /// Refuses what is out of bounds.
    pub(super) fn check(&self) -> Result<(), Error> {
        match self {
            Change::Batch(ops) => {
                if ops.len() > BATCH_MAX || self.adds() > BATCH_BYTES {
                    return Err(Error::invalid(format!(
                        "a batch of the store holds at most {BATCH_MAX} operations and \
                         {BATCH_BYTES} bytes; split it"
                    )));
                }
                ops.iter().try_for_each(check_op)
            }
            Change::Swap { table, key, expected, new } => {
                check_key(table, key)?;
                [expected, new].into_iter().flatten().try_for_each(|value| check_value(value))
            }
            Change::Push { outbox, value, .. } => {
                check_name(outbox)?;
                check_value(value)
            }
            Change::Ack { outbox, .. } => check_name(outbox),
        }
    }
}

fn op_bytes(op: &Op) -> usize {
    match op {
        Op::Put { table, key, value, .. } => table.len() + key.len() + value.len(),
        Op::Delete { .. } => 0,
    }
}

fn check_op(op: &Op) -> Result<(), Error> {
    match op {
        Op::Put { table, key, value, ttl } => {
            let shortest = Duration::from_millis(1);
            if ttl.is_some_and(|ttl| !(shortest..=TTL_MAX).contains(&ttl)) {
                return Err(Error::invalid(
                    "an entry of the store lives for 1 ms to 100 years, or for ever",
                ));
            }
            check_key(table, key)?;
            check_value(value)
        }
        Op::Delete { table, key } => check_key(table, key),
    }
}

/// Refuses a name that is no table or outbox: 1 to 64 of `a-z`, `0-9`, `_`, `-`, `.`, letter first.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b);
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if first && name.len() <= NAME_MAX && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "'{}' cannot name a table of the store: use 1 to {NAME_MAX} of a-z, 0-9, _, - and ., \
         starting with a letter",
        name.chars().take(NAME_MAX).collect::<String>().escape_debug()
    )))
}

/// Refuses a key that is empty or too long.
pub(super) fn check_key(table: &str, key: &str) -> Result<(), Error> {
    check_name(table)?;
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(Error::invalid(format!(
            "a key of the store's table '{table}' has {} bytes; it must have 1 to {KEY_MAX}",
            key.len()
        )));
    }
    Ok(())
}

fn check_value(value: &[u8]) -> Result<(), Error> {
    if value.len() > VALUE_MAX {
        return Err(Error::invalid(format!(
            "a value for the store has {} bytes; the most is {VALUE_MAX}",
            value.len()
        )));
    }
    Ok(())
}

/// Time as the store counts it: milliseconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// A duration in whole milliseconds.
pub(super) fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

/// What an engine returns.
pub(super) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A page of an outbox.
#[derive(Debug, Default)]
pub(super) struct Peeked {
    /// The oldest messages, oldest first.
    pub(super) messages: Vec<(u64, Vec<u8>)>,
    /// How many messages wait in all.
    pub(super) waiting: u64,
}

/// How much was written since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Changes that were acknowledged.
    pub changes: u64,
    /// Times that the disk (or Redis) was asked to keep them; one can cover many changes.
    pub commits: u64,
}

/// What keeps the entries. Requests are checked before they get here.
pub(super) trait Engine: Send + Sync {
    /// Returns the live value of an entry.
    fn get<'a>(&'a self, table: &'a str, key: &'a str) -> Answer<'a, Option<Vec<u8>>>;
    /// Returns entries in key order whose key starts with `prefix` and is greater than `after`.
    fn list<'a>(
        &'a self,
        table: &'a str,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<(String, Vec<u8>)>>;
    /// Does a change; when it returns, the change is kept.
    fn change(&self, change: Change) -> Answer<'_, u64>;
    /// Returns the oldest messages of an outbox.
    fn peek<'a>(&'a self, outbox: &'a str, limit: usize) -> Answer<'a, Peeked>;
    /// Removes what has come to the end of its life; returns how many endings it looked at.
    fn sweep(&self) -> Answer<'_, u64>;
    /// Returns what was written so far.
    fn counts(&self) -> Counts;
    /// Says what a power cut could take of acknowledged changes; none when nothing.
    fn weakness(&self) -> Answer<'_, Option<String>> {
        Box::pin(async { Ok(None) })
    }
}
