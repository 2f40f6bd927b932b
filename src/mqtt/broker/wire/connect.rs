//! CONNECT (section 3.1 of both versions).

use crate::mqtt::broker::wire::properties::{self, id};
use crate::mqtt::broker::wire::reader::Reader;
use crate::mqtt::broker::wire::{Fault, code};
use crate::mqtt::config::Version;
use crate::mqtt::message::Qos;
use std::sync::Arc;

/// What a client wants to be.
#[derive(Debug)]
pub(in crate::mqtt::broker) struct Connect {
    pub(in crate::mqtt::broker) version: Version,
    /// Whether an older session is to be forgotten.
    pub(in crate::mqtt::broker) clean: bool,
    /// Seconds; 0 is never.
    pub(in crate::mqtt::broker) keep_alive: u16,
    pub(in crate::mqtt::broker) client_id: String,
    pub(in crate::mqtt::broker) username: Option<String>,
    pub(in crate::mqtt::broker) password: Option<Vec<u8>>,
    pub(in crate::mqtt::broker) will: Option<Will>,
    /// Seconds; `u32::MAX` is for ever.
    pub(in crate::mqtt::broker) session_expiry: u32,
    pub(in crate::mqtt::broker) receive_maximum: u16,
    /// Bytes of a whole packet.
    pub(in crate::mqtt::broker) packet_maximum: usize,
    pub(in crate::mqtt::broker) alias_maximum: u16,
    /// Whether reason strings are welcome.
    pub(in crate::mqtt::broker) wants_problems: bool,
    pub(in crate::mqtt::broker) wants_response: bool,
    /// Whether it asks for an authentication that has more than one step.
    pub(in crate::mqtt::broker) has_method: bool,
}

/// What is to be said when the client is gone.
#[derive(Clone, Debug)]
pub(in crate::mqtt::broker) struct Will {
    pub(in crate::mqtt::broker) topic: Arc<str>,
    pub(in crate::mqtt::broker) payload: Box<[u8]>,
    pub(in crate::mqtt::broker) qos: Qos,
    pub(in crate::mqtt::broker) retain: bool,
    /// Seconds.
    pub(in crate::mqtt::broker) delay: u32,
    /// Seconds.
    pub(in crate::mqtt::broker) expiry: Option<u32>,
    /// Properties that are passed on.
    pub(in crate::mqtt::broker) kept: Box<[u8]>,
}

/// A CONNECT that cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::mqtt::broker) struct Refusal {
    /// In which version the client can be told; `None` when it speaks something else.
    pub(in crate::mqtt::broker) version: Option<Version>,
    pub(in crate::mqtt::broker) fault: Fault,
}

/// Reads the packet whose first byte is `first`.
pub(in crate::mqtt::broker) fn read_connect(first: u8, body: &[u8]) -> Result<Connect, Refusal> {
    let silent = |fault| Refusal { version: None, fault };
    if first != 0x10 {
        return Err(silent(Fault::protocol("the first packet must be CONNECT")));
    }
    let mut reader = Reader::new(body);
    let name = reader.text().map_err(silent)?;
    let level = reader.byte().map_err(silent)?;
    let version = match (name, level) {
        ("MQTT", 4) => Version::V4,
        ("MQTT", 5) => Version::V5,
        ("MQTT" | "MQIsdp", _) => {
            let version = if level < 4 { Version::V4 } else { Version::V5 };
            let fault = Fault::new(code::VERSION, "this broker speaks MQTT 3.1.1 and 5");
            return Err(Refusal { version: Some(version), fault });
        }
        _ => return Err(silent(Fault::new(code::VERSION, "this is not MQTT"))),
    };
    let told = |fault| Refusal { version: Some(version), fault };
    rest(version, &mut reader).map_err(told)
}

