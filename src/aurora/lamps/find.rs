//! Lamps that announce themselves on the local network: WLEDs and Hue bridges, by mDNS.

use super::config::{Kind, Lamp, PIXELS_MAX};
use super::encode::WLED_PORT;
use super::wled::{self, Info};
use crate::error::Error;
use crate::http::ask::Ask;
use crate::http::mdns::{Found as Heard, Mdns};
use futures_util::future::{join, join_all};
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// As what a WLED announces itself.
pub const WLED: &str = "_wled._tcp.local.";
/// As what a Hue bridge announces itself.
pub const HUE: &str = "_hue._tcp.local.";

/// A lamp, or a bridge with lamps, that was found. Texts are the device's own: data, no more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// `wled` or `hue`.
    pub kind: Kind,
    /// What it calls itself.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Port of its web interface.
    pub port: u16,
    /// What a WLED says of itself, when it answered.
    pub info: Option<Info>,
    /// Why it did not.
    pub away: Option<String>,
}

/// Listens for `wait` and asks every WLED that was heard what it is.
///
/// # Errors
/// Broken when the system gives no socket; nobody answering is an empty list.
pub async fn find(mdns: &Mdns, ask: &Ask, wait: Duration) -> Result<Vec<Found>, Error> {
    let (wleds, bridges) = join(mdns.find(WLED, wait), mdns.find(HUE, wait)).await;
    let mut all: Vec<Found> = heard(Kind::Wled, &wleds?);
    let asked = all.iter_mut().map(|found| async move {
        match wled::info(ask, &web(found)).await {
            Ok(info) => found.info = Some(info),
            Err(e) => found.away = Some(e.to_string()),
        }
    });
    join_all(asked).await;
    all.extend(heard(Kind::Hue, &bridges?));
    Ok(all)
}

fn heard(kind: Kind, all: &[Heard]) -> Vec<Found> {
    let found = |heard: &Heard| {
        let address = heard.addresses.first().map_or(heard.host.clone(), IpAddr::to_string);
        let name = heard.name.trim_end_matches('.').to_owned();
        Found { kind, name, address, port: heard.port, info: None, away: None }
    };
    all.iter().map(found).collect()
}

fn web(found: &Found) -> String {
    match found.address.contains(':') {
        true => format!("[{}]:{}", found.address, found.port),
        false => format!("{}:{}", found.address, found.port),
    }
}

impl Found {
    /// Returns the lines of the configuration for a WLED that answered.
    pub fn lamp(&self) -> Option<Lamp> {
        let info = self.info.as_ref()?;
        let address = match (info.udp_port, self.address.contains(':')) {
            (WLED_PORT, _) => self.address.clone(),
            (port, true) => format!("[{}]:{port}", self.address),
            (port, false) => format!("{}:{port}", self.address),
        };
        Some(Lamp {
            name: if info.name.is_empty() { self.name.clone() } else { info.name.clone() },
            kind: Kind::Wled,
            address,
            pixels: u16::try_from(info.lights).unwrap_or(u16::MAX).clamp(1, PIXELS_MAX),
            order: if info.has_white { "rgbw" } else { "rgb" }.into(),
            web: if self.port == 80 { String::new() } else { web(self) },
            ..Lamp::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_becomes_a_lamp_that_can_be_played_on() {
        let info = Info {
            name: "Shelf".into(),
            lights: 30,
            has_white: true,
            udp_port: WLED_PORT,
            ..Info::default()
        };
        let mut found = Found {
            kind: Kind::Wled,
            name: "wled-shelf".into(),
            address: "192.168.1.9".into(),
            port: 80,
            info: None,
            away: None,
        };
        assert_eq!(found.lamp(), None);
        found.info = Some(info);
        let lamp = found.lamp().unwrap();
        assert_eq!((&*lamp.name, &*lamp.address, lamp.pixels), ("Shelf", "192.168.1.9", 30));
        assert_eq!((&*lamp.order, &*lamp.web), ("rgbw", ""));
        found.info.as_mut().unwrap().udp_port = 999;
        (found.address, found.port) = ("fd00::9".into(), 8080);
        let lamp = found.lamp().unwrap();
        assert_eq!((&*lamp.address, &*lamp.web), ("[fd00::9]:999", "[fd00::9]:8080"));
        let config = crate::aurora::lamps::Config {
            lamp: vec![lamp],
            ..crate::aurora::lamps::Config::default()
        };
        assert_eq!(config.faults("aurora"), []);
    }
}
