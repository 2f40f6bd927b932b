//! The settings of section `[mcp]`.

use crate::config::{Env, JsonSchema};
use serde::{Deserialize, Serialize};

/// Environment variables of section `[mcp]`: none.
pub const ENV: &[Env] = &[];

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
