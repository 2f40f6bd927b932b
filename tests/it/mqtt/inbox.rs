//! What has arrived, and the tools that read it; each defect of the original is a test here.

use super::flood;
use super::mosquitto::Mosquitto;
use super::rig::Rig;
use crate::harness::wait_for;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn rows(answer: &Value) -> Vec<Value> {
    answer["messages"].as_array().unwrap_or_else(|| panic!("no messages in {answer}")).clone()
}

/// Every row of a list, part after part.
fn all(rig: &mut Rig, tool: &str, field: &str, args: &Value) -> Vec<Value> {
    let (mut all, mut args) = (Vec::new(), args.clone());
    loop {
        let answer = rig.tool(tool, args.clone());
        assert!(answer.to_string().len() <= 8192, "{} bytes", answer.to_string().len());
        all.extend(answer[field].as_array().unwrap().iter().cloned());
        match answer["next"].as_str() {
            Some(next) => args["cursor"] = next.into(),
            None => return all,
        }
    }
}

fn count(rig: &mut Rig, pattern: &str) -> u64 {
    let listed = rig.tool("mqtt_list_topics", json!({"pattern": pattern}));
    listed["topic_count"].as_u64().unwrap()
}

#[test]
fn what_is_kept_is_what_mosquitto_sub_hears_byte_for_byte() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    let heard = broker.listen(&["#"], "%t %q %r %x");
    let large = vec![0xa5_u8; 100_000];
    let said: [(&str, &[u8], &[&str]); 9] = [
        ("home/lamp", b"{\"state\":\"ON\"}", &["-q", "1"]),
        ("home/lamp", b"OFF\n\r\0\xff", &["-q", "2"]),
        ("home/k\u{fc}che", "21,5 \u{b0}C".as_bytes(), &["-q", "0"]),
        ("home/lamp", &large, &["-q", "1"]),
        ("home//empty/level/", b" ", &["-q", "1"]),
        ("home/kept", b"x", &["-r", "-q", "1"]),
        ("home/kept", b"", &["-r", "-q", "1"]),
        ("home/word", b"home/kept 0 0 78", &["-q", "2"]),
        // With QoS 2 like the one before: a message of QoS 1 may overtake that.
        ("home/last", b"end", &["-q", "2"]),
    ];
    said.iter().for_each(|(topic, payload, more)| broker.publish(topic, payload, more));
    let lines = heard.until(|line| line.starts_with(b"home/last "));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let theirs: Vec<String> = lines
        .iter()
        .map(|line| String::from_utf8(line.clone()).unwrap())
        .filter(|line| line.starts_with("home/"))
        .map(|line| short(&line))
        .collect();
    assert_eq!(theirs.len(), said.len() - 1);
    wait_for("the last message", || (count(&mut rig, "home/last") == 1).then_some(()));
    // The export gives every byte; the tools show what an answer holds.
    let export = super::reader::text(&rig.hearth, "/api/mqtt/export?filter=home/%23");
    let ours: Vec<String> = export
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|row| row["topic"].is_string() && row["topic"] != "home/last")
        .map(|row| {
            let payload = exported(&row);
            let retain = u8::from(row["retain"] == true);
            let topic = row["topic"].as_str().unwrap();
            short(&format!("{topic} {} {retain} {}", row["qos"], hex(&payload)))
        })
        .collect();
    // Messages keep their order within a topic and QoS only (MQTT 5, section 4.6).
    let sorted = |mut lines: Vec<String>| {
        lines.sort_by_key(|line| line.split(' ').take(2).collect::<String>());
        lines
    };
    let (ours, theirs) = (sorted(ours), sorted(theirs));
    assert!(ours == theirs, "ours:\n{}\ntheirs:\n{}", ours.join("\n"), theirs.join("\n"));
}

/// A long line by its beginning, its length and its checksum.
fn short(line: &str) -> String {
    use sha2::{Digest as _, Sha256};
    match line.get(..100) {
        Some(begin) => format!("{begin}… {} {:x?}", line.len(), Sha256::digest(line.as_bytes())),
        None => line.to_owned(),
    }
}

/// The payload of a line of the export.
fn exported(row: &Value) -> Vec<u8> {
    match (row["payload"].as_str(), row["base64"].as_str()) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(bytes)) => unbase64(bytes),
        _ => panic!("no payload in {row}"),
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let digits: Vec<u32> =
        digits.map(|b| LETTERS.iter().position(|l| *l == b).unwrap() as u32).collect();
    let mut out = Vec::new();
    for four in digits.chunks(4) {
        let number = four.iter().fold(0, |n, d| n << 6 | d) << (6 * (4 - four.len()));
        out.extend(number.to_be_bytes()[1..four.len()].iter());
    }
    out
}

