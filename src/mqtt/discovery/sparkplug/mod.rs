//! Sparkplug B: edge nodes and their devices, by their births, data and deaths. Pure.
//!
//! Source: Sparkplug 3.0, sections 4 (topics), 5 (operational behaviour) and 6 (payloads). Nothing of it
//! is retained, so that only what was heard since Hearth listens is known; a node whose birth was not
//! heard is listed with what its data shows.

mod wire;

use wire::{Payload, Value, type_word};

use crate::mqtt::discovery::device::{Ability, Availability, Device, Kind, Said, Source};
use std::collections::BTreeMap;

/// A message's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Topic<'a> {
    pub(crate) group: &'a str,
    /// `NBIRTH`, `DDATA` and the like.
    pub(crate) verb: &'a str,
    pub(crate) node: &'a str,
    pub(crate) device: Option<&'a str>,
}

/// Reads `spBv1.0/<group>/<verb>/<node>[/<device>]`.
pub(crate) fn topic(text: &str) -> Option<Topic<'_>> {
    let mut levels = text.strip_prefix("spBv1.0/")?.split('/');
    let (group, verb, node) = (levels.next()?, levels.next()?, levels.next()?);
    let device = levels.next();
    let of_node = matches!(verb, "NBIRTH" | "NDATA" | "NDEATH" | "NCMD") && device.is_none();
    let of_device = matches!(verb, "DBIRTH" | "DDATA" | "DDEATH" | "DCMD") && device.is_some();
    let fits = (of_node || of_device) && levels.next().is_none();
    fits.then_some(Topic { group, verb, node, device })
}

/// The newest of each kind of message of a node or device.
#[derive(Default)]
struct Life {
    birth: Option<(i64, Payload)>,
    death: Option<(i64, Payload)>,
    data: Option<i64>,
    faults: Vec<String>,
}

impl Life {
    fn take(&mut self, verb: &str, said: &Said) {
        let payload = match wire::decode(&said.payload) {
            Ok(payload) => payload,
            Err(why) => {
                self.faults.push(format!("its last {verb} cannot be read: {why}"));
                return;
            }
        };
        match &verb[1..] {
            "BIRTH" => self.birth = Some((said.at, payload)),
            "DEATH" => self.death = Some((said.at, payload)),
            "DATA" => self.data = Some(said.at),
            _ => {}
        }
    }
}

/// Group and name of a node.
type Node<'a> = (&'a str, &'a str);
/// Whether something lives, and since when; `None` when nothing says.
type Alive = Option<(bool, i64)>;

