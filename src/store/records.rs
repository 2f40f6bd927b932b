//! How entries, lifetimes and outboxes lie in one ordered map of bytes, and what a change does to it.
//!
//! The embedded store and the one in memory both run this code, each over its own map. It is pure:
//! no clock, no disk. The map holds five sorts of records, told apart by the first byte of the key:
//!
//! | key | value |
//! | --- | --- |
//! | table, 0, key | an entry: 0 and the bytes, or 1, the end of its life (8 bytes) and the bytes |
//! | 1, outbox, 0, id (8 bytes) | a message |
//! | 2, outbox | next id, messages, bytes (8 bytes each) |
//! | 3, end of life (8 bytes), key of an entry | empty: the index that the sweep walks |
//! | 0, `format` | version of this layout |
//!
//! Numbers are big-endian so that the map's order is theirs; times are milliseconds since 1970.

use crate::error::Error;
use crate::store::change::{Bounds, Change, Op, PAGE_BYTES, Peeked, millis};

/// Key of the record that holds the layout's version.
pub(super) const FORMAT_KEY: &[u8] = b"\0format";
/// Version of this layout.
pub(super) const FORMAT: u8 = 1;

const MESSAGE: u8 = 1;
const OUTBOX: u8 = 2;
const ENDING: u8 = 3;

/// Reading from an ordered map of bytes.
pub(super) trait Look {
    /// How reading and writing can fail.
    type Fail;
    /// Shows the value of `key` to `read`.
    fn with<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, Self::Fail>;
    /// Shows records from `from` on, in order, until `visit` returns false.
    fn scan(&self, from: &[u8], visit: impl FnMut(&[u8], &[u8]) -> bool) -> Result<(), Self::Fail>;
}

/// Writing to an ordered map of bytes.
pub(super) trait Records: Look {
    /// Writes a record.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Self::Fail>;
    /// Removes a record.
    fn remove(&mut self, key: &[u8]) -> Result<(), Self::Fail>;
}

/// Returns the live value of an entry.
pub(super) fn get<L: Look>(
    map: &L,
    table: &str,
    key: &str,
    now: u64,
) -> Result<Option<Vec<u8>>, L::Fail> {
    map.with(&entry_key(table, key), |record| alive(record, now).map(<[u8]>::to_vec))
        .map(Option::flatten)
}

/// Returns a page of a table: see [`Engine::list`](crate::store::change::Engine::list).
pub(super) fn list<L: Look>(
    map: &L,
    table: &str,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
    now: u64,
) -> Result<Vec<(String, Vec<u8>)>, L::Fail> {
    let start = entry_key(table, "");
    let wanted = entry_key(table, prefix);
    let mut from = wanted.clone();
    if let Some(after) = after.filter(|after| *after >= prefix) {
        from = entry_key(table, after);
        from.push(0);
    }
    let (mut page, mut bytes) = (Vec::new(), 0);
    if limit == 0 {
        return Ok(page);
    }
    map.scan(&from, |key, record| {
        if !key.starts_with(&wanted) {
            return false;
        }
        if let Some(value) = alive(record, now) {
            let key = String::from_utf8_lossy(&key[start.len()..]).into_owned();
            bytes += value.len();
            page.push((key, value.to_vec()));
        }
        page.len() < limit && bytes < PAGE_BYTES
    })?;
    Ok(page)
}

/// Returns the oldest messages of an outbox.
pub(super) fn peek<L: Look>(map: &L, outbox: &str, limit: usize) -> Result<Peeked, L::Fail> {
    let start = message_prefix(outbox);
    let waiting = counters(map, outbox)?.items;
    let (mut messages, mut bytes) = (Vec::new(), 0);
    if limit > 0 {
        map.scan(&start, |key, value| {
            let Some(id) = key.strip_prefix(start.as_slice()).and_then(number) else {
                return false;
            };
            bytes += value.len();
            messages.push((id, value.to_vec()));
            messages.len() < limit && bytes < PAGE_BYTES
        })?;
    }
    Ok(Peeked { messages, waiting })
}

/// Does a change. The inner error is an answer (nothing was touched); the outer one is the map's.
pub(super) fn apply<R: Records>(
    map: &mut R,
    change: &Change,
    now: u64,
) -> Result<Result<u64, Error>, R::Fail> {
    match change {
        Change::Batch(ops) => {
            let mut deleted = 0;
            for op in ops {
                deleted += match op {
                    Op::Put { table, key, value, ttl } => {
                        let ends = ttl.map(|ttl| now.saturating_add(millis(ttl)));
                        write(map, &entry_key(table, key), value, ends)?;
                        0
                    }
                    Op::Delete { table, key } => {
                        u64::from(delete(map, &entry_key(table, key), now)?)
                    }
                };
            }
            Ok(Ok(deleted))
        }
        Change::Swap { table, key, expected, new } => {
            let key = entry_key(table, key);
            let there = map.with(&key, |record| {
                alive(record, now).map(|value| (expected.as_deref() == Some(value), ends(record)))
            })?;
            let (same, ends) = there.flatten().unwrap_or((expected.is_none(), None));
            if same {
                match new {
                    Some(value) => write(map, &key, value, ends)?,
                    None => drop(delete(map, &key, now)?),
                }
            }
            Ok(Ok(u64::from(same)))
        }
        Change::Push { outbox, value, bounds } => push(map, outbox, value, *bounds),
        Change::Ack { outbox, id } => ack(map, outbox, *id).map(|there| Ok(u64::from(there))),
    }
}

