//! `hearth serve` with the embedded broker: Hearth listens to it as the home's.

use crate::mqtt::mosquitto::free_port;
use crate::mqtt::rig::Rig;
use serde_json::json;
use std::process::Command;

#[test]
fn hearth_listens_to_its_own_broker_whatever_the_passwords() {
    let port = free_port();
    let mut rig = Rig::start(&format!(
        "read_only = false\n\
         [mqtt.embedded]\nenabled = true\nport = {port}\nanonymous = \"never\"\n\
         [[mqtt.embedded.users]]\nname = \"ann\"\npassword = \"canary-of-ann\"\n"
    ));
    rig.connected();
    let port = port.to_string();
    let sent = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port, "-u", "ann", "-P", "canary-of-ann"])
        .args(["-t", "house/lamp", "-m", "on", "-q", "1", "-r"])
        .status();
    assert!(sent.unwrap().success());
    let last = crate::harness::wait_for("the message", || {
        // Until it has come, that is an error.
        let last = rig.mcp.call("mqtt_get_last", json!({ "topic": "house/lamp" }));
        last.to_string().contains("\"on\"").then_some(last)
    });
    assert!(!last.to_string().contains("canary"));
    assert!(!rig.home().to_string().contains("canary"));
    rig.tool("mqtt_publish_message", json!({ "topic": "house/lamp/set", "payload": "off" }));
}
