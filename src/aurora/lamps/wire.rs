//! The sockets. Nothing in here ever waits: what cannot leave at once is thrown away and counted.

use super::counters::Sent;
use super::encode::{E131_PORT, To, group};
use crate::error::Error;
use nix::sys::socket::{setsockopt, sockopt};
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// What the system counts for a packet besides its bytes, roughly.
const OVERHEAD: usize = 1024;
/// The traffic class that Wi-Fi takes for video (RFC 2474; class selector 5): ahead of downloads.
const CLASS: u8 = 0xa0;
/// Nothing waits for longer (ns) in the system: an address that nobody answers for is given up after 3 s. A
/// driver under which something does keeps what has left, and says nothing.
const KEEPS: u64 = 10_000_000_000;
/// The last words of an output may wait so long for the socket.
const PATIENCE: Duration = Duration::from_millis(20);

/// Where packets go out: a socket, but in tests.
pub trait Wire: Send {
    /// Whether what was sent before has left this machine. Asked at each picture, at `now` (ns).
    fn is_clear(&mut self, _now: u64) -> bool {
        true
    }
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
    /// Since when something has not left.
    waits: Option<u64>,
    /// The system keeps what has left.
    keeps: bool,
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
        Ok(Udp { socket, is_stuck: false, is_patient: false, waits: None, keeps: false })
    }

    /// Another handle on the socket, by which it can be pointed elsewhere.
    ///
    /// # Errors
    /// Broken when the system gives no descriptor.
    pub(crate) fn other(&self) -> Result<UdpSocket, Error> {
        let other = self.socket.try_clone();
        other.map_err(|e| Error::broken("no descriptor for a lamp").because(e))
    }

    /// Bytes that have not left this machine.
    fn left_over(&self) -> i32 {
        let mut bytes: nix::libc::c_int = 0;
        #[allow(unsafe_code, reason = "no safe call asks this; the pointer lives through the call")]
        // TIOCOUTQ is what the network calls SIOCOUTQ (udp(7)).
        let asked = unsafe {
            nix::libc::ioctl(self.socket.as_raw_fd(), nix::libc::TIOCOUTQ, &raw mut bytes)
        };
        if asked == 0 { bytes } else { 0 }
    }

    fn once(&self, to: To, packet: &[u8]) -> std::io::Result<usize> {
        match to {
            To::Universe(universe) => self.socket.send_to(packet, (group(universe), E131_PORT)),
            _ => self.socket.send(packet),
        }
    }
}

impl Wire for Udp {
    /// While nobody answers for an address, or the Wi-Fi stands still, the system holds packets back, and
    /// would send them late. So a picture waits in there at most alone.
    fn is_clear(&mut self, now: u64) -> bool {
        if self.keeps || self.left_over() == 0 {
            self.waits = None;
            return true;
        }
        let since = *self.waits.get_or_insert(now);
        self.keeps = now.saturating_sub(since) > KEEPS;
        self.keeps
    }

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