/// Whether something has come to the end of its life.
pub(super) fn has_expired<L: Look>(map: &L, now: u64) -> Result<bool, L::Fail> {
    let mut found = false;
    map.scan(&[ENDING], |key, _| {
        found = ending_of(key).is_some_and(|(end, _)| end <= now);
        false
    })?;
    Ok(found)
}

/// Removes at most `limit` entries whose life has ended; returns how many it looked at.
pub(super) fn sweep<R: Records>(map: &mut R, now: u64, limit: usize) -> Result<usize, R::Fail> {
    let mut ended = Vec::new();
    map.scan(&[ENDING], |key, _| {
        let over = ending_of(key).is_some_and(|(end, _)| end <= now);
        if over {
            ended.push(key.to_vec());
        }
        over && ended.len() < limit
    })?;
    for index in &ended {
        map.remove(index)?;
        let Some((end, key)) = ending_of(index) else { continue };
        if map.with(key, ends)?.flatten() == Some(end) {
            map.remove(key)?;
        }
    }
    Ok(ended.len())
}

fn write<R: Records>(
    map: &mut R,
    key: &[u8],
    value: &[u8],
    end: Option<u64>,
) -> Result<(), R::Fail> {
    let old = map.with(key, ends)?.flatten();
    if let Some(old) = old.filter(|old| Some(*old) != end) {
        map.remove(&ending_key(old, key))?;
    }
    let mut record = Vec::with_capacity(9 + value.len());
    match end {
        None => record.push(0),
        Some(end) => {
            record.push(1);
            record.extend(end.to_be_bytes());
            if old != Some(end) {
                map.put(&ending_key(end, key), &[])?;
            }
        }
    }
    record.extend(value);
    map.put(key, &record)
}

fn delete<R: Records>(map: &mut R, key: &[u8], now: u64) -> Result<bool, R::Fail> {
    let Some((end, was_alive)) =
        map.with(key, |record| (ends(record), alive(record, now).is_some()))?
    else {
        return Ok(false);
    };
    if let Some(end) = end {
        map.remove(&ending_key(end, key))?;
    }
    map.remove(key)?;
    Ok(was_alive)
}

fn push<R: Records>(
    map: &mut R,
    outbox: &str,
    value: &[u8],
    bounds: Bounds,
) -> Result<Result<u64, Error>, R::Fail> {
    let mut now = counters(map, outbox)?;
    if let Err(full) = room(outbox, now.items, now.bytes, value.len(), bounds) {
        return Ok(Err(full));
    }
    let id = now.next;
    now = Counters { next: id + 1, items: now.items + 1, bytes: now.bytes + value.len() as u64 };
    map.put(&message_key(outbox, id), value)?;
    map.put(&outbox_key(outbox), &now.record())?;
    Ok(Ok(id))
}

fn ack<R: Records>(map: &mut R, outbox: &str, id: u64) -> Result<bool, R::Fail> {
    let key = message_key(outbox, id);
    let Some(size) = map.with(&key, |value| value.len() as u64)? else { return Ok(false) };
    let mut now = counters(map, outbox)?;
    now.items = now.items.saturating_sub(1);
    now.bytes = now.bytes.saturating_sub(size);
    map.remove(&key)?;
    map.put(&outbox_key(outbox), &now.record())?;
    Ok(true)
}

/// Says whether one more message fits an outbox.
pub(super) fn room(
    outbox: &str,
    items: u64,
    bytes: u64,
    more: usize,
    bounds: Bounds,
) -> Result<(), Error> {
    if items < bounds.items && bytes + more as u64 <= bounds.bytes {
        return Ok(());
    }
    Err(Error::limit(format!(
        "the outbox '{outbox}' is full: {items} messages with {bytes} bytes wait, and it holds {} \
         messages and {} bytes; it empties when its receiver can be reached",
        bounds.items, bounds.bytes
    )))
}

#[derive(Clone, Copy)]
struct Counters {
    next: u64,
    items: u64,
    bytes: u64,
}

impl Counters {
    fn record(&self) -> Vec<u8> {
        [self.next, self.items, self.bytes].into_iter().flat_map(u64::to_be_bytes).collect()
    }
}

fn counters<L: Look>(map: &L, outbox: &str) -> Result<Counters, L::Fail> {
    let found = map.with(&outbox_key(outbox), |record| {
        let part = |n: usize| record.get(n * 8..n * 8 + 8).and_then(number);
        Some(Counters { next: part(0)?, items: part(1)?, bytes: part(2)? })
    })?;
    Ok(found.flatten().unwrap_or(Counters { next: 1, items: 0, bytes: 0 }))
}

