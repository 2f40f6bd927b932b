//! What may be published by tools and the page. Pure.
//!
//! Everything that an assistant or a person publishes through Hearth is asked here first. Exempt are what
//! the owner set up: the demo house on its own broker; it sends with
//! [`Session::publish`](crate::mqtt::session::Session::publish).

use crate::error::Error;
use crate::mqtt::config::Config;
use crate::mqtt::filter::{self, Filter};
use crate::mqtt::message::Publish;

/// Our own probes go here: below it nobody else sends or listens, and nothing is ever kept.
pub(crate) const PROBES: &str = "hearth/probe/";

/// Topics that configure or command the devices of a bridge, beyond one device's own `set`.
const CONTROL: [&str; 6] = [
    "homeassistant/#",
    "zigbee2mqtt/bridge/request/#",
    "cmnd/#",
    "tasmota/+/cmnd/#",
    "shellies/command",
    "shellies/+/command",
];

/// The rules of `[mqtt]`, read once.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    is_read_only: bool,
    allow: Vec<Filter>,
    deny: Vec<Filter>,
    allows_retained: bool,
    allows_control: bool,
    /// Bytes of topic and payload together.
    most: u64,
}

impl Gate {
    /// Reads the rules.
    ///
    /// # Errors
    /// Invalid: names the filter that is none.
    pub(crate) fn new(config: &Config) -> Result<Gate, Error> {
        let read = |list: &[String], key: &str| {
            let each = list.iter().map(|text| Filter::read(text).map_err(|e| e.at(key)));
            each.collect::<Result<Vec<_>, _>>()
        };
        Ok(Gate {
            is_read_only: config.read_only,
            allow: read(&config.allow_topics, "mqtt.allow_topics")?,
            deny: read(&config.deny_topics, "mqtt.deny_topics")?,
            allows_retained: config.allow_retained,
            allows_control: config.allow_control,
            most: config.max_packet_bytes,
        })
    }

    /// Says whether a message may be published.
    ///
    /// # Errors
    /// Invalid for what is no topic, Refused with the setting that forbids it, Limit for its size.
    pub(crate) fn check(&self, message: &Publish) -> Result<(), Error> {
        let Publish { topic, payload, .. } = message;
        filter::check_topic(topic)?;
        if topic.starts_with('$') {
            return Err(Error::invalid(
                "topics that begin with $ belong to the broker: nothing is published there",
            ));
        }
        let size = (topic.len() + payload.len()) as u64;
        if size > self.most {
            return Err(Error::limit(format!(
                "the message has {size} bytes; {} are allowed (mqtt.max_packet_bytes)",
                self.most
            )));
        }
        if topic.starts_with(PROBES) && !message.retain {
            return Ok(());
        }
        let refused = |why: String| Err(Error::refused(why));
        if self.is_read_only {
            return refused(
                "nothing is published: Hearth only reads MQTT until the owner sets \
                 mqtt.read_only = false"
                    .into(),
            );
        }
        if let Some(rule) = self.deny.iter().find(|rule| rule.matches(topic)) {
            let rule = rule.as_str().escape_debug();
            return refused(format!("the owner denies this topic (mqtt.deny_topics has '{rule}')"));
        }
        if !self.allow.iter().any(|rule| rule.matches(topic)) {
            return refused("the owner does not allow this topic (mqtt.allow_topics)".into());
        }
        if message.retain && !self.allows_retained {
            return refused(
                "retained messages outlive everything and are not allowed (mqtt.allow_retained); \
                 publish it with retain false"
                    .into(),
            );
        }
        let control = CONTROL.iter().find(|rule| filter::matches(rule, topic));
        if let Some(rule) = control.filter(|_| !self.allows_control) {
            return refused(format!(
                "topics like '{rule}' configure or command devices past Home Assistant and are not \
                 allowed (mqtt.allow_control)"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::mqtt::message::Qos;

    fn message(topic: &str, retain: bool, size: usize) -> Publish {
        let (topic, payload) = (topic.to_owned(), vec![b'x'; size]);
        Publish { topic, payload, qos: Qos::AtMostOnce, retain, properties: None }
    }

    fn open() -> Config {
        Config { read_only: false, ..Config::default() }
    }

    fn told(config: &Config, topic: &str, retain: bool) -> String {
        match Gate::new(config).unwrap().check(&message(topic, retain, 3)) {
            Ok(()) => "yes".into(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn nothing_but_probes_is_published_until_the_owner_says_so() {
        let shut = Config::default();
        assert!(told(&shut, "a/b", false).contains("mqtt.read_only"));
        assert_eq!(told(&shut, "hearth/probe/12ab", false), "yes");
        assert!(told(&shut, "hearth/probe/12ab", true).contains("mqtt.read_only"));
        assert!(told(&shut, "hearth/probes", false).contains("mqtt.read_only"));
        assert_eq!(told(&open(), "a/b", false), "yes");
    }

    #[test]
    fn lists_allow_and_deny_and_denying_wins() {
        let lists = |allow: &[&str], deny: &[&str]| Config {
            allow_topics: allow.iter().map(|s| (*s).to_owned()).collect(),
            deny_topics: deny.iter().map(|s| (*s).to_owned()).collect(),
            ..open()
        };
        let config = lists(&["lamps/#", "plugs/+/set"], &["lamps/porch/#"]);
        assert_eq!(told(&config, "lamps/kitchen", false), "yes");
        assert_eq!(told(&config, "plugs/tv/set", false), "yes");
        assert!(told(&config, "plugs/tv/get", false).contains("mqtt.allow_topics"));
        assert!(told(&config, "lamps/porch/set", false).contains("'lamps/porch/#'"));
        assert!(told(&config, "lamps/porch", false).contains("mqtt.deny_topics"));
        let e = Gate::new(&lists(&["a/#/b"], &[])).unwrap_err();
        assert!(e.to_string().contains("mqtt.allow_topics"), "{e}");
    }

    #[test]
    fn retained_and_control_have_gates_of_their_own() {
        assert!(told(&open(), "a/b", true).contains("mqtt.allow_retained"));
        assert_eq!(told(&Config { allow_retained: true, ..open() }, "a/b", true), "yes");
        for topic in [
            "homeassistant/light/x/config",
            "homeassistant/status",
            "zigbee2mqtt/bridge/request/device/remove",
            "cmnd/plug/POWER",
            "tasmota/plug/cmnd/POWER",
            "shellies/command",
            "shellies/plug/command",
        ] {
            assert!(told(&open(), topic, false).contains("mqtt.allow_control"), "{topic}");
            assert_eq!(told(&Config { allow_control: true, ..open() }, topic, false), "yes");
        }
        for topic in ["zigbee2mqtt/lamp/set", "zigbee2mqtt/bridge/state", "shellies/plug/relay/0"] {
            assert_eq!(told(&open(), topic, false), "yes", "{topic}");
        }
    }

    #[test]
    fn what_is_no_topic_or_too_large_is_refused_whatever_is_allowed() {
        let all = Config { allow_retained: true, allow_control: true, ..open() };
        for topic in ["", "a/+", "a/#", "#", "a\0b", "$SYS/x", "$share/g/a"] {
            let e = Gate::new(&all).unwrap().check(&message(topic, false, 1)).unwrap_err();
            assert_eq!(e.kind(), Kind::Invalid, "{topic}: {e}");
        }
        let gate = Gate::new(&Config { max_packet_bytes: 2000, ..all }).unwrap();
        assert!(gate.check(&message("a/b", false, 1997)).is_ok());
        assert_eq!(gate.check(&message("a/b", false, 1998)).unwrap_err().kind(), Kind::Limit);
    }
}
