//! MQTT 5 by the client library.

use crate::mqtt::config::Version;
use crate::mqtt::link::dial::Socket;
use crate::mqtt::link::pace::Ending;
use crate::mqtt::link::sieve::{Mark, Sieve};
use crate::mqtt::link::wire::{
    Boxed, Ended, Heard, INFLIGHT, Knock, Once, Pen, Said, Wire, io_words,
};
use crate::mqtt::link::{Limits, Welcome};
use crate::mqtt::message::{Outcome, Properties, Publish, Qos};
use rumqttc_v5::{
    AsyncClient, ConnAck, ConnectReturnCode, ConnectionError, DisconnectReasonCode, Error, Event,
    EventLoop, Incoming, MqttOptions, PublishNotice, PublishNoticeError, PublishOptions,
    PublishProperties, PublishResult, QoS, RetainForwardRule, StateError, SubscribeFilter,
    SubscribeReasonCode,
};
use std::sync::Arc;

pub(super) struct Wire5 {
    events: EventLoop,
    mark: Mark,
    is_in: bool,
    /// The next SUBACK is that of what is kept; the one that counts follows.
    kept_first: bool,
}

/// The library, and whether what is kept is asked for first.
pub(super) struct Pen5(AsyncClient, bool);

impl Wire for Wire5 {
    type Pen = Pen5;
    const VERSION: Version = Version::V5;

    fn open(socket: Sieve<Socket>, mark: Mark, knock: &Knock<'_>) -> (Pen5, Wire5) {
        let address = &knock.target.address;
        let broker = (address.host.clone(), address.port);
        let mut options = MqttOptions::new(knock.client_id, broker);
        options.set_keep_alive(u16::try_from(knock.keep_alive.as_secs()).unwrap_or(u16::MAX));
        options.set_connect_timeout(knock.connect);
        options.set_receive_maximum(Some(INFLIGHT));
        options.set_outgoing_inflight_upper_limit(INFLIGHT);
        // Not announced: brokers would then leave large messages out and say nothing. The sieve stands
        // before it.
        options.set_unlimited_incoming_packet_size();
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
        let (library, events) = AsyncClient::builder(options).capacity(capacity).build();
        let kept_first = knock.kept_first;
        (Pen5(library, kept_first), Wire5 { events, mark, is_in: false, kept_first })
    }

    async fn step<F>(&mut self, hear: &mut F) -> Result<(), Ended>
    where
        F: FnMut(Heard<'_>) + Send,
    {
        match self.events.poll().await {
            Ok(Event::Incoming(Incoming::Publish(said))) => {
                let properties = said.properties.as_ref().map(read);
                let properties = properties.filter(|found| *found != Properties::default());
                Said {
                    topic: &said.topic,
                    payload: &said.payload,
                    qos: said.qos as u8,
                    retained: said.retain,
                    dup: said.dup,
                    properties: properties.as_ref(),
                }
                .tell(self.mark, hear);
            }
            Ok(Event::Incoming(Incoming::ConnAck(said))) => {
                self.is_in = true;
                hear(Heard::Welcome(welcome(said)));
            }
            Ok(Event::Incoming(Incoming::SubAck(_))) if self.kept_first => self.kept_first = false,
            Ok(Event::Incoming(Incoming::SubAck(said))) => {
                hear(Heard::Granted(said.return_codes.into_iter().map(granted).collect()));
            }
            Ok(_) => {}
            Err(e) => return Err(ended(e, self.is_in)),
        }
        Ok(())
    }
}

impl Pen for Pen5 {
    fn subscribe(&self, filters: &[(String, Qos)]) -> Result<(), String> {
        let ask = |qos: fn(Qos) -> Qos, kept: RetainForwardRule| {
            let filters = filters.iter().map(|(filter, wanted)| SubscribeFilter {
                retain_forward_rule: kept.clone(),
                ..SubscribeFilter::new(filter.clone(), level(qos(*wanted)))
            });
            let asked = self.0.try_subscribe_many(filters.collect::<Vec<_>>());
            asked.map_err(|e| e.to_string())
        };
        if !self.1 {
            return ask(|qos| qos, RetainForwardRule::OnEverySubscribe);
        }
        // The same filter again replaces the subscription (MQTT 5, section 3.8.4), without a gap.
        ask(|_| Qos::AtMostOnce, RetainForwardRule::OnEverySubscribe)?;
        ask(|qos| qos, RetainForwardRule::Never)
    }

