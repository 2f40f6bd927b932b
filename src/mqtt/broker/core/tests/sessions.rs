//! Who is let in, and how long what is known of a client stays (sections 3.1, 3.2, 3.14 and 4.1).

use super::rig::{Rig, Wish, stays};
use crate::mqtt::broker::access::Who;
use crate::mqtt::config::Version;

#[test]
fn a_session_stays_for_as_long_as_was_said() {
    let rig = Rig::new();
    let wish = |seconds| Wish { clean: false, properties: stays(seconds), ..Wish::default() };
    let had = |rig: &Rig| rig.connect("a", wish(10)).read()[0].1[0] == 1;
    let first = rig.connect("a", wish(10));
    first.subscribe("x", 1);
    first.vanish();
    rig.wait(9.0);
    let second = rig.connect("a", wish(10));
    assert_eq!(second.read()[0].1[0], 1);
    second.vanish();
    rig.wait(11.0);
    assert!(!had(&rig));
    assert_eq!(rig.core.borrow().sizes().subscriptions, 0);
    let clean = rig.connect("a", Wish { properties: stays(10), ..Wish::default() });
    assert_eq!(clean.read()[0].1[0], 0, "a clean start forgets");
}

#[test]
fn disconnect_may_change_how_long_it_stays() {
    let rig = Rig::new();
    let wish = || Wish { clean: false, properties: stays(10), ..Wish::default() };
    rig.connect("a", wish()).send(0xe0, &[0, 5, 0x11, 0, 0, 0, 100]);
    rig.wait(50.0);
    assert_eq!(rig.connect("a", wish()).read()[0].1[0], 1);
    let short = rig.client("b");
    short.send(0xe0, &[0, 5, 0x11, 0, 0, 0, 100]);
    assert_eq!(short.told_off(), Some(0x82), "0 cannot become more");
}

#[test]
fn in_3_1_1_a_session_that_is_not_clean_stays() {
    let rig = Rig::new();
    let wish = || Wish { version: Version::V4, clean: false, ..Wish::default() };
    rig.connect("a", wish()).vanish();
    rig.wait(3600.0);
    assert_eq!(rig.connect("a", wish()).read(), [(0x20, vec![1, 0])]);
    assert_eq!(rig.connect("", wish()).read(), [(0x20, vec![0, 2])], "it needs a client id");
}

#[test]
fn the_longest_stay_is_the_brokers_and_said() {
    let rig = Rig::with(|limits| limits.session_expiry = 60);
    let client = rig.connect("a", Wish { properties: stays(u32::MAX), ..Wish::default() });
    let welcome = client.read().remove(0).1;
    assert!(welcome.windows(5).any(|part| part == stays(60)), "{welcome:?}");
    client.vanish();
    rig.wait(61.0);
    assert_eq!(rig.core.borrow().sizes().sessions, 0);
}

#[test]
fn a_client_without_an_id_is_given_one() {
    let rig = Rig::new();
    let welcome = rig.connect("", Wish::default()).read().remove(0).1;
    assert!(welcome.windows(9).any(|part| part == b"\x12\0\x06auto-1"), "{welcome:?}");
}

#[test]
fn the_newer_connection_of_a_client_takes_over() {
    let rig = Rig::new();
    let wish = || Wish { clean: false, properties: stays(10), ..Wish::default() };
    let (tx, older) = (rig.client("tx"), rig.connect("a", wish()));
    older.subscribe("#", 1);
    let newer = rig.connect("a", wish());
    assert_eq!(older.told_off(), Some(0x8e));
    assert_eq!(newer.read()[0].1[0], 1);
    // What still comes over the older connection counts for nothing.
    older.send(0xe0, &[]);
    older.vanish();
    tx.publish("x", "y", 1, false);
    assert_eq!(newer.messages(), ["x y 1 0"]);
    let four = rig.older("four");
    rig.older("four");
    assert!(four.outbox.is_ended() && four.read().is_empty(), "3.1.1 has no word for it");
}

#[test]
fn a_silent_client_is_let_go_after_one_and_a_half_times_its_promise() {
    let rig = Rig::new();
    let client = rig.connect("a", Wish { keep_alive: 10, ..Wish::default() });
    client.read();
    rig.wait(14.0);
    client.send(0xc0, &[]);
    assert_eq!(client.read(), [(0xd0, vec![])]);
    rig.wait(14.0);
    assert!(!client.outbox.is_ended());
    rig.wait(1.5);
    assert_eq!(client.told_off(), Some(0x8d));
    let patient = rig.client("b");
    rig.wait(1e6);
    assert!(!patient.outbox.is_ended(), "0 is never");
}

#[test]
fn what_is_due_next_is_known() {
    let rig = Rig::new();
    let _client = rig.connect("a", Wish { keep_alive: 2, ..Wish::default() });
    let now = *rig.now.borrow();
    let due = rig.core.borrow_mut().tick(now);
    assert_eq!((due - now).as_secs(), 3);
}

#[test]
fn a_second_connect_and_a_brokers_packet_end_the_connection() {
    let rig = Rig::new();
    for (first, body) in
        [(0x10, &b"\0\x04MQTT\x05\x02\0\0\0\0\0"[..]), (0x20, &[0, 0]), (0xf0, &[])]
    {
        let client = rig.client("a");
        client.send(first, body);
        assert_eq!(client.told_off(), Some(0x82), "{first:x}");
    }
}

#[test]
fn another_users_session_is_not_taken_over() {
    let rig = Rig::new();
    let wish = || Wish { properties: stays(10), ..Wish::default() };
    let ann = rig.connect_as("a", wish(), Who::anybody("ann"));
    let bob = rig.connect_as("a", wish(), Who::anybody("bob"));
    assert_eq!(bob.read()[0].1[1], 0x87);
    assert!(bob.seat.is_none() && !ann.outbox.is_ended());
}

#[test]
fn an_authentication_of_more_steps_is_not_understood() {
    let rig = Rig::new();
    let properties = b"\x15\0\x05SCRAM".to_vec();
    let client = rig.connect("a", Wish { properties, ..Wish::default() });
    let came = client.read();
    assert_eq!(came[0].1[1], 0x8c);
    assert!(came[0].1.len() > 20, "it is told why");
    let properties = [&b"\x15\0\x05SCRAM"[..], &[0x27, 0, 0, 0, 30]].concat();
    let small = rig.connect("a", Wish { properties, ..Wish::default() });
    assert_eq!(small.read(), [(0x20, vec![0, 0x8c, 0])], "not when it takes so little");
}

#[test]
fn response_information_is_given_to_who_asks() {
    let rig = Rig::new();
    let asks = || Wish { properties: vec![0x19, 1], ..Wish::default() };
    let welcome = rig.connect("a", asks()).read().remove(0).1;
    assert!(welcome.ends_with(b"\x1a\0\x0aresponse/a"), "{welcome:?}");
    let welcome = rig.connect("b", Wish::default()).read().remove(0).1;
    assert!(!welcome.contains(&0x1a));
}
