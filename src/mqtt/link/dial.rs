//! Opens the way to a broker: name, address, TCP, TLS, WebSocket, all within one time limit.
//!
//! A name is resolved once, and what it stands for is looked at and then connected to: a name that
//! changes its mind in between gains nothing.

use crate::config::Secret;
use crate::http::mdns::{self, Mdns};
use crate::http::tls;
use crate::mqtt::address::{Address, Scheme};
use crate::mqtt::config::Target;
use crate::mqtt::link::reach::Rules;
use crate::mqtt::link::web_socket;
use crate::mqtt::link::wire::Ended;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// A packet to a host that is just starting may be lost: the next is sent after so long.
const KNOCK: Duration = Duration::from_secs(3);

/// A way to a broker.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}
pub(super) type Socket = Box<dyn Stream>;

/// How brokers are reached. Cloning it is cheap.
#[derive(Clone)]
pub struct Reach {
    mdns: Mdns,
    ca_file: Option<PathBuf>,
    own_ports: Arc<Mutex<Vec<u16>>>,
}

impl Reach {
    /// Makes it from the resolver of the local network's names, and the file of certificates that all of
    /// Hearth trusts.
    pub fn new(mdns: &Mdns, ca_file: Option<&Path>) -> Reach {
        let (mdns, ca_file) = (mdns.clone(), ca_file.map(Path::to_owned));
        Reach { mdns, ca_file, own_ports: Arc::default() }
    }

    /// Says on which ports Hearth listens: no tool connects there.
    pub fn listens_on(&self, ports: &[u16]) {
        let mut own = self.own_ports.lock().unwrap_or_else(PoisonError::into_inner);
        own.extend_from_slice(ports);
    }

    /// Returns the rules for an address that the caller of a tool wrote.
    pub(crate) fn rules(&self, allow: &[String]) -> Rules {
        let own = self.own_ports.lock().unwrap_or_else(PoisonError::into_inner);
        Rules::new(allow, own.clone())
    }
}

/// Opens the way to `target`; `rules` are asked when the address is not the owner's.
pub(super) async fn open(
    target: &Target,
    reach: &Reach,
    rules: Option<&Rules>,
    until: Instant,
) -> Result<Socket, Ended> {
    let address = &target.address;
    let late = |_| Ended::lost(format!("{address} did not answer in time"));
    let found = timeout_at(until, find(address, reach)).await.map_err(late)??;
    let mut may = found.iter().copied().filter_map(|candidate| {
        let refusal = rules.and_then(|rules| rules.refusal(&address.host, candidate));
        refusal.map_or(Some(candidate), |_| None)
    });
    let first = may.next();
    let Some(first) = first else {
        let refusal = |candidate| rules.and_then(|rules| rules.refusal(&address.host, candidate));
        let why = found.first().copied().and_then(refusal);
        let why = why.unwrap_or("stands for no address");
        return Err(Ended::refused(format!("{} {why}", address.host)));
    };
    let candidates = std::iter::once(first).chain(may).collect::<Vec<_>>();
    let tcp = timeout_at(until, connect(address, &candidates)).await.map_err(late)??;
    // A message is one small packet; waiting for more to send would only delay it.
    let _ = tcp.set_nodelay(true);
    let dressed = timeout_at(until, dress(target, reach, tcp));
    dressed
        .await
        .map_err(|_| Ended::lost(format!("{address} took the connection and said nothing")))?
}

async fn find(address: &Address, reach: &Reach) -> Result<Vec<SocketAddr>, Ended> {
    let Address { host, port, .. } = address;
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, *port)]);
    }
    if mdns::is_local(host) {
        let found = reach.mdns.resolve(host, mdns::WAIT).await;
        let found = found.map_err(|e| Ended::lost(e.what()))?;
        return Ok(found.into_iter().map(|ip| SocketAddr::new(ip, *port)).collect());
    }
    let found = tokio::net::lookup_host((host.as_str(), *port)).await;
    let unknown =
        |_| Ended::lost(format!("the name '{host}' is not known here; try its IP address"));
    found.map(Iterator::collect).map_err(unknown)
}

