//! MCP over HTTP: `/mcp` for the default profile, `/mcp/<service>` for one service.
//!
//! Requests come from `http` behind its guard, which puts the [`Caller`] into each; one without is
//! refused. Looks at the message before rmcp does, so that what is no JSON-RPC gets a JSON-RPC
//! error, and at the session, so that it answers only its owner.

use crate::error::Error;
use crate::http::{
    Body, Bytes, HeaderMap, HeaderValue, IntoResponse, Json, Method, Path, Request, Response,
    Router, State, StatusCode, any, header, to_bytes,
};
use crate::mcp::in_flight::{self, Flight, InFlight};
use crate::mcp::server::{Server, Who};
use crate::mcp::session::{Sessions, Whose};
use crate::mcp::{Config, Mcp, Profile};
use crate::policy::Caller;
use futures_util::StreamExt as _;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const SESSION: &str = "mcp-session-id";
/// The first protocol version whose streams begin with an event without data (SEP-1699).
const PRIMES: &str = "2025-11-25";
/// How often idle sessions are looked for.
const SWEEP: Duration = Duration::from_secs(30);

/// Serves MCP over HTTP. Cloning it is cheap.
#[derive(Clone)]
pub struct OverHttp {
    mcp: Mcp,
    config: Config,
    sessions: Arc<Sessions>,
    served: StreamableHttpServerConfig,
    in_flight: InFlight,
}

/// Makes the routes `/mcp` and `/mcp/{service}`, and starts what ends idle and revoked sessions.
pub fn router(mcp: &Mcp) -> Router {
    OverHttp::start(mcp).router()
}

impl OverHttp {
    /// Starts what ends idle and revoked sessions (the task `mcp`).
    pub fn start(mcp: &Mcp) -> OverHttp {
        let config = mcp.toolbox.inner.config.clone();
        let sessions = Arc::new(Sessions::new(config.sessions));
        // The guard in front has checked Host and Origin. JSON serves clients without sessions
        // better than a stream of one event; a call that reports progress gets a stream anyway.
        let served = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .with_json_response(true)
            .with_max_request_body_bytes(config.message_bytes)
            .with_cancellation_token(mcp.tasks.stopping());
        let in_flight = InFlight::default();
        let me = OverHttp { mcp: mcp.clone(), config, sessions, served, in_flight };
        me.look_after();
        me
    }

    /// Makes the routes `/mcp` and `/mcp/{service}`; any other path below is not found.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/mcp", any(default_profile))
            .route("/mcp/{service}", any(one_service))
            .with_state(self.clone())
    }

    /// Returns how many sessions are open, and how many of them have an open stream.
    pub fn sessions(&self) -> (usize, usize) {
        self.sessions.count()
    }

    fn look_after(&self) {
        let (sessions, policy) = (self.sessions.clone(), self.mcp.toolbox.policy().clone());
        let longest = Duration::from_secs(self.config.session_minutes * 60);
        let status = self.mcp.tasks.status("mcp", crate::tasks::Whose::Own);
        self.mcp.tasks.spawn("mcp", move |stop| {
            let (sessions, policy, status) = (sessions.clone(), policy.clone(), status.clone());
            async move {
                let mut revoked = policy.revoked();
                let mut tick = tokio::time::interval(SWEEP);
                status.up();
                loop {
                    tokio::select! {
                        changed = revoked.changed() => {
                            changed.map_err(|e| Error::broken("policy is gone").because(e))?;
                            sessions.end_revoked(&policy).await;
                        }
                        _ = tick.tick() => sessions.end_idle(longest).await,
                        () = stop.cancelled() => return Ok(()),
                    }
                }
            }
        });
    }

    async fn answer(&self, profile: Profile, request: Request) -> Response {
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            return Error::unauthenticated("MCP needs a token").into_response();
        };
        if let Some(id) = session_id(request.headers())
            && self.sessions.whose(id, &caller, &profile) == Whose::Others
        {
            // The same answer as for a session that does not exist: nobody learns that it does.
            return refusal(StatusCode::NOT_FOUND, -32001, "Session not found", &Value::Null);
        }
        if request.method() != Method::POST {
            let primes = session_id(request.headers()).is_some_and(|id| self.sessions.primes(id));
            return self
                .pass(profile, &caller, request, &Seen { id: Value::Null, asks: false, primes })
                .await;
        }
        let (mut parts, body) = request.into_parts();
        let body = match to_bytes(body, self.config.message_bytes).await {
            Ok(body) => body,
            Err(_) => {
                let text = format!("The message has more than {} bytes", self.config.message_bytes);
                return refusal(StatusCode::PAYLOAD_TOO_LARGE, -32600, &text, &Value::Null);
            }
        };
        let seen = match look(&body) {
            Ok(seen) => seen,
            Err(bad) => return refusal(StatusCode::BAD_REQUEST, bad.code, &bad.text, &bad.id),
        };
        // Without a session each request is answered on its own connection, whatever its id.
        let flight = match session_id(&parts.headers).filter(|_| seen.asks) {
            None => None,
            Some(session) => match self.in_flight.enter(session, &seen.id) {
                Some(flight) => Some(flight),
                None => {
                    let text = in_flight::taken(&seen.id);
                    return refusal(StatusCode::BAD_REQUEST, -32600, &text, &seen.id);
                }
            },
        };
        // What came chunked is one piece now.
        parts.headers.remove(header::TRANSFER_ENCODING);
        accept_anything(&mut parts.headers);
        let request = Request::from_parts(parts, Body::from(body));
        landing(self.pass(profile, &caller, request, &seen).await, flight)
    }

    /// Hands a request to rmcp, and mends those of its answers that are no JSON-RPC.
    async fn pass(
        &self,
        profile: Profile,
        caller: &Caller,
        request: Request,
        seen: &Seen,
    ) -> Response {
        let (mcp, place) = (self.mcp.clone(), profile.clone());
        let make = move || Ok(Server::new(mcp.clone(), place.clone(), Who::Carried));
        let mut served = self.served.clone();
        served.sse_retry = served.sse_retry.filter(|_| seen.primes);
        let service = StreamableHttpService::new(make, self.sessions.clone(), served);
        let is_delete = request.method() == Method::DELETE;
        let response = service.handle(request).await;
        if let Some(id) = session_id(response.headers()) {
            self.sessions.bind(id, caller, &profile, seen.primes);
        }
        let status = response.status();
        if is_delete && status == StatusCode::ACCEPTED {
            // Some clients take only these words for done.
            return StatusCode::NO_CONTENT.into_response();
        }
        let is_json = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        if status.as_u16() < 400 || is_json {
            return response.map(Body::new);
        }
        self.mend(response.map(Body::new), &seen.id).await
    }

    /// rmcp refuses in plain text; clients get the same as a JSON-RPC error.
    async fn mend(&self, response: Response, id: &Value) -> Response {
        let (parts, body) = response.into_parts();
        let text = to_bytes(body, 4096).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut mended = match parts.status {
            // The message was JSON, as we looked, but not what its method takes.
            StatusCode::UNSUPPORTED_MEDIA_TYPE if text.contains("deserialize") => {
                refusal(StatusCode::BAD_REQUEST, -32602, "Invalid params", id)
            }
            StatusCode::NOT_FOUND => refusal(parts.status, -32001, "Session not found", id),
            StatusCode::INTERNAL_SERVER_ERROR => {
                log::warn!("mcp: a request failed: {text}");
                refusal(parts.status, -32603, "Internal error", id)
            }
            status => refusal(status, -32000, &text, id),
        };
        if let Some(allow) = parts.headers.get(header::ALLOW) {
            mended.headers_mut().insert(header::ALLOW, allow.clone());
        }
        mended
    }
}

