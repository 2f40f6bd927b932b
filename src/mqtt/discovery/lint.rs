//! What is wrong with what announces devices to Home Assistant, and what to do about it. Pure.

use crate::mqtt::discovery::device::{Device, Said};
use crate::mqtt::discovery::homeassistant::{self, Config, Fault, place, read};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Home Assistant takes nothing of it.
    Error,
    /// It works, and not as was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) topic: Arc<str>,
    pub(crate) weight: Weight,
    /// One of [`RULES`].
    pub(crate) rule: &'static str,
    /// What is wrong, with words of the config: for people, not yet cleaned.
    pub(crate) says: String,
    pub(crate) advice: &'static str,
}

/// Every rule.
pub(crate) const RULES: [&str; 8] = [
    "topic-shape",
    "no-json",
    "missing-key",
    "shape",
    "duplicate-unique-id",
    "no-unique-id",
    "unknown-key",
    "orphan",
];

/// Judges every config. `heard` says whether a message was ever heard on a topic (a filter of a state
/// topic has no wildcards); an orphan is only called so when its device's source lives, because of a
/// device that sleeps nothing is known.
pub(crate) fn lint(
    prefix: &str,
    all: &[Said],
    devices: &[Device],
    heard: &impl Fn(&str) -> bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut configs = Vec::new();
    for said in all {
        match place(prefix, &said.topic) {
            None => {}
            Some(Err(why)) => findings.push(Finding {
                topic: said.topic.clone(),
                weight: Weight::Error,
                rule: "topic-shape",
                says: why,
                advice: "publish it below a right topic, and clear this one with mqtt_clean_retained",
            }),
            Some(Ok(place)) => match read(place, &said.topic, &said.payload) {
                Ok(read) => configs.extend(read),
                Err(fault) => findings.push(refused(&said.topic, fault)),
            },
        }
    }
    for config in &configs {
        findings.extend(of_one(config));
    }
    findings.extend(duplicates(&configs));
    findings.extend(orphans(&configs, devices, heard));
    findings.sort_by(|a, b| (a.weight, &a.topic, a.rule).cmp(&(b.weight, &b.topic, b.rule)));
    findings
}

fn refused(topic: &Arc<str>, fault: Fault) -> Finding {
    let (rule, says, advice) = match fault {
        Fault::NoJson(why) => (
            "no-json",
            format!("the payload is no JSON object: {why}"),
            "have its program announce it again; when nobody does any more, clear the topic with \
             mqtt_clean_retained",
        ),
        Fault::Missing(what) => (
            "missing-key",
            format!("it lacks {what}"),
            "have its program announce it with this key",
        ),
        Fault::Shape(what) => {
            ("shape", what, "have its program announce it in the documented shape")
        }
    };
    Finding { topic: topic.clone(), weight: Weight::Error, rule, says, advice }
}

fn of_one(config: &Config) -> Vec<Finding> {
    let finding = |weight, rule, says, advice| Finding {
        topic: config.topic.clone(),
        weight,
        rule,
        says,
        advice,
    };
    let mut findings = Vec::new();
    let missing = config.missing();
    if !missing.is_empty() {
        let says = format!("{} {} lacks {}", config.component, config.object, missing.join(", "));
        let advice = "Home Assistant refuses it: have its program announce it with these keys";
        findings.push(finding(Weight::Error, "missing-key", says, advice));
    }
    let is_entity = !matches!(config.component.as_str(), "device_automation" | "tag");
    let unique_id = homeassistant::text(&config.body, "unique_id");
    if is_entity && unique_id.is_none() && !config.device.is_empty() {
        let says = format!("{} {} has a device and no unique_id", config.component, config.object);
        let advice =
            "without unique_id Home Assistant puts it under no device, and it cannot be renamed";
        findings.push(finding(Weight::Warning, "no-unique-id", says, advice));
    }
    if !config.has_identity() {
        let says = "its device has neither identifiers nor connections".to_owned();
        let advice = "Home Assistant refuses it: give the device an identifier";
        findings.push(finding(Weight::Error, "missing-key", says, advice));
    }
    if !config.strange.is_empty() {
        let keys = config.strange.iter().take(8).map(|key| format!("'{key}'"));
        let says = format!(
            "keys that Home Assistant does not know: {}",
            keys.collect::<Vec<_>>().join(", ")
        );
        let advice = "they are ignored; a short key may be misspelt";
        findings.push(finding(Weight::Warning, "unknown-key", says, advice));
    }
    findings
}

/// Of several configs with one unique id, Home Assistant takes the first that it hears.
fn duplicates(configs: &[Config]) -> Vec<Finding> {
    let mut owners: BTreeMap<(&str, String), Vec<&Config>> = BTreeMap::new();
    for config in configs {
        if let Some(id) = homeassistant::text(&config.body, "unique_id") {
            owners.entry((&config.component, id)).or_default().push(config);
        }
    }
    let several = owners.into_iter().filter(|(_, all)| all.len() > 1);
    several
        .flat_map(|((component, id), all)| {
            let others = |own: &Config| {
                let others = all.iter().filter(|other| other.id() != own.id());
                others.map(|other| other.topic.to_string()).take(3).collect::<Vec<_>>().join(", ")
            };
            let found = all.iter().map(|config| Finding {
                topic: config.topic.clone(),
                weight: Weight::Error,
                rule: "duplicate-unique-id",
                says: format!("{component} '{id}' is announced by {} too", others(config)),
                advice: "Home Assistant takes only the first that it hears: clear the one that is left over \
                         with mqtt_clean_retained",
            });
            found.collect::<Vec<_>>()
        })
        .collect()
}

