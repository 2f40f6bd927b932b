//! Which outputs there are, and where each light of each lamp stands in them. Pure.

use super::colour::Colours;
use super::config::{Config, Kind, Lamp};
use super::encode::{
    ARTNET_PORT, Artnet, DDP_PORT, Ddp, E131, E131_PORT, Encoder, UNIVERSE, WLED_PORT, Wled, sync,
};
use super::line::{Delay, Part};
use std::net::{IpAddr, SocketAddr};

/// Where an output is, as it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or an address, and the port.
    Host(String, u16),
    /// Whoever listens.
    Multicast,
}

/// One output that gets packets.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) place: Place,
    /// Numbers of its lamps.
    pub(crate) lamps: Vec<usize>,
    pub(crate) parts: Vec<Part>,
    pub(crate) encoder: Encoder,
    /// Channels of its picture.
    pub(crate) size: usize,
    /// Pictures a second.
    pub(crate) rate: u32,
    pub(crate) fastest: u32,
}

/// Reads `host`, `host:port`, an address of either version, or `multicast`.
pub(crate) fn place(text: &str, port: u16) -> Place {
    if text == "multicast" {
        return Place::Multicast;
    }
    if let Ok(both) = text.parse::<SocketAddr>() {
        return Place::Host(both.ip().to_string(), both.port());
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Place::Host(bare.to_owned(), port);
    }
    match text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => Place::Host(host.to_owned(), port),
        None => Place::Host(text.to_owned(), port),
    }
}

/// The port at which a kind listens.
pub(crate) const fn port(kind: Kind) -> u16 {
    match kind {
        Kind::Ddp => DDP_PORT,
        Kind::E131 => E131_PORT,
        Kind::Artnet => ARTNET_PORT,
        Kind::WledSync => sync::PORT,
        _ => WLED_PORT,
    }
}

/// The port to which a lamp's pictures go.
pub(crate) fn udp_port(lamp: &Lamp) -> u16 {
    match place(&lamp.address, port(lamp.kind)) {
        Place::Host(_, port) => port,
        Place::Multicast => port(lamp.kind),
    }
}

/// Makes outputs of the lamps that are painted over UDP. `delays` has one entry for each lamp of the
/// configuration; `id` is this Hearth's for E1.31. Lamps with an order that is none are left out.
pub(crate) fn plans(config: &Config, delays: &[Delay], id: [u8; 16]) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut nodes: Vec<(Kind, u8, &str, Vec<usize>)> = Vec::new();
    for (n, lamp) in config.lamp.iter().enumerate() {
        match lamp.kind {
            Kind::Wled | Kind::Ddp => plans.extend(strip(config, n, &delays[n])),
            Kind::E131 | Kind::Artnet => {
                let same = |node: &&mut (Kind, u8, &str, Vec<usize>)| {
                    node.0 == lamp.kind && node.1 == lamp.priority && node.2 == lamp.address
                };
                match nodes.iter_mut().find(same) {
                    Some(node) => node.3.push(n),
                    None => nodes.push((lamp.kind, lamp.priority, &lamp.address, vec![n])),
                }
            }
            _ => {}
        }
    }
    plans.extend(nodes.into_iter().filter_map(|(.., lamps)| node(config, lamps, delays, id)));
    plans
}

fn colours(lamp: &Lamp) -> Option<Colours> {
    Colours::new(&lamp.order, lamp.gamma as f32, f32::from(lamp.brightness) / 100.0)
}

/// Pictures a second for a line of these lamps.
fn rate(config: &Config, lamps: &[usize]) -> u32 {
    let rates = lamps.iter().filter_map(|n| config.lamp[*n].rate);
    rates.chain([config.rate]).min().unwrap_or(config.rate)
}

