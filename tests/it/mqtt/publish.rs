//! Publishing to a real broker, what forbids it, questions with answers, and that no password shows.

use super::mosquitto::Mosquitto;
use super::rig::Rig;
use crate::harness::wait_for;
use serde_json::json;
use std::process::{Command, Stdio};

#[test]
fn a_message_arrives_as_it_was_sent() {
    let broker = Mosquitto::start();
    let heard = broker.listen(&["out/#"], "%t %q %r %p");
    for version in ["5", "3.1.1"] {
        let lines = format!("read_only = false\nallow_retained = true\nversion = \"{version}\"\n");
        let mut rig = Rig::at(&broker.address(), &lines);
        rig.connected();
        for (qos, payload, text) in [
            (0, json!("on"), "on"),
            (1, json!({"a": [1, "ü"]}), "{\"a\":[1,\"ü\"]}"),
            (2, json!(21), "21"),
        ] {
            let args = json!({"topic": "out/x", "payload": payload, "qos": qos});
            let told = rig.tool("mqtt_publish_message", args);
            assert_eq!(told["status"], "written", "{told}");
            assert_eq!(told["payload_size"], text.len());
            let line = heard.next_line("out/x");
            assert_eq!(line, format!("out/x {qos} 0 {text}"));
        }
        let args = json!({"topic": "out/kept", "payload": "k", "qos": 1, "retain": true});
        rig.tool("mqtt_publish_message", args);
        assert_eq!(heard.next_line("out/kept"), "out/kept 1 0 k");
        // An empty one takes it away again.
        rig.tool("mqtt_publish_message", json!({"topic": "out/kept", "qos": 1, "retain": true}));
        assert_eq!(heard.next_line("out/kept"), "out/kept 1 0 ");
    }
    // Only MQTT 5 says that nobody listens.
    let mut rig = Rig::at(&broker.address(), "read_only = false\nlisten = [\"none\"]\n");
    rig.connected();
    let alone = rig.tool("mqtt_publish_message", json!({"topic": "nobody/here", "qos": 1}));
    assert_eq!((&alone["status"], &alone["heard"]), (&json!("written"), &json!(false)));
}

#[test]
fn nothing_is_published_that_the_owner_did_not_allow() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    let send = |topic: &str| json!({"topic": topic, "payload": "secret-payload"});
    assert!(rig.fails("mqtt_publish_message", send("a/b")).contains("mqtt.read_only"));
    let mut dry = send("a/b");
    dry["dry_run"] = json!(true);
    assert!(rig.fails("mqtt_publish_message", dry.clone()).contains("mqtt.read_only"));

    let lines = "read_only = false\ndeny_topics = [\"lock/#\"]\npublishes_per_minute = 3\n";
    let mut rig = Rig::at(&broker.address(), lines);
    rig.connected();
    let heard = broker.listen(&["a/#", "lock/#", "cmnd/#"], "%t %p");
    assert!(rig.fails("mqtt_publish_message", send("lock/door")).contains("'lock/#'"));
    assert!(rig.fails("mqtt_publish_message", send("a/+")).contains("no +"));
    assert!(rig.fails("mqtt_publish_message", send("$SYS/a")).contains("begin with $"));
    assert!(rig.fails("mqtt_publish_message", send("cmnd/x/POWER")).contains("allow_control"));
    let mut kept = send("a/b");
    kept["retain"] = json!(true);
    assert!(rig.fails("mqtt_publish_message", kept).contains("allow_retained"));
    assert_eq!(rig.tool("mqtt_publish_message", dry)["status"], "dry_run");
    for _ in 0..3 {
        rig.tool("mqtt_publish_message", send("a/last"));
    }
    assert!(rig.fails("mqtt_publish_message", send("a/b")).contains("3 times a minute"));
    // Nothing else came.
    let lines = (0..3).map(|_| heard.next_line("a/last")).collect::<Vec<_>>();
    assert!(lines.iter().all(|line| line == "a/last secret-payload"), "{lines:?}");

    let audit = std::fs::read_to_string(rig.hearth.folder.path().join("audit.jsonl")).unwrap();
    for part in [
        "lock/door (14 bytes, QoS 0)",
        "\"denied\"",
        "mqtt.deny_topics",
        "\"dry_run\"",
        "\"written\"",
        "3 times a minute",
    ] {
        assert!(audit.contains(part), "no {part} in {audit}");
    }
    assert!(!audit.contains("secret-payload"), "{audit}");
}

