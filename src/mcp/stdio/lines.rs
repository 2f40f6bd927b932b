//! Newline-delimited JSON-RPC over any pair of pipes, as rmcp wants its transports.
//!
//! Three things that a plain line reader does not do: a line that is no JSON-RPC gets a JSON-RPC
//! error and the session goes on; a line has a largest size; and when the client closes its end,
//! what it asked before is still answered.

use crate::mcp::in_flight::taken;
use crate::tasks::Tasks;
use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, ClientRequest, JsonRpcMessage, RequestId,
    ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// So many lines wait to be written; then whoever sends waits too.
const WAITING: usize = 64;

/// Both directions of one client.
pub(super) struct Lines {
    read: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    most: usize,
    /// What is read of the present line.
    line: Vec<u8>,
    /// The rest of the present line is thrown away: it is too long.
    skipping: bool,
    /// A first line that was a message.
    kept: Option<Vec<u8>>,
    /// An answer of ours that still has to go out.
    reply: Option<Vec<u8>>,
    out: Option<mpsc::Sender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
    open: Arc<Open>,
    end: CancellationToken,
}

/// The requests that are not answered yet.
#[derive(Default)]
struct Open {
    ids: Mutex<HashSet<RequestId>>,
    /// Those whose answer is not on its way yet: their ids are in use.
    in_use: Mutex<HashSet<RequestId>>,
    answered: Notify,
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, HashSet<RequestId>> {
        // Nothing in these short sections can be half done.
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request; `false` when its id is in use.
    fn take(&self, id: &RequestId) -> bool {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone())
    }

    /// The client may use the id again as soon as it has the answer, which is sent after this.
    fn give_back(&self, id: &RequestId) {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn close(&self, id: &RequestId) {
        self.give_back(id);
        self.lock().remove(id);
        self.answered.notify_one();
    }
}

impl Lines {
    /// Reads lines of at most `most` bytes from `read`, and writes to `write` by a job of its own.
    pub(super) fn new(
        read: Box<dyn AsyncRead + Send + Unpin>,
        mut write: Box<dyn AsyncWrite + Send + Unpin>,
        most: usize,
        tasks: &Tasks,
    ) -> Lines {
        let (out, mut waiting) = mpsc::channel::<Vec<u8>>(WAITING);
        let writer = tasks.job(async move {
            while let Some(mut line) = waiting.recv().await {
                line.push(b'\n');
                if write.write_all(&line).await.is_err() || write.flush().await.is_err() {
                    return;
                }
            }
            let _ = write.shutdown().await;
        });
        Lines {
            read: BufReader::new(read),
            most,
            line: Vec::new(),
            skipping: false,
            kept: None,
            reply: None,
            out: Some(out),
            writer: Some(writer),
            open: Arc::default(),
            end: CancellationToken::new(),
        }
    }

    /// Cancels `token` as soon as the client closes its end.
    pub(super) fn at_end(&mut self, token: CancellationToken) {
        self.end = token;
    }

    /// Reads the first line; one that `parse` does not know is kept as the first message.
    pub(super) async fn first<T>(&mut self, parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let line = self.next().await.ok()?;
        let known = parse(&line);
        if known.is_none() {
            self.kept = Some(line);
        }
        known
    }

    /// Writes a line of our own.
    pub(super) async fn say(&mut self, text: &str) {
        if let Some(out) = &self.out {
            let _ = out.send(text.as_bytes().to_vec()).await;
        }
    }

    /// Writes what waits and ends.
    pub(super) async fn end(&mut self) {
        self.out = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.await;
        }
    }

