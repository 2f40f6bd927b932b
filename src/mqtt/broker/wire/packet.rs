//! Everything a client sends after CONNECT (sections 3.3 to 3.15).

use crate::mqtt::broker::wire::properties::{self, id};
use crate::mqtt::broker::wire::reader::Reader;
use crate::mqtt::broker::wire::{Fault, code};
use crate::mqtt::config::Version;
use crate::mqtt::message::Qos;
use std::sync::Arc;

/// A packet of a client that is connected.
#[derive(Debug)]
pub(in crate::mqtt::broker) enum Packet {
    Publish(Publish),
    Ack(Ack),
    Subscribe(Subscribe),
    Unsubscribe(Unsubscribe),
    Ping,
    Disconnect(Disconnect),
}

/// PUBLISH.
#[derive(Debug)]
pub(in crate::mqtt::broker) struct Publish {
    pub(in crate::mqtt::broker) qos: Qos,
    pub(in crate::mqtt::broker) retain: bool,
    /// Empty when the alias stands for it.
    pub(in crate::mqtt::broker) topic: Arc<str>,
    /// 0 at QoS 0.
    pub(in crate::mqtt::broker) id: u16,
    pub(in crate::mqtt::broker) alias: Option<u16>,
    /// Seconds.
    pub(in crate::mqtt::broker) expiry: Option<u32>,
    /// Properties that are passed on.
    pub(in crate::mqtt::broker) kept: Box<[u8]>,
    /// Whether the payload is text, as the sender says, and is not.
    pub(in crate::mqtt::broker) is_no_text: bool,
    pub(in crate::mqtt::broker) payload: Box<[u8]>,
}

/// Which answer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mqtt::broker) enum AckKind {
    /// PUBACK: QoS 1 is done.
    Done,
    /// PUBREC: QoS 2 has arrived.
    Received,
    /// PUBREL: QoS 2 will not come again.
    Release,
    /// PUBCOMP: QoS 2 is done.
    Complete,
}

/// An answer to a message.
#[derive(Debug)]
pub(in crate::mqtt::broker) struct Ack {
    pub(in crate::mqtt::broker) kind: AckKind,
    pub(in crate::mqtt::broker) id: u16,
    pub(in crate::mqtt::broker) code: u8,
}

/// When retained messages are sent for a subscription (MQTT 5, section 3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mqtt::broker) enum Handling {
    Always,
    IfNew,
    Never,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug)]
pub(in crate::mqtt::broker) struct Wanted {
    pub(in crate::mqtt::broker) filter: String,
    pub(in crate::mqtt::broker) qos: Qos,
    /// Whether the client's own messages stay away.
    pub(in crate::mqtt::broker) no_local: bool,
    /// Whether the retain flag is passed on as it was published.
    pub(in crate::mqtt::broker) keeps_retain: bool,
    pub(in crate::mqtt::broker) handling: Handling,
}

/// SUBSCRIBE.
#[derive(Debug)]
pub(in crate::mqtt::broker) struct Subscribe {
    pub(in crate::mqtt::broker) id: u16,
    /// The subscription identifier.
    pub(in crate::mqtt::broker) number: Option<u32>,
    pub(in crate::mqtt::broker) filters: Vec<Wanted>,
}

/// UNSUBSCRIBE.
#[derive(Debug)]
pub(in crate::mqtt::broker) struct Unsubscribe {
    pub(in crate::mqtt::broker) id: u16,
    pub(in crate::mqtt::broker) filters: Vec<String>,
}

/// DISCONNECT.
#[derive(Debug)]
pub(in crate::mqtt::broker) struct Disconnect {
    pub(in crate::mqtt::broker) code: u8,
    /// Seconds, when the client changes its mind on how long its session stays.
    pub(in crate::mqtt::broker) session_expiry: Option<u32>,
}

