//! What no healthy broker does, by a scripted one: each fault is survived and told.

use super::fake::{Fake, PINGREQ, PUBLISH, Peer};
use super::rig::Rig;
use crate::harness::wait_for;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Waits until the fake said all that it wanted, and Hearth heard the marker behind it.
fn marker(peer: &mut Peer) {
    peer.message(b"the/end", b"1", false, None);
    peer.idle();
}

#[test]
fn a_message_that_is_too_large_is_told_by_its_size_and_nothing_else_is_lost() {
    const MB: usize = 1 << 20;
    for version in ["5", "3.1.1"] {
        let broker = Fake::start(|peer, _| {
            let Some(()) = peer.begin() else { return };
            peer.message(b"small/before", b"1", false, None);
            peer.message(b"large/ten", &vec![b'x'; 10 * MB], true, Some(7));
            // QoS 1: acknowledged like any other, or it would come again for ever.
            let ack = peer.read().unwrap();
            assert_eq!((ack.kind(), &ack.body[..2]), (4, &[0, 7][..]));
            peer.message(b"small/between", b"1", false, None);
            peer.message(b"large/most", &vec![b'x'; 256 * MB - 1024], true, None);
            marker(peer);
        });
        let mut rig = Rig::at(&broker.address(), &format!("version = \"{version}\"\n"));
        rig.connected();
        let before = rig.hearth.rss();
        let mut most = before;
        wait_for("the marker", || {
            most = most.max(rig.hearth.rss());
            let listed = rig.tool("mqtt_list_topics", json!({})).to_string();
            listed.contains("the/end").then_some(())
        });
        let listed = rig.tool("mqtt_list_topics", json!({})).to_string();
        for topic in ["small/before", "large/ten", "small/between", "large/most"] {
            assert!(listed.contains(topic), "{topic} is not in {listed}");
        }
        let home = rig.home();
        assert_eq!((&home["too_large"], &home["messages"]), (&json!(2), &json!(5)), "{home}");
        let grown = most.saturating_sub(before) / MB as u64;
        assert!(grown <= 8, "memory grew by {grown} MB, the limit is 4 MB");
        // One connection, from the beginning to now.
        assert_eq!(broker.visits().len(), 1);
    }
}

#[test]
fn a_broker_that_falls_silent_is_found_out_by_its_missing_pings() {
    let broker = Fake::start(|peer, number| {
        let Some(()) = peer.begin() else { return };
        if number > 0 {
            peer.idle();
        }
        // The first connection stays open and nothing is ever said on it again.
        while peer.read().is_some() {}
    });
    let mut rig = Rig::at(&broker.address(), "keep_alive = 5\n");
    rig.connected();
    let began = Instant::now();
    wait_for("a second connection", || (broker.visits().len() > 1).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    rig.connected();
    assert!(rig.hearth.log().contains("did not answer a ping"), "{}", rig.hearth.log());
}

#[test]
fn a_broker_that_does_not_read_is_left() {
    let broker = Fake::start(|peer, number| {
        let Some(()) = peer.begin() else { return };
        match number {
            0 => std::thread::park(),
            _ => drop(peer.idle()),
        }
    });
    let lines =
        "keep_alive = 5\nread_only = false\ntimeout_seconds = 1\npublishes_per_minute = 9999\n";
    let mut rig = Rig::at(&broker.address(), lines);
    rig.connected();
    // The system takes some for a reader that does not read.
    let large = json!({"topic": "a/b", "payload": "x".repeat(300_000)});
    let stuck = wait_for("a message that does not leave", || {
        let told = rig.tool("mqtt_publish_message", large.clone());
        (told["status"] != "written").then_some(told)
    });
    assert_eq!(stuck["status"], "unknown", "{stuck}");
    wait_for("another connection", || (broker.visits().len() > 1).then_some(()));
    assert!(rig.hearth.log().contains("has not answered for too long"), "{}", rig.hearth.log());
}

#[test]
fn what_is_no_mqtt_is_told_and_not_hammered() {
    for (garble, word) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "no MQTT"),
        (&[0x20, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], "more than four bytes"),
        (&[0x20, 0x80, 0x80, 0x80, 0x7F, 0x01], "of type 2 with 266338304 bytes"),
    ] {
        let broker = Fake::start(move |peer, _| {
            use std::io::Write;
            let _ = peer.read();
            let _ = peer.stream.write_all(garble);
            peer.idle();
        });
        let mut rig = Rig::at(&broker.address(), "connect_seconds = 3\n");
        rig.away(word);
    }
}

#[test]
fn a_topic_that_is_no_text_ends_the_connection_as_the_standard_wants_and_is_not_hammered() {
    for version in ["5", "3.1.1"] {
        let broker = Fake::start(|peer, _| {
            let Some(()) = peer.begin() else { return };
            peer.message(b"bad/\xFF\xFE", b"1", true, None);
            peer.idle();
        });
        let mut rig = Rig::at(&broker.address(), &format!("version = \"{version}\"\n"));
        let why = rig.away("each connection ends at once");
        assert!(why.contains(&format!("what is no MQTT {version}")), "{why}");
        // Three quick ones, then a long pause.
        assert!(pause_after(&rig, "each connection ends at once") > 10.0, "{}", rig.hearth.log());
        assert!(broker.visits().len() <= 4, "{:?}", broker.visits().len());
    }
}

