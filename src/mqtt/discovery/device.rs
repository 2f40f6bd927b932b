//! What a thing of the house looks like on a broker, whoever announced it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The newest message of a topic.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Arc<[u8]>,
    /// Microseconds since 1970 (UTC) at which it arrived.
    pub(crate) at: i64,
}

/// By which convention a device is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Home Assistant's MQTT discovery.
    HomeAssistant,
    /// Zigbee2MQTT's own topics.
    Zigbee2Mqtt,
    /// Tasmota's own discovery.
    Tasmota,
    /// Sparkplug B.
    Sparkplug,
}

impl Source {
    pub(crate) const ALL: [Source; 4] =
        [Source::HomeAssistant, Source::Zigbee2Mqtt, Source::Tasmota, Source::Sparkplug];

    /// Returns the word that answers use.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Source::HomeAssistant => "homeassistant",
            Source::Zigbee2Mqtt => "zigbee2mqtt",
            Source::Tasmota => "tasmota",
            Source::Sparkplug => "sparkplug",
        }
    }
}

/// What a thing is among its like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A thing of its own.
    #[default]
    Device,
    /// Several that act as one.
    Group,
    /// What connects others: a Zigbee2MQTT, a Sparkplug edge node.
    Bridge,
    /// One entity that was announced without a device.
    Entity,
}

impl Kind {
    /// Returns the word that answers use.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Device => "device",
            Kind::Group => "group",
            Kind::Bridge => "bridge",
            Kind::Entity => "entity",
        }
    }
}

/// One thing that a device can say or do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ability {
    /// Home Assistant's component, Zigbee2MQTT's kind of expose, Sparkplug's type.
    pub(crate) kind: String,
    pub(crate) name: String,
    /// Of Home Assistant's entity, when it has one.
    pub(crate) unique_id: Option<String>,
    pub(crate) class: Option<String>,
    pub(crate) unit: Option<String>,
    /// Where it says its state.
    pub(crate) state: Vec<String>,
    /// Where it is told what to do.
    pub(crate) command: Vec<String>,
    /// The topic that announced it, when it has one of its own.
    pub(crate) config: Option<Arc<str>>,
    /// Who told of it.
    pub(crate) source: Option<Source>,
    /// What it was when it was announced, where that says so.
    pub(crate) value: Option<String>,
}

/// How several signals make one (Home Assistant's `availability_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every one must say so.
    All,
    /// One is enough.
    Any,
    /// The newest message decides.
    #[default]
    Latest,
}

/// A topic that says whether a device is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signal {
    pub(crate) topic: String,
    pub(crate) online: String,
    pub(crate) offline: String,
    /// Where in a JSON payload the word stands; empty for the payload itself.
    pub(crate) path: Vec<String>,
    /// False when a template makes the word out of the payload in a way that is not followed here.
    pub(crate) is_plain: bool,
}

/// How a source says whether the device is there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Availability {
    /// By messages.
    Signals {
        /// How they go together.
        mode: Mode,
        /// Never empty.
        signals: Vec<Signal>,
    },
    /// Found out already, and since when (microseconds since 1970).
    Known {
        /// Whether it is there.
        online: bool,
        /// When it said so, or somebody for it.
        at: i64,
    },
}

/// Whether a device is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stand {
    /// `None` when nothing says.
    pub(crate) online: Option<bool>,
    /// When that was heard, in microseconds since 1970.
    pub(crate) since: Option<i64>,
    /// Whether it may have been so for longer: the message was there before Hearth listened.
    pub(crate) or_before: bool,
}

/// A device.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    /// What it is recognised by across sources: `mac:…`, `ieee:…`, `id:…`, `spb:…`, `topic:…`.
    pub(crate) keys: BTreeSet<String>,
    pub(crate) kind: Kind,
    pub(crate) name: Option<String>,
    pub(crate) maker: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) software: Option<String>,
    pub(crate) area: Option<String>,
    /// Key of the device that it is reached by.
    pub(crate) via: Option<String>,
    pub(crate) sources: BTreeSet<Source>,
    pub(crate) abilities: Vec<Ability>,
    /// Where it says its state, and where it is told what to do, beyond its abilities' own.
    pub(crate) state: BTreeSet<String>,
    pub(crate) command: BTreeSet<String>,
    pub(crate) availability: Vec<Availability>,
    /// What is odd about what was announced, for people.
    pub(crate) notes: Vec<String>,
    pub(crate) stand: Stand,
    /// When it was heard last, in microseconds since 1970.
    pub(crate) seen: Option<i64>,
}

impl Device {
    /// Returns what it is called in calls: its best key, the same after every start.
    pub(crate) fn id(&self) -> &str {
        const BEST: [&str; 5] = ["ieee:", "mac:", "id:", "spb:", ""];
        let first = |start: &&str| self.keys.iter().find(|key| key.starts_with(*start));
        BEST.iter().find_map(first).map_or("", String::as_str)
    }

