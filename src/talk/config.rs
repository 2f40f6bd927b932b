//! The settings of section `[talk]`.

use crate::config::{Env, Form, JsonSchema, Range};
use serde::{Deserialize, Serialize};

/// Environment variables of section `[talk]`.
pub const ENV: &[Env] = &[
    Env::new("HISTORY_TTL_SECONDS", "talk.ttl_seconds", Form::Number(1, 31_536_000)),
    Env::new("MAX_HISTORY_TOKENS", "talk.max_tokens", Form::Number(1, 10_000_000)),
];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("talk.ttl_seconds", 1, 31_536_000),
    Range::new("talk.max_tokens", 1, 10_000_000),
    Range::new("talk.max_messages", 1, 1000),
    Range::new("talk.max_conversations", 1, 10_000),
];

/// Conversations that are kept for whoever goes on with them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A conversation is forgotten so many seconds after its last message.
    pub ttl_seconds: u64,
    /// A window holds so many tokens, when nobody says; four characters count as one.
    pub max_tokens: u64,
    /// So many messages of a conversation are kept, the newest.
    pub max_messages: usize,
    /// So many conversations each token may have.
    pub max_conversations: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config { ttl_seconds: 86_400, max_tokens: 30_000, max_messages: 50, max_conversations: 500 }
    }
}
