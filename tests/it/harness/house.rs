//! The real Home Assistant that `scripts/test` started.

use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// A running Home Assistant.
pub struct House {
    pub url: String,
    pub token: String,
}

/// The Home Assistant named by the file in `HEARTH_TEST_HA`.
pub fn real_house() -> Option<House> {
    let path = std::env::var_os("HEARTH_TEST_HA")?;
    let text = std::fs::read_to_string(path).unwrap();
    let lines: BTreeMap<&str, &str> = text.lines().filter_map(|l| l.split_once('=')).collect();
    Some(House { url: lines["HA_URL"].to_owned(), token: lines["HA_TOKEN"].to_owned() })
}

impl House {
    pub fn get(&self, path: &str) -> Value {
        let request = agent().get(format!("{}{path}", self.url));
        let answer = request.header("authorization", format!("Bearer {}", self.token)).call();
        answer.unwrap().body_mut().read_json().unwrap_or(Value::Null)
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        let request = agent().post(format!("{}{path}", self.url));
        let answer =
            request.header("authorization", format!("Bearer {}", self.token)).send_json(body);
        answer.unwrap().body_mut().read_json().unwrap_or(Value::Null)
    }

    pub fn delete(&self, path: &str) {
        let request = agent().delete(format!("{}{path}", self.url));
        request.header("authorization", format!("Bearer {}", self.token)).call().unwrap();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}
