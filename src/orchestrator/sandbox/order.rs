//! What is ordered: a program, its environment, its limits, and where it may connect to.

use crate::config::Secret;
use crate::orchestrator::sandbox::Level;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What runs in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// Our own MCP server, `hearth worker`.
    Worker,
    /// An image of a container engine.
    Image {
        /// Name with tag or digest, for example `mcp-server:latest`.
        reference: String,
        /// Command in place of the image's own.
        command: Option<Vec<String>>,
    },
    /// A program of this machine.
    Command {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Files and folders that it may read, besides the system's own libraries.
        reads: Vec<PathBuf>,
    },
}

impl Program {
    /// The least level that this may run at, whatever the configuration says.
    pub fn least_level(&self) -> Level {
        match self {
            Program::Worker => Level::Filtered,
            Program::Command { .. } => Level::Confined,
            Program::Image { .. } => Level::Container,
        }
    }
}

/// What a sandbox may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Memory of all its processes, in bytes.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u32,
    /// Thousandths of one processor core.
    pub cpu_thousandths: u32,
    /// The writable, non-executable scratch folder, in bytes.
    pub scratch_bytes: u64,
    /// Open files of one process.
    pub open_files: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory_bytes: 256 << 20,
            processes: 64,
            cpu_thousandths: 500,
            scratch_bytes: 64 << 20,
            open_files: 256,
        }
    }
}

/// A host that a sandbox may connect to, by name, through our proxy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Destination {
    /// Host name in lower case, or `*.` and a domain for all names below it.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// An order for one sandbox.
#[derive(Clone, Debug)]
pub struct Order {
    /// Name of the sandbox: 1 to 63 of a-z, 0-9 and `-`; no other of this node has it.
    pub name: String,
    /// The node (one Hearth) that it belongs to: what [`sweep`](super::Place::sweep) goes by.
    pub node: String,
    /// The fencing token of the session's lease, shown as a label.
    pub epoch: u64,
    /// What runs.
    pub program: Program,
    /// The server's environment. It never stands in argv, in `docker inspect` or on a disk.
    pub environment: BTreeMap<String, Secret>,
    /// What it may use.
    pub limits: Limits,
    /// Where it may connect to; empty is nowhere.
    pub egress: Vec<Destination>,
}
