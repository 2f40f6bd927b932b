//! SUBSCRIBE, its options, and shared subscriptions (sections 3.8 and 4.8.2).

use super::rig::{Rig, text};

#[test]
fn overlapping_filters_give_one_message_with_the_highest_level_and_all_identifiers() {
    let rig = Rig::new();
    let (tx, rx) = (rig.client("tx"), rig.client("rx"));
    rx.subscribe_with("a/#", 0, &[0x0b, 1]);
    rx.subscribe_with("a/+", 2, &[0x0b, 0x80, 0x01]);
    rx.subscribe("#", 1);
    tx.publish("a/b", "x", 2, false);
    let came = rx.read();
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].0, 0x34);
    let rest = came[0].1.strip_prefix(&*text("a/b")).unwrap();
    assert_eq!(rest, b"\0\x01\x05\x0b\x01\x0b\x80\x01x");
}

#[test]
fn copies_come_when_they_are_asked_for() {
    let rig = Rig::with(|limits| limits.copies = true);
    let rx = rig.client("rx");
    rx.subscribe("a/#", 0);
    rx.subscribe("a/+", 2);
    rx.publish("a/b", "x", 1, false);
    let mut came = rx.messages();
    came.sort_unstable();
    assert_eq!(came, ["a/b x 0 0", "a/b x 1 0"]);
}

#[test]
fn the_options_of_a_subscription_hold() {
    let rig = Rig::new();
    let (tx, rx) = (rig.client("tx"), rig.client("rx"));
    tx.subscribe("a", 0x04);
    rx.subscribe("a", 0x08);
    tx.publish("a", "x", 0, true);
    assert!(tx.messages().is_empty(), "no local");
    assert_eq!(rx.messages(), ["a x 0 1"], "retain as published");
    for (handling, first, second) in [(0x00, 1, 1), (0x10, 1, 0), (0x20, 0, 0)] {
        let client = rig.client("client");
        client.subscribe("a", handling);
        assert_eq!(client.messages().len(), first, "{handling:x}");
        client.subscribe("a", handling);
        assert_eq!(client.messages().len(), second, "{handling:x}");
    }
}

#[test]
fn what_is_no_filter_is_told_and_the_others_hold() {
    let rig = Rig::new();
    let client = rig.client("a");
    let mut body = vec![0, 3, 0];
    for (filter, qos) in [("a/#/b", 0), ("ok", 2), ("$share/g", 1), ("x+", 1), ("", 0)] {
        body.extend(text(filter));
        body.push(qos);
    }
    client.send(0x82, &body);
    assert_eq!(client.read(), [(0x90, vec![0, 3, 0, 0x8f, 2, 0x8f, 0x8f, 0x8f])]);
    let older = rig.older("b");
    assert_eq!(older.subscribe("a/#/b", 0), 0x80);
    let deep = "a/".repeat(256);
    assert_eq!(client.subscribe(&deep, 0), 0x8f, "the tree has an end");
}

#[test]
fn unsubscribing_ends_it_and_says_what_was_not_there() {
    let rig = Rig::new();
    let (tx, rx) = (rig.client("tx"), rig.client("rx"));
    rx.subscribe("a", 0);
    rx.send(0xa2, &[&[0, 4, 0][..], &text("a"), &text("b")].concat());
    assert_eq!(rx.read(), [(0xb0, vec![0, 4, 0, 0, 0x11])]);
    tx.publish("a", "x", 0, false);
    assert!(rx.messages().is_empty());
    assert_eq!(rig.core.borrow().sizes().subscriptions, 0);
}

#[test]
fn a_group_shares_what_comes_and_others_get_all() {
    let rig = Rig::new();
    let (tx, all) = (rig.client("tx"), rig.client("all"));
    let (one, two) = (rig.client("one"), rig.client("two"));
    tx.publish("a", "old", 0, true);
    all.subscribe("a", 0);
    one.subscribe("$share/g/a", 1);
    two.subscribe("$share/g/a", 1);
    one.subscribe("a", 0);
    assert_eq!(all.messages().len(), 1);
    assert_eq!(one.messages(), ["a old 0 1"], "no retained one for the shared");
    for payload in ["1", "2", "3", "4"] {
        tx.publish("a", payload, 1, false);
    }
    assert_eq!(all.messages().len(), 4);
    assert_eq!(two.messages(), ["a 2 1 0", "a 4 1 0"]);
    let own = one.messages();
    assert_eq!(own.iter().filter(|m| m.ends_with(" 0 0")).count(), 4, "{own:?}");
    assert_eq!(own.iter().filter(|m| m.ends_with(" 1 0")).count(), 2, "{own:?}");
    one.vanish();
    tx.publish("a", "5", 1, false);
    assert_eq!(two.messages(), ["a 5 1 0"]);
    two.send(0x82, &[&[0, 1, 0][..], &text("$share/g/a"), &[4]].concat());
    assert_eq!(two.told_off(), Some(0x82), "no local makes no sense here");
}
