//! The listeners on the network: accepts connections and holds each to its limits.
//!
//! `app` hands it the router; every request goes to it with a [`Peer`] among its extensions. Sizes,
//! times and counts are all bounded here, before any route is asked: how many connections there are
//! and which one has to go ([`room`]), how long a head, a body or an answer may take ([`io`],
//! [`body`]). It never looks at who is calling; that is the guard's work.

mod bind;
mod body;
mod drive;
mod io;
mod room;

use crate::error::Error;
use crate::http::guard::Net;
use crate::http::{Config, Counters, Reason};
use crate::tasks::{Tasks, Whose};
use axum::Router;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// So many refused connections may be drained at once so that their clients read the refusal.
const LINGERING: usize = 64;
/// Pause after the system refused to give a connection (usually: no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Pause until a connection that has to make room is closed.
const EVICT_PAUSE: Duration = Duration::from_millis(2);

/// Who is at the other end of a connection; an extension of every request from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Every limit of a connection.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address.
    pub per_address: usize,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Header lines of a request.
    pub head_lines: usize,
    /// Time for the head of a request.
    pub head: Duration,
    /// Time a connection may ask nothing.
    pub idle: Duration,
    /// Time for the body of a request.
    pub body: Duration,
    /// Time a client may leave its answer unread.
    pub write: Duration,
    /// Time that calls in flight have left when Hearth ends.
    pub grace: Duration,
    /// Bytes of a request's body where no prefix below says otherwise.
    pub body_bytes: usize,
    /// Bytes of a request's body for paths below a prefix; the longest prefix counts.
    pub bodies: Vec<(String, usize)>,
}

impl Limits {
    /// Takes the limits from the configuration.
    pub fn new(config: &Config) -> Limits {
        Limits {
            connections: config.connections.max(1),
            per_address: config.connections_per_address.max(1),
            head_bytes: 16 * 1024,
            head_lines: 64,
            head: Duration::from_secs(config.head_seconds),
            idle: Duration::from_secs(config.idle_seconds),
            body: Duration::from_secs(config.body_seconds),
            write: Duration::from_secs(config.write_seconds),
            grace: Duration::from_secs(2),
            body_bytes: config.body_bytes,
            bodies: Vec::new(),
        }
    }

    /// Lets bodies for `prefix` and paths below it have up to `bytes`.
    pub fn body_for(mut self, prefix: &str, bytes: usize) -> Limits {
        self.bodies.push((prefix.trim_end_matches('/').to_owned(), bytes));
        self
    }

    fn body_bytes_of(&self, path: &str) -> usize {
        let under = |prefix: &str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let special = self.bodies.iter().filter(|(prefix, _)| under(prefix));
        special.max_by_key(|(prefix, _)| prefix.len()).map_or(self.body_bytes, |(_, bytes)| *bytes)
    }
}

/// Says whether `host` and `port` can be listened on, by doing so for a moment.
///
/// # Errors
/// As [`Server::listen`].
pub async fn try_address(host: &str, port: u16) -> Result<(), Error> {
    bind::bind(host, port).await.map(drop)
}

/// Opens listeners that share their limits. Cloning it is cheap.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

struct Shared {
    limits: Limits,
    room: room::Room,
    counters: Counters,
    tasks: Tasks,
    proxies: Vec<Net>,
    lingering: Semaphore,
    beyond_loopback: bool,
}

impl Server {
    /// Prepares listeners. `has_tokens` says whether anybody can get in: without one, nothing listens
    /// beyond this machine unless `listen_without_token` is set.
    ///
    /// # Errors
    /// Invalid when a trusted proxy is no address or network.
    pub fn new(
        config: &Config,
        limits: Limits,
        has_tokens: bool,
        tasks: &Tasks,
        counters: &Counters,
    ) -> Result<Server, Error> {
        let shared = Shared {
            room: room::Room::new(limits.connections, limits.per_address, counters.clone()),
            limits,
            counters: counters.clone(),
            tasks: tasks.clone(),
            proxies: Net::read_all(&config.trusted_proxies)?,
            lingering: Semaphore::new(LINGERING),
            beyond_loopback: has_tokens || config.listen_without_token,
        };
        Ok(Server { shared: Arc::new(shared) })
    }