/// Reads a packet whose first byte is `first`.
pub(in crate::mqtt::broker) fn read(
    version: Version,
    first: u8,
    body: &[u8],
) -> Result<Packet, Fault> {
    let mut reader = Reader::new(body);
    let flags = first & 0x0f;
    let must_be = |want: u8| {
        if flags == want { Ok(()) } else { Err(Fault::malformed("a reserved flag is wrong")) }
    };
    let ack = |kind, reader| ack(version, kind, reader).map(Packet::Ack);
    match first >> 4 {
        3 => publish(version, flags, &mut reader).map(Packet::Publish),
        4 => must_be(0).and_then(|()| ack(AckKind::Done, reader)),
        5 => must_be(0).and_then(|()| ack(AckKind::Received, reader)),
        6 => must_be(2).and_then(|()| ack(AckKind::Release, reader)),
        7 => must_be(0).and_then(|()| ack(AckKind::Complete, reader)),
        8 => must_be(2).and_then(|()| subscribe(version, reader)).map(Packet::Subscribe),
        10 => must_be(2).and_then(|()| unsubscribe(version, reader)).map(Packet::Unsubscribe),
        12 if body.is_empty() => must_be(0).map(|()| Packet::Ping),
        12 => Err(Fault::malformed("a PINGREQ has a body")),
        14 => must_be(0).and_then(|()| disconnect(version, reader)).map(Packet::Disconnect),
        0 => Err(Fault::malformed("there is no packet of type 0")),
        1 => Err(Fault::protocol("there was a CONNECT before")),
        15 if version == Version::V5 => Err(Fault::protocol("no authentication is under way")),
        15 => Err(Fault::malformed("there is no packet of type 15")),
        _ => Err(Fault::protocol("only a broker sends this packet")),
    }
}

fn publish(version: Version, flags: u8, reader: &mut Reader<'_>) -> Result<Publish, Fault> {
    let qos = Qos::of((flags >> 1) & 3).ok_or(Fault::malformed("the QoS is 3"))?;
    if qos == Qos::AtMostOnce && flags & 8 != 0 {
        return Err(Fault::malformed("a message of QoS 0 is marked as sent again"));
    }
    let topic: Arc<str> = reader.text()?.into();
    if topic.contains(['+', '#']) {
        return Err(Fault::new(code::TOPIC, "the topic holds a wildcard"));
    }
    let id = if qos == Qos::AtMostOnce { 0 } else { packet_id(reader)? };
    let (mut alias, mut expiry, mut kept, mut is_text) = (None, None, Vec::new(), false);
    if version == Version::V5 {
        let mut allowed = [0; properties::KEPT.len() + 3];
        allowed[..3].copy_from_slice(&[id::EXPIRY, id::ALIAS, id::SUBSCRIPTION]);
        allowed[3..].copy_from_slice(&properties::KEPT);
        properties::read(reader, &allowed, &mut |property| {
            match property.id {
                id::EXPIRY => expiry = Some(property.number()),
                id::ALIAS if property.number() == 0 => {
                    return Err(Fault::new(code::ALIAS, "there is no topic alias 0"));
                }
                id::ALIAS => alias = Some(property.two()),
                id::SUBSCRIPTION => {
                    return Err(Fault::protocol("only a broker sends a subscription identifier"));
                }
                _ => {
                    is_text |= property.id == id::FORMAT && property.number() == 1;
                    properties::keep(&property, &mut kept)?;
                }
            }
            Ok(())
        })?;
    }
    if topic.is_empty() && alias.is_none() {
        return Err(match version {
            Version::V4 => Fault::malformed("the topic is empty"),
            Version::V5 => Fault::protocol("there is neither a topic nor a topic alias"),
        });
    }
    let payload: Box<[u8]> = reader.rest().into();
    let is_no_text = is_text && std::str::from_utf8(&payload).is_err();
    let retain = flags & 1 != 0;
    let kept = kept.into();
    Ok(Publish { qos, retain, topic, id, alias, expiry, kept, is_no_text, payload })
}

fn packet_id(reader: &mut Reader<'_>) -> Result<u16, Fault> {
    match reader.two()? {
        0 => Err(Fault::protocol("a packet identifier is 0")),
        id => Ok(id),
    }
}

