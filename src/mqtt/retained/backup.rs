//! Copies of what was cleared, in the store: byte for byte, with QoS and properties.
//!
//! A copy is one entry `<id>` that tells of it, and for each message entries `<id>/<number>/<part>`. The
//! first part begins with a line of JSON; what follows is the payload.

use crate::error::Error;
use crate::mqtt::message::{Properties, Qos};
use crate::mqtt::retained::Held;
use crate::store::{Op, Store};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const TABLE: &str = "mqtt_retained";
/// A copy is kept for so long.
const LIFE: Duration = Duration::from_secs(90 * 86_400);
/// And at most so many copies, the newest.
const COPIES: usize = 100;
/// An entry of the store holds so much of a payload.
const PART: usize = 512 << 10;
/// A message of 256 MB has fewer parts.
const PARTS: usize = 1000;

/// What is told of a copy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Copy {
    pub(crate) id: String,
    /// Microseconds since 1970 (UTC).
    pub(crate) at: i64,
    /// Who cleared it.
    pub(crate) by: String,
    pub(crate) broker: String,
    pub(crate) messages: usize,
    pub(crate) bytes: u64,
    #[serde(default)]
    pub(crate) is_undone: bool,
}

/// A copy with its messages.
#[derive(Debug)]
pub(crate) struct Backup {
    pub(crate) copy: Copy,
    pub(crate) held: Vec<Held>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    topic: String,
    qos: u8,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<Kept>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    is_text: Option<bool>,
    expiry: Option<u32>,
    response_topic: Option<String>,
    correlation: Option<Vec<u8>>,
    content_type: Option<String>,
    user: Vec<(String, String)>,
}

/// Stores a copy of `held`, each of which has its payload, before anything is cleared.
///
/// # Errors
/// What the store says; Limit for a message that is too large for it.
pub(crate) async fn keep(store: &Store, copy: &Copy, held: &[Held]) -> Result<(), Error> {
    for (n, one) in held.iter().enumerate() {
        let payload = one.payload.as_deref().unwrap_or_default();
        let head = Head {
            topic: one.topic.clone(),
            qos: one.qos.number(),
            size: one.size,
            properties: one.properties.as_ref().map(kept),
        };
        let mut first = line(&head)?;
        let (begin, mut rest) = payload.split_at(payload.len().min(PART));
        first.extend_from_slice(begin);
        put(store, &copy.id, n, 0, first).await?;
        let mut part = 1;
        while !rest.is_empty() {
            let (next, after) = rest.split_at(rest.len().min(PART));
            put(store, &copy.id, n, part, next.to_vec()).await?;
            (rest, part) = (after, part + 1);
        }
    }
    // Last: a copy that is told of is whole.
    tell(store, copy).await?;
    forget_old(store).await
}

async fn put(store: &Store, id: &str, n: usize, part: usize, value: Vec<u8>) -> Result<(), Error> {
    if part >= PARTS {
        return Err(Error::limit("a message is too large for a copy in the store"));
    }
    let key = format!("{id}/{n:05}/{part:03}");
    store.put(TABLE, &key, &value, Some(LIFE)).await
}

async fn tell(store: &Store, copy: &Copy) -> Result<(), Error> {
    let json = serde_json::to_vec(copy).map_err(|e| Error::broken("no JSON").because(e))?;
    store.put(TABLE, &copy.id, &json, Some(LIFE)).await
}

/// Returns what is told of each copy, newest first.
///
/// # Errors
/// What the store says.
pub(crate) async fn copies(store: &Store) -> Result<Vec<Copy>, Error> {
    let mut all: Vec<Copy> = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.list(TABLE, "", after.as_deref(), crate::store::PAGE_MAX).await?;
        let Some((last, _)) = page.last() else { break };
        // Its messages come between one copy and the next: `0` is the byte after the slash.
        let begin = last.split_once('/').map_or(last.as_str(), |(id, _)| id);
        after = Some(last.clone().max(format!("{begin}0")));
        let told = page.iter().filter(|(key, _)| !key.contains('/'));
        all.extend(told.filter_map(|(_, value)| serde_json::from_slice::<Copy>(value).ok()));
    }
    all.sort_by_key(|copy| std::cmp::Reverse(copy.at));
    Ok(all)
}

/// Returns a copy with its messages.
///
/// # Errors
/// NotFound when there is none, Broken when it cannot be read, and what the store says.
pub(crate) async fn load(store: &Store, id: &str) -> Result<Backup, Error> {
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit());
    let found = if is_id { store.get(TABLE, id).await? } else { None };
    let none = || Error::not_found("there is no such copy; undo \"list\" shows them");
    let copy: Copy = serde_json::from_slice(&found.ok_or_else(none)?)
        .map_err(|e| Error::broken("a copy of cleared messages cannot be read").because(e))?;
    let broken = || Error::broken("a copy of cleared messages is not whole");
    let mut held: Vec<Held> = Vec::new();
    let (prefix, mut after) = (format!("{id}/"), None::<String>);
    loop {
        let limit = crate::store::PAGE_MAX;
        let page = store.list(TABLE, &prefix, after.as_deref(), limit).await?;
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (key, value) in page {
            if key.ends_with("/000") {
                held.push(first_part(&value).ok_or_else(broken)?);
            } else {
                let payload = held.last_mut().and_then(|one| one.payload.as_mut());
                payload.ok_or_else(broken)?.extend(value);
            }
        }
    }
    let is_whole = |one: &Held| one.payload.as_ref().map(|p| p.len() as u64) == Some(one.size);
    if held.len() != copy.messages || !held.iter().all(is_whole) {
        return Err(broken());
    }
    Ok(Backup { copy, held })
}

