//! A connection of its own, for one question to a broker: does it answer, how fast, what can it do.
//!
//! It says who it is as its session does, under a client id that nobody else has, and hears only what
//! it asked for. What it sends goes below [`PROBES`] and is never retained, so that it may be sent on
//! brokers to which nothing else is published.

mod able;
mod loops;

pub(crate) use able::{Ability, look};
pub(crate) use loops::{Loop, Times, loops};

use crate::error::Error;
use crate::mqtt::Mqtt;
use crate::mqtt::config::{Target, Version};
use crate::mqtt::gate::PROBES;
use crate::mqtt::link::{Happening, Link, Listener, Options, Welcome};
use crate::mqtt::message::{Outcome, Payload, Properties, Publish, Qos};
use crate::mqtt::session::Session;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What is heard and not yet looked at.
const WAITING: usize = 256;

/// Below this only this process sends: who keeps messages leaves these out.
pub(crate) fn own_probes() -> &'static str {
    static OWN: OnceLock<String> = OnceLock::new();
    OWN.get_or_init(|| {
        let random = crate::policy::random_token().unwrap_or_default();
        format!("{PROBES}{}", &random[..random.len().min(12)])
    })
}

/// A message that was heard.
#[derive(Debug)]
pub(crate) struct Caught {
    pub(crate) payload: Vec<u8>,
    /// Bytes of the payload, also when it was too large to be read.
    pub(crate) size: u64,
    pub(crate) qos: Qos,
    pub(crate) retained: bool,
    pub(crate) properties: Option<Properties>,
    pub(crate) at: Instant,
}

#[derive(Debug)]
enum Said {
    Welcome(Welcome),
    Granted(Vec<Result<Qos, String>>),
    Caught(Caught),
    Lost(String),
}

/// A connection of its own. It ends with the value.
pub(crate) struct Probe {
    link: Link,
    said: mpsc::Receiver<Said>,
    pub(crate) welcome: Welcome,
    /// What became of each filter.
    pub(crate) granted: Vec<Result<Qos, String>>,
    /// How long it took until the broker let us in.
    pub(crate) connected_in: Duration,
}

struct Ear(mpsc::Sender<Said>);

impl Listener for Ear {
    fn happened(&mut self, happening: Happening<'_>) {
        let said = match happening {
            Happening::Connected(welcome) => Said::Welcome(welcome),
            Happening::Granted(granted) => Said::Granted(granted),
            Happening::Lost { why, .. } => Said::Lost(why),
            Happening::NoText => return,
            Happening::Arrived(arrived) => {
                let (payload, size) = match arrived.payload {
                    Payload::Whole(bytes) => (bytes.to_vec(), bytes.len() as u64),
                    Payload::TooLarge(size) => (Vec::new(), size),
                };
                Said::Caught(Caught {
                    payload,
                    size,
                    qos: arrived.qos,
                    retained: arrived.retained,
                    properties: arrived.properties.cloned(),
                    at: Instant::now(),
                })
            }
        };
        // More than anybody asked for is not waited for.
        let _ = self.0.try_send(said);
    }
}

impl Probe {
    /// Connects as `session` does, to `filters` alone.
    ///
    /// # Errors
    /// Offline: says why there is no connection, Timeout when the broker says nothing.
    pub(crate) async fn open(
        mqtt: &Mqtt,
        session: &Session,
        filters: Vec<(String, Qos)>,
    ) -> Result<Probe, Error> {
        let target = Target { client_id: String::new(), ..session.target.clone() };
        Probe::to(mqtt, session, target, filters).await
    }

    /// Connects to `target` in the ways that `session` may.
    pub(crate) async fn to(
        mqtt: &Mqtt,
        session: &Session,
        target: Target,
        filters: Vec<(String, Qos)>,
    ) -> Result<Probe, Error> {
        let (tell, said) = mpsc::channel(WAITING);
        let options = Options { filters, ..session.options(&mqtt.shared.config) };
        let (connect, began) = (options.connect, Instant::now());
        let link = Link::open(target, options, Ear(tell), &mqtt.shared.tasks);
        let (welcome, granted, connected_in) = (Welcome::default(), Vec::new(), Duration::ZERO);
        let mut probe = Probe { link, said, welcome, granted, connected_in };
        let greeted = tokio::time::timeout(connect * 2, probe.greeted(began)).await;
        greeted.map_err(|_| Error::timeout("the broker did not answer a SUBSCRIBE"))??;
        Ok(probe)
    }

    async fn greeted(&mut self, began: Instant) -> Result<(), Error> {
        loop {
            match self.said.recv().await {
                Some(Said::Welcome(welcome)) => {
                    self.welcome = welcome;
                    self.connected_in = began.elapsed();
                }
                Some(Said::Granted(granted)) => {
                    self.granted = granted;
                    return Ok(());
                }
                Some(Said::Caught(_)) => {}
                Some(Said::Lost(why)) => return Err(Error::offline(why)),
                None => return Err(Error::offline("the connection was closed")),
            }
        }
    }

    /// Which version is spoken.
    pub(crate) fn version(&self) -> Version {
        self.welcome.version
    }

    /// Sends.
    pub(crate) async fn publish(&self, message: Publish, time: Duration) -> Outcome {
        self.link.publish(message, time).await
    }

    /// Returns the next message, within `time`; `Ok(None)` when there is none.
    ///
    /// # Errors
    /// Offline when the connection is lost meanwhile.
    pub(crate) async fn next(&mut self, time: Duration) -> Result<Option<Caught>, Error> {
        let next = async {
            loop {
                match self.said.recv().await {
                    Some(Said::Caught(caught)) => return Ok(caught),
                    Some(Said::Lost(why)) => return Err(Error::offline(why)),
                    Some(Said::Welcome(_) | Said::Granted(_)) => {}
                    None => return Err(Error::offline("the connection was closed")),
                }
            }
        };
        match tokio::time::timeout(time, next).await {
            Ok(caught) => caught.map(Some),
            Err(_) => Ok(None),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.link.close();
    }
}

/// Makes a message of a probe.
fn probe(topic: &str, payload: Vec<u8>, qos: Qos) -> Publish {
    Publish { topic: topic.to_owned(), payload, qos, retain: false, properties: None }
}

/// A text that nothing else says.
fn nonce() -> Result<String, Error> {
    Ok(crate::policy::random_token()?[..16].to_owned())
}
