//! Lamps of the real Home Assistant that tell what they are told: template lights whose actions fire an
//! event, some of them after a while.

use super::paint::now;
use crate::home::furniture::{delete, get, post};
use crate::home::raw::Raw;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// What a lamp was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its place among the lamps.
    pub lamp: usize,
    /// Degrees.
    pub hue: f64,
    /// Id of the call.
    pub context: String,
    /// When that was heard.
    pub at: f64,
}

pub struct Bulbs {
    pub ids: Vec<String>,
    entries: Vec<String>,
    told: Arc<Mutex<Vec<Told>>>,
    listener: JoinHandle<()>,
}

impl Bulbs {
    /// Makes one lamp for each delay (milliseconds), named after `tag`.
    pub async fn new(tag: &str, delays: &[u64]) -> Bulbs {
        let event = format!("told_{tag}");
        let mut raw = Raw::on_real().await;
        raw.ask(json!({"type": "subscribe_events", "event_type": event})).await;
        let mut bulbs = Bulbs {
            ids: Vec::new(),
            entries: Vec::new(),
            told: Arc::default(),
            listener: tokio::spawn(async {}),
        };
        for (lamp, delay) in delays.iter().enumerate() {
            let actions = |data: &str| {
                let fire = json!({"event": event, "event_data": {"lamp": lamp, "what": data}});
                match delay {
                    0 => json!([fire]),
                    delay => json!([{"delay": {"milliseconds": delay}}, fire]),
                }
            };
            let name = format!("{tag} {lamp}");
            let answers = json!({
                "name": name, "turn_on": actions("[{{ brightness | default(1) }}, 0]"),
                "turn_off": actions("[0, 0]"), "set_level": actions("[{{ brightness }}, 0]"),
                "set_hs": actions("[{{ brightness | default(1) }}, {{ hs[0] }}]"),
            });
            bulbs.add(&answers);
            bulbs.ids.push(format!("light.{tag}_{lamp}"));
        }
        let told = bulbs.told.clone();
        bulbs.listener = tokio::spawn(async move {
            loop {
                let event = raw.event_patiently().await;
                let event = &event["event"];
                let what: Value = match &event["data"]["what"] {
                    Value::String(text) => serde_json::from_str(text).unwrap(),
                    list => list.clone(),
                };
                told.lock().unwrap().push(Told {
                    lamp: event["data"]["lamp"].as_u64().unwrap() as usize,
                    hue: what[1].as_f64().unwrap(),
                    context: event["context"]["id"].as_str().unwrap().to_owned(),
                    at: now(),
                });
            }
        });
        bulbs
    }

    /// Adds a lamp that can only be switched.
    pub fn add_switched(&mut self, tag: &str) -> String {
        self.add(&json!({"name": tag, "turn_on": [], "turn_off": []}));
        format!("light.{tag}")
    }

    fn add(&mut self, answers: &Value) {
        let flow = "/api/config/config_entries/flow";
        let form = post(flow, &json!({ "handler": "template" }));
        let path = format!("{flow}/{}", form["flow_id"].as_str().unwrap());
        post(&path, &json!({ "next_step_id": "light" }));
        let done = post(&path, answers);
        assert_eq!(done["type"], "create_entry", "{done}");
        self.entries.push(done["result"]["entry_id"].as_str().unwrap().to_owned());
    }

    /// Everything that was told so far.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// What was told since `at`.
    pub fn since(&self, at: f64) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.at >= at).collect()
    }

    /// Takes a lamp away.
    pub fn remove(&self, lamp: usize) {
        delete(&format!("/api/config/config_entries/entry/{}", self.entries[lamp]));
    }

    /// A lamp as Home Assistant shows it: its state and what of its attributes matters.
    pub fn look(&self, lamp: usize) -> Value {
        let state = get(&format!("/api/states/{}", self.ids[lamp]));
        let attribute = |name: &str| state["attributes"][name].clone();
        json!([state["state"], attribute("brightness"), attribute("hs_color")])
    }
}

/// Takes everything away again, also when the test fails.
impl Drop for Bulbs {
    fn drop(&mut self) {
        self.listener.abort();
        for entry in &self.entries {
            delete(&format!("/api/config/config_entries/entry/{entry}"));
        }
    }
}
