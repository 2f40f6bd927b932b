//! What the page and scripts read: routes, stream, export, metrics.

use crate::harness::{Hearth, Mcp, TOKEN, wait_for};
use crate::mqtt::mosquitto::Mosquitto;
use crate::mqtt::reader::{Events, text};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A Hearth that listens to `broker`.
pub fn listening(broker: &Mosquitto) -> Hearth {
    let hearth = Hearth::serve(&format!("[mqtt]\nbroker = \"{}\"\n", broker.address()));
    connected(&hearth);
    hearth
}

/// Waits until the home's broker is connected.
pub fn connected(hearth: &Hearth) {
    wait_for("the broker", || {
        let status = hearth.get("/api/mqtt/status").1;
        (status["sessions"][0]["state"] == "connected").then_some(())
    });
}

fn get(hearth: &Hearth, path: &str) -> Value {
    let (status, body) = hearth.get(path);
    assert_eq!(status, 200, "{path}: {body}");
    body
}

/// Waits until a topic has so many messages, and returns what is known of it.
pub fn heard(hearth: &Hearth, topic: &str, count: u64) -> Value {
    let path = format!("/api/mqtt/topic?topic={topic}");
    wait_for(topic, || {
        let (status, known) = hearth.get(&path);
        (status == 200 && known["count"] == count).then_some(known)
    })
}

