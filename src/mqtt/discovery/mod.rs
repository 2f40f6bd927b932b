//! The devices that are on a broker, whoever announced them: Home Assistant's discovery, Zigbee2MQTT,
//! Tasmota, Sparkplug B. A device that several tell of is one.
//!
//! `homeassistant`, `zigbee2mqtt`, `tasmota` and `sparkplug` are pure and read payloads; `device` makes
//! one list of what they found, `stand` says who is there; `gather` takes what they need out of an
//! inbox. `lint` tells what is wrong with what was announced. Nothing is kept: the index has it all.

mod ask;
mod device;
mod gather;
mod homeassistant;
mod lights;
mod lint;
mod path;
mod sparkplug;
mod stand;
mod tasmota;
pub(crate) mod words;
mod zigbee2mqtt;

pub(crate) use ask::Message;
pub(crate) use device::{Ability, Device, Source};
pub(crate) use gather::{announced_lights, gather};
pub(crate) use lights::{Colour, MqttLight};
pub(crate) use lint::{RULES, Weight, lint};

use device::Said;

/// Whether a topic announces a device, or is needed to know one.
fn wants(prefix: &str, topic: &str) -> bool {
    homeassistant::place(prefix, topic).is_some()
        || zigbee2mqtt::bridge_part(topic).is_some()
        || tasmota::part(topic).is_some()
        || sparkplug::topic(topic).is_some()
}

/// Makes the list of devices, in the order of their names, from the newest message of each topic that
/// announces one; `stream` is what of Sparkplug was heard, in order.
pub(crate) fn discover(prefix: &str, all: &[Said], stream: &[Said]) -> Vec<Device> {
    // Whose name counts comes first: Home Assistant's names are the ones that people know.
    let mut found = homeassistant::devices(prefix, all);
    found.extend(zigbee2mqtt::devices(all));
    found.extend(tasmota::devices(all));
    found.extend(sparkplug::devices(all, stream));
    let mut merged = device::merge(found);
    let key = |device: &Device| {
        let name = device.name.as_deref().unwrap_or_default().to_lowercase();
        (name, device.id().to_owned())
    };
    merged.sort_by_cached_key(key);
    merged
}
