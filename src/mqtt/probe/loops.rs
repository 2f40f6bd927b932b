//! Messages there and back, timed.

use crate::error::Error;
use crate::mqtt::Mqtt;
use crate::mqtt::message::{Outcome, Qos};
use crate::mqtt::probe::{Probe, nonce, own_probes, probe};
use crate::mqtt::session::Session;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Milliseconds of several tries.
#[derive(Clone, Debug, PartialEq, Serialize, crate::config::JsonSchema)]
pub(crate) struct Times {
    pub(crate) min_ms: f64,
    pub(crate) median_ms: f64,
    pub(crate) max_ms: f64,
}

impl Times {
    /// Returns `None` for nothing.
    pub(crate) fn of(mut all: Vec<Duration>) -> Option<Times> {
        all.sort_unstable();
        let ms = |time: &Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
        let median = all.get(all.len() / 2).map(ms)?;
        Some(Times { min_ms: all.first().map(ms)?, median_ms: median, max_ms: all.last().map(ms)? })
    }
}

/// What came of the messages of one QoS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loop {
    pub(crate) sent: usize,
    /// Sent, and arrived.
    pub(crate) round_trips: Vec<Duration>,
    /// Sent, and acknowledged by the broker; QoS 1 and 2.
    pub(crate) acknowledged: Vec<Duration>,
    /// Why one did not get through, if any.
    pub(crate) problem: Option<String>,
}

/// Sends `many` messages of each QoS to itself over one connection, one after the other, and returns the
/// connection and what came of them.
///
/// # Errors
/// Offline when there is no connection, or it is lost meanwhile.
pub(crate) async fn loops(
    mqtt: &Mqtt,
    session: &Session,
    many: usize,
    time: Duration,
) -> Result<(Probe, [Loop; 3]), Error> {
    let topic = format!("{}/{}", own_probes(), nonce()?);
    let filters = vec![(topic.clone(), Qos::ExactlyOnce)];
    let mut connection = Probe::open(mqtt, session, filters).await?;
    let mut all: [Loop; 3] = Default::default();
    if let Some(Err(why)) = connection.granted.first() {
        let problem = format!("cannot listen below {}: {why}", own_probes());
        all.iter_mut().for_each(|each| each.problem = Some(problem.clone()));
        return Ok((connection, all));
    }
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let each = &mut all[usize::from(qos.number())];
        for _ in 0..many {
            if let Err(problem) = once(&mut connection, &topic, qos, time, each).await? {
                each.problem = Some(problem);
                break;
            }
        }
    }
    Ok((connection, all))
}

/// Sends one; the inner error says why it did not get through.
async fn once(
    connection: &mut Probe,
    topic: &str,
    qos: Qos,
    time: Duration,
    each: &mut Loop,
) -> Result<Result<(), String>, Error> {
    let payload = nonce()?.into_bytes();
    let began = Instant::now();
    each.sent += 1;
    // The answer to a message may be read after the message itself: both are timed on their own.
    let outcome = connection.publish(probe(topic, payload.clone(), qos), time).await;
    let acknowledged = began.elapsed();
    match outcome {
        Outcome::Written { .. } if qos == Qos::AtMostOnce => {}
        Outcome::Written { .. } => each.acknowledged.push(acknowledged),
        Outcome::NotSent(why) => return Ok(Err(format!("not sent: {why}"))),
        Outcome::Unknown(why) => return Ok(Err(format!("not acknowledged: {why}"))),
    }
    loop {
        let left = time.saturating_sub(began.elapsed());
        match connection.next(left).await? {
            Some(caught) if caught.payload == payload => {
                each.round_trips.push(caught.at.saturating_duration_since(began));
                return Ok(Ok(()));
            }
            // One of an earlier try that came late.
            Some(_) => {}
            None => return Ok(Err("it did not come back: is this user allowed to?".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_milliseconds() {
        let all = [30, 10, 20].map(Duration::from_millis).to_vec();
        let told = Times { min_ms: 10.0, median_ms: 20.0, max_ms: 30.0 };
        assert_eq!(Times::of(all), Some(told));
        assert_eq!(Times::of(Vec::new()), None);
    }
}
