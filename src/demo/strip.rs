//! The demo's strip of lights: takes pictures as DDP on loopback and shows them to nobody.

use crate::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

/// The largest packet of DDP.
const LARGEST: usize = 1500;

/// Opens the strip's socket on a free port.
pub(super) async fn open() -> Result<(Arc<UdpSocket>, SocketAddr), Error> {
    let bad = |e| Error::broken("loopback gives no port for the demo's strip").because(e);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(bad)?;
    let address = socket.local_addr().map_err(bad)?;
    Ok((Arc::new(socket), address))
}

/// Takes pictures until the end.
pub(super) async fn run(socket: Arc<UdpSocket>, stop: CancellationToken) -> Result<(), Error> {
    let mut packet = [0; LARGEST];
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            read = socket.recv(&mut packet) => {
                read.map_err(|e| Error::broken("the demo's strip hears nothing").because(e))?;
            }
        }
    }
}
