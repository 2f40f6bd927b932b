//! The control socket: the command line talks to the running Hearth through it.
//!
//! `control.sock` speaks HTTP and answers from the same router as the network, as the caller `local`.
//! Only this user and root are let in. A [`gate`] reads each request under limits and checks who is
//! there; the small engine behind it, which has no limits of its own, only ever sees whole, checked
//! requests. [`ask`] is the other end, used by the command line.

mod client;
mod engine;
mod gate;

pub use client::{Answer, ask};

use crate::error::Error;
use crate::http::Counters;
use crate::policy::Policy;
use crate::tasks::Tasks;
use axum::Router;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Name of the socket below the data folder.
pub const SOCKET: &str = "control.sock";
/// Name of the engine's own socket; only the gate can use it.
const ENGINE: &str = "control-engine.sock";
/// The gate's proof towards the engine.
const PASS: &str = "x-hearth-pass";

/// Opens the control socket below `folder` and serves `router` on it until shutdown; returns its path.
///
/// # Errors
/// Conflict when another Hearth uses this folder; Invalid when the socket cannot be made there.
pub fn start(
    folder: &Path,
    router: Router,
    policy: &Policy,
    tasks: &Tasks,
    counters: &Counters,
) -> Result<PathBuf, Error> {
    let path = folder.join(SOCKET);
    if UnixStream::connect(&path).is_ok() {
        let folder = folder.display();
        return Err(Error::conflict(format!("another Hearth is running in {folder}")));
    }
    let engine_path = folder.join(ENGINE);
    let pass = pass()?;
    engine::start(bind(&engine_path)?, engine_path.clone(), pass.clone(), router, policy, tasks)?;
    let listener = bind(&path)?;
    gate::start(listener, path.clone(), engine_path, pass, tasks, counters)?;
    Ok(path)
}

/// Binds a socket that nobody else can connect to, not even for a moment.
fn bind(path: &Path) -> Result<UnixListener, Error> {
    let bad = |e: std::io::Error| {
        let what = format!("cannot make the socket {}", path.display());
        Error::invalid(format!(
            "{what}; DATA_DIR must be a local folder that this user may write to"
        ))
        .because(e)
    };
    let fresh = path.with_extension(format!("{}", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    let listener = UnixListener::bind(&fresh).map_err(bad)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).map_err(bad)?;
    std::fs::rename(&fresh, path).map_err(bad)?;
    Ok(listener)
}

fn pass() -> Result<String, Error> {
    let mut raw = [0u8; 16];
    getrandom::fill(&mut raw)
        .map_err(|e| Error::broken(format!("the system gives no random numbers: {e}")))?;
    Ok(raw.iter().map(|byte| format!("{byte:02x}")).collect())
}
