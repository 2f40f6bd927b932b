//! Finding lamps by mDNS, in a network namespace of its own: nothing leaves it.

use super::rig::Rig;
use super::wled::Web;
use crate::harness::wait_for;
use hearth::aurora::lamps::{HUE, Kind, WLED};
use mdns_sd::{ServiceDaemon, ServiceInfo};
use std::process::{Command, Stdio};
use std::time::Duration;

const INSIDE: &str = "HEARTH_TEST_FIND_INSIDE";
const NAME: &str = "aurora::lamps::find::a_wled_and_a_hue_bridge_are_found";

#[test]
fn a_wled_and_a_hue_bridge_are_found() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let possible = Command::new("unshare").args(["--net", "ip", "link"]).output();
    if !possible.is_ok_and(|run| run.status.success()) {
        println!("skipped: {NAME}: needs root, unshare and ip");
        return;
    }
    let mut command = Command::new("unshare");
    command.arg("--net").arg(std::env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(INSIDE, "yes");
    let run = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    if out.contains("skipped: ") {
        println!("skipped: {NAME}: no virtual cables on this kernel");
        return;
    }
    assert!(run.status.success(), "{out}{err}");
    assert!(out.contains("all found"), "nothing ran inside: {out}{err}");
}

fn ip(args: &str) -> bool {
    Command::new("ip").args(args.split(' ')).status().unwrap().success()
}

fn inside() {
    if !ip("link add near type veth peer name far") {
        println!("skipped: no virtual cables");
        return;
    }
    for args in
        ["link set lo up", "addr add 10.77.3.1/24 dev near", "link set far up", "link set near up"]
    {
        assert!(ip(args), "ip {args}");
    }
    wait_for("the cable", || {
        let shown = Command::new("ip").args(["-o", "link", "show", "near"]).output().unwrap();
        String::from_utf8_lossy(&shown.stdout).contains(" state UP ").then_some(())
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(found());
    println!("all found");
}

async fn found() {
    let web = Web::at("10.77.3.1:0");
    let port: u16 = web.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let others = ServiceDaemon::new().unwrap();
    let none: &[(&str, &str)] = &[];
    for (service, name, host, port) in [
        (WLED, "wled-shelf", "wled-shelf.local.", port),
        // A lamp that announces itself and then does not answer.
        (WLED, "wled-gone", "wled-gone.local.", 1),
        (HUE, "Hue Bridge - 1A2B3C", "hue.local.", 443),
    ] {
        let info = ServiceInfo::new(service, name, host, "10.77.3.1", port, none).unwrap();
        others.register(info).unwrap();
    }
    let rig = Rig::new().await;
    let mut all = Vec::new();
    // An announcement takes a second or so; a busy machine may need more.
    for _ in 0..5 {
        all = rig.lamps.find(Duration::from_secs(2)).await.unwrap();
        if all.len() == 3 {
            break;
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let brief: Vec<(Kind, &str, &str)> =
        all.iter().map(|f| (f.kind, &*f.name, &*f.address)).collect();
    let at = "10.77.3.1";
    let want = [
        (Kind::Hue, "Hue Bridge - 1A2B3C", at),
        (Kind::Wled, "wled-gone", at),
        (Kind::Wled, "wled-shelf", at),
    ];
    assert_eq!(brief, want);
    assert!(all[1].away.as_ref().unwrap().contains("cannot be reached"), "{:?}", all[1]);
    let lamp = all[2].lamp().unwrap();
    assert_eq!((lamp.pixels, &*lamp.order, lamp.web), (30, "rgbw", web.address.clone()));
    rig.tasks.stop().await;
    let _ = others.shutdown();
}
