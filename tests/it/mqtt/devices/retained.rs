//! Clearing what a real broker keeps, and putting it back.

use crate::harness::wait_for;
use crate::mqtt::mosquitto::Mosquitto;
use crate::mqtt::rig::Rig;
use serde_json::{Value, json};

const OPEN: &str = "read_only = false\nallow_retained = true\nallow_control = true\n";

/// What the broker keeps, as mosquitto_sub says it: topic, QoS, properties, payload in hex.
fn kept(broker: &Mosquitto) -> Vec<String> {
    let heard = broker.listen(&["junk/#", "homeassistant/#"], "%t %q %r %C %P %X");
    // With QoS 2, or it would overtake what is kept with QoS 2.
    broker.publish("junk/end", b"x", &["-q", "2"]);
    let all = heard.until(|line| line.starts_with(b"junk/end"));
    let mut all: Vec<String> = all.into_iter().map(|l| String::from_utf8(l).unwrap()).collect();
    all.sort();
    all
}

/// Calls the tool, and once more with the confirmation that it asks for.
fn confirmed(rig: &mut Rig, args: &Value) -> Value {
    let asked = rig.fails("mqtt_clean_retained", args.clone());
    let token = asked.split("confirm=\"").nth(1).and_then(|rest| rest.split('"').next());
    let mut args = args.clone();
    args["confirm"] = token.unwrap_or_else(|| panic!("no token in {asked}")).into();
    rig.tool("mqtt_clean_retained", args)
}

#[test]
fn what_is_cleared_comes_back_byte_for_byte_with_qos_and_properties() {
    let broker = Mosquitto::start();
    broker.publish("junk/binary", b"\x00\xff\n{}", &["-r", "-q", "2"]);
    let properties = [
        "-r",
        "-q",
        "1",
        "-D",
        "publish",
        "content-type",
        "text/x",
        "-D",
        "publish",
        "user-property",
        "a",
        "b c",
    ];
    broker.publish("junk/with properties", b"text", &properties);
    broker.publish("junk/plain", b"x", &["-r", "-q", "0"]);
    broker.publish("junk/live", b"not kept", &[]);
    broker.publish("other/thing", b"stays", &["-r"]);
    let before = kept(&broker);
    assert_eq!(before.len(), 3, "{before:?}");
    let mut rig = Rig::at(&broker.address(), OPEN);
    rig.connected();
    let shown = rig.tool("mqtt_clean_retained", json!({"filters": ["junk/#"]}));
    assert_eq!((&shown["status"], &shown["total"]), (&json!("preview"), &json!(3)));
    assert_eq!(kept(&broker), before, "a preview changes nothing");
    let args = json!({"filters": ["junk/#"], "digest": shown["digest"]});
    let done = confirmed(&mut rig, &args);
    assert_eq!((&done["status"], &done["total"]), (&json!("cleared"), &json!(3)), "{done}");
    assert_eq!(kept(&broker), Vec::<String>::new());
    let listed = rig.tool("mqtt_clean_retained", json!({"undo": "list"}));
    assert_eq!(listed["messages"][0]["undo"], done["undo"]);
    let back = rig.tool("mqtt_clean_retained", json!({"undo": done["undo"]}));
    assert_eq!((&back["status"], &back["total"]), (&json!("restored"), &json!(3)), "{back}");
    assert_eq!(kept(&broker), before);
    let listed = rig.tool("mqtt_clean_retained", json!({"undo": "list"}));
    assert_eq!(listed["messages"][0]["undone"], true);
}

#[test]
fn a_digest_that_is_no_longer_true_clears_nothing_and_undo_leaves_newer_messages() {
    let broker = Mosquitto::start();
    broker.publish("junk/a", b"1", &["-r"]);
    broker.publish("junk/b", b"1", &["-r"]);
    let mut rig = Rig::at(&broker.address(), OPEN);
    rig.connected();
    let shown = rig.tool("mqtt_clean_retained", json!({"filters": ["junk/#"]}));
    broker.publish("junk/a", b"2", &["-r"]);
    let args = json!({"filters": ["junk/#"], "digest": shown["digest"]});
    let told = rig.fails("mqtt_clean_retained", args);
    assert!(told.contains("has changed since the preview"), "{told}");
    let shown = rig.tool("mqtt_clean_retained", json!({"filters": ["junk/#"]}));
    let args = json!({"filters": ["junk/#"], "digest": shown["digest"]});
    let done = confirmed(&mut rig, &args);
    broker.publish("junk/b", b"newer", &["-r"]);
    let back = rig.tool("mqtt_clean_retained", json!({"undo": done["undo"]}));
    assert_eq!(back["total"], 1, "{back}");
    assert!(back["hints"][0].as_str().unwrap().contains("newer message"), "{back}");
    let now = kept(&broker);
    assert!(now[0].starts_with("junk/a") && now[0].ends_with("32"), "{now:?}");
    assert!(now[1].starts_with("junk/b") && now[1].ends_with("6E65776572"), "{now:?}");
}

#[test]
fn clearing_needs_the_gates_open_and_looking_does_not() {
    let broker = Mosquitto::start();
    broker.publish("homeassistant/sensor/x/config", b"{", &["-r"]);
    broker.publish("homeassistant/sensor/x y/config", b"{}", &["-r"]);
    for (lines, why) in [
        ("", "mqtt.read_only"),
        ("read_only = false\n", "mqtt.allow_retained"),
        ("read_only = false\nallow_retained = true\n", "mqtt.allow_control"),
        (
            "read_only = false\nallow_retained = true\nallow_control = true\ndeny_topics = [\"homeassistant/#\"]\n",
            "mqtt.deny_topics",
        ),
    ] {
        let mut rig = Rig::at(&broker.address(), lines);
        rig.connected();
        wait_for("the config to be heard", || {
            let counts = rig.tool("mqtt_lint_discovery", json!({}))["counts"].clone();
            (counts["no-json"] == 1 && counts["topic-shape"] == 1).then_some(())
        });
        let shown = rig.tool("mqtt_clean_retained", json!({"rule": "no-json"}));
        assert_eq!(shown["total"], 1);
        assert!(shown["hints"][0].as_str().unwrap().contains(why), "{shown}");
        let args = json!({"rule": "no-json", "digest": shown["digest"]});
        let told = rig.fails("mqtt_clean_retained", args);
        assert!(told.contains(why), "{told}");
    }
    assert_eq!(kept(&broker).len(), 2);
    let mut rig = Rig::at(&broker.address(), OPEN);
    rig.connected();
    wait_for("the config to be heard", || {
        (rig.tool("mqtt_lint_discovery", json!({}))["counts"]["no-json"] == 1).then_some(())
    });
    let shown = rig.tool("mqtt_clean_retained", json!({"rule": "no-json"}));
    let done = confirmed(&mut rig, &json!({"rule": "no-json", "digest": shown["digest"]}));
    assert_eq!(done["total"], 1);
    // The index hears it too: the finding is gone.
    wait_for("the finding to go", || {
        (rig.tool("mqtt_lint_discovery", json!({}))["counts"]["no-json"].is_null()).then_some(())
    });
}