#[test]
fn a_question_gets_its_answer() {
    let broker = Mosquitto::start();
    // A device that answers where the question says, with what it says.
    let port = broker.port.to_string();
    let mut device =
        Command::new("python3").args(["-c", DEVICE, &port]).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    let mut said = std::io::BufReader::new(device.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut ready).unwrap();
    for version in ["5", "3.1.1"] {
        let lines = format!("read_only = false\ntimeout_seconds = 3\nversion = \"{version}\"\n");
        let mut rig = Rig::at(&broker.address(), &lines);
        rig.connected();
        let mut args = json!({"topic": "device/ask", "payload": "ping", "count": 5});
        if version == "3.1.1" {
            assert!(rig.fails("mqtt_send_request", args.clone()).contains("response_topic"));
            args["response_topic"] = json!("device/answer");
        }
        let told = rig.tool("mqtt_send_request", args);
        assert_eq!(told["status"], "answered", "{told}");
        assert_eq!(
            (&told["answered"], &told["payload"]),
            (&json!(5), &json!("pong ping")),
            "{told}"
        );
        assert_eq!(told["correlated"], version == "5", "{told}");
        assert!(told["latency"]["median_ms"].as_f64().unwrap() > 0.0, "{told}");
    }
    device.kill().unwrap();
    device.wait().unwrap();
    let mut rig = Rig::at(&broker.address(), "read_only = false\ntimeout_seconds = 1\n");
    rig.connected();
    let none = rig.tool("mqtt_send_request", json!({"topic": "device/ask", "qos": 1}));
    assert_eq!((&none["status"], &none["answered"]), (&json!("timeout"), &json!(0)), "{none}");
}

/// Speaks MQTT 5 by hand: answers each question at its response topic with its correlation data, or at
/// `device/answer` when it has none.
const DEVICE: &str = r#"
import socket, struct, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
def text(t): return struct.pack('>H', len(t)) + t
def send(first, body):
    n, head = len(body), bytes([first])
    while True:
        n, low = divmod(n, 128)
        head += bytes([low | (128 if n else 0)])
        if not n: break
    s.sendall(head + body)
def exact(n):
    out = b''
    while len(out) < n:
        part = s.recv(n - len(out))
        if not part: sys.exit()
        out += part
    return out
def read():
    first, n, shift = exact(1)[0], 0, 0
    while True:
        b = exact(1)[0]
        n |= (b & 127) << shift
        shift += 7
        if not b & 128: return first, exact(n)
send(0x10, text(b'MQTT') + bytes([5, 2, 0, 0, 0]) + text(b'device'))
read()
send(0x82, bytes([0, 1, 0]) + text(b'device/ask') + b'\0')
read()
print('ready', flush=True)
while True:
    first, body = read()
    if first >> 4 != 3: continue
    n = struct.unpack('>H', body[:2])[0]
    rest = body[2 + n:]
    size, props, payload = rest[0], rest[1:1 + rest[0]], rest[1 + rest[0]:]
    topic, back = b'device/answer', b''
    while props:
        kind, n = props[0], struct.unpack('>H', props[1:3])[0]
        value, props = props[3:3 + n], props[3 + n:]
        if kind == 8: topic = value
        if kind == 9: back = bytes([9]) + text(value)
    send(0x30, text(topic) + bytes([len(back)]) + back + b'pong ' + payload)
"#;

#[test]
fn a_broker_is_timed_and_looked_at_and_only_probes_are_sent() {
    let broker = Mosquitto::with("allow_anonymous true\nmessage_size_limit 100000\nmax_qos 1\n");
    let heard = broker.listen(&["#"], "%t %q %r");
    for version in ["5", "3.1.1"] {
        let mut rig = Rig::at(&broker.address(), &format!("version = \"{version}\"\n"));
        rig.connected();
        let seen = rig.tool("mqtt_probe_broker", json!({}));
        assert_eq!(seen["version"], version);
        let (said, tried) = (&seen["said"], &seen["tried"]);
        assert_eq!(
            (&tried["delivered_qos"], &tried["delivered_bytes"]),
            (&json!(1), &json!(65536))
        );
        assert_eq!(tried["not_delivered_bytes"], 262_144, "{seen}");
        assert_eq!(tried["wildcard_subscriptions"], "yes", "{seen}");
        assert_eq!(tried["shared_subscriptions"], "yes", "{seen}");
        if version == "5" {
            assert_eq!(
                (&said["maximum_qos"], &said["retained_messages"]),
                (&json!(1), &json!("yes"))
            );
        } else {
            assert!(said["retained_messages"].as_str().unwrap().contains("not known"), "{seen}");
        }
        assert_eq!(rig.home()["messages"].as_u64().unwrap(), sys_only(&mut rig), "{seen}");
    }
    let other = Mosquitto::start();
    let mut rig = Rig::at(&other.address(), "");
    rig.connected();
    let tested = rig.tool("mqtt_test_connection", json!({}));
    assert_eq!(tested["status"], "ok", "{tested}");
    for (qos, level) in tested["loopback"].as_array().unwrap().iter().enumerate() {
        assert_eq!(
            (&level["qos"], &level["sent"], &level["received"]),
            (&json!(qos), &json!(5), &json!(5))
        );
        assert!(level["round_trip"]["min_ms"].as_f64().unwrap() > 0.0, "{tested}");
    }
    assert!(tested["ping"]["median_ms"].as_f64().unwrap() > 0.0, "{tested}");
    assert!(tested["connect_ms"].as_f64().unwrap() > 0.0, "{tested}");
    broker.publish("the/last", b"x", &[]);
    let lines = heard.until(|line| line.starts_with(b"the/last"));
    let lines = lines.into_iter().map(|line| String::from_utf8(line).unwrap());
    let lines: Vec<_> = lines.filter(|line| !line.starts_with("mosquitto-sub/")).collect();
    assert!(lines.len() > 4, "{lines:?}");
    for line in lines {
        assert!(line.starts_with("hearth/probe/") && line.ends_with(" 0"), "{line}");
    }
}

