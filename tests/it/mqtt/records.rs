//! Recording and replaying: byte for byte what `mosquitto_sub` hears, and the same again.

use crate::harness::{Folder, Hearth, Mcp, TOKEN, wait_for};
use crate::mqtt::mosquitto::Mosquitto;
use crate::mqtt::web::{connected, heard};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// What `mosquitto_sub` is told to print of a message: topic, QoS, retained, length and bytes in hex.
const FORMAT: &str = "%t|%q|%r|%l|%x";

/// A Hearth that may publish everything, and its tools.
fn publishing(broker: &Mosquitto) -> (Hearth, Mcp) {
    let hearth = Hearth::serve(&format!(
        "[mqtt]\nbroker = \"{}\"\nread_only = false\nallow_retained = true\n\
         deny_topics = [\"denied/#\"]\npublishes_per_minute = 100000\n",
        broker.address()
    ));
    connected(&hearth);
    let mcp = hearth.mcp("/mcp/mqtt");
    (hearth, mcp)
}

fn record(mcp: &mut Mcp, action: &str, name: &str, more: Value) -> Value {
    let mut args = json!({"action": action, "name": name});
    args.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    mcp.tool("mqtt_record", args)["recordings"][0].clone()
}

/// Waits until a recording has so many messages, and stops it.
fn recorded(mcp: &mut Mcp, name: &str, messages: u64) -> Value {
    wait_for(name, || {
        let all = mcp.tool("mqtt_record", json!({"action": "list"}))["recordings"].clone();
        let own = all.as_array().unwrap().iter().find(|row| row["name"] == name).cloned();
        (own.unwrap()["messages"].as_u64() >= Some(messages)).then_some(())
    });
    record(mcp, "stop", name, json!({}))
}

fn path(hearth: &Hearth, name: &str) -> PathBuf {
    hearth.folder.path().join(format!("mqtt/recordings/{name}.jsonl"))
}

/// The messages of a recording, as [`FORMAT`] prints them.
fn printed(hearth: &Hearth, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path(hearth, name)).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines[1..lines.len() - 1].iter().map(print).collect()
}

/// A broker keeps the order within a QoS only (MQTT 5, section 4.6): how the handshakes of the others
/// mix is up to each receiver.
fn by_qos(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_by_key(|line| line.split('|').nth(1).unwrap().to_owned());
    lines
}

fn print(line: &Value) -> String {
    let bytes = match (line["payload"].as_str(), line["base64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(coded)) => unbase64(coded),
        (None, None) => panic!("no payload in {line}"),
    };
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let retain = u8::from(line["retain"] == true);
    format!("{}|{}|{retain}|{}|{hex}", line["topic"].as_str().unwrap(), line["qos"], bytes.len())
}

/// RFC 4648, section 4.
fn unbase64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let value = |c: u8| LETTERS.iter().position(|letter| *letter == c).unwrap() as u32;
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        held = (held << 6) | value(c);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits) as u8);
        }
    }
    out
}

/// Messages of every kind, in order; every byte value is among them.
fn publish_all(broker: &Mosquitto, root: &str) -> u64 {
    let every: Vec<u8> = (0..=255).collect();
    let json = br#"{"t": 21.50, "s": "a\u0000b"}"#;
    let payloads: [&[u8]; 6] =
        [&every, b" ", b"plain", json, "grün 🔥".as_bytes(), b"\x1f\x8b\x08"];
    let mut count = 0;
    for (n, payload) in payloads.iter().enumerate() {
        for qos in ["0", "1", "2"] {
            broker.publish(&format!("{root}/{n}/ä b"), payload, &["-q", qos]);
            count += 1;
        }
    }
    broker.publish(&format!("{root}/kept"), b"still here", &["-q", "1", "-r"]);
    count + 1
}

