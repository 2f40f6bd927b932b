//! Everything a broker sends, appended to a buffer.

use crate::mqtt::broker::wire::code;
use crate::mqtt::broker::wire::packet::AckKind;
use crate::mqtt::broker::wire::properties::id;
use crate::mqtt::config::Version;
use crate::mqtt::message::Qos;

/// What a client that is let in is told (MQTT 5, section 3.2.2.3).
#[derive(Default)]
pub(in crate::mqtt::broker) struct Welcome<'a> {
    pub(in crate::mqtt::broker) has_session: bool,
    /// Where it is not what the client asked for.
    pub(in crate::mqtt::broker) session_expiry: Option<u32>,
    pub(in crate::mqtt::broker) keep_alive: Option<u16>,
    pub(in crate::mqtt::broker) client_id: Option<&'a str>,
    pub(in crate::mqtt::broker) receive_maximum: u16,
    pub(in crate::mqtt::broker) packet_maximum: u32,
    pub(in crate::mqtt::broker) alias_maximum: u16,
    pub(in crate::mqtt::broker) response: Option<&'a str>,
}

/// CONNACK: the welcome, or the code and reason of a refusal.
pub(in crate::mqtt::broker) fn connack(
    out: &mut Vec<u8>,
    version: Version,
    said: Result<&Welcome<'_>, (u8, &str)>,
) {
    let has_session = said.is_ok_and(|welcome| welcome.has_session);
    let answer = said.err().map_or(code::OK, |(code, _)| code);
    let mut body = vec![u8::from(has_session)];
    match version {
        Version::V4 => body.push(older(answer)),
        Version::V5 => {
            body.push(answer);
            let mut props = Vec::new();
            match said {
                Ok(welcome) => welcome.write(&mut props),
                Err((_, "")) => {}
                Err((_, why)) => put_text(&mut props, id::REASON, why),
            }
            put_variable(&mut body, props.len());
            body.extend_from_slice(&props);
        }
    }
    put_packet(out, 0x20, &body);
}

/// The return code of 3.1.1 (section 3.2.2.3) for a reason code.
fn older(answer: u8) -> u8 {
    match answer {
        code::OK => 0,
        code::VERSION => 1,
        code::CLIENT_ID => 2,
        code::PASSWORD => 4,
        code::NOT_ALLOWED => 5,
        _ => 3,
    }
}

impl Welcome<'_> {
    fn write(&self, props: &mut Vec<u8>) {
        if let Some(seconds) = self.session_expiry {
            props.push(id::SESSION_EXPIRY);
            props.extend_from_slice(&seconds.to_be_bytes());
        }
        let mut two = |id: u8, number: u16| {
            props.push(id);
            props.extend_from_slice(&number.to_be_bytes());
        };
        two(id::RECEIVE_MAXIMUM, self.receive_maximum);
        two(id::ALIAS_MAXIMUM, self.alias_maximum);
        if let Some(seconds) = self.keep_alive {
            two(id::KEEP_ALIVE, seconds);
        }
        props.push(id::PACKET_MAXIMUM);
        props.extend_from_slice(&self.packet_maximum.to_be_bytes());
        if let Some(client_id) = self.client_id {
            put_text(props, id::CLIENT_ID, client_id);
        }
        if let Some(response) = self.response {
            put_text(props, id::RESPONSE, response);
        }
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP; 3.1.1 knows no codes.
pub(in crate::mqtt::broker) fn ack(
    out: &mut Vec<u8>,
    version: Version,
    (kind, id, answer): (AckKind, u16, u8),
    why: &str,
) {
    let first = match kind {
        AckKind::Done => 0x40,
        AckKind::Received => 0x50,
        AckKind::Release => 0x62,
        AckKind::Complete => 0x70,
    };
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 && answer != code::OK {
        put_reason(&mut body, answer, why);
    }
    put_packet(out, first, &body);
}

/// A code, and the reason where there is one.
fn put_reason(body: &mut Vec<u8>, answer: u8, why: &str) {
    body.push(answer);
    if !why.is_empty() {
        let mut props = Vec::new();
        put_text(&mut props, id::REASON, why);
        put_variable(body, props.len());
        body.extend_from_slice(&props);
    }
}

/// SUBACK with a code for each filter.
pub(in crate::mqtt::broker) fn suback(
    out: &mut Vec<u8>,
    version: Version,
    id: u16,
    answers: &[u8],
) {
    let mut body = id.to_be_bytes().to_vec();
    match version {
        Version::V4 => body.extend(answers.iter().map(|code| (*code).min(0x80))),
        Version::V5 => {
            body.push(0);
            body.extend_from_slice(answers);
        }
    }
    put_packet(out, 0x90, &body);
}

/// UNSUBACK with a code for each filter.
pub(in crate::mqtt::broker) fn unsuback(
    out: &mut Vec<u8>,
    version: Version,
    id: u16,
    answers: &[u8],
) {
    let mut body = id.to_be_bytes().to_vec();
    if version == Version::V5 {
        body.push(0);
        body.extend_from_slice(answers);
    }
    put_packet(out, 0xb0, &body);
}

/// PINGRESP.
pub(in crate::mqtt::broker) fn pong(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xd0, 0]);
}

