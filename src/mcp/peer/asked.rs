//! Requests that wait for their answers.

use crate::error::Error;
use crate::mcp::Progress;
use crate::mcp::peer::Refusal;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

pub(super) type Answered = Result<Result<Value, Refusal>, Error>;

/// All that wait.
pub(super) struct Asked {
    most: usize,
    next: AtomicU64,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    closed: bool,
    waiting: HashMap<u64, (oneshot::Sender<Answered>, Option<Progress>)>,
}

/// One that waits. Dropping it before its answer gives it up and tells the server.
pub(super) struct Waiting {
    pub(super) id: u64,
    answer: oneshot::Receiver<Answered>,
    asked: Arc<Asked>,
    out: mpsc::Sender<Vec<u8>>,
    sent: bool,
    answered: bool,
}

impl Asked {
    pub(super) fn new(most: usize) -> Asked {
        Asked { most, next: AtomicU64::new(1), open: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(
        self: &Arc<Asked>,
        progress: Option<Progress>,
        out: &mpsc::Sender<Vec<u8>>,
    ) -> Result<Waiting, Error> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        let mut open = self.lock();
        if open.waiting.len() >= self.most {
            let most = self.most;
            return Err(Error::limit(format!("{most} requests wait for this server already")));
        }
        if !open.closed {
            open.waiting.insert(id, (answer, progress));
        }
        drop(open);
        let (asked, out) = (self.clone(), out.clone());
        Ok(Waiting { id, answer: answered, asked, out, sent: false, answered: false })
    }

    /// Hands an answer to whoever waits for it.
    pub(super) fn answer(&self, id: u64, answer: Answered) {
        if let Some((waiting, _)) = self.lock().waiting.remove(&id) {
            // Whoever asked may have given up just now.
            let _ = waiting.send(answer);
        }
    }

    pub(super) fn progress_of(&self, id: u64) -> Option<Progress> {
        self.lock().waiting.get(&id)?.1.clone()
    }

    /// Nobody answers any more.
    pub(super) fn close(&self) {
        let mut open = self.lock();
        open.closed = true;
        open.waiting.clear();
    }
}

impl Waiting {
    pub(super) fn was_sent(&mut self) {
        self.sent = true;
    }

    /// `None` when the server has ended.
    pub(super) async fn answer(&mut self) -> Option<Answered> {
        let answer = (&mut self.answer).await.ok();
        self.answered = true;
        answer
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.asked.lock().waiting.remove(&self.id);
        if self.sent && !self.answered {
            let note = json!({
                "jsonrpc": "2.0",
                "method": "notifications/cancelled",
                "params": { "requestId": self.id, "reason": "given up" },
            });
            // A server that reads nothing is not told either.
            let _ = self.out.try_send(note.to_string().into_bytes());
        }
    }
}
