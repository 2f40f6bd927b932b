//! One connection with the client library.

use crate::error::Error;
use crate::mqtt::config::Target;
use crate::mqtt::link::{Happening, Listener, Options, Welcome, offline};
use crate::mqtt::message::{Arrived, Outcome, Payload, Publish, Qos};
use rumqttc_v5::{
    AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS, SubscribeFilter,
};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// Messages of ours that may be under way at once.
const INFLIGHT: u16 = 100;

pub(super) struct Client {
    library: AsyncClient,
    events: EventLoop,
    filters: Vec<(String, Qos)>,
}

impl Client {
    pub(super) async fn connect(target: &Target, options: &Options) -> Result<Client, Error> {
        let address = &target.address;
        let mut wanted =
            MqttOptions::new(target.client_id.clone(), (address.host.clone(), address.port));
        let keep_alive = u16::try_from(options.keep_alive.as_secs()).unwrap_or(u16::MAX);
        wanted.set_keep_alive(keep_alive);
        wanted.set_receive_maximum(Some(INFLIGHT));
        if !target.username.is_empty() {
            wanted.set_credentials(target.username.clone(), target.password.reveal().to_owned());
        }
        let (library, events) = AsyncClient::builder(wanted).capacity(16).build();
        Ok(Client { library, events, filters: options.filters.clone() })
    }

    /// Waits for the next packet and tells of it.
    pub(super) async fn step(
        &mut self,
        listener: &mut impl Listener,
        was_up: &mut bool,
    ) -> Result<(), Error> {
        match self.events.poll().await {
            Ok(Event::Incoming(Incoming::ConnAck(said))) => {
                *was_up = true;
                let client_id = said.properties.and_then(|p| p.assigned_client_identifier);
                listener.happened(Happening::Connected(Welcome { client_id }));
                let filters = self.filters.iter();
                let filters = filters.map(|(f, qos)| SubscribeFilter::new(f.clone(), level(*qos)));
                let many = filters.collect::<Vec<_>>();
                self.library
                    .try_subscribe_many(many)
                    .map_err(|e| offline("cannot subscribe").because(e.to_string()))?;
            }
            Ok(Event::Incoming(Incoming::Publish(said))) => {
                let Ok(topic) = std::str::from_utf8(&said.topic) else { return Ok(()) };
                listener.happened(Happening::Arrived(Arrived {
                    at: now(),
                    topic,
                    payload: Payload::Whole(&said.payload),
                    qos: Qos::of(said.qos as u8).unwrap_or_default(),
                    retained: said.retain,
                    dup: said.dup,
                    properties: None,
                }));
            }
            Ok(_) => {}
            Err(e) => return Err(offline(e.to_string())),
        }
        Ok(())
    }

    pub(super) fn publish(&self, message: Publish, answer: oneshot::Sender<Outcome>) {
        let options = PublishOptions::new(level(message.qos)).retain(message.retain);
        // What became of it is known when the broker has answered, which only polling hears.
        let outcome = match self.library.try_publish(message.topic, message.payload, options) {
            Ok(()) => Outcome::Written { unheard: false },
            Err(e) => Outcome::NotSent(e.to_string()),
        };
        let _ = answer.send(outcome);
    }
}

fn level(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