fn entry_key(table: &str, key: &str) -> Vec<u8> {
    [table.as_bytes(), &[0], key.as_bytes()].concat()
}

fn message_prefix(outbox: &str) -> Vec<u8> {
    [&[MESSAGE], outbox.as_bytes(), &[0]].concat()
}

fn message_key(outbox: &str, id: u64) -> Vec<u8> {
    [message_prefix(outbox).as_slice(), &id.to_be_bytes()].concat()
}

fn outbox_key(outbox: &str) -> Vec<u8> {
    [&[OUTBOX], outbox.as_bytes()].concat()
}

fn ending_key(end: u64, key: &[u8]) -> Vec<u8> {
    [&[ENDING], end.to_be_bytes().as_slice(), key].concat()
}

fn ending_of(index: &[u8]) -> Option<(u64, &[u8])> {
    let (end, key) = index.strip_prefix(&[ENDING])?.split_at_checked(8)?;
    Some((number(end)?, key))
}

fn number(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// Returns the end of an entry's life, if it has one.
fn ends(record: &[u8]) -> Option<u64> {
    match record.split_first() {
        Some((1, rest)) => rest.get(..8).and_then(number),
        _ => None,
    }
}

/// Returns an entry's value, unless its life has ended.
fn alive(record: &[u8], now: u64) -> Option<&[u8]> {
    match record.split_first()? {
        (0, value) => Some(value),
        (1, rest) if rest.get(..8).and_then(number)? > now => rest.get(8..),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Map;
    use std::time::Duration;

    fn put(key: &str, ttl: Option<u64>) -> Change {
        let ttl = ttl.map(Duration::from_millis);
        Change::Batch(vec![Op::Put { table: "t".into(), key: key.into(), value: b"v".into(), ttl }])
    }

    fn run(map: &mut Map, change: &Change, now: u64) -> u64 {
        match apply(map, change, now) {
            Ok(answer) => answer.unwrap(),
            Err(never) => match never {},
        }
    }

    #[test]
    fn an_entry_ends_at_its_time_and_the_sweep_leaves_nothing_of_it() {
        let mut map = Map::default();
        run(&mut map, &put("short", Some(10)), 100);
        run(&mut map, &put("long", Some(1000)), 100);
        run(&mut map, &put("ever", None), 100);
        assert_eq!(get(&map, "t", "short", 109), Ok(Some(b"v".to_vec())));
        assert_eq!(get(&map, "t", "short", 110), Ok(None));
        assert_eq!(has_expired(&map, 109), Ok(false));
        assert_eq!(has_expired(&map, 110), Ok(true));
        assert_eq!(sweep(&mut map, 110, 10), Ok(1));
        assert_eq!((has_expired(&map, 110), map.len()), (Ok(false), 3));
    }

    #[test]
    fn a_new_lifetime_replaces_the_old_one() {
        let mut map = Map::default();
        run(&mut map, &put("k", Some(10)), 0);
        run(&mut map, &put("k", Some(50)), 0);
        assert_eq!(map.len(), 2);
        assert_eq!(sweep(&mut map, 20, 10), Ok(0));
        assert!(get(&map, "t", "k", 20).unwrap().is_some());
        run(&mut map, &put("k", None), 0);
        assert_eq!((map.len(), has_expired(&map, u64::MAX)), (1, Ok(false)));
    }

    #[test]
    fn a_swap_keeps_the_lifetime_and_sees_an_ended_entry_as_absent() {
        let mut map = Map::default();
        let swap = |expected: Option<&[u8]>, new: &[u8]| Change::Swap {
            table: "t".into(),
            key: "k".into(),
            expected: expected.map(<[u8]>::to_vec),
            new: Some(new.to_vec()),
        };
        run(&mut map, &put("k", Some(10)), 0);
        assert_eq!(run(&mut map, &swap(Some(b"v"), b"w"), 5), 1);
        assert_eq!(get(&map, "t", "k", 10), Ok(None));
        assert_eq!(run(&mut map, &swap(Some(b"w"), b"x"), 10), 0);
        assert_eq!(run(&mut map, &swap(None, b"x"), 10), 1);
        assert_eq!(get(&map, "t", "k", u64::MAX), Ok(Some(b"x".to_vec())));
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn outboxes_and_tables_of_similar_names_do_not_mix() {
        let mut map = Map::default();
        let bounds = Bounds { items: 10, bytes: 100 };
        for (outbox, value) in [("a", b"1"), ("ab", b"2"), ("a", b"3")] {
            let push = Change::Push { outbox: outbox.into(), value: value.to_vec(), bounds };
            run(&mut map, &push, 0);
        }
        let a = peek(&map, "a", 10).unwrap();
        assert_eq!((a.messages, a.waiting), (vec![(1, b"1".to_vec()), (2, b"3".to_vec())], 2));
        run(&mut map, &Change::Batch(vec![Op::put("t", "a/x", b""), Op::put("ta", "/y", b"")]), 0);
        let keys = |table: &str| list(&map, table, "", None, 9, 0).unwrap();
        assert_eq!(keys("t"), [("a/x".to_owned(), vec![])]);
    }
}
