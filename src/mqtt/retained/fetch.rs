//! Asks a broker what it keeps, over a connection of its own.

use crate::error::Error;
use crate::mqtt::Mqtt;
use crate::mqtt::config::Target;
use crate::mqtt::link::{Happening, Link, Listener, Options};
use crate::mqtt::message::{Arrived, Outcome, Payload, Properties, Publish, Qos};
use crate::mqtt::probe::own_probes;
use crate::mqtt::session::Session;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// More messages than this are not cleared at once. A broker as it comes queues no more than 1,000 for
/// one client, and drops what is beyond without a word.
pub(crate) const MOST: usize = 500;
/// Nor more bytes.
const BYTES: usize = 32 << 20;

/// A message that the broker keeps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Held {
    pub(crate) topic: String,
    /// `None` when it is larger than `mqtt.max_packet_bytes`.
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) size: u64,
    pub(crate) qos: Qos,
    pub(crate) properties: Option<Properties>,
}

/// What was heard so far.
#[derive(Default)]
struct Bag {
    held: BTreeMap<String, Held>,
    bytes: usize,
    is_full: bool,
}

impl Bag {
    fn take(&mut self, arrived: &Arrived<'_>) {
        let (payload, size) = match arrived.payload {
            Payload::Whole(bytes) => (Some(bytes.to_vec()), bytes.len() as u64),
            Payload::TooLarge(size) => (None, size),
        };
        let bytes = arrived.topic.len() + payload.as_ref().map_or(0, Vec::len);
        if self.held.len() >= MOST || self.bytes + bytes > BYTES {
            self.is_full = true;
            return;
        }
        self.bytes += bytes;
        let held = Held {
            topic: arrived.topic.to_owned(),
            payload,
            size,
            qos: arrived.qos,
            properties: arrived.properties.cloned(),
        };
        self.held.insert(arrived.topic.to_owned(), held);
    }
}

enum Sign {
    Granted(Vec<Result<Qos, String>>),
    /// Our own message came: what the broker kept has come before it.
    End,
    Lost(String),
}

struct Ear {
    bag: Arc<Mutex<Bag>>,
    signs: mpsc::UnboundedSender<Sign>,
    end: String,
}

impl Listener for Ear {
    fn happened(&mut self, happening: Happening<'_>) {
        let sign = match happening {
            Happening::Granted(granted) => Sign::Granted(granted),
            Happening::Arrived(arrived) if arrived.topic == self.end => Sign::End,
            Happening::Arrived(arrived) => {
                if arrived.retained && !is_empty(&arrived) {
                    self.bag.lock().unwrap_or_else(PoisonError::into_inner).take(&arrived);
                }
                return;
            }
            Happening::Lost { why, .. } => Sign::Lost(why),
            Happening::Connected(_) | Happening::NoText => return,
        };
        // Who asked may have gone.
        let _ = self.signs.send(sign);
    }
}

fn is_empty(arrived: &Arrived<'_>) -> bool {
    matches!(arrived.payload, Payload::Whole([]))
}

/// Returns the messages that the broker keeps on `filters`, in the order of their topics. With `qos` 2
/// each says the QoS that it was published with; a list alone is surer with 0, which brokers do not
/// queue.
///
/// # Errors
/// Limit when there are more than [`MOST`], Refused when the broker does not let us subscribe, Offline,
/// Timeout.
pub(crate) async fn fetch(
    mqtt: &Mqtt,
    session: &Session,
    filters: &[String],
    qos: Qos,
) -> Result<Vec<Held>, Error> {
    let random = crate::policy::random_token()?;
    let end = format!("{}/{}", own_probes(), &random[..16]);
    let mut wanted: Vec<(String, Qos)> = filters.iter().map(|f| (f.clone(), qos)).collect();
    wanted.push((end.clone(), qos));
    let options = Options { filters: wanted, ..session.options(&mqtt.shared.config) };
    let target = Target { client_id: String::new(), ..session.target.clone() };
    let time = options.connect + Duration::from_secs(mqtt.shared.config.timeout_seconds);
    let bag = Arc::new(Mutex::new(Bag::default()));
    let (signs, mut heard) = mpsc::unbounded_channel();
    let ear = Ear { bag: bag.clone(), signs, end: end.clone() };
    let link = Ending(Link::open(target, options, ear, &mqtt.shared.tasks));
    let all = complete(&link.0, &mut heard, filters, &end, time);
    let done = tokio::time::timeout(time, all).await;
    done.map_err(|_| Error::timeout("the broker did not say in time what it keeps"))??;
    let mut bag = bag.lock().unwrap_or_else(PoisonError::into_inner);
    if bag.is_full {
        return Err(Error::limit(format!(
            "the broker keeps more than {MOST} messages or {} MB there: name narrower filters, and clear \
             them part by part",
            BYTES >> 20
        )));
    }
    Ok(std::mem::take(&mut bag.held).into_values().collect())
}

/// Waits until everything that is kept has come: a broker sends it when it grants the subscription, so
/// that a message of ours that is sent after that comes last.
async fn complete(
    link: &Link,
    heard: &mut mpsc::UnboundedReceiver<Sign>,
    filters: &[String],
    end: &str,
    time: Duration,
) -> Result<(), Error> {
    loop {
        match heard.recv().await {
            Some(Sign::Granted(granted)) => {
                let refused = granted.iter().zip(filters).find_map(|(granted, filter)| {
                    let why = granted.as_ref().err()?;
                    Some(format!("'{}' is not heard: {why}", filter.escape_debug()))
                });
                if let Some(why) = refused {
                    return Err(Error::refused(why));
                }
                let last = Publish {
                    topic: end.to_owned(),
                    payload: b"end".to_vec(),
                    qos: Qos::AtLeastOnce,
                    retain: false,
                    properties: None,
                };
                match link.publish(last, time).await {
                    Outcome::Written { .. } => {}
                    Outcome::NotSent(why) | Outcome::Unknown(why) => {
                        return Err(Error::offline(why));
                    }
                }
            }
            Some(Sign::End) => return Ok(()),
            Some(Sign::Lost(why)) => return Err(Error::offline(why)),
            None => return Err(Error::offline("the connection was closed")),
        }
    }
}

/// A link that ends with the value.
struct Ending(Link);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
    }
}
