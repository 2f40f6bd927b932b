//! The two directions of the pipe: what is written, and what is made of what comes.

use crate::error::Error;
use crate::mcp::peer::asked::Asked;
use crate::mcp::peer::lines::{Line, Lines, id_in};
use crate::mcp::peer::{Refusal, State};
use crate::text::clean;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// So much of the text of a server's progress is passed on.
const STEP_TEXT: usize = 300;

/// Writes the lines that wait, until nobody can send any more.
pub(super) async fn write(
    mut stdin: Box<dyn AsyncWrite + Send + Unpin>,
    mut waiting: mpsc::Receiver<Vec<u8>>,
    state: Arc<State>,
) {
    while let Some(mut line) = waiting.recv().await {
        line.push(b'\n');
        if stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err() {
            break;
        }
        state.written.fetch_add(line.len() as u64, Ordering::Relaxed);
    }
    // A server ends when its standard input does.
    let _ = stdin.shutdown().await;
}

/// What reads.
pub(super) struct Reader {
    pub(super) asked: Arc<Asked>,
    pub(super) state: Arc<State>,
    pub(super) out: mpsc::WeakSender<Vec<u8>>,
}

impl Reader {
    /// Reads until the server ends or `end`.
    pub(super) async fn read(
        self,
        stdout: Box<dyn AsyncRead + Send + Unpin>,
        most: usize,
        end: CancellationToken,
    ) {
        let mut lines = Lines::new(stdout, most);
        loop {
            let line = tokio::select! {
                line = lines.next() => line,
                () = end.cancelled() => break,
            };
            let Ok(Some((line, bytes))) = line else { break };
            self.state.read.fetch_add(bytes, Ordering::Relaxed);
            match line {
                Line::Whole(line) => match serde_json::from_slice(&line) {
                    Ok(Value::Array(batch)) => {
                        for message in batch {
                            self.take(message).await;
                        }
                    }
                    Ok(message) => self.take(message).await,
                    Err(_) => self.skip(),
                },
                Line::TooLong(ends) => {
                    self.skip();
                    if let Some(id) = id_in(&ends) {
                        let text = format!("the server's answer is longer than {most} bytes");
                        self.asked.answer(id, Err(Error::limit(text)));
                    }
                }
            }
        }
        self.state.closed.store(true, Ordering::Release);
        self.asked.close();
    }

    fn skip(&self) {
        self.state.skipped.fetch_add(1, Ordering::Relaxed);
    }

    async fn take(&self, mut message: Value) {
        let method = message["method"].as_str().map(str::to_owned);
        match (method, message.get("id").cloned()) {
            (Some(method), Some(id)) => self.refuse(&method, id),
            (Some(method), None) => self.note(&method, &message["params"]).await,
            (None, Some(id)) => {
                let Some(id) = id.as_u64() else { return self.skip() };
                let answer = match message.get_mut("result").map(Value::take) {
                    Some(result) => Ok(result),
                    None => Err(Refusal::read(&message["error"])),
                };
                self.asked.answer(id, Ok(answer));
            }
            (None, None) => self.skip(),
        }
    }

    /// Answers what the server asks of us: that it is heard, and nothing else.
    fn refuse(&self, method: &str, id: Value) {
        let answer = match method {
            "ping" => json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
            _ => {
                let text = format!("Method not found: {}", clean(method, 80));
                let error = json!({ "code": -32601, "message": text });
                json!({ "jsonrpc": "2.0", "id": id, "error": error })
            }
        };
        // A server that asks without reading gets no answers, and holds nobody up.
        if let Some(out) = self.out.upgrade() {
            let _ = out.try_send(answer.to_string().into_bytes());
        }
    }

    async fn note(&self, method: &str, params: &Value) {
        match method {
            "notifications/progress" => {
                let id = params["progressToken"].as_u64();
                let Some(progress) = id.and_then(|id| self.asked.progress_of(id)) else { return };
                let text = params["message"].as_str().map(|text| clean(text, STEP_TEXT));
                let done = params["progress"].as_f64().unwrap_or_default();
                progress.report(done, params["total"].as_f64(), text.as_deref()).await;
            }
            "notifications/tools/list_changed"
            | "notifications/resources/list_changed"
            | "notifications/prompts/list_changed" => {
                self.state.lists.send_modify(|count| *count += 1);
            }
            _ => {}
        }
    }
}
