//! Where each device speaks. Pure.

use crate::demo::plan::{DEVICES, Device, Kind};

/// The gateway: its client id, and what its topics begin with.
pub(super) const GATEWAY: &str = "zigbee2mqtt";

/// Who speaks for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// The gateway.
    Gateway,
    /// It has a connection of its own.
    Own,
    /// It has nothing that goes over MQTT.
    Nobody,
}

/// Returns who speaks for the device.
pub(super) fn speaker(device: &Device) -> Speaker {
    let is_small = |kind: &Kind| {
        matches!(kind, Kind::Light(..) | Kind::Switch(..) | Kind::Sensor(..) | Kind::Binary(_))
    };
    let speaks = |kind: &Kind| {
        is_small(kind)
            || matches!(kind, Kind::Cover(..) | Kind::Climate(..) | Kind::Lock | Kind::Fan(_))
    };
    // The meter and the weather station have a network of their own.
    let is_wired = ["electricity_meter", "outdoor_station"].contains(&device.id);
    let mut kinds = device.things.iter().map(|thing| &thing.kind);
    if !kinds.clone().any(speaks) {
        Speaker::Nobody
    } else if !is_wired && kinds.all(is_small) {
        Speaker::Gateway
    } else {
        Speaker::Own
    }
}

/// Returns where the device says how it is.
pub(super) fn state(device: &Device) -> String {
    match speaker(device) {
        Speaker::Gateway => format!("{GATEWAY}/{}", device.name),
        _ => format!("demo/{}/state", device.id),
    }
}

/// Returns where it is said whether the device is there.
pub(super) fn presence(device: &Device) -> String {
    match speaker(device) {
        Speaker::Gateway => format!("{GATEWAY}/{}/availability", device.name),
        _ => format!("demo/{}/availability", device.id),
    }
}

/// Returns where something is said to the device: to the gateway as one JSON object, to others each
/// property at its own place.
pub(super) fn command(device: &Device, property: &str) -> String {
    match speaker(device) {
        Speaker::Gateway => format!("{GATEWAY}/{}/set", device.name),
        _ => format!("demo/{}/{property}/set", device.id),
    }
}

/// Returns where the gateway says whether it is there, and what.
pub(super) fn gateway_presence(is_there: bool) -> (&'static str, &'static str) {
    let payload = if is_there { "{\"state\":\"online\"}" } else { "{\"state\":\"offline\"}" };
    ("zigbee2mqtt/bridge/state", payload)
}

/// Returns the device that a command is for, and the property; empty at the gateway.
pub(super) fn addressee(topic: &str) -> Option<(&'static Device, &str)> {
    let mut levels = topic.split('/');
    let found = match (levels.next()?, levels.next()?, levels.next()?, levels.next()) {
        (GATEWAY, name, "set", None) => (named(|device| device.name == name)?, ""),
        ("demo", id, property, Some("set")) => (named(|device| device.id == id)?, property),
        _ => return None,
    };
    let is_right =
        matches!((speaker(found.0), found.1), (Speaker::Gateway, "") | (Speaker::Own, _));
    is_right.then_some(found)
}

fn named(is_it: impl Fn(&Device) -> bool) -> Option<&'static Device> {
    // Two devices of the house bear the name of their room; only one of the two speaks there.
    DEVICES.iter().find(|device| is_it(device))
}

/// Returns the address that the gateway knows the device by.
pub(super) fn address(device: &Device) -> String {
    let number = DEVICES.iter().position(|other| other.id == device.id).unwrap_or_default();
    format!("0x00158d00de300{number:03x}")
}
