//! QoS 0 to 2 both ways (MQTT 5, sections 3.3 and 4.3 to 4.6).

use super::rig::{Rig, Wish, stays, text};

fn ack(id: u16) -> [u8; 2] {
    id.to_be_bytes()
}

#[test]
fn every_level_is_answered_and_lowered_to_what_was_asked_for() {
    let rig = Rig::new();
    let (tx, rx) = (rig.client("tx"), rig.client("rx"));
    assert_eq!(rx.subscribe("a", 1), 1);
    tx.publish("a", "0", 0, false);
    tx.publish("a", "1", 1, false);
    tx.publish("a", "2", 2, false);
    assert_eq!(tx.read(), [(0x40, vec![0, 7]), (0x50, vec![0, 7])]);
    tx.send(0x62, &ack(7));
    assert_eq!(tx.read(), [(0x70, vec![0, 7])]);
    assert_eq!(rx.messages(), ["a 0 0 0", "a 1 1 0", "a 2 1 0"]);
}

#[test]
fn a_message_that_nobody_hears_says_so() {
    let rig = Rig::new();
    let tx = rig.client("tx");
    tx.publish("a", "", 1, false);
    assert_eq!(tx.read(), [(0x40, vec![0, 7, 0x10])]);
    let older = rig.older("older");
    older.publish("a", "", 1, false);
    assert_eq!(older.read(), [(0x40, vec![0, 7])]);
}

