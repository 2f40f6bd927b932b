//! The sockets. Nothing in here ever waits: what cannot leave at once is thrown away and counted.

use super::counters::Sent;
use super::encode::{E131_PORT, To, group};
use crate::error::Error;
use nix::sys::socket::{setsockopt, sockopt};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// What the system counts for a packet besides its bytes, roughly.
const OVERHEAD: usize = 1024;
/// The traffic class that Wi-Fi takes for video (RFC 2474; class selector 5): ahead of downloads.
const CLASS: u8 = 0xa0;
/// The last words of an output may wait so long for the socket.
const PATIENCE: Duration = Duration::from_millis(20);

/// Where packets go out: a socket, but in tests.
pub trait Wire: Send {
    /// Sends at once or not at all.
    fn send(&mut self, to: To, packet: &[u8]) -> Sent;
    /// From now on the wire may wait a moment: the last packets follow.
    fn patient(&mut self) {}
}

/// A UDP socket of one output.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    /// The socket stayed full while it was waited for.
    is_stuck: bool,
    is_patient: bool,
}

impl Udp {
    /// A socket to `address`, or to the groups of E1.31 without one; `interface` is our own address
    /// where multicast goes out. It holds about two pictures of `packets` packets of `bytes` in all.
    ///
    /// # Errors
    /// Offline when the system gives no such socket or knows no way there.
    pub(crate) fn open(
        address: Option<SocketAddr>,
        interface: Option<Ipv4Addr>,
        (packets, bytes): (usize, usize),
    ) -> Result<Udp, Error> {
        let place = || address.map_or("multicast".to_owned(), |a| a.to_string());
        let failed = |e: std::io::Error| {
            Error::offline(format!("nothing can be sent to {}", place())).because(e)
        };
        let ours: IpAddr = match address {
            Some(SocketAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
            // Linux sends multicast out where the address of the sender belongs.
            Some(a) if !a.ip().is_multicast() => Ipv4Addr::UNSPECIFIED.into(),
            _ => interface.unwrap_or(Ipv4Addr::UNSPECIFIED).into(),
        };
        let socket = UdpSocket::bind((ours, 0)).map_err(failed)?;
        if let Some(address) = address {
            socket.connect(address).map_err(failed)?;
        }
        socket.set_nonblocking(true).map_err(failed)?;
        // A socket that holds more would send it late once its network is there again. The system
        // doubles the figure, and has a least one of its own.
        let _ = setsockopt(&socket, sockopt::SndBuf, &(bytes + packets * OVERHEAD));
        if ours.is_ipv4() {
            let _ = setsockopt(&socket, sockopt::Ipv4Tos, &i32::from(CLASS));
        }
        Ok(Udp { socket, is_stuck: false, is_patient: false })
    }

    /// Another handle on the socket, by which it can be pointed elsewhere.
    ///
    /// # Errors
    /// Broken when the system gives no descriptor.
    pub(crate) fn other(&self) -> Result<UdpSocket, Error> {
        let other = self.socket.try_clone();
        other.map_err(|e| Error::broken("no descriptor for a lamp").because(e))
    }

    fn once(&self, to: To, packet: &[u8]) -> std::io::Result<usize> {
        match to {
            To::Universe(universe) => self.socket.send_to(packet, (group(universe), E131_PORT)),
            _ => self.socket.send(packet),
        }
    }
}

impl Wire for Udp {
    fn send(&mut self, to: To, packet: &[u8]) -> Sent {
        if self.is_stuck {
            return Sent::Full;
        }
        let sent = match self.once(to, packet) {
            // What the system says here is about an earlier packet; this one did not leave yet.
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => match self.once(to, packet) {
                // It left, but there is nobody: every packet so far was in vain.
                Ok(_) => return Sent::Failed(nix::libc::ECONNREFUSED),
                other => other,
            },
            other => other,
        };
        match sent {
            Ok(_) => Sent::Out,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                // Waited for once is enough: other outputs want to end, too.
                self.is_stuck = self.is_patient;
                Sent::Full
            }
            Err(e) => Sent::Failed(e.raw_os_error().unwrap_or(nix::libc::EIO)),
        }
    }

    fn patient(&mut self) {
        self.is_patient = true;
        let _ = self.socket.set_nonblocking(false);
        let _ = self.socket.set_write_timeout(Some(PATIENCE));
    }
}