async fn default_profile(State(me): State<OverHttp>, request: Request) -> Response {
    me.answer(Profile::Default, request).await
}

async fn one_service(
    State(me): State<OverHttp>,
    Path(service): Path<String>,
    request: Request,
) -> Response {
    match me.mcp.toolbox.profile(&service) {
        Ok(profile) => me.answer(profile, request).await,
        Err(e) => e.into_response(),
    }
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION).and_then(|value: &HeaderValue| value.to_str().ok())
}

/// A client that takes anything, or does not say, takes what rmcp wants to hear by name.
fn accept_anything(headers: &mut HeaderMap) {
    let asked: Vec<&str> =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if asked.is_empty() || asked.iter().any(|value| value.contains("*/*")) {
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(header::ACCEPT, both);
    }
}

/// What can be said of a message before its method is known. Anything may stand where a text should.
#[derive(Deserialize)]
struct Envelope<'a> {
    jsonrpc: Option<Value>,
    id: Option<Value>,
    method: Option<Value>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    result: Option<IgnoredAny>,
    error: Option<IgnoredAny>,
}

/// What was seen of a request before rmcp gets it.
struct Seen {
    /// The id of its message; null for one that wants no answer.
    id: Value,
    /// Whether it is a request, and no notification or answer.
    asks: bool,
    /// Whether a stream that answers it may begin with an event without data.
    primes: bool,
}

/// Why a message is none.
struct Bad {
    code: i32,
    text: String,
    /// The id, when it can be read; else null.
    id: Value,
}

/// Looks at a JSON-RPC message.
fn look(body: &Bytes) -> Result<Seen, Bad> {
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(e) if e.is_data() => {
            let text = "Invalid Request: one JSON-RPC message per request, as an object";
            return Err(Bad { code: -32600, text: text.into(), id: Value::Null });
        }
        Err(e) => {
            return Err(Bad { code: -32700, text: format!("Parse error: {e}"), id: Value::Null });
        }
    };
    let primes = envelope.method == Some("initialize".into()) && wants_priming(envelope.params);
    let (given, known) = (envelope.id.unwrap_or_default(), envelope.jsonrpc == Some("2.0".into()));
    let is_readable = given.is_string() || given.is_number();
    let is_method = envelope.method.is_some_and(|method| method.is_string());
    let is_something = is_method || envelope.result.is_some() || envelope.error.is_some();
    if known && is_something && (given.is_null() || is_readable) {
        return Ok(Seen { asks: is_method && !given.is_null(), id: given, primes });
    }
    let id = if is_readable { given } else { Value::Null };
    Err(Bad { code: -32600, text: "Invalid Request: not a JSON-RPC 2.0 message".into(), id })
}

/// Whether the parameters of `initialize` name a version with priming; versions are dates.
fn wants_priming(params: Option<&RawValue>) -> bool {
    #[derive(Deserialize)]
    struct Hello {
        #[serde(rename = "protocolVersion")]
        version: String,
    }
    let hello = params.and_then(|params| serde_json::from_str::<Hello>(params.get()).ok());
    hello.is_some_and(|hello| *hello.version >= *PRIMES)
}

/// Ends the flight of a request with its answer: a stream may go on for long before that comes.
fn landing(response: Response, flight: Option<Flight>) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if flight.is_none() || !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
        return response;
    }
    let mut flight = flight;
    response.map(|body| {
        let parts = body.into_data_stream().inspect(move |part| {
            if part.as_ref().is_ok_and(|part| in_flight::holds_answer(part)) {
                // The client may use the id again as soon as it reads this.
                drop(flight.take());
            }
        });
        Body::from_stream(parts)
    })
}

fn refusal(status: StatusCode, code: i32, text: &str, id: &Value) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": text } });
    (status, Json(body)).into_response()
}
