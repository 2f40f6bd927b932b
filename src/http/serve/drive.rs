//! One connection from its first byte to its end.

use crate::http::Reason;
use crate::http::answer::last_refusal;
use crate::http::serve::body::{Answered, Asked};
use crate::http::serve::io::Io;
use crate::http::serve::room::{Full, Phase, Seat, State, Stopped};
use crate::http::serve::{Limits, Peer, Shared};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use futures_util::FutureExt;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// A refused client has this long to read the refusal, and may send so many bytes more meanwhile.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

/// What a client gets that took too long for its head.
const TOO_LATE: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// When a client that was turned away may come again, in seconds.
const COME_AGAIN: u64 = 1;
/// The one path that is answered on a spare connection.
const SPARE_PATH: &str = "/health";

/// How a connection ended.
enum End {
    /// By either side, or by a fault.
    Over(hyper::Result<()>),
    /// It asked nothing, or not all of it, in the time it had.
    Late,
    /// It had to make room, or Hearth ends.
    Cut,
}

/// Serves one connection until either side ends it.
pub(super) async fn drive(
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    seat: Seat,
    stop: CancellationToken,
) {
    // Small answers would otherwise wait 40 ms for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let state = seat.state.clone();
    let write = shared.limits.write;
    let mut io = Io::new(stream, peer.ip(), state.clone(), write, shared.counters.clone());
    let exchange = Arc::new(Exchange { shared: shared.clone(), router, peer, state });
    let end = exchange.run(&mut io, stop).await;
    let phase = exchange.state.phase();
    drop(seat);
    match &end {
        End::Cut => return,
        End::Late if phase != Phase::Head => return,
        End::Late => shared.counters.refuse(Reason::SlowHead, peer.ip()),
        End::Over(Err(e)) => note(shared, peer, e),
        End::Over(Ok(())) => {}
    }
    let Some(stream) = io.into_stream() else { return };
    if matches!(end, End::Late) {
        let _ = stream.try_write(TOO_LATE);
    }
    linger(shared, stream).await;
}

/// The time that the present phase of a connection has.
struct Clock {
    timer: Pin<Box<Sleep>>,
    set_to: Option<Instant>,
}

impl Clock {
    /// Ready when the time is over. Phases only change while the connection is polled, so this is
    /// asked after each of its polls.
    fn poll_over(&mut self, cx: &mut Context<'_>, state: &State, limits: &Limits) -> Poll<()> {
        let whole = match state.phase() {
            Phase::Fresh | Phase::Head => limits.head,
            Phase::Idle => limits.idle,
            Phase::Body | Phase::Busy => return Poll::Pending,
        };
        let until = Instant::from_std(state.since()) + whole;
        if self.set_to != Some(until) {
            self.timer.as_mut().reset(until);
            self.set_to = Some(until);
        }
        self.timer.as_mut().poll(cx)
    }
}

/// Counts what the engine itself refused. Clients that hang up are no news, and those that stopped
/// reading are counted by `Io`.
fn note(shared: &Shared, peer: SocketAddr, e: &hyper::Error) {
    if e.is_parse_too_large() {
        shared.counters.refuse(Reason::HeadTooLarge, peer.ip());
    } else if e.is_parse() {
        shared.counters.refuse(Reason::BadRequest, format_args!("{}: {e}", peer.ip()));
    } else {
        log::debug!("connection from {peer} ended: {e}");
    }
}

/// Says why there is no room, and what to do about it.
fn full_text(limits: &Limits, full: Full) -> String {
    match full {
        Full::Address => format!(
            "all {} connections from your address are at work: close some, or let more in with \
             http.connections_per_address",
            limits.per_address
        ),
        Full::All => format!(
            "all {} connections of Hearth are at work: try again, or let more in with \
             http.connections",
            limits.connections
        ),
    }
}

/// Tells a client that there is no room, before it has said what it wants.
pub(super) async fn turn_away(shared: &Shared, mut stream: TcpStream, full: Full) {
    let message = full_text(&shared.limits, full);
    let body = json!({ "error": { "code": "limit", "message": message } }).to_string();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: {COME_AGAIN}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // A fresh socket takes this much at once; one that does not is not worth waiting for.
    if stream.try_write(answer.as_bytes()).is_ok() {
        let _ = stream.shutdown().await;
        linger(shared, stream).await;
    }
}

