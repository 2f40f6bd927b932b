//! What a show of lights needs of the home's broker: which lights are there, how they stand, when they
//! say something, and messages that are repeated many times a second.

use crate::error::Error;
use crate::mqtt::discovery::{MqttLight, announced_lights};
use crate::mqtt::message::{Outcome, Publish, Qos};
use crate::mqtt::probe::own_probes;
use crate::mqtt::session::{Session, State};
use crate::mqtt::{Mqtt, may_see};
use crate::policy::{Caller, Level};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// The lights of the home's broker, for one caller.
#[derive(Clone)]
pub(crate) struct Lamps {
    mqtt: Mqtt,
    session: Arc<Session>,
    caller: Caller,
}

impl Mqtt {
    /// Returns the way to the lights, for `caller`.
    ///
    /// # Errors
    /// As [`Mqtt::session`]; Refused for a caller who may not control MQTT.
    pub(crate) fn lamps(&self, caller: &Caller) -> Result<Lamps, Error> {
        let session = self.session(caller, None)?;
        self.policy().check(caller, "mqtt", Level::Control)?;
        Ok(Lamps { mqtt: self.clone(), session, caller: caller.clone() })
    }

    /// Waits until the home's broker is connected; for ever when none is configured.
    pub(crate) async fn home_connected(&self) {
        let Some(session) = &self.shared.home else { return std::future::pending().await };
        let _ = session.states().wait_for(|state| *state == State::Connected).await;
    }

    /// Waits until the home's broker is not connected; for ever when none is configured.
    pub(crate) async fn home_away(&self) {
        let Some(session) = &self.shared.home else { return std::future::pending().await };
        let _ = session.states().wait_for(|state| *state != State::Connected).await;
    }
}

impl Lamps {
    /// Lists the lights, in the order of their command topics.
    pub(crate) fn list(&self) -> Vec<MqttLight> {
        announced_lights(&self.session, self.mqtt.discovery_prefix())
    }

    /// Returns how often something came on a topic so far, and the newest payload.
    pub(crate) fn newest(&self, topic: &str) -> Option<(u64, Arc<[u8]>)> {
        let inbox = self.session.inbox();
        let topic = inbox.topics().get(topic)?;
        Some((topic.count, topic.payload.clone()?))
    }

    /// Returns how often something came on a topic so far.
    pub(crate) fn count(&self, topic: &str) -> u64 {
        self.session.inbox().topics().get(topic).map_or(0, |topic| topic.count)
    }

    /// Returns the same for several topics, in their order.
    pub(crate) fn counts<'a>(&self, topics: impl Iterator<Item = &'a str>) -> Vec<u64> {
        let inbox = self.session.inbox();
        topics.map(|topic| inbox.topics().get(topic).map_or(0, |topic| topic.count)).collect()
    }

    /// Returns what tells that something came on any topic.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.session.arrivals()
    }

    /// Says whether a light may be told something.
    ///
    /// # Errors
    /// As [`Mqtt::may_publish`].
    pub(crate) fn may_tell(&self, topic: &str) -> Result<(), Error> {
        self.mqtt.may_publish(&self.caller, &message(topic, Vec::new(), Qos::AtMostOnce))
    }

    /// Sends one of many messages a second, with QoS 0 and never later than `within`. Each passes the
    /// rules for publishing; only how often is the show's own to bound, and only its begin and end go
    /// to the audit log.
    ///
    /// # Errors
    /// As [`Mqtt::may_publish`]; Offline when it did not leave.
    pub(crate) async fn tell(
        &self,
        topic: &str,
        payload: Vec<u8>,
        within: Duration,
    ) -> Result<(), Error> {
        self.send(message(topic, payload, Qos::AtMostOnce), within).await
    }

    /// Sends what must arrive, and returns when the broker has it.
    ///
    /// # Errors
    /// As [`Lamps::tell`].
    pub(crate) async fn tell_surely(
        &self,
        topic: &str,
        payload: Vec<u8>,
        within: Duration,
    ) -> Result<(), Error> {
        self.send(message(topic, payload, Qos::AtLeastOnce), within).await
    }

    /// Whether the broker answers at all.
    pub(crate) async fn is_answering(&self, within: Duration) -> bool {
        let topic = format!("{}/lamps", own_probes());
        self.tell_surely(&topic, Vec::new(), within).await.is_ok()
    }

    async fn send(&self, message: Publish, within: Duration) -> Result<(), Error> {
        may_see(&self.caller)?;
        self.mqtt.may_publish(&self.caller, &message)?;
        match self.session.publish_now(message, within).await? {
            Outcome::Written { .. } => Ok(()),
            Outcome::NotSent(why) | Outcome::Unknown(why) => Err(Error::offline(why)),
        }
    }
}

fn message(topic: &str, payload: Vec<u8>, qos: Qos) -> Publish {
    Publish { topic: topic.to_owned(), payload, qos, retain: false, properties: None }
}
