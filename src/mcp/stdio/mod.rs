//! MCP over pipes: newline-delimited JSON-RPC on the local socket `mcp.sock` and on stdin/stdout.
//!
//! The daemon listens with [`serve_socket`]; `hearth mcp` connects its own stdin and stdout to it
//! with [`relay`], or serves by itself with [`serve_stdio`] when there is no daemon. Nothing but MCP
//! is written to stdout. Callers are the named identity `local`, or the token given.

mod lines;
mod relay;

pub use relay::{dial, relay};

use crate::error::Error;
use crate::mcp::carrier::Carrier;
use crate::mcp::server::{Server, Who};
use crate::mcp::{Mcp, Profile};
use crate::policy::{Caller, Via};
use lines::Lines;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// The first word of a connection's first line, and the version of what follows.
const HELLO: &str = "hearth-mcp 1";
/// So long may a client take for its first line.
const FIRST_LINE: Duration = Duration::from_secs(10);

/// What a client of the local socket says before its first message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Only this service's tools; all when not given.
    pub service: Option<String>,
    /// Act with this token in place of the local identity.
    pub token: Option<String>,
}

impl Hello {
    /// The first line, without its end.
    fn line(&self) -> String {
        let mut line = HELLO.to_owned();
        for (key, value) in [("service", &self.service), ("token", &self.token)] {
            if let Some(value) = value {
                line += &format!(" {key}={value}");
            }
        }
        line
    }

    /// Reads a first line; `None` when it is none, but a message.
    fn read(line: &[u8]) -> Option<Result<Hello, Error>> {
        let rest = line.strip_prefix(HELLO.as_bytes())?;
        let mut hello = Hello::default();
        for pair in String::from_utf8_lossy(rest).split_whitespace() {
            match pair.split_once('=') {
                Some(("service", value)) => hello.service = Some(value.to_owned()),
                Some(("token", value)) => hello.token = Some(value.to_owned()),
                _ => return Some(Err(Error::invalid("the first line has an unknown part"))),
            }
        }
        Some(Ok(hello))
    }

    /// Who this is and what is shown.
    ///
    /// # Errors
    /// Unauthenticated for an unknown token, NotFound for an unknown service.
    pub fn admit(&self, mcp: &Mcp) -> Result<(Caller, Profile), Error> {
        let policy = mcp.toolbox.policy();
        let caller = match &self.token {
            None => policy.local(Via::Stdio),
            Some(secret) => policy
                .caller_of_token(secret, Via::Stdio)
                .ok_or_else(|| Error::unauthenticated("the token is not known"))?,
        };
        let profile = match &self.service {
            None => Profile::Default,
            Some(service) => mcp.toolbox.profile(service)?,
        };
        Ok((caller, profile))
    }
}

/// Listens on the socket at `path` (mode 0600) and serves local clients until the program ends.
///
/// # Errors
/// Conflict when somebody serves there already, Broken when the socket cannot be made.
pub async fn serve_socket(mcp: &Mcp, path: &Path) -> Result<(), Error> {
    let place = path.display();
    if dial(path).await?.is_some() {
        return Err(Error::conflict(format!("another Hearth serves {place} already")));
    }
    // What is left from a Hearth that was killed.
    let _ = std::fs::remove_file(path);
    let broken = |e| Error::broken(format!("cannot listen on {place}")).because(e);
    let listener = UnixListener::bind(path).map_err(broken)?;
    // Whoever connects before this line is still asked for its uid.
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(broken)?;
    let listener = Arc::new(listener);
    let places = Arc::new(Semaphore::new(mcp.toolbox.inner.config.local_clients));
    let (serving, path) = (mcp.clone(), PathBuf::from(path));
    let status = mcp.tasks.status("mcp.sock", crate::tasks::Whose::Own);
    mcp.tasks.spawn("mcp.sock", move |stop| {
        let (mcp, listener, places) = (serving.clone(), listener.clone(), places.clone());
        let (path, status) = (path.clone(), status.clone());
        async move {
            status.up();
            accept(&mcp, &listener, &places, &stop).await;
            let _ = std::fs::remove_file(path);
            Ok(())
        }
    });
    Ok(())
}

