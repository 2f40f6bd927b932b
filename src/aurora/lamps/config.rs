//! The settings of lamps: `[[aurora.lamp]]` and how they are driven.

use super::colour;
use super::encode::UNIVERSE;
use crate::config::{Fault, JsonSchema};
use serde::{Deserialize, Serialize};

/// At most so many lamps.
pub const LAMPS_MAX: usize = 64;
/// At most so many lights in one lamp.
pub const PIXELS_MAX: u16 = 4096;
/// A lamp slower than this (ms) cannot be helped by sending early.
pub const LATENCY_MAX: u32 = 5000;

/// How a lamp is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// WLED's realtime protocol.
    #[default]
    Wled,
    /// Distributed Display Protocol.
    Ddp,
    /// Streaming ACN (sACN).
    E131,
    /// Art-Net.
    Artnet,
    /// WLED's audio sync: WLED hears what Hearth hears and plays its own effects.
    WledSync,
    /// A light of Home Assistant.
    Home,
    /// A light at the MQTT broker.
    Mqtt,
    /// An entertainment area of a Hue bridge.
    Hue,
}

impl Kind {
    /// Returns the word for it in settings and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Wled => "wled",
            Kind::Ddp => "ddp",
            Kind::E131 => "e131",
            Kind::Artnet => "artnet",
            Kind::WledSync => "wled-sync",
            Kind::Home => "home",
            Kind::Mqtt => "mqtt",
            Kind::Hue => "hue",
        }
    }

    /// The most pictures a second that this kind bears, beats that go at once included. DMX itself carries
    /// 44 full universes (ANSI E1.11, section 8.11); lamps over Wi-Fi show 40 to 60 and skip the rest.
    pub const fn fastest(self) -> u32 {
        match self {
            Kind::E131 | Kind::Artnet => 44,
            Kind::WledSync | Kind::Hue => 50,
            // Twice the frames: one that comes a little early is still a picture of its own.
            _ => 200,
        }
    }

    /// Whether pictures go to it as packets from the show thread.
    pub const fn is_painted_by_udp(self) -> bool {
        matches!(self, Kind::Wled | Kind::Ddp | Kind::E131 | Kind::Artnet)
    }

    /// What passes from sending to light when nobody has measured it (ms): what the lamp takes by itself
    /// and 5 ms through the network.
    pub const fn usual_latency(self) -> f64 {
        match self {
            Kind::WledSync => 0.0,
            _ => self.own_latency() + 5.0,
        }
    }

    /// What such lamps take by themselves to show what they were sent (ms): half a frame of WLED's 42 a
    /// second and the time to write a strip; a frame of DMX; a radio of 25 pictures a second; a command
    /// to a Zigbee lamp through the broker or through a service call.
    pub const fn own_latency(self) -> f64 {
        match self {
            Kind::WledSync => 0.0,
            Kind::Wled | Kind::Ddp => 20.0,
            Kind::E131 | Kind::Artnet => 25.0,
            Kind::Hue => 55.0,
            Kind::Mqtt => 95.0,
            Kind::Home => 115.0,
        }
    }
}

/// How lamps are driven.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Pictures a second for lamps that bear it.
    pub rate: u32,
    /// Light is to be seen so many milliseconds ahead of the sound: people want it a little early.
    pub lead_ms: u32,
    /// Own address whose network multicast goes out to; empty: as the system routes it.
    pub interface: String,
    /// The lamps.
    pub lamp: Vec<Lamp>,
}

impl Default for Config {
    fn default() -> Config {
        Config { rate: 50, lead_ms: 30, interface: String::new(), lamp: Vec::new() }
    }
}

/// One lamp: a strip, a bulb, a spotlight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lamp {
    /// What it is called.
    pub name: String,
    /// wled, ddp, e131, artnet, wled-sync, home, mqtt or hue.
    pub kind: Kind,
    /// Host or IP address, with `:port` where it is not the usual one; `multicast` for e131 and
    /// wled-sync; the entity for home, the command topic for mqtt, the id of the bridge for hue.
    pub address: String,
    /// How many lights it has.
    pub pixels: u16,
    /// The first of its lights that is painted, from 0 (wled, ddp).
    pub start: u16,
    /// Its first universe (e131 from 1, artnet from 0).
    pub universe: u16,
    /// Its first channel in that universe, from 1 (e131, artnet).
    pub channel: u16,
    /// Of several sources the one with the highest priority wins, 0 to 200 (e131).
    pub priority: u8,
    /// The order of its channels: r, g, b, and where it has them w (white) and d (a dimmer, kept at full).
    pub order: String,
    /// Its light goes with this power of what it is sent: 1 for most strips, 2.2 for what expects sRGB.
    pub gamma: f64,
    /// At most so many percent of its light.
    pub brightness: u8,
    /// Milliseconds from sending to light, when you know better than what is measured.
    pub latency_ms: Option<u32>,
    /// Pictures a second, when it bears fewer than `aurora.rate`.
    pub rate: Option<u32>,
    /// Seconds after which it goes back by itself when Hearth falls silent (wled).
    pub timeout: u8,
    /// Where its web interface is, `host:port`, when that is not port 80 of the address; for ddp, e131
    /// and artnet it says that the lamp is a WLED.
    pub web: String,
    /// Where it is; for hue the name of the entertainment area.
    pub area: String,
}

