//! A broker without sockets, and clients that speak bytes with it.

use crate::mqtt::broker::access::Who;
use crate::mqtt::broker::config::Embedded;
use crate::mqtt::broker::core::{Core, Limits, Outbox, Seat};
use crate::mqtt::broker::wire;
use crate::mqtt::config::Version;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A broker and its clock.
pub(super) struct Rig {
    pub(super) core: RefCell<Core>,
    pub(super) now: RefCell<Instant>,
}

/// A client: what it has been sent lies in `outbox`.
pub(super) struct Client<'a> {
    rig: &'a Rig,
    pub(super) seat: Option<Seat>,
    pub(super) outbox: Arc<Outbox>,
    version: Version,
}

/// What a CONNECT says beside its usual things.
pub(super) struct Wish {
    pub(super) version: Version,
    pub(super) clean: bool,
    pub(super) keep_alive: u16,
    /// Identifier and bytes of each property.
    pub(super) properties: Vec<u8>,
    /// Topic, payload, QoS, retain, properties.
    pub(super) will: Option<(&'static str, &'static str, u8, bool, Vec<u8>)>,
}

impl Default for Wish {
    fn default() -> Wish {
        let (version, clean, keep_alive) = (Version::V5, true, 0);
        Wish { version, clean, keep_alive, properties: Vec::new(), will: None }
    }
}

/// Session expiry, as a property.
pub(super) fn stays(seconds: u32) -> Vec<u8> {
    [&[0x11][..], &seconds.to_be_bytes()].concat()
}

pub(super) fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

impl Rig {
    pub(super) fn new() -> Rig {
        Rig::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Limits)) -> Rig {
        let mut limits = Embedded::default().limits();
        change(&mut limits);
        let now = Instant::now();
        Rig { core: RefCell::new(Core::new(limits, now)), now: RefCell::new(now) }
    }

    /// Lets time pass.
    pub(super) fn wait(&self, seconds: f64) {
        *self.now.borrow_mut() += Duration::from_secs_f64(seconds);
        self.core.borrow_mut().tick(*self.now.borrow());
    }

    pub(super) fn connect(&self, id: &str, wish: Wish) -> Client<'_> {
        self.connect_as(id, wish, Who::anybody(""))
    }

    pub(super) fn connect_as(&self, id: &str, wish: Wish, who: Who) -> Client<'_> {
        let is_5 = wish.version == Version::V5;
        let mut flags = u8::from(wish.clean) << 1;
        if let Some((_, _, qos, retain, _)) = &wish.will {
            flags |= 4 | qos << 3 | u8::from(*retain) << 5;
        }
        let mut body = [text("MQTT"), vec![if is_5 { 5 } else { 4 }, flags]].concat();
        body.extend(wish.keep_alive.to_be_bytes());
        if is_5 {
            body.push(wish.properties.len() as u8);
            body.extend(&wish.properties);
        }
        body.extend(text(id));
        if let Some((topic, payload, _, _, properties)) = &wish.will {
            if is_5 {
                body.push(properties.len() as u8);
                body.extend(properties);
            }
            body.extend(text(topic));
            body.extend(text(payload));
        }
        let connect = wire::read_connect(0x10, &body).unwrap();
        let outbox = self.core.borrow().outbox();
        let now = *self.now.borrow();
        let seat = self.core.borrow_mut().connect(connect, who, &outbox, "auto-1", now);
        Client { rig: self, seat, outbox, version: wish.version }
    }

    /// A client of MQTT 5 that is connected and has read the welcome.
    pub(super) fn client(&self, id: &str) -> Client<'_> {
        let client = self.connect(id, Wish::default());
        assert_eq!(client.read()[0].0, 0x20);
        client
    }

    /// The same, of 3.1.1.
    pub(super) fn older(&self, id: &str) -> Client<'_> {
        let client = self.connect(id, Wish { version: Version::V4, ..Wish::default() });
        assert_eq!(client.read(), [(0x20, vec![0, 0])]);
        client
    }
}

