//! A durable queue for what must reach a counterpart later: pushed, looked at, acknowledged.
//!
//! A service pushes messages while its counterpart is away; its sender takes the oldest, delivers
//! it and acknowledges it. A message stays until it is acknowledged, so one can be delivered twice
//! after a crash: receivers are given the id to tell.

use crate::error::Error;
use crate::store::Store;
use crate::store::change::{Bounds, Change, PAGE_MAX, check_name};

/// A named queue in the store. Made by [`Store::outbox`]; cloning it is cheap.
#[derive(Clone)]
pub struct Outbox {
    store: Store,
    name: String,
    bounds: Bounds,
}

impl Outbox {
    /// Makes the handle; the queue itself begins with the first message.
    pub(super) fn new(store: Store, name: &str, bounds: Bounds) -> Result<Outbox, Error> {
        check_name(name)?;
        Ok(Outbox { store, name: name.to_owned(), bounds })
    }

    /// Appends a message and returns its id. Ids grow and are never used again.
    ///
    /// # Errors
    /// Limit when the outbox is full; else as [`Store::put`].
    pub async fn push(&self, message: &[u8]) -> Result<u64, Error> {
        let (outbox, bounds) = (self.name.clone(), self.bounds);
        self.store.change(Change::Push { outbox, value: message.to_vec(), bounds }).await
    }

    /// Returns the oldest messages with their ids, oldest first: at most `limit`, at most
    /// [`PAGE_MAX`], fewer when they are large.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn peek(&self, limit: usize) -> Result<Vec<(u64, Vec<u8>)>, Error> {
        Ok(self.store.engine().peek(&self.name, limit.min(PAGE_MAX)).await?.messages)
    }

    /// Removes a delivered message; false when it was not there (any more).
    ///
    /// # Errors
    /// As [`Store::delete`].
    pub async fn ack(&self, id: u64) -> Result<bool, Error> {
        let outbox = self.name.clone();
        Ok(self.store.change(Change::Ack { outbox, id }).await? == 1)
    }

    /// Returns how many messages wait.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn waiting(&self) -> Result<u64, Error> {
        Ok(self.store.engine().peek(&self.name, 0).await?.waiting)
    }
}
