//! The way out of a sandbox that has one: a proxy in Hearth that connects to what the order names and
//! to nothing else, and a helper inside that makes it look like any other proxy.
//!
//! The server in the sandbox finds `HTTPS_PROXY` in its environment, connects to its own 127.0.0.1,
//! and [`inside`] passes the bytes on to a socket of ours. There a request is read ([`ask`], pure),
//! looked up among the destinations ([`allow`], pure) and, if it stands there, connected. No name is
//! resolved and no packet is sent inside the sandbox.

mod allow;
mod ask;
mod door;
pub mod inside;
mod way;

pub use door::Door;
pub(in crate::orchestrator) use way::{For, SOCKET, Way, clean};

use std::collections::BTreeMap;

/// Where the proxy listens inside.
const INSIDE: &str = "127.0.0.1:3128";

/// What a server needs in its environment to find the way out.
pub fn environment() -> BTreeMap<&'static str, &'static str> {
    let proxy = "http://127.0.0.1:3128";
    BTreeMap::from([
        ("HTTPS_PROXY", proxy),
        ("https_proxy", proxy),
        ("HTTP_PROXY", proxy),
        ("http_proxy", proxy),
        // Node's own fetch looks at these only then (22.21, 24.5 and newer).
        ("NODE_USE_ENV_PROXY", "1"),
    ])
}
