//! The settings of section `[orchestrator]`.

use crate::config::{Env, Fault, Form, JsonSchema, Range};
use crate::orchestrator::sandbox::{Level, Limits};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Environment variables of section `[orchestrator]`.
pub const ENV: &[Env] = &[
    Env::new("ORCHESTRATOR_PORT", "orchestrator.web_port", Form::Number(0, 65_535)),
    Env::new("SANDBOX_IMAGE", "orchestrator.image", Form::Text),
    Env::new("DOCKER_HOST", "orchestrator.docker_host", Form::Text),
    Env::new("DOCKER_CERT_PATH", "orchestrator.docker_cert_path", Form::Text),
];

/// A session may go without activity for a day at most.
pub(super) const LONGEST_TTL: u64 = 86_400;

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("orchestrator.session_ttl", 1, LONGEST_TTL as i64),
    Range::new("orchestrator.max_sessions", 1, 1000),
    Range::new("orchestrator.max_sessions_per_token", 1, 1000),
    Range::new("orchestrator.memory_mb", 16, 1 << 20),
    Range::new("orchestrator.ready", 0, 32),
    Range::new("orchestrator.min_level", 1, 4),
    Range::new("orchestrator.sandbox_memory_mb", 16, 1 << 20),
    Range::new("orchestrator.sandbox_processes", 1, 10_000),
    Range::new("orchestrator.sandbox_cpu_percent", 1, 10_000),
    Range::new("orchestrator.sandbox_scratch_mb", 1, 1 << 20),
];

/// Sessions of MCP servers, each in a sandbox of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the container engine is: unix:///run/docker.sock, tcp://host:2376. Empty: the usual
    /// sockets are tried; `none`: no engine is used.
    pub docker_host: String,
    /// The folder of `ca.pem`, `cert.pem` and `key.pem`: with it an engine over TCP is spoken to by TLS.
    pub docker_cert_path: String,
    /// A runtime of the engine other than its own, like `runsc`. Empty: its own.
    pub runtime: String,
    /// The image of our own worker, where an engine runs it.
    pub image: String,
    /// The images that sessions may name besides our own worker: a file. Empty: `catalogue.toml` in the
    /// data folder.
    pub catalogue: String,
    /// The least level of separation for anything but our own worker: 1 to 4 (docs/ORCHESTRATOR.md).
    pub min_level: u8,
    /// Seconds without activity after which a session ends, when it does not say.
    pub session_ttl: u64,
    /// At most so many sessions at once.
    pub max_sessions: usize,
    /// At most so many sessions of one token at once.
    pub max_sessions_per_token: usize,
    /// All sandboxes together may be promised so much memory, in MB.
    pub memory_mb: u64,
    /// So many sandboxes of our own worker are started before anybody asks.
    pub ready: usize,
    /// The memory of a sandbox that does not say, in MB.
    pub sandbox_memory_mb: u64,
    /// Processes and threads of a sandbox that does not say.
    pub sandbox_processes: u32,
    /// Processor time of a sandbox that does not say: 100 is one core.
    pub sandbox_cpu_percent: u32,
    /// The writable folder of a sandbox that does not say, in MB.
    pub sandbox_scratch_mb: u64,
    /// With several nodes on one Redis: the address at which the others reach this one, like
    /// `192.168.1.5:3101`. A loopback or private address only. Empty: this node is alone.
    pub node_address: String,
    /// Listen at one more port, whose root is the page of the orchestrator; 0 picks a free one.
    pub web_port: Option<u16>,
    /// Where: as `http.host`, which it is without one.
    pub web_host: String,
}

impl Default for Config {
    fn default() -> Config {
        let limits = Limits::default();
        Config {
            docker_host: String::new(),
            docker_cert_path: String::new(),
            runtime: String::new(),
            image: "mcp-server:latest".into(),
            catalogue: String::new(),
            min_level: Level::Confined.number(),
            session_ttl: 900,
            max_sessions: 32,
            max_sessions_per_token: 16,
            memory_mb: 2048,
            ready: 0,
            sandbox_memory_mb: limits.memory_bytes >> 20,
            sandbox_processes: limits.processes,
            sandbox_cpu_percent: limits.cpu_thousandths / 10,
            sandbox_scratch_mb: limits.scratch_bytes >> 20,
            node_address: String::new(),
            web_port: None,
            web_host: String::new(),
        }
    }
}

/// Whether an address leads into this machine or a private network: nodes speak in plain text.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

impl Config {
    /// Returns what would be refused at the start, all of it.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.image.trim().is_empty() {
            let text = "name the image of our own worker, like mcp-server:latest";
            faults.push(Fault::new("orchestrator.image", text));
        }
        if self.sandbox_memory_mb > self.memory_mb {
            let text = format!("is more than orchestrator.memory_mb ({})", self.memory_mb);
            faults.push(Fault::new("orchestrator.sandbox_memory_mb", text));
        }
        let address = &self.node_address;
        let at = address.parse::<SocketAddr>().ok();
        if !address.is_empty() && !at.is_some_and(|at| is_near(at.ip())) {
            let text = "must be a private address with a port, like 192.168.1.5:3101";
            faults.push(Fault::new("orchestrator.node_address", text));
        }
        faults
    }

    /// The limits of a sandbox that does not say.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            memory_bytes: self.sandbox_memory_mb << 20,
            processes: self.sandbox_processes,
            cpu_thousandths: self.sandbox_cpu_percent * 10,
            scratch_bytes: self.sandbox_scratch_mb << 20,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_near_and_have_a_port() {
        let faults = |address: &str| {
            let config = Config { node_address: address.into(), ..Config::default() };
            config.faults().len()
        };
        for good in ["", "127.0.0.1:1", "192.168.1.5:3101", "10.0.0.1:80", "[fd00::1]:80"] {
            assert_eq!(faults(good), 0, "{good}");
        }
        for bad in ["192.168.1.5", "example.org:80", "8.8.8.8:80", "0.0.0.0:80", "[2001:db8::1]:80"]
        {
            assert_eq!(faults(bad), 1, "{bad}");
        }
    }
}
