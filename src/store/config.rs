//! Settings of the store: where it keeps things, and how much.

use crate::config::{Env, Fault, Form, JsonSchema, Range, Secret};
use crate::store::redis;
use serde::{Deserialize, Serialize};

/// Environment variables of the store.
pub const ENV: &[Env] = &[Env::new("REDIS_URL", "store.redis_url", Form::Secret)];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[Range::new("store.max_mb", 1, 1 << 20)];

/// Section `[store]`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of a Redis server that keeps everything instead of the embedded store, such as
    /// `redis://:password@host:6379/0` or `unix:///run/redis.sock`. Empty: the embedded store in
    /// `DATA_DIR`.
    pub redis_url: Secret,
    /// First part of every key in Redis, so that several programs can share one server.
    pub redis_prefix: String,
    /// Most that the embedded store may hold, in MB. When it is full, writing fails and deleting
    /// still works.
    pub max_mb: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { redis_url: Secret::default(), redis_prefix: "hearth".into(), max_mb: 512 }
    }
}

impl Config {
    /// Returns what would be refused at the start, all of it.
    pub fn faults(&self) -> Vec<Fault> {
        if self.redis_url.is_empty() { Vec::new() } else { redis::faults(self) }
    }
}
