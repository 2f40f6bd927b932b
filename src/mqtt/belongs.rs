//! Which topics belong to a device that somebody names. Pure.

use serde_json::Value;

/// So many topics are taken from one announcement.
const TOPICS: usize = 100;

/// The ways in which a device may be written.
#[derive(Debug)]
pub(crate) struct Names {
    /// As it was given, in lower case.
    given: String,
    /// Letters and digits alone: `0x00158d-ab` and `0x00158D_AB` are the same.
    bare: String,
}

impl Names {
    /// Returns `None` when there is nothing to look for.
    pub(crate) fn of(name: &str) -> Option<Names> {
        let names = Names { given: name.trim().to_lowercase(), bare: bare(name) };
        (!names.bare.is_empty()).then_some(names)
    }

    /// Whether a level of a topic is the device, or a name of several levels stands in it.
    pub(crate) fn are_in(&self, topic: &str) -> bool {
        if self.given.contains('/') {
            let topic = topic.to_lowercase();
            let behind = |rest: &str| rest.is_empty() || rest.starts_with('/');
            return topic.match_indices(&self.given).any(|(at, _)| {
                (at == 0 || topic[..at].ends_with('/')) && behind(&topic[at + self.given.len()..])
            });
        }
        topic.split('/').any(|level| self.is(level))
    }

    fn is(&self, text: &str) -> bool {
        // Most levels are told apart by their length.
        text.len() >= self.bare.len() && bare(text) == self.bare
    }

    /// Whether a payload has the name as a word of its own.
    pub(crate) fn are_said(&self, payload: &[u8]) -> bool {
        if payload.first().is_none_or(|first| !matches!(first, b'{' | b'[')) {
            return false;
        }
        let name = self.given.as_bytes();
        let is_end = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        payload.windows(name.len()).enumerate().any(|(at, part)| {
            part.eq_ignore_ascii_case(name)
                && is_end(at.checked_sub(1).and_then(|before| payload.get(before)))
                && is_end(payload.get(at + name.len()))
        })
    }
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns the texts of an announcement that look like topics. Of a list of devices only those of the
/// entry that names the device count. `~` stands for the base topic, as Home Assistant's discovery
/// has it.
pub(crate) fn mentioned(topic: &str, payload: &[u8], names: &Names) -> Vec<String> {
    let Ok(value) = serde_json::from_slice::<Value>(payload) else { return Vec::new() };
    let mut found = Vec::new();
    match &value {
        Value::Array(entries) => {
            // zigbee2mqtt's list: a device's own topic is its name below the same base.
            let base = topic.split("/bridge/").next().unwrap_or_default();
            for entry in entries.iter().filter(|entry| says(entry, names)) {
                collect(entry, "", &mut found);
                if let Some(name) = entry.get("friendly_name").and_then(Value::as_str) {
                    found.push(format!("{base}/{name}"));
                    found.push(format!("{base}/{name}/availability"));
                }
            }
        }
        Value::Object(_) if says(&value, names) || names.are_in(topic) => {
            let base = value.get("~").and_then(Value::as_str).unwrap_or_default();
            collect(&value, base, &mut found);
        }
        _ => {}
    }
    found.truncate(TOPICS);
    found
}

fn says(value: &Value, names: &Names) -> bool {
    match value {
        Value::String(text) => names.is(text) || text.split('_').any(|part| names.is(part)),
        Value::Array(items) => items.iter().any(|item| says(item, names)),
        Value::Object(fields) => fields.values().any(|field| says(field, names)),
        _ => false,
    }
}

fn collect(value: &Value, base: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('/') && found.len() < TOPICS => {
            let whole = match (text.strip_prefix('~'), text.strip_suffix('~')) {
                (Some(end), _) => format!("{base}{end}"),
                (None, Some(begin)) => format!("{begin}{base}"),
                (None, None) => text.clone(),
            };
            found.push(whole);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, base, found)),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(key, _)| *key != "~");
            fields.for_each(|(_, field)| collect(field, base, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_a_level_of_its_topics_however_it_is_written() {
        let names = |text| Names::of(text).unwrap();
        assert!(names("0x00158D-ab").are_in("zigbee2mqtt/0x00158d_AB/set"));
        assert!(names("Living Lamp").are_in("home/living_lamp"));
        assert!(!names("lamp").are_in("home/lamp2") && !names("lamp").are_in("home/living_lamp"));
        assert!(names("kitchen/lamp").are_in("home/kitchen/lamp/state"));
        assert!(!names("kitchen/lamp").are_in("home/kitchen/lamps"));
        assert!(Names::of(" - ").is_none());
    }

    #[test]
    fn an_announcement_leads_to_the_topics_that_it_names() {
        let names = Names::of("Office Plug").unwrap();
        let config = br#"{"~":"tele/plug7","name":"Office Plug","stat_t":"~/STATE",
                          "avty":[{"t":"~/LWT"}],"cmd_t":"cmnd/plug7/POWER"}"#;
        assert!(names.are_said(config));
        let topics = mentioned("homeassistant/switch/x/config", config, &names);
        assert_eq!(topics, ["tele/plug7/STATE", "tele/plug7/LWT", "cmnd/plug7/POWER"]);
        let list = br#"[{"friendly_name":"Office Plug","ieee_address":"0x01"},
                        {"friendly_name":"Other","ieee_address":"0x02"}]"#;
        let by_id = Names::of("0x01").unwrap();
        let topics = mentioned("zigbee2mqtt/bridge/devices", list, &by_id);
        assert_eq!(topics, ["zigbee2mqtt/Office Plug", "zigbee2mqtt/Office Plug/availability"]);
        assert!(!by_id.are_said(br#"{"a":"0x011"}"#) && !by_id.are_said(b"0x01"));
    }
}
