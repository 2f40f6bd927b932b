//! The socket of one connection, with the times it has for a head and for a write.

use crate::http::serve::Limits;
use crate::http::serve::room::{Phase, State};
use crate::http::{Counters, Reason};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// What a client gets that took too long for its head.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

pub(super) struct Io {
    stream: TcpStream,
    address: IpAddr,
    state: Arc<State>,
    counters: Counters,
    head: Duration,
    idle: Duration,
    write: Duration,
    read_timer: Option<Pin<Box<Sleep>>>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl Io {
    pub(super) fn new(
        stream: TcpStream,
        address: IpAddr,
        state: Arc<State>,
        limits: &Limits,
        counters: Counters,
    ) -> Io {
        Io {
            stream,
            address,
            state,
            counters,
            head: limits.head,
            idle: limits.idle,
            write: limits.write,
            read_timer: None,
            write_timer: None,
        }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// How long the present phase may last without the next byte.
    fn left(&self) -> Option<Duration> {
        let whole = match self.state.phase() {
            Phase::Fresh | Phase::Head => self.head,
            Phase::Idle => self.idle,
            Phase::Body | Phase::Busy => return None,
        };
        Some(whole.saturating_sub(self.state.lasting()))
    }

    /// Waits for the end of the time that the client has; only ever called when nothing came.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(left) = self.left() else {
            self.read_timer = None;
            return Poll::Pending;
        };
        if !left.is_zero() {
            let timer = self.read_timer.get_or_insert_with(|| Box::pin(sleep(left)));
            // The phase may have changed since the timer was set.
            timer.as_mut().reset(Instant::now() + left);
            ready!(timer.as_mut().poll(cx));
        }
        if self.state.phase() == Phase::Head {
            self.counters.refuse(Reason::SlowHead, self.address);
            if self.write_timer.is_none() {
                let _ = Pin::new(&mut self.stream).poll_write(cx, TOO_LATE);
            }
        }
        Poll::Ready(io::Error::from(io::ErrorKind::TimedOut))
    }

    /// Notes whether a write made progress, and ends the connection when none did for too long.
    fn poll_written<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.write_timer.take().is_some() {
                self.state.stall(false);
            }
            return written;
        }
        if self.write_timer.is_none() {
            self.state.stall(true);
        }
        let write = self.write;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep(write)));
        ready!(timer.as_mut().poll(cx));
        self.counters.refuse(Reason::SlowReader, self.address);
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
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if buf.filled().len() > before {
                    self.state.heard();
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_late(cx).map(Err),
        }
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