    /// Listens on `host` and `port` and serves `router` until shutdown; returns the bound addresses.
    /// `name` is the listener's line in `/health`. Port 0 picks a free one.
    ///
    /// # Errors
    /// Invalid for a host that is no address or known name, Conflict when the port is taken, Refused
    /// when it would listen beyond this machine without any token.
    pub async fn listen(
        &self,
        name: &'static str,
        host: &str,
        port: u16,
        router: Router,
    ) -> Result<Vec<SocketAddr>, Error> {
        let listeners = bind::bind(host, port).await?;
        let bound = bind::addresses(&listeners)?;
        if let Some(wide) = bound.iter().find(|a| !a.ip().to_canonical().is_loopback())
            && !self.shared.beyond_loopback
        {
            return Err(Error::refused(format!(
                "will not listen on {wide} without a token: make one with `hearth token new`, set \
                 AUTH_TOKEN, or set http.listen_without_token"
            )));
        }
        let listeners: Arc<[TcpListener]> = listeners.into();
        // The limits above are ours; the framework's own would cut bodies at 2 MiB.
        let router = router.layer(axum::extract::DefaultBodyLimit::disable());
        // A test reads the paths out of this and asks each of them without a token.
        log::trace!("{name} answers with {router:?}");
        let shared = self.shared.clone();
        self.shared.tasks.spawn(name, move |stop| {
            shared.tasks.status(name, Whose::Own).up();
            serve(shared.clone(), listeners.clone(), router.clone(), stop)
        });
        Ok(bound)
    }
}

/// Accepts on all `listeners` until `stop`, then waits for the connections to end.
async fn serve(
    shared: Arc<Shared>,
    listeners: Arc<[TcpListener]>,
    router: Router,
    stop: CancellationToken,
) -> Result<(), Error> {
    let tracker = TaskTracker::new();
    let accepting = listeners.iter().map(|l| accept(&shared, l, &router, &tracker, &stop));
    tokio::select! {
        _ = futures_util::future::join_all(accepting) => {}
        () = stop.cancelled() => {}
    }
    tracker.close();
    tracker.wait().await;
    Ok(())
}

async fn accept(
    shared: &Arc<Shared>,
    listener: &TcpListener,
    router: &Router,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(shared, stream, peer, router, tracker, stop),
            Err(e) if is_of_one_connection(&e) => {}
            Err(e) => {
                shared.counters.refuse(Reason::Accept, &e);
                // Out of descriptors: the connection that was idle longest gives one back, soon.
                let pause = if shared.room.make_room() { EVICT_PAUSE } else { ACCEPT_PAUSE };
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// Whether the failure is the connection's own, and the listener as good as before.
fn is_of_one_connection(e: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(e.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn admit(
    shared: &Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    router: &Router,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let is_proxy = shared.proxies.iter().any(|net| net.holds(peer.ip()));
    let (shared, router, stop) = (shared.clone(), router.clone(), stop.clone());
    let seat = shared.room.enter(peer.ip(), is_proxy);
    let tasks = shared.tasks.clone();
    tasks.job(tracker.track_future(async move {
        match seat {
            Ok(seat) => drive::drive(&shared, stream, peer, router, seat, stop).await,
            Err(full) => {
                shared.counters.refuse(Reason::Full, peer.ip());
                drive::turn_away(&shared, stream, full).await;
            }
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_sets_the_body_limit() {
        let limits = Limits::new(&Config::default()).body_for("/mcp", 4).body_for("/mcp/big", 9);
        for (path, want) in [("/mcp", 4), ("/mcp/x", 4), ("/mcp/big/x", 9), ("/mcpx", 1 << 20)] {
            assert_eq!(limits.body_bytes_of(path), want, "{path}");
        }
    }
}
