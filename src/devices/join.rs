//! Which device of the broker is which of Home Assistant's. Pure.

use crate::home::things::{Member, Thing, Things};
use crate::mqtt::Device;
use std::collections::{BTreeMap, BTreeSet};

/// How two were found to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// An identifier of the discovery config is one of the device in the registry.
    Identifier,
    /// A MAC or Zigbee address is the same.
    Address,
    /// Entities of one have the unique ids that the other announced.
    UniqueId,
}

impl How {
    /// Returns the word that answers use.
    pub(crate) fn word(self) -> &'static str {
        match self {
            How::Identifier => "identifier",
            How::Address => "address",
            How::UniqueId => "unique_id",
        }
    }
}

/// A device of the broker, and what it is in Home Assistant.
pub(crate) struct Pair<'a> {
    pub(crate) device: &'a Device,
    /// More than one when several integrations know the same address.
    pub(crate) things: Vec<(&'a Thing, How)>,
    pub(crate) members: Vec<&'a Member>,
}

/// Integrations whose entities live on a broker.
const PLATFORMS: [&str; 2] = ["mqtt", "tasmota"];

/// Joins both lists; the pairs come in the order of `devices`.
pub(crate) fn join<'a>(devices: &'a [Device], house: &'a Things) -> Vec<Pair<'a>> {
    let mut by_key: BTreeMap<String, Vec<(&Thing, How)>> = BTreeMap::new();
    for thing in &house.things {
        for (key, how) in keys(thing) {
            by_key.entry(key).or_default().push((thing, how));
        }
    }
    let unique: BTreeMap<&str, &Member> = house
        .members
        .iter()
        .filter(|member| member.platform == "mqtt")
        .map(|member| (member.unique_id.as_str(), member))
        .collect();
    devices.iter().map(|device| pair(device, house, &by_key, &unique)).collect()
}

/// Returns the things that no device of the broker is, though their entities live on one.
pub(crate) fn left<'a>(pairs: &[Pair<'_>], house: &'a Things) -> Vec<&'a Thing> {
    let joined: BTreeSet<&str> =
        pairs.iter().flat_map(|pair| &pair.things).map(|(thing, _)| thing.id.as_str()).collect();
    let of_broker: BTreeSet<&str> = house
        .members
        .iter()
        .filter(|member| PLATFORMS.contains(&member.platform.as_str()))
        .filter_map(|member| member.device.as_deref())
        .collect();
    let is_left = |thing: &&Thing| {
        of_broker.contains(thing.id.as_str()) && !joined.contains(thing.id.as_str())
    };
    house.things.iter().filter(is_left).collect()
}

fn pair<'a>(
    device: &'a Device,
    house: &'a Things,
    by_key: &BTreeMap<String, Vec<(&'a Thing, How)>>,
    unique: &BTreeMap<&str, &'a Member>,
) -> Pair<'a> {
    let mut things: Vec<(&Thing, How)> = Vec::new();
    let mut add = |thing: &'a Thing, how| {
        if !things.iter().any(|(known, _)| known.id == thing.id) {
            things.push((thing, how));
        }
    };
    for key in &device.keys {
        for (thing, how) in by_key.get(key).into_iter().flatten() {
            add(thing, *how);
        }
    }
    let announced = device.abilities.iter().filter_map(|ability| ability.unique_id.as_deref());
    let announced: Vec<&Member> = announced.filter_map(|id| unique.get(id).copied()).collect();
    for member in &announced {
        let of = |thing: &&Thing| Some(thing.id.as_str()) == member.device.as_deref();
        if let Some(thing) = house.things.iter().find(of) {
            add(thing, How::UniqueId);
        }
    }
    // Of another integration's device of the same address only what lives on the broker is meant.
    let is_of = |member: &&Member| {
        let id = member.device.as_deref();
        PLATFORMS.contains(&member.platform.as_str())
            && things.iter().any(|(thing, _)| Some(thing.id.as_str()) == id)
    };
    let mut members: Vec<&Member> = house.members.iter().filter(is_of).collect();
    for member in announced {
        if !members.iter().any(|known| known.entity_id == member.entity_id) {
            members.push(member);
        }
    }
    Pair { device, things, members }
}

/// Returns the keys of a thing, in the words that devices of the broker have.
fn keys(thing: &Thing) -> Vec<(String, How)> {
    let own = thing.identifiers.iter().filter(|(domain, _)| domain == "mqtt");
    let own = own.map(|(_, id)| (format!("id:{id}"), How::Identifier));
    let address = |(kind, value): &(String, String)| match kind.as_str() {
        "mac" | "bluetooth" => {
            let plain: String = value.chars().filter(char::is_ascii_hexdigit).collect();
            Some((format!("mac:{}", plain.to_ascii_lowercase()), How::Address))
        }
        "zigbee" => Some((format!("ieee:{}", value.to_lowercase()), How::Address)),
        _ => None,
    };
    own.chain(thing.connections.iter().filter_map(address)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(id: &str, identifiers: &[(&str, &str)], connections: &[(&str, &str)]) -> Thing {
        let own = |all: &[(&str, &str)]| {
            all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        Thing {
            id: id.into(),
            identifiers: own(identifiers),
            connections: own(connections),
            ..Thing::default()
        }
    }

    fn member(id: &str, unique: &str, platform: &str, device: Option<&str>) -> Member {
        Member {
            entity_id: id.into(),
            unique_id: unique.into(),
            platform: platform.into(),
            device: device.map(str::to_owned),
            is_disabled: false,
        }
    }

    #[test]
    fn devices_are_joined_by_identifier_address_or_unique_id() {
        let device = |key: &str| Device { keys: [key.to_owned()].into(), ..Device::default() };
        let mut lone = device("config:light/x");
        lone.abilities
            .push(crate::mqtt::Ability { unique_id: Some("u1".into()), ..Default::default() });
        let devices = [device("id:a"), device("mac:aabbccddeeff"), lone, device("id:nobody")];
        let house = Things {
            things: vec![
                thing("1", &[("mqtt", "a")], &[]),
                thing("2", &[("hue", "a")], &[("mac", "AA:BB:CC:DD:EE:FF")]),
                thing("3", &[("hue", "b")], &[]),
                thing("4", &[("mqtt", "gone")], &[]),
            ],
            members: vec![
                member("light.a", "ua", "mqtt", Some("1")),
                member("switch.plug", "p", "tasmota", Some("2")),
                member("light.hue", "h", "hue", Some("2")),
                member("light.lone", "u1", "mqtt", None),
                member("light.other", "u1", "hue", Some("3")),
                member("sensor.gone", "g", "mqtt", Some("4")),
            ],
        };
        let pairs = join(&devices, &house);
        let shown: Vec<_> = pairs
            .iter()
            .map(|pair| {
                let things = pair.things.iter().map(|(t, how)| (&*t.id, how.word())).collect();
                let members = pair.members.iter().map(|m| &*m.entity_id).collect();
                (things, members)
            })
            .collect::<Vec<(Vec<(&str, &str)>, Vec<&str>)>>();
        assert_eq!(shown[0], (vec![("1", "identifier")], vec!["light.a"]));
        assert_eq!(shown[1], (vec![("2", "address")], vec!["switch.plug"]));
        assert_eq!(shown[2], (vec![], vec!["light.lone"]));
        assert_eq!(shown[3], (vec![], vec![]));
        let left: Vec<&str> = left(&pairs, &house).iter().map(|t| &*t.id).collect();
        assert_eq!(left, ["4"]);
    }
}
