//! Silence, oddities and single devices.

use super::flood;
use super::mosquitto::Mosquitto;
use super::rig::Rig;
use crate::harness::wait_for;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A device that says something each tenth of a second until it is dropped.
struct Device(Child);

impl Device {
    fn start(broker: &Mosquitto, topic: &str) -> Device {
        let (port, many) = (broker.port.to_string(), "10000");
        let mut command = Command::new("mosquitto_pub");
        command.args(["-h", "127.0.0.1", "-p", &port, "-t", topic, "-m", "{\"on\":true}"]);
        command.args(["--repeat", many, "--repeat-delay", "0.1", "-q", "1"]);
        Device(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn silent(rig: &mut Rig) -> (Vec<String>, Value) {
    let told = rig.tool("mqtt_find_silent", json!({"topic_pattern": "home/#"}));
    let rows = told["silent"].as_array().unwrap().iter();
    let mut names: Vec<_> = rows.map(|row| row["topic"].as_str().unwrap().to_owned()).collect();
    names.sort();
    (names, told)
}

#[test]
fn exactly_the_devices_that_stopped_are_silent_and_none_while_we_were_away() {
    let mut broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    let name = |n: usize| format!("home/device{n}/state");
    let mut devices: Vec<Option<Device>> =
        (0..6).map(|n| Some(Device::start(&broker, &name(n)))).collect();
    broker.publish("home/device0/availability", b"offline", &["-r", "-q", "1"]);
    wait_for("their rhythm", || {
        let told = silent(&mut rig).1;
        (told["in_rhythm"].as_u64() >= Some(6)).then_some(())
    });
    let stopped = [1, 4];
    stopped.iter().for_each(|n| devices[*n] = None);
    let want: Vec<String> = stopped.iter().map(|n| name(*n)).collect();
    wait_for("the silence", || (silent(&mut rig).0 == want).then_some(()));
    let (_, told) = silent(&mut rig);
    let row = &told["silent"][0];
    assert!(row["usual_every_seconds"].as_f64().unwrap() < 1.0, "{told}");
    assert_eq!(told["said_offline"][0][0], "home/device0/availability");

    // The broker goes: nobody can be heard, which says nothing of the others.
    broker.kill();
    rig.away("nobody listens");
    devices.clear();
    let gone = Instant::now();
    wait_for("longer than anybody's limit", || {
        let told = silent(&mut rig);
        assert_eq!(told.0, want, "{}", told.1);
        (gone.elapsed() > Duration::from_secs(6)).then_some(())
    });
    broker.again();
    rig.connected();
    let (names, told) = silent(&mut rig);
    assert_eq!(names, want, "{told}");
    let outage = &told["own_outages"][0];
    assert!(outage[1].as_f64().unwrap() > 5.0, "{told}");
}

#[test]
fn a_device_is_found_by_its_topics_and_by_its_announcement() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    let config = br#"{"~":"tele/plug7","name":"Office Plug","uniq_id":"a1","stat_t":"~/STATE","avty_t":"~/LWT"}"#;
    broker.publish("homeassistant/switch/a1/config", config, &["-r", "-q", "1"]);
    broker.publish("tele/plug7/LWT", b"Online", &["-r", "-q", "1"]);
    let lines: Vec<String> = (0..20).map(|n| format!("{{\"POWER\":\"ON\",\"n\":{n}}}")).collect();
    broker.publish_lines("tele/plug7/STATE", &lines, &["-q", "1"]);
    broker.publish("tele/plug7/LOG", b"warning: hot", &["-q", "1"]);
    broker.publish("tele/plug71/STATE", b"{}", &["-q", "1"]);
    wait_for("the device", || {
        let listed = rig.tool("mqtt_list_topics", json!({"pattern": "tele/#"}));
        (listed["topic_count"] == 4).then_some(())
    });
    let names = |told: &Value| {
        let rows = told["device_topics"].as_array().unwrap().iter();
        let mut names: Vec<_> = rows.map(|row| row["topic"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let by_level = rig.tool("mqtt_debug_device", json!({"device_id": "Plug7"}));
    assert_eq!(names(&by_level), ["tele/plug7/LOG", "tele/plug7/LWT", "tele/plug7/STATE"]);
    assert_eq!(by_level["error_messages"][0]["payload"], "warning: hot", "{by_level}");
    assert_eq!(by_level["recent_messages"][0]["payload"]["n"], 19);
    assert_eq!(by_level["debug_summary"]["error_count"], 1);
    let by_name = rig.tool("mqtt_debug_device", json!({"device_id": "Office Plug"}));
    assert_eq!(names(&by_name), ["tele/plug7/LWT", "tele/plug7/STATE"], "{by_name}");
    assert_eq!(by_name["debug_summary"]["device_health"], "healthy");
    broker.publish("tele/plug7/LWT", b"Offline", &["-r", "-q", "1"]);
    wait_for("the last will", || {
        let told = rig.tool("mqtt_debug_device", json!({"device_id": "office plug"}));
        (told["debug_summary"]["device_health"] == "offline").then_some(())
    });
    let said = rig.fails("mqtt_debug_device", json!({"device_id": "nobody"}));
    assert!(said.contains("nobody"), "{said}");
}

#[test]
fn rates_and_latency_are_true_and_our_own_messages_are_not_among_them() {
    let broker = Mosquitto::start();
    let mut rig = Rig::at(&broker.address(), "listen = [\"#\"]\n");
    rig.connected();
    let lines: Vec<String> = (0..120).map(|n| n.to_string()).collect();
    broker.publish_lines("home/meter", &lines, &["-q", "1"]);
    rig.messages(120);
    let told = rig.tool("mqtt_monitor_performance", json!({"latency": true}));
    let rates = &told["throughput_metrics"];
    assert_eq!(
        (&rates["messages_last_minute"], &rates["messages"]),
        (&json!(120), &json!(120)),
        "{told}"
    );
    assert_eq!(rates["busiest_topics_last_minute"], json!([[120, "home/meter"]]));
    let latency = told["latency_metrics"].as_array().unwrap();
    for (qos, row) in latency.iter().enumerate() {
        assert_eq!((&row["sent"], &row["received"]), (&json!(10), &json!(10)), "QoS {qos}: {told}");
        assert!(row["round_trip"]["min_ms"].as_f64().unwrap() > 0.0);
    }
    assert!(told["memory_metrics"]["current_memory_mb"].as_f64().unwrap() > 1.0);
    let after = rig.tool("mqtt_monitor_performance", json!({}));
    assert_eq!(after["latency_metrics"], Value::Null, "nothing is sent unasked");
    assert_eq!(after["throughput_metrics"]["messages"], 120, "probes are no traffic");
    assert_eq!(after["session_metrics"]["own_probes_left_out"], 30);
}

#[test]
fn what_the_broker_threw_away_is_told() {
    let broker = Mosquitto::with("allow_anonymous true\nsys_interval 1\n");
    let mut rig = Rig::at(&broker.address(), "listen = [\"home/#\", \"$SYS/#\"]\n");
    rig.connected();
    let dropped = |rig: &mut Rig| {
        let told = rig.tool("mqtt_monitor_performance", json!({}));
        told["session_metrics"]["broker_dropped"].as_u64()
    };
    assert_eq!(dropped(&mut rig), None);
    // A client that does not read: the broker fills what lies between, and then its queue.
    let sleeper = broker.listen(&["flood/#"], "%t");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(sleeper.pid()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    let flood: Vec<_> = (0..40_000).map(|n| (format!("flood/{n}"), vec![b'x'; 1000])).collect();
    flood::publish(&broker, &flood, false);
    let told = wait_for("the broker's word", || dropped(&mut rig));
    assert!(told > 1000 && told < 40_000, "{told}");
}
