use super::*;
use crate::mqtt::message::{Properties, Qos};

const START: i64 = 1_795_258_800_000_000;

fn arrived<'a>(at: i64, topic: &'a str, payload: &'a [u8]) -> Arrived<'a> {
    Arrived {
        at: START + at,
        topic,
        payload: Payload::Whole(payload),
        qos: Qos::AtLeastOnce,
        retained: false,
        dup: false,
        properties: None,
    }
}

fn inbox(ring_bytes: usize, topics: usize) -> Inbox {
    Inbox::new(Bounds { ring_bytes, topics })
}

#[test]
fn the_index_knows_what_was_said_and_how_often() {
    let mut inbox = inbox(1 << 20, 100);
    inbox.push(&Arrived { retained: true, ..arrived(0, "a/lamp", b"OFF") });
    for (n, payload) in [(1, &b"ON"[..]), (2, b"ON"), (3, b"OFF"), (4, b"flashing")] {
        inbox.push(&arrived(n * 1_000_000, "a/lamp", payload));
    }
    assert_eq!(inbox.push(&arrived(9, "a/door", b"")), 6);
    let lamp = inbox.topics().get("a/lamp").unwrap();
    assert_eq!((lamp.count, lamp.retained_count, lamp.live_count()), (5, 1, 4));
    assert_eq!((lamp.bytes, lamp.smallest, lamp.largest, lamp.size), (18, 2, 8, 8));
    assert_eq!(lamp.payload.as_deref(), Some(&b"flashing"[..]));
    assert_eq!((lamp.first, lamp.last), (START, START + 4_000_000));
    assert!(lamp.is_retained && lamp.qos == Qos::AtLeastOnce);
    assert_eq!(lamp.last_minute(START + 5_000_000), 4, "what was retained is no traffic");
    assert_eq!((lamp.gaps().count, lamp.gaps().mean), (3, 1.0));
    let names: Vec<_> = inbox.topics().iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["a/door", "a/lamp"]);
    let behind: Vec<_> = inbox.topics().from("a/door", false).map(|(name, _)| &**name).collect();
    assert_eq!(behind, ["a/lamp"]);
    let kept: Vec<_> = inbox.ring().iter().map(|kept| kept.payload.clone().unwrap()).collect();
    assert!(Arc::ptr_eq(&kept[1], &kept[2]), "a repeated payload is kept once");
    let totals = inbox.totals();
    assert_eq!((totals.messages, totals.retained, totals.bytes), (6, 1, 18));
}

#[test]
fn an_empty_message_clears_what_was_retained() {
    let mut inbox = inbox(1 << 20, 100);
    inbox.push(&Arrived { retained: true, ..arrived(0, "a", b"x") });
    assert!(inbox.topics().get("a").unwrap().is_retained);
    inbox.push(&arrived(1, "a", b""));
    assert!(!inbox.topics().get("a").unwrap().is_retained);
}

#[test]
fn both_bounds_hold_and_what_falls_out_is_counted() {
    let mut inbox = inbox(64 << 10, 1000);
    for n in 0..5000_u64 {
        inbox.push(&arrived(n as i64, &format!("topic/{}", n % 2000), &[b'x'; 50]));
        assert!(inbox.ring().bytes() <= 64 << 10);
    }
    let totals = inbox.totals();
    assert_eq!(inbox.topics().len(), 1000);
    assert_eq!(totals.unindexed, 2000, "of 5000 messages, those of the second thousand topics");
    assert_eq!(totals.dropped + inbox.ring().iter().len() as u64, 5000);
    assert!(inbox.ring().iter().len() > 200);
    assert_eq!(inbox.ring().oldest().unwrap().number, totals.dropped + 1);
}

