//! The settings of section `[mcp]`.

use crate::config::{Env, JsonSchema, Range};
use serde::{Deserialize, Serialize};

/// Environment variables of section `[mcp]`: none.
pub const ENV: &[Env] = &[];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("mcp.sessions", 1, 10_000),
    Range::new("mcp.session_minutes", 1, 525_600),
    Range::new("mcp.calls", 1, 10_000),
    Range::new("mcp.call_seconds", 1, 86_400),
    Range::new("mcp.answer_bytes", 1 << 10, 1 << 28),
    Range::new("mcp.message_bytes", 1 << 10, 1 << 28),
    Range::new("mcp.local_clients", 1, 10_000),
];

/// How assistants are served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// So many sessions over HTTP at once; then the one that was idle longest ends.
    pub sessions: usize,
    /// A session without an open stream ends after so many idle minutes.
    pub session_minutes: u64,
    /// So many tool calls at once, over all clients.
    pub calls: usize,
    /// A tool call ends after so many seconds, unless the tool has its own limit.
    pub call_seconds: u64,
    /// No tool answers more bytes than this, unless the tool has its own limit.
    pub answer_bytes: usize,
    /// The largest message from a client, in bytes.
    pub message_bytes: usize,
    /// So many clients at once on the local socket (`hearth mcp`).
    pub local_clients: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            sessions: 64,
            session_minutes: 60,
            calls: 64,
            call_seconds: 60,
            answer_bytes: 16 << 10,
            message_bytes: 1 << 20,
            local_clients: 32,
        }
    }
}
