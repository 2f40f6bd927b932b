//! MQTT 3.1.1 by the client library.

use crate::mqtt::config::Version;
use crate::mqtt::link::Welcome;
use crate::mqtt::link::dial::Socket;
use crate::mqtt::link::sieve::{Mark, Sieve};
use crate::mqtt::link::wire::{
    Boxed, Ended, Heard, INFLIGHT, Knock, LARGEST, Once, Pen, Said, Wire, io_words,
};
use crate::mqtt::message::{Outcome, Publish, Qos};
use rumqttc_v4::{
    AsyncClient, ConnectReturnCode, ConnectionError, Error, Event, EventLoop, Incoming,
    MqttOptions, PublishNotice, PublishOptions, QoS, StateError, SubscribeFilter,
    SubscribeReasonCode,
};
use std::sync::Arc;

pub(super) struct Wire4 {
    events: EventLoop,
    mark: Mark,
    is_in: bool,
}

pub(super) struct Pen4(AsyncClient);

impl Wire for Wire4 {
    type Pen = Pen4;
    const VERSION: Version = Version::V4;

    fn open(socket: Sieve<Socket>, mark: Mark, knock: &Knock<'_>) -> (Pen4, Wire4) {
        let address = &knock.target.address;
        let broker = (address.host.clone(), address.port);
        let mut options = MqttOptions::new(knock.client_id, broker);
        options.set_keep_alive(u16::try_from(knock.keep_alive.as_secs()).unwrap_or(u16::MAX));
        options.set_inflight(INFLIGHT);
        // The sieve stands before it.
        options.set_max_packet_size(LARGEST, LARGEST);
        let (user, password) = (&knock.target.username, knock.target.password.reveal());
        match (user.is_empty(), password.is_empty()) {
            (_, false) => options.set_credentials(user.clone(), password.to_owned()),
            (false, true) => options.set_username(user.clone()),
            (true, true) => &mut options,
        };
        let socket = Arc::new(Once::new(socket));
        options.set_socket_connector(move |_, _| {
            let socket = socket.clone();
            async move { socket.take() }
        });
        let capacity = usize::from(INFLIGHT) + 8;
        let (library, mut events) = AsyncClient::builder(options).capacity(capacity).build();
        events.network_options.set_connection_timeout(knock.connect.as_secs().max(1));
        (Pen4(library), Wire4 { events, mark, is_in: false })
    }

    async fn step<F>(&mut self, hear: &mut F) -> Result<(), Ended>
    where
        F: FnMut(Heard<'_>) + Send,
    {
        match self.events.poll().await {
            Ok(Event::Incoming(Incoming::Publish(said))) => Said {
                topic: &said.topic,
                payload: &said.payload,
                qos: said.qos as u8,
                retained: said.retain,
                dup: said.dup,
                properties: None,
            }
            .tell(self.mark, hear),
            Ok(Event::Incoming(Incoming::ConnAck(_))) => {
                self.is_in = true;
                hear(Heard::Welcome(Welcome { version: Version::V4, ..Welcome::default() }));
            }
            Ok(Event::Incoming(Incoming::SubAck(said))) => {
                let each = said.return_codes.into_iter().map(|code| match code {
                    SubscribeReasonCode::Success(qos) => Ok(Qos::of(qos as u8).unwrap_or_default()),
                    SubscribeReasonCode::Failure => Err("the broker does not say why".to_owned()),
                });
                hear(Heard::Granted(each.collect()));
            }
            Ok(_) => {}
            Err(e) => return Err(ended(e, self.is_in)),
        }
        Ok(())
    }
}

impl Pen for Pen4 {
    fn subscribe(&self, filters: &[(String, Qos)]) -> Result<(), String> {
        let filters = filters.iter().map(|(f, qos)| SubscribeFilter::new(f.clone(), level(*qos)));
        let asked = self.0.try_subscribe_many(filters.collect::<Vec<_>>());
        asked.map_err(|e| e.to_string())
    }

    fn publish(&self, message: Publish) -> Result<Boxed<Outcome>, String> {
        let options = PublishOptions::new(level(message.qos)).retain(message.retain);
        let sent = self.0.try_publish_tracked(message.topic, message.payload, options);
        let notice = sent.map_err(|e| e.to_string())?;
        Ok(Box::pin(outcome(notice)))
    }

    fn leave(&self) {
        // Nobody is left to tell when it fails.
        let _ = self.0.try_disconnect_now();
    }
}

async fn outcome(notice: PublishNotice) -> Outcome {
    match notice.wait_async().await {
        Ok(_) => Outcome::Written { unheard: false },
        Err(_) => Outcome::Unknown("the connection was lost before the broker's answer".into()),
    }
}

fn ended(e: ConnectionError, is_in: bool) -> Ended {
    match e {
        ConnectionError::ConnectionRefused(code) => knocked(code),
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => {
            Ended::lost("the broker took the connection and said nothing")
        }
        ConnectionError::Io(e) => Ended::lost(io_words(&e)),
        ConnectionError::MqttState(state) => broken(state, is_in),
        ConnectionError::NotConnAck(_) => Ended::lost("the broker answered in another protocol"),
        other => Ended::lost(format!("the connection failed ({other})")),
    }
}

fn broken(e: StateError, is_in: bool) -> Ended {
    match e {
        StateError::ConnectionAborted if is_in => Ended::lost("the broker closed the connection"),
        StateError::ConnectionAborted => {
            Ended::lost("the broker closed the connection instead of letting us in")
        }
        StateError::AwaitPingResp => Ended::lost("the broker did not answer a ping in time"),
        StateError::Io(e) | StateError::Deserialization(Error::Io(e)) => Ended::lost(io_words(&e)),
        StateError::Deserialization(e) => {
            Ended::lost(format!("the broker sent what is no MQTT 3.1.1 ({e})"))
        }
        other => Ended::lost(format!("the broker broke the rules of MQTT ({other})")),
    }
}

/// MQTT 3.1.1, section 3.2.2.3.
fn knocked(code: ConnectReturnCode) -> Ended {
    use ConnectReturnCode as Code;
    match code {
        Code::RefusedProtocolVersion => Ended::refused("the broker does not speak MQTT 3.1.1"),
        Code::BadClientId => Ended::refused("the broker does not accept the client id"),
        Code::ServiceUnavailable => Ended::lost("the broker says that it is not available"),
        Code::BadUserNamePassword => Ended::refused("the broker refuses the user name or password"),
        Code::NotAuthorized => Ended::refused(
            "the broker does not let this user in (not authorised): check user name and password",
        ),
        Code::Success => Ended::lost("the broker let us in and then did not"),
    }
}

fn level(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}
