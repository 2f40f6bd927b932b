//! Server-Sent Events: an answer that goes on as long as there is something to tell.
//!
//! Fed by a stream of messages, usually made from the bus; read by browsers and scripts. Pulled by the
//! connection, never pushed: nothing is queued here, so a client that reads slowly holds back its own
//! stream alone.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, Interval, interval_at};

/// A comment is sent this often, so that both sides notice when the other is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What every stream begins with: how long a client waits before it connects again, in ms.
const RETRY: &[u8] = b"retry: 2000\n\n";

/// One message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    name: &'static str,
    id: Option<u64>,
    data: String,
}

impl Message {
    /// Makes a message; `name` is what a browser listens for, `data` any text.
    pub fn new(name: &'static str, data: impl Into<String>) -> Message {
        Message { name, id: None, data: data.into() }
    }

    /// Adds the number that a client sends as `Last-Event-ID` when it comes back.
    pub fn with_id(mut self, id: u64) -> Message {
        self.id = Some(id);
        self
    }

    fn frame(&self) -> Bytes {
        let mut out = format!("event: {}\n", self.name);
        if let Some(id) = self.id {
            let _ = writeln!(out, "id: {id}");
        }
        // A line break, of either kind, would end the field.
        for line in self.data.split(['\n', '\r']) {
            let _ = writeln!(out, "data: {line}");
        }
        out.push('\n');
        out.into()
    }
}

/// Answers with `messages` as they come, and a sign of life every 15 s between them. The answer ends
/// with the stream; when the client goes away first, the stream is dropped.
pub fn answer(messages: impl Stream<Item = Message> + Send + 'static) -> Response {
    let ping = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    let feed = Feed { messages: Box::pin(messages), ping, greeted: false };
    let frames = futures_util::stream::unfold(feed, |mut feed| async move {
        let frame = feed.next().await?;
        Some((Ok::<_, Infallible>(frame), feed))
    });
    let mut answer = Body::from_stream(frames).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Reverse proxies would otherwise collect the stream before they pass it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}

struct Feed<S> {
    messages: Pin<Box<S>>,
    ping: Interval,
    greeted: bool,
}

impl<S: Stream<Item = Message>> Feed<S> {
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(RETRY));
        }
        tokio::select! {
            biased;
            message = self.messages.next() => {
                self.ping.reset();
                Some(message?.frame())
            }
            _ = self.ping.tick() => Some(Bytes::from_static(b":\n\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn next(body: &mut Body) -> Option<String> {
        let frame = body.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_message_is_framed_whatever_its_text() {
        let messages = [
            Message::new("entity", "{\"a\":1}").with_id(7),
            Message::new("text", "two\nlines\rid: 9"),
        ];
        let mut body = answer(futures_util::stream::iter(messages)).into_body();
        assert_eq!(next(&mut body).await.unwrap().as_bytes(), RETRY);
        let first = "event: entity\nid: 7\ndata: {\"a\":1}\n\n";
        assert_eq!(next(&mut body).await.unwrap(), first);
        let second = "event: text\ndata: two\ndata: lines\ndata: id: 9\n\n";
        assert_eq!(next(&mut body).await.unwrap(), second);
        assert_eq!(next(&mut body).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_is_kept_alive() {
        let late = futures_util::stream::once(async {
            tokio::time::sleep(Duration::from_secs(40)).await;
            Message::new("late", "")
        });
        let began = Instant::now();
        let mut body = answer(late).into_body();
        assert_eq!(next(&mut body).await.unwrap().as_bytes(), RETRY);
        for at in [15, 30] {
            assert_eq!(next(&mut body).await.unwrap(), ":\n\n");
            assert_eq!(began.elapsed().as_secs(), at);
        }
        assert_eq!(next(&mut body).await.unwrap(), "event: late\ndata: \n\n");
        assert_eq!(next(&mut body).await, None);
    }
}