#[test]
fn a_schema_knows_json_and_holds_for_what_it_did_not_see() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    let line = |n: usize| {
        format!(
            "{{\"temperature\":{}.5,\"humidity\":{},\"state\":\"{}\"}}",
            18 + n % 5,
            40 + n % 11,
            ["ON", "OFF"][n % 2]
        )
    };
    let lines: Vec<String> = (0..100).map(line).collect();
    broker.publish_lines("zigbee2mqtt/sensor", &lines, &["-q", "1"]);
    broker.publish_lines("zigbee2mqtt/other", &lines[..20], &["-q", "1"]);
    broker.publish("zigbee2mqtt/word", b"online", &[]);
    wait_for("the messages", || {
        let told = rig.tool("mqtt_get_topic_schema", json!({"topic_pattern": "zigbee2mqtt/+"}));
        (told["payload_types"]["object"] == 120 && told["topic_count"] == 3).then_some(())
    });
    let told = rig.tool("mqtt_get_topic_schema", json!({"topic_pattern": "zigbee2mqtt/sensor"}));
    assert_eq!(
        (&told["sample_count"], &told["payload_types"]),
        (&json!(100), &json!({"object": 100}))
    );
    assert!(told["confidence"].as_f64().unwrap() > 0.98, "{told}");
    let schema = &told["schema"];
    assert_eq!(schema["required"], json!(["temperature", "humidity", "state"]), "{schema}");
    assert_eq!(schema["properties"]["temperature"]["x-seen"], json!([18.5, 22.5]));
    assert_eq!(schema["properties"]["humidity"]["type"], "integer");
    let deep = rig.tool(
        "mqtt_get_topic_schema",
        json!({"topic_pattern": "zigbee2mqtt/sensor", "path": "state"}),
    );
    assert_eq!(deep["schema"]["type"], "string");
    let none = rig.tool("mqtt_get_topic_schema", json!({"topic_pattern": "nothing/here"}));
    assert_eq!(none["status"], "no_data");

    // Unseen values of the same sort are no finding; an injected change is, by name and place.
    let mut second = rig.hearth.mcp("/mcp/mqtt");
    let watching = std::thread::spawn(move || {
        let args = json!({"topic_pattern": "zigbee2mqtt/sensor", "seconds": 30,
                          "max_per_second": 10_000});
        second.tool("mqtt_watch_topics", args)
    });
    let until_watched = Instant::now();
    let mut unseen = 100;
    while !watching.is_finished() {
        assert!(until_watched.elapsed() < Duration::from_secs(30), "the drift was not noticed");
        let mut more: Vec<String> = (unseen..unseen + 50).map(line).collect();
        unseen += 50;
        if unseen > 400 {
            more.push(r#"{"temperature":21.5,"humidity":41,"state":"ON","pressure":1013}"#.into());
        }
        broker.publish_lines("zigbee2mqtt/sensor", &more, &["-q", "1"]);
    }
    let told = watching.join().unwrap();
    let finding = &told["finding"];
    assert_eq!(
        (&finding["kind"], &finding["topic"]),
        (&json!("drift"), &json!("zigbee2mqtt/sensor")),
        "{told}"
    );
    assert_eq!(finding["detail"], json!({"what": "new_field", "place": "pressure", "found": 1013}));
}

#[test]
fn a_collect_lasts_as_asked_counts_all_and_shows_real_qos() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    let mut other = rig.hearth.mcp("/mcp/mqtt");
    let mut third = rig.hearth.mcp("/mcp/mqtt");
    let args = json!({"topic_pattern": "busy/#", "duration_seconds": 3});
    let (one, two) = (args.clone(), args);
    // Two at once, on one connection: neither throws the other out.
    let collects = [
        std::thread::spawn(move || other.tool("mqtt_subscribe_and_collect", one)),
        std::thread::spawn(move || third.tool("mqtt_subscribe_and_collect", two)),
    ];
    let mut sent = 0;
    while !collects.iter().all(|collect| collect.is_finished()) {
        let lines: Vec<String> = (sent..sent + 300).map(|n| format!("{{\"n\":{n}}}")).collect();
        broker.publish_lines("busy/bee", &lines, &["-q", "1"]);
        sent += 300;
        // Meanwhile other questions are answered.
        let began = Instant::now();
        rig.tool("mqtt_get_last", json!({"topic": "busy/#"}));
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    for collect in collects {
        let told = collect.join().unwrap();
        let came = told["original_message_count"].as_u64().unwrap();
        let took = told["collection_duration_seconds"].as_f64().unwrap();
        assert!((3.0..4.0).contains(&took), "{took} s");
        assert!(came > 500 && came <= sent, "{came} of {sent}");
        assert_eq!(told["missed"], Value::Null);
        let shown = rows(&told);
        assert!(shown.len() <= 50 && told["message_count"] == shown.len(), "{told}");
        assert!(shown.iter().all(|row| row["qos"] == 1 && row["payload"]["n"].is_u64()), "{told}");
        let stats = &told["pruning_stats"];
        assert_eq!((&stats["received"], &told["pruning_applied"]), (&json!(came), &json!(true)));
        assert_eq!(told["busiest_topics"], json!([["busy/bee", came]]));
    }
}

