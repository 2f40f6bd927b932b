//! What a broker can do: what it says of itself (MQTT 5), and what trying shows.

use crate::error::Error;
use crate::mqtt::Mqtt;
use crate::mqtt::config::Target;
use crate::mqtt::link::Welcome;
use crate::mqtt::message::{Outcome, Qos};
use crate::mqtt::probe::{Probe, nonce, own_probes, probe};
use crate::mqtt::session::Session;
use std::time::Duration;

/// Payloads that are tried, in bytes, as far as the owner lets us receive them.
const SIZES: [usize; 4] = [1 << 10, 64 << 10, 256 << 10, 1 << 20];

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ability {
    pub(crate) welcome: Welcome,
    /// Whether a filter with a wildcard is granted, and one that is shared; why not.
    pub(crate) wildcard: Option<Result<(), String>>,
    pub(crate) shared: Option<Result<(), String>>,
    /// The QoS that a subscription of QoS 2 is granted.
    pub(crate) granted_qos: Option<u8>,
    /// The largest QoS with which a message came back.
    pub(crate) delivered_qos: Option<u8>,
    /// The largest payload that came back, in bytes.
    pub(crate) delivered_bytes: Option<usize>,
    /// The smallest that did not, and why.
    pub(crate) refused_bytes: Option<(usize, String)>,
    /// Whether a client without user and password is let in; `None` when that is how we came in.
    pub(crate) lets_anybody_in: Option<bool>,
}

/// Tries a broker.
///
/// # Errors
/// Offline when there is no connection.
pub(crate) async fn look(mqtt: &Mqtt, session: &Session, time: Duration) -> Result<Ability, Error> {
    let base = format!("{}/{}", own_probes(), nonce()?);
    let plain = format!("{base}/plain");
    let mut connection =
        Probe::open(mqtt, session, vec![(plain.clone(), Qos::ExactlyOnce)]).await?;
    let granted = connection.granted.first().and_then(|granted| granted.as_ref().ok());
    let mut found = Ability {
        welcome: connection.welcome.clone(),
        granted_qos: granted.map(|qos| qos.number()),
        ..Ability::default()
    };
    if granted.is_some() {
        levels(&mut connection, &plain, time, &mut found).await?;
        sizes(&mut connection, &plain, time, mqtt.shared.config.max_packet_bytes, &mut found)
            .await?;
    }
    drop(connection);
    let limits = found.welcome.limits.clone();
    if limits.wildcard_subscriptions != Some(false) {
        found.wildcard = Some(subscribe(mqtt, session, format!("{base}/+/#")).await);
    }
    if limits.shared_subscriptions != Some(false) {
        found.shared = Some(subscribe(mqtt, session, format!("$share/hearth/{base}/s")).await);
    }
    if !session.target.username.is_empty() {
        let nobody = Target {
            username: String::new(),
            password: Default::default(),
            client_id: String::new(),
            ..session.target.clone()
        };
        let tried = Probe::to(mqtt, session, nobody, vec![(plain, Qos::AtMostOnce)]).await;
        found.lets_anybody_in = Some(tried.is_ok());
    }
    Ok(found)
}

/// Subscribes over a connection of its own: some brokers end the connection instead of refusing.
async fn subscribe(mqtt: &Mqtt, session: &Session, filter: String) -> Result<(), String> {
    match Probe::open(mqtt, session, vec![(filter, Qos::AtMostOnce)]).await {
        Ok(mut connection) => match connection.granted.pop() {
            Some(Err(why)) => Err(why),
            _ => Ok(()),
        },
        Err(e) => Err(e.to_string()),
    }
}

async fn levels(
    connection: &mut Probe,
    topic: &str,
    time: Duration,
    found: &mut Ability,
) -> Result<(), Error> {
    // More than it grants when we listen some brokers do not take from us either, and hang up.
    let all = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];
    for qos in all.into_iter().filter(|qos| Some(qos.number()) <= found.granted_qos) {
        match back(connection, topic, vec![b'x'; 16], qos, time).await? {
            Ok(got) => found.delivered_qos = found.delivered_qos.max(Some(got.number())),
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

async fn sizes(
    connection: &mut Probe,
    topic: &str,
    time: Duration,
    most: u64,
    found: &mut Ability,
) -> Result<(), Error> {
    for size in SIZES.into_iter().filter(|size| *size as u64 + 1024 <= most) {
        let qos = if found.granted_qos > Some(0) { Qos::AtLeastOnce } else { Qos::AtMostOnce };
        match back(connection, topic, vec![b'x'; size], qos, time).await {
            Ok(Ok(_)) => found.delivered_bytes = Some(size),
            Ok(Err(why)) => {
                found.refused_bytes = Some((size, why));
                return Ok(());
            }
            // Some brokers end the connection over it.
            Err(e) => {
                found.refused_bytes = Some((size, e.to_string()));
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Sends a message and waits for it; returns the QoS with which it came, or why it did not.
async fn back(
    connection: &mut Probe,
    topic: &str,
    payload: Vec<u8>,
    qos: Qos,
    time: Duration,
) -> Result<Result<Qos, String>, Error> {
    let size = payload.len() as u64;
    match connection.publish(probe(topic, payload, qos), time).await {
        Outcome::Written { .. } => {}
        Outcome::NotSent(why) | Outcome::Unknown(why) => return Ok(Err(why)),
    }
    loop {
        match connection.next(time).await? {
            Some(caught) if caught.size == size => return Ok(Ok(caught.qos)),
            Some(_) => {}
            None => return Ok(Err("it did not come back".into())),
        }
    }
}