fn rest(version: Version, reader: &mut Reader<'_>) -> Result<Connect, Fault> {
    let flags = reader.byte()?;
    let has = |bit: u8| flags & bit != 0;
    let will_qos = (flags >> 3) & 3;
    if has(1) {
        return Err(Fault::malformed("a reserved flag is set"));
    }
    if !has(4) && flags & 0x38 != 0 {
        return Err(Fault::malformed("there are flags of a will, but no will"));
    }
    if version == Version::V4 && has(0x40) && !has(0x80) {
        return Err(Fault::malformed("there is a password, but no user name"));
    }
    let will_qos = Qos::of(will_qos).ok_or(Fault::malformed("the QoS of the will is 3"))?;
    let mut connect = Connect {
        version,
        clean: has(2),
        keep_alive: reader.two()?,
        client_id: String::new(),
        username: None,
        password: None,
        will: None,
        session_expiry: if version == Version::V4 && !has(2) { u32::MAX } else { 0 },
        receive_maximum: u16::MAX,
        packet_maximum: usize::MAX,
        alias_maximum: 0,
        wants_problems: true,
        wants_response: false,
        has_method: false,
    };
    if version == Version::V5 {
        own_properties(reader, &mut connect)?;
    }
    connect.client_id = reader.text()?.to_owned();
    if has(4) {
        connect.will = Some(will(version, reader, will_qos, has(0x20))?);
    }
    if has(0x80) {
        connect.username = Some(reader.text()?.to_owned());
    }
    if has(0x40) {
        connect.password = Some(reader.bytes()?.to_vec());
    }
    if !reader.is_empty() {
        return Err(Fault::malformed("the packet is longer than what it says"));
    }
    Ok(connect)
}

fn own_properties(reader: &mut Reader<'_>, connect: &mut Connect) -> Result<(), Fault> {
    const ALLOWED: &[u8] = &[
        id::SESSION_EXPIRY,
        id::AUTH_METHOD,
        id::AUTH_DATA,
        id::WANTS_PROBLEMS,
        id::WANTS_RESPONSE,
        id::RECEIVE_MAXIMUM,
        id::ALIAS_MAXIMUM,
        id::USER,
        id::PACKET_MAXIMUM,
    ];
    let mut has_data = false;
    properties::read(reader, ALLOWED, &mut |property| {
        match property.id {
            id::SESSION_EXPIRY => connect.session_expiry = property.number(),
            id::AUTH_METHOD => connect.has_method = true,
            id::AUTH_DATA => has_data = true,
            id::WANTS_PROBLEMS => connect.wants_problems = property.flag()?,
            id::WANTS_RESPONSE => connect.wants_response = property.flag()?,
            id::RECEIVE_MAXIMUM => {
                property.positive()?;
                connect.receive_maximum = property.two();
            }
            id::PACKET_MAXIMUM => {
                connect.packet_maximum =
                    usize::try_from(property.positive()?).unwrap_or(usize::MAX);
            }
            id::ALIAS_MAXIMUM => connect.alias_maximum = property.two(),
            _ => {}
        }
        Ok(())
    })?;
    if has_data && !connect.has_method {
        return Err(Fault::protocol("there is authentication data, but no method"));
    }
    Ok(())
}

fn will(version: Version, reader: &mut Reader<'_>, qos: Qos, retain: bool) -> Result<Will, Fault> {
    let (mut delay, mut expiry, mut kept, mut is_text) = (0, None, Vec::new(), false);
    if version == Version::V5 {
        let mut allowed = properties::KEPT.to_vec();
        allowed.extend([id::EXPIRY, id::WILL_DELAY]);
        properties::read(reader, &allowed, &mut |property| {
            match property.id {
                id::EXPIRY => expiry = Some(property.number()),
                id::WILL_DELAY => delay = property.number(),
                _ => {
                    is_text |= property.id == id::FORMAT && property.number() == 1;
                    properties::keep(&property, &mut kept)?;
                }
            }
            Ok(())
        })?;
    }
    let topic = reader.text()?;
    if topic.is_empty() || topic.contains(['+', '#']) {
        return Err(Fault::new(code::TOPIC, "the will's topic is empty or holds a wildcard"));
    }
    let payload = reader.bytes()?;
    if is_text && std::str::from_utf8(payload).is_err() {
        return Err(Fault::new(code::FORMAT, "the will says that it is text, and is not"));
    }
    let (topic, payload, kept) = (topic.into(), payload.into(), kept.into());
    Ok(Will { topic, payload, qos, retain, delay, expiry, kept })
}
