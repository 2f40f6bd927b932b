//! An MQTT broker of Hearth's own: for the demo, for tests, and for a house that has none.
//!
//! `wire` is the protocol as bytes, `core` the broker without sockets, `edge` the port and `connection`
//! what comes through it. Both versions, 3.1.1 and 5, over TCP and WebSocket. Everything is in memory and has a bound; a slow client never holds up another.

mod access;
mod config;
mod connection;
mod core;
mod edge;
mod local;
mod measure;
mod web_socket;
mod wire;

pub(crate) use config::OWN;
pub use config::{Embedded, User};
pub(crate) use core::{Counts, Sizes};
pub use local::{Heard, Local};
pub(crate) use measure::measure;

use crate::config::{Fault, Secret};
use crate::error::Error;
use crate::policy;
use crate::tasks::{Tasks, Whose};
use edge::Edge;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// A running broker. Cloning it is cheap; it ends with the tasks.
#[derive(Clone)]
pub struct Broker {
    edge: Arc<Edge>,
    address: SocketAddr,
    password: Secret,
}

impl std::fmt::Debug for Broker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Broker({})", self.address)
    }
}

impl Broker {
    /// Opens the port and serves it. Must be called inside the runtime.
    ///
    /// # Errors
    /// Invalid when a setting is wrong; Broken when the port cannot be had, or the system gives no
    /// randomness.
    pub fn start(config: &Embedded, tasks: &Tasks) -> Result<Broker, Error> {
        Fault::refuse(config.faults())?;
        let password = Secret::new(policy::random_token()?);
        let (listener, address) = edge::listen(&config.host, config.port)?;
        let edge = Arc::new(Edge::new(config, password.clone(), tasks));
        let (listener, status) = (Arc::new(listener), tasks.status("broker", Whose::Own));
        let serving = edge.clone();
        tasks.spawn("broker", move |stop| {
            status.up();
            edge::run(serving.clone(), listener.clone(), stop)
        });
        log::info!("the MQTT broker listens on {address}");
        Ok(Broker { edge, address, password })
    }

    /// Returns the address at which this machine reaches it.
    pub fn address(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// Returns the password of the user [`OWN`].
    pub(crate) fn password(&self) -> &Secret {
        &self.password
    }

    /// Joins as a client inside this process, with the retained message that is to be said when it goes
    /// without leaving: its topic and payload.
    ///
    /// # Errors
    /// Limit when the broker has no room for another client.
    pub fn join(&self, client_id: &str, will: Option<(&str, &str)>) -> Result<Local, Error> {
        Local::join(&self.edge, client_id, will)
    }

    /// Returns what has happened since the start.
    pub(crate) fn counts(&self) -> Counts {
        self.edge.core().counts()
    }

    /// Returns what there is now.
    pub(crate) fn sizes(&self) -> Sizes {
        self.edge.core().sizes()
    }
}
