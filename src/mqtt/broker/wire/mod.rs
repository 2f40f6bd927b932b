//! MQTT 3.1.1 and MQTT 5 as bytes, for a broker: reads what clients send, writes what a broker sends.
//!
//! One set of types serves both versions. Whatever is not well formed is a [`Fault`] with the reason
//! code that the client is to be told (MQTT 5, section 4.13). Pure.

mod connect;
mod packet;
mod properties;
mod reader;
mod write;

pub(super) use connect::{Connect, Refusal, Will, read_connect};
pub(super) use packet::{
    Ack, AckKind, Disconnect, Packet, Publish, Subscribe, Unsubscribe, Wanted,
};
pub(super) use packet::{Handling, read};
pub(super) use write::{
    Outgoing, Welcome, ack, connack, disconnect, pong, publish, suback, unsuback,
};

use std::ops::Range;

/// Reason codes (MQTT 5, section 2.4).
pub(super) mod code {
    pub(in crate::mqtt::broker) const OK: u8 = 0x00;
    pub(in crate::mqtt::broker) const WITH_WILL: u8 = 0x04;
    pub(in crate::mqtt::broker) const UNHEARD: u8 = 0x10;
    pub(in crate::mqtt::broker) const NO_SUBSCRIPTION: u8 = 0x11;
    pub(in crate::mqtt::broker) const MALFORMED: u8 = 0x81;
    pub(in crate::mqtt::broker) const PROTOCOL: u8 = 0x82;
    pub(in crate::mqtt::broker) const VERSION: u8 = 0x84;
    pub(in crate::mqtt::broker) const CLIENT_ID: u8 = 0x85;
    pub(in crate::mqtt::broker) const PASSWORD: u8 = 0x86;
    pub(in crate::mqtt::broker) const NOT_ALLOWED: u8 = 0x87;
    pub(in crate::mqtt::broker) const BUSY: u8 = 0x89;
    pub(in crate::mqtt::broker) const ENDING: u8 = 0x8B;
    pub(in crate::mqtt::broker) const AUTH_METHOD: u8 = 0x8C;
    pub(in crate::mqtt::broker) const KEEP_ALIVE: u8 = 0x8D;
    pub(in crate::mqtt::broker) const TAKEN_OVER: u8 = 0x8E;
    pub(in crate::mqtt::broker) const FILTER: u8 = 0x8F;
    pub(in crate::mqtt::broker) const TOPIC: u8 = 0x90;
    pub(in crate::mqtt::broker) const NO_SUCH_ID: u8 = 0x92;
    pub(in crate::mqtt::broker) const RECEIVE_MAXIMUM: u8 = 0x93;
    pub(in crate::mqtt::broker) const ALIAS: u8 = 0x94;
    pub(in crate::mqtt::broker) const TOO_LARGE: u8 = 0x95;
    pub(in crate::mqtt::broker) const QUOTA: u8 = 0x97;
    pub(in crate::mqtt::broker) const FORMAT: u8 = 0x99;
}

/// Why a packet cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The reason code.
    pub(super) code: u8,
    /// For people; sent as reason string.
    pub(super) why: &'static str,
}

impl Fault {
    pub(super) fn new(code: u8, why: &'static str) -> Fault {
        Fault { code, why }
    }

    fn malformed(why: &'static str) -> Fault {
        Fault::new(code::MALFORMED, why)
    }

    fn protocol(why: &'static str) -> Fault {
        Fault::new(code::PROTOCOL, why)
    }
}

/// A packet in a buffer: its first byte, and where the rest of it lies.
pub(super) type Frame = (u8, Range<usize>);

/// Finds the first whole packet of `bytes`; `None` when more has to be read. `most` is the largest
/// size of a whole packet in bytes.
pub(super) fn frame(bytes: &[u8], most: usize) -> Result<Option<Frame>, Fault> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let mut length = 0usize;
    for n in 0..4 {
        let Some(&byte) = bytes.get(1 + n) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 != 0 {
            continue;
        }
        if n > 0 && byte == 0 {
            return Err(Fault::malformed("a length is written longer than it must be"));
        }
        let start = 2 + n;
        if start + length > most {
            return Err(Fault::new(code::TOO_LARGE, "the packet is larger than this broker takes"));
        }
        return Ok((bytes.len() >= start + length).then_some((first, start..start + length)));
    }
    Err(Fault::malformed("a length has more than four bytes"))
}