    /// The next line that is not empty. Cancelling it loses nothing.
    async fn next(&mut self) -> Result<Vec<u8>, Bad> {
        loop {
            let read = self.read.fill_buf().await.map_err(|_| Bad::End)?;
            if read.is_empty() {
                let rest = std::mem::take(&mut self.line);
                let whole = !self.skipping && !rest.trim_ascii().is_empty();
                return if whole { Ok(rest) } else { Err(Bad::End) };
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = &read[..end.unwrap_or(read.len())];
            if self.line.len() + part.len() > self.most {
                self.skipping = true;
                self.line.clear();
            }
            if !self.skipping {
                self.line.extend_from_slice(part);
            }
            let used = end.map_or(read.len(), |end| end + 1);
            self.read.consume(used);
            if end.is_none() {
                continue;
            }
            if std::mem::take(&mut self.skipping) {
                return Err(Bad::TooLong);
            }
            let line = std::mem::take(&mut self.line);
            if !line.trim_ascii().is_empty() {
                return Ok(line);
            }
        }
    }

    /// Sends the reply that waits, if one does. Cancelling it loses nothing.
    async fn send_reply(&mut self) {
        if self.reply.is_none() {
            return;
        }
        let Some(out) = &self.out else { return };
        if let Ok(place) = out.reserve().await
            && let Some(reply) = self.reply.take()
        {
            place.send(reply);
        }
    }

    /// Waits until everything asked is answered, or nobody reads the answers.
    async fn answered(&mut self) {
        let Some(out) = &self.out else { return };
        while !self.open.lock().is_empty() {
            tokio::select! {
                () = self.open.answered.notified() => {}
                () = out.closed() => return,
            }
        }
    }
}

/// Why there is no line.
enum Bad {
    End,
    TooLong,
}

impl Transport<RoleServer> for Lines {
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        let (out, open) = (self.out.clone(), self.open.clone());
        async move {
            let line = serde_json::to_vec(&message).map_err(io::Error::other)?;
            match &message {
                JsonRpcMessage::Response(response) => open.give_back(&response.id),
                JsonRpcMessage::Error(error) => error.id.iter().for_each(|id| open.give_back(id)),
                _ => {}
            }
            let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
            let sent = out.ok_or_else(gone)?.send(line).await.map_err(|_| gone());
            match &message {
                JsonRpcMessage::Response(response) => open.close(&response.id),
                JsonRpcMessage::Error(error) => {
                    error.id.iter().for_each(|id| open.close(id));
                }
                _ => {}
            }
            sent
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            self.send_reply().await;
            let line = match self.kept.take() {
                Some(line) => Ok(line),
                None => self.next().await,
            };
            let line = match line {
                Ok(line) => line,
                Err(Bad::End) => {
                    self.end.cancel();
                    self.answered().await;
                    return None;
                }
                Err(Bad::TooLong) => {
                    let text = format!("Invalid Request: more than {} bytes in a line", self.most);
                    self.reply = Some(fault(-32600, &text, &Value::Null));
                    continue;
                }
            };
            match serde_json::from_slice::<ClientJsonRpcMessage>(&line) {
                Ok(message) => {
                    if let JsonRpcMessage::Request(request) = &message
                        && !self.open.take(&request.id)
                    {
                        let id = serde_json::to_value(&request.id).unwrap_or_default();
                        self.reply = Some(fault(-32600, &taken(&id), &id));
                        continue;
                    }
                    note(&self.open, &message);
                    return Some(message);
                }
                Err(e) => self.reply = Some(why(&line, &e)),
            }
        }
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        self.end().await;
        Ok(())
    }
}

/// Keeps count of what is to be answered. A subscription ends with its client and is not waited for.
fn note(open: &Open, message: &ClientJsonRpcMessage) {
    match message {
        JsonRpcMessage::Request(request)
            if !matches!(request.request, ClientRequest::SubscriptionsListenRequest(_)) =>
        {
            open.lock().insert(request.id.clone());
        }
        JsonRpcMessage::Notification(note) => {
            if let ClientNotification::CancelledNotification(cancelled) = &note.notification
                && let Some(id) = &cancelled.params.request_id
            {
                open.close(id);
            }
        }
        _ => {}
    }
}

/// The error for a line that is no message that we know.
fn why(line: &[u8], e: &serde_json::Error) -> Vec<u8> {
    match serde_json::from_slice::<Value>(line) {
        Err(_) => fault(-32700, &format!("Parse error: {e}"), &Value::Null),
        Ok(message) => {
            // Whoever sent half a message still waits for an answer to its id.
            let id = message.get("id").filter(|id| id.is_string() || id.is_number());
            let is_call = message.get("jsonrpc").is_some_and(|v| v == "2.0")
                && message.get("method").is_some_and(Value::is_string)
                && id.is_some();
            let id = id.unwrap_or(&Value::Null);
            match is_call {
                true => fault(-32602, "Invalid params", id),
                false => fault(-32600, "Invalid Request: not a JSON-RPC 2.0 message", id),
            }
        }
    }
}

fn fault(code: i32, text: &str, id: &Value) -> Vec<u8> {
    let error = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } });
    error.to_string().into_bytes()
}
