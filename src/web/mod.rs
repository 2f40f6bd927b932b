//! What a browser, a monitor or a script asks of Hearth itself: the page with its assets and login,
//! `/health`, `/ready`, `/metrics`, `/events` and `/.well-known/mcp-config`.
//!
//! Fed by `app` with [`Parts`]: each service hands in its [`Page`], its gatherer of metrics and,
//! through the bus, its events. Read by `http`, which puts [`routes`] behind its guard; the guard
//! says who calls. Knows no service and never decides what a caller may do.

mod assets;
mod front;
mod gate;
mod health;
mod live;
mod login;
mod meter;
mod metrics;
mod page;
pub mod process;
mod state;
mod tokens;

pub use assets::bundled_pages;
pub use front::front;
pub use live::until_barred;
pub use meter::{Gather, Meter};

use crate::error::Error;
use crate::events::Events;
use crate::http::guard::Guard;
use crate::http::{Counters, Extension, Router, get, post};
use crate::policy::{Caller, Policy};
use crate::tasks::Tasks;
use serde::Serialize;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// One line of the log, as the page shows it.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// When, seconds since 1970.
    pub at: f64,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
    /// Which part wrote it.
    pub target: String,
    /// What it wrote.
    pub text: String,
}

/// Returns a service's state in one plain sentence, for this caller.
pub type Summary = Arc<dyn Fn(&Caller) -> String + Send + Sync>;

/// Checks a value that somebody filters `/events` by or limits a token to: the caller, what it is
/// (`house`, `area`, `label`, `domain`), and the value. It errs with what there is when the service knows that nothing can come of
/// it, as far as this caller may know.
pub type Check = Arc<dyn Fn(&Caller, &str, &str) -> Result<(), Error> + Send + Sync>;

/// A service's page: its code was found by the bundler in `src/<name>/page`.
#[derive(Clone)]
pub struct Page {
    /// Name of the service; who may not read it is not shown its page.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Names of the bus events that tell of this service; `/events` gives them to its readers only.
    pub events: &'static [&'static str],
    /// The service in one sentence; `None` for a page that says it itself.
    pub summary: Option<Summary>,
    /// Checks values of the filters for this service's events; `None` takes all.
    pub check: Option<Check>,
}

/// What the routes are made of.
#[derive(Clone)]
pub struct Parts {
    /// Who may do what.
    pub policy: Policy,
    /// How the parts of Hearth do.
    pub tasks: Tasks,
    /// What happens.
    pub events: Events,
    /// What `hearth mcp` on this machine is called with, to find this Hearth.
    pub local: Vec<String>,
    /// Whether this is the demo house; the page says so.
    pub demo: bool,
    /// The services' pages, in the order of the navigation.
    pub pages: Vec<Page>,
    /// Returns the newest lines of the log, oldest first.
    pub log: Arc<dyn Fn() -> Vec<Line> + Send + Sync>,
    /// The door in front of the routes; login tries tokens there, so that its wrong ones count.
    pub guard: Guard,
    /// What the listeners count.
    pub counters: Counters,
    /// What `/metrics` asks besides what web knows itself.
    pub gather: Vec<Gather>,
}

/// What the handlers share.
struct Web {
    parts: Parts,
    /// Seconds since 1970.
    started: f64,
}

/// The paths of the routes below `/api`, for whoever asks for one that is not there.
pub const API: &[&str] = &[
    "/api/policy/approvals",
    "/api/policy/quotas",
    "/api/policy/rules",
    "/api/policy/secrets",
    "/api/web/audit",
    "/api/web/logs",
    "/api/web/state",
    "/api/web/tokens",
];

/// Makes the routes. All of them stand behind the guard of `http`.
pub fn routes(parts: Parts) -> Router {
    let web = Arc::new(Web { parts, started: now() });
    Router::new()
        .route("/", get(page::index))
        .route("/assets/{name}", get(assets::serve))
        .route("/login", get(login::form).post(login::open))
        .route("/logout", post(login::close))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/events", get(live::events))
        .route("/.well-known/mcp-config", get(health::mcp_config))
        .route("/api/web/state", get(state::state))
        .route("/api/web/logs", get(state::logs))
        .route("/api/web/audit", get(state::audit))
        .route("/api/web/tokens", get(tokens::list).post(tokens::make).delete(tokens::revoke))
        .route("/api/policy/approvals", get(gate::approvals).post(gate::answer))
        .route("/api/policy/quotas", get(gate::quotas))
        .route("/api/policy/rules", get(gate::rules).post(gate::add_rule).delete(gate::remove_rule))
        .route(
            "/api/policy/secrets",
            get(gate::secrets).post(gate::set_secret).delete(gate::remove_secret),
        )
        .with_state(web)
}

/// Who calls, as the guard found out; `None` on a public path without a token.
type MaybeCaller = Option<Extension<Caller>>;

/// Returns the caller of a path that needs one. The guard has asked already; this holds if a path
/// were ever listed as public by mistake.
fn required(caller: MaybeCaller) -> Result<Caller, Error> {
    caller.map(|Extension(caller)| caller).ok_or_else(|| {
        Error::unauthenticated("this needs a token: send it as 'Authorization: Bearer …'")
    })
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}