fn first_part(value: &[u8]) -> Option<Held> {
    let end = value.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&value[..end]).ok()?;
    Some(Held {
        topic: head.topic,
        payload: Some(value[end + 1..].to_vec()),
        size: head.size,
        qos: Qos::of(head.qos)?,
        properties: head.properties.map(properties),
    })
}

fn line(head: &Head) -> Result<Vec<u8>, Error> {
    let mut line = serde_json::to_vec(head).map_err(|e| Error::broken("no JSON").because(e))?;
    line.push(b'\n');
    Ok(line)
}

/// Notes that a copy was put back.
///
/// # Errors
/// What the store says.
pub(crate) async fn mark_undone(store: &Store, copy: &Copy) -> Result<(), Error> {
    tell(store, &Copy { is_undone: true, ..copy.clone() }).await
}

async fn forget_old(store: &Store) -> Result<(), Error> {
    for copy in copies(store).await?.into_iter().skip(COPIES) {
        // What tells of it goes first: nobody finds half of a copy.
        store.delete(TABLE, &copy.id).await?;
        let prefix = format!("{}/", copy.id);
        loop {
            let page = store.list(TABLE, &prefix, None, crate::store::BATCH_MAX).await?;
            if page.is_empty() {
                break;
            }
            let gone = page.iter().map(|(key, _)| Op::delete(TABLE, key)).collect();
            store.batch(gone).await?;
        }
    }
    Ok(())
}

fn kept(from: &Properties) -> Kept {
    Kept {
        is_text: from.is_text,
        expiry: from.expiry,
        response_topic: from.response_topic.as_deref().map(str::to_owned),
        correlation: from.correlation.as_deref().map(<[u8]>::to_vec),
        content_type: from.content_type.as_deref().map(str::to_owned),
        user: from.user.clone(),
    }
}

fn properties(from: Kept) -> Properties {
    Properties {
        is_text: from.is_text,
        expiry: from.expiry,
        response_topic: from.response_topic.map(Into::into),
        correlation: from.correlation.map(Into::into),
        content_type: from.content_type.map(Into::into),
        subscriptions: Vec::new(),
        user: from.user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(id: &str, at: i64, messages: usize) -> Copy {
        let (by, broker) = ("me".into(), "mqtt://x:1".into());
        Copy { id: id.into(), at, by, broker, messages, bytes: 0, is_undone: false }
    }

    fn held(topic: &str, payload: Vec<u8>) -> Held {
        Held {
            topic: topic.into(),
            size: payload.len() as u64,
            payload: Some(payload),
            qos: Qos::ExactlyOnce,
            properties: Some(Properties {
                content_type: Some("text/x".into()),
                correlation: Some(vec![0, 255].into()),
                user: vec![("a".into(), "b\n".into())],
                ..Properties::default()
            }),
        }
    }

    #[tokio::test]
    async fn a_copy_comes_back_byte_for_byte_whatever_its_size() {
        let store = Store::memory();
        let large: Vec<u8> = (0..2 * PART + 7).map(|n| (n % 251) as u8).collect();
        let all = [held("a\nb", b"{}\n\0\xff".to_vec()), held("b", large), held("c", vec![b'x'])];
        keep(&store, &copy("a1", 1, 3), &all).await.unwrap();
        assert_eq!(load(&store, "a1").await.unwrap().held, all);
        assert!(load(&store, "a2").await.is_err() && load(&store, "a1/00000/000").await.is_err());
    }

    #[tokio::test]
    async fn copies_are_listed_newest_first_and_the_oldest_go() {
        let store = Store::memory();
        for n in 0..COPIES as i64 + 3 {
            let id = format!("{:x}", 0x1000 + n);
            keep(&store, &copy(&id, n, 2), &[held("a", vec![1]), held("b", vec![2])])
                .await
                .unwrap();
        }
        let all = copies(&store).await.unwrap();
        assert_eq!((all.len(), all[0].at, all[COPIES - 1].at), (COPIES, COPIES as i64 + 2, 3));
        assert!(load(&store, "1002").await.is_err());
        assert!(store.list(TABLE, "1002/", None, 10).await.unwrap().is_empty());
        mark_undone(&store, &all[0]).await.unwrap();
        assert!(copies(&store).await.unwrap()[0].is_undone);
    }
}
