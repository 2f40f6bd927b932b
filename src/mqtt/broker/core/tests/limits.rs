//! Every store has a bound, and who meets it is told.

use super::rig::{Rig, Wish, stays, text};
use crate::config::Secret;
use crate::mqtt::broker::access::{Access, Who};
use crate::mqtt::broker::config::{Embedded, User};

#[test]
fn a_slow_client_loses_qos_0_and_is_cut_off_at_qos_1() {
    let rig = Rig::with(|limits| (limits.queued, limits.queued_bytes) = (300, 64 * 1024));
    let (tx, slow, quick) = (
        rig.client("tx"),
        rig.connect("slow", Wish { properties: stays(60), ..Wish::default() }),
        rig.client("quick"),
    );
    slow.read();
    slow.subscribe("zero", 0);
    slow.subscribe("one", 1);
    quick.subscribe("zero", 0);
    let load = "x".repeat(1000);
    for _ in 0..100 {
        tx.publish("zero", &load, 0, false);
        assert_eq!(quick.messages().len(), 1, "nobody else waits");
    }
    let lost = rig.core.borrow().counts().dropped_slow;
    assert!((30..70).contains(&lost), "{lost}");
    assert_eq!(slow.messages().len() as u64, 100 - lost, "what was not lost came");
    let mut sent = 0;
    while !slow.outbox.is_ended() {
        tx.publish("one", "y", 1, false);
        sent += 1;
        assert!(sent < 1000, "it is never cut off");
    }
    let came = slow.read();
    assert_eq!(came.last().map(|(first, body)| (*first, body[0])), Some((0xe0, 0x97)));
    assert_eq!(rig.core.borrow().counts().cut_off, 1);
    // Its session stays, with what was in its queue.
    let back = rig.connect("slow", Wish { clean: false, properties: stays(60), ..Wish::default() });
    let mut total = 0;
    loop {
        let came = back.read();
        let ids: Vec<_> = came.iter().filter(|(f, _)| f >> 4 == 3).map(|(_, b)| &b[5..7]).collect();
        if ids.is_empty() {
            break;
        }
        total += ids.len();
        ids.iter().for_each(|id| back.send(0x40, id));
    }
    assert_eq!(total, sent - 1, "only the one too many is lost");
    tx.read();
    quick.read();
    assert_eq!(rig.core.borrow().sizes().waiting_bytes, 0);
}

#[test]
fn the_queue_of_who_is_away_has_an_end_and_what_is_lost_is_counted() {
    let rig = Rig::with(|limits| limits.queued = 5);
    let tx = rig.client("tx");
    let rx = rig.connect("rx", Wish { properties: stays(60), ..Wish::default() });
    rx.subscribe("#", 1);
    rx.vanish();
    for n in 0..8 {
        tx.publish("a", &n.to_string(), 1, false);
    }
    assert_eq!(rig.core.borrow().counts().dropped_full, 3);
    let rx = rig.connect("rx", Wish { clean: false, ..Wish::default() });
    assert_eq!(rx.messages(), ["a 0 1 0", "a 1 1 0", "a 2 1 0", "a 3 1 0", "a 4 1 0"]);
}

#[test]
fn all_queues_together_have_an_end_too() {
    let rig = Rig::with(|limits| limits.all_queued_bytes = 10_000);
    let tx = rig.client("tx");
    for id in ["a", "b"] {
        let rx = rig.connect(id, Wish { properties: stays(60), ..Wish::default() });
        rx.subscribe(id, 1);
        rx.vanish();
        for _ in 0..10 {
            tx.publish(id, &"x".repeat(1000), 1, false);
        }
    }
    assert!(rig.core.borrow().sizes().waiting_bytes <= 10_000);
    assert!(rig.core.borrow().counts().dropped_full >= 11);
    tx.read();
    for id in ["a", "b"] {
        rig.connect(id, Wish::default()).read();
    }
    assert_eq!(rig.core.borrow().sizes().waiting_bytes, 0, "a session's end frees its room");
}

#[test]
fn what_lies_before_slow_sockets_counts_with_what_waits() {
    let rig = Rig::with(|limits| limits.all_queued_bytes = 20_000);
    let tx = rig.client("tx");
    let slow = [rig.client("a"), rig.client("b")];
    for client in &slow {
        client.subscribe("load", 0);
    }
    for _ in 0..30 {
        tx.publish("load", &"x".repeat(1000), 0, false);
    }
    assert!(rig.core.borrow().sizes().waiting_bytes <= 20_000);
    let came: usize = slow.iter().map(|client| client.messages().len()).sum();
    assert_eq!(came as u64 + rig.core.borrow().counts().dropped_slow, 60);
    assert!(came > 10, "{came}");
    drop(slow);
    assert_eq!(rig.core.borrow().sizes().waiting_bytes, 0);
}

