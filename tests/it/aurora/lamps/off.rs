//! A lamp that is switched off and comes back, at the other end of a cable between two network
//! namespaces: nobody answers for its address, so the system holds packets back.

use super::rig::{Dial, Rig, dial, ms_from, now_ms, packet, socket};
use crate::harness::cable::{Cable, DONE, NONE, carries, ip, plug_in};
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::process::{Child, Stdio};

const CABLE: Cable = Cable {
    name: "aurora::lamps::off::a_lamp_that_is_switched_on_again_is_right_at_once",
    variable: "HEARTH_TEST_OFF_SIDE",
    near,
    far,
};

#[test]
fn a_lamp_that_is_switched_on_again_is_right_at_once() {
    CABLE.run();
}

/// The lamp: has no address until it is told, and then says what it receives.
fn far() {
    println!("far side waits");
    let mut lines = std::io::stdin().lines();
    lines.next().unwrap().unwrap();
    plug_in("far");
    carries("far");
    println!("far side is plugged in");
    lines.next().unwrap().unwrap();
    let lamp = UdpSocket::bind("0.0.0.0:4048").unwrap();
    println!("switched on at {}", now_ms());
    assert!(ip("addr add 10.77.4.2/24 dev far"));
    for _ in 0..60 {
        println!("painted {}", dial(&packet(&lamp)[10..]));
    }
}

struct Far(Child);

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn near() {
    let mut far =
        Far(CABLE.side("far").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut told = BufReader::new(far.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(told.any(|line| line.contains("far side waits")));
    if !ip("link add near type veth peer name far") {
        println!("{NONE}");
        return;
    }
    assert!(ip(&format!("link set far netns {}", far.0.id())));
    let stdin = far.0.stdin.as_mut().unwrap();
    writeln!(stdin, "plug in").unwrap();
    // The cable carries once both ends are up.
    plug_in("near");
    carries("near");
    assert!(told.any(|line| line.contains("is plugged in")));
    assert!(ip("addr add 10.77.4.1/24 dev near"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (good, good_port) = socket();
    let toml = format!(
        "lead_ms=0\n[[lamp]]\nname='off'\nkind='ddp'\naddress='10.77.4.2'\nlatency_ms=0\n\
         [[lamp]]\nname='good'\nkind='ddp'\naddress='127.0.0.1:{good_port}'\nlatency_ms=0\n"
    );
    let (rig, playing) = runtime.block_on(async {
        let rig = Rig::new().await;
        let playing = rig.play(&toml, Dial).await;
        (rig, playing)
    });
    // It is off for more than the 3 s for which the system asks who has its address.
    for _ in 0..200 {
        let picture = packet(&good);
        let age = ms_from(dial(&picture[10..]), now_ms());
        assert!((0..500).contains(&age), "a picture of the other lamp was {age} ms old");
    }
    let off = runtime.block_on(playing.report()).remove(0).counts;
    assert!(off.dropped > 150 && off.packets <= 4, "{off:?}");
    writeln!(stdin, "switch on").unwrap();
    let number = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
    let on = told.find(|line| line.starts_with("switched on")).map(|line| number(&line)).unwrap();
    let painted: Vec<u64> = told
        .filter(|line| line.starts_with("painted"))
        .take(60)
        .map(|line| number(&line))
        .collect();
    // One picture may have waited for its address; all others are made after it is there.
    let stale = painted.iter().filter(|ms| ms_from(on, **ms) < 0).count();
    assert!(stale <= 1 && painted.len() == 60, "switched on at {on}: {painted:?}");
    runtime.block_on(async {
        playing.stop().await.unwrap();
        rig.tasks.stop().await;
    });
    println!("{DONE}");
}