#[test]
fn a_qos_2_message_sent_twice_is_delivered_once() {
    let rig = Rig::new();
    let (tx, rx) = (rig.client("tx"), rig.client("rx"));
    rx.subscribe("a", 0);
    tx.publish("a", "x", 2, false);
    let mut again = text("a");
    again.extend([0, 7, 0, b'x']);
    tx.send(0x3c, &again);
    assert_eq!(rx.messages(), ["a x 0 0"]);
    tx.send(0x62, &ack(7));
    tx.send(0x62, &ack(7));
    let answers = tx.read();
    assert_eq!(answers[2], (0x70, vec![0, 7]));
    // The second release is of nothing, which is said, and why.
    assert_eq!((answers[3].0, &answers[3].1[..3]), (0x70, &[0, 7, 0x92][..]));
    tx.publish("a", "new", 2, false);
    assert_eq!(rx.messages(), ["a new 0 0"]);
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_order() {
    let rig = Rig::new();
    let wish = || Wish { clean: false, properties: stays(60), ..Wish::default() };
    let tx = rig.client("tx");
    let rx = rig.connect("rx", wish());
    rx.subscribe("#", 2);
    tx.publish_with("a", "1", (1, 1), false, &[]);
    tx.publish_with("a", "2", (2, 2), false, &[]);
    tx.publish_with("a", "3", (1, 3), false, &[]);
    assert_eq!(rx.messages(), ["a 1 1 0", "a 2 2 0", "a 3 1 0"]);
    rx.send(0x50, &ack(2));
    assert_eq!(rx.read(), [(0x62, vec![0, 2])]);
    rx.send(0x40, &ack(3));
    rx.vanish();
    let rx = rig.connect("rx", wish());
    let came = rx.read();
    assert_eq!(came[0].1[0], 1, "the session is there");
    assert_eq!((came[1].0, &came[1].1[3..5]), (0x3a, &[0, 1][..]), "marked as sent again");
    assert_eq!(came[2], (0x62, vec![0, 2]));
    assert_eq!(came.len(), 3);
    rx.send(0x40, &ack(1));
    rx.send(0x70, &ack(2));
    rx.vanish();
    assert_eq!(rig.connect("rx", wish()).read().len(), 1, "nothing is open any more");
}

#[test]
fn a_client_gets_no_more_at_once_than_it_takes() {
    let rig = Rig::new();
    let (tx, rx) = (
        rig.client("tx"),
        rig.connect("rx", Wish { properties: vec![0x21, 0, 2], ..Wish::default() }),
    );
    rx.subscribe("#", 1);
    rx.read();
    for payload in ["1", "2", "3", "4"] {
        tx.publish("a", payload, 1, false);
    }
    tx.publish("a", "quick", 0, false);
    assert_eq!(rx.messages(), ["a 1 1 0", "a 2 1 0", "a quick 0 0"]);
    rx.send(0x40, &ack(1));
    assert_eq!(rx.messages(), ["a 3 1 0"]);
    rx.send(0x40, &ack(9));
    assert!(rx.messages().is_empty(), "an answer to nothing opens no window");
    rx.send(0x40, &ack(2));
    assert_eq!(rx.messages(), ["a 4 1 0"]);
}

#[test]
fn a_refused_qos_2_message_is_over() {
    let rig = Rig::new();
    let (tx, rx) = (
        rig.client("tx"),
        rig.connect("rx", Wish { properties: vec![0x21, 0, 1], ..Wish::default() }),
    );
    rx.subscribe("#", 2);
    rx.read();
    tx.publish_with("a", "1", (2, 1), false, &[]);
    tx.publish_with("a", "2", (2, 2), false, &[]);
    assert_eq!(rx.messages(), ["a 1 2 0"]);
    rx.send(0x50, &[0, 1, 0x83]);
    assert_eq!(rx.messages(), ["a 2 2 0"], "no release, and the next one comes");
}

#[test]
fn properties_travel_and_expiry_counts_down() {
    let rig = Rig::new();
    let wish = || Wish { clean: false, properties: stays(60), ..Wish::default() };
    let (tx, rx) = (rig.client("tx"), rig.connect("rx", wish()));
    rx.subscribe("#", 1);
    rx.vanish();
    let user = [&[0x26][..], &text("k"), &text("v")].concat();
    let mut properties = [&[0x02, 0, 0, 0, 10][..], &user, &[0x01, 1]].concat();
    properties
        .extend([&[0x08][..], &text("back"), &[0x09], &text("id"), &[0x03], &text("t")].concat());
    tx.publish_with("a", "x", (1, 1), false, &properties);
    tx.publish_with("a", "short", (1, 2), false, &[0x02, 0, 0, 0, 2]);
    rig.wait(3.5);
    let rx = rig.connect("rx", wish());
    let came = rx.read();
    assert_eq!(came.len(), 2, "the one that ran out is gone: {came:?}");
    properties[4] = 7;
    assert!(came[1].1.windows(properties.len()).any(|part| part == properties), "{came:?}");
    let older = rig.older("older");
    older.subscribe("#", 0);
    tx.publish_with("a", "x", (0, 0), false, &properties);
    assert_eq!(older.read(), [(0x30, [text("a"), b"x".to_vec()].concat())]);
}

#[test]
fn topic_aliases_shorten_both_ways() {
    let rig = Rig::new();
    let (tx, rx) = (
        rig.client("tx"),
        rig.connect("rx", Wish { properties: vec![0x22, 0, 1], ..Wish::default() }),
    );
    rx.subscribe("#", 0);
    rx.read();
    tx.publish_with("long/topic", "1", (0, 0), false, &[0x23, 0, 5]);
    tx.publish_with("", "2", (0, 0), false, &[0x23, 0, 5]);
    tx.publish("other", "3", 0, false);
    let alias = [3, 0x23, 0, 1];
    assert_eq!(
        rx.read(),
        [
            (0x30, [&text("long/topic")[..], &alias, b"1"].concat()),
            (0x30, [&text("")[..], &alias, b"2"].concat()),
            (0x30, [&text("other")[..], &[0], b"3"].concat()),
        ]
    );
    for (topic, alias, code) in [("", 6u8, 0x82), ("x", 65, 0x94)] {
        let tx = rig.client("tx2");
        tx.publish_with(topic, "", (0, 0), false, &[0x23, 0, alias]);
        assert_eq!(tx.told_off(), Some(code));
    }
}

#[test]
fn what_is_larger_than_the_client_takes_is_not_sent() {
    let rig = Rig::new();
    let (tx, rx) = (
        rig.client("tx"),
        rig.connect("rx", Wish { properties: vec![0x27, 0, 0, 0, 30], ..Wish::default() }),
    );
    rx.subscribe("#", 1);
    rx.read();
    tx.publish("a", &"x".repeat(40), 1, false);
    tx.publish("a", &"x".repeat(40), 0, false);
    tx.publish("a", "small", 1, false);
    assert_eq!(rx.messages(), ["a small 1 0"]);
    assert_eq!(rig.core.borrow().counts().too_large, 2);
}

#[test]
fn clients_of_both_versions_hear_each_other() {
    let rig = Rig::new();
    let (four, five) = (rig.older("four"), rig.client("five"));
    four.subscribe("#", 2);
    five.subscribe("#", 2);
    four.publish("a", "x", 2, false);
    five.publish("b", "y", 2, false);
    assert_eq!(four.messages(), ["a x 2 0", "b y 2 0"]);
    assert_eq!(five.messages(), ["a x 2 0", "b y 2 0"]);
}
