//! The body of a request, held to a size and a time, and the body of an answer, whose end is noted.

use crate::http::serve::room::{Phase, State, Stopped};
use axum::body::{Body as AnyBody, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a client sends. Reading ends with an error at the limit or at `until`.
pub(super) struct Asked {
    inner: Incoming,
    left: usize,
    until: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    state: Arc<State>,
}

impl Asked {
    pub(super) fn new(inner: Incoming, limit: usize, until: Instant, state: Arc<State>) -> Asked {
        Asked { inner, left: limit, until, timer: None, state }
    }

    fn stop(&mut self, why: Stopped, text: &str) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.state.stop(why);
        Poll::Ready(Some(Err(text.into())))
    }
}

impl Body for Asked {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.state.stopped() != Stopped::No {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, Bytes::len);
                match self.left.checked_sub(size) {
                    Some(left) => self.left = left,
                    None => return self.stop(Stopped::TooLarge, "the body is too large"),
                }
                if self.inner.is_end_stream() {
                    self.state.body_over();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(e))) => Poll::Ready(Some(Err(e.into()))),
            Poll::Ready(None) => {
                self.state.body_over();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let until = self.until;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
                match timer.as_mut().poll(cx) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => self.stop(Stopped::TooSlow, "the body did not come in time"),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.state.body_over();
    }
}

/// What a client gets. Its end makes the connection idle.
pub(super) struct Answered {
    inner: AnyBody,
    // Held for its drop.
    _end: End,
}

struct End(Arc<State>);

impl Answered {
    pub(super) fn new(inner: AnyBody, state: Arc<State>) -> Answered {
        Answered { inner, _end: End(state) }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

impl Body for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