/// Messages of the broker about itself: all that a session may have heard.
fn sys_only(rig: &mut Rig) -> u64 {
    let listed = rig.tool("mqtt_list_topics", json!({})).to_string();
    assert!(!listed.contains("hearth/probe"), "{listed}");
    rig.home()["messages"].as_u64().unwrap()
}

const CANARY: &str = "c4nary-p4ssw0rd";

#[test]
fn no_password_is_ever_shown_or_written() {
    let broker = Mosquitto::start();
    let deaf = super::mosquitto::free_port();
    let mut rig = Rig::with(&format!(
        "[mqtt]\nbroker = \"mqtt://ann:{CANARY}@{}\"\n[[mqtt.profiles]]\nname = \"barn\"\n\
         broker = \"127.0.0.1:{deaf}\"\nusername = \"bob\"\npassword = \"{CANARY}\"\n",
        broker.address()
    ));
    // The owner's own file is the one place where it stands.
    std::fs::remove_file(rig.hearth.folder.path().join("hearth.toml")).unwrap();
    rig.connected();
    let mut told = Vec::new();
    for to in [
        format!("mqtt://ann:{CANARY}@{}", broker.address()),
        format!("ann:{CANARY}@{}", broker.address()),
        format!("mqtt://ann:{CANARY}@127.0.0.1:{deaf}"),
        format!("mqtt://ann:{CANARY}@198.51.100.7"),
        format!("http://ann:{CANARY}@127.0.0.1"),
        format!("mqtt://ann:{CANARY}@"),
        format!("mqtt://ann:{CANARY}@no-such-host.invalid"),
    ] {
        told.push(rig.mcp.try_ask(
            "tools/call",
            json!({"name": "mqtt_establish_connection", "arguments": {"connection_string": to}}),
        ));
    }
    for (name, args) in [
        ("mqtt_establish_connection", json!({"profile": "barn"})),
        ("mqtt_establish_connection", json!({"connection_strin": format!("x://a:{CANARY}@b")})),
        ("mqtt_establish_connection", json!({"profile": format!("mqtt://a:{CANARY}@b")})),
        ("mqtt_establish_connection", json!({"version": format!("mqtt://a:{CANARY}@b")})),
        ("mqtt_list_active_connections", json!({})),
        ("mqtt_test_connection", json!({})),
        ("mqtt_probe_broker", json!({})),
        ("mqtt_list_topics", json!({})),
    ] {
        let params = json!({"name": name, "arguments": args});
        told.push(rig.mcp.try_ask("tools/call", params));
    }
    for path in
        ["/api/web/state", "/api/web/audit", "/api/web/log", "/metrics", "/health", "/ready"]
    {
        told.push(rig.hearth.get(path).1);
    }
    let opened = told.iter().filter(|answer| answer.to_string().contains("\"connected\"")).count();
    assert!(opened >= 2, "{told:?}");
    for answer in &told {
        assert!(!answer.to_string().contains(CANARY), "{answer}");
    }
    wait_for("the audit log", || {
        let path = rig.hearth.folder.path().join("audit.jsonl");
        std::fs::read_to_string(path).ok().filter(|text| text.contains("mqtt_establish_connection"))
    });
    assert_eq!(rig.hearth.stop(), Some(0));
    let log = rig.hearth.log();
    assert!(log.contains("connected to mqtt://127.0.0.1"), "{log}");
    for (place, bytes) in rig.all_written() {
        assert!(!super::mosquitto::find(&bytes, CANARY.as_bytes()), "it stands in {place}");
    }
}
