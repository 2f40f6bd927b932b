//! What is on its way to one client: bytes that the core appends and a socket takes.
//!
//! The core never waits for it. How much may lie here is the core's business: it looks at
//! [`Outbox::len`] before it adds a message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// From so many bytes on, nothing is added that can wait.
pub(in crate::mqtt::broker) const FULL: usize = 128 * 1024;
/// A buffer that grew beyond this is given back.
const KEEP: usize = 256 * 1024;

#[derive(Default)]
pub(in crate::mqtt::broker) struct Outbox {
    state: Mutex<Pending>,
    changed: Notify,
    drained: Notify,
    /// Bytes in this outbox and all others of its broker.
    all: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    is_ended: bool,
    /// Whether the core has more for when there is room.
    has_more: bool,
}

/// What [`Outbox::take`] found.
pub(in crate::mqtt::broker) struct Taken {
    pub(in crate::mqtt::broker) is_ended: bool,
    pub(in crate::mqtt::broker) has_more: bool,
}

impl Outbox {
    /// Makes one whose bytes are counted in `all`.
    pub(super) fn new(all: Arc<AtomicUsize>) -> Outbox {
        Outbox { state: Mutex::default(), changed: Notify::new(), drained: Notify::new(), all }
    }

    fn state(&self) -> MutexGuard<'_, Pending> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many bytes lie here.
    pub(in crate::mqtt::broker) fn len(&self) -> usize {
        self.state().bytes.len()
    }

    /// Appends; nothing more goes out after the end.
    pub(in crate::mqtt::broker) fn write(&self, add: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        if !state.is_ended {
            let before = state.bytes.len();
            add(&mut state.bytes);
            self.all.fetch_add(state.bytes.len() - before, Ordering::Relaxed);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Says whether the core is to be asked for more as soon as there is room.
    pub(in crate::mqtt::broker) fn set_more(&self, has_more: bool) {
        let mut state = self.state();
        let is_new = has_more && !state.has_more;
        state.has_more = has_more;
        drop(state);
        if is_new {
            self.changed.notify_one();
        }
    }

    /// Says that nothing comes any more.
    pub(in crate::mqtt::broker) fn end(&self) {
        self.state().is_ended = true;
        self.changed.notify_one();
        self.drained.notify_one();
    }

    pub(in crate::mqtt::broker) fn is_ended(&self) -> bool {
        self.state().is_ended
    }

    /// Swaps what lies here with the empty `buffer`.
    pub(in crate::mqtt::broker) fn take(&self, buffer: &mut Vec<u8>) -> Taken {
        buffer.clear();
        if buffer.capacity() > KEEP {
            *buffer = Vec::new();
        }
        let mut state = self.state();
        std::mem::swap(buffer, &mut state.bytes);
        self.all.fetch_sub(buffer.len(), Ordering::Relaxed);
        let taken = Taken { is_ended: state.is_ended, has_more: state.has_more };
        drop(state);
        self.drained.notify_one();
        taken
    }

    /// Waits until there is something to take.
    pub(in crate::mqtt::broker) async fn ready(&self) {
        loop {
            {
                let state = self.state();
                if !state.bytes.is_empty() || state.is_ended || state.has_more {
                    return;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Waits until less than [`FULL`] lies here, so that who does not read is not read either.
    pub(in crate::mqtt::broker) async fn has_room(&self) {
        while self.len() >= FULL && !self.is_ended() {
            self.drained.notified().await;
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.all.fetch_sub(self.len(), Ordering::Relaxed);
    }
}