/// A config is an orphan when nothing was ever said on any of its state topics, while something else of
/// the same program is alive.
fn orphans(configs: &[Config], devices: &[Device], heard: &impl Fn(&str) -> bool) -> Vec<Finding> {
    // Programs of which something was heard: by the first level of their topics, and by their name.
    let mut living: BTreeSet<&str> = BTreeSet::new();
    for device in devices {
        let topics = device.state_topics();
        living.extend(topics.iter().filter(|topic| heard(topic)).filter_map(|t| first_level(t)));
    }
    let mut findings = Vec::new();
    for config in configs {
        let device = homeassistant::device(config);
        let topics = device.state_topics();
        let is_event = matches!(config.component.as_str(), "device_automation" | "tag" | "event");
        // A button pressed never, or an action that never happened, has said nothing yet.
        if topics.is_empty() || is_event || topics.iter().any(|topic| heard(topic)) {
            continue;
        }
        if !topics
            .iter()
            .any(|topic| first_level(topic).is_some_and(|level| living.contains(level)))
        {
            continue;
        }
        let shown = topics.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        findings.push(Finding {
            topic: config.topic.clone(),
            weight: Weight::Warning,
            rule: "orphan",
            says: format!("nothing was heard on {shown}, while others of its kind speak"),
            advice: CLEAN_ORPHAN,
        });
    }
    findings
}

const CLEAN_ORPHAN: &str = "when the device is gone, clear the topic with mqtt_clean_retained; when it \
                            sleeps, wait for it";

fn first_level(topic: &str) -> Option<&str> {
    topic.split('/').find(|level| !level.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mqtt::discovery::discover;
    use serde_json::{Value, json};

    fn said(topic: &str, payload: &str) -> Said {
        Said { topic: topic.into(), payload: payload.as_bytes().into(), at: 0 }
    }

    fn rules(configs: &[(&str, Value)], heard: &[&str]) -> Vec<(String, &'static str)> {
        let all: Vec<Said> = configs.iter().map(|(t, p)| said(t, &p.to_string())).collect();
        let devices = discover("ha", &all, &[]);
        let found = lint("ha", &all, &devices, &|topic| heard.contains(&topic));
        found.into_iter().map(|f| (f.topic.to_string(), f.rule)).collect()
    }

    fn sensor(id: &str, topic: &str) -> Value {
        json!({"uniq_id": id, "stat_t": topic, "dev": {"ids": "d"}})
    }

    #[test]
    fn sound_configs_have_no_findings() {
        let light = json!({"uniq_id": "l", "schema": "json", "stat_t": "a/l", "cmd_t": "a/l/set",
            "brightness": true, "sup_clrm": ["xy"], "effect": true, "fx_list": ["a"], "name": null,
            "json_attr_t": "a/l", "o": {"name": "x", "sw": "1", "url": "y"},
            "dev": {"ids": ["d"], "name": "n", "via_device": "v", "cns": [["mac", "x"]]}});
        let configs = [("ha/sensor/a/config", sensor("s", "a/s")), ("ha/light/b/config", light)];
        assert_eq!(rules(&configs, &["a/s", "a/l"]), []);
    }

    #[test]
    fn each_fault_is_found_where_it_is() {
        let configs = [
            ("ha/sensor/config", json!({})),
            ("ha/sensor/n/config", json!("text")),
            ("ha/switch/m/config", json!({"uniq_id": "m", "stat_t": "a/m"})),
            ("ha/sensor/d1/config", sensor("twice", "a/s")),
            ("ha/sensor/d2/config", sensor("twice", "a/s")),
            ("ha/binary_sensor/d3/config", sensor("twice", "a/s")),
            ("ha/sensor/u/config", json!({"stat_t": "a/s", "dev": {"ids": "d"}})),
            ("ha/sensor/k/config", json!({"uniq_id": "k", "stat_t": "a/s", "unt": 1})),
            ("ha/sensor/i/config", json!({"uniq_id": "i", "stat_t": "a/s", "dev": {"name": "x"}})),
            ("ha/sensor/o/config", sensor("o", "a/gone")),
            ("ha/sensor/p/config", sensor("p", "asleep/x")),
        ];
        let want = [
            ("ha/sensor/config", "topic-shape"),
            ("ha/sensor/d1/config", "duplicate-unique-id"),
            ("ha/sensor/d2/config", "duplicate-unique-id"),
            ("ha/sensor/i/config", "missing-key"),
            ("ha/sensor/n/config", "no-json"),
            ("ha/switch/m/config", "missing-key"),
            ("ha/sensor/k/config", "unknown-key"),
            ("ha/sensor/o/config", "orphan"),
            ("ha/sensor/u/config", "no-unique-id"),
        ];
        let found = rules(&configs, &["a/s", "a/m"]);
        let found: Vec<(&str, &str)> = found.iter().map(|(t, r)| (t.as_str(), *r)).collect();
        assert_eq!(found, want);
        assert!(want.iter().all(|(_, rule)| RULES.contains(rule)));
    }
}