#[test]
fn a_filter_that_is_not_listened_to_is_heard_for_the_time_asked() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "listen = [\"heard/#\"]\n");
    rig.connected();
    broker.publish("other/kept", b"was", &["-r", "-q", "1"]);
    let mut second = rig.hearth.mcp("/mcp/mqtt");
    let collect = std::thread::spawn(move || {
        let args = json!({"topic_pattern": "other/#", "duration_seconds": 3});
        second.tool("mqtt_subscribe_and_collect", args)
    });
    while !collect.is_finished() {
        broker.publish("other/live", b"is", &["-q", "1"]);
    }
    let told = collect.join().unwrap();
    assert_eq!(told["own_subscription"], true);
    let shown = rows(&told);
    assert_eq!(
        (&shown[0]["payload"], &shown[0]["retain"]),
        (&json!("was"), &json!(true)),
        "{told}"
    );
    assert!(shown.iter().any(|row| row["payload"] == "is" && row["retain"] == false));
    assert_eq!(count(&mut rig, "other/#"), 0, "the session itself heard nothing of it");
}

#[test]
fn twenty_thousand_retained_topics_are_listed_at_once_and_all_of_them() {
    let broker = Mosquitto::start();
    let name =
        |n: usize| format!("homeassistant/sensor/device{:03}/entity{:03}/config", n / 100, n % 100);
    let all_said: Vec<_> = (0..20_000).map(|n| (name(n), b"{\"name\":\"x\"}".to_vec())).collect();
    flood::publish(&broker, &all_said, true);
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    wait_for("all topics", || (count(&mut rig, "homeassistant/#") == 20_000).then_some(()));
    let began = Instant::now();
    let first = rig.tool("mqtt_list_topics", json!({"pattern": "homeassistant/#"}));
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(first["topic_count"], 20_000);
    let one = json!({"pattern": "homeassistant/+/device123/#"});
    let some = all(&mut rig, "mqtt_list_topics", "topics", &one);
    assert_eq!(some, (12_300..12_400).map(|n| json!(name(n))).collect::<Vec<_>>());
    let detailed = json!({"pattern": "homeassistant/sensor/device007/#", "details": true});
    let detailed = all(&mut rig, "mqtt_list_topics", "topics", &detailed);
    assert_eq!(detailed.len(), 100);
    let is_quiet = |row: &Value| row["retained"] == true && row["last_minute"] == 0;
    assert!(detailed.iter().all(is_quiet), "what was retained is no traffic: {}", detailed[0]);
    let top = rig.tool("mqtt_get_tree", json!({}));
    let level = top["levels"].as_array().unwrap().iter().find(|l| l["level"] == "homeassistant");
    assert_eq!(level.unwrap()["topics"], 20_000);
    let below = json!({"prefix": "homeassistant/sensor", "depth": 1});
    assert_eq!(all(&mut rig, "mqtt_get_tree", "levels", &below).len(), 200);
}

