//! Retained messages (section 3.3.1.3).

use super::rig::{Rig, Wish, stays};

#[test]
fn the_newest_is_kept_and_an_empty_one_takes_it_away() {
    let rig = Rig::new();
    let tx = rig.client("tx");
    for payload in ["1", "2"] {
        tx.publish("a/b", payload, 1, true);
    }
    tx.publish("a/b", "live", 0, false);
    tx.publish("a", "x", 0, true);
    tx.publish("ab", "y", 0, true);
    tx.publish("$own/a", "z", 0, true);
    for (filter, expected) in [
        ("a/#", vec!["a x 0 1", "a/b 2 1 1"]),
        ("+", vec!["a x 0 1", "ab y 0 1"]),
        ("#", vec!["a x 0 1", "a/b 2 1 1", "ab y 0 1"]),
        ("a/b", vec!["a/b 2 1 1"]),
        ("$own/+", vec!["$own/a z 0 1"]),
        ("c/#", vec![]),
    ] {
        let rx = rig.client("rx");
        rx.subscribe(filter, 2);
        assert_eq!(rx.messages(), expected, "{filter}");
    }
    tx.publish("a/b", "", 0, true);
    let rx = rig.client("rx");
    rx.subscribe("a/b", 0);
    assert!(rx.messages().is_empty());
}

#[test]
fn a_retained_message_that_ran_out_is_gone() {
    let rig = Rig::new();
    let tx = rig.client("tx");
    tx.publish_with("a", "x", (0, 0), true, &[0x02, 0, 0, 0, 5]);
    rig.wait(6.0);
    let rx = rig.client("rx");
    rx.subscribe("a", 0);
    assert!(rx.messages().is_empty());
    let before = rig.core.borrow().sizes().retained;
    rig.wait(120.0);
    assert_eq!(rig.core.borrow().sizes().retained, before - 1, "and its room is free");
}

#[test]
fn thousands_come_whole_at_every_level() {
    const COUNT: usize = 30_000;
    let rig = Rig::new();
    let tx = rig.client("tx");
    for n in 0..COUNT {
        tx.publish(&format!("t/{n:06}"), "x", (n % 2) as u8, true);
    }
    tx.read();
    for qos in [0, 1] {
        let rx = rig.client("rx");
        rx.subscribe("#", qos);
        let mut got = Vec::new();
        loop {
            let came = rx.read();
            if came.is_empty() {
                break;
            }
            for (first, body) in came {
                let topic = String::from_utf8(body[2..10].to_vec()).unwrap();
                if first & 6 != 0 {
                    rx.send(0x40, &body[10..12]);
                }
                got.push(topic);
            }
        }
        let expected: Vec<String> = (0..COUNT).map(|n| format!("t/{n:06}")).collect();
        assert!(got == expected, "{} of {COUNT} came at QoS {qos}", got.len());
    }
    let counts = rig.core.borrow().counts();
    assert_eq!((counts.dropped_slow, counts.dropped_full), (0, 0));
}

#[test]
fn a_search_that_a_lost_connection_broke_off_goes_on() {
    let rig = Rig::new();
    let tx = rig.client("tx");
    for n in 0..600 {
        tx.publish(&format!("t/{n:03}"), "x", 1, true);
    }
    let wish = || Wish { clean: false, properties: stays(60), ..Wish::default() };
    let rx = rig.connect("rx", wish());
    rx.subscribe("t/#", 1);
    let first = rx.messages().len();
    rx.vanish();
    let rx = rig.connect("rx", wish());
    let mut topics = std::collections::BTreeSet::new();
    loop {
        let came = rx.read();
        if came.is_empty() {
            break;
        }
        for (kind, body) in came.iter().filter(|(kind, _)| kind >> 4 == 3) {
            topics.insert(body[2..7].to_vec());
            assert!(kind & 6 == 2);
            rx.send(0x40, &body[7..9]);
        }
    }
    assert!(first < 600 && topics.len() == 600, "{first} and {}", topics.len());
}