/// How long Hearth said that it waits before it connects again, in seconds.
/// Returns the pause, in seconds, that the log names after a loss with the words `why`; the log may come
/// later than the state.
pub fn pause_after(rig: &Rig, why: &str) -> f64 {
    let line = wait_for(&format!("a line of the log with '{why}'"), || {
        let log = rig.hearth.log();
        let mut lines = log.lines().rev();
        lines.find(|line| line.contains(why) && line.contains("again in ")).map(str::to_owned)
    });
    let last = line.rsplit("again in ").next().unwrap();
    let word = last.split_whitespace().next().unwrap();
    match word.strip_suffix("ms") {
        Some(ms) => ms.parse::<f64>().unwrap() / 1000.0,
        None => word.trim_end_matches('s').parse().unwrap(),
    }
}

#[test]
fn a_client_that_took_our_id_is_not_fought() {
    let broker = Fake::start(|peer, _| {
        let Some(()) = peer.begin() else { return };
        peer.send(0xE0, &[0x8E, 0]);
    });
    let mut rig = Rig::at(&broker.address(), "");
    rig.away("another client with the same client id took over");
    assert!(pause_after(&rig, "took over") > 20.0, "{}", rig.hearth.log());
    assert_eq!(broker.visits().len(), 1);
}

#[test]
fn a_refused_or_weakened_subscription_is_told() {
    let broker = Fake::start(|peer, _| {
        let welcome = peer.welcome();
        if welcome.is_none() || peer.grant(&[0x87, 1]).is_none() {
            return;
        }
        peer.idle();
    });
    let mut rig = Rig::at(&broker.address(), "");
    rig.connected();
    let topics = rig.home()["subscribed_topics"].clone();
    assert_eq!(topics[0], json!({"filter": "#", "refused": "this user may not listen there"}));
    assert_eq!(topics[1], json!({"filter": "$SYS/#", "qos": 1}));
    let (_, ready) = rig.hearth.get("/ready");
    let ready = ready.to_string();
    assert!(ready.contains("'#' is not heard") && ready.contains("QoS 1 at most"), "{ready}");
}

#[test]
fn a_broker_without_mqtt_5_is_spoken_to_in_3_1_1_and_that_is_said() {
    for how in ["code", "cut"] {
        let broker = Fake::start(move |peer, _| {
            let Some(hello) = peer.read() else { return };
            if hello.body[6] == 5 {
                if how == "code" {
                    peer.send(0x20, &[0, 1]);
                }
                return;
            }
            peer.send(0x20, &[0, 0]);
            if peer.grant(&[2, 2]).is_some() {
                marker(peer);
            }
        });
        let mut rig = Rig::at(&broker.address(), "");
        rig.knows("the/end");
        let home = rig.home();
        assert_eq!(home["version"], "3.1.1", "{home}");
        assert!(home["note"].as_str().unwrap().contains("MQTT 3.1.1 is used"), "{home}");
    }
}

/// Publishes and returns the answer.
fn publish(rig: &mut Rig, qos: u8) -> Value {
    let args = json!({"topic": "a/b", "payload": "x", "qos": qos});
    rig.tool("mqtt_publish_message", args)
}

#[test]
fn what_became_of_a_message_is_told_as_it_is() {
    let broker = Fake::start(|peer, _| {
        let Some(()) = peer.begin() else { return };
        let mut seen = 0;
        while let Some(packet) = peer.read() {
            match packet.kind() {
                PINGREQ => drop(peer.send(0xD0, &[])),
                PUBLISH => {
                    let (one, two) = (packet.body[5], packet.body[6]);
                    seen += 1;
                    match seen {
                        1 => drop(peer.send(0x40, &[one, two, 0x10, 0])),
                        2 => drop(peer.send(0x40, &[one, two, 0x87, 0])),
                        3 => {}
                        // The broker took it, or did not: nobody will ever know.
                        _ => return,
                    }
                }
                _ => {}
            }
        }
    });
    let mut rig = Rig::at(&broker.address(), "read_only = false\ntimeout_seconds = 2\n");
    rig.connected();
    let unheard = publish(&mut rig, 1);
    assert_eq!((&unheard["status"], &unheard["heard"]), (&json!("written"), &json!(false)));
    for (status, why) in
        [("not_sent", "may not publish"), ("unknown", "in time"), ("unknown", "lost before")]
    {
        let told = publish(&mut rig, 1);
        assert_eq!(told["status"], status, "{told}");
        assert!(told["why"].as_str().unwrap().contains(why), "{told}");
    }
}

#[test]
fn a_message_is_never_sent_twice() {
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = sent.clone();
    let broker = Fake::start(move |peer, _| {
        let Some(()) = peer.begin() else { return };
        while let Some(packet) = peer.read() {
            match packet.kind() {
                PINGREQ => drop(peer.send(0xD0, &[])),
                PUBLISH => {
                    count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    return;
                }
                _ => {}
            }
        }
    });
    let mut rig = Rig::at(&broker.address(), "read_only = false\n");
    for many in 1..=2 {
        rig.connected();
        assert_eq!(publish(&mut rig, 2)["status"], "unknown");
        wait_for("the next connection", || (broker.visits().len() > many).then_some(()));
        rig.connected();
        assert_eq!(sent.load(std::sync::atomic::Ordering::SeqCst), many);
    }
}

#[test]
fn a_broker_that_is_away_is_not_hammered() {
    // It takes the connection and hangs up, as a proxy does whose broker is down.
    let broker = Fake::start(|_, _| {});
    let mut rig = Rig::at(&broker.address(), "version = \"3.1.1\"\n");
    rig.away("closed the connection");
    let began = Instant::now();
    wait_for("eight attempts", || (broker.visits().len() >= 8).then_some(()));
    assert!(began.elapsed() > Duration::from_secs(4), "{:?}", began.elapsed());
    let visits = broker.visits();
    let longest = visits.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    assert!(longest < Duration::from_millis(2500), "{longest:?}");
}