#[test]
fn a_search_finds_by_every_means_and_says_what_is_lost() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "keep_mb = 1\nlisten = [\"#\"]\n");
    rig.connected();
    let said = |n: usize| {
        let payload =
            format!("{{\"n\":{n},\"list\":[{{\"id\":{}}}],\"pad\":\"{}\"}}", n % 7, "x".repeat(60));
        (format!("room/{}/sensor", n % 10), payload.into_bytes())
    };
    flood::publish(&broker, &(0..20_000).map(said).collect::<Vec<_>>(), false);
    broker.publish("room/3/lamp", b"An ERROR: lamp\x07 \xe2\x80\xae stuck", &["-q", "1"]);
    wait_for("the last", || (count(&mut rig, "room/3/lamp") == 1).then_some(()));
    let ask = |rig: &mut Rig, args: Value| rig.tool("mqtt_search_messages", args);
    let by_text = ask(&mut rig, json!({"text": "error: LAMP"}));
    assert_eq!(rows(&by_text).len(), 1);
    let shown = rows(&by_text)[0]["payload"].to_string();
    assert!(!shown.contains('\u{7}') && !shown.contains('\u{202e}'), "{shown}");
    assert!(by_text["older_dropped"].as_u64().unwrap() > 1000, "{by_text}");
    assert!(by_text["kept_since"].as_str().unwrap().ends_with('Z'));
    let by_pattern = json!({"regex": r#""n":1999\d,"#, "topic_pattern": "room/+/sensor"});
    let numbers: Vec<_> = all(&mut rig, "mqtt_search_messages", "messages", &by_pattern)
        .iter()
        .map(|row| row["payload"]["n"].clone())
        .collect();
    assert_eq!(numbers, (19_990..20_000).rev().map(|n| json!(n)).collect::<Vec<_>>());
    let by_place = json!({"where": "list[0].id == 3", "topic_pattern": "room/5/#"});
    let found = all(&mut rig, "mqtt_search_messages", "messages", &by_place);
    let numbers: Vec<u64> = found.iter().map(|row| row["payload"]["n"].as_u64().unwrap()).collect();
    assert!(numbers.len() > 30 && numbers.iter().all(|n| n % 7 == 3 && n % 10 == 5), "{numbers:?}");
    assert!(numbers.windows(2).all(|two| two[0] == two[1] + 70), "none is missing: {numbers:?}");
    let compared = json!({"where": "n >= 19995"});
    assert_eq!(all(&mut rig, "mqtt_search_messages", "messages", &compared).len(), 5);
    let none = ask(&mut rig, json!({"until": "1h"}));
    assert_eq!(rows(&none).len(), 0);
    let retained = ask(&mut rig, json!({"retained": true, "topic_pattern": "room/#"}));
    assert_eq!(rows(&retained).len(), 0);
    let values = json!({"topic": "room/9/sensor", "path": "n", "limit": 5});
    let history = rig.tool("mqtt_get_history", values);
    let numbers: Vec<_> = rows(&history).iter().map(|pair| pair[1].clone()).collect();
    assert_eq!(numbers, [19_999, 19_989, 19_979, 19_969, 19_959].map(|n| json!(n)));
    for (args, word) in [
        (json!({"regex": "("}), "regular expression"),
        (json!({"where": "n >"}), "place in the JSON"),
        (json!({"from": "yesterday"}), "no time"),
        (json!({"topic_pattern": "a/#/b"}), "last level"),
        (json!({"cursor": "after:7"}), "next"),
    ] {
        let said = rig.fails("mqtt_search_messages", args.clone());
        assert!(said.contains(word), "{args}: {said}");
    }
}

#[test]
fn a_long_payload_is_told_in_parts_without_a_gap() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    let rows: Vec<Value> = (0..900).map(|n| json!({"n": n, "name": "k\u{fc}che \"1\""})).collect();
    let text = Value::from(rows).to_string();
    broker.publish("zigbee2mqtt/bridge/devices", text.as_bytes(), &["-r", "-q", "1"]);
    wait_for("the list", || (count(&mut rig, "zigbee2mqtt/#") == 1).then_some(()));
    let (mut whole, mut offset) = (String::new(), 0);
    loop {
        let args = json!({"topic": "zigbee2mqtt/bridge/devices", "offset": offset});
        let row = rows_of_one(&rig.tool("mqtt_get_last", args));
        assert_eq!(row["size"], text.len());
        whole += row["payload"].as_str().unwrap();
        match row["next_offset"].as_u64() {
            Some(next) => offset = next,
            None => break,
        }
    }
    assert!(whole == text, "{} of {} bytes", whole.len(), text.len());
}

fn rows_of_one(answer: &Value) -> Value {
    assert_eq!(rows(answer).len(), 1, "{answer}");
    rows(answer)[0].clone()
}

#[test]
fn each_tool_that_reads_is_short_in_the_catalogue() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    let listed = rig.mcp.ask("tools/list", json!({}));
    let ours = [
        "mqtt_list_topics",
        "mqtt_get_last",
        "mqtt_get_tree",
        "mqtt_get_history",
        "mqtt_search_messages",
        "mqtt_subscribe_and_collect",
        "mqtt_get_topic_schema",
        "mqtt_debug_device",
        "mqtt_monitor_performance",
        "mqtt_find_silent",
        "mqtt_watch_topics",
    ];
    let tools = listed["tools"].as_array().unwrap();
    for name in ours {
        let tool = tools.iter().find(|tool| tool["name"] == name);
        let tool = tool.unwrap_or_else(|| panic!("no {name}"));
        let bytes = tool.to_string().len();
        assert!(bytes <= 1250, "{name} costs {bytes} bytes: {tool}");
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{name}");
    }
}
