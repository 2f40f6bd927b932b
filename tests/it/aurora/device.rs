//! Lamps behind a bridge as Zigbee2MQTT shows them on a real mosquitto: they write down what they are
//! told and say how they are after a while. They speak through mosquitto's own clients.

use super::paint::now;
use crate::mqtt::mosquitto::Mosquitto;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a lamp was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What stands between the base topic and `/set`.
    pub lamp: String,
    pub what: Value,
    /// When that was heard.
    pub at: f64,
}

/// What lamps take until they say how they are.
pub type Delay = fn(&str) -> Option<Duration>;

pub struct Devices {
    children: Vec<Child>,
    told: Arc<Mutex<Vec<Told>>>,
}

fn client(mosquitto: &Mosquitto, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &mosquitto.port.to_string()]).args(args);
    command
}

fn lamp(name: &str) -> Value {
    let features =
        ["state", "brightness", "color_hs"].map(|name| json!({ "name": name, "access": 7 }));
    json!({"ieee_address": format!("0x{name}"), "friendly_name": name, "type": "Router",
           "definition": {"exposes": [{"type": "light", "features": features}]}})
}

impl Devices {
    /// Announces these lamps and a group `all` of them, and serves them. They are on, and say so when
    /// they are asked.
    pub fn start(mosquitto: &Mosquitto, names: &[&str], delay: Delay) -> Devices {
        let member = |name: &&str| json!({"ieee_address": format!("0x{name}"), "endpoint": 1});
        let members: Vec<Value> = names.iter().map(member).collect();
        let lamps: Vec<Value> = names.iter().map(|name| lamp(name)).collect();
        let group = json!([{"id": 1, "friendly_name": "all", "members": members}]);
        for (part, payload) in [("devices", json!(lamps)), ("groups", group)] {
            let topic = format!("zigbee2mqtt/bridge/{part}");
            mosquitto.publish(&topic, payload.to_string().as_bytes(), &["-r"]);
        }
        // What is retained comes at once, so this one shows that the subscriptions hold.
        mosquitto.publish("zigbee2mqtt/marker", b"x", &["-r"]);
        let filters = ["zigbee2mqtt/+/set", "zigbee2mqtt/+/get", "zigbee2mqtt/marker"];
        let mut sub = client(mosquitto, "mosquitto_sub", &["-F", "%t %p"])
            .args(filters.iter().flat_map(|filter| ["-t", filter]))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(sub.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.find(|line| line.contains("marker")).expect("mosquitto_sub subscribes");
        let mut children = vec![sub];
        let mut mouths: Vec<(String, ChildStdin)> = Vec::new();
        for name in names.iter().copied().chain(["all"]) {
            let topic = format!("zigbee2mqtt/{name}");
            let mut child = client(mosquitto, "mosquitto_pub", &["-l", "-t", &topic])
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            mouths.push((name.to_owned(), child.stdin.take().unwrap()));
            children.push(child);
        }
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        std::thread::spawn(move || {
            for line in lines {
                let Some((topic, payload)) = line.split_once(' ') else { continue };
                let Some(rest) = topic.strip_prefix("zigbee2mqtt/") else { continue };
                let Some((lamp, verb)) = rest.rsplit_once('/') else { continue };
                let what: Value = serde_json::from_str(payload).unwrap();
                let says = match verb {
                    "get" => json!({"state": "ON", "brightness": 99, "color_mode": "hs",
                                    "color": {"hue": 30, "saturation": 40}}),
                    _ => {
                        let (lamp, at) = (lamp.to_owned(), now());
                        heard.lock().unwrap().push(Told { lamp, what: what.clone(), at });
                        what
                    }
                };
                let Some(delay) = delay(lamp) else { continue };
                std::thread::sleep(delay);
                if let Some((_, mouth)) = mouths.iter_mut().find(|(name, _)| name == lamp) {
                    let _ = writeln!(mouth, "{says}");
                }
            }
        });
        Devices { children, told }
    }

    /// Everything that was told so far.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// What was told since `at`.
    pub fn since(&self, at: f64) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.at >= at).collect()
    }

    /// What a lamp was told last.
    pub fn last(&self, lamp: &str) -> Value {
        let told = self.told().into_iter().rfind(|told| told.lamp == lamp);
        told.map_or(Value::Null, |told| told.what)
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
