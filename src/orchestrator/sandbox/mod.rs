//! What a sandbox is: an order, a level, a way to talk to what runs in it, and what is really in force.
//!
//! A [`Place`] makes sandboxes: a container engine, or the kernel's own means at the best level that
//! was probed. Sessions order from a place and never ask which one it is. Nothing here is believed
//! because it was asked for: [`Hold::in_force`] reads each limit back.

mod order;
mod tail;

pub use order::{Destination, Limits, Order, Program};
pub use tail::Tail;

use crate::error::Error;
use crate::mcp::Boxed;
use serde::Serialize;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// How far a sandbox is from the rest of the machine. Each level holds the ones before it in
/// strength, not in means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Level 1: seccomp and resource limits. Only our own worker runs here, without execute_command.
    Filtered,
    /// Level 2: Landlock, seccomp and resource limits in the same namespaces.
    Confined,
    /// Level 3: user, mount, pid, network, IPC, UTS and cgroup namespaces of its own.
    Apart,
    /// Level 4: a container of an engine beside us.
    Container,
}

impl Level {
    /// Returns the number that people see: 1 to 4.
    pub fn number(self) -> u8 {
        match self {
            Level::Filtered => 1,
            Level::Confined => 2,
            Level::Apart => 3,
            Level::Container => 4,
        }
    }
}

/// A limit or a guard: what was asked for, and what the kernel or the engine says is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Guard {
    /// For example `memory`, `processes`, `network`, `seccomp`.
    pub name: &'static str,
    /// What the order asks for, for people.
    pub asked: String,
    /// What was read back; `None` when it is not in force.
    pub in_force: Option<String>,
    /// Where it was read, for example `/proc/self/status` or `engine`.
    pub read_at: &'static str,
}

/// What a sandbox has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Usage {
    /// Processor time of all its processes, in seconds.
    pub cpu_seconds: f64,
    /// Most memory that it held at once, in bytes; 0 where nobody counts it.
    pub peak_memory: u64,
}

/// How a sandbox came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Exit code, or 128 and the signal's number; `None` when nobody knows.
    pub code: Option<i32>,
    /// For people: `exited with 1`, `killed: out of memory`.
    pub words: String,
}

/// A sandbox that runs. Dropping the last handle ends it.
pub struct Sandbox {
    /// Container id or process id: what an operator finds on the machine.
    pub id: String,
    /// The level that it really has.
    pub level: Level,
    /// What the server reads.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the server writes.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// Everything else about it.
    pub hold: Arc<dyn Hold>,
}

/// What keeps a sandbox, once it runs.
pub trait Hold: Send + Sync {
    /// The last lines that the server wrote to stderr.
    fn stderr(&self) -> &Tail;
    /// Reads back every guard and limit.
    ///
    /// # Errors
    /// NotFound when the sandbox has ended; Offline when the engine cannot be reached.
    fn in_force(&self) -> Boxed<'_, Result<Vec<Guard>, Error>>;
    /// Reads what it has used; what had ended keeps its last figures.
    ///
    /// # Errors
    /// As [`Hold::in_force`].
    fn usage(&self) -> Boxed<'_, Result<Usage, Error>>;
    /// Waits until it has ended by itself or was ended.
    fn ended(&self) -> Boxed<'_, End>;
    /// Ends it and all its processes, and removes what it leaves; returns when that is done.
    ///
    /// # Errors
    /// Offline when the engine cannot be reached; the next sweep finds it.
    fn end(&self) -> Boxed<'_, Result<(), Error>>;
}

/// Where sandboxes are made.
pub trait Place: Send + Sync {
    /// Name for people: `kernel`, `docker`, `podman at …`.
    fn name(&self) -> &str;
    /// The level that a sandbox gets here, as it was probed.
    ///
    /// # Errors
    /// Offline, with what to do, when this place cannot make any now.
    fn level(&self) -> Boxed<'_, Result<Level, Error>>;
    /// Starts one.
    ///
    /// # Errors
    /// Refused below the least level of the program; Offline with the build hint for a missing image
    /// or when the engine is away; Broken when the system refuses.
    fn start<'a>(&'a self, order: &'a Order) -> Boxed<'a, Result<Sandbox, Error>>;
    /// Ends every sandbox of this node that a former run left behind or whose name is not in `keep`;
    /// returns how many.
    ///
    /// # Errors
    /// Offline when the engine cannot be reached.
    fn sweep<'a>(&'a self, keep: &'a BTreeSet<String>) -> Boxed<'a, Result<usize, Error>>;
    /// Removes what is of use only while Hearth runs, when all sandboxes have ended.
    fn close(&self) -> Boxed<'_, ()> {
        Box::pin(async {})
    }
}
