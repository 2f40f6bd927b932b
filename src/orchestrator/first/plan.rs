//! What the first process is told: which guards it puts up, and what it starts behind them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// For the outer stage, which stays outside and keeps the sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outer {
    /// Process id of the Hearth that started it: when it is gone already, nothing starts.
    pub parent: u32,
    /// The sandbox's own mark and its node's: see `http::peer`.
    pub mark: (u64, u64),
    /// Whether it gets namespaces of its own (level 3).
    pub apart: bool,
}

/// For the inner stage, which becomes or keeps the server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Inner {
    /// The guards to put up.
    pub guards: Guards,
    /// What starts behind them.
    pub run: Run,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Our own binary, where the sandbox is to have it; at level 3 it is shown as `/hearth`.
    pub binary: PathBuf,
    /// Files and folders that it may read, besides the system's own.
    pub reads: Vec<PathBuf>,
    /// Its writable folder. At level 3 there is none on the disk: `/tmp` is in memory.
    pub scratch: Option<PathBuf>,
    /// The socket of the proxy through which it may connect.
    pub egress: Option<PathBuf>,
    /// Limits of each process or, for `processes`, of the user; see [`Limits`].
    pub limits: Limits,
}

/// Which guards are put up. A sandbox gets all of its level; the tests take single ones away to show
/// that they are what holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    /// A root of its own: nothing of the machine but what is shown (level 3).
    pub root: bool,
    /// A network of its own, with nothing but loopback (level 3).
    pub network: bool,
    /// Landlock, as far as the kernel has it.
    pub landlock: bool,
    /// The filter of system calls.
    pub filter: Filter,
    /// The resource limits.
    pub limits: bool,
}

/// Which system calls are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// All.
    None,
    /// All but those that reach beyond a sandbox with namespaces of its own.
    Apart,
    /// Also without sockets and what Landlock does not see.
    Confined {
        /// Processes of the same user are outside, so nothing may act on other processes or on files
        /// by their names.
        same_user: bool,
    },
    /// Only what our own worker needs once everything is open.
    Worker,
}

/// What starts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Run {
    /// A program, looked for in the environment's PATH.
    Program(Vec<String>),
    /// Our own worker with so many bytes of files in memory, in this very process: behind the filter
    /// of level 1 nothing can be started.
    Memory(usize),
    /// What the probe tries a level by, in the same way.
    Trial,
}

/// Resource limits; `None` leaves the present one.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of private writable memory of each process (RLIMIT_DATA).
    pub data: Option<u64>,
    /// Processes and threads of the user (RLIMIT_NPROC).
    pub processes: Option<u64>,
    /// Open files of each process.
    pub files: Option<u64>,
    /// Bytes of the largest file that may be written.
    pub file_bytes: Option<u64>,
    /// Bytes of the scratch folder, where it is in memory.
    pub scratch: u64,
}

/// What a stage says on stdout when it is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Said {
    /// The outer stage: the process id of the inner one.
    Started(u32),
    /// The inner stage: all guards are up, the server starts now. What Landlock enforces, in words;
    /// `None` without Landlock.
    Ready {
        /// For example `fully, ABI 7`.
        landlock: Option<String>,
    },
    /// It could not be done, in words.
    Failed(String),
}