impl Client<'_> {
    /// Sends a packet.
    pub(super) fn send(&self, first: u8, body: &[u8]) {
        let Some(seat) = self.seat else { panic!("it was not let in") };
        let now = *self.rig.now.borrow();
        let mut core = self.rig.core.borrow_mut();
        match wire::read(self.version, first, body) {
            Ok(packet) => core.hear(seat, packet, now),
            Err(fault) => core.refuse(seat, fault, now),
        }
    }

    /// Returns every packet that came: its first byte and the rest.
    pub(super) fn read(&self) -> Vec<(u8, Vec<u8>)> {
        let mut packets = Vec::new();
        let mut bytes = Vec::new();
        loop {
            let taken = self.outbox.take(&mut bytes);
            let mut at = 0;
            while let Some((first, body)) = wire::frame(&bytes[at..], usize::MAX).unwrap() {
                packets.push((first, bytes[at + body.start..at + body.end].to_vec()));
                at += body.end;
            }
            assert_eq!(at, bytes.len(), "half a packet was sent");
            match self.seat.filter(|_| taken.has_more) {
                Some(seat) => {
                    self.rig.core.borrow_mut().drained(seat, *self.rig.now.borrow());
                }
                None if bytes.is_empty() => return packets,
                None => {}
            }
        }
    }

    /// Returns the messages that came, as `topic payload qos retain`, and `dup` where it is set.
    pub(super) fn messages(&self) -> Vec<String> {
        let publishes = self.read().into_iter().filter(|(first, _)| first >> 4 == 3);
        publishes.map(|(first, body)| self.shown(first, &body)).collect()
    }

    fn shown(&self, first: u8, body: &[u8]) -> String {
        let packet = wire::read(self.version, first, body);
        let Ok(wire::Packet::Publish(it)) = packet else { panic!("{packet:?}") };
        let dup = if first & 8 == 0 { "" } else { " dup" };
        let payload = String::from_utf8_lossy(&it.payload);
        format!("{} {payload} {} {}{dup}", it.topic, it.qos.number(), u8::from(it.retain))
    }

    /// Subscribes and returns the answers; what came with them stays unread.
    pub(super) fn subscribe(&self, filter: &str, options: u8) -> u8 {
        self.subscribe_with(filter, options, &[])
    }

    pub(super) fn subscribe_with(&self, filter: &str, options: u8, properties: &[u8]) -> u8 {
        let mut body = vec![0, 9];
        if self.version == Version::V5 {
            body.push(properties.len() as u8);
            body.extend(properties);
        }
        body.extend(text(filter));
        body.push(options);
        let before = self.outbox.len();
        self.send(0x82, &body);
        let mut bytes = Vec::new();
        self.outbox.take(&mut bytes);
        let (_, answer) = wire::frame(&bytes[before..], usize::MAX).unwrap().unwrap();
        let code = bytes[before + answer.end - 1];
        bytes.drain(before..before + answer.end);
        self.outbox.write(|out| out.extend(bytes));
        code
    }

    /// Publishes with packet identifier 7.
    pub(super) fn publish(&self, topic: &str, payload: &str, qos: u8, retain: bool) {
        self.publish_with(topic, payload, (qos, 7), retain, &[]);
    }

    pub(super) fn publish_with(
        &self,
        topic: &str,
        payload: &str,
        (qos, id): (u8, u16),
        retain: bool,
        properties: &[u8],
    ) {
        let mut body = text(topic);
        if qos > 0 {
            body.extend(id.to_be_bytes());
        }
        if self.version == Version::V5 {
            body.push(properties.len() as u8);
            body.extend(properties);
        }
        body.extend(payload.as_bytes());
        self.send(0x30 | qos << 1 | u8::from(retain), &body);
    }

    /// Breaks the connection.
    pub(super) fn vanish(&self) {
        self.rig.core.borrow_mut().lost(self.seat.unwrap(), *self.rig.now.borrow());
    }

    /// Returns the reason of the DISCONNECT that ended it.
    pub(super) fn told_off(&self) -> Option<u8> {
        assert!(self.outbox.is_ended(), "the connection goes on");
        let last = self.read().pop();
        last.filter(|(first, _)| *first == 0xe0).map(|(_, body)| body[0])
    }
}