/// Reads every node and device from the newest message of each topic, and counts what is missing in
/// `stream`: the messages of Sparkplug in the order of their arrival.
pub(super) fn devices(all: &[Said], stream: &[Said]) -> Vec<Device> {
    let mut lives: BTreeMap<(&str, &str, Option<&str>), Life> = BTreeMap::new();
    for said in all {
        let Some(topic) = topic(&said.topic) else { continue };
        if topic.verb.ends_with("CMD") {
            continue;
        }
        let life = lives.entry((topic.group, topic.node, topic.device)).or_default();
        life.take(topic.verb, said);
    }
    let missing = gaps(stream);
    let mut found = Vec::new();
    let mut node: Option<(Node<'_>, Alive)> = None;
    // A node comes before its devices: `None` is less than any name.
    for ((group, name, device), life) in &lives {
        let own = (*group, *name);
        let is_known = node.is_some_and(|(known, _)| known == own);
        let of_node = if is_known { node.and_then(|(_, stand)| stand) } else { None };
        let stand = stand(life, device.and(of_node));
        if device.is_none() {
            node = Some((own, stand));
        }
        let mut made = made(group, name, *device, life);
        if let Some((online, at)) = stand {
            made.availability.push(Availability::Known { online, at });
        }
        if let (None, Some(count)) = (device, missing.get(&own)) {
            made.notes.push(format!("{count} of its messages are missing (gaps in seq)"));
        }
        found.push(made);
    }
    found
}

/// Whether a node or device lives, and since when. `node`: the same of the node that a device is at.
fn stand(life: &Life, node: Alive) -> Alive {
    let own = match (&life.birth, &life.death, life.data) {
        (Some((born, birth)), Some((died, death)), _) => {
            // The last will of an earlier connection may come late: its bdSeq is another (6.4.21).
            let is_late = match (sequence_of_birth(birth), sequence_of_birth(death)) {
                (Some(one), Some(other)) => one != other && died >= born,
                _ => false,
            };
            let alive = born > died || is_late;
            Some((alive, if alive { *born } else { *died }))
        }
        (Some((born, _)), None, _) => Some((true, *born)),
        (None, Some((died, _)), data) => match data.filter(|at| at > died) {
            Some(at) => Some((true, at)),
            None => Some((false, *died)),
        },
        (None, None, Some(at)) => Some((true, at)),
        (None, None, None) => None,
    };
    match (own, node) {
        // A dead node takes its devices along, and one born again must tell of them anew (5.8).
        (_, Some((false, died))) => Some((false, died)),
        (Some((true, at)), Some((true, born)))
            if life.birth.as_ref().is_some_and(|(own, _)| *own < born) =>
        {
            Some((false, born.max(at)))
        }
        (own, _) => own,
    }
}

fn sequence_of_birth(payload: &Payload) -> Option<i128> {
    let metric = payload.metrics.iter().find(|m| m.name.as_deref() == Some("bdSeq"))?;
    match metric.value {
        Value::Int(n) => Some(n.into()),
        Value::UInt(n) => Some(n.into()),
        _ => None,
    }
}

fn made(group: &str, node: &str, device: Option<&str>, life: &Life) -> Device {
    let path = device.map_or_else(|| node.to_owned(), |device| format!("{node}/{device}"));
    let letter = if device.is_some() { 'D' } else { 'N' };
    let at = |verb: &str| format!("spBv1.0/{group}/{letter}{verb}/{path}");
    let mut made = Device {
        keys: [format!("spb:{group}/{path}")].into(),
        kind: if device.is_some() { Kind::Device } else { Kind::Bridge },
        name: Some(device.unwrap_or(node).to_owned()),
        via: device.map(|_| format!("spb:{group}/{node}")),
        sources: [Source::Sparkplug].into(),
        state: [at("BIRTH"), at("DATA")].into(),
        command: [at("CMD")].into(),
        notes: life.faults.clone(),
        ..Device::default()
    };
    let Some((_, birth)) = &life.birth else {
        made.notes.push(
            "its birth was not heard, so that its metrics have no names; a rebirth tells them"
                .into(),
        );
        return made;
    };
    for metric in &birth.metrics {
        let Some(name) = &metric.name else { continue };
        let text = || match &metric.value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        match name.as_str() {
            "bdSeq" => continue,
            "Properties/Hardware Make" => made.maker = text(),
            "Properties/Hardware Model" => made.model = text(),
            "Properties/FW" | "Properties/Firmware" => made.software = text(),
            _ => {}
        }
        let can_be_told = name.starts_with("Node Control/") || name.starts_with("Device Control/");
        made.abilities.push(Ability {
            kind: type_word(metric.datatype).to_owned(),
            name: name.clone(),
            state: vec![at("DATA")],
            command: if can_be_told { vec![at("CMD")] } else { Vec::new() },
            source: Some(Source::Sparkplug),
            value: Some(metric.value.json().to_string()),
            ..Ability::default()
        });
    }
    made
}

/// Counts, for each node, the messages that its `seq` shows to be missing: it counts from 0 at the
/// node's birth over all of its messages and goes from 255 to 0 (section 6.4.20).
fn gaps(stream: &[Said]) -> BTreeMap<(&str, &str), u64> {
    let mut last: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut missing = BTreeMap::new();
    for said in stream {
        let Some(topic) = topic(&said.topic) else { continue };
        if topic.verb.ends_with("CMD") || topic.verb == "NDEATH" {
            continue;
        }
        let Some(seq) = wire::decode(&said.payload).ok().and_then(|payload| payload.seq) else {
            continue;
        };
        let node = (topic.group, topic.node);
        let before = last.insert(node, seq % 256);
        if let (Some(before), false) = (before, topic.verb == "NBIRTH") {
            let gap = (seq + 256 - (before + 1) % 256) % 256;
            if gap > 0 {
                *missing.entry(node).or_insert(0) += gap;
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(mut n: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while n > 127 {
            out.push((n as u8 & 0x7f) | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
        out
    }

    /// A payload with one metric, a number.
    fn payload(name: &str, value: u64, seq: u64) -> Vec<u8> {
        let mut metric = vec![10, name.len() as u8];
        metric.extend(name.as_bytes());
        metric.extend([32, 8, 88]);
        metric.extend(varint(value));
        let mut out = vec![18, metric.len() as u8];
        out.extend(metric);
        out.push(24);
        out.extend(varint(seq));
        out
    }

    fn said(topic: &str, at: i64, payload: Vec<u8>) -> Said {
        Said { topic: topic.into(), payload: payload.into(), at }
    }

    fn online(all: &[Said]) -> Vec<(String, Option<bool>)> {
        let known = |device: &Device| match device.availability.first() {
            Some(Availability::Known { online, .. }) => Some(*online),
            _ => None,
        };
        devices(all, &[]).iter().map(|d| (d.id().to_owned(), known(d))).collect()
    }

    #[test]
    fn topics_are_read_by_their_verb() {
        let read = |text| topic(text).map(|t| (t.verb, t.device));
        assert_eq!(read("spBv1.0/g/NBIRTH/n"), Some(("NBIRTH", None)));
        assert_eq!(read("spBv1.0/g/DDATA/n/d"), Some(("DDATA", Some("d"))));
        for wrong in ["spBv1.0/g/NBIRTH/n/d", "spBv1.0/g/DDATA/n", "spBv1.0/STATE/host", "a/b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn births_and_deaths_decide_who_lives() {
        let node =
            |verb: &str, at, bd| said(&format!("spBv1.0/g/N{verb}/n"), at, payload("bdSeq", bd, 0));
        let device =
            |verb: &str, at| said(&format!("spBv1.0/g/D{verb}/n/d"), at, payload("x", 1, 1));
        let both = |node, device| {
            vec![("spb:g/n".to_owned(), Some(node)), ("spb:g/n/d".to_owned(), Some(device))]
        };
        let born = [node("BIRTH", 1, 4), device("BIRTH", 2)];
        assert_eq!(online(&born), both(true, true));
        let dead = [node("BIRTH", 1, 4), device("BIRTH", 2), node("DEATH", 3, 4)];
        assert_eq!(online(&dead), both(false, false));
        let gone = [node("BIRTH", 1, 4), device("BIRTH", 2), device("DEATH", 3)];
        assert_eq!(online(&gone), both(true, false));
        // A last will of the connection before.
        let late = [node("BIRTH", 1, 4), device("BIRTH", 2), node("DEATH", 3, 3)];
        assert_eq!(online(&late), both(true, true));
        // Born again, and has not told of its device yet.
        let again = [node("DEATH", 3, 4), node("BIRTH", 4, 5), device("BIRTH", 2)];
        assert_eq!(online(&again), both(true, false));
        let only_data = [said("spBv1.0/g/NDATA/n", 1, payload("x", 1, 9))];
        assert_eq!(online(&only_data), [("spb:g/n".to_owned(), Some(true))]);
    }

    #[test]
    fn missing_messages_are_counted_across_the_end_of_the_sequence() {
        let data = |seq| said("spBv1.0/g/NDATA/n", 0, payload("x", 1, seq));
        let device = |seq| said("spBv1.0/g/DDATA/n/d", 0, payload("x", 1, seq));
        let count = |stream: &[Said]| gaps(stream).get(&("g", "n")).copied();
        assert_eq!(count(&[data(254), device(255), data(0), data(1)]), None);
        assert_eq!(count(&[data(254), data(0), device(3)]), Some(3));
        let born = said("spBv1.0/g/NBIRTH/n", 0, payload("bdSeq", 1, 0));
        assert_eq!(count(&[data(7), born, data(1)]), None);
    }
}