async fn connect(address: &Address, candidates: &[SocketAddr]) -> Result<TcpStream, Ended> {
    loop {
        let mut last = None;
        for candidate in candidates {
            match timeout(KNOCK, TcpStream::connect(candidate)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(e)) => last = Some(e),
                Err(_) => {}
            }
        }
        if let Some(e) = last {
            return Err(Ended::lost(match e.kind() {
                io::ErrorKind::ConnectionRefused => format!("nobody listens at {address}"),
                _ => format!("{address} cannot be reached ({e})"),
            }));
        }
    }
}

/// Puts TLS and WebSocket around the connection, as the address says.
async fn dress(target: &Target, reach: &Reach, tcp: TcpStream) -> Result<Socket, Ended> {
    let address = &target.address;
    let plain: Socket = if address.scheme.is_tls() {
        let config = trust(target, reach)?;
        let secured = tls::secure(tcp, config, &address.host).await;
        Box::new(
            secured
                .map_err(|e| Ended::lost(format!("{address}: {}", certificate(&e.to_string()))))?,
        )
    } else {
        Box::new(tcp)
    };
    match address.scheme {
        Scheme::Mqtt | Scheme::Mqtts => Ok(plain),
        Scheme::Ws | Scheme::Wss => web_socket::open(address, plain).await.map_err(Ended::lost),
    }
}

fn trust(target: &Target, reach: &Reach) -> Result<Arc<tls::ClientConfig>, Ended> {
    let file = |path: &String| (!path.is_empty()).then(|| PathBuf::from(path));
    let both = [reach.ca_file.clone(), file(&target.ca_file)];
    let identity = file(&target.cert_file).zip(file(&target.key_file));
    let wish = tls::Wish {
        ca_files: both.into_iter().flatten().collect(),
        identity,
        insecure: target.insecure,
        ..tls::Wish::default()
    };
    wish.client().map_err(|e| Ended::refused(e.to_string()))
}

/// Says what is wrong when TLS ends a connection that it let through at first: with TLS 1.3 a server says
/// only then that it wants another certificate of ours (RFC 8446, section 4.4.2.4).
pub(super) fn tls_words(why: &str) -> String {
    if why.contains("fatal alert") { certificate(why) } else { why.to_owned() }
}

/// Says what a home owner can do about a failure of TLS.
fn certificate(why: &str) -> String {
    let has = |words: &[&str]| words.iter().any(|word| why.contains(word));
    let said = if has(&["UnknownIssuer", "CaUsedAsEndEntity"]) {
        "its certificate was issued by nobody that is trusted; set ca_file to the certificate of its \
         authority"
    } else if has(&["not valid for name", "NotValidForName"]) {
        "its certificate is for another name; use a name that it holds"
    } else if has(&["certificate expired", "Expired"]) {
        "its certificate has run out; renew it, or check the clock of this machine"
    } else if has(&["certificate not valid yet", "NotValidYet"]) {
        "its certificate is not valid yet; check the clock of this machine"
    } else if has(&["CertificateRequired", "CertificateUnknown", "BadCertificate", "UnknownCA"]) {
        "it wants a certificate of ours that it trusts; set cert_file and key_file"
    } else if has(&["certificate"]) {
        "its certificate is not accepted"
    } else if has(&["corrupt message", "InvalidContentType"]) {
        "it does not speak TLS there; use mqtt:// or ws://"
    } else {
        "TLS failed"
    };
    format!("{said} ({why})")
}

/// Returns a client id that nobody else has.
pub(super) fn made_up_id() -> String {
    let mut raw = [0; 6];
    // Without random numbers the broker gives us one: an empty id asks for that.
    if getrandom::fill(&mut raw).is_err() {
        return String::new();
    }
    raw.iter().fold("hearth-".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

/// Whether a text holds a secret: for what other people's code says.
pub(super) fn hides(text: &str, secret: &Secret) -> String {
    if secret.is_empty() { text.to_owned() } else { text.replace(secret.reveal(), "…") }
}
