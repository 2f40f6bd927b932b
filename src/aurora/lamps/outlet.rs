//! The addresses of outputs: names are looked up beside the show, again and again.
//!
//! The show thread only knows sockets, and no lamp waits until the name of another is found. A socket
//! without an address fails to send, which is counted; once the name is known, or means something else
//! than before, the socket is pointed there from here. Nothing is handed to the thread.

use super::config::Config;
use super::counters::Counters;
use super::line::{Delay, Line};
use super::pace::Pace;
use super::paint::{Hear, Post};
use super::plan::{Place, place, plans, port};
use super::post::{Posted, Sync, Synced};
use super::run::Stage;
use super::wire::Udp;
use super::{Kind, encode::sync};
use crate::error::Error;
use crate::http::mdns::{self, Mdns};
use futures_util::future::join_all;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often names are looked up again.
const AGAIN: Duration = Duration::from_secs(10);
/// Looking up a name may take so long.
const LOOK_UP: Duration = Duration::from_secs(3);

/// One output and where it is.
pub(crate) struct Outlet {
    /// Numbers of its lamps.
    pub(crate) lamps: Vec<usize>,
    pub(crate) counters: Arc<Counters>,
    /// Why it has no address yet.
    pub(crate) away: Option<String>,
    name: Option<Name>,
}

/// A name that can mean another address later.
struct Name {
    host: String,
    port: u16,
    socket: UdpSocket,
    address: Option<SocketAddr>,
}

/// What is handed in for one show besides the configuration.
pub(crate) struct Given {
    pub(crate) hear: Option<Box<dyn Hear>>,
    /// Outputs that send by themselves: number of the lamp.
    pub(crate) posts: Vec<(usize, Box<dyn Post>)>,
    pub(crate) id: [u8; 16],
}

/// Opens everything that a show needs. What cannot be reached now is opened all the same.
///
/// # Errors
/// Broken when the system gives no sockets.
pub(crate) fn open(
    config: &Config,
    delays: &[Delay],
    given: Given,
    begin: u64,
) -> Result<(Stage, Vec<Outlet>), Error> {
    let interface = config.interface.parse().ok();
    let (mut lines, mut outlets) = (Vec::new(), Vec::new());
    for plan in plans(config, delays, given.id) {
        let size = (plan.size.div_ceil(512) + 1, plan.size);
        let (wire, name, away) = dial(&plan.place, interface, size)?;
        let pace = Pace::new(plan.rate, plan.fastest, begin);
        let line = Line::new(plan.parts, plan.size, plan.encoder, Box::new(wire), pace);
        let counters = line.counters().clone();
        outlets.push(Outlet { lamps: plan.lamps, counters, away, name });
        lines.push(line);
    }
    let mut synced = Vec::new();
    for (n, lamp) in config.lamp.iter().enumerate().filter(|(_, l)| l.kind == Kind::WledSync) {
        let place = match place(&lamp.address, port(lamp.kind)) {
            Place::Multicast => Place::Host(sync::GROUP.to_string(), sync::PORT),
            host => host,
        };
        let (wire, name, away) = dial(&place, interface, (1, sync::SIZE))?;
        let line = Synced::new(Box::new(wire));
        let counters = line.counters().clone();
        outlets.push(Outlet { lamps: vec![n], counters, away, name });
        synced.push(line);
    }
    let mut posted = Vec::new();
    for (n, post) in given.posts {
        let Some(lamp) = config.lamp.get(n) else { continue };
        let rate = lamp.rate.unwrap_or(config.rate);
        let pace = Pace::new(rate.min(config.rate), lamp.kind.fastest(), begin);
        let post = Posted::new(n, post, lamp.pixels.into(), pace);
        let counters = post.counters().clone();
        outlets.push(Outlet { lamps: vec![n], counters, away: None, name: None });
        posted.push(post);
    }
    let sync = given.hear.filter(|_| !synced.is_empty()).map(|hear| Sync::new(hear, synced));
    let lead = f64::from(config.lead_ms) / 1000.0;
    Ok((Stage { lines, posted, sync, lead }, outlets))
}

/// Opens the socket of one output, and says what name to look up and why it is away until then.
fn dial(
    place: &Place,
    interface: Option<Ipv4Addr>,
    size: (usize, usize),
) -> Result<(Udp, Option<Name>, Option<String>), Error> {
    let Place::Host(host, port) = place else {
        return Ok((Udp::open(None, interface, size)?, None, None));
    };
    let literal = host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, *port));
    // Without a way there, as when the network is not up yet, it is pointed there later, too.
    let opened = literal.map(|address| Udp::open(Some(address), interface, size));
    let (udp, away) = match opened {
        Some(Ok(udp)) => (udp, None),
        Some(Err(e)) => (Udp::open(None, None, size)?, Some(e.to_string())),
        None => {
            let looked = format!("the name '{host}' is being looked up");
            (Udp::open(None, None, size)?, Some(looked))
        }
    };
    let address = literal.filter(|_| away.is_none());
    let name = Name { host: host.clone(), port: *port, socket: udp.other()?, address };
    Ok((udp, Some(name), away))
}

