//! Wills (sections 3.1.2.5 and 3.1.3.2).

use super::rig::{Rig, Wish, stays};

fn wish(delay: u32, expiry: u32, clean: bool) -> Wish {
    let properties = [&[0x18][..], &delay.to_be_bytes()].concat();
    let will = Some(("gone", "a", 1, true, properties));
    Wish { clean, properties: stays(expiry), will, ..Wish::default() }
}

#[test]
fn a_will_is_said_when_a_client_vanishes_and_not_when_it_leaves() {
    let rig = Rig::new();
    let rx = rig.client("rx");
    rx.subscribe("gone", 1);
    rig.connect("a", wish(0, 0, true)).send(0xe0, &[]);
    assert!(rx.messages().is_empty());
    rig.connect("a", wish(0, 0, true)).send(0xe0, &[0x04]);
    assert_eq!(rx.messages(), ["gone a 1 0"], "the client asked for it");
    rig.connect("a", wish(0, 0, true)).vanish();
    assert_eq!(rx.messages(), ["gone a 1 0"]);
    let silent = rig.connect("a", Wish { keep_alive: 1, ..wish(0, 0, true) });
    rig.wait(2.0);
    assert_eq!((silent.told_off(), rx.messages().len()), (Some(0x8d), 1));
    rig.connect("a", wish(0, 0, true)).send(0x00, &[]);
    assert_eq!(rx.messages(), ["gone a 1 0"], "a fault is no leaving");
    let late = rig.client("late");
    late.subscribe("gone", 1);
    assert_eq!(late.messages(), ["gone a 1 1"], "it was to be retained");
}

#[test]
fn a_will_waits_for_its_delay_or_the_end_of_the_session() {
    let rig = Rig::new();
    let rx = rig.client("rx");
    rx.subscribe("gone", 0);
    rig.connect("a", wish(5, 60, true)).vanish();
    rig.wait(4.0);
    assert!(rx.messages().is_empty());
    rig.wait(2.0);
    assert_eq!(rx.messages().len(), 1);
    rig.wait(100.0);
    assert!(rx.messages().is_empty(), "once");
    rig.connect("b", wish(50, 3, true)).vanish();
    rig.wait(4.0);
    assert_eq!(rx.messages().len(), 1, "the session ended before");
}

#[test]
fn who_comes_back_in_time_is_not_mourned() {
    let rig = Rig::new();
    let rx = rig.client("rx");
    rx.subscribe("gone", 0);
    rig.connect("a", wish(5, 60, true)).vanish();
    rig.wait(2.0);
    let back = rig.connect("a", wish(5, 60, false));
    rig.wait(20.0);
    assert!(rx.messages().is_empty());
    // Taken over by itself: a will with a delay waits, one without does not.
    rig.connect("a", wish(5, 60, false));
    assert!(back.outbox.is_ended() && rx.messages().is_empty());
    rig.connect("a", wish(5, 60, true));
    assert_eq!(rx.messages().len(), 1, "a clean start ends the session");
    rig.connect("b", wish(0, 60, true));
    rig.connect("b", wish(0, 60, false));
    assert_eq!(rx.messages().len(), 1);
}
