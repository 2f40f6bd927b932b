//! The proxy of one sandbox, on a socket that only it has.

use crate::error::Error;
use crate::orchestrator::egress::allow::{is_fit, is_listed};
use crate::orchestrator::egress::ask::{self, Asked};
use crate::orchestrator::sandbox::Destination;
use crate::tasks::Tasks;
use crate::text;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Connections of one sandbox at once; more wait.
const MOST: usize = 64;
/// How long a request may take to arrive, and a connection to be made.
const TIME: Duration = Duration::from_secs(15);

/// A way out. Dropping it closes it and every connection through it.
pub struct Door {
    socket: PathBuf,
    _open: DropGuard,
}

struct Inner {
    allowed: Vec<Destination>,
    /// Whose it is, for the log.
    name: String,
    tasks: Tasks,
    closed: CancellationToken,
    room: Arc<Semaphore>,
}

impl Door {
    /// Opens one at `socket`, whose folder must be reached by the sandbox and by nobody else.
    ///
    /// # Errors
    /// Broken when there can be no socket.
    pub fn open(
        socket: &Path,
        name: &str,
        allowed: Vec<Destination>,
        tasks: &Tasks,
    ) -> Result<Door, Error> {
        let broken = |e| {
            Error::broken(format!("cannot make the way out at {}", socket.display())).because(e)
        };
        let listener = UnixListener::bind(socket).map_err(broken)?;
        // The sandbox's user is nobody; the folder keeps everybody else out.
        let everybody = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(socket, everybody).map_err(broken)?;
        let closed = CancellationToken::new();
        let inner = Arc::new(Inner {
            allowed,
            name: name.to_owned(),
            tasks: tasks.clone(),
            closed: closed.clone(),
            room: Arc::new(Semaphore::new(MOST)),
        });
        tasks.job(async move {
            let closed = inner.closed.clone();
            tokio::select! {
                () = closed.cancelled() => {}
                () = listen(listener, inner) => {}
            }
        });
        Ok(Door { socket: socket.to_owned(), _open: closed.drop_guard() })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // It may be gone with its folder.
        let _ = std::fs::remove_file(&self.socket);
    }
}

async fn listen(listener: UnixListener, inner: Arc<Inner>) {
    loop {
        let Ok(room) = inner.room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors: others give some back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let own = inner.clone();
        inner.tasks.job(async move {
            let _room = room;
            let closed = own.closed.clone();
            tokio::select! {
                () = closed.cancelled() => {}
                () = serve(stream, &own) => {}
            }
        });
    }
}

async fn serve(mut inside: UnixStream, inner: &Inner) {
    let asked = tokio::time::timeout(TIME, request(&mut inside)).await;
    let (host, port, early) = match asked {
        Ok(Ok(asked)) => asked,
        Ok(Err((status, words))) => return refuse(&mut inside, status, words).await,
        Err(_) => return refuse(&mut inside, 408, "the request did not arrive in time").await,
    };
    let shown = text::clean(&host, 100);
    if !is_listed(&inner.allowed, &host, port) {
        log::info!("sandbox {} may not connect to {shown}:{port}", inner.name);
        let words = format!("this sandbox may not connect to {shown}:{port}");
        return refuse(&mut inside, 403, &words).await;
    }
    match tokio::time::timeout(TIME, connect(&host, port)).await {
        Ok(Ok(mut outside)) => {
            let done = inside.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await;
            if done.is_err() || outside.write_all(&early).await.is_err() {
                return;
            }
            // Either side's end is passed on; what an abrupt one loses is theirs.
            let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
        }
        Ok(Err(e)) => {
            log::info!("sandbox {}: {e}", inner.name);
            let status = if e.kind() == crate::error::Kind::Refused { 403 } else { 502 };
            refuse(&mut inside, status, &e.to_string()).await;
        }
        Err(_) => refuse(&mut inside, 504, "the destination does not answer").await,
    }
}

async fn request(inside: &mut UnixStream) -> Result<(String, u16, Vec<u8>), (u16, &'static str)> {
    let mut bytes = Vec::new();
    loop {
        match ask::read(&bytes) {
            Asked::Connect { host, port, end } => return Ok((host, port, bytes.split_off(end))),
            Asked::Wrong(status, words) => return Err((status, words)),
            Asked::More => {}
        }
        match inside.read_buf(&mut bytes).await {
            Ok(1..) => {}
            _ => return Err((400, "the request ended early")),
        }
    }
}

/// Resolves the name once, looks at the addresses, and connects to the first fit one that answers.
async fn connect(host: &str, port: u16) -> Result<TcpStream, Error> {
    let shown = text::clean(host, 100);
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|e| Error::offline(format!("{shown} has no address")).because(e))?
        .collect();
    let mut last = None;
    for address in found.iter().filter(|address| is_fit(host, address.ip())) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(e) => last = Some(e),
        }
    }
    Err(match last {
        Some(e) => Error::offline(format!("{shown}:{port} does not answer")).because(e),
        None => Error::refused(format!(
            "{shown} has an address of this house or machine; name the address itself to allow it"
        )),
    })
}

async fn refuse(inside: &mut UnixStream, status: u16, words: &str) {
    let body = format!("{words}\n");
    let answer = format!(
        "HTTP/1.1 {status} Refused\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // Whoever asked may be gone.
    let _ = inside.write_all(answer.as_bytes()).await;
    let _ = inside.shutdown().await;
}
