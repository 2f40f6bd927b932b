//! The door: who is calling, from where, by which name, and how often.
//!
//! It stands in front of every route of every listener. A request that passes carries a [`Client`]
//! and, unless its path is [`PUBLIC`] and it came without a token, a [`Caller`] among its extensions.
//! It asks `policy` whose token it is and decides nothing about what the caller may do.

mod client;
mod cookie;
mod name;
mod public;
mod rate;
mod wrong;

pub use client::{Client, Net};
pub use cookie::{COOKIE, clear_cookie, session_cookie, set_cookie};
pub(crate) use name::faults as faults_of_names;
pub use public::{PUBLIC, Public};

use crate::error::Error;
use crate::http::answer::refusal;
use crate::http::serve::Peer;
use crate::http::{Config, Counters, Reason};
use crate::policy::{Caller, Policy, Via};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Names under which a token must not stand in an address: addresses end up in logs and histories.
const TOKEN_NAMES: &[&str] = &[
    "token",
    "access_token",
    "auth_token",
    "auth",
    "api_key",
    "apikey",
    "bearer",
    "authorization",
];

/// The door. Cloning it is cheap; all clones share their counts.
#[derive(Clone)]
pub struct Guard {
    shared: Arc<Shared>,
}

struct Shared {
    policy: Policy,
    counters: Counters,
    names: name::Names,
    proxies: Vec<Net>,
    open_loopback: bool,
    addresses: Mutex<rate::Buckets<IpAddr>>,
    tokens: Mutex<rate::Buckets<u64>>,
    wrong: Mutex<wrong::Wrong>,
}

/// The answer to a request that may not pass.
struct Refusal(Box<Response>);

impl From<Response> for Refusal {
    fn from(answer: Response) -> Refusal {
        Refusal(Box::new(answer))
    }
}

/// What `admit` found out about a request that may pass.
struct Passed {
    /// The origin of another page that may read the answer.
    origin: Option<HeaderValue>,
    /// The answer to a preflight request: no route sees it.
    preflight: Option<Response>,
}

impl Guard {
    /// Makes the door for `config`.
    ///
    /// # Errors
    /// Invalid when a trusted proxy, host or origin of the configuration is none.
    pub fn new(config: &Config, policy: &Policy, counters: &Counters) -> Result<Guard, Error> {
        let longest = Duration::from_secs(config.wrong_token_seconds.max(1));
        Ok(Guard {
            shared: Arc::new(Shared {
                policy: policy.clone(),
                counters: counters.clone(),
                names: name::Names::new(config)?,
                proxies: Net::read_all(&config.trusted_proxies)?,
                open_loopback: config.open_loopback,
                addresses: Mutex::new(rate::Buckets::new(
                    config.address_per_second,
                    config.address_burst,
                )),
                tokens: Mutex::new(rate::Buckets::new(config.token_per_second, config.token_burst)),
                wrong: Mutex::new(wrong::Wrong::new(config.wrong_tokens, longest)),
            }),
        })
    }

    /// Puts the door in front of every route and the fallback of `router`.
    pub fn protect(&self, router: Router) -> Router {
        router.layer(axum::middleware::from_fn_with_state(self.clone(), pass))
    }

    /// Lets requests for this host name in too; for a name that came up while running.
    pub fn also_called(&self, name: &str) {
        self.shared.names.add(name);
    }

    /// Returns whose token this is. For a login form: counts wrong tokens like the door itself.
    ///
    /// # Errors
    /// Limit while the client has to wait, Unauthenticated for a wrong token.
    pub fn try_token(&self, client: &Client, secret: &str, via: Via) -> Result<Caller, Error> {
        let now = Instant::now();
        if let Err(wait) = lock(&self.shared.wrong).may_try(client.address, secret, now) {
            self.shared.counters.refuse(Reason::RateLimit, client.address);
            let seconds = wait.as_secs() + 1;
            let what = format!("too many wrong tokens from here; wait {seconds} s and try again");
            return Err(Error::limit(what));
        }
        match self.shared.policy.caller_of_token(secret, via) {
            Some(caller) => {
                lock(&self.shared.wrong).worked(client.address, secret, now);
                Ok(caller)
            }
            None => {
                lock(&self.shared.wrong).failed(client.address, now);
                self.shared.counters.refuse(Reason::WrongToken, client.address);
                let what = "this token is not known (any more); `hearth token new` makes one";
                Err(Error::unauthenticated(what))
            }
        }
    }

