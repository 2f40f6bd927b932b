//! Topics as resources: listed, read, completed, and told about without the bus.

use crate::harness::{Hearth, SOON, wait_for};
use crate::mqtt::mosquitto::Mosquitto;
use crate::mqtt::web::{heard, listening};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// A client of the local socket: one line, one message.
struct Line {
    lines: BufReader<UnixStream>,
    notices: Vec<Value>,
    next: u64,
}

impl Line {
    fn dial(hearth: &Hearth) -> Line {
        let stream = UnixStream::connect(hearth.folder.path().join("mcp.sock")).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut line = Line { lines: BufReader::new(stream), notices: Vec::new(), next: 0 };
        let client = json!({"name": "test", "version": "0"});
        line.ask(
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}),
        );
        line.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        line
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.lines.get_mut(), "{message}").unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the line ended");
        serde_json::from_str(&line).unwrap()
    }

    fn try_ask(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.hear();
            if message["id"] == id {
                return message;
            }
            self.notices.push(message);
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.try_ask(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// What a resource holds.
    fn read(&mut self, uri: &str) -> Value {
        let result = self.ask("resources/read", json!({ "uri": uri }));
        serde_json::from_str(result["contents"][0]["text"].as_str().unwrap()).unwrap()
    }

    /// Waits for the next notice that a resource changed.
    fn updated(&mut self) -> String {
        loop {
            let notice = if self.notices.is_empty() { self.hear() } else { self.notices.remove(0) };
            if notice["method"] == "notifications/resources/updated" {
                return notice["params"]["uri"].as_str().unwrap().to_owned();
            }
        }
    }
}

#[test]
fn a_topic_is_listed_read_and_completed() {
    let broker = Mosquitto::start();
    let hearth = listening(&broker);
    broker.publish("room/küche/temp", b"21.5", &["-q", "1", "-r"]);
    heard(&hearth, "room/k%C3%BCche/temp", 1);
    let mut line = Line::dial(&hearth);
    let uri = "mqtt://home/topic/room%2Fk%C3%BCche%2Ftemp";
    let mut cursor = Value::Null;
    wait_for("the topic in the list", || {
        let params = if cursor.is_null() { json!({}) } else { json!({ "cursor": cursor }) };
        let page = line.ask("resources/list", params);
        cursor = page["nextCursor"].clone();
        page["resources"].as_array().unwrap().iter().any(|row| row["uri"] == uri).then_some(())
    });
    let templates = line.ask("resources/templates/list", json!({}));
    let template = "mqtt://{session}/topic/{topic}";
    let all = templates["resourceTemplates"].as_array().unwrap();
    assert!(all.iter().any(|row| row["uriTemplate"] == template), "{templates}");
    let complete = json!({
        "ref": {"type": "ref/resource", "uri": template},
        "argument": {"name": "topic", "value": "küche"},
    });
    let values = line.ask("completion/complete", complete)["completion"]["values"].clone();
    assert_eq!(values, json!(["room/küche/temp"]));
    let known = line.read(uri);
    assert_eq!(
        (&known["topic"], &known["payload"]["text"]),
        (&"room/küche/temp".into(), &"21.5".into())
    );
    assert_eq!((&known["count"], &known["qos"]), (&1.into(), &1.into()));
    for missing in
        ["mqtt://home/topic/none", "mqtt://other/topic/x", "mqtt://home/x", "mqtt://home"]
    {
        let answer = line.try_ask("resources/read", json!({ "uri": missing }));
        assert!(answer["error"].is_object(), "{missing}: {answer}");
    }
}

#[test]
fn who_asked_is_told_of_new_messages_and_a_flood_is_gathered() {
    let broker = Mosquitto::start();
    let hearth = listening(&broker);
    for topic in ["w/a", "w/b"] {
        broker.publish(topic, b"0", &["-q", "1"]);
        heard(&hearth, topic, 1);
    }
    let mut line = Line::dial(&hearth);
    let (a, b) = ("mqtt://home/topic/w%2Fa", "mqtt://home/topic/w%2Fb");
    line.ask("resources/subscribe", json!({ "uri": a }));
    broker.publish("w/b", b"1", &["-q", "1"]);
    broker.publish("w/a", b"1", &["-q", "1"]);
    // The other topic had news before it, and nobody asked about that.
    assert_eq!(line.updated(), a);
    assert_eq!(line.read(a)["payload"]["text"], "1");

    line.ask("resources/subscribe", json!({ "uri": b }));
    let began = Instant::now();
    let lines: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
    broker.publish_lines("w/a", &lines, &["-q", "1"]);
    heard(&hearth, "w/a", 2002);
    broker.publish("w/b", b"last", &["-q", "1"]);
    let mut told = 0;
    while line.updated() == a {
        told += 1;
    }
    let most = began.elapsed().as_millis() / 100 + 2;
    assert!((1..=most).contains(&told), "{told} notices in {:?}", began.elapsed());
    assert_eq!(line.read(a)["payload"]["text"], "1999");

    line.ask("resources/unsubscribe", json!({ "uri": a }));
    broker.publish("w/a", b"unheard", &["-q", "1"]);
    broker.publish("w/b", b"heard", &["-q", "1"]);
    assert_eq!(line.updated(), b);
    // The bus carried none of it.
    let events = crate::mqtt::reader::text(&hearth, "/metrics");
    let count = events.lines().find_map(|line| line.strip_prefix("hearth_events_total "));
    assert!(count.unwrap().parse::<f64>().unwrap() < 100.0, "{count:?}");
}
