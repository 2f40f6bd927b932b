//! How long the way to a lamp is: the time until its TCP answers.
//!
//! The realtime protocols have no answers, but every device that speaks them is a computer with TCP, and
//! one round trip of a connection that is made (or refused) passes the same Wi-Fi. Nothing is said on it.

use super::config::Lamp;
use super::latency::{Measured, of_round_trips};
use super::outlet;
use super::plan::{Place, place};
use super::wled;
use crate::error::Error;
use crate::http::mdns::Mdns;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// So many round trips are one measurement.
const TRIPS: usize = 11;
/// Pause between them: a lamp that saves power sleeps in between, as it does in a show.
const PAUSE: Duration = Duration::from_millis(40);
/// What does not answer within this counts as lost.
const LOST: Duration = Duration::from_secs(1);
/// So many that are lost end a measurement: there is nobody.
const LOST_MAX: usize = 3;

/// Measures how long the way to a lamp is; `None` for lamps that have no address of their own.
///
/// # Errors
/// Offline when nothing answers at its address.
pub(crate) async fn measure(lamp: &Lamp, mdns: &Mdns) -> Result<Option<Measured>, Error> {
    if !lamp.kind.is_painted_by_udp() {
        return Ok(None);
    }
    let target = wled::web(lamp).unwrap_or_else(|| match place(&lamp.address, 0) {
        Place::Host(host, _) => host,
        Place::Multicast => String::new(),
    });
    let Place::Host(host, port) = place(&target, 80) else { return Ok(None) };
    if host.is_empty() {
        return Ok(None);
    }
    let address = outlet::find(&host, port, mdns).await?;
    let mut trips = trips(address).await;
    match of_round_trips(lamp.kind, &mut trips) {
        Some(measured) => Ok(Some(measured)),
        None => Err(Error::offline(format!("{address} does not answer, so its way is not known"))),
    }
}

/// Returns the milliseconds of round trips.
async fn trips(address: SocketAddr) -> Vec<f64> {
    let (mut trips, mut lost) = (Vec::with_capacity(TRIPS), 0);
    while trips.len() < TRIPS && lost < LOST_MAX {
        let began = Instant::now();
        match tokio::time::timeout(LOST, TcpStream::connect(address)).await {
            // Whoever refuses has answered.
            Ok(Err(e)) if e.kind() != ErrorKind::ConnectionRefused => lost += 1,
            Err(_) => lost += 1,
            Ok(_) => trips.push(began.elapsed().as_secs_f64() * 1000.0),
        }
        tokio::time::sleep(PAUSE).await;
    }
    trips
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::lamps::Kind;
    use crate::events::Events;
    use crate::tasks::Tasks;

    fn lamp(kind: Kind, address: &str) -> Lamp {
        Lamp { kind, address: address.into(), ..Lamp::default() }
    }

    #[tokio::test]
    async fn whoever_takes_or_refuses_a_connection_is_measured() {
        let mdns = Mdns::new(&Tasks::new(Events::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = listener.local_addr().unwrap().to_string();
        let takes = Lamp { web: web.clone(), ..lamp(Kind::Ddp, "127.0.0.1") };
        let taken = measure(&takes, &mdns).await.unwrap().unwrap();
        drop(listener);
        let refused = measure(&takes, &mdns).await.unwrap().unwrap();
        for found in [taken, refused] {
            let way = found.ms - Kind::Ddp.own_latency();
            assert!((0.0..20.0).contains(&way) && found.samples == 11, "{found:?}");
        }
    }

    #[tokio::test]
    async fn lamps_without_an_address_of_their_own_are_left_out() {
        let mdns = Mdns::new(&Tasks::new(Events::new()));
        for lamp in [lamp(Kind::E131, "multicast"), lamp(Kind::Home, "light.x")] {
            assert_eq!(measure(&lamp, &mdns).await.unwrap(), None);
        }
        // A name that nobody has (RFC 6761, section 6.4).
        let nobody = measure(&lamp(Kind::Ddp, "nobody.invalid"), &mdns).await.unwrap_err();
        assert!(nobody.to_string().contains("'nobody.invalid' is not known here"), "{nobody}");
    }
}