    /// Decides about a request and notes on it who calls.
    fn admit(&self, request: &mut Request) -> Result<Passed, Refusal> {
        let shared = &self.shared;
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        // Only requests made inside this program have no peer.
        let peer = peer.unwrap_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        let client = Client::read(peer, request.headers(), &shared.proxies);
        if !lock(&shared.addresses).take(client.address, Instant::now()) {
            return Err(self.too_often(&client).into());
        }
        let host = shared.names.host(request).map_err(|e| {
            shared.counters.refuse(Reason::WrongHost, client.address);
            Refusal::from(refusal(e.0, "refused", &e.1))
        })?;
        if has_token_in_query(request.uri().query().unwrap_or("")) {
            shared.counters.refuse(Reason::TokenInUrl, client.address);
            let text =
                "a token in the address ends up in logs: send it as 'Authorization: Bearer …'";
            return Err(refusal(StatusCode::BAD_REQUEST, "invalid", text).into());
        }
        let is_public = public::is_public(request.method(), request.uri().path());
        let origin = request.headers().get(header::ORIGIN).cloned();
        let from = shared.names.origin(origin.as_ref(), &host);
        let readable = is_public && is_safe(request.method());
        if !from.may_ask(readable) {
            shared.counters.refuse(Reason::WrongOrigin, client.address);
            let text = "pages of this origin may not use Hearth; see http.origins";
            return Err(refusal(StatusCode::FORBIDDEN, "refused", text).into());
        }
        let origin = origin.filter(|_| from.is_other());
        if let Some(preflight) = preflight(request, origin.as_ref()) {
            return Ok(Passed { origin, preflight: Some(preflight) });
        }
        let caller = self.caller(request, &client, from.is_same())?;
        match &caller {
            Some(caller) if !lock(&shared.tokens).take(caller.token, Instant::now()) => {
                return Err(self.too_often(&client).into());
            }
            None if !is_public => return Err(self.unknown(request, &client).into()),
            _ => {}
        }
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        request.extensions_mut().insert(client);
        Ok(Passed { origin, preflight: None })
    }

    /// Returns who calls; `None` when the request does not say.
    fn caller(
        &self,
        request: &Request,
        client: &Client,
        same_origin: bool,
    ) -> Result<Option<Caller>, Refusal> {
        let headers = request.headers();
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let secret = value.to_str().ok().and_then(bearer).unwrap_or("");
            let caller = self.try_token(client, secret, Via::Http);
            return caller.map(Some).map_err(|e| self.refused(client, secret, e).into());
        }
        let page =
            cookie::session_cookie(headers).and_then(|c| self.shared.policy.caller_of_page(c));
        if let Some(caller) = page {
            // SameSite holds back other sites, but not other ports of this machine.
            if is_safe(request.method()) || same_origin {
                return Ok(Some(caller));
            }
            self.shared.counters.refuse(Reason::WrongOrigin, client.address);
            let text = "a page's own session only changes things from Hearth's own page";
            return Err(refusal(StatusCode::FORBIDDEN, "refused", text).into());
        }
        let is_open = self.shared.open_loopback && client.is_loopback;
        Ok(is_open.then(|| self.shared.policy.local(Via::Http)))
    }

    /// The answer to a token that was not taken.
    fn refused(&self, client: &Client, secret: &str, e: Error) -> Response {
        let mut answer = e.into_response();
        if answer.status() == StatusCode::UNAUTHORIZED {
            ask_for_token(&mut answer);
        } else {
            let may = lock(&self.shared.wrong).may_try(client.address, secret, Instant::now());
            let seconds = may.err().unwrap_or_default().as_secs() + 1;
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }

    fn too_often(&self, client: &Client) -> Response {
        self.shared.counters.refuse(Reason::RateLimit, client.address);
        let text = "too many requests; slow down and try again";
        let mut answer = refusal(StatusCode::TOO_MANY_REQUESTS, "limit", text);
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        answer
    }

    fn unknown(&self, request: &Request, client: &Client) -> Response {
        self.shared.counters.refuse(Reason::NoToken, client.address);
        let accept = request.headers().get(header::ACCEPT).and_then(|v| v.to_str().ok());
        if request.method() == Method::GET && accept.is_some_and(|a| a.contains("text/html")) {
            return to_login(request.uri().path());
        }
        let what = "this needs a token: send it as 'Authorization: Bearer …'";
        let mut answer = Error::unauthenticated(what).into_response();
        ask_for_token(&mut answer);
        answer
    }
}

async fn pass(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    // Only code of ours can have put it there: the control socket knows its caller.
    if request.extensions().get::<Caller>().is_some() {
        return next.run(request).await;
    }
    let passed = match guard.admit(&mut request) {
        Ok(passed) => passed,
        Err(Refusal(answer)) => return *answer,
    };
    let mut answer = match passed.preflight {
        Some(preflight) => preflight,
        None => next.run(request).await,
    };
    if let Some(origin) = passed.origin {
        let headers = answer.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        let exposed = HeaderValue::from_static("mcp-session-id, www-authenticate, retry-after");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    answer
}

/// Answers the question of a browser whether another page may ask; never with credentials.
fn preflight(request: &Request, origin: Option<&HeaderValue>) -> Option<Response> {
    origin?;
    let asked = request.headers();
    if request.method() != Method::OPTIONS {
        return None;
    }
    asked.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(answer)
}

/// Sends a browser to the login page, which sends it back. The address is relative, since a proxy
/// may serve Hearth below a path of its own, and the browser keeps what stands behind `#`.
fn to_login(path: &str) -> Response {
    let up = "../".repeat(path.matches('/').count().saturating_sub(1).min(16));
    let place = [(header::LOCATION, format!("{up}login"))];
    (StatusCode::SEE_OTHER, place, [(header::CACHE_CONTROL, "no-store")]).into_response()
}

fn ask_for_token(answer: &mut Response) {
    let value = HeaderValue::from_static("Bearer realm=\"hearth\"");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, value);
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn has_token_in_query(query: &str) -> bool {
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or(pair));
    names.into_iter().any(|name| TOKEN_NAMES.iter().any(|t| t.eq_ignore_ascii_case(name)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