/// Reads a reason code and the properties behind it, both of which may be missing.
fn reason(
    version: Version,
    reader: &mut Reader<'_>,
    known: &[u8],
    take: &mut dyn FnMut(u8, u32),
) -> Result<u8, Fault> {
    if reader.is_empty() {
        return Ok(code::OK);
    }
    if version == Version::V4 {
        return Err(Fault::malformed("the packet is longer than it may be"));
    }
    let code = reader.byte()?;
    if !known.contains(&code) {
        return Err(Fault::malformed("there is no such reason code"));
    }
    if !reader.is_empty() {
        let allowed = [id::REASON, id::USER, id::SESSION_EXPIRY];
        // Only DISCONNECT, which knows 0x04, may say how long the session stays.
        let count = if known.contains(&code::WITH_WILL) { 3 } else { 2 };
        properties::read(reader, &allowed[..count], &mut |property| {
            take(property.id, property.number());
            Ok(())
        })?;
    }
    if !reader.is_empty() {
        return Err(Fault::malformed("the packet is longer than what it says"));
    }
    Ok(code)
}

fn ack(version: Version, kind: AckKind, mut reader: Reader<'_>) -> Result<Ack, Fault> {
    let id = packet_id(&mut reader)?;
    let known: &[u8] = match kind {
        AckKind::Done | AckKind::Received => {
            &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
        }
        AckKind::Release | AckKind::Complete => &[0x00, 0x92],
    };
    let code = reason(version, &mut reader, known, &mut |_, _| {})?;
    Ok(Ack { kind, id, code })
}

fn subscribe(version: Version, mut reader: Reader<'_>) -> Result<Subscribe, Fault> {
    let id = packet_id(&mut reader)?;
    let mut number = None;
    if version == Version::V5 {
        properties::read(&mut reader, &[id::SUBSCRIPTION, id::USER], &mut |property| {
            if property.id == id::SUBSCRIPTION {
                number = Some(property.positive()?);
            }
            Ok(())
        })?;
    }
    let mut filters = Vec::new();
    while !reader.is_empty() {
        let filter = reader.text()?.to_owned();
        let options = reader.byte()?;
        let reserved = if version == Version::V5 { 0xc0 } else { 0xfc };
        if options & reserved != 0 {
            return Err(Fault::malformed("a reserved bit of a subscription is set"));
        }
        let qos = Qos::of(options & 3).ok_or(Fault::malformed("the QoS is 3"))?;
        let handling = match (options >> 4) & 3 {
            0 => Handling::Always,
            1 => Handling::IfNew,
            2 => Handling::Never,
            _ => return Err(Fault::protocol("the retain handling is 3")),
        };
        let (no_local, keeps_retain) = (options & 4 != 0, options & 8 != 0);
        if no_local && filter.starts_with("$share/") {
            return Err(Fault::protocol("a shared subscription cannot leave out its own messages"));
        }
        filters.push(Wanted { filter, qos, no_local, keeps_retain, handling });
    }
    if filters.is_empty() {
        return Err(Fault::protocol("there is no filter to subscribe to"));
    }
    Ok(Subscribe { id, number, filters })
}

fn unsubscribe(version: Version, mut reader: Reader<'_>) -> Result<Unsubscribe, Fault> {
    let id = packet_id(&mut reader)?;
    if version == Version::V5 {
        properties::read(&mut reader, &[id::USER], &mut |_| Ok(()))?;
    }
    let mut filters = Vec::new();
    while !reader.is_empty() {
        filters.push(reader.text()?.to_owned());
    }
    if filters.is_empty() {
        return Err(Fault::protocol("there is no filter to unsubscribe from"));
    }
    Ok(Unsubscribe { id, filters })
}

fn disconnect(version: Version, mut reader: Reader<'_>) -> Result<Disconnect, Fault> {
    const KNOWN: &[u8] =
        &[0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
    let mut session_expiry = None;
    let code = reason(version, &mut reader, KNOWN, &mut |id, number| {
        if id == id::SESSION_EXPIRY {
            session_expiry = Some(number);
        }
    })?;
    Ok(Disconnect { code, session_expiry })
}
