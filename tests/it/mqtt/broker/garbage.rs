//! What is not well formed ends its connection, with the reason, and nothing else.

use super::raw::{Raw, connect, packet, subscribe, text};
use super::start;

/// Bytes, and the reason with which the broker closes; 0 is without a word.
fn after_connect() -> Vec<(&'static str, Vec<u8>, u8)> {
    let publish =
        |first: u8, topic: &str, rest: &[u8]| packet(first, &[&text(topic), rest].concat());
    vec![
        ("a type that is none", vec![0x00, 0x00], 0x81),
        ("a length of five bytes", vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01], 0x81),
        ("a length longer than needed", vec![0xc0, 0x80, 0x00], 0x81),
        ("a packet larger than announced", vec![0x30, 0xff, 0xff, 0xff, 0x7f], 0x95),
        ("flags of PINGREQ", vec![0xc1, 0x00], 0x81),
        ("a body of PINGREQ", vec![0xc0, 0x01, 0x00], 0x81),
        ("QoS 3", publish(0x36, "a", &[0, 1, 0]), 0x81),
        ("dup at QoS 0", publish(0x38, "a", &[0]), 0x81),
        ("identifier 0", publish(0x32, "a", &[0, 0, 0]), 0x82),
        ("an empty topic", publish(0x30, "", &[0]), 0x82),
        ("a wildcard in a topic", publish(0x30, "a/+", &[0]), 0x90),
        ("a topic that ends early", packet(0x30, &[0, 9, b'a']), 0x81),
        ("a topic that is no UTF-8", packet(0x30, &[0, 2, 0xc3, 0x28, 0]), 0x81),
        ("a surrogate", packet(0x30, &[0, 3, 0xed, 0xa0, 0x80, 0]), 0x81),
        ("U+0000", packet(0x30, &[0, 1, 0, 0]), 0x81),
        ("a property that is none", publish(0x30, "a", &[2, 0x7f, 0]), 0x81),
        ("a property of another packet", publish(0x30, "a", &[5, 0x11, 0, 0, 0, 1]), 0x81),
        ("a property twice", publish(0x30, "a", &[4, 0x01, 0, 0x01, 0]), 0x82),
        ("properties that end early", publish(0x30, "a", &[9, 0x01]), 0x81),
        ("a subscription identifier", publish(0x30, "a", &[2, 0x0b, 1]), 0x82),
        ("a flag that is 2", publish(0x30, "a", &[2, 0x01, 2]), 0x82),
        ("a wildcard to answer to", publish(0x30, "a", &[4, 0x08, 0, 1, b'#']), 0x82),
        ("no filter", packet(0x82, &[0, 1, 0]), 0x82),
        ("flags of SUBSCRIBE", packet(0x80, &[0, 1, 0, 0, 1, b'a', 0]), 0x81),
        ("reserved bits", packet(0x82, &[0, 1, 0, 0, 1, b'a', 0xc0]), 0x81),
        ("retain handling 3", packet(0x82, &[0, 1, 0, 0, 1, b'a', 0x30]), 0x82),
        ("a filter without options", packet(0x82, &[0, 1, 0, 0, 1, b'a']), 0x81),
        ("identifier 0 of a subscription", packet(0x82, &[0, 1, 2, 0x0b, 0, 0, 1, b'a', 0]), 0x82),
        ("flags of PUBREL", packet(0x60, &[0, 1]), 0x81),
        ("a reason that is none", packet(0x40, &[0, 1, 0x03]), 0x81),
        ("a reason of DISCONNECT that is none", packet(0xe0, &[0x03]), 0x81),
        ("a second CONNECT", connect("b", &[]), 0x82),
        ("a packet of a broker", packet(0x20, &[0, 0, 0]), 0x82),
        ("an authentication", packet(0xf0, &[]), 0x82),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_packets_end_their_connection_with_the_reason() {
    let (broker, tasks) = start();
    for (what, bytes, reason) in after_connect() {
        let mut raw = Raw::enter(&broker, "a", &[]);
        raw.send(&bytes);
        let last = raw.last().map(|(first, body)| (first, body[0]));
        assert_eq!(last, Some((0xe0, reason)), "{what}");
    }
    let mut raw = Raw::enter(&broker, "a", &[]);
    raw.send(&[0xc0, 0]);
    assert_eq!(raw.next(), Some((0xd0, vec![])), "the others go on");
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_connect_is_answered_where_the_client_can_understand() {
    let (broker, tasks) = start();
    let five = |flags: u8, rest: &[u8]| {
        packet(0x10, &[&text("MQTT")[..], &[5, flags, 0, 0], rest].concat())
    };
    let four = |level: u8, flags: u8, rest: &[u8]| {
        packet(0x10, &[&text("MQTT")[..], &[level, flags, 0, 0], rest].concat())
    };
    for (what, bytes, answer) in [
        ("no CONNECT", subscribe("a", 0), None),
        (
            "another protocol",
            packet(0x10, &[&text("HTTP")[..], &[5, 2, 0, 0, 0, 0, 0]].concat()),
            None,
        ),
        ("not even that", b"GET / HTTP/1.1\r\n\r\n".to_vec(), None),
        ("an older version", four(3, 2, &text("a")), Some(vec![0, 1])),
        ("a newer version", four(6, 2, &text("a")), Some(vec![0, 0x84])),
        ("a reserved flag", five(3, &[&[0][..], &text("a")].concat()), Some(vec![0, 0x81])),
        ("QoS of no will", five(0x0a, &[&[0][..], &text("a")].concat()), Some(vec![0, 0x81])),
        (
            "a user that is missing",
            five(0x82, &[&[0][..], &text("a")].concat()),
            Some(vec![0, 0x81]),
        ),
        ("more than it says", five(2, &[&[0][..], &text("a"), &[1]].concat()), Some(vec![0, 0x81])),
        (
            "a receive maximum of 0",
            five(2, &[&[3, 0x21, 0, 0][..], &text("a")].concat()),
            Some(vec![0, 0x82]),
        ),
        ("no id to keep", four(4, 0, &text("")), Some(vec![0, 2])),
        (
            "a password without a user",
            four(4, 0x42, &[text("a"), text("b")].concat()),
            Some(vec![0, 3]),
        ),
    ] {
        let mut raw = Raw::open(&broker);
        raw.send(&bytes);
        let last = raw.last();
        let said = last.as_ref().map(|(first, body)| (*first, body[..2].to_vec()));
        assert_eq!(said, answer.map(|answer| (0x20, answer)), "{what}: {last:?}");
    }
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_damaged_packets_leave_the_broker_as_it_was() {
    let (broker, tasks) = start();
    let mut whole = connect("fuzz", &[0x21, 0, 5, 0x22, 0, 5]);
    whole.extend(subscribe("a/#", 1));
    whole.extend(packet(0x32, &[&text("a/b")[..], &[0, 7, 3, 0x23, 0, 1], b"payload"].concat()));
    whole.extend(packet(0x34, &[&text("a/c")[..], &[0, 8, 0], b"x"].concat()));
    whole.extend(packet(0x62, &[0, 8]));
    whole.extend(packet(0xa2, &[&[0, 9, 0][..], &text("a/#")].concat()));
    whole.extend([0xc0, 0, 0xe0, 0]);
    // Numerical Recipes' generator: the same bytes at every run.
    let mut seed = 1u32;
    let mut dice = |sides: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % sides
    };
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        for _ in 0..=dice(4) {
            let at = dice(bytes.len());
            match dice(3) {
                0 => bytes[at] = dice(256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, dice(256) as u8),
            }
        }
        Raw::open(&broker).send(&bytes);
    }
    let mut raw = Raw::enter(&broker, "after", &[]);
    raw.send(&subscribe("x", 1));
    raw.send(&packet(0x30, &[&text("x")[..], &[0], b"y"].concat()));
    assert_eq!(raw.next().unwrap().0, 0x90);
    assert_eq!(raw.next(), Some((0x30, [&text("x")[..], &[0], b"y"].concat())));
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_connection_takes_over_and_the_older_is_told() {
    let (broker, tasks) = start();
    let mut older = Raw::enter(&broker, "same", &[]);
    let mut newer = Raw::enter(&broker, "same", &[]);
    assert_eq!(older.last().map(|(first, body)| (first, body[0])), Some((0xe0, 0x8e)));
    newer.send(&[0xc0, 0]);
    assert_eq!(newer.next(), Some((0xd0, vec![])));
    tasks.stop().await;
    assert_eq!(newer.last().map(|(first, body)| (first, body[0])), Some((0xe0, 0x8b)), "it ends");
}