/// Looks a name up: IPv4 first, as few lamps know anything else.
pub(crate) async fn find(host: &str, port: u16, mdns: &Mdns) -> Result<SocketAddr, Error> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, port));
    }
    let unknown =
        || Error::offline(format!("the name '{host}' is not known here; try its IP address"));
    if mdns::is_local(host) {
        let found = mdns.resolve(host, LOOK_UP).await?;
        return found.first().map(|ip| SocketAddr::new(*ip, port)).ok_or_else(unknown);
    }
    let looked = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((host, port))).await;
    let mut found: Vec<SocketAddr> =
        looked.map_err(|_| unknown())?.map_err(|e| unknown().because(e))?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().ok_or_else(unknown)
}

impl Outlet {
    /// Returns what is to be looked up: what has no address, and what has one where nobody is.
    fn unknown(&self) -> Option<(String, u16)> {
        let name = self.name.as_ref()?;
        let is_literal = name.host.parse::<IpAddr>().is_ok();
        let is_failing = self.counters.read().errors_in_a_row > 0;
        let is_wanted = name.address.is_none() || (is_failing && !is_literal);
        is_wanted.then(|| (name.host.clone(), name.port))
    }

    /// Points the socket at what was found.
    fn point(&mut self, found: Result<SocketAddr, Error>) {
        let Some(name) = &mut self.name else { return };
        match found {
            Ok(address) if name.address == Some(address) => {}
            Ok(address) => match name.socket.connect(address) {
                Ok(()) => (name.address, self.away) = (Some(address), None),
                Err(e) => self.away = Some(format!("there is no way to {address}: {e}")),
            },
            // An address that was known is kept: whoever announces names may be away.
            Err(e) => self.away = name.address.is_none().then(|| e.to_string()),
        }
    }
}

/// Looks after all names until `stop`.
pub(crate) async fn watch(
    outlets: Arc<tokio::sync::Mutex<Vec<Outlet>>>,
    mdns: Mdns,
    stop: CancellationToken,
) {
    loop {
        let unknown: Vec<_> = outlets.lock().await.iter().map(Outlet::unknown).collect();
        let look = |wanted: Option<(String, u16)>| {
            let mdns = &mdns;
            async move {
                let (host, port) = wanted?;
                Some(find(&host, port, mdns).await)
            }
        };
        let found = tokio::select! {
            found = join_all(unknown.into_iter().map(look)) => found,
            () = stop.cancelled() => return,
        };
        for (outlet, found) in outlets.lock().await.iter_mut().zip(found) {
            if let Some(found) = found {
                outlet.point(found);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::lamps::{Sent, To, Wire};

    fn receiver() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    #[test]
    fn a_socket_is_pointed_to_where_the_name_leads_while_it_is_used() {
        let place = Place::Host("shelf.local".into(), 9);
        let (mut udp, name, away) = dial(&place, None, (1, 100)).unwrap();
        assert!(away.as_ref().unwrap().contains("'shelf.local' is being looked up"));
        let (lamps, counters) = (vec![0], Arc::<Counters>::default());
        let mut outlet = Outlet { lamps, counters: counters.clone(), away, name };
        // Nothing leaves yet, and somebody is to look.
        let sent = udp.send(To::Own, b"lost");
        assert_eq!(sent, Sent::Failed(nix::libc::EDESTADDRREQ));
        counters.sent(sent);
        assert_eq!(outlet.unknown(), Some(("shelf.local".into(), 9)));
        let mut packet = [0; 9];
        for (socket, address) in [receiver(), receiver()] {
            outlet.point(Ok(address));
            assert_eq!((udp.send(To::Own, b"here"), &outlet.away), (Sent::Out, &None));
            assert_eq!((socket.recv(&mut packet).unwrap(), &packet[..4]), (4, &b"here"[..]));
        }
        // While it works nobody looks again; when it fails somebody does, and an old address is kept.
        counters.sent(Sent::Out);
        assert_eq!(outlet.unknown(), None);
        counters.sent(Sent::Failed(113));
        assert!(outlet.unknown().is_some());
        outlet.point(Err(Error::offline("nobody answers")));
        assert_eq!((udp.send(To::Own, b"here"), outlet.away), (Sent::Out, None));
    }
}