#[test]
fn a_recording_is_byte_for_byte_what_mosquitto_sub_hears_and_plays_again_as_it_was() {
    let broker = Mosquitto::start();
    let (hearth, mut mcp) = publishing(&broker);
    let ear = broker.listen(&["rec/#", "end"], FORMAT);
    let begun = record(&mut mcp, "start", "first", json!({"filters": ["rec/#"]}));
    assert_eq!(begun["state"], "running");
    let mut count = publish_all(&broker, "rec");
    // mosquitto_pub sends nothing that is empty.
    mcp.tool("mqtt_publish_message", json!({"topic": "rec/empty", "payload": "", "qos": 1}));
    count += 1;
    // Of QoS 2, since that is delivered last.
    broker.publish("end", b"x", &["-q", "2"]);
    let oracle: Vec<String> = ear
        .until(|line| line.starts_with(b"end|"))
        .into_iter()
        .map(|line| String::from_utf8(line).unwrap())
        .collect();
    let done = recorded(&mut mcp, "first", count);
    assert_eq!(
        (&done["state"], &done["messages"], &done["lost"]),
        (&"whole".into(), &count.into(), &0.into())
    );
    assert_eq!(by_qos(printed(&hearth, "first")), by_qos(oracle));

    // Played again elsewhere and recorded there, it is the same but for its place and its times.
    record(&mut mcp, "start", "second", json!({"filters": ["again/#"]}));
    let args = json!({"name": "first", "speed": 0, "remap_from": "rec/", "remap_to": "again/"});
    let dry = json!({"dry_run": true}).as_object().unwrap().clone();
    let mut dry_args = args.as_object().unwrap().clone();
    dry_args.extend(dry);
    let told = mcp.tool("mqtt_replay", Value::Object(dry_args));
    assert_eq!(
        (&told["wanted"], &told["written"], &told["refused"]),
        (&count.into(), &0.into(), &0.into())
    );
    let played = mcp.tool("mqtt_replay", args);
    assert_eq!((&played["written"], &played["unknown"]), (&count.into(), &0.into()), "{played}");
    recorded(&mut mcp, "second", count);
    let moved: Vec<String> =
        printed(&hearth, "first").iter().map(|line| line.replacen("rec/", "again/", 1)).collect();
    assert_eq!(by_qos(printed(&hearth, "second")), by_qos(moved));
    // The dry run had sent nothing: each message came once.
    heard(&hearth, "again/kept", 1);

    // Filters leave out the rest, and a recording is deleted.
    let some =
        mcp.tool("mqtt_replay", json!({"name": "first", "filters": ["rec/0/+"], "dry_run": true}));
    assert_eq!((&some["recorded"], &some["wanted"]), (&count.into(), &3.into()));
    mcp.tool("mqtt_record", json!({"action": "delete", "name": "first"}));
    assert!(!path(&hearth, "first").exists());
    assert_eq!(mcp.call("mqtt_replay", json!({"name": "first"}))["isError"], true);
}

#[test]
fn a_replay_keeps_the_pauses_and_passes_the_gates_as_a_whole() {
    let broker = Mosquitto::start();
    let (hearth, mut mcp) = publishing(&broker);
    record(&mut mcp, "start", "slow", json!({"filters": ["slow/#"]}));
    broker.publish("slow/a", b"1", &["-q", "1"]);
    let began = heard(&hearth, "slow/a", 1)["last"].as_f64().unwrap();
    // The pause is what is tested here.
    wait_for("half a second", || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        (now.as_secs_f64() - began > 0.6).then_some(())
    });
    broker.publish("slow/b", b"2", &["-q", "1"]);
    recorded(&mut mcp, "slow", 2);
    let told = mcp.tool("mqtt_replay", json!({"name": "slow", "speed": 2, "dry_run": true}));
    let span = told["seconds"].as_f64().unwrap();
    assert!(span > 0.25, "{told}");
    let at = std::time::Instant::now();
    mcp.tool("mqtt_replay", json!({"name": "slow", "speed": 2, "remap_to": "copy/"}));
    assert!(at.elapsed().as_secs_f64() >= span, "{:?} for {span}", at.elapsed());
    heard(&hearth, "copy/slow/b", 1);

    // One forbidden topic among them, and none is sent.
    let refused = json!({"name": "slow", "remap_from": "slow/b", "remap_to": "denied/b"});
    let answer = mcp.call("mqtt_replay", refused.clone());
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert!(answer["isError"] == true && text.contains("mqtt.deny_topics"), "{answer}");
    let mut dry = refused.as_object().unwrap().clone();
    dry.insert("dry_run".into(), true.into());
    assert_eq!(mcp.tool("mqtt_replay", Value::Object(dry))["refused"], 1);
    heard(&hearth, "slow/a", 1);
}

