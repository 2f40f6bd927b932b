//! Whether a device is there, since when, and when it was heard last. Pure.

use crate::mqtt::discovery::device::{Availability, Device, Mode, Signal, Stand};
use crate::mqtt::discovery::path;
use std::sync::Arc;

/// What was heard on a topic.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The newest payload; `None` when it was skipped for its size.
    pub(crate) payload: Option<Arc<[u8]>>,
    /// When the newest message arrived, in microseconds since 1970.
    pub(crate) at: i64,
    /// When the payload was heard for the first time without another after it.
    pub(crate) since: i64,
    /// Whether it may have been the same for longer.
    pub(crate) or_before: bool,
    /// When the newest message came that was not one that the broker had kept.
    pub(crate) live: Option<i64>,
}

/// Finds out how a device stands.
pub(super) fn settle(device: &mut Device, look: &impl Fn(&str) -> Option<Heard>) {
    let stands: Vec<Stand> = device.availability.iter().map(|a| judge(a, look)).collect();
    let with = |online| stands.iter().find(|stand| stand.online == Some(online));
    // One way in which it is there is enough: the others are parts of it.
    device.stand = with(true).or(with(false)).copied().unwrap_or_default();
    let topics = device.state_topics();
    let heard = topics.iter().filter_map(|topic| look(topic));
    device.seen = heard.filter_map(|heard| heard.live.max(said_seen(&heard))).max();
}

/// Zigbee2MQTT can write into a state when it heard the device, which tells more than a message that
/// the broker had kept. Milliseconds since 1970, or seconds.
fn said_seen(heard: &Heard) -> Option<i64> {
    let payload = heard.payload.as_deref()?;
    let word = path::pick(payload, &["last_seen".to_owned()])?;
    let number: i64 = word.parse().ok().filter(|n| *n > 0)?;
    let micros = if number > 100_000_000_000 { number * 1000 } else { number * 1_000_000 };
    // A clock that is wrong says nothing.
    (micros <= heard.at + 60_000_000).then_some(micros)
}

fn judge(availability: &Availability, look: &impl Fn(&str) -> Option<Heard>) -> Stand {
    let (mode, signals) = match availability {
        Availability::Known { online, at } => {
            return Stand { online: Some(*online), since: Some(*at), or_before: false };
        }
        Availability::Signals { mode, signals } => (*mode, signals),
    };
    let words: Vec<(Option<bool>, Option<Heard>)> = signals
        .iter()
        .map(|signal| {
            let heard = look(&signal.topic);
            (heard.as_ref().and_then(|heard| word(signal, heard)), heard)
        })
        .collect();
    let newest = words.iter().filter(|(word, _)| word.is_some());
    let newest = newest.max_by_key(|(_, heard)| heard.as_ref().map(|heard| heard.at));
    let any = |wanted: bool| words.iter().any(|(word, _)| *word == Some(wanted));
    let all = |wanted: bool| words.iter().all(|(word, _)| *word == Some(wanted));
    let online = match mode {
        Mode::All if any(false) => Some(false),
        Mode::All => all(true).then_some(true),
        Mode::Any if any(true) => Some(true),
        Mode::Any => all(false).then_some(false),
        Mode::Latest => newest.and_then(|(word, _)| *word),
    };
    // It became so with the last of those that had to, or with the first of those of which one is enough.
    let those = words.iter().filter(|(word, _)| online.is_some() && *word == online);
    let those = those.filter_map(|(_, heard)| heard.as_ref());
    let decisive = match (mode, online) {
        (Mode::Latest, _) => newest.and_then(|(_, heard)| heard.as_ref()),
        (Mode::All, Some(true)) | (Mode::Any, Some(false)) => those.max_by_key(|heard| heard.since),
        _ => those.min_by_key(|heard| heard.since),
    };
    Stand {
        online,
        since: online.and(decisive).map(|heard| heard.since),
        or_before: decisive.is_some_and(|heard| heard.or_before),
    }
}

fn word(signal: &Signal, heard: &Heard) -> Option<bool> {
    let payload = heard.payload.as_deref().filter(|_| signal.is_plain)?;
    // Zigbee2MQTT has said the plain word before it said JSON.
    let word = path::pick(payload, &signal.path).or_else(|| path::pick(payload, &[]))?;
    match word.as_str() {
        word if word == signal.online => Some(true),
        word if word == signal.offline => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(payload: &str, since: i64) -> Heard {
        let payload: Arc<[u8]> = payload.as_bytes().into();
        Heard { payload: Some(payload), at: since, since, or_before: false, live: Some(since) }
    }

    fn signal(topic: &str) -> Signal {
        Signal {
            topic: topic.into(),
            online: "online".into(),
            offline: "offline".into(),
            path: vec!["state".into()],
            is_plain: true,
        }
    }

    #[test]
    fn several_signals_go_together_as_their_mode_says() {
        let look = |topic: &str| match topic {
            "up" => Some(heard(r#"{"state":"online"}"#, 5)),
            "down" => Some(heard("offline", 7)),
            "odd" => Some(heard("perhaps", 9)),
            _ => None,
        };
        for (mode, topics, online, since) in [
            (Mode::All, &["up", "down"][..], Some(false), Some(7)),
            (Mode::All, &["up", "none"], None, None),
            (Mode::All, &["up"], Some(true), Some(5)),
            (Mode::Any, &["up", "down"], Some(true), Some(5)),
            (Mode::Any, &["down", "none"], None, None),
            (Mode::Latest, &["up", "down", "odd"], Some(false), Some(7)),
            (Mode::Latest, &["none"], None, None),
        ] {
            let signals = topics.iter().map(|topic| signal(topic)).collect();
            let stand = judge(&Availability::Signals { mode, signals }, &look);
            assert_eq!((stand.online, stand.since), (online, since), "{mode:?} {topics:?}");
        }
        let unclear = Signal { is_plain: false, ..signal("up") };
        let stand =
            judge(&Availability::Signals { mode: Mode::Any, signals: vec![unclear] }, &look);
        assert_eq!(stand.online, None);
    }

    #[test]
    fn when_a_device_was_heard_is_not_when_the_broker_repeated_it() {
        let mut device = Device { state: ["a".into()].into(), ..Device::default() };
        let kept = Heard { live: None, at: 1_700_000_100_000_000, ..heard("{}", 0) };
        settle(&mut device, &|_| Some(kept.clone()));
        assert_eq!(device.seen, None);
        let payload: Arc<[u8]> = br#"{"last_seen": 1700000000000}"#[..].into();
        settle(&mut device, &|_| Some(Heard { payload: Some(payload.clone()), ..kept.clone() }));
        assert_eq!(device.seen, Some(1_700_000_000_000_000));
    }
}
