//! A listener with a few routes to be bad to.

use hearth::events::Events;
use hearth::http::guard::{Client, Guard};
use hearth::http::serve::{Limits, Server};
use hearth::http::{Body, Bytes, Config, Counters, Extension, Reason, Router, State, get, post};
use hearth::policy::{self, Caller, Policy, Via};
use hearth::store::Store;
use hearth::tasks::Tasks;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The token that opens the house.
pub(crate) const TOKEN: &str = "a-token-that-is-long-enough-for-the-policy";

/// A running listener; it ends with its runtime.
pub(crate) struct House {
    pub at: SocketAddr,
    pub counters: Counters,
    pub policy: Policy,
    pub tasks: Tasks,
    /// What the routes count.
    pub seen: Seen,
    // Last, so that everything above is still there when it ends.
    pub runtime: Runtime,
}

/// What the routes count.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// How often `/smuggled` was answered.
    pub smuggled: Arc<AtomicU64>,
    /// How often `/wait` was asked.
    pub waiting: Arc<AtomicU64>,
}

/// What a test may change before the listener starts.
pub(crate) struct Plan {
    pub config: Config,
    pub limits: Limits,
    /// Whether the guard stands in front.
    pub guarded: bool,
    /// Where it listens.
    pub host: &'static str,
}

impl Default for Plan {
    fn default() -> Plan {
        let config = Config { mdns: false, ..Config::default() };
        let mut limits = Limits::new(&config);
        // Long enough for a busy machine, short enough to wait for.
        limits.head = Duration::from_secs(2);
        limits.idle = Duration::from_millis(2500);
        limits.body = Duration::from_secs(2);
        limits.write = Duration::from_secs(2);
        limits.body_bytes = 1 << 20;
        Plan { config, limits, guarded: false, host: "127.0.0.1" }
    }
}

impl House {
    pub(crate) fn open() -> House {
        House::with(Plan::default())
    }

    pub(crate) fn with(plan: Plan) -> House {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let tasks = Tasks::new(Events::new());
        let counters = Counters::default();
        let policy = runtime.block_on(policy(&tasks));
        let seen = Seen::default();
        let mut router = routes(seen.clone());
        if plan.guarded {
            let guard = Guard::new(&plan.config, &policy, &counters).unwrap();
            router = guard.protect(router.merge(login(guard.clone())));
        }
        let server = Server::new(&plan.config, plan.limits, true, &tasks, &counters).unwrap();
        let bound = runtime.block_on(server.listen("http", plan.host, 0, router)).unwrap();
        drop(entered);
        House { at: bound[0], counters, policy, tasks, seen, runtime }
    }

    /// Waits until the reason was counted `times`.
    pub(crate) fn wait_for(&self, reason: Reason, times: u64) {
        let what = format!("{} x {}", reason.word(), times);
        wait(&what, || self.counters.count(reason) >= times);
        assert_eq!(self.counters.count(reason), times, "{what}");
    }

    /// Waits until nobody is connected any more.
    pub(crate) fn wait_empty(&self) {
        wait("no open connections", || self.counters.open() == 0);
    }
}

/// Waits for a condition, at most 20 s.
pub(crate) fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "waited 20 s for: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

/// A policy that knows [`TOKEN`].
pub(crate) async fn policy(tasks: &Tasks) -> Policy {
    let config = policy::Config {
        auth_token: hearth::config::Secret::new(TOKEN),
        ..policy::Config::default()
    };
    Policy::start(&config, &Store::memory(), &Events::new(), tasks, None).await.unwrap()
}

pub(crate) fn routes(seen: Seen) -> Router {
    Router::new()
        .route("/", get(|| async { "house" }))
        .route("/health", get(|| async { "ok" }))
        .route("/who", get(who).post(who))
        .route("/count", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/ignore", post(|| async { "ignored" }))
        .route("/panic", get(panics))
        .route("/big", get(big))
        .route(
            "/wait",
            get(|State(seen): State<Seen>| async move {
                seen.waiting.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<&str>().await
            }),
        )
        .route("/stream", get(stream))
        .route(
            "/smuggled",
            get(|State(seen): State<Seen>| async move {
                seen.smuggled.fetch_add(1, Ordering::SeqCst);
                "smuggled"
            }),
        )
        .with_state(seen)
}

/// A login form that takes the bare token.
fn login(guard: Guard) -> Router {
    let take = |State(guard): State<Guard>, Extension(client): Extension<Client>, token: String| async move {
        guard.try_token(&client, &token, Via::Page).map(|caller| caller.name.to_string())
    };
    Router::new().route("/login", post(take)).with_state(guard)
}

async fn who(caller: Option<Extension<Caller>>) -> String {
    caller.map_or("nobody".into(), |Extension(c)| format!("{} by {}", c.name, c.via.word()))
}

#[allow(clippy::panic, reason = "this route is there to panic")]
async fn panics() -> &'static str {
    panic!("a route that fails")
}

/// 64 MiB that need no memory.
async fn big() -> Body {
    let piece = Bytes::from_static(&[b'x'; 64 * 1024]);
    let pieces = std::iter::repeat_n(piece, 1024).map(Ok::<_, std::io::Error>);
    Body::from_stream(futures_util::stream::iter(pieces))
}

async fn stream() -> Body {
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>("first\n")]);
    let never = futures_util::stream::pending();
    Body::from_stream(futures_util::StreamExt::chain(first, never))
}
