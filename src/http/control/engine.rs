//! Answers the gate's requests from the router, with tiny_http.
//!
//! tiny_http reads without limits and trusts lengths; the gate sees to both. Answers are written by
//! hand: its own `Response` would collect a stream before sending any of it.

use crate::error::Error;
use crate::http::control::PASS;
use crate::http::guard::Client;
use crate::policy::{Policy, Via};
use crate::tasks::{Tasks, Whose};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Response, Uri};
use http_body_util::BodyExt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use tiny_http::{Request, Server};
use tower::ServiceExt;

struct Engine {
    server: Server,
    path: PathBuf,
    pass: String,
    router: Router,
    policy: Policy,
    tasks: Tasks,
}

pub(super) fn start(
    listener: UnixListener,
    path: PathBuf,
    pass: String,
    router: Router,
    policy: &Policy,
    tasks: &Tasks,
) -> Result<(), Error> {
    let server = Server::from_listener(listener, None)
        .map_err(|e| Error::broken(format!("cannot open the control socket: {e}")))?;
    let (policy, own) = (policy.clone(), tasks.clone());
    let engine = Arc::new(Engine { server, path, pass, router, policy, tasks: own });
    tasks.thread("control-engine", move |stop| {
        let waker = engine.clone();
        let stopped = stop.clone();
        engine.tasks.job(async move {
            stopped.cancelled().await;
            waker.server.unblock();
        });
        engine.tasks.status("control-engine", Whose::Own).up();
        while !stop.is_cancelled() {
            // The only error there is comes from the waking above.
            let Ok(request) = engine.server.recv() else { continue };
            let engine = engine.clone();
            engine.tasks.clone().job(async move { engine.answer(request).await });
        }
        let _ = std::fs::remove_file(&engine.path);
        Ok(())
    })
}

impl Engine {
    async fn answer(&self, request: Request) {
        // A request that is dropped unanswered, here or by a panic, gets a 500 from tiny_http.
        let passes = |h: &tiny_http::Header| h.field.equiv(PASS) && h.value == *self.pass;
        if !request.headers().iter().any(passes) {
            return;
        }
        let read = self.tasks.blocking(move || read(request)).await;
        let Ok(Some((asked, request))) = read else { return };
        let mut asked = asked;
        asked.extensions_mut().insert(self.policy.local(Via::Control));
        asked.extensions_mut().insert(Client {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            is_https: false,
            is_loopback: true,
        });
        let Ok(answer) = self.router.clone().oneshot(asked).await;
        if let Err(e) = self.write(answer, request).await {
            log::debug!("a command went away before its answer: {e}");
        }
    }

    /// Writes piece by piece as the route makes them; each blocking write is short-lived, so that a
    /// quiet stream holds no thread.
    async fn write(&self, answer: Response<Body>, request: Request) -> Result<(), Error> {
        let (parts, mut body) = answer.into_parts();
        let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", parts.status).into_bytes();
        for (name, value) in &parts.headers {
            if name != "connection" && name != "transfer-encoding" {
                head.extend_from_slice(name.as_str().as_bytes());
                head.extend_from_slice(b": ");
                head.extend_from_slice(value.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
        }
        head.extend_from_slice(b"\r\n");
        let mut writer = request.into_writer();
        let mut piece = bytes::Bytes::from(head);
        loop {
            let written = self.tasks.blocking(move || {
                let written = writer.write_all(&piece).and_then(|()| writer.flush());
                written.map(|()| writer)
            });
            writer = written.await?.map_err(|e| Error::broken("it hung up").because(e))?;
            piece = match body.frame().await {
                None => return Ok(()),
                Some(Err(e)) => return Err(Error::broken("the answer broke off").because(e)),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
        }
    }
}

/// Turns the engine's request into one for the router; the gate has bounded all of it.
fn read(mut request: Request) -> Option<(axum::http::Request<Body>, Request)> {
    let mut body = Vec::with_capacity(request.body_length().unwrap_or(0));
    request.as_reader().read_to_end(&mut body).ok()?;
    let method = Method::from_bytes(request.method().as_str().as_bytes()).ok()?;
    let uri: Uri = request.url().parse().ok()?;
    let mut asked = axum::http::Request::builder().method(method).uri(uri);
    for header in request.headers() {
        let name = HeaderName::from_bytes(header.field.as_str().as_str().as_bytes()).ok()?;
        if name != PASS {
            asked = asked.header(name, HeaderValue::from_str(header.value.as_str()).ok()?);
        }
    }
    Some((asked.body(Body::from(body)).ok()?, request))
}