impl Default for Lamp {
    fn default() -> Lamp {
        Lamp {
            name: String::new(),
            kind: Kind::Wled,
            address: String::new(),
            pixels: 1,
            start: 0,
            universe: 1,
            channel: 1,
            priority: 100,
            order: "rgb".into(),
            gamma: 1.0,
            brightness: 100,
            latency_ms: None,
            rate: None,
            timeout: 2,
            web: String::new(),
            area: String::new(),
        }
    }
}

impl Config {
    /// Returns what would be refused at the start, all of it. `place` is the section, `aurora`.
    pub fn faults(&self, place: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut bad = |field: &str, text: String| {
            faults.push(Fault::new(format!("{place}.{field}"), text));
        };
        if !(1..=100).contains(&self.rate) {
            bad("rate", "must be from 1 to 100 pictures a second".into());
        }
        if self.lead_ms > 500 {
            bad("lead_ms", "must be from 0 to 500 ms; people want 0 to 100".into());
        }
        if !self.interface.is_empty() && self.interface.parse::<std::net::Ipv4Addr>().is_err() {
            let text = format!("'{}' is no IPv4 address", self.interface.escape_debug());
            bad("interface", text);
        }
        if self.lamp.len() > LAMPS_MAX {
            bad("lamp", format!("at most {LAMPS_MAX} lamps"));
        }
        for (n, lamp) in self.lamp.iter().enumerate() {
            let place = format!("{place}.lamp.{n}");
            if self.lamp[..n].iter().any(|other| other.name == lamp.name) {
                faults.push(Fault::new(format!("{place}.name"), "is there twice"));
            }
            lamp.faults(&place, &mut faults);
        }
        faults
    }
}

impl Lamp {
    fn faults(&self, place: &str, faults: &mut Vec<Fault>) {
        let mut bad = |field: &str, text: &str| {
            faults.push(Fault::new(format!("{place}.{field}"), text));
        };
        if self.name.is_empty() || self.name.chars().count() > 60 {
            bad("name", "must be a name of 1 to 60 characters");
        }
        let multicast = matches!(self.kind, Kind::E131 | Kind::WledSync);
        match &*self.address {
            "" => bad("address", "is needed: the lamp's host or IP address"),
            "multicast" if !multicast => bad("address", "only e131 and wled-sync go by multicast"),
            text if self.kind.is_at_a_host() && text.contains(['/', ' ']) => {
                bad("address", "must be a host, or host:port");
            }
            _ => {}
        }
        if !(1..=PIXELS_MAX).contains(&self.pixels) {
            bad("pixels", &format!("must be from 1 to {PIXELS_MAX}"));
        }
        if self.start.checked_add(self.pixels).is_none() {
            bad("start", "must leave room for all lights below 65536");
        }
        match colour::width(&self.order) {
            None => bad("order", "must name r, g and b once each, and w and d at most once"),
            Some(width) if self.kind.is_dmx() => {
                let first = usize::from(self.channel);
                if !(1..=UNIVERSE + 1 - width).contains(&first) {
                    bad("channel", "must be from 1 to 512, with room for the first light");
                }
                // One more than all lights need when they begin with the first channel.
                let more = usize::from(self.pixels).div_ceil(UNIVERSE / width);
                if usize::from(self.universe) + more > usize::from(self.kind.universes().1) {
                    bad("universe", "leaves no universes for all lights");
                }
            }
            // The lamp itself knows how its lights are wired; DMX alone has dimmers.
            Some(_)
                if self.order.contains('d') || self.order.find('w').is_some_and(|at| at < 3) =>
            {
                bad("order", "must be r, g and b in any order, with a w at its end or none");
            }
            Some(_) => {}
        }
        if self.universe < self.kind.universes().0 || self.universe > self.kind.universes().1 {
            let (low, high) = self.kind.universes();
            bad("universe", &format!("must be from {low} to {high}"));
        }
        if self.priority > 200 {
            bad("priority", "must be from 0 to 200");
        }
        if !(0.5..=4.0).contains(&self.gamma) {
            bad("gamma", "must be from 0.5 to 4");
        }
        if !(1..=100).contains(&self.brightness) {
            bad("brightness", "must be from 1 to 100 percent");
        }
        if self.latency_ms.is_some_and(|ms| ms > LATENCY_MAX) {
            bad("latency_ms", &format!("must be at most {LATENCY_MAX}"));
        }
        if self.rate.is_some_and(|rate| !(1..=100).contains(&rate)) {
            bad("rate", "must be from 1 to 100 pictures a second");
        }
        // A picture that does not change is said again each 0.9 s, and one may be lost.
        if !(2..=254).contains(&self.timeout) {
            bad("timeout", "must be from 2 to 254 seconds");
        }
    }
}