    fn publish(&self, message: Publish) -> Result<Boxed<Outcome>, String> {
        let mut options = PublishOptions::new(level(message.qos)).retain(message.retain);
        if let Some(properties) = message.properties {
            options = options.properties(written(properties));
        }
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
    let refused = |code: u8| Outcome::NotSent(format!("the broker refused it: {}", refusal(code)));
    match notice.wait_async().await {
        Ok(PublishResult::Qos1(ack)) => match ack.reason as u8 {
            0 => Outcome::Written { unheard: false },
            16 => Outcome::Written { unheard: true },
            code => refused(code),
        },
        Ok(PublishResult::Qos2PubRecRejected(rec)) => refused(rec.reason as u8),
        Ok(_) => Outcome::Written { unheard: false },
        Err(PublishNoticeError::V5PubAck(reason)) => refused(reason as u8),
        Err(PublishNoticeError::V5PubRec(reason)) => refused(reason as u8),
        Err(PublishNoticeError::RetainNotSupported) => {
            Outcome::NotSent("the broker keeps no retained messages".into())
        }
        Err(_) => Outcome::Unknown("the connection was lost before the broker's answer".into()),
    }
}

/// MQTT 5, section 3.4.2.1.
fn refusal(code: u8) -> &'static str {
    match code {
        131 => "for reasons of its own",
        135 => "this user may not publish there",
        144 => "it does not accept the topic",
        145 => "the packet id is in use",
        151 => "a quota is used up",
        153 => "the payload is not of the format that was said",
        _ => "it does not say why",
    }
}

fn welcome(said: ConnAck) -> Welcome {
    let Some(p) = said.properties else {
        return Welcome { version: Version::V5, ..Welcome::default() };
    };
    let yes = |flag: Option<u8>| flag.map(|flag| flag != 0);
    let limits = Limits {
        receive_maximum: p.receive_max,
        maximum_qos: p.max_qos,
        retain: yes(p.retain_available),
        maximum_packet_size: p.max_packet_size,
        topic_alias_maximum: p.topic_alias_max,
        wildcard_subscriptions: yes(p.wildcard_subscription_available),
        subscription_ids: yes(p.subscription_identifiers_available),
        shared_subscriptions: yes(p.shared_subscription_available),
        keep_alive: p.server_keep_alive,
        session_expiry: p.session_expiry_interval,
    };
    Welcome { client_id: p.assigned_client_identifier, version: Version::V5, limits, note: None }
}

fn granted(code: SubscribeReasonCode) -> Result<Qos, String> {
    use SubscribeReasonCode as Code;
    let why = match code {
        Code::Success(qos) => return Ok(Qos::of(qos as u8).unwrap_or_default()),
        Code::NotAuthorized => "this user may not listen there",
        Code::TopicFilterInvalid => "the broker does not accept the filter",
        Code::QuotaExceeded => "a quota is used up",
        Code::SharedSubscriptionsNotSupported => "the broker has no shared subscriptions",
        Code::SubscriptionIdNotSupported => "the broker has no subscription ids",
        Code::WildcardSubscriptionsNotSupported => "the broker has no wildcards",
        _ => "the broker does not say why",
    };
    Err(why.to_owned())
}

fn ended(e: ConnectionError, is_in: bool) -> Ended {
    match e {
        ConnectionError::ConnectionRefused(code) => knocked(code),
        ConnectionError::Timeout(_) => {
            Ended::lost("the broker took the connection and said nothing")
        }
        ConnectionError::Io(e) if is_in => Ended::lost(io_words(&e)),
        ConnectionError::Io(e) => Ended::version(io_words(&e)),
        ConnectionError::MqttState(state) => broken(state, is_in),
        ConnectionError::NotConnAck(_) => Ended::version("the broker answered in another protocol"),
        other => Ended::lost(format!("the connection failed ({other})")),
    }
}

fn broken(e: StateError, is_in: bool) -> Ended {
    let of = |why: String| if is_in { Ended::lost(why) } else { Ended::version(why) };
    match e {
        StateError::ConnectionAborted if is_in => Ended::lost("the broker closed the connection"),
        StateError::ConnectionAborted => {
            Ended::version("the broker closed the connection instead of letting us in")
        }
        StateError::AwaitPingResp => Ended::lost("the broker did not answer a ping in time"),
        StateError::Io(e) | StateError::Deserialization(Error::Io(e)) => of(io_words(&e)),
        StateError::Deserialization(e) => of(format!("the broker sent what is no MQTT 5 ({e})")),
        StateError::ConnFail { reason } => knocked(reason),
        StateError::ServerDisconnect { reason_code, .. } => sent_away(reason_code),
        other => Ended::lost(format!("the broker broke the rules of MQTT ({other})")),
    }
}

/// MQTT 5, section 3.2.2.2.
fn knocked(code: ConnectReturnCode) -> Ended {
    use ConnectReturnCode as Code;
    match code {
        Code::UnsupportedProtocolVersion | Code::RefusedProtocolVersion => {
            Ended::version("the broker does not speak MQTT 5")
        }
        Code::BadUserNamePassword => Ended::refused("the broker refuses the user name or password"),
        Code::NotAuthorized => Ended::refused(
            "the broker does not let this user in (not authorised): check user name and password",
        ),
        Code::BadClientId | Code::ClientIdentifierNotValid => {
            Ended::refused("the broker does not accept the client id")
        }
        Code::Banned => Ended::refused("the broker has banned this client"),
        Code::ServiceUnavailable | Code::ServerUnavailable => {
            Ended::lost("the broker says that it is not available")
        }
        Code::ServerBusy => Ended::lost("the broker says that it is busy"),
        Code::QuotaExceeded => Ended::refused("a quota of the broker is used up"),
        Code::ConnectionRateExceeded => Ended::refused("the broker had too many connects"),
        Code::UseAnotherServer | Code::ServerMoved => {
            Ended::refused("the broker says that another one must be used")
        }
        other => Ended::refused(format!("the broker does not let us in ({other:?})")),
    }
}

/// MQTT 5, section 3.14.2.1.
fn sent_away(code: DisconnectReasonCode) -> Ended {
    use DisconnectReasonCode as Code;
    match code {
        Code::SessionTakenOver => Ended {
            ending: Ending::TakenOver,
            why: "another client with the same client id took over: each client needs its own \
                  (mqtt.client_id)"
                .into(),
        },
        Code::ServerShuttingDown => Ended::lost("the broker is shutting down"),
        Code::ServerBusy => Ended::lost("the broker says that it is busy"),
        Code::KeepAliveTimeout => Ended::lost("the broker heard nothing of us for too long"),
        Code::NotAuthorized | Code::AdministrativeAction => {
            Ended::refused("the broker's owner ended the connection")
        }
        Code::QuotaExceeded | Code::MessageRateTooHigh | Code::ConnectionRateExceeded => {
            Ended::refused("we asked more of the broker than it allows")
        }
        other => Ended::lost(format!("the broker ended the connection ({other:?})")),
    }
}

fn read(p: &PublishProperties) -> Properties {
    Properties {
        is_text: p.payload_format_indicator.map(|flag| flag == 1),
        expiry: p.message_expiry_interval,
        response_topic: p.response_topic.as_deref().map(Arc::from),
        correlation: p.correlation_data.as_deref().map(Arc::from),
        content_type: p.content_type.as_deref().map(Arc::from),
        subscriptions: p
            .subscription_identifiers
            .iter()
            .filter_map(|n| (*n).try_into().ok())
            .collect(),
        user: p.user_properties.clone(),
    }
}

fn written(p: Properties) -> PublishProperties {
    PublishProperties {
        payload_format_indicator: p.is_text.map(u8::from),
        message_expiry_interval: p.expiry,
        response_topic: p.response_topic.map(|topic| topic.to_string()),
        correlation_data: p.correlation.map(|bytes| bytes.to_vec().into()),
        content_type: p.content_type.map(|kind| kind.to_string()),
        user_properties: p.user,
        ..PublishProperties::default()
    }
}

fn level(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
        Qos::ExactlyOnce => QoS::ExactlyOnce,
    }
}
