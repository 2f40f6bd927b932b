//! A client inside this process: no socket, the same rules.

use crate::error::Error;
use crate::mqtt::broker::access::Who;
use crate::mqtt::broker::core::{Outbox, Seat};
use crate::mqtt::broker::edge::Edge;
use crate::mqtt::broker::wire::{self, Connect, Disconnect, Handling, Packet, Subscribe, Wanted};
use crate::mqtt::config::Version;
use crate::mqtt::message::Qos;
use std::sync::Arc;
use std::time::Instant;

/// Whose sessions they are. Nobody else can have this name, so nobody takes them over.
const INSIDE: &str = "\0inside";

/// A client inside this process. When it is dropped, its will is said.
pub struct Local {
    edge: Arc<Edge>,
    seat: Seat,
    outbox: Arc<Outbox>,
    bytes: Vec<u8>,
    at: usize,
}

/// A message that a [`Local`] has subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Local {
    pub(super) fn join(
        edge: &Arc<Edge>,
        client_id: &str,
        will: Option<(&str, &str)>,
    ) -> Result<Local, Error> {
        let will = will.map(|(topic, payload)| wire::Will {
            topic: topic.into(),
            payload: payload.as_bytes().into(),
            qos: Qos::AtLeastOnce,
            retain: true,
            delay: 0,
            expiry: None,
            kept: Box::default(),
        });
        let connect = Connect {
            version: Version::V4,
            clean: true,
            keep_alive: 0,
            client_id: client_id.to_owned(),
            username: None,
            password: None,
            will,
            session_expiry: 0,
            receive_maximum: u16::MAX,
            packet_maximum: usize::MAX,
            alias_maximum: 0,
            wants_problems: false,
            wants_response: false,
            has_method: false,
        };
        let outbox = edge.core().outbox();
        let seat =
            edge.core().connect(connect, Who::anybody(INSIDE), &outbox, client_id, Instant::now());
        let full =
            || Error::limit(format!("the MQTT broker has no room for the client {client_id}"));
        let seat = seat.ok_or_else(full)?;
        Ok(Local { edge: edge.clone(), seat, outbox, bytes: Vec::new(), at: 0 })
    }

    fn say(&self, packet: Packet) {
        self.edge.core().hear(self.seat, packet, Instant::now());
    }

    /// Publishes, at QoS 0: between the two nothing can be lost.
    pub fn publish(&self, topic: &str, payload: &[u8], retain: bool) {
        self.say(Packet::Publish(wire::Publish {
            qos: Qos::AtMostOnce,
            retain,
            topic: topic.into(),
            id: 0,
            alias: None,
            expiry: None,
            kept: Box::default(),
            is_no_text: false,
            payload: payload.into(),
        }));
    }

    /// Subscribes, at QoS 0.
    pub fn subscribe(&self, filter: &str) {
        let filter = Wanted {
            filter: filter.to_owned(),
            qos: Qos::AtMostOnce,
            no_local: false,
            keeps_retain: false,
            handling: Handling::Always,
        };
        self.say(Packet::Subscribe(Subscribe { id: 1, number: None, filters: vec![filter] }));
    }

    /// Waits for the next message; `None` when the broker has ended. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            while let Ok(Some((first, body))) = wire::frame(&self.bytes[self.at..], usize::MAX) {
                let (start, end) = (self.at + body.start, self.at + body.end);
                self.at = end;
                // Other packets are answers that nobody waits for.
                if first >> 4 == 3
                    && let Ok(Packet::Publish(it)) =
                        wire::read(Version::V4, first, &self.bytes[start..end])
                {
                    let (topic, payload) = (it.topic.to_string(), it.payload.into());
                    return Some(Heard { topic, payload });
                }
            }
            self.outbox.ready().await;
            self.at = 0;
            let taken = self.outbox.take(&mut self.bytes);
            if taken.has_more {
                self.edge.core().drained(self.seat, Instant::now());
            }
            if self.bytes.is_empty() {
                if taken.is_ended {
                    return None;
                }
                tokio::task::yield_now().await;
            }
        }
    }

    /// Leaves without its will being said.
    pub fn leave(self) {
        self.say(Packet::Disconnect(Disconnect { code: 0, session_expiry: None }));
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.edge.core().lost(self.seat, Instant::now());
    }
}
