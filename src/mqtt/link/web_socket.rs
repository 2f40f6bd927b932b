//! MQTT over WebSocket: bytes in binary messages, whose ends mean nothing (MQTT 5, section 6).
//!
//! The library makes the handshake. It would then hold each message in memory whole, of whatever size a
//! broker sends it, so the frames (RFC 6455, section 5.2) are read here, as they come.

use crate::mqtt::address::Address;
use crate::mqtt::link::dial::Socket;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// Bytes that are read at once.
const BUFFER: usize = 16 << 10;
/// Bytes that go into one frame of ours.
const FRAME: usize = 64 << 10;
/// Largest frame that is no data (RFC 6455, section 5.5).
const CONTROL: usize = 125;

const MORE: u8 = 0x0;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// Upgrades a connection; the error says why that failed.
pub(super) async fn open(address: &Address, plain: Socket) -> Result<Socket, String> {
    let unusable = |e: Error| format!("{address} is no address of a WebSocket ({e})");
    let mut request = address.to_string().into_client_request().map_err(unusable)?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
    match tokio_tungstenite::client_async(request, plain).await {
        // A broker says nothing before CONNECT, so nothing was read behind its answer.
        Ok((upgraded, _)) => Ok(Box::new(WebSocket::new(upgraded.into_inner()))),
        Err(Error::Http(answer)) => Err(format!(
            "{address} answers HTTP {} where a broker opens a WebSocket; check the path",
            answer.status().as_u16()
        )),
        Err(e) => Err(format!("{address} opens no WebSocket ({e})")),
    }
}

struct WebSocket<S> {
    inner: S,
    /// What was read and not looked at: `buffer[at..end]`.
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    part: Part,
    /// What is still to be written: frames of ours.
    out: Vec<u8>,
    written: usize,
}

enum Part {
    /// In the first bytes of a frame.
    Head(Vec<u8>),
    /// In data; so many bytes are left of the frame.
    Data(u64),
    /// In a frame of another kind, which is small.
    Other { kind: u8, left: usize, body: Vec<u8> },
    /// The broker said goodbye.
    Over,
}

impl<S> WebSocket<S> {
    fn new(inner: S) -> WebSocket<S> {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let part = Part::Head(Vec::new());
        WebSocket { inner, buffer, at: 0, end: 0, part, out: Vec::new(), written: 0 }
    }

    /// Looks at what was read; puts data into `buf` and returns whether there was any.
    fn take(&mut self, buf: &mut ReadBuf<'_>) -> io::Result<bool> {
        let before = buf.filled().len();
        while self.at < self.end && buf.remaining() > 0 {
            let rest = &self.buffer[self.at..self.end];
            match &mut self.part {
                Part::Data(left) => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    let n = rest.len().min(buf.remaining()).min(most);
                    buf.put_slice(&rest[..n]);
                    *left -= n as u64;
                    self.at += n;
                    if *left == 0 {
                        self.part = Part::Head(Vec::new());
                    }
                }
                Part::Head(head) => {
                    head.push(rest[0]);
                    self.at += 1;
                    if let Some(part) = part_of(head)? {
                        self.part = part;
                        self.end_of_other()?;
                    }
                }
                Part::Other { left, body, .. } => {
                    let n = rest.len().min(*left);
                    body.extend_from_slice(&rest[..n]);
                    *left -= n;
                    self.at += n;
                    self.end_of_other()?;
                }
                Part::Over => self.at = self.end,
            }
        }
        Ok(buf.filled().len() > before)
    }

    /// Does what a frame that is no data asks for, once it is there whole.
    fn end_of_other(&mut self) -> io::Result<()> {
        let Part::Other { kind, left: 0, body } = &mut self.part else { return Ok(()) };
        let (kind, body) = (*kind, std::mem::take(body));
        self.part = if kind == CLOSE { Part::Over } else { Part::Head(Vec::new()) };
        match kind {
            PING => self.frame(PONG, &body),
            CLOSE => self.frame(CLOSE, &body),
            _ => Ok(()),
        }
    }

    /// Writes a frame into `out`.
    fn frame(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let mut mask = [0; 4];
        let none = |_| io::Error::other("the system gives no random numbers");
        getrandom::fill(&mut mask).map_err(none)?;
        self.out.push(0x80 | kind);
        match body.len() {
            n @ 0..=CONTROL => self.out.push(0x80 | n as u8),
            n if n <= usize::from(u16::MAX) => {
                self.out.push(0x80 | 126);
                self.out.extend_from_slice(&(n as u16).to_be_bytes());
            }
            n => {
                self.out.push(0x80 | 127);
                self.out.extend_from_slice(&(n as u64).to_be_bytes());
            }
        }
        self.out.extend_from_slice(&mask);
        self.out.extend(body.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        Ok(())
    }
}

/// Returns what begins with this head; `None` when it is not there whole.
fn part_of(head: &[u8]) -> io::Result<Option<Part>> {
    let [first, second, more @ ..] = head else { return Ok(None) };
    let (kind, short) = (first & 0x0F, second & 0x7F);
    if first & 0x70 != 0 || second & 0x80 != 0 {
        return Err(bad("a frame that no WebSocket server sends"));
    }
    let wanted = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if more.len() < wanted {
        return Ok(None);
    }
    let long = more.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    let length = if wanted > 0 { long } else { u64::from(short) };
    match kind {
        BINARY | MORE if length > 0 => Ok(Some(Part::Data(length))),
        BINARY | MORE => Ok(Some(Part::Head(Vec::new()))),
        CLOSE | PING | PONG if wanted == 0 && usize::from(short) <= CONTROL => {
            Ok(Some(Part::Other { kind, left: usize::from(short), body: Vec::new() }))
        }
        _ => Err(bad("what is no binary message over its WebSocket")),
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the broker sent {what}"))
}

impl<S: AsyncWrite + Unpin> WebSocket<S> {
    /// Writes what waits.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            let rest = &self.out[self.written..];
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.written += n,
            }
        }
        self.out.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let some = this.take(buf)?;
            if !this.out.is_empty() && matches!(this.poll_out(cx)?, Poll::Ready(())) {
                let _ = Pin::new(&mut this.inner).poll_flush(cx)?;
            }
            if some || matches!(this.part, Part::Over) {
                return Poll::Ready(Ok(()));
            }
            let mut fresh = ReadBuf::new(&mut this.buffer);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut fresh))?;
            (this.at, this.end) = (0, fresh.filled().len());
            if this.end == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_out(cx))?;
        let n = bytes.len().min(FRAME);
        self.frame(BINARY, &bytes[..n])?;
        // What cannot be written now is written at the next write or flush.
        let _ = self.poll_out(cx)?;
        Poll::Ready(Ok(n))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