async fn accept(
    mcp: &Mcp,
    listener: &UnixListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(e) => {
                    // Out of file descriptors: wait for some to come back.
                    log::warn!("mcp.sock: cannot accept: {e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
            () = stop.cancelled() => return,
        };
        let place = places.clone().try_acquire_owned();
        let (mcp, stop) = (mcp.clone(), stop.clone());
        let tasks = mcp.tasks.clone();
        tasks.job(async move {
            let served = match place {
                Ok(_place) => serve_client(&mcp, stream, &stop).await,
                Err(_) => refuse(stream, &Error::limit("too many local clients")).await,
            };
            if let Err(e) = served {
                log::info!("mcp.sock: a client was not served: {e}");
            }
        });
    }
}

async fn refuse(mut stream: UnixStream, why: &Error) -> Result<(), Error> {
    // Whoever does not read this is gone already.
    let _ = stream.write_all(format!("error: {why}\n").as_bytes()).await;
    Err(Error::new(why.kind(), why.to_string()))
}

async fn serve_client(
    mcp: &Mcp,
    stream: UnixStream,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let peer = stream.peer_cred().map_err(|e| Error::broken("who is calling?").because(e))?;
    let own = nix::unistd::geteuid().as_raw();
    if peer.uid() != own && peer.uid() != 0 {
        let why = format!("user {} may not use the socket of user {own}", peer.uid());
        return refuse(stream, &Error::refused(why)).await;
    }
    if let Some(why) = crate::http::peer::stranger(peer.pid()) {
        return refuse(stream, &Error::refused(format!("not served: {why}"))).await;
    }
    let (read, write) = stream.into_split();
    let most = mcp.toolbox.inner.config.message_bytes;
    let mut lines = Lines::new(Box::new(read), Box::new(write), most, &mcp.tasks);
    let first = tokio::time::timeout(FIRST_LINE, lines.first(Hello::read)).await;
    let hello = first.map_err(|_| Error::timeout("no first line within 10 s"))?;
    let admitted = match hello {
        None => Hello::default().admit(mcp),
        Some(hello) => {
            let admitted = hello.and_then(|hello| hello.admit(mcp));
            let word = admitted.as_ref().map_or_else(|e| format!("error: {e}"), |_| "ok".into());
            lines.say(&word).await;
            admitted
        }
    };
    match admitted {
        Ok((caller, profile)) => serve(mcp, profile, caller, lines, stop).await,
        Err(e) => {
            lines.end().await;
            Err(e)
        }
    }
}

/// Serves MCP on stdin and stdout of this process, until stdin ends.
///
/// # Errors
/// What the client did wrong before the session stood.
pub async fn serve_stdio(mcp: &Mcp, hello: &Hello) -> Result<(), Error> {
    let (caller, profile) = hello.admit(mcp)?;
    let (read, write) = rmcp::transport::stdio_pipes();
    let most = mcp.toolbox.inner.config.message_bytes;
    let lines = Lines::new(Box::new(read), Box::new(write), most, &mcp.tasks);
    serve(mcp, profile, caller, lines, &mcp.tasks.stopping()).await
}

/// Serves one client until it ends, its token is revoked, or `stop`.
async fn serve(
    mcp: &Mcp,
    profile: Profile,
    caller: Caller,
    mut lines: Lines,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let ended = stop.child_token();
    let server = Server::new(mcp.clone(), profile, Who::Fixed(caller.clone()));
    // A subscription has no end of its own, and what ends must not wait for it.
    lines.at_end(server.end());
    let begun =
        rmcp::service::serve_server_with_ct(server, Carrier::new(lines), ended.clone()).await;
    let running = match begun {
        Ok(running) => running,
        // A client that leaves before it began has done nothing wrong.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(rmcp::service::ServerInitializeError::Cancelled) => return Ok(()),
        Err(e) => return Err(Error::invalid("the client did not begin as MCP does").because(e)),
    };
    let mut revoked = mcp.toolbox.policy().revoked();
    let waiting = running.waiting();
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            end = &mut waiting => {
                return end
                    .map(drop)
                    .map_err(|e| Error::broken("a local session broke").because(e));
            }
            changed = revoked.changed() => {
                if changed.is_err() || !mcp.toolbox.policy().is_live(&caller) {
                    ended.cancel();
                }
            }
        }
    }
}
