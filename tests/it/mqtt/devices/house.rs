//! Home Assistant's own MQTT integration, joined to a broker for the length of a test.

use crate::harness::{House, real_house, wait_for};
use crate::home::raw::Raw;
use crate::mqtt::mosquitto::Mosquitto;
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::runtime::Runtime;

/// Home Assistant joins one broker only.
static ONE: Mutex<()> = Mutex::new(());

const ENTRIES: &str = "/api/config/config_entries/entry";
const FLOW: &str = "/api/config/config_entries/flow";

/// Home Assistant with its MQTT integration at a broker; the integration goes with the value, and with
/// it every device that it made.
pub struct Joined {
    house: House,
    pub url: String,
    pub token: String,
    runtime: Runtime,
    raw: Raw,
    _turn: MutexGuard<'static, ()>,
}

impl Joined {
    /// `None` when there is no Home Assistant.
    pub fn to(broker: &Mosquitto) -> Option<Joined> {
        let Some(house) = real_house() else {
            println!("skipped: Home Assistant's MQTT integration, HEARTH_TEST_HA is not set");
            return None;
        };
        let turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        // One that failed may have left it.
        remove(&house);
        let form = house.post(FLOW, &json!({"handler": "mqtt"}));
        let id = form["flow_id"].as_str().unwrap_or_else(|| panic!("no form: {form}"));
        let mut answers = json!({"broker": "127.0.0.1", "port": broker.port});
        for field in form["data_schema"].as_array().unwrap() {
            if field["name"] == "other_settings" {
                answers["other_settings"] = json!({"set_client_cert": false, "set_ca_cert": "off",
                                                   "tls_insecure": false, "transport": "tcp"});
            }
        }
        let done = house.post(&format!("{FLOW}/{id}"), &answers);
        assert_eq!(done["type"], "create_entry", "{done}");
        let runtime = Runtime::new().unwrap();
        let raw = runtime.block_on(Raw::open(&house.url, &house.token));
        let (url, token) = (house.url.clone(), house.token.clone());
        let joined = Joined { house, url, token, runtime, raw, _turn: turn };
        wait_for("the integration to be loaded", || {
            let all = joined.house.get(ENTRIES);
            let own = all.as_array()?.iter().find(|entry| entry["domain"] == "mqtt")?.clone();
            (own["state"] == "loaded").then_some(())
        });
        Some(joined)
    }

    /// Sends a command and returns its result.
    pub fn ask(&mut self, command: Value) -> Value {
        self.runtime.block_on(self.raw.ask(command))
    }

    /// Calls a service on an entity.
    pub fn call(&mut self, service: &str, id: &str, data: Value) {
        self.runtime.block_on(self.raw.call(service, id, data));
    }

    /// The devices of the integration, as its registry has them.
    pub fn devices(&mut self) -> Vec<Value> {
        let all = self.ask(json!({"type": "config/device_registry/list"}));
        let entry = self_entry(&self.house).unwrap();
        let is_own =
            |device: &&Value| device["config_entries"].as_array().unwrap().contains(&entry);
        all.as_array().unwrap().iter().filter(is_own).cloned().collect()
    }

    /// Returns the state of an entity, if it has one.
    pub fn state(&mut self, id: &str) -> Option<String> {
        self.house.get(&format!("/api/states/{id}"))["state"].as_str().map(str::to_owned)
    }
}

fn self_entry(house: &House) -> Option<Value> {
    let all = house.get(ENTRIES);
    let own = all.as_array()?.iter().find(|entry| entry["domain"] == "mqtt")?;
    Some(own["entry_id"].clone())
}

fn remove(house: &House) {
    if let Some(Value::String(entry)) = self_entry(house) {
        house.delete(&format!("{ENTRIES}/{entry}"));
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        remove(&self.house);
    }
}
