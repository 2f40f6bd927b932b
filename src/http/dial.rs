//! A request on a connection of its own, over a socket, TCP or TLS: for counterparts whose answer turns
//! into a stream of bytes, as those of container engines do.
//!
//! [`ask`](crate::http::ask) is for everything else: it reuses connections, follows proxies and bounds
//! what comes back.

use crate::http::tls::{self, ClientConfig};
use crate::tasks::Tasks;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A counterpart that does not take the connection within this time is away.
const CONNECT: Duration = Duration::from_secs(10);

/// Where somebody listens.
#[derive(Clone, Debug)]
pub enum Address {
    /// A socket in the file system.
    Socket(PathBuf),
    /// A host and a port, in plain text.
    Tcp(String, u16),
    /// A host and a port, over TLS.
    Tls(String, u16, Arc<ClientConfig>),
}

trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// Sends a request and returns the answer's head; its body, or what it turns into, follows.
///
/// # Errors
/// What the network says, TimedOut when nobody takes the connection in time, and what is no HTTP.
pub async fn send<B>(
    to: &Address,
    mut request: Request<B>,
    tasks: &Tasks,
) -> io::Result<Response<Incoming>>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let line = tokio::time::timeout(CONNECT, connect(to)).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, "nobody took the connection within 10 s")
    })??;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(line)).await.map_err(io::Error::other)?;
    // Ends with the last of: the answer, the stream it turned into, the other side.
    tasks.job(async move {
        if let Err(e) = connection.with_upgrades().await {
            log::debug!("a connection ended: {e}");
        }
    });
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = Uri::try_from(path).map_err(io::Error::other)?;
    *request.uri_mut() = path;
    let host = match to {
        Address::Socket(_) => "localhost".into(),
        Address::Tcp(host, port) | Address::Tls(host, port, _) => format!("{host}:{port}"),
    };
    request.headers_mut().insert(HOST, HeaderValue::try_from(host).map_err(io::Error::other)?);
    sender.send_request(request).await.map_err(io::Error::other)
}

async fn connect(to: &Address) -> io::Result<Box<dyn Line>> {
    Ok(match to {
        Address::Socket(path) => Box::new(UnixStream::connect(path).await?),
        Address::Tcp(host, port) => Box::new(tcp(host, *port).await?),
        Address::Tls(host, port, config) => {
            Box::new(tls::secure(tcp(host, *port).await?, config.clone(), host).await?)
        }
    })
}

async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    // A line of MCP is small and waited for.
    stream.set_nodelay(true)?;
    Ok(stream)
}
