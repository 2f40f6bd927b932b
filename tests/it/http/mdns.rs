//! mDNS between two machines that exist only as network namespaces: nothing leaves them.
//!
//! The test starts itself again inside a fresh namespace (the near side), which starts itself once
//! more in another (the far side) and lays a cable between the two.

use crate::harness::cable::{self, Cable, DONE, NONE, ip};
use crate::http::house::{House, Plan, wait};
use hearth::error::Kind;
use hearth::http::ask::{Ask, Question};
use hearth::http::mdns::{HOME_ASSISTANT, Mdns};
use hearth::http::tls;
use mdns_sd::{ServiceDaemon, ServiceInfo};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const CABLE: Cable = Cable {
    name: "http::mdns::names_of_the_local_network_resolve_and_are_announced",
    variable: "HEARTH_TEST_MDNS_SIDE",
    near,
    far,
};
const NEAR: &str = "10.77.0.1/24";
const FAR: &str = "10.77.0.2/24";
/// An announcement takes a second or so; a busy machine may need more.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn names_of_the_local_network_resolve_and_are_announced() {
    CABLE.run();
}

/// Brings up this end of the cable. A daemon started before the cable carries learns of it later, and
/// does not announce by it what was registered meanwhile with an address of its own.
fn plug_in(end: &str, address: &str) {
    assert!(ip(&format!("addr add {address} dev {end}")));
    cable::plug_in(end);
}

/// The far side: a Hearth and something that looks like Home Assistant.
fn far() {
    println!("far side waits");
    let mut lines = std::io::stdin().lines();
    lines.next().unwrap().unwrap();
    plug_in("far", FAR);
    cable::carries("far");
    let house = House::with(Plan { host: "all", ..Plan::default() });
    let entered = house.runtime.enter();
    let mdns = Mdns::new(&house.tasks);
    mdns.announce("hearth", house.at.port(), |_| {}).unwrap();
    let other = ServiceDaemon::new().unwrap();
    let said = [("base_url", "http://10.77.0.2:8123"), ("version", "2026.11.0\u{7}")];
    let info = ServiceInfo::new(HOME_ASSISTANT, "Home", "ha.local.", "10.77.0.2", 8123, &said[..]);
    other.register(info.unwrap()).unwrap();
    drop(entered);
    println!("far side listens at {}", house.at.port());
    lines.next();
    house.runtime.block_on(house.tasks.stop());
}

fn near() {
    let mut far = CABLE.side("far").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(far.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(told.any(|line| line.contains("far side waits")));
    if !ip("link add near type veth peer name far") {
        println!("{NONE}");
        return end(far);
    }
    assert!(ip(&format!("link set far netns {}", far.id())));
    plug_in("near", NEAR);
    writeln!(far.stdin.as_mut().unwrap(), "go").unwrap();
    let port: u16 = told
        .find_map(|line| line.split_once("listens at ")?.1.trim().parse().ok())
        .expect("the far side listens");
    cable::carries("near");
    look_around(port);
    println!("{DONE}");
    end(far);
}

fn look_around(port: u16) {
    let house = House::open();
    let _entered = house.runtime.enter();
    let mdns = Mdns::new(&house.tasks);
    let far: IpAddr = "10.77.0.2".parse().unwrap();
    let resolve = |name: &str, wait| house.runtime.block_on(mdns.resolve(name, wait));
    // Several at once want the same name: each gets its answer.
    let asked: Vec<_> = (0..4)
        .map(|_| {
            let mdns = mdns.clone();
            house.runtime.spawn(async move { mdns.resolve("Hearth.local", PATIENCE).await })
        })
        .collect();
    for one in asked {
        assert_eq!(house.runtime.block_on(one).unwrap().unwrap()[0], far);
    }
    // What was heard once is known at once.
    let began = Instant::now();
    assert_eq!(resolve("hearth.local.", PATIENCE).unwrap()[0], far);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());

    let began = Instant::now();
    let e = resolve("nobody.local", Duration::from_millis(700)).unwrap_err();
    assert_eq!(e.kind(), Kind::Offline, "{e}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    let mut found = Vec::new();
    wait("Home Assistant is found", || {
        let find = mdns.find(HOME_ASSISTANT, Duration::from_secs(2));
        found = house.runtime.block_on(find).unwrap();
        !found.is_empty()
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].name.as_str(), found[0].port), ("Home", 8123));
    assert_eq!((found[0].host.as_str(), found[0].addresses[0]), ("ha.local", far));
    let version = found[0].properties.iter().find(|(key, _)| key == "version").unwrap();
    assert_eq!(version.1, "2026.11.0", "control characters are left out");

    let ask = Ask::new(tls::client(None).unwrap(), &mdns, &house.tasks);
    let answer = ask.ask(Question::get(format!("http://hearth.local:{port}/")));
    assert_eq!(house.runtime.block_on(answer).unwrap().text(), "house");
    let e = house.runtime.block_on(ask.ask(Question::get("http://nobody.local/"))).unwrap_err();
    assert!(e.to_string().contains("nobody on the local network answers to 'nobody.local'"), "{e}");

    // The name is taken, so ours changes and is told.
    let (send, renamed) = mpsc::channel();
    mdns.announce("hearth", house.at.port(), move |name| {
        let _ = send.send(name.to_owned());
    })
    .unwrap();
    assert_eq!(renamed.recv_timeout(PATIENCE).unwrap(), "hearth-2.local");
    house.runtime.block_on(house.tasks.stop());
}

fn end(mut far: Child) {
    drop(far.stdin.take());
    let mut rest = String::new();
    if let Some(mut out) = far.stdout.take() {
        let _ = out.read_to_string(&mut rest);
    }
    assert!(far.wait().unwrap().success(), "{rest}");
}
