//! A client that sends what it likes: bytes over a socket.

use crate::harness::SOON;
use hearth::mqtt::Broker;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

/// A connection, and what came over it and was not read yet.
pub(super) struct Raw {
    pub(super) socket: TcpStream,
    bytes: Vec<u8>,
}

/// Bytes behind their length.
pub(super) fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

/// A packet.
pub(super) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut length = body.len();
    while length > 0x7f {
        out.push(length as u8 & 0x7f | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    [out, body.to_vec()].concat()
}

/// A CONNECT of MQTT 5 with a clean start and these properties.
pub(super) fn connect(id: &str, properties: &[u8]) -> Vec<u8> {
    let mut body = [text("MQTT"), vec![5, 2, 0, 0, properties.len() as u8]].concat();
    body.extend(properties);
    body.extend(text(id));
    packet(0x10, &body)
}

/// A SUBSCRIBE of MQTT 5.
pub(super) fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 1, 0][..], &text(filter), &[qos]].concat())
}

impl Raw {
    /// Opens a connection and says nothing.
    pub(super) fn open(broker: &Broker) -> Raw {
        let socket = TcpStream::connect(broker.address()).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.set_write_timeout(Some(SOON)).unwrap();
        Raw { socket, bytes: Vec::new() }
    }

    /// Opens a connection and is let in.
    pub(super) fn enter(broker: &Broker, id: &str, properties: &[u8]) -> Raw {
        let mut raw = Raw::open(broker);
        raw.send(&connect(id, properties));
        let (first, body) = raw.next().unwrap();
        assert_eq!((first, body[1]), (0x20, 0));
        raw
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        // A broker that has had enough may have closed already.
        let _ = self.socket.write_all(bytes);
    }

    /// Returns the next packet; `None` when the broker closed the connection.
    pub(super) fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(packet) = self.whole() {
                return Some(packet);
            }
            let mut part = [0; 65536];
            match self.socket.read(&mut part) {
                Ok(0) => return None,
                Ok(count) => self.bytes.extend_from_slice(&part[..count]),
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return None,
                Err(e) => panic!("the broker neither answers nor closes: {e}"),
            }
        }
    }

    fn whole(&mut self) -> Option<(u8, Vec<u8>)> {
        let (mut length, mut at) = (0usize, 1);
        loop {
            let byte = *self.bytes.get(at)?;
            length |= usize::from(byte & 0x7f) << (7 * (at - 1));
            at += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        if self.bytes.len() < at + length {
            return None;
        }
        let packet = (self.bytes[0], self.bytes[at..at + length].to_vec());
        self.bytes.drain(..at + length);
        Some(packet)
    }

    /// Returns the last packet before the broker closed the connection.
    pub(super) fn last(&mut self) -> Option<(u8, Vec<u8>)> {
        std::iter::from_fn(|| self.next()).last()
    }
}
