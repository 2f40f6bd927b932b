//! Questions to a house and their answers: numbers them, keeps who waits for which, bounded.
//!
//! Tools ask through [`Link`]; the session that holds the WebSocket takes what is to be sent and
//! brings back what came. While no session holds one, every question fails at once.

use crate::error::{Error, Kind};
use crate::home::feed::wire::{Fault, Head};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// At most so many questions wait for an answer.
pub(crate) const MOST_WAITING: usize = 64;
/// At most so many messages wait to be sent.
pub(crate) const MOST_OUTBOUND: usize = 64;
/// At most so many events wait for the reader of a subscription; more are dropped.
const MOST_EVENTS: usize = 64;

/// The way to a house.
pub(crate) struct Link {
    name: Arc<str>,
    live: Mutex<Option<Live>>,
    /// The next number. It goes on from connection to connection, so that whoever still holds one of
    /// an earlier connection cannot forget somebody else's question.
    next: AtomicU64,
    /// What to say while there is no connection.
    why: Mutex<String>,
}

struct Live {
    out: mpsc::Sender<String>,
    waiting: HashMap<u64, Waiter>,
}

struct Waiter {
    answer: Option<oneshot::Sender<Result<String, Error>>>,
    events: Option<mpsc::Sender<String>>,
}

/// A question under way. Dropping it forgets the question.
pub(crate) struct Asked {
    link: Arc<Link>,
    id: u64,
    answer: oneshot::Receiver<Result<String, Error>>,
    keep: bool,
}

/// Events of a kind. Dropping it ends the subscription.
pub(crate) struct Subscription {
    link: Arc<Link>,
    id: u64,
    events: mpsc::Receiver<String>,
}

impl Link {
    /// Makes the way to the house `name`, closed.
    pub(crate) fn new(name: Arc<str>, why: &str) -> Arc<Link> {
        Arc::new(Link {
            name,
            live: Mutex::new(None),
            next: AtomicU64::new(1),
            why: Mutex::new(why.to_owned()),
        })
    }

    /// Opens the way; returns what is to be sent.
    pub(crate) fn open(&self) -> mpsc::Receiver<String> {
        let (out, outbound) = mpsc::channel(MOST_OUTBOUND);
        *self.lock() = Some(Live { out, waiting: HashMap::new() });
        outbound
    }

