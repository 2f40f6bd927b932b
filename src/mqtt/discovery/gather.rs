//! Takes out of an inbox what discovery needs, holding it as shortly as can be.

use crate::mqtt::discovery::device::{Device, Said};
use crate::mqtt::discovery::lights::{MqttLight, lights};
use crate::mqtt::discovery::stand::{Heard, settle};
use crate::mqtt::discovery::{discover, sparkplug, wants};
use crate::mqtt::inbox::Inbox;
use crate::mqtt::session::Session;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What is on a broker.
pub(crate) struct Found {
    pub(crate) devices: Vec<Device>,
    /// What announces them: the newest message of each topic.
    pub(crate) announced: Vec<Said>,
    /// So many topics announce something in a message that was skipped for its size.
    pub(crate) too_large: usize,
}

/// Finds the devices of a session, and how they stand.
pub(crate) fn gather(session: &Session, prefix: &str) -> Found {
    let (announced, stream, too_large) = {
        let inbox = session.inbox();
        let (announced, too_large) = announced(&inbox, prefix);
        let is_sparkplug = |topic: &str| topic.starts_with("spBv1.0/");
        let has_sparkplug = announced.iter().any(|said| is_sparkplug(&said.topic));
        let stream = match has_sparkplug {
            true => stream(&inbox),
            false => Vec::new(),
        };
        (announced, stream, too_large)
    };
    let mut devices = discover(prefix, &announced, &stream);
    let heard = {
        let inbox = session.inbox();
        heard(&inbox, &devices)
    };
    for device in &mut devices {
        settle(device, &|topic| heard.get(topic).cloned());
    }
    Found { devices, announced, too_large }
}

/// Finds the lights of a session that take JSON.
pub(crate) fn announced_lights(session: &Session, prefix: &str) -> Vec<MqttLight> {
    let announced = announced(&session.inbox(), prefix).0;
    lights(prefix, &announced)
}

fn announced(inbox: &Inbox, prefix: &str) -> (Vec<Said>, usize) {
    let (mut all, mut too_large) = (Vec::new(), 0);
    for (name, topic) in inbox.topics().iter().filter(|(name, _)| wants(prefix, name)) {
        match &topic.payload {
            Some(payload) if !payload.is_empty() => {
                all.push(Said { topic: name.clone(), payload: payload.clone(), at: topic.last });
            }
            Some(_) => {}
            None => too_large += 1,
        }
    }
    (all, too_large)
}

/// The messages of Sparkplug that are kept, in the order of their arrival.
fn stream(inbox: &Inbox) -> Vec<Said> {
    let kept = inbox.ring().iter().filter(|kept| sparkplug::topic(&kept.topic).is_some());
    kept.filter_map(|kept| {
        Some(Said { topic: kept.topic.clone(), payload: kept.payload.clone()?, at: kept.at })
    })
    .collect()
}

/// What was heard on the topics of the devices: the newest message of each, and since when those of
/// availability say what they say.
fn heard(inbox: &Inbox, devices: &[Device]) -> HashMap<Arc<str>, Heard> {
    let mut known = HashMap::new();
    let topics = inbox.topics();
    let mut signals: BTreeSet<&str> = BTreeSet::new();
    for device in devices {
        let availability = device.availability_topics();
        signals.extend(&availability);
        for name in device.state_topics().into_iter().chain(availability) {
            let Some(topic) = topics.get(name) else { continue };
            let heard = Heard {
                payload: topic.payload.clone(),
                at: topic.last,
                since: topic.last,
                or_before: topic.count > 1 || topic.retained_count > 0,
                live: (topic.count > topic.retained_count).then_some(topic.last),
            };
            known.insert(Arc::<str>::from(name), heard);
        }
    }
    runs(inbox, &signals, &mut known);
    known
}

/// Finds in the ring when each topic began to say what it says.
fn runs(inbox: &Inbox, signals: &BTreeSet<&str>, known: &mut HashMap<Arc<str>, Heard>) {
    struct Run {
        payload: Arc<[u8]>,
        since: i64,
        is_change: bool,
    }
    let mut runs: HashMap<Arc<str>, Run> = HashMap::new();
    for kept in inbox.ring().iter().filter(|kept| signals.contains(&*kept.topic)) {
        let Some(payload) = &kept.payload else { continue };
        let is_change = match runs.get(&kept.topic) {
            Some(run) if run.payload == *payload => continue,
            Some(_) => true,
            // The first that is heard is a change when nobody can have said anything before.
            None => !kept.retained && topics_first(inbox, &kept.topic) == Some(kept.at),
        };
        let run = Run { payload: payload.clone(), since: kept.at, is_change };
        runs.insert(kept.topic.clone(), run);
    }
    for (topic, run) in runs {
        if let Some(heard) = known.get_mut(&topic)
            && heard.payload.as_ref() == Some(&run.payload)
        {
            (heard.since, heard.or_before) = (run.since, !run.is_change);
        }
    }
}

fn topics_first(inbox: &Inbox, name: &str) -> Option<i64> {
    inbox.topics().get(name).map(|topic| topic.first)
}
