//! Opens the listening sockets.

use crate::error::Error;
use nix::sys::socket::{setsockopt, sockopt};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::net::{TcpListener, TcpSocket};

/// Connections the system keeps for us until we accept them.
const BACKLOG: u32 = 1024;
/// Seconds after which a silent connection is probed, between probes, and probes.
const KEEPALIVE: (u32, u32, u32) = (60, 10, 3);
/// Bytes that the system keeps for a client that does not read, and of what we have not read yet. On
/// its own it would go up to several MiB for each connection.
const BUFFER: u32 = 256 * 1024;
/// How often another free port is tried when several addresses are to share one.
const TRIES: usize = 8;

/// Binds what `host` names: `all`, an address or a name. At least one address must work.
pub(super) async fn bind(host: &str, port: u16) -> Result<Vec<TcpListener>, Error> {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']');
    if matches!(host, "" | "all" | "*" | "::") {
        let every = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
        return match open(every, false) {
            Ok(listener) => Ok(vec![listener]),
            Err(e)
                if e.kind() == ErrorKind::AddrInUse || e.kind() == ErrorKind::PermissionDenied =>
            {
                Err(failed(every, e))
            }
            // A machine without IPv6.
            Err(_) => {
                let every = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port);
                Ok(vec![open(every, true).map_err(|e| failed(every, e))?])
            }
        };
    }
    let addresses = resolve(host).await?;
    let mut last = None;
    for _ in 0..TRIES {
        match bind_each(&addresses, port) {
            Ok(listeners) => return Ok(listeners),
            Err((address, e)) => {
                let again = port == 0 && e.kind() == ErrorKind::AddrInUse;
                last = Some(failed(address, e));
                if !again {
                    break;
                }
            }
        }
    }
    Err(last.unwrap_or_else(|| Error::invalid(format!("'{host}' names no address to listen on"))))
}

/// Returns what the sockets are bound to.
pub(super) fn addresses(listeners: &[TcpListener]) -> Result<Vec<SocketAddr>, Error> {
    let bound: std::io::Result<Vec<SocketAddr>> =
        listeners.iter().map(TcpListener::local_addr).collect();
    bound.map_err(|e| Error::broken("cannot tell where Hearth listens").because(e))
}

async fn resolve(host: &str) -> Result<Vec<IpAddr>, Error> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![address]);
    }
    let bad = || Error::invalid(format!("cannot listen on '{host}': no address or known name"));
    let found = tokio::net::lookup_host((host, 0)).await.map_err(|e| bad().because(e))?;
    let mut addresses: Vec<IpAddr> = found.map(|a| a.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() { Err(bad()) } else { Ok(addresses) }
}

/// Binds all of them to one port. One that this machine does not have (IPv6 that is switched off,
/// while `/etc/hosts` still lists it) is left out as long as another works.
fn bind_each(
    addresses: &[IpAddr],
    port: u16,
) -> Result<Vec<TcpListener>, (SocketAddr, std::io::Error)> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut missing = None;
    for ip in addresses {
        let first = listeners.first().and_then(|l| l.local_addr().ok());
        let address = SocketAddr::new(*ip, first.map_or(port, |a| a.port()));
        match open(address, true) {
            Ok(listener) => listeners.push(listener),
            Err(e) if matches!(e.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                return Err((address, e));
            }
            Err(e) => missing = Some((address, e)),
        }
    }
    match missing {
        Some(missing) if listeners.is_empty() => Err(missing),
        _ => Ok(listeners),
    }
}

fn open(address: SocketAddr, only_own_family: bool) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if address.is_ipv6() {
        // Said outright, because the system's default for it can be set either way.
        setsockopt(&socket, sockopt::Ipv6V6Only, &only_own_family)?;
    }
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit these.
    socket.set_keepalive(true)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_recv_buffer_size(BUFFER)?;
    setsockopt(&socket, sockopt::TcpKeepIdle, &KEEPALIVE.0)?;
    setsockopt(&socket, sockopt::TcpKeepInterval, &KEEPALIVE.1)?;
    setsockopt(&socket, sockopt::TcpKeepCount, &KEEPALIVE.2)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn failed(address: SocketAddr, e: std::io::Error) -> Error {
    let port = address.port();
    match e.kind() {
        ErrorKind::AddrInUse => Error::conflict(format!(
            "port {port} is taken by another program; stop it or set PORT to another"
        )),
        ErrorKind::PermissionDenied => Error::refused(format!(
            "this user may not listen on port {port}; set PORT to one above 1023"
        )),
        ErrorKind::AddrNotAvailable => {
            Error::invalid(format!("this machine does not have the address {}", address.ip()))
        }
        _ => Error::invalid(format!("cannot listen on {address}")).because(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_listens_on_both_families_with_one_port() {
        let listeners = bind("all", 0).await.unwrap();
        let port = addresses(&listeners).unwrap()[0].port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        if bind("::1", 0).await.is_ok() {
            tokio::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_name_listens_on_each_of_its_addresses() {
        let bound = addresses(&bind("localhost", 0).await.unwrap()).unwrap();
        assert!(bound.iter().all(|a| a.ip().is_loopback() && a.port() == bound[0].port()));
    }

    #[tokio::test]
    async fn a_taken_port_and_an_unknown_name_are_said() {
        let first = bind("127.0.0.1", 0).await.unwrap();
        let port = addresses(&first).unwrap()[0].port();
        let e = bind("127.0.0.1", port).await.unwrap_err();
        assert!(e.to_string().contains("is taken by another program"), "{e}");
        let e = bind("no such host", 0).await.unwrap_err();
        assert!(e.to_string().contains("no address or known name"), "{e}");
    }
}