    /// Returns every topic on which it says something of its state.
    pub(crate) fn state_topics(&self) -> BTreeSet<&str> {
        let own = self.state.iter().map(String::as_str);
        own.chain(self.abilities.iter().flat_map(|a| a.state.iter().map(String::as_str))).collect()
    }

    /// Returns every topic on which it can be told something.
    pub(crate) fn command_topics(&self) -> BTreeSet<&str> {
        let own = self.command.iter().map(String::as_str);
        let theirs = self.abilities.iter().flat_map(|a| a.command.iter().map(String::as_str));
        own.chain(theirs).collect()
    }

    /// Returns every topic that says whether it is there.
    pub(crate) fn availability_topics(&self) -> BTreeSet<&str> {
        let signals = self.availability.iter().flat_map(|availability| match availability {
            Availability::Signals { signals, .. } => signals.as_slice(),
            Availability::Known { .. } => &[],
        });
        signals.map(|signal| signal.topic.as_str()).collect()
    }

    /// Takes in what another source says of the same device. What is known already stays.
    fn absorb(&mut self, other: Device) {
        self.keys.extend(other.keys);
        self.kind = match (self.kind, other.kind) {
            (Kind::Device, other) => other,
            (own, _) => own,
        };
        for (own, theirs) in [
            (&mut self.name, other.name),
            (&mut self.maker, other.maker),
            (&mut self.model, other.model),
            (&mut self.software, other.software),
            (&mut self.area, other.area),
            (&mut self.via, other.via),
        ] {
            *own = own.take().or(theirs);
        }
        self.sources.extend(other.sources);
        self.abilities.extend(other.abilities);
        self.state.extend(other.state);
        self.command.extend(other.command);
        for availability in other.availability {
            if !self.availability.contains(&availability) {
                self.availability.push(availability);
            }
        }
        self.notes.extend(other.notes);
    }
}

/// Makes one device of all that share a key. The order is that of their first mention.
pub(crate) fn merge(all: Vec<Device>) -> Vec<Device> {
    let mut leader: Vec<usize> = (0..all.len()).collect();
    let mut owner: BTreeMap<&str, usize> = BTreeMap::new();
    for (n, device) in all.iter().enumerate() {
        for key in &device.keys {
            let own = root(&leader, n);
            let known = root(&leader, *owner.entry(key).or_insert(n));
            // The earlier one leads, so that the order stays that of the first mention.
            leader[own.max(known)] = own.min(known);
        }
    }
    let roots: Vec<usize> = (0..all.len()).map(|n| root(&leader, n)).collect();
    let mut merged: BTreeMap<usize, Device> = BTreeMap::new();
    for (device, root) in all.into_iter().zip(roots) {
        match merged.get_mut(&root) {
            Some(first) => first.absorb(device),
            None => drop(merged.insert(root, device)),
        }
    }
    merged.into_values().collect()
}

fn root(leader: &[usize], mut n: usize) -> usize {
    while leader[n] != n {
        n = leader[n];
    }
    n
}

/// Returns a MAC address as a key when the text is one: 12 hexadecimal digits, with or without `:`,
/// `-` or `.` between them.
pub(crate) fn mac(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| !matches!(c, ':' | '-' | '.')).collect();
    let is_hex = plain.len() == 12 && plain.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| format!("mac:{}", plain.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(keys: &[&str], source: Source) -> Device {
        Device {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            sources: [source].into(),
            ..Device::default()
        }
    }

    #[test]
    fn devices_that_share_a_key_directly_or_by_a_third_are_one() {
        let all = vec![
            device(&["id:a"], Source::HomeAssistant),
            device(&["ieee:1"], Source::Zigbee2Mqtt),
            device(&["id:b"], Source::HomeAssistant),
            device(&["id:a", "ieee:1"], Source::HomeAssistant),
        ];
        let merged = merge(all);
        let ids: Vec<&str> = merged.iter().map(Device::id).collect();
        assert_eq!(ids, ["ieee:1", "id:b"]);
        assert_eq!(merged[0].sources.len(), 2);
    }

    #[test]
    fn a_mac_is_the_same_however_it_is_written() {
        for text in ["AABBCCDDEEFF", "aa:bb:cc:dd:ee:ff", "AA-BB-CC-DD-EE-FF", "aabb.ccdd.eeff"] {
            assert_eq!(mac(text).as_deref(), Some("mac:aabbccddeeff"), "{text}");
        }
        for text in ["", "0x00158d0001", "aabbccddeef", "aabbccddeefg"] {
            assert_eq!(mac(text), None, "{text}");
        }
    }
}
