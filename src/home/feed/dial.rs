//! Opens the WebSocket to a house: name, TCP, TLS, upgrade, each within a time limit.

use crate::error::Error;
use crate::home::config::Address;
use crate::http::ask::Ask;
use crate::http::mdns::{self, Mdns};
use crate::http::tls::ClientConfig;
use crate::mcp::Boxed;
use crate::tasks::Tasks;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

/// An open WebSocket.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Finds the addresses behind a `.local` name.
pub type Resolve = Arc<dyn Fn(String) -> Boxed<'static, Result<Vec<IpAddr>, Error>> + Send + Sync>;

/// Finding the address and connecting may take so long.
const CONNECT: Duration = Duration::from_secs(10);
/// TLS and the upgrade may take so long.
const UPGRADE: Duration = Duration::from_secs(10);
/// A second buffer of the usual 128 KiB would be most of what a quiet connection costs.
const BUFFER: usize = 16 * 1024;

/// How houses are reached: whom to trust over TLS, and names of the local network.
#[derive(Clone)]
pub struct Reach {
    tls: Connector,
    config: Arc<ClientConfig>,
    mdns: Mdns,
    resolve: Resolve,
}

impl Reach {
    /// Makes it from the TLS set-up and the resolver that all of Hearth share.
    pub fn new(tls: Arc<ClientConfig>, mdns: &Mdns) -> Reach {
        let (own, mdns) = (mdns.clone(), mdns.clone());
        let resolve: Resolve = Arc::new(move |host| {
            let mdns = mdns.clone();
            Box::pin(async move { mdns.resolve(&host, mdns::WAIT).await })
        });
        Reach { tls: Connector::Rustls(tls.clone()), config: tls, mdns: own, resolve }
    }

    /// Makes the client for what houses answer over REST only.
    pub(crate) fn ask(&self, tasks: &Tasks) -> Ask {
        Ask::new(self.config.clone(), &self.mdns, tasks)
    }

    /// Resolves `.local` names by `resolve` instead.
    pub fn resolving(mut self, resolve: Resolve) -> Reach {
        self.resolve = resolve;
        self
    }
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
    let connector = if address.tls { reach.tls.clone() } else { Connector::Plain };
    let upgrade = tokio_tungstenite::client_async_tls_with_config(
        address.text(),
        stream,
        Some(config),
        Some(connector),
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
    if mdns::is_local(host) {
        let found = (reach.resolve)(host.clone()).await?;
        return Ok(found.into_iter().map(|ip| SocketAddr::new(ip, *port)).collect());
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
        other => match certificate(address, &other.to_string()) {
            Some(why) => Error::offline(format!("{}: {why}", address.text())).because(other),
            None => Error::offline(format!("{} opens no WebSocket", address.text())).because(other),
        },
    }
}

/// Says what a home owner can do about a failure of TLS, by its words: the error itself is behind two
/// packages that this module does not know.
fn certificate(address: &Address, why: &str) -> Option<String> {
    let host = &address.host;
    let said = if why.contains("UnknownIssuer") {
        "its certificate was issued by nobody that is trusted; set CA_FILE (http.ca_file) to the \
         certificate of its authority"
            .to_owned()
    } else if why.contains("not valid for name") || why.contains("NotValidForName") {
        format!(
            "its certificate is for another name than '{host}'; use a name that it holds as HASS_HOST \
             (home.url)"
        )
    } else if why.contains("certificate expired") || why.contains("Expired") {
        "its certificate has run out; renew it, or check the clock of this machine".to_owned()
    } else if why.contains("certificate not valid yet") || why.contains("NotValidYet") {
        "its certificate is not valid yet; check the clock of this machine".to_owned()
    } else if why.contains("certificate") {
        "its certificate is not accepted; CA_FILE (http.ca_file) names authorities to trust"
            .to_owned()
    } else if why.contains("corrupt message") || why.contains("InvalidContentType") {
        "it does not speak TLS there; write http:// or ws:// in HASS_HOST (home.url)".to_owned()
    } else {
        return None;
    };
    Some(said)
}
