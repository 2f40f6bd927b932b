//! What is said to Home Assistant's own assistant, and what it did.

use crate::error::Error;
use crate::home::ask;
use crate::home::house::House;
use crate::home::text::clean;
use serde_json::{Value, json};

/// Longest sentence, in bytes.
const LONGEST: usize = 4096;

/// Something to say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saying {
    pub(crate) text: String,
    pub(crate) agent: String,
    pub(crate) language: String,
    /// To go on with an earlier one.
    pub(crate) conversation: String,
}

/// Says it and returns what came of it, cleaned.
///
/// # Errors
/// Invalid for a text that is empty or too long; Offline, Timeout and what Home Assistant says.
pub(crate) async fn say(house: &House, saying: &Saying) -> Result<Value, Error> {
    let text = saying.text.trim();
    if text.is_empty() || text.len() > LONGEST {
        return Err(Error::invalid(format!("text must have 1 to {LONGEST} bytes")));
    }
    let mut command = json!({"type": "conversation/process", "text": text});
    let optional = [
        ("agent_id", &saying.agent),
        ("language", &saying.language),
        ("conversation_id", &saying.conversation),
    ];
    for (field, value) in optional.into_iter().filter(|(_, value)| !value.trim().is_empty()) {
        command[field] = value.trim().into();
    }
    let said: Value = ask::ask(house, &command).await?;
    let response = &said["response"];
    let mut answer = json!({
        "speech": clean(speech(&response["speech"]), 2000),
        "result": clean(response["response_type"].as_str().unwrap_or_default(), 40),
    });
    if let Some(code) = response["data"]["code"].as_str() {
        answer["code"] = clean(code, 60).into();
    }
    for (field, part) in [("done", "success"), ("failed", "failed")] {
        let ids = touched(&response["data"][part]);
        if !ids.is_empty() {
            answer[field] = ids.into();
        }
    }
    if let Some(id) = said["conversation_id"].as_str() {
        answer["conversation"] = clean(id, 100).into();
    }
    if said["continue_conversation"] == true {
        answer["asks_back"] = true.into();
    }
    Ok(answer)
}

fn speech(speech: &Value) -> &str {
    let of = |kind: &str| speech[kind]["speech"].as_str();
    of("plain").or_else(|| of("ssml")).unwrap_or_default()
}

/// Entities by id; areas and the like by kind and name.
fn touched(list: &Value) -> Vec<String> {
    let one = |item: &Value| {
        let text = |field: &str| item[field].as_str().unwrap_or_default();
        let id = if text("id").is_empty() { text("name") } else { text("id") };
        match text("type") {
            "entity" => clean(id, 255),
            kind => clean(&format!("{kind} {id}"), 255),
        }
    };
    list.as_array().into_iter().flatten().take(100).map(one).collect()
}

/// Returns the assistants there are: id and name.
///
/// # Errors
/// Offline, Timeout and what Home Assistant says.
pub(crate) async fn agents(house: &House) -> Result<Vec<Value>, Error> {
    let found: Value = ask::ask(house, &json!({"type": "conversation/agent/list"})).await?;
    let all = found["agents"].as_array().into_iter().flatten().take(50);
    let text = |agent: &Value, field: &str| clean(agent[field].as_str().unwrap_or_default(), 100);
    Ok(all.map(|agent| json!({ "id": text(agent, "id"), "name": text(agent, "name") })).collect())
}
