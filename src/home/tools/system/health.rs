//! How the parts of Home Assistant are: some say it at once, others look first.

use crate::error::Error;
use crate::home::ask;
use crate::home::house::House;
use crate::home::text::clean;
use crate::home::view::Row;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What is still being looked for after so long is said to be so.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    domain: Option<String>,
    key: Option<String>,
    data: Option<Value>,
}

/// Returns one row for each part, sorted by name.
///
/// # Errors
/// Offline while the house is away, and what Home Assistant says.
pub(super) async fn rows(house: &House) -> Result<Vec<Row>, Error> {
    let command = json!({ "type": "system_health/info" });
    let mut events = ask::follow(house, &command).await?;
    let mut parts = BTreeMap::new();
    let reading = async {
        loop {
            let event = events.next().await.ok_or_else(|| house.link.away())?;
            let said: Said = serde_json::from_str(&event).map_err(|e| {
                Error::broken("system_health/info has an unknown answer").because(e)
            })?;
            if said.kind == "finish" {
                return Ok(());
            }
            note(&mut parts, said);
        }
    };
    // Late ones keep the word that they are looked for.
    if let Ok(read) = tokio::time::timeout(PATIENCE, reading).await {
        read?;
    }
    let row = |(part, info): (String, Map<String, Value>)| {
        let mut row = Row::new();
        row.insert("part".into(), clean(&part, 60).into());
        row.extend(info.into_iter().map(|(key, value)| (clean(&key, 60), shown(&value))));
        row
    };
    Ok(parts.into_iter().map(row).collect())
}

fn note(parts: &mut BTreeMap<String, Map<String, Value>>, said: Said) {
    match (said.kind.as_str(), said.data) {
        ("initial", Some(Value::Object(all))) => {
            for (part, mut about) in all {
                if let Some(Value::Object(info)) = about.get_mut("info").map(Value::take) {
                    parts.insert(part, info);
                }
            }
        }
        ("update", data) => {
            if let (Some(part), Some(key)) = (said.domain, said.key) {
                parts.entry(part).or_default().insert(key, data.unwrap_or_default());
            }
        }
        _ => {}
    }
}

/// One value as a person reads it: what failed and why, a date without its type.
fn shown(value: &Value) -> Value {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    match (value, text("type")) {
        (Value::String(text), _) => clean(text, 200).into(),
        (Value::Object(_), Some("failed")) => {
            format!("failed: {}", clean(text("error").unwrap_or("unknown"), 100)).into()
        }
        (Value::Object(_), Some("pending")) => "no answer yet".into(),
        (Value::Object(fields), _) => fields.get("value").map_or(Value::Null, shown),
        (Value::Array(_), _) => clean(&value.to_string(), 200).into(),
        (plain, _) => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_answers_take_the_place_of_those_that_wait() {
        let mut parts = BTreeMap::new();
        let say = |value: Value| serde_json::from_value::<Said>(value).unwrap();
        let initial = json!({"type": "initial", "data": {"cloud": {"info": {
            "server": {"type": "pending"}, "other": {"type": "pending"}, "logged_in": true,
            "since": {"type": "date", "value": "2026-11-21"}}}}});
        note(&mut parts, say(initial));
        note(
            &mut parts,
            say(json!({"type": "update", "domain": "cloud", "key": "server",
            "success": true, "data": {"type": "failed", "error": "unreachable"}})),
        );
        let info = &parts["cloud"];
        assert_eq!(shown(&info["server"]), "failed: unreachable");
        assert_eq!(shown(&info["other"]), "no answer yet");
        assert_eq!(shown(&info["logged_in"]), true);
        assert_eq!(shown(&info["since"]), "2026-11-21");
    }
}