#[test]
fn large_payloads_do_not_break_the_bound_of_the_index() {
    let mut inbox = inbox(1 << 20, 1000);
    let large = vec![0; 1 << 20];
    for n in 0..100 {
        inbox.push(&arrived(n, &format!("camera/{n}"), &large));
    }
    assert!(inbox.topics().bytes() <= INDEX_BYTES, "{}", inbox.topics().bytes());
    assert_eq!(inbox.topics().len(), 100, "the topics themselves are there");
    assert!(inbox.topics().without_payload() >= 68);
    let with = inbox.topics().iter().filter(|(_, topic)| topic.payload.is_some()).count();
    assert_eq!(with + inbox.topics().without_payload(), 100);
    assert_eq!(inbox.topics().get("camera/99").unwrap().size, 1 << 20);
}

#[test]
fn a_message_for_two_subscriptions_counts_once() {
    let by = |n: u32| Properties { subscriptions: vec![n], ..Properties::default() };
    let (one, two) = (by(1), by(2));
    let from =
        |properties, payload| Arrived { properties: Some(properties), ..arrived(0, "a", payload) };
    let mut inbox = inbox(1 << 20, 100);
    assert_eq!(inbox.push(&from(&one, b"x")), 1);
    assert_eq!(inbox.push(&from(&two, b"x")), 1, "the same for the other subscription");
    assert_eq!(inbox.push(&from(&one, b"x")), 2, "sent twice");
    assert_eq!(inbox.push(&from(&two, b"y")), 3, "another");
    assert_eq!(inbox.push(&arrived(0, "a", b"y")), 4, "nobody says for which");
    let totals = inbox.totals();
    assert_eq!((totals.messages, totals.copies), (4, 1));
    assert_eq!(inbox.topics().get("a").unwrap().count, 4);
}

#[test]
fn a_delivery_that_is_marked_as_repeated_counts_once_when_it_had_come() {
    let mut inbox = inbox(1 << 20, 100);
    inbox.push(&arrived(0, "a", b"x"));
    inbox.push(&Arrived { dup: true, ..arrived(1, "a", b"x") });
    inbox.push(&Arrived { dup: true, ..arrived(2, "a", b"y") });
    assert_eq!((inbox.totals().messages, inbox.totals().repeated), (2, 1));
}

#[test]
fn time_away_is_no_gap() {
    let mut inbox = inbox(1 << 20, 100);
    for n in 0..10 {
        inbox.push(&arrived(n * 1_000_000, "a", b"x"));
    }
    inbox.resume(START + 3_600_000_000);
    for n in 3600..3610 {
        inbox.push(&arrived(n * 1_000_000, "a", b"x"));
    }
    let gaps = inbox.topics().get("a").unwrap().gaps();
    assert_eq!((gaps.count, gaps.longest), (18, 1.0));
}

#[test]
fn many_topics_are_found_and_stay_in_order() {
    let mut inbox = inbox(1 << 20, 100_000);
    let name = |n: u64| format!("home/{}/sensor {}", n * 7919 % 20_000, n % 3);
    for n in 0..20_000 {
        inbox.push(&arrived(0, &name(n), b"1"));
    }
    assert_eq!(inbox.topics().len(), 20_000);
    assert!((0..20_000).all(|n| inbox.topics().get(&name(n)).is_some_and(|t| t.count == 1)));
    assert!(inbox.topics().get("home/none").is_none());
    for name in ["$SYS/a", "home", "home-2/a", "home/7", "home/7-a/x", "home/7/a/b"] {
        inbox.push(&arrived(0, name, b"1"));
    }
    for filter in ["#", "home/#", "home/7/#", "home/71/#", "none/#", "$SYS/#"] {
        let read = crate::mqtt::filter::Filter::read(filter).unwrap();
        let count = inbox.topics().iter().filter(|(name, _)| read.matches(name)).count();
        assert_eq!(inbox.topics().count_below(read.below().unwrap()), count, "{filter}");
    }
    let names: Vec<_> = inbox.topics().iter().map(|(name, _)| name.clone()).collect();
    assert!(names.is_sorted() && names.len() == 20_006);
}
