//! Opens the WebSocket to a house: name, TCP, TLS, upgrade, each within a time limit.

use crate::error::Error;
use crate::home::config::Address;
use crate::mcp::Boxed;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

/// An open WebSocket.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Finds the address behind a `.local` name.
pub type Resolve = Arc<dyn Fn(String) -> Boxed<'static, Result<IpAddr, Error>> + Send + Sync>;

/// Finding the address and connecting may take so long.
const CONNECT: Duration = Duration::from_secs(10);
/// TLS and the upgrade may take so long.
const UPGRADE: Duration = Duration::from_secs(10);
/// A second buffer of the usual 128 KiB would be most of what a quiet connection costs.
const BUFFER: usize = 16 * 1024;

/// How houses are reached: TLS trust and names of the local network.
#[derive(Clone, Default)]
pub struct Reach {
    /// Certificates to trust and keys to show; without it the usual public roots.
    pub tls: Option<Connector>,
    /// Resolves `.local` names; without it the system's resolver is asked.
    pub resolve: Option<Resolve>,
}

/// Opens the WebSocket at `address`; messages may be `most` bytes.
///
/// # Errors
/// Offline: says which step failed and what to check.
pub(crate) async fn open(address: &Address, reach: &Reach, most: usize) -> Result<Socket, Error> {
    let stream = tokio::time::timeout(CONNECT, connect(address, reach)).await.map_err(|_| {
        Error::offline(format!("{}:{} did not answer within 10 s", address.host, address.port))
    })??;
    // A command is one small message; waiting for more to send would only delay it.
    let _ = stream.set_nodelay(true);
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(most)
        .max_message_size(Some(most))
        .max_frame_size(Some(most));
    let connector = reach.tls.clone();
    let upgrade = tokio_tungstenite::client_async_tls_with_config(
        address.text(),
        stream,
        Some(config),
        connector,
    );
    match tokio::time::timeout(UPGRADE, upgrade).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(e)) => Err(refused(address, e)),
        Err(_) => Err(Error::offline(format!(
            "{} took the connection and then said nothing for 10 s",
            address.text()
        ))),
    }
}

async fn connect(address: &Address, reach: &Reach) -> Result<TcpStream, Error> {
    let candidates = find(address, reach).await?;
    let mut last = None;
    for candidate in candidates {
        match TcpStream::connect(candidate).await {
            Ok(stream) => return Ok(stream),
            Err(e) => last = Some(e),
        }
    }
    let e = Error::offline(format!("cannot connect to {}:{}", address.host, address.port));
    Err(match last {
        Some(cause) => e.because(cause),
        None => e,
    })
}

async fn find(address: &Address, reach: &Reach) -> Result<Vec<SocketAddr>, Error> {
    let Address { host, port, .. } = address;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, *port)]);
    }
    let is_local = host.to_ascii_lowercase().ends_with(".local");
    if let (true, Some(resolve)) = (is_local, &reach.resolve) {
        let ip = resolve(host.clone()).await?;
        return Ok(vec![SocketAddr::new(ip, *port)]);
    }
    let found = tokio::net::lookup_host((host.as_str(), *port)).await;
    found.map(Iterator::collect).map_err(|e| {
        Error::offline(format!("the name '{host}' is not known here; try its IP address"))
            .because(e)
    })
}

fn refused(address: &Address, e: tungstenite::Error) -> Error {
    match e {
        tungstenite::Error::Http(answer) => Error::offline(format!(
            "{} answers HTTP {} where Home Assistant opens a WebSocket; check the address",
            address.text(),
            answer.status().as_u16()
        )),
        other => Error::offline(format!("{} opens no WebSocket", address.text())).because(other),
    }
}
