//! Conversations in the store: one entry for each message, in order by number.
//!
//! An append takes the next free number in one step, so of two nodes that append at once each gets its
//! own. Old messages are removed a few at a time, after the new one is in.

use crate::error::Error;
use crate::store::{BATCH_MAX, Op};
use crate::talk::{Message, Talk, check_id, now};

const TABLE: &str = "talk";
/// The first conversation number that an append tries may be taken by others so many times.
const TRIES: usize = 64;
/// So many messages beyond what is kept may stand there until they are removed together.
const SLACK: usize = 8;

/// What is known of a conversation.
pub(super) struct Known {
    pub(super) id: String,
    /// With their numbers, the oldest first.
    pub(super) messages: Vec<(u64, Message)>,
}

fn prefix(token: u64, id: &str) -> String {
    format!("{token:016x}/{id}/")
}

fn key(token: u64, id: &str, number: u64) -> String {
    format!("{}{number:012}", prefix(token, id))
}

/// Reads `token/id/number`.
fn read_key(key: &str) -> Option<(u64, &str, u64)> {
    let mut parts = key.split('/');
    let token = u64::from_str_radix(parts.next()?, 16).ok()?;
    Some((token, parts.next()?, parts.next()?.parse().ok()?))
}

impl Talk {
    /// Appends a message; answers its number and how many are kept. It is in the store then.
    pub(super) async fn append(
        &self,
        token: u64,
        id: &str,
        message: &Message,
    ) -> Result<(u64, usize), Error> {
        check_id(id)?;
        let (store, config) = (&self.shared.store, &self.shared.config);
        let mut there = self.raw(token, id).await?;
        let over = there.last().is_some_and(|(_, last)| self.is_over(last));
        if there.is_empty() {
            self.check_room(token).await?;
        }
        let json = serde_json::to_vec(message)
            .map_err(|e| Error::broken("a message is no JSON").because(e))?;
        let mut number = there.last().map_or(0, |(number, _)| number + 1);
        let mut tries = 0;
        while !store.swap(TABLE, &key(token, id, number), None, Some(&json)).await? {
            tries += 1;
            if tries == TRIES {
                return Err(Error::conflict("too many append to this conversation; try again"));
            }
            number += 1;
        }
        // What came to its end is not continued; what is too old goes.
        let keep = if over { 0 } else { config.max_messages.saturating_sub(1) };
        let extra = there.len().saturating_sub(keep);
        if over || extra > SLACK {
            let old: Vec<u64> = there.drain(..extra).map(|(number, _)| number).collect();
            self.remove(token, id, &old).await?;
        }
        Ok((number, (there.len() + 1).min(config.max_messages)))
    }

    /// Returns the messages that are kept, the oldest first; none when there are none any more.
    pub(super) async fn messages(
        &self,
        token: u64,
        id: &str,
    ) -> Result<Vec<(u64, Message)>, Error> {
        check_id(id)?;
        let mut all = self.raw(token, id).await?;
        if all.last().is_none_or(|(_, last)| self.is_over(last)) {
            let text = format!("there is no conversation '{id}', or it came to its end");
            return Err(Error::not_found(text));
        }
        let extra = all.len().saturating_sub(self.shared.config.max_messages);
        all.drain(..extra);
        Ok(all)
    }

    /// Removes a conversation; false when there was none.
    pub(super) async fn delete(&self, token: u64, id: &str) -> Result<bool, Error> {
        check_id(id)?;
        let numbers: Vec<u64> =
            self.raw(token, id).await?.into_iter().map(|(number, _)| number).collect();
        self.remove(token, id, &numbers).await?;
        Ok(!numbers.is_empty())
    }

    /// Returns the token's conversations in the order of their ids, those behind `after`, at most `most`.
    pub(super) async fn conversations(
        &self,
        token: u64,
        after: &str,
        most: usize,
    ) -> Result<Vec<Known>, Error> {
        let start = format!("{token:016x}/");
        // Numbers come before `~`, so this is behind the last message of `after`.
        let mut at = (!after.is_empty()).then(|| format!("{start}{after}/~"));
        let mut all = Vec::new();
        while all.len() < most {
            let page = self.shared.store.list(TABLE, &start, at.as_deref(), 1).await?;
            let Some((first, _)) = page.first() else { break };
            let Some((_, id, _)) = read_key(first) else { break };
            let (id, messages) = (id.to_owned(), self.raw(token, id).await?);
            at = Some(format!("{start}{id}/~"));
            if messages.last().is_some_and(|(_, last)| !self.is_over(last)) {
                all.push(Known { id, messages });
            }
        }
        Ok(all)
    }

    /// Removes the conversations whose last message is too old; returns how many.
    pub(super) async fn forget_old(&self) -> Result<usize, Error> {
        let (mut at, mut count) = (None::<String>, 0);
        loop {
            let page = self.shared.store.list(TABLE, "", at.as_deref(), 1).await?;
            let Some((first, _)) = page.first() else { return Ok(count) };
            let Some((token, id, _)) = read_key(first) else { return Ok(count) };
            let messages = self.raw(token, id).await?;
            if messages.last().is_some_and(|(_, last)| self.is_over(last)) {
                let numbers: Vec<u64> = messages.iter().map(|(number, _)| *number).collect();
                self.remove(token, id, &numbers).await?;
                count += 1;
            }
            at = Some(format!("{}~", prefix(token, id)));
        }
    }

    fn is_over(&self, last: &Message) -> bool {
        now() - last.at >= self.shared.config.ttl_seconds as f64
    }

    async fn check_room(&self, token: u64) -> Result<(), Error> {
        let most = self.shared.config.max_conversations;
        if self.conversations(token, "", most).await?.len() < most {
            return Ok(());
        }
        Err(Error::limit(format!("you have {most} conversations already; delete one first")))
    }

    /// Everything that stands there of a conversation.
    async fn raw(&self, token: u64, id: &str) -> Result<Vec<(u64, Message)>, Error> {
        let start = prefix(token, id);
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.shared.store.list(TABLE, &start, after.as_deref(), 1000).await?;
            let Some((last, _)) = page.last() else { return Ok(all) };
            after = Some(last.clone());
            for (key, bytes) in page {
                let Some((_, _, number)) = read_key(&key) else { continue };
                match serde_json::from_slice(&bytes) {
                    Ok(message) => all.push((number, message)),
                    Err(e) => log::warn!("message {number} of {id} cannot be read: {e}"),
                }
            }
        }
    }

    async fn remove(&self, token: u64, id: &str, numbers: &[u64]) -> Result<(), Error> {
        for part in numbers.chunks(BATCH_MAX) {
            let ops = part.iter().map(|number| Op::delete(TABLE, &key(token, id, *number)));
            self.shared.store.batch(ops.collect()).await?;
        }
        Ok(())
    }
}