impl Kind {
    /// Whether its address is a host, and no entity or topic.
    const fn is_at_a_host(self) -> bool {
        !matches!(self, Kind::Home | Kind::Mqtt)
    }

    /// Whether its picture is channels of DMX.
    pub const fn is_dmx(self) -> bool {
        matches!(self, Kind::E131 | Kind::Artnet)
    }

    /// The universes that there are: ANSI E1.31, section 6.2.7; Art-Net 4, "Universe Addressing".
    const fn universes(self) -> (u16, u16) {
        match self {
            Kind::E131 => (1, 63_999),
            Kind::Artnet => (0, 32_767),
            _ => (0, u16::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<Config, serde_json::Error> {
        serde_json::from_value(value)
    }

    #[test]
    fn a_lamp_needs_a_name_and_an_address_only() {
        let config = read(json!({"lamp": [{"name": "shelf", "address": "10.0.0.5"}]})).unwrap();
        assert_eq!(config.faults("aurora"), []);
        assert_eq!((config.lamp[0].kind, config.lamp[0].pixels), (Kind::Wled, 1));
        assert_eq!((config.rate, config.lead_ms), (50, 30));
        for kind in ["wled", "ddp", "e131", "artnet", "wled-sync", "home", "mqtt", "hue"] {
            let lamp = json!({"name": "x", "address": "x", "kind": kind});
            let config = read(json!({"lamp": [lamp]})).unwrap();
            assert_eq!((config.lamp[0].kind.word(), config.faults("aurora")), (kind, vec![]));
        }
    }

    #[test]
    fn unknown_words_are_refused_and_faults_say_their_place() {
        let unknown = read(json!({"lamp": [{"colour": "red"}]})).unwrap_err();
        assert!(unknown.to_string().contains("colour"));
        let check = |fields: Value, path: &str, text: &str| {
            let first = json!({"name": "a", "address": "a"});
            let faults = read(json!({"lamp": [first, fields]})).unwrap().faults("aurora");
            let path = format!("aurora.lamp.1.{path}");
            let found = faults.iter().any(|f| f.path == path && f.text.contains(text));
            assert!(found, "{fields}: {faults:?}");
        };
        check(json!({"name": "a"}), "name", "twice");
        check(json!({"name": "b"}), "address", "is needed");
        check(json!({"address": "multicast"}), "address", "multicast");
        check(json!({"address": "http://x"}), "address", "host");
        let topic = json!({"name": "t", "kind": "mqtt", "address": "zigbee2mqtt/Living room"});
        assert_eq!(read(json!({"lamp": [topic]})).unwrap().faults("aurora"), []);
        check(json!({"pixels": 0}), "pixels", "from 1 to 4096");
        check(json!({"order": "rgg"}), "order", "once each");
        check(json!({"order": "drgb"}), "order", "at its end");
        check(json!({"kind": "e131", "universe": 0}), "universe", "from 1 to 63999");
        check(json!({"kind": "artnet", "universe": 40_000}), "universe", "32767");
        check(json!({"kind": "artnet", "channel": 511}), "channel", "room");
        check(
            json!({"kind": "artnet", "universe": 32_767, "pixels": 300}),
            "universe",
            "leaves no",
        );
        check(json!({"start": 65_000, "pixels": 600}), "start", "room");
        check(json!({"gamma": 9.0}), "gamma", "0.5 to 4");
        check(json!({"brightness": 0}), "brightness", "percent");
        check(json!({"latency_ms": 6000}), "latency_ms", "5000");
        check(json!({"timeout": 0}), "timeout", "254");
        let config = read(json!({"rate": 0, "lead_ms": 900, "interface": "eth0"})).unwrap();
        let faults = config.faults("aurora");
        let paths: Vec<&str> = faults.iter().map(|f| &*f.path).collect();
        assert_eq!(paths, ["aurora.rate", "aurora.lead_ms", "aurora.interface"]);
    }
}
