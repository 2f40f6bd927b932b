//! Many topics, and clients that do not keep up.

use super::raw::{Raw, packet, subscribe, text};
use super::{start, start_with};
use crate::mqtt::broker::peers::Sub;
use hearth::mqtt::Embedded;

const TOPICS: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_retained_topics_come_whole() {
    let (broker, tasks) = start();
    let house = broker.join("house", None).unwrap();
    for n in 0..TOPICS {
        house.publish(&format!("t/{}/{n}", n % 100), format!("payload {n}").as_bytes(), true);
    }
    for version in ["mqttv311", "mqttv5"] {
        // The marker is one more.
        let count = (TOPICS + 1).to_string();
        let format = ["-V", version, "-t", "#", "-q", "1", "-F", "%r %t %p"];
        let sub = Sub::start(&broker, &[&format[..], &["-C", &count]].concat());
        let mut lines = sub.all();
        assert_eq!(lines.len(), TOPICS, "{version}");
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), TOPICS, "{version}: one came twice");
        for n in [0, 1, TOPICS - 1] {
            let line = format!("1 t/{}/{n} payload {n}", n % 100);
            assert!(lines.binary_search(&line).is_ok(), "{line}");
        }
    }
    tasks.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_up_nobody_and_is_sent_away() {
    const COUNT: usize = 20_000;
    let settings = Embedded { max_queued: 1000, queued_mb: 1, ..Embedded::default() };
    let (broker, tasks) = start_with(settings);
    let mut stuck = Raw::enter(&broker, "stuck", &[]);
    stuck.send(&subscribe("load", 1));
    assert_eq!(stuck.next().unwrap().0, 0x90);
    let count = (COUNT + 1).to_string();
    let quick = Sub::ready(&broker, &["-t", "load", "-C", &count, "-q", "1", "-F", "%p"]);
    let mut sender = Raw::enter(&broker, "sender", &[]);
    let load = "x".repeat(1000);
    let mut came = 0;
    for n in 0..COUNT {
        let body = [&text("load")[..], &[0, 1, 0], load.as_bytes()].concat();
        sender.send(&packet(0x32, &body));
        let (first, answer) = sender.next().unwrap();
        assert_eq!((first, &answer[..2]), (0x40, &[0, 1][..]), "{n}");
        // The quick one keeps up, however busy the machine is.
        while came + 500 < n {
            assert_eq!(quick.next().len(), load.len());
            came += 1;
        }
    }
    assert_eq!(came + quick.all().len(), COUNT, "the quick one got all");
    let last = stuck.last().unwrap();
    assert_eq!((last.0, last.1[0]), (0xe0, 0x97), "and the stuck one was told");
    tasks.stop().await;
}
