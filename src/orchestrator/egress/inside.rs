//! The proxy as the server sees it: `hearth sandbox-forward SOCKET`, a process of the sandbox that
//! takes connections at 127.0.0.1:3128 and passes their bytes to the socket. It decides nothing.

use crate::events::Events;
use crate::orchestrator::egress::INSIDE;
use crate::tasks::Tasks;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::Semaphore;

/// The subcommand's name.
pub const NAME: &str = "sandbox-forward";
/// Connections at once; more wait.
const MOST: usize = 64;

/// Runs as the forwarder when the command line says so; `None` when it is an ordinary one.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    if arguments.next()? != NAME {
        return None;
    }
    let done = match arguments.next().map(PathBuf::from) {
        Some(socket) => forward(socket),
        None => Err("no socket is named".into()),
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("hearth {NAME}: {words}");
            ExitCode::FAILURE
        }
    })
}

/// Starts it beside the caller, in the same sandbox, and returns when connections are taken. It lives
/// as long as the sandbox does.
///
/// # Errors
/// In words: why it could not begin.
pub fn start(socket: &Path) -> Result<(), String> {
    let mut forwarder = Command::new("/proc/self/exe")
        .arg(NAME)
        .arg(socket)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot start the way out: {e}"))?;
    let mut ready = [0];
    let heard = forwarder.stdout.take().map(|mut out| out.read(&mut ready));
    match heard {
        Some(Ok(1)) => Ok(()),
        _ => Err("the way out did not begin".into()),
    }
}

fn forward(socket: PathBuf) -> Result<(), String> {
    // It has fewer guards than the server, which must not get into its memory by `/proc`.
    nix::sys::prctl::set_dumpable(false).map_err(|e| format!("cannot close itself off: {e}"))?;
    // Before anything else may: whoever is first has the port.
    let listener = std::net::TcpListener::bind(INSIDE)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|e| format!("cannot listen at {INSIDE}: {e}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|e| format!("cannot begin: {e}"))?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).map_err(|e| e.to_string())?;
        let mut out = std::io::stdout();
        out.write_all(b"\n").and_then(|()| out.flush()).map_err(|e| e.to_string())?;
        let tasks = Tasks::new(Events::new());
        let room = Arc::new(Semaphore::new(MOST));
        loop {
            let Ok(room) = room.clone().acquire_owned().await else { return Ok(()) };
            let (mut near, _) = listener.accept().await.map_err(|e| e.to_string())?;
            let socket = socket.clone();
            tasks.job(async move {
                let _room = room;
                // Closed without a word when the other end is away: the client says so.
                if let Ok(mut far) = UnixStream::connect(&socket).await {
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    })
}