    /// Closes the way: whoever waits is told `why`, and so is everybody who asks from now on.
    pub(crate) fn close(&self, why: &str) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why.to_owned();
        let Some(live) = self.lock().take() else { return };
        for waiter in live.waiting.into_values() {
            if let Some(answer) = waiter.answer {
                let _ = answer.send(Err(self.away()));
            }
        }
    }

    /// Returns the error of a house that is away.
    pub(crate) fn away(&self) -> Error {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Error::offline(format!("the house '{}' cannot be reached: {why}", self.name))
    }

    /// Sends a command (an object with `type`, without `id`).
    ///
    /// # Errors
    /// Offline without a connection, Limit when too many wait already.
    pub(crate) fn send(self: &Arc<Self>, command: &Value) -> Result<Asked, Error> {
        let (answered, answer) = oneshot::channel();
        let id = self.put(command, Waiter { answer: Some(answered), events: None })?;
        Ok(Asked { link: self.clone(), id, answer, keep: false })
    }

    /// Sends a command and waits for its result, as JSON text.
    ///
    /// # Errors
    /// As [`Link::send`]; Timeout; what Home Assistant answered.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        command: &Value,
        within: Duration,
    ) -> Result<String, Error> {
        self.send(command)?.answer(within).await
    }

    /// Sends a command that subscribes, and waits for its result.
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub(crate) async fn subscribe(
        self: &Arc<Self>,
        command: &Value,
        within: Duration,
    ) -> Result<Subscription, Error> {
        let (answered, answer) = oneshot::channel();
        let (event, events) = mpsc::channel(MOST_EVENTS);
        let id = self.put(command, Waiter { answer: Some(answered), events: Some(event) })?;
        // From here on, dropping it unsubscribes, also when the answer never comes.
        let subscription = Subscription { link: self.clone(), id, events };
        Asked { link: self.clone(), id, answer, keep: true }.answer(within).await?;
        Ok(subscription)
    }

    /// Sends a command that subscribes for as long as the connection lasts. `number` gets the id of
    /// its events before any can come; they are not kept here.
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub(crate) async fn follow(
        self: &Arc<Self>,
        command: &Value,
        within: Duration,
        number: impl FnOnce(u64),
    ) -> Result<(), Error> {
        let (answered, answer) = oneshot::channel();
        let id = self.put(command, Waiter { answer: Some(answered), events: None })?;
        number(id);
        Asked { link: self.clone(), id, answer, keep: false }.answer(within).await.map(drop)
    }

    fn put(&self, command: &Value, waiter: Waiter) -> Result<u64, Error> {
        let mut guard = self.lock();
        let Some(live) = guard.as_mut() else {
            drop(guard);
            return Err(self.away());
        };
        if live.waiting.len() >= MOST_WAITING {
            return Err(busy(&self.name, MOST_WAITING));
        }
        // Numbers must reach Home Assistant in their order, so both happen under the lock.
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        live.post(numbered(command, id)).map_err(|()| busy(&self.name, MOST_OUTBOUND))?;
        live.waiting.insert(id, waiter);
        Ok(id)
    }

    /// Hands an answer or an event to whoever waits for it.
    pub(crate) fn hand(&self, head: &Head<'_>) {
        let mut guard = self.lock();
        let (Some(live), Some(id)) = (guard.as_mut(), head.id) else { return };
        if let Some(event) = head.event {
            let waiter = live.waiting.get(&id);
            if let Some(events) = waiter.and_then(|waiter| waiter.events.as_ref()) {
                // A reader that does not keep up loses events, not the connection.
                let _ = events.try_send(event.get().to_owned());
            }
            return;
        }
        let Some(waiter) = live.waiting.get_mut(&id) else { return };
        let answer = waiter.answer.take();
        if waiter.events.is_none() {
            live.waiting.remove(&id);
        }
        drop(guard);
        if let Some(answer) = answer {
            let _ = answer.send(outcome(head));
        }
    }

    fn forget(&self, id: u64, unsubscribe: bool) {
        let mut guard = self.lock();
        let Some(live) = guard.as_mut() else { return };
        let known = live.waiting.remove(&id).is_some();
        if known && unsubscribe {
            let command = serde_json::json!({"type": "unsubscribe_events", "subscription": id});
            // When the queue is full the events go on, and are dropped here as nobody's.
            let _ = live.post(numbered(&command, self.next.fetch_add(1, Ordering::Relaxed)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn post(&self, message: String) -> Result<(), ()> {
        self.out.try_send(message).map_err(|_| ())
    }
}

impl Asked {
    /// Waits for the result, as JSON text.
    ///
    /// # Errors
    /// Offline when the connection went, Timeout, or what Home Assistant answered.
    pub(crate) async fn answer(mut self, within: Duration) -> Result<String, Error> {
        match tokio::time::timeout(within, &mut self.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.link.away()),
            Err(_) => Err(Error::timeout(format!(
                "the house '{}' did not answer within {} s",
                self.link.name,
                within.as_secs_f32()
            ))),
        }
    }

    /// Waits until the answer is there; cancelling this loses nothing.
    pub(crate) async fn answered(&mut self) -> Result<String, Error> {
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(_) => Err(self.link.away()),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.keep {
            self.link.forget(self.id, false);
        }
    }
}

impl Subscription {
    /// Waits for the next event, as JSON text; `None` when the connection is gone.
    pub(crate) async fn next(&mut self) -> Option<String> {
        self.events.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.link.forget(self.id, true);
    }
}

fn numbered(command: &Value, id: u64) -> String {
    let json = command.to_string();
    // Commands are objects that hold at least `type`.
    format!("{{\"id\":{id},{}", json.strip_prefix('{').unwrap_or(&json))
}

fn outcome(head: &Head<'_>) -> Result<String, Error> {
    match (&head.success, &head.error) {
        (Some(false), Some(fault)) => Err(said(fault)),
        (Some(false), None) => Err(Error::conflict("Home Assistant refused without a reason")),
        _ => Ok(head.result.map_or("null", |result| result.get()).to_owned()),
    }
}

/// Turns Home Assistant's own error into one of ours.
fn said(fault: &Fault) -> Error {
    let kind = match fault.code.as_str() {
        "invalid_format" | "service_validation_error" | "unknown_command" => Kind::Invalid,
        "not_found" => Kind::NotFound,
        "unauthorized" => Kind::Refused,
        "timeout" => Kind::Timeout,
        _ => Kind::Conflict,
    };
    let text = crate::home::text::clean(&fault.message, 300);
    if kind == Kind::Refused {
        return Error::refused(format!(
            "Home Assistant does not let the user of the token (HASS_TOKEN) do this ('{text}'); some \
             of it needs an administrator's token"
        ));
    }
    Error::new(kind, format!("Home Assistant says: '{text}'"))
}

fn busy(house: &str, most: usize) -> Error {
    Error::limit(format!("{most} calls to the house '{house}' are under way; try again shortly"))
}

#[cfg(test)]
mod tests;