#[test]
fn the_tree_the_topic_and_the_messages_tell_what_was_published() {
    let broker = Mosquitto::start();
    let hearth = listening(&broker);
    broker.publish("t/kitchen/climate", br#"{"temperature":21.5,"ok":true}"#, &["-q", "1"]);
    broker.publish("t/kitchen/climate", br#"{"temperature":22,"ok":true}"#, &["-q", "1"]);
    broker.publish("t/hall", b"\x1f\x8bnot text\xff", &["-q", "2", "-r"]);
    broker.publish("t", b"<script>alert(1)</script>\x07", &["-q", "1"]);
    let known = heard(&hearth, "t/kitchen/climate", 2);
    assert_eq!(known["fields"], json!(["/temperature", "/ok"]));
    assert_eq!(known["payload"]["kind"], "json");
    assert_eq!(known["messages"].as_array().unwrap().len(), 2);
    heard(&hearth, "t/hall", 1);
    heard(&hearth, "t", 1);

    let points = get(&hearth, "/api/mqtt/topic?topic=t/kitchen/climate&field=/temperature");
    let values: Vec<f64> =
        points["points"].as_array().unwrap().iter().map(|p| p[1].as_f64().unwrap()).collect();
    assert_eq!(values, [21.5, 22.0]);

    let top = get(&hearth, "/api/mqtt/topics");
    let row = top["levels"].as_array().unwrap().iter().find(|row| row["name"] == "t").unwrap();
    assert_eq!(
        (&row["topics"], &row["messages"], &row["more"]),
        (&3.into(), &4.into(), &true.into())
    );
    assert_eq!(row["value"]["text"], "<script>alert(1)</script>\\u{7}");
    let below = get(&hearth, "/api/mqtt/topics?below=t&limit=1");
    assert_eq!((&below["levels"][0]["name"], &below["next"]), (&"hall".into(), &"hall".into()));
    assert_eq!(below["levels"][0]["value"]["type"], "gzip");
    let rest = get(&hearth, "/api/mqtt/topics?below=t&after=hall");
    assert_eq!(rest["levels"][0]["name"], "kitchen");
    assert_eq!(rest["next"], Value::Null);

    let some = get(&hearth, "/api/mqtt/messages?filter=t/%2B/climate&limit=1");
    assert_eq!(some["messages"][0]["payload"]["text"], r#"{"temperature":22,"ok":true}"#);
    let next = some["next"].as_u64().unwrap();
    let older = get(&hearth, &format!("/api/mqtt/messages?filter=t/%23&text=21.5&before={next}"));
    assert_eq!(older["messages"].as_array().unwrap().len(), 1);
    assert_eq!(older["next"], Value::Null);
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let broker = Mosquitto::start();
    let hearth = listening(&broker);
    for (path, status, part) in [
        ("/api/mqtt/topic?topic=never/heard", 404, "nothing was heard on 'never/heard'"),
        ("/api/mqtt/messages?filter=a/%23/b", 400, "filter"),
        ("/api/mqtt/messages?colour=red", 400, "colour"),
        ("/api/mqtt/topics?session=none", 404, "session"),
        ("/api/mqtt/nowhere", 404, "/api/mqtt/topics"),
    ] {
        let (got, body) = hearth.get(path);
        assert_eq!(got, status, "{path}: {body}");
        assert!(body["error"]["message"].as_str().unwrap().contains(part), "{path}: {body}");
    }
}

#[test]
fn the_stream_tells_each_message_once_and_goes_on_where_a_reader_left() {
    let broker = Mosquitto::start();
    let hearth = listening(&broker);
    let place = get(&hearth, "/api/mqtt/messages")["place"].as_str().unwrap().to_owned();
    let lines: Vec<String> = (0..300).map(|n| format!("{n}")).collect();
    broker.publish_lines("s/x", &lines, &["-q", "1"]);
    heard(&hearth, "s/x", 300);
    broker.publish("s/y", b"other", &["-q", "1"]);
    let (mut numbers, mut skipped, mut id) = (Vec::new(), 0, String::new());
    let mut events =
        Events::open(&hearth, &format!("/api/mqtt/stream?filter=s/x&after={place}"), None);
    while skipped + numbers.len() < 300 {
        let (name, at, data) = events.next_event();
        assert_eq!(name, "messages", "{data}");
        skipped += usize::try_from(data["skipped"].as_u64().unwrap()).unwrap();
        let texts = data["messages"].as_array().unwrap().iter();
        numbers
            .extend(texts.map(|m| m["payload"]["text"].as_str().unwrap().parse::<u32>().unwrap()));
        id = at;
    }
    assert_eq!(numbers.last(), Some(&299));
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    drop(events);
    broker.publish("s/x", b"300", &["-q", "1"]);
    let mut events = Events::open(&hearth, "/api/mqtt/stream?filter=s/x", Some(&id));
    let (_, _, data) = events.next_event();
    let texts: Vec<_> =
        data["messages"].as_array().unwrap().iter().map(|m| &m["payload"]["text"]).collect();
    assert_eq!(texts, ["300"]);
    let mut events = Events::open(&hearth, "/api/mqtt/stream", Some("another-run-7"));
    assert_eq!(events.next_event().0, "lost");
}

#[test]
fn an_export_holds_every_byte_and_its_checksum() {
    let broker = Mosquitto::start();
    let hearth = listening(&broker);
    let odd = b"\x00\xff\"\n";
    broker.publish("e/odd", odd, &["-q", "1"]);
    broker.publish("e/plain", "grün".as_bytes(), &["-q", "2"]);
    heard(&hearth, "e/plain", 1);
    let body = text(&hearth, "/api/mqtt/export?filter=e/%23");
    let lines: Vec<&str> = body.split_inclusive('\n').collect();
    let read = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    assert_eq!(lines.len(), 4, "{body}");
    assert_eq!(read(lines[0])["filters"], json!(["e/#"]));
    assert_eq!(
        (&read(lines[1])["topic"], &read(lines[1])["base64"]),
        (&"e/odd".into(), &"AP8iCg==".into())
    );
    assert_eq!((&read(lines[2])["payload"], &read(lines[2])["qos"]), (&"grün".into(), &2.into()));
    let end = read(lines[3]);
    let sum = Sha256::digest(lines[..3].concat().as_bytes());
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (&end["messages"], &end["lost"], &end["sha256"]),
        (&2.into(), &0.into(), &hex.into())
    );
}

#[test]
fn the_numbers_of_the_broker_stand_among_the_metrics() {
    let broker = Mosquitto::start();
    let hearth = listening(&broker);
    broker.publish("m/x", b"12345", &["-q", "1"]);
    heard(&hearth, "m/x", 1);
    let text = text(&hearth, "/metrics");
    let value = |name: &str| -> f64 {
        let start = format!("{name}{{session=\"home\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    };
    assert!(value("hearth_mqtt_connected") > 0.5);
    assert!(value("hearth_mqtt_messages_total") >= 1.0);
    assert!(value("hearth_mqtt_payload_bytes_total") >= 5.0);
    assert!(value("hearth_mqtt_topics") >= 1.0);
    let series = get(&hearth, "/api/mqtt/series");
    let length = series["at"].as_array().unwrap().len();
    assert!(length >= 1 && series["messages"].as_array().unwrap().len() == length, "{series}");
}

/// The ports that a Hearth says it listens at besides its own.
fn second_port(hearth: &Hearth) -> String {
    wait_for("the second port", || {
        let log = hearth.log();
        let line = log.lines().find(|line| line.contains("the mqtt page is at "))?;
        line.split("is at ").nth(1).map(|url| url.trim().to_owned())
    })
}

#[test]
fn the_earlier_port_opens_the_page_and_answers_its_monitors() {
    let broker = Mosquitto::start();
    let folder = crate::harness::Folder::new();
    let mut command = crate::harness::hearth(folder.path());
    command.args(["serve", "--only", "mqtt", "--host", "127.0.0.1", "--port", "0"]);
    command.env("AUTH_TOKEN", crate::harness::TOKEN).env("MDNS", "false");
    command.env("DEFAULT_MQTT_BROKER", broker.address()).env("CORS_ORIGINS", "*");
    command.env("WEB_PORT", "0").env("WEB_HOST", "127.0.0.1");
    command.env("WEB_API_URL", "http://localhost:8090");
    let mut hearth = Hearth::start(command, folder);
    hearth.until_ready();
    let second = second_port(&hearth);
    // Who writes an address for a broker reaches Hearth by none of its ports.
    let mut mcp = Mcp::open(&format!("{}/mcp/mqtt", hearth.url), TOKEN);
    let address = second.trim_start_matches("http://");
    let told = mcp.call("mqtt_establish_connection", json!({"connection_string": address}));
    assert!(told.to_string().contains("is Hearth itself"), "{told}");
    // From here on the second port is asked.
    hearth.url = second;
    let (status, health) = hearth.get("/health");
    assert_eq!((status, &health["status"]), (200, &"healthy".into()), "{health}");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
    for name in ["mcp_server", "web_interface"] {
        assert_eq!(health["services"][name], "healthy");
    }
    assert_eq!(health["services"]["mqtt"], "up");
    assert_eq!(hearth.get("/ready").1["ready"], true);
    let page = text(&hearth, "/");
    assert!(page.contains("<meta name=\"hearth-start\" content=\"mqtt\">"), "{page}");
    // Without a token there is health and no more.
    assert_eq!((hearth.status("/health"), hearth.status("/ready")), (200, 200));
    assert_eq!(hearth.status("/api/mqtt/status"), 401);
    assert_eq!(hearth.get("/api/mqtt/status").0, 200);
    drop(broker);
    wait_for("the broker is missed", || (hearth.status("/ready") == 503).then_some(()));
    let (status, health) = hearth.get("/health");
    assert_eq!((status, &health["status"]), (200, &"healthy".into()));
    assert_ne!(health["services"]["mqtt"], "up");
}

#[test]
fn a_token_for_some_entities_is_told_why_it_gets_nothing() {
    let broker = Mosquitto::start();
    let mut hearth = listening(&broker);
    broker.publish("p/x", b"secret", &["-q", "1"]);
    heard(&hearth, "p/x", 1);
    let owner = hearth.token.clone();
    let grant = json!({"level": "control", "entities": {"exposed_only": true}});
    let wish = json!({"name": "tablet", "grant": grant});
    let (status, made) = hearth.post("/api/web/tokens", &wish);
    assert_eq!(status, 200, "{made}");
    hearth.token = made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    for path in [
        "/api/mqtt/status",
        "/api/mqtt/topics",
        "/api/mqtt/topic?topic=p/x",
        "/api/mqtt/messages",
        "/api/mqtt/series",
        "/api/mqtt/stream",
        "/api/mqtt/export",
        "/api/mqtt/recordings",
    ] {
        let (status, answer) = hearth.get(path);
        assert_eq!(status, 403, "{path}: {answer}");
        assert!(
            answer["error"]["message"].as_str().unwrap().contains("only some entities"),
            "{path}"
        );
    }
    hearth.token = owner;
    assert_eq!(hearth.get("/api/mqtt/status").0, 200);
}
