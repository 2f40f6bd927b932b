//! Which statistics the energy page of a house is made of.

use crate::error::{Error, Kind};
use crate::home::ask;
use crate::home::house::House;
use crate::home::text::clean;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the ids of the statistics on the energy page, each with what it stands for, like
/// `grid: energy from`.
///
/// # Errors
/// NotFound when the page is not set up, and as [`ask::ask`].
pub(crate) async fn roles(house: &House) -> Result<BTreeMap<String, String>, Error> {
    let command = json!({ "type": "energy/get_prefs" });
    let chosen: Value = match ask::ask(house, &command).await {
        Err(e) if e.kind() == Kind::NotFound => Value::Null,
        other => other?,
    };
    let mut found = BTreeMap::new();
    let list = |name: &str| chosen.get(name).and_then(Value::as_array).into_iter().flatten();
    for source in list("energy_sources") {
        let kind = source.get("type").and_then(Value::as_str).unwrap_or("source");
        collect(source, kind, &mut found, 0);
    }
    for device in list("device_consumption") {
        collect(device, "device", &mut found, 0);
    }
    for device in list("device_consumption_water") {
        collect(device, "water device", &mut found, 0);
    }
    if found.is_empty() {
        return Err(Error::not_found(
            "the energy page of Home Assistant is not set up, so nothing says which statistics are \
             energy; kind=statistics without entity_ids lists all there are",
        ));
    }
    Ok(found)
}

/// Adds every `stat_…` of a source, wherever it stands: releases differ in how deep that is.
fn collect(value: &Value, kind: &str, found: &mut BTreeMap<String, String>, depth: usize) {
    match value {
        Value::Object(fields) if depth < 4 => {
            let name = fields.get("name").and_then(Value::as_str);
            for (key, field) in fields {
                match (key.strip_prefix("stat_"), field) {
                    // Rates are no amounts: they are in states, not in sums.
                    (Some("rate"), _) => {}
                    (Some(what), Value::String(id)) => {
                        let what = what.replace('_', " ");
                        let role = match name {
                            Some(name) => format!("{kind}: {what} ({name})"),
                            None => format!("{kind}: {what}"),
                        };
                        found.insert(id.clone(), clean(&role, 100));
                    }
                    _ => collect(field, kind, found, depth + 1),
                }
            }
        }
        Value::Array(items) if depth < 4 => {
            items.iter().for_each(|item| collect(item, kind, found, depth + 1));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_found_however_deep_they_stand() {
        let mut found = BTreeMap::new();
        let grid = json!({"type": "grid", "flow_from": [{"stat_energy_from": "sensor.in",
            "stat_cost": null}], "flow_to": [{"stat_energy_to": "sensor.out"}]});
        collect(&grid, "grid", &mut found, 0);
        collect(
            &json!({"stat_energy_from": "sensor.sun", "stat_rate": "sensor.w"}),
            "solar",
            &mut found,
            0,
        );
        collect(&json!({"stat_consumption": "sensor.tv", "name": "TV"}), "device", &mut found, 0);
        let role = |id: &str| found.get(id).map(String::as_str);
        assert_eq!(role("sensor.in"), Some("grid: energy from"));
        assert_eq!(role("sensor.out"), Some("grid: energy to"));
        assert_eq!(role("sensor.sun"), Some("solar: energy from"));
        assert_eq!(role("sensor.tv"), Some("device: consumption (TV)"));
        assert_eq!(found.len(), 4);
    }
}