#[test]
fn clients_sessions_and_subscriptions_are_counted() {
    let rig = Rig::with(|limits| {
        (limits.clients, limits.sessions, limits.subscriptions) = (2, 3, 2);
    });
    let stay = || Wish { properties: stays(60), ..Wish::default() };
    let code = |id| rig.connect(id, stay()).read()[0].1[1];
    let (a, _b) = (rig.connect("a", stay()), rig.connect("b", stay()));
    assert_eq!(code("c"), 0x89);
    assert_eq!(code("a"), 0, "who is there already may come again");
    assert!(a.outbox.is_ended());
    let b = rig.connect("b", stay());
    for (filter, code) in [("1", 0), ("2", 0), ("3", 0x97), ("1", 0)] {
        assert_eq!(b.subscribe(filter, 0), code, "{filter}");
    }
    b.vanish();
    assert_eq!(code("c"), 0);
    rig.connect("c", stay()).vanish();
    assert_eq!(code("d"), 0x97, "three sessions wait already");
}

#[test]
fn the_store_of_retained_messages_has_an_end() {
    let rig = Rig::with(|limits| limits.retained = 2);
    let (tx, rx) = (rig.client("tx"), rig.client("rx"));
    rx.subscribe("#", 0);
    for topic in ["a", "b", "c"] {
        tx.publish(topic, "x", 1, true);
    }
    let came = tx.read();
    assert_eq!((&came[0].1[..], &came[1].1[..]), (&[0, 7][..], &[0, 7][..]));
    assert_eq!(came[2].1[2], 0x97);
    assert_eq!(rx.messages().len(), 3, "it is delivered all the same");
    tx.publish("a", "newer", 0, true);
    tx.publish("b", "", 0, true);
    tx.publish("d", "y", 0, true);
    let late = rig.client("late");
    late.subscribe("#", 0);
    assert_eq!(late.messages(), ["a newer 0 1", "d y 0 1"]);
    assert_eq!(rig.core.borrow().counts().unretained, 1);
}

#[test]
fn more_open_messages_than_agreed_end_the_connection() {
    let rig = Rig::new();
    let tx = rig.client("tx");
    for id in 1..=256 {
        tx.publish_with("a", "", (2, id), false, &[]);
    }
    assert!(!tx.outbox.is_ended());
    tx.publish_with("a", "", (2, 1), false, &[]);
    assert!(!tx.outbox.is_ended(), "one that is open already is not one more");
    tx.publish_with("a", "", (2, 257), false, &[]);
    assert_eq!(tx.told_off(), Some(0x93));
}

#[test]
fn the_access_list_holds_for_reading_writing_and_wills() {
    let user = User {
        name: "bob".into(),
        password: Secret::new("b"),
        read: vec!["tools/#".into()],
        write: vec!["tools/+/set".into()],
        ..User::default()
    };
    let config = Embedded { users: vec![user], ..Embedded::default() };
    let access = Access::new(&config, Secret::new("own"));
    let bob = || access.check(Some("bob"), Some(b"b"), false).unwrap();
    let rig = Rig::new();
    let rx = rig.connect_as("rx", Wish::default(), Who::anybody("ann"));
    rx.subscribe("#", 0);
    rx.read();
    let tx = rig.connect_as("tx", Wish::default(), bob());
    tx.read();
    for (filter, code) in [("tools/#", 0), ("#", 0x87), ("$share/g/#", 0x87), ("$SYS/#", 0x87)] {
        assert_eq!(tx.subscribe(filter, 0), code, "{filter}");
    }
    tx.publish("tools/saw/set", "on", 1, false);
    tx.publish("house/door/set", "open", 1, false);
    tx.publish("house/door/set", "open", 2, false);
    let came = tx.read();
    let answers = came.iter().filter(|(first, _)| first >> 4 != 3);
    let answers: Vec<_> = answers.map(|(first, body)| (*first, body.get(2).copied())).collect();
    assert_eq!(answers, [(0x40, None), (0x40, Some(0x87)), (0x50, Some(0x87))]);
    assert_eq!(rx.messages(), ["tools/saw/set on 0 0"]);
    let will = Some(("house/door", "x", 0, false, Vec::new()));
    let refused = rig.connect_as("will", Wish { will, ..Wish::default() }, bob());
    assert_eq!(refused.read()[0].1[1], 0x87);
    let anybody = rig.client("anybody");
    anybody.send(0x32, &[&text("$SYS/broker/uptime")[..], &[0, 1, 0]].concat());
    assert_eq!(anybody.read()[0].1[2], 0x87, "only the broker speaks there");
}
