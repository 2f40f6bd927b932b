//! Sessions of tools: whose they are, how many, when they end, and where they may lead.

use super::fake::Fake;
use super::mosquitto::Mosquitto;
use super::rig::Rig;
use crate::harness::{Mcp, hearth, wait_for};
use serde_json::{Value, json};

/// Makes a token by the command line.
fn token(rig: &Rig, args: &[&str]) -> String {
    let mut command = hearth(rig.hearth.folder.path());
    let made = command.args(["token", "new"]).args(args).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn open(rig: &Rig, token: &str) -> Mcp {
    Mcp::open(&format!("{}/mcp/mqtt", rig.hearth.url), token)
}

fn ids(mcp: &mut Mcp) -> Vec<String> {
    let listed = mcp.tool("mqtt_list_active_connections", json!({}));
    let all = listed["connections"].as_array().unwrap();
    all.iter().map(|c| c["session_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_session_is_opened_used_listed_and_closed() {
    let broker = Mosquitto::start();
    broker.publish("kept/one", b"1", &["-r"]);
    let mut rig = Rig::start("");
    assert!(rig.fails("mqtt_list_topics", json!({})).contains("no broker is configured"));
    for version in ["5", "3.1.1"] {
        let url = format!("mqtt://127.0.0.1:{}/my-client", broker.port);
        let args = json!({"connection_string": url, "version": version});
        let opened = rig.tool("mqtt_establish_connection", args);
        assert_eq!(opened["broker"], "127.0.0.1");
        assert_eq!(opened["port"], broker.port);
        assert_eq!(opened["status"], "connected");
        assert_eq!(opened["version"], version);
        let at = opened["created_at"].as_str().unwrap();
        assert!(at.len() == 20 && at.ends_with('Z') && at.contains('T'), "{at}");
        let id = opened["session_id"].as_str().unwrap().to_owned();
        wait_for("the retained message", || {
            let listed = rig.tool("mqtt_list_topics", json!({"session_id": id}));
            listed.to_string().contains("kept/one").then_some(())
        });
        assert_eq!(ids(&mut rig.mcp), [id.as_str()]);
        let log = std::fs::read_to_string(broker.folder.path().join("mosquitto.log")).unwrap();
        assert!(log.contains("my-client"), "{log}");
        let closed = rig.tool("mqtt_close_connection", json!({"session_id": id}));
        assert_eq!(closed["status"], "closed");
        assert!(ids(&mut rig.mcp).is_empty());
        assert!(
            rig.fails("mqtt_list_topics", json!({"session_id": id})).contains("no such session")
        );
        assert!(
            rig.fails("mqtt_close_connection", json!({"session_id": id}))
                .contains("no such session")
        );
        // A friendly end: the broker has no reason to send a last will.
        wait_for("the end at the broker", || {
            let log = std::fs::read_to_string(broker.folder.path().join("mosquitto.log")).unwrap();
            log.contains("my-client disconnected").then_some(())
        });
    }
}

#[test]
fn a_session_belongs_to_its_token_and_ends_with_it() {
    let broker = Mosquitto::start();
    let mut rig = Rig::start("");
    let (ann, bob) = (token(&rig, &["ann", "--level", "control"]), token(&rig, &["bob"]));
    let (mut as_ann, mut as_bob) = (open(&rig, &ann), open(&rig, &bob));
    let url = format!("mqtt://127.0.0.1:{}/anns-own", broker.port);
    let args = json!({"connection_string": url});
    let opened = as_ann.tool("mqtt_establish_connection", args);
    let id = json!({"session_id": opened["session_id"]});
    assert_eq!(ids(&mut as_ann).len(), 1);
    assert!(ids(&mut as_bob).is_empty() && ids(&mut rig.mcp).is_empty());
    for tool in ["mqtt_list_topics", "mqtt_close_connection", "mqtt_test_connection"] {
        let told = rig.fails(tool, id.clone());
        assert!(told.contains("no such session"), "{told}");
    }
    let revoked = hearth(rig.hearth.folder.path()).args(["token", "revoke", "ann"]).status();
    assert!(revoked.unwrap().success());
    wait_for("the end of the session at the broker", || {
        let log = std::fs::read_to_string(broker.folder.path().join("mosquitto.log")).unwrap();
        log.contains("anns-own disconnected").then_some(())
    });
}

#[test]
fn there_are_only_so_many_and_unused_ones_end() {
    let broker = Mosquitto::start();
    let mut rig = Rig::start("max_sessions = 2\nsession_ttl = 2\n");
    let args = json!({"connection_string": broker.address()});
    for _ in 0..2 {
        rig.tool("mqtt_establish_connection", args.clone());
    }
    let told = rig.fails("mqtt_establish_connection", args.clone());
    assert!(told.contains("mqtt.max_sessions") && told.contains("mqtt_close_connection"), "{told}");
    let used = ids(&mut rig.mcp)[0].clone();
    let began = std::time::Instant::now();
    wait_for("the end of the one that is not used", || {
        rig.tool("mqtt_list_topics", json!({"session_id": used}));
        (ids(&mut rig.mcp).len() == 1).then_some(())
    });
    assert!(began.elapsed() > std::time::Duration::from_secs(1));
    assert_eq!(ids(&mut rig.mcp), [used]);
    rig.tool("mqtt_establish_connection", args);
}

#[test]
fn a_profile_needs_no_password_from_an_assistant() {
    let broker = Mosquitto::start();
    let mut rig = Rig::start(&format!(
        "[[mqtt.profiles]]\nname = \"barn\"\nbroker = \"{}\"\nversion = \"3.1.1\"\n",
        broker.address()
    ));
    let opened = rig.tool("mqtt_establish_connection", json!({"profile": "barn"}));
    assert_eq!(opened["version"], "3.1.1");
    let listed = rig.tool("mqtt_list_active_connections", json!({}));
    assert_eq!(listed["connections"][0]["profile"], "barn");
    let told = rig.fails("mqtt_establish_connection", json!({"profile": "shed"}));
    assert!(told.contains("there are: barn"), "{told}");
    let both = json!({"profile": "barn", "connection_string": "x"});
    assert!(rig.fails("mqtt_establish_connection", both).contains("not both"));
    let none = rig.fails("mqtt_establish_connection", json!({}));
    assert!(none.contains("connection_string") && none.contains("profile"), "{none}");
}

#[test]
fn the_default_broker_of_the_original_is_heard_and_may_be_opened_again() {
    let broker = Mosquitto::start();
    let folder = crate::harness::Folder::new();
    let mut command = hearth(folder.path());
    command.args(["serve", "--only", "mqtt", "--host", "127.0.0.1", "--port", "0"]);
    command.env("AUTH_TOKEN", crate::harness::TOKEN).env("DEFAULT_MQTT_BROKER", broker.address());
    command.env("MAX_CONNECTIONS", "1").env("SESSION_TTL", "77").env("CONNECTION_TIMEOUT", "7");
    let hearth = crate::harness::Hearth::start(command, folder);
    let mcp = hearth.mcp("/mcp/mqtt");
    let mut rig = Rig { hearth, mcp };
    rig.connected();
    let opened = rig.tool("mqtt_establish_connection", json!({}));
    assert_eq!((&opened["port"], &opened["expires_in_seconds"]), (&json!(broker.port), &json!(77)));
    assert!(rig.fails("mqtt_establish_connection", json!({})).contains("mqtt.max_sessions"));
}

/// What connecting to an address says.
fn connect(rig: &mut Rig, to: &str) -> String {
    rig.fails("mqtt_establish_connection", json!({"connection_string": to}))
}

#[test]
fn an_assistant_cannot_look_around_in_the_network() {
    let mut rig = Rig::start("connect_seconds = 2\n");
    let own = rig.hearth.url.trim_start_matches("http://").to_owned();
    for (to, word) in [
        ("mqtt://169.254.169.254:80", "no broker has"),
        ("mqtt://[::ffff:169.254.169.254]:80", "no broker has"),
        ("ws://0.0.0.0:7123", "no broker has"),
        ("mqtt://198.51.100.7", "mqtt.allow_hosts"),
        (&own, "is Hearth itself"),
        ("mqtt://127.0.0.1:6379/%0d%0aFLUSHALL%0d%0a", "control characters"),
        ("ws://192.168.1.1/reboot", "mqtt.profiles"),
    ] {
        let told = connect(&mut rig, to);
        assert!(told.contains(word), "{to}: {told}");
    }
    // Whether somebody listens, and what, is not told.
    let deaf = super::mosquitto::free_port();
    let web = Fake::start(|peer, _| {
        use std::io::Write;
        let _ = peer.read();
        let _ = peer.stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let mute = Fake::start(|peer, _| drop(peer.idle()));
    let told = [deaf, web.port, mute.port].map(|port| {
        let told = connect(&mut rig, &format!("127.0.0.1:{port}"));
        told.replace(&port.to_string(), "")
    });
    assert!(told[0].contains("no MQTT connection was made"), "{}", told[0]);
    assert!(told[0] == told[1] && told[1] == told[2], "{told:?}");
    // And not often.
    let told = (0..10).map(|_| connect(&mut rig, "mqtt://198.51.100.7")).collect::<Vec<_>>();
    assert!(told.last().unwrap().contains("10 times a minute"), "{told:?}");
}

#[test]
fn what_the_owner_allows_and_names_is_reached() {
    let broker = Mosquitto::start();
    let mut rig = Rig::start(&format!(
        "allow_hosts = [\"localhost\"]\n[[mqtt.profiles]]\nname = \"a\"\nbroker = \"{}\"\n",
        broker.address()
    ));
    for to in [broker.address(), format!("mqtt://localhost:{}", broker.port)] {
        let args = json!({"connection_string": to});
        assert_eq!(rig.tool("mqtt_establish_connection", args)["status"], "connected");
    }
}

#[test]
fn a_token_for_some_entities_sees_no_topics() {
    let broker = Mosquitto::start();
    let rig = Rig::at(&broker.address(), "read_only = false\n");
    let narrow = token(&rig, &["narrow", "--level", "control", "--area", "kitchen"]);
    let mut as_narrow = open(&rig, &narrow);
    let each: [(&str, Value); 6] = [
        ("mqtt_list_topics", json!({})),
        ("mqtt_list_active_connections", json!({})),
        ("mqtt_establish_connection", json!({"connection_string": broker.address()})),
        ("mqtt_publish_message", json!({"topic": "a", "payload": "b"})),
        ("mqtt_test_connection", json!({})),
        ("mqtt_send_request", json!({"topic": "a"})),
    ];
    for (tool, args) in each {
        let told = as_narrow.call(tool, args);
        assert_eq!(told["isError"], true, "{tool}: {told}");
        assert!(told.to_string().contains("only some entities"), "{tool}: {told}");
    }
}
