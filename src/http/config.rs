//! The section `[http]`.

use crate::config::{Env, Fault, Form, JsonSchema, Range};
use crate::http::guard::{self, Net};
use crate::http::{mdns, tls};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Environment variables of section `[http]`.
pub const ENV: &[Env] = &[
    Env::new("HOST", "http.host", Form::Text),
    Env::new("PORT", "http.port", Form::Number(0, 65_535)),
    Env::new("ALLOWED_HOSTS", "http.hosts", Form::List),
    Env::new("CORS_ORIGINS", "http.origins", Form::List),
    Env::new("TRUSTED_PROXIES", "http.trusted_proxies", Form::List),
    Env::new("OPEN_LOOPBACK", "http.open_loopback", Form::Flag),
    Env::new("LISTEN_WITHOUT_TOKEN", "http.listen_without_token", Form::Flag),
    Env::new("MDNS", "http.mdns", Form::Flag),
    Env::new("MDNS_NAME", "http.mdns_name", Form::Text),
    Env::new("CA_FILE", "http.ca_file", Form::Text),
];

/// The numbers that make sense.
pub const RANGES: &[Range] = &[
    Range::new("http.connections", 1, 65_536),
    Range::new("http.connections_per_address", 1, 65_536),
    Range::new("http.head_seconds", 1, 3_600),
    Range::new("http.idle_seconds", 1, 86_400),
    Range::new("http.body_seconds", 1, 86_400),
    Range::new("http.write_seconds", 1, 86_400),
    Range::new("http.body_bytes", 1 << 10, 1 << 28),
    Range::new("http.address_per_second", 1, 1_000_000),
    Range::new("http.address_burst", 1, 1_000_000),
    Range::new("http.token_per_second", 1, 1_000_000),
    Range::new("http.token_burst", 1, 1_000_000),
    Range::new("http.wrong_tokens", 1, 1_000),
    Range::new("http.wrong_token_seconds", 1, 86_400),
];

/// Where Hearth listens, whom it answers, and how much anyone may ask of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on: `all` (IPv6 and IPv4), one address, or a name such as `localhost`.
    pub host: String,
    /// Port to listen on; 0 picks a free one.
    pub port: u16,
    /// Names by which Hearth may be called, besides `localhost`, its mDNS name and IP addresses.
    /// A page on the web can point a name of its own at your house; only these names are answered.
    pub hosts: Vec<String>,
    /// Origins of other web pages that may use Hearth with a token, such as `https://panel.example`.
    /// `*` lets any page read what needs no token, and nothing more.
    pub origins: Vec<String>,
    /// Addresses or networks (`192.168.1.2`, `172.16.0.0/12`) of reverse proxies. Only from these are
    /// X-Forwarded-For and X-Forwarded-Proto believed.
    pub trusted_proxies: Vec<String>,
    /// Programs on this machine may call without a token and act as `local`. Off unless you say so:
    /// every user and container that shares this network then gets in.
    pub open_loopback: bool,
    /// Listen beyond this machine although there is no token yet.
    pub listen_without_token: bool,
    /// Connections at most, in all. At the limit the one that was idle longest is closed.
    pub connections: usize,
    /// Connections at most from one address. Trusted proxies are not limited by it.
    pub connections_per_address: usize,
    /// Seconds a client has to send the head of a request.
    pub head_seconds: u64,
    /// Seconds after which a connection that asks nothing is closed.
    pub idle_seconds: u64,
    /// Seconds a client has to send the body of a request.
    pub body_seconds: u64,
    /// Seconds after which a client that does not read its answer is cut off.
    pub write_seconds: u64,
    /// Largest request body in bytes, where a route has no limit of its own.
    pub body_bytes: usize,
    /// Requests per second that one address may keep up, whatever its tokens.
    pub address_per_second: u32,
    /// Requests that one address may send in a burst.
    pub address_burst: u32,
    /// Requests per second that one token may keep up.
    pub token_per_second: u32,
    /// Requests that one token may send in a burst.
    pub token_burst: u32,
    /// Wrong tokens that one address may send before it has to wait: 1 s, then 2 s, 4 s and so on.
    pub wrong_tokens: u32,
    /// The longest such wait in seconds. A wrong token is forgotten after as long.
    pub wrong_token_seconds: u64,
    /// Announce Hearth on the local network as `<mdns_name>.local`.
    pub mdns: bool,
    /// The name announced, without `.local`.
    pub mdns_name: String,
    /// PEM file with certificates to trust besides the public ones, for servers with their own.
    pub ca_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            host: "all".into(),
            port: 7123,
            hosts: Vec::new(),
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            open_loopback: false,
            listen_without_token: false,
            connections: 256,
            connections_per_address: 64,
            head_seconds: 10,
            idle_seconds: 75,
            body_seconds: 30,
            write_seconds: 30,
            body_bytes: 1 << 20,
            address_per_second: 1_000,
            address_burst: 10_000,
            token_per_second: 1_000,
            token_burst: 10_000,
            wrong_tokens: 10,
            wrong_token_seconds: 60,
            mdns: true,
            mdns_name: "hearth".into(),
            ca_file: None,
        }
    }
}

impl Config {
    /// Returns what would be refused at the start, all of it. `host` is tried by listening.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = guard::faults_of_names(self);
        faults.extend(Net::faults(&self.trusted_proxies));
        if self.mdns
            && let Err(e) = mdns::check_name(&self.mdns_name)
        {
            faults.push(Fault::new("http.mdns_name", e.to_string()));
        }
        if let Some(Err(e)) = self.ca_file.as_deref().map(tls::check) {
            faults.push(Fault::new("http.ca_file", e.to_string()));
        }
        faults
    }
}
