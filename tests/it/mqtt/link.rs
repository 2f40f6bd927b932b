//! The connection to a real broker: there, away, back, refused, taken over.

use super::mosquitto::Mosquitto;
use super::rig::Rig;
use crate::harness::{Folder, wait_for};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn both_versions_hear_what_is_published() {
    let broker = Mosquitto::start();
    for version in ["5", "3.1.1"] {
        let mut rig = Rig::at(&broker.address(), &format!("version = \"{version}\"\n"));
        rig.connected();
        let home = rig.home();
        assert_eq!((&home["version"], &home["note"]), (&json!(version), &json!(null)), "{home}");
        let granted = home["subscribed_topics"].as_array().unwrap();
        assert!(granted.iter().all(|one| one["qos"] == 2), "{home}");
        let topic = format!("attic/{}", version.replace('.', "-"));
        broker.publish(&topic, b"21.5", &["-q", "1"]);
        rig.knows(&topic);
    }
}

#[test]
fn after_a_restart_of_the_broker_messages_are_heard_again_within_two_seconds() {
    let mut broker = Mosquitto::start();
    for version in ["5", "3.1.1"] {
        let mut rig = Rig::at(&broker.address(), &format!("version = \"{version}\"\n"));
        rig.connected();
        broker.kill();
        rig.away("nobody listens");
        broker.again();
        let back = Instant::now();
        let topic = format!("back/{}", version.replace('.', "-"));
        wait_for("a message after the restart", || {
            broker.publish(&topic, b"on", &[]);
            let listed = rig.tool("mqtt_list_topics", json!({}));
            listed.to_string().contains(&topic).then_some(())
        });
        let took = back.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?} with {version}");
    }
}

#[test]
fn a_broker_that_refuses_is_told_in_plain_words() {
    let folder = Folder::new();
    let passwords = folder.path().join("passwords");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c", passwords.to_str().unwrap(), "ann", "right"])
        .status();
    assert!(made.unwrap().success());
    let lines = format!("allow_anonymous false\npassword_file {}\n", passwords.display());
    let broker = Mosquitto::with(&lines);
    for version in ["5", "3.1.1"] {
        let who =
            format!("version = \"{version}\"\nusername = \"ann\"\npassword = \"wrong-canary\"");
        let mut rig = Rig::at(&broker.address(), &who);
        let why = rig.away("user name");
        assert!(!why.contains("canary"), "{why}");
        let (status, ready) = rig.hearth.get("/ready");
        assert!(ready.to_string().contains("user name"), "{status} {ready}");
        let mut rig = Rig::at(&broker.address(), &who.replace("wrong-canary", "right"));
        rig.connected();
    }
}

#[test]
fn a_client_with_our_id_is_named_and_not_fought() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "client_id = \"the-only-one\"\n");
    rig.connected();
    let port = broker.port.to_string();
    let mut other = Command::new("mosquitto_sub")
        .args(["-h", "127.0.0.1", "-p", &port, "-i", "the-only-one", "-t", "x", "-V", "mqttv5"])
        .spawn()
        .unwrap();
    // This mosquitto closes the connection of the older one and does not say why; both come back.
    let why = rig.away("perhaps another client has our client id");
    other.kill().unwrap();
    other.wait().unwrap();
    let pause = super::faults::pause_after(&rig, "perhaps another client");
    assert!(pause > 10.0, "{why}; again in {pause} s");
}

/// A broker of another make, from npm.
pub struct Aedes {
    child: Child,
    pub port: u16,
}

impl Aedes {
    /// `None` when packages are not to be fetched.
    pub fn start() -> Option<Aedes> {
        let folder = crate::mcp::clients::clients()?;
        let own = folder.join("node");
        let node = if own.exists() { own } else { std::path::PathBuf::from("node") };
        let mut child = Command::new(node)
            .arg(folder.join("aedes.mjs"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Some(Aedes { child, port: port.trim().parse().unwrap() })
    }
}

impl Drop for Aedes {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_broker_of_another_make_works_too() {
    let Some(broker) = Aedes::start() else { return };
    let address = format!("127.0.0.1:{}", broker.port);
    let mut rig = Rig::at(&address, "read_only = false\n");
    rig.connected();
    let home = rig.home();
    println!("aedes: {home}");
    let sent = json!({"topic": "other/make", "payload": "x", "qos": 1});
    assert_eq!(rig.tool("mqtt_publish_message", sent)["status"], "written");
    rig.knows("other/make");
    let tested = rig.tool("mqtt_test_connection", json!({}));
    assert_eq!(tested["status"], "ok", "{tested}");
}