/// One WLED, or one device that understands DDP.
fn strip(config: &Config, n: usize, delay: &Delay) -> Option<Plan> {
    let lamp = &config.lamp[n];
    let colours = colours(lamp)?;
    let width = colours.width();
    let pixels = usize::from(lamp.pixels);
    let encoder = match lamp.kind {
        Kind::Ddp => Encoder::Ddp(Ddp::new(lamp.start.into(), width)),
        _ => Encoder::Wled(Wled::new(lamp.start, width, lamp.timeout)),
    };
    let places = (0..pixels).map(|light| light * width).collect();
    Some(Plan {
        place: place(&lamp.address, port(lamp.kind)),
        lamps: vec![n],
        parts: vec![Part::new(n, colours, delay.clone(), places)],
        encoder,
        size: pixels * width,
        rate: rate(config, &[n]),
        fastest: lamp.kind.fastest(),
    })
}

/// All lamps at one DMX node: they share its universes. A light never stands in two universes.
fn node(config: &Config, lamps: Vec<usize>, delays: &[Delay], id: [u8; 16]) -> Option<Plan> {
    let first = &config.lamp[*lamps.first()?];
    let mut used: Vec<(u16, usize)> = Vec::new();
    let mut stands = Vec::new();
    for n in &lamps {
        let lamp = &config.lamp[*n];
        let Some(colours) = colours(lamp) else { continue };
        let (mut universe, mut channel) = (lamp.universe, usize::from(lamp.channel) - 1);
        let mut places = Vec::with_capacity(lamp.pixels.into());
        for _ in 0..lamp.pixels {
            if channel + colours.width() > UNIVERSE {
                (universe, channel) = (universe.saturating_add(1), 0);
            }
            places.push((universe, channel));
            channel += colours.width();
            match used.iter_mut().find(|(number, _)| *number == universe) {
                Some((_, length)) => *length = channel.max(*length),
                None => used.push((universe, channel)),
            }
        }
        stands.push((*n, colours, places));
    }
    used.sort_unstable();
    let index = |universe: u16| used.iter().position(|(number, _)| *number == universe);
    let parts = stands.into_iter().map(|(n, colours, places)| {
        let offset = |(universe, channel)| index(universe).unwrap_or_default() * UNIVERSE + channel;
        Part::new(n, colours, delays[n].clone(), places.into_iter().map(offset).collect())
    });
    let parts: Vec<Part> = parts.collect();
    let numbers: Vec<u16> = used.iter().map(|(number, _)| *number).collect();
    let place = place(&first.address, port(first.kind));
    let encoder = match first.kind {
        Kind::Artnet => Encoder::Artnet(Artnet::new(&numbers)),
        _ => {
            let multicast = place == Place::Multicast;
            Encoder::E131(E131::new(&numbers, id, first.priority, multicast))
        }
    };
    // Only the last universe may be short.
    let size = (used.len().checked_sub(1)?) * UNIVERSE + used.last()?.1;
    let (rate, fastest) = (rate(config, &lamps), first.kind.fastest());
    Some(Plan { place, lamps, parts, encoder, size, rate, fastest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::lamps::encode::packets;
    use crate::aurora::lamps::{Clock, Paint, Sent, To, Wire};
    use crate::aurora::light::Light;
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};

    fn config(lamps: Value) -> Config {
        let config: Config = serde_json::from_value(json!({"lamp": lamps})).unwrap();
        assert_eq!(config.faults("aurora"), []);
        config
    }

    fn made(config: &Config) -> Vec<Plan> {
        let delays = vec![Delay::default(); config.lamp.len()];
        plans(config, &delays, [7; 16])
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        for (text, host, port) in [
            ("192.168.1.5", "192.168.1.5", 21_324),
            ("192.168.1.5:99", "192.168.1.5", 99),
            ("shelf.local", "shelf.local", 21_324),
            ("shelf.local:99", "shelf.local", 99),
            ("fd00::1", "fd00::1", 21_324),
            ("[fd00::1]", "fd00::1", 21_324),
            ("[fd00::1]:99", "fd00::1", 99),
        ] {
            assert_eq!(place(text, port_of_wled()), Place::Host(host.into(), port), "{text}");
        }
        assert_eq!(place("multicast", 1), Place::Multicast);
    }

    fn port_of_wled() -> u16 {
        port(Kind::Wled)
    }

    /// Paints each light with its lamp's and its own number.
    struct Numbers;

    impl Paint for Numbers {
        fn paint(&mut self, lamp: usize, _: f64, pixels: &mut [Light]) {
            for (k, pixel) in pixels.iter_mut().enumerate() {
                *pixel = Light([lamp as f32 / 255.0, (k % 256) as f32 / 255.0, 1.0]);
            }
        }
    }

    struct Still;

    impl Clock for Still {
        fn now(&self) -> u64 {
            0
        }

        fn wait(&mut self, _: u64) -> bool {
            false
        }
    }

    struct Kept(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Wire for Kept {
        fn send(&mut self, _: To, packet: &[u8]) -> Sent {
            self.0.lock().unwrap().push(packet.to_vec());
            Sent::Out
        }
    }

    /// The packets of the first picture of a plan.
    fn first(plan: Plan) -> Vec<Vec<u8>> {
        let kept = Arc::default();
        let pace = crate::aurora::lamps::pace::Pace::new(plan.rate, plan.fastest, 0);
        let wire = Box::new(Kept(Arc::clone(&kept)));
        let mut line =
            crate::aurora::lamps::line::Line::new(plan.parts, plan.size, plan.encoder, wire, pace);
        line.turn(&Still, false, 0.0, &mut Numbers);
        kept.lock().unwrap().clone()
    }

    #[test]
    fn lamps_of_one_node_share_its_universes() {
        let config = config(json!([
            {"name": "a", "kind": "artnet", "address": "10.0.0.2", "universe": 3},
            {"name": "b", "kind": "artnet", "address": "10.0.0.2", "universe": 3, "channel": 9,
             "order": "dgrb", "rate": 20},
            {"name": "c", "kind": "artnet", "address": "10.0.0.3", "universe": 3},
        ]));
        let mut plans = made(&config);
        assert_eq!(
            plans.iter().map(|p| p.lamps.clone()).collect::<Vec<_>>(),
            [vec![0, 1], vec![2]]
        );
        assert_eq!((plans[0].rate, plans[1].rate), (20, 50));
        let packets = first(plans.remove(0));
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0][18..], [0, 0, 255, 0, 0, 0, 0, 0, 255, 0, 1, 255]);
    }

    #[test]
    fn a_long_strip_goes_on_in_the_next_universe_between_two_lights() {
        let config = config(json!([{"name": "a", "kind": "e131", "address": "multicast",
            "universe": 7, "channel": 508, "pixels": 173}]));
        let packets = first(made(&config).remove(0));
        let brief: Vec<(u8, usize)> = packets.iter().map(|p| (p[114], p.len())).collect();
        // One light at 508 to 510, 170 in the next universe, two in the third.
        assert_eq!(brief, [(7, 638), (8, 638), (9, 132)]);
        assert_eq!(packets[0][126 + 506..], [0, 0, 0, 255, 0, 0]);
        assert_eq!(packets[1][126..132], [0, 1, 255, 0, 2, 255]);
        assert_eq!(packets[2][126..], [0, 171, 255, 0, 172, 255]);
    }

    #[test]
    fn every_strip_is_an_output_of_its_own() {
        let config = config(json!([
            {"name": "a", "address": "10.0.0.2", "pixels": 2, "start": 5},
            {"name": "b", "address": "10.0.0.2", "order": "rgbw"},
            {"name": "c", "kind": "ddp", "address": "10.0.0.2", "pixels": 2, "order": "grb"},
            {"name": "d", "kind": "home", "address": "light.x"},
        ]));
        let plans = made(&config);
        assert_eq!(plans.len(), 3);
        let said: Vec<Vec<u8>> = plans.into_iter().flat_map(first).collect();
        assert_eq!(said[0], [4, 2, 0, 5, 0, 0, 255, 0, 1, 255]);
        assert_eq!(said[1], [3, 2, 1, 0, 255, 0]);
        assert_eq!(said[2][10..], [0, 2, 255, 1, 2, 255]);
    }

    #[test]
    fn what_is_sent_fits_what_the_encoder_is_given() {
        let config = config(json!([{"name": "a", "kind": "e131", "address": "10.0.0.2",
            "pixels": 600}]));
        let mut plan = made(&config).remove(0);
        assert_eq!(plan.size, 3 * 512 + 90 * 3);
        assert_eq!(packets(&mut plan.encoder, &vec![1; plan.size]).len(), 4);
    }
}
