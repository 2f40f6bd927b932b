//! MQTT over WebSocket, as a broker takes it: bytes in binary messages, whose ends mean nothing (MQTT 5,
//! section 6).

use futures_util::{Sink, Stream};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

const BUFFER: usize = 16 << 10;

/// Takes an upgrade as a broker does (section 6); says whether a page of a browser asks, as its `Origin`
/// shows. `most` is the largest message in bytes; the error says why there was no upgrade.
pub(super) async fn accept(
    stream: TcpStream,
    most: usize,
) -> Result<(impl AsyncRead + AsyncWrite + Send + Unpin, bool), String> {
    let mut is_page = false;
    #[allow(clippy::result_large_err, reason = "the type is the package's")]
    let look = |asked: &Request, mut answer: Response| {
        is_page = asked.headers().contains_key("Origin");
        let words = asked.headers().get_all("Sec-WebSocket-Protocol");
        let mut words =
            words.iter().filter_map(|all| all.to_str().ok()).flat_map(|all| all.split(','));
        if !words.any(|word| word.trim() == "mqtt") {
            let text = "this WebSocket speaks the protocol 'mqtt'".to_owned();
            let mut refusal = ErrorResponse::new(Some(text));
            *refusal.status_mut() = StatusCode::BAD_REQUEST;
            return Err(refusal);
        }
        answer.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
        Ok(answer)
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(most))
        .max_frame_size(Some(most));
    let upgrade = tokio_tungstenite::accept_hdr_async_with_config(stream, look, Some(config));
    let inner = upgrade.await.map_err(|e| format!("no WebSocket was opened ({e})"))?;
    Ok((WebSocket { inner, rest: Bytes::new() }, is_page))
}

struct WebSocket {
    inner: WebSocketStream<TcpStream>,
    /// What is left of the last message.
    rest: Bytes,
}

impl AsyncRead for WebSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if !self.rest.is_empty() {
                let n = self.rest.len().min(buf.remaining());
                buf.put_slice(&self.rest.split_to(n));
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                Some(Ok(Message::Text(_))) => {
                    let what = "the client sent text over its WebSocket";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
                }
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Ok(_)) => {}
                Some(Err(e)) => return Poll::Ready(Err(failed(e))),
            }
        }
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.inner).poll_ready(cx)).map_err(failed)?;
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        Pin::new(&mut self.inner).start_send(message).map_err(failed)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(failed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx).map_err(failed)
    }
}

fn failed(e: Error) -> io::Error {
    match e {
        Error::Io(e) => e,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => io::Error::other(other.to_string()),
    }
}