#[test]
fn what_goes_wrong_with_a_recording_is_said_and_ends_nothing_else() {
    let broker = Mosquitto::start();
    let (hearth, mut mcp) = publishing(&broker);
    let said = |mcp: &mut Mcp, tool: &str, args: Value| {
        let answer = mcp.call(tool, args);
        assert_eq!(answer["isError"], true, "{answer}");
        answer["content"][0]["text"].as_str().unwrap().to_owned()
    };
    for name in ["../x", "", "A", "a.b", "a/b"] {
        let text = said(&mut mcp, "mqtt_record", json!({"action": "start", "name": name}));
        assert!(text.contains("1 to 64 of a-z"), "{name}: {text}");
    }
    // A file stands where the folder should be.
    let folder = hearth.folder.path().join("mqtt");
    std::fs::write(&folder, "in the way").unwrap();
    let text = said(&mut mcp, "mqtt_record", json!({"action": "start", "name": "a"}));
    assert!(text.contains("cannot"), "{text}");
    std::fs::remove_file(&folder).unwrap();

    record(&mut mcp, "start", "a", json!({}));
    let text = said(&mut mcp, "mqtt_record", json!({"action": "start", "name": "a"}));
    assert!(text.contains("already"), "{text}");
    let text = said(&mut mcp, "mqtt_record", json!({"action": "delete", "name": "a"}));
    assert!(text.contains("stop it first"), "{text}");
    broker.publish("a/b", b"x", &["-q", "1"]);
    recorded(&mut mcp, "a", 1);
    // Somebody changed a byte.
    let file = path(&hearth, "a");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"x\"", "\"y\"", 1)).unwrap();
    let text = said(&mut mcp, "mqtt_replay", json!({"name": "a", "dry_run": true}));
    assert!(text.contains("checksum"), "{text}");

    // A bound in bytes ends a recording, and it is whole.
    record(&mut mcp, "start", "small", json!({"filters": ["big/#"], "megabytes": 1}));
    for _ in 0..3 {
        broker.publish("big/x", &[b'x'; 600_000], &["-q", "1"]);
    }
    let row = wait_for("the end", || {
        let all = mcp.tool("mqtt_record", json!({}))["recordings"].clone();
        let own =
            all.as_array().unwrap().iter().find(|row| row["name"] == "small").cloned().unwrap();
        (own["state"] != "running").then_some(own)
    });
    assert_eq!(
        (&row["state"], &row["why"], &row["messages"]),
        (&"whole".into(), &"full".into(), &2.into())
    );
    assert!(!hearth.log().contains("panicked"));
}

#[test]
fn a_full_disk_ends_the_recording_and_says_so() {
    const NAME: &str = "a_full_disk_ends_the_recording_and_says_so";
    let possible =
        Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "x", "/mnt"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        println!("skipped: {NAME}: this machine gives no namespace of its own with a mount in it");
        return;
    }
    let broker = Mosquitto::start();
    let folder = Folder::new();
    let recordings = folder.path().join("mqtt/recordings");
    std::fs::create_dir_all(&recordings).unwrap();
    let toml = format!("[mqtt]\nbroker = \"{}\"\n", broker.address());
    std::fs::write(folder.path().join("hearth.toml"), toml).unwrap();
    let plain = crate::harness::hearth(folder.path());
    let script =
        r#"mount -t tmpfs -o size=256k tmpfs "$DATA_DIR/mqtt/recordings" && exec "$0" "$@""#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script]).arg(plain.get_program());
    command.args(["serve", "--host", "127.0.0.1", "--port", "0"]).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("AUTH_TOKEN", TOKEN).env("MDNS", "false");
    let hearth = Hearth::start(command, folder);
    connected(&hearth);
    let mut mcp = hearth.mcp("/mcp/mqtt");
    record(&mut mcp, "start", "full", json!({"filters": ["big/#"]}));
    let row = wait_for("the disk to be full", || {
        broker.publish("big/x", &[b'x'; 100_000], &["-q", "1"]);
        let row = mcp.tool("mqtt_record", json!({}))["recordings"][0].clone();
        (row["state"] != "running").then_some(row)
    });
    assert_eq!(row["state"], "failed", "{row}");
    assert!(row["why"].as_str().unwrap().contains("disk is full"), "{row}");
    // The rest goes on, and the room can be had back.
    assert_eq!(hearth.status("/health"), 200);
    mcp.tool("mqtt_record", json!({"action": "delete", "name": "full"}));
    record(&mut mcp, "start", "small", json!({"filters": ["small/#"]}));
    broker.publish("small/x", b"x", &["-q", "1"]);
    assert_eq!(recorded(&mut mcp, "small", 1)["state"], "whole");
}