/// DISCONNECT; brokers send it in MQTT 5 only.
pub(in crate::mqtt::broker) fn disconnect(out: &mut Vec<u8>, answer: u8, why: &str) {
    let mut body = Vec::new();
    put_reason(&mut body, answer, why);
    put_packet(out, 0xe0, &body);
}

/// A message on its way to one client.
pub(in crate::mqtt::broker) struct Outgoing<'a> {
    pub(in crate::mqtt::broker) qos: Qos,
    pub(in crate::mqtt::broker) retain: bool,
    pub(in crate::mqtt::broker) again: bool,
    pub(in crate::mqtt::broker) id: u16,
    /// Empty when the alias stands for it.
    pub(in crate::mqtt::broker) topic: &'a str,
    pub(in crate::mqtt::broker) alias: Option<u16>,
    /// Seconds that are left.
    pub(in crate::mqtt::broker) expiry: Option<u32>,
    pub(in crate::mqtt::broker) numbers: &'a [u32],
    pub(in crate::mqtt::broker) kept: &'a [u8],
    pub(in crate::mqtt::broker) payload: &'a [u8],
}

impl Outgoing<'_> {
    fn sizes(&self, version: Version) -> (usize, usize) {
        let mut props = 0;
        if version == Version::V5 {
            props = self.kept.len();
            props += if self.alias.is_some() { 3 } else { 0 };
            props += if self.expiry.is_some() { 5 } else { 0 };
            props += self.numbers.iter().map(|n| 1 + length_of(*n as usize)).sum::<usize>();
        }
        let mut body = 2 + self.topic.len() + self.payload.len();
        body += if self.qos == Qos::AtMostOnce { 0 } else { 2 };
        body += if version == Version::V5 { length_of(props) + props } else { 0 };
        (props, body)
    }

    /// Returns the size of the whole packet in bytes.
    pub(in crate::mqtt::broker) fn size(&self, version: Version) -> usize {
        let (_, body) = self.sizes(version);
        1 + length_of(body) + body
    }
}

/// PUBLISH.
pub(in crate::mqtt::broker) fn publish(out: &mut Vec<u8>, version: Version, it: &Outgoing<'_>) {
    let (props, body) = it.sizes(version);
    let flags = u8::from(it.again) << 3 | it.qos.number() << 1 | u8::from(it.retain);
    out.reserve(body + 5);
    out.push(0x30 | flags);
    put_variable(out, body);
    put_bytes(out, it.topic.as_bytes());
    if it.qos != Qos::AtMostOnce {
        out.extend_from_slice(&it.id.to_be_bytes());
    }
    if version == Version::V5 {
        put_variable(out, props);
        if let Some(alias) = it.alias {
            out.push(id::ALIAS);
            out.extend_from_slice(&alias.to_be_bytes());
        }
        if let Some(seconds) = it.expiry {
            out.push(id::EXPIRY);
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        for number in it.numbers {
            out.push(id::SUBSCRIPTION);
            put_variable(out, *number as usize);
        }
        out.extend_from_slice(it.kept);
    }
    out.extend_from_slice(it.payload);
}

fn put_packet(out: &mut Vec<u8>, first: u8, body: &[u8]) {
    out.push(first);
    put_variable(out, body.len());
    out.extend_from_slice(body);
}

fn put_text(out: &mut Vec<u8>, id: u8, text: &str) {
    out.push(id);
    put_bytes(out, text.as_bytes());
}

/// Bytes behind their length; no text that a client sent, and none of ours, is longer than it can say.
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&bytes[..usize::from(length)]);
}

fn put_variable(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Bytes that [`put_variable`] takes.
fn length_of(number: usize) -> usize {
    match number {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}
