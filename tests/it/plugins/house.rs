//! The examples that ship, in a real house: what they do is read from Home Assistant itself.

use super::rig::{self, Rig};
use crate::home::raw::Raw;
use crate::home::rig as home;
use hearth::plugins::{Config, EXAMPLES};
use hearth::store::Store;
use serde_json::{Value, json};
use std::time::Duration;

/// A script beside a real house.
async fn on_real() -> (Rig, Raw) {
    let house = home::on_real().await;
    let home::Rig { events, tasks, policy, toolbox, .. } = house;
    let rig = rig::on(Config::default(), events, tasks, Store::memory(), policy, toolbox);
    (rig, Raw::on_real().await)
}

/// An entity of the house whose state is set from outside; put back when the value goes. No entity
/// comes or goes: other tests count them.
struct Lent {
    id: &'static str,
    before: Value,
}

impl Lent {
    fn take(id: &'static str) -> Lent {
        let (url, token) = home::real();
        let asked = ureq::get(format!("{url}/api/states/{id}"))
            .header("authorization", format!("Bearer {token}"))
            .call();
        Lent { id, before: asked.unwrap().body_mut().read_json().unwrap() }
    }

    fn set(&self, state: &str, attributes: &Value) {
        let (url, token) = home::real();
        ureq::post(format!("{url}/api/states/{}", self.id))
            .header("authorization", format!("Bearer {token}"))
            .send_json(json!({ "state": state, "attributes": attributes }))
            .unwrap();
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.set(self.before["state"].as_str().unwrap(), &self.before["attributes"]);
    }
}

/// The example with its lines changed as a person would change them.
fn example(file: &str, changes: &[(&str, &str)]) -> String {
    let found = EXAMPLES.iter().find(|(name, _)| *name == file);
    let mut code = found.unwrap().1.to_owned();
    for (from, to) in changes {
        assert!(code.contains(from), "{file} has no {from}");
        code = code.replace(from, to);
    }
    code
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lights_go_off_when_nobody_is_home() {
    const LIGHT: &str = "light.office_rgbw_lights";
    let (rig, mut raw) = on_real().await;
    let somebody = Lent::take("person.test");
    let about = somebody.before["attributes"].clone();
    somebody.set("home", &about);
    raw.call("light.turn_on", LIGHT, json!({})).await;
    // Other tests use the other lights.
    let code = example(
        "lights_off.lua",
        &[
            ("{ domain = \"light\" }", "{ domain = \"light\", query = \"office_rgbw\" }"),
            ("10m", "1s"),
        ],
    );
    rig.runs("lights_off", &code).await;
    // Out and in again within the time: nothing happens.
    somebody.set("not_home", &about);
    rig.until("lights_off", "heard the leaving", |facts| facts.runs >= 1).await;
    somebody.set("home", &about);
    let facts = rig.until("lights_off", "took it back", |facts| facts.runs >= 2).await;
    assert_eq!((facts.timers, facts.failures), (0, 0), "{facts:?}");
    assert_eq!(raw.state(LIGHT).await, "on");

    somebody.set("work", &about);
    let facts = rig.until("lights_off", "acted", |facts| facts.runs >= 4).await;
    assert_eq!(facts.failures, 0, "{facts:?}");
    assert_eq!(raw.state(LIGHT).await, "off");
    let audit = rig.policy.audit();
    let line = audit.iter().rfind(|line| line.who == "plugin:lights_off").unwrap();
    assert!(line.action.contains("light.turn_off") && line.target.contains(LIGHT), "{line:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_left_open_is_reminded_of_until_it_is_closed() {
    let (rig, mut raw) = on_real().await;
    let about = json!({ "device_class": "door", "friendly_name": "Lua garden door" });
    let door = Lent::take("binary_sensor.basement_floor_wet");
    let code = example(
        "left_open.lua",
        &[("binary_sensor.*", "binary_sensor.basement*"), ("10m", "500ms")],
    );
    rig.runs("left_open", &code).await;
    door.set("on", &about);
    let facts = rig.until("left_open", "reminded twice", |facts| facts.runs >= 2).await;
    assert_eq!(facts.failures, 0, "{facts:?}");
    let open = rig.tool("plugins_left_open_list", json!({})).await.unwrap();
    assert!(open["open"].as_array().unwrap().contains(&json!("Lua garden door")), "{open}");
    let notes = notes(&mut raw).await;
    let audit = rig.policy.audit();
    assert!(notes.len() >= 2, "{notes:?} {audit:?}");

    door.set("off", &about);
    let facts = rig.until("left_open", "ended", |facts| facts.timers == 0).await;
    assert_eq!(facts.failures, 0, "{facts:?}");
    let all = self::notes(&mut raw).await;
    for id in &all {
        raw.call_with("persistent_notification.dismiss", json!({ "notification_id": id })).await;
    }
    // Nothing comes after it was closed.
    tokio::time::timeout(Duration::from_secs(20), async {
        while !self::notes(&mut raw).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

/// The ids of the reminders that Home Assistant shows.
async fn notes(raw: &mut Raw) -> Vec<String> {
    let all = raw.ask(json!({ "type": "persistent_notification/get" })).await;
    let ours = all.as_array().unwrap().iter();
    let ours = ours.filter(|n| n["message"].as_str().unwrap().starts_with("Lua garden door"));
    ours.map(|n| n["notification_id"].as_str().unwrap().to_owned()).collect()
}
