//! WLED's sound packets, sent as a WLED sends them.

use super::rig::Ears;
use hearth::aurora::listen::Doing;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

/// A packet of version 2: level of 255, one loud channel.
fn packet(level: f32, channel: usize) -> Vec<u8> {
    let mut bytes = b"00002\0\0\0".to_vec();
    bytes.extend(level.to_le_bytes());
    bytes.extend(level.to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend((0..16).map(|k| if k == channel { 200 } else { 0 }));
    bytes.extend([0, 0]);
    bytes.extend(50.0f32.to_le_bytes());
    bytes.extend(220.0f32.to_le_bytes());
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_of_a_wled_become_frames_and_their_end_is_silence() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut ears = Ears::open(&format!("wled:127.0.0.1:{port}"));
    ears.until_it_is(Doing::Listening);
    let report = ears.listening.report();
    assert_eq!((report.rate, &*report.form), (None, "levels of 16 channels"));
    let wled = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ticking = tokio::spawn({
        let wled = wled.try_clone().unwrap();
        async move {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            for _ in 0..50 {
                tick.tick().await;
                wled.send_to(b"nonsense", ("127.0.0.1", port)).unwrap();
                wled.send_to(&packet(128.0, 5), ("127.0.0.1", port)).unwrap();
            }
        }
    });
    let heard = ears.until("a packet", |heard| heard.frame.level.open);
    let frame = &heard.frame;
    assert!((frame.sixteen[5] - 200.0 / 255.0).abs() < 1e-3, "{:?}", frame.sixteen);
    assert!(frame.three[1] > 0.7 && frame.three[0] == 0.0 && !frame.beat.there);
    assert!((frame.level.peak - 128.0 / 255.0).abs() < 1e-3, "{:?}", frame.level);
    assert_eq!(frame.chroma[9], 1.0, "220 Hz is A");
    ticking.await.unwrap();
    ears.until("silence when the packets end", |heard| {
        !heard.frame.level.open && heard.frame.sixteen == [0.0; 16]
    });
    ears.stop().await;
}

const GROUP: &str = "listen::wled::packets_to_the_group_are_heard_without_any_setting";
const INSIDE: &str = "HEARTH_TEST_WLED_GROUP";

/// In a network of its own, whose only cable is the loopback.
#[test]
fn packets_to_the_group_are_heard_without_any_setting() {
    if std::env::var_os(INSIDE).is_some() {
        return heard_by_the_group();
    }
    let possible = Command::new("unshare").args(["--net", "ip", "link"]).output();
    if !possible.is_ok_and(|run| run.status.success()) {
        println!("skipped: {GROUP}: needs root, unshare and ip");
        return;
    }
    let mut command = Command::new("unshare");
    command.arg("--net").arg(std::env::current_exe().unwrap());
    let run = command.args(["--exact", GROUP, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(run.status.success() && said.contains("the group was heard"), "{said}");
}

fn heard_by_the_group() {
    for args in ["link set lo up multicast on", "route add 239.0.0.0/8 dev lo"] {
        assert!(Command::new("ip").args(args.split(' ')).status().unwrap().success(), "ip {args}");
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // Two programs on one machine hear it.
        let (mut ears, mut more) = (Ears::open("wled"), Ears::open("wled"));
        ears.until_it_is(Doing::Listening);
        more.until_it_is(Doing::Listening);
        let wled = UdpSocket::bind("127.0.0.1:0").unwrap();
        wled.send_to(&packet(200.0, 2), ("239.0.0.1", 11_988)).unwrap();
        for ears in [&mut ears, &mut more] {
            let heard = ears.until("a packet", |heard| heard.frame.level.open);
            assert!(heard.frame.three[0] > 0.7, "{:?}", heard.frame.three);
        }
        println!("the group was heard");
        ears.stop().await;
        more.stop().await;
    });
}
