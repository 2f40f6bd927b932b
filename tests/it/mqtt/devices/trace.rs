//! From a service call in the real Home Assistant to the message to the state.

use crate::harness::{Folder, Hearth, Mcp, TOKEN, hearth, wait_for};
use crate::mqtt::devices::house::Joined;
use crate::mqtt::mosquitto::Mosquitto;
use serde_json::{Value, json};

/// Hearth with the house and its broker, asked at `/mcp/devices`.
fn both(broker: &Mosquitto, house: &Joined) -> (Hearth, Mcp) {
    let folder = Folder::new();
    let toml = format!(
        "[home]\nurl = \"{}\"\ntoken = \"{}\"\n[mqtt]\nbroker = \"{}\"\n",
        house.url,
        house.token,
        broker.address()
    );
    std::fs::write(folder.path().join("hearth.toml"), toml).unwrap();
    let mut command = hearth(folder.path());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]);
    command.env("AUTH_TOKEN", TOKEN).env("LOG_LEVEL", "debug").env("MDNS", "false");
    let hearth = Hearth::start(command, folder);
    hearth.until_ready();
    let mcp = hearth.mcp("/mcp/devices");
    (hearth, mcp)
}

fn lamp(id: &str) -> Value {
    json!({
        "name": null, "uniq_id": format!("trace_{id}"), "cmd_t": format!("trace/{id}/set"),
        "stat_t": format!("trace/{id}/state"), "avty_t": format!("trace/{id}/up"),
        "dev": {"ids": format!("trace_{id}"), "name": format!("Trace {id}"), "mf": "Maker"}
    })
}

fn trace(mcp: &mut Mcp, id: &str) -> Value {
    mcp.tool("devices_trace", json!({"entity_id": id, "minutes": 5}))
}

/// Waits for a verdict, and returns the answer.
fn verdict(mcp: &mut Mcp, id: &str, wanted: &str) -> Value {
    let mut last = Value::Null;
    wait_for(&format!("{wanted} of {id}"), || {
        last = trace(mcp, id);
        (last["result"] == wanted).then(|| last.clone())
    })
}

#[test]
fn why_the_lamp_did_not_turn_on_is_found() {
    let broker = Mosquitto::start();
    let Some(mut house) = Joined::to(&broker) else { return };
    for id in ["good", "mute", "gone"] {
        let config = lamp(id).to_string();
        let topic = format!("homeassistant/switch/trace_{id}/config");
        broker.publish(&topic, config.as_bytes(), &["-r"]);
        let up: &[u8] = if id == "gone" { b"offline" } else { b"online" };
        broker.publish(&format!("trace/{id}/up"), up, &["-r"]);
    }
    let (hearth, mut mcp) = both(&broker, &house);
    for id in ["good", "mute"] {
        wait_for("Home Assistant to have it", || {
            (house.state(&format!("switch.trace_{id}"))? != "unavailable").then_some(())
        });
    }
    wait_for("Home Assistant to have the one that is gone", || {
        (house.state("switch.trace_gone")? == "unavailable").then_some(())
    });
    let none = trace(&mut mcp, "switch.trace_good");
    assert_eq!(none["result"], "nothing_asked", "{none}");

    // The lamp that obeys: it hears its command and answers.
    let heard = broker.listen(&["trace/good/set"], "%t %p");
    let turn_on = |house: &mut Joined, id: &str| house.call("switch.turn_on", id, json!({}));
    turn_on(&mut house, "switch.trace_good");
    // What comes before the marker is none of ours; the command is the line that ends the wait.
    heard.until(|line| line == b"trace/good/set ON");
    broker.publish("trace/good/state", b"ON", &[]);
    let good = verdict(&mut mcp, "switch.trace_good", "went_through");
    let steps: Vec<&str> =
        good["steps"].as_array().unwrap().iter().map(|s| s["what"].as_str().unwrap()).collect();
    let order = ["service call", "command message", "state message", "state in Home Assistant"];
    let at = |what: &str| steps.iter().position(|step| *step == what);
    assert!(order.iter().all(|what| at(what).is_some()), "{good}");
    assert!(at(order[1]) < at(order[2]), "{good}");
    assert_eq!(
        (&good["device"], &good["joined_by"]),
        (&json!("id:trace_good"), &json!("identifier"))
    );

    // The one that is there and does not answer.
    turn_on(&mut house, "switch.trace_mute");
    let mute = verdict(&mut mcp, "switch.trace_mute", "no_answer");
    assert!(mute["says"].as_str().unwrap().contains("said to be online"), "{mute}");

    // The one that Home Assistant holds for away: it sends nothing.
    turn_on(&mut house, "switch.trace_gone");
    let gone = verdict(&mut mcp, "switch.trace_gone", "not_published");
    let says = gone["says"].as_str().unwrap();
    assert!(says.contains("unavailable") && says.contains("offline"), "{gone}");

    // One that has nothing to do with the broker.
    let none = trace(&mut mcp, "light.bed_light");
    assert_eq!(none["result"], "not_mqtt", "{none}");
    assert!(none["says"].as_str().unwrap().starts_with("none has"), "{none}");

    both_sides(&mut mcp, &broker, &mut house);
    drop(hearth);
}

/// The joined list, before and after the broker forgets a device that Home Assistant keeps.
fn both_sides(mcp: &mut Mcp, broker: &Mosquitto, house: &mut Joined) {
    let list = |mcp: &mut Mcp, only: &str| {
        let all = mcp.tool("devices_list", json!({"query": "trace", "only": only}));
        let rows = all["devices"].as_array().unwrap().clone();
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(mcp, "both"), ["Trace gone", "Trace good", "Trace mute"]);
    // A sleeping device that only the broker knows of: without a unique id Home Assistant makes none.
    let mut config = lamp("extra");
    config.as_object_mut().unwrap().remove("uniq_id");
    broker.publish(
        "homeassistant/switch/trace_extra/config",
        config.to_string().as_bytes(),
        &["-r"],
    );
    wait_for("the one on the broker alone", || {
        (list(mcp, "broker") == ["Trace extra"]).then_some(())
    });
    let all = mcp.tool("devices_list", json!({"query": "trace good"}));
    assert_eq!(all["devices"][0]["entities"], json!(["switch.trace_good"]));
    // All of Home Assistant's devices that came from the broker are joined.
    assert!(list(mcp, "home").is_empty());
    assert!(house.devices().iter().filter(|d| d["name"] != Value::Null).count() >= 3);
}