/// Reads on for a moment without keeping anything: closing a socket with unread bytes in it would
/// cut off the answer before the client reads it.
async fn linger(shared: &Shared, mut stream: TcpStream) {
    let Ok(_permit) = shared.lingering.try_acquire() else { return };
    let drain = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let mut sink = [0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read(&mut sink).await {
                Ok(n) if n > 0 => left = left.saturating_sub(n),
                _ => return,
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, drain).await;
}

/// Hands requests of one connection to the router.
struct Exchange {
    shared: Arc<Shared>,
    router: Router,
    peer: SocketAddr,
    state: Arc<State>,
}

impl Exchange {
    /// Runs the engine until the connection ends.
    async fn run(self: &Arc<Exchange>, io: &mut Io, stop: CancellationToken) -> End {
        let limits = &self.shared.limits;
        let own = self.clone();
        let service = service_fn(move |request| {
            let exchange = own.clone();
            async move { Ok::<_, Infallible>(exchange.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // The clock below keeps the time: this one cannot tell an idle client from a slow one.
            .header_read_timeout(None)
            .max_header_size(limits.head_bytes)
            .max_headers(limits.head_lines)
            .max_buf_size((limits.head_bytes * 2).max(64 * 1024))
            .serve_connection(TokioIo::new(io), service);
        let mut connection = pin!(connection);
        let mut clock = Clock { timer: Box::pin(sleep(limits.head)), set_to: None };
        let mut grace = pin!(sleep(limits.grace));
        let mut stopping = false;
        loop {
            let turn = poll_fn(|cx| match connection.as_mut().poll(cx) {
                Poll::Ready(end) => Poll::Ready(End::Over(end)),
                Poll::Pending => clock.poll_over(cx, &self.state, limits).map(|()| End::Late),
            });
            tokio::select! {
                biased;
                end = turn => return end,
                () = self.state.gone.cancelled() => return End::Cut,
                () = stop.cancelled(), if !stopping => {
                    connection.as_mut().graceful_shutdown();
                    grace.as_mut().reset(Instant::now() + limits.grace);
                    stopping = true;
                }
                () = grace.as_mut(), if stopping => return End::Cut,
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Answered> {
        let waits = !request.body().is_end_stream();
        self.state.stop(Stopped::No);
        self.state.enter(if waits { Phase::Body } else { Phase::Busy });
        let mut answer = match self.refuse(&request) {
            Some(refusal) => refusal,
            None => self.route(request).await,
        };
        if self.state.spare.is_some() {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self.state.body_over();
        self.shared.counters.answered(answer.status().as_u16());
        answer.map(|body| Answered::new(body, self.state.clone()))
    }

    /// Refuses what no route should see.
    fn refuse(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        if let Some(full) = self.state.spare
            && request.uri().path() != SPARE_PATH
        {
            self.shared.counters.refuse(Reason::Full, self.peer.ip());
            let text = full_text(&self.shared.limits, full);
            let mut refusal = last_refusal(StatusCode::SERVICE_UNAVAILABLE, "limit", &text);
            refusal.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(COME_AGAIN));
            return Some(refusal);
        }
        if !is_plainly_framed(request.headers()) {
            self.shared.counters.refuse(Reason::BadRequest, self.peer.ip());
            let text = "the only transfer encoding understood is 'chunked'";
            return Some(last_refusal(StatusCode::BAD_REQUEST, "invalid", text));
        }
        let limit = self.shared.limits.body_bytes_of(request.uri().path());
        let announced = request.body().size_hint().lower();
        (announced > limit as u64).then(|| self.too_large(limit))
    }

    fn too_large(&self, limit: usize) -> Response<Body> {
        self.shared.counters.refuse(Reason::BodyTooLarge, self.peer.ip());
        let text = format!("the body may have up to {limit} bytes here");
        last_refusal(StatusCode::PAYLOAD_TOO_LARGE, "limit", &text)
    }

    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let limit = self.shared.limits.body_bytes_of(request.uri().path());
        let place = format!("{} {}", request.method(), request.uri().path());
        let until = Instant::now() + self.shared.limits.body;
        let state = self.state.clone();
        let mut request = request.map(|body| Body::new(Asked::new(body, limit, until, state)));
        request.extensions_mut().insert(Peer(self.peer));
        let answer = AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind().await;
        // What the route made of the cut body does not matter.
        match self.state.stopped() {
            Stopped::TooLarge => return self.too_large(limit),
            Stopped::TooSlow => {
                self.shared.counters.refuse(Reason::SlowBody, self.peer.ip());
                let text = "the body did not come in time";
                return last_refusal(StatusCode::REQUEST_TIMEOUT, "timeout", text);
            }
            Stopped::No => {}
        }
        match answer {
            Ok(Ok(answer)) => answer,
            Err(panic) => {
                let why = crate::tasks::panic_text(&*panic);
                self.shared.counters.refuse(Reason::Panic, format_args!("{place}: {why}"));
                let text = "Hearth made a mistake here; its log says more";
                last_refusal(StatusCode::INTERNAL_SERVER_ERROR, "broken", text)
            }
        }
    }
}

/// Whether nobody could see another end of the body than we do: HTTP knows more transfer encodings
/// than `chunked`, and lists of them, but no client of ours uses them.
fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (encodings.next(), encodings.next()) {
        (None, _) => true,
        (Some(one), None) => one.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}
