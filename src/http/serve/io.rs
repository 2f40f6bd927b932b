//! The socket of one connection: notes what comes in, and ends it when nothing goes out.

use crate::http::serve::room::State;
use crate::http::{Counters, Reason};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

pub(super) struct Io {
    stream: TcpStream,
    address: IpAddr,
    state: Arc<State>,
    counters: Counters,
    write: Duration,
    /// Runs while a write waits for the client.
    waiting: Option<Pin<Box<Sleep>>>,
    stopped_reading: bool,
}

impl Io {
    pub(super) fn new(
        stream: TcpStream,
        address: IpAddr,
        state: Arc<State>,
        write: Duration,
        counters: Counters,
    ) -> Io {
        Io { stream, address, state, counters, write, waiting: None, stopped_reading: false }
    }

    /// Gives the socket back for a last word; `None` when the client does not take what it has.
    pub(super) fn into_stream(self) -> Option<TcpStream> {
        (self.waiting.is_none() && !self.stopped_reading).then_some(self.stream)
    }

    /// Notes whether a write made progress, and ends the connection when none did for too long.
    fn poll_written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.waiting.take().is_some() {
                self.state.stall(false);
            }
            return written;
        }
        if self.waiting.is_none() {
            self.state.stall(true);
        }
        let write = self.write;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(write)));
        ready!(waiting.as_mut().poll(cx));
        self.counters.refuse(Reason::SlowReader, self.address);
        // What it did not read is thrown away, not kept for it by the system.
        let _ = self.stream.set_zero_linger();
        self.stopped_reading = true;
        Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut)))
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.state.heard();
        }
        read
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.poll_written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
