//! The guards of a container: in force as the kernel says, and as they are felt inside.

use crate::engine::rig::{IMAGE, Peer, Which, engine, order, suite};
use crate::harness::SOON;
use hearth::orchestrator::sandbox::{Limits, Order, Place as _, Program};
use std::collections::BTreeMap;

suite!(
    every_guard_is_read_back_from_inside,
    what_the_guards_forbid_fails_inside_and_works_without_them,
    one_that_takes_too_much_memory_is_killed_and_says_so,
);

async fn every_guard_is_read_back_from_inside(which: Which) {
    let Some(place) = engine(which, "guards").await else { return };
    let limits = Limits {
        memory_bytes: 96 << 20,
        processes: 20,
        cpu_thousandths: 250,
        scratch_bytes: 8 << 20,
        open_files: 100,
    };
    let sandbox = place.engine.start(&Order { limits, ..order("guards", "one") }).await.unwrap();
    let hold = sandbox.hold.clone();
    let mut peer = Peer::of(sandbox);
    peer.hello().await;
    let guards: BTreeMap<&str, String> = hold
        .in_force()
        .await
        .unwrap()
        .into_iter()
        .filter(|guard| guard.name != "engine")
        .map(|guard| (guard.name, guard.in_force.unwrap_or_else(|| "NOT IN FORCE".into())))
        .collect();
    let of = |name: &str| guards[name].as_str();
    assert_eq!(of("memory"), "100663296 bytes", "{guards:?}");
    assert_eq!(of("processes"), "20");
    assert_eq!(of("cpu"), "250 thousandths of a core");
    assert_eq!(of("scratch"), "8388608 bytes");
    assert_eq!(of("open files"), "100");
    assert_eq!(of("user"), "65534");
    assert!(guards.len() == 12 && guards.values().all(|v| v != "NOT IN FORCE"), "{guards:?}");
    hold.end().await.unwrap();
}

/// Lines of shell that a guard makes fail: name, line. Each works where the guard is taken away.
const ATTEMPTS: &[(&str, &str)] = &[
    ("writing to the root", "echo x > /written"),
    (
        "a program in the scratch folder",
        "cp /usr/bin/cat /tmp/own && chmod 755 /tmp/own && /tmp/own /proc/self/stat",
    ),
    ("filling the scratch folder", "dd if=/dev/zero of=/tmp/full bs=1048576 count=70"),
    ("more processes than allowed", "for n in $(seq 100); do sleep 3 & done"),
];

async fn what_the_guards_forbid_fails_inside_and_works_without_them(which: Which) {
    let Some(place) = engine(which, "forbid").await else { return };
    let limits = Limits { processes: 40, ..Limits::default() };
    let sandbox = place.engine.start(&Order { limits, ..order("forbid", "one") }).await.unwrap();
    let hold = sandbox.hold.clone();
    let mut peer = Peer::of(sandbox);
    peer.hello().await;
    // Nothing but loopback is there, and nobody is root.
    let (said, _) = peer.shell("cat /proc/net/dev; cat /proc/net/route; id -u").await;
    assert!(!said.contains("eth0") && said.contains("65534"), "{said}");
    for (name, line) in ATTEMPTS {
        let (said, code) = peer.shell(line).await;
        assert_ne!(code, 0, "{name}: {said}");
        let loose = ["run", "--rm", "--network", "none", "--tmpfs", "/tmp:exec,mode=1777"];
        let limits = ["--pids-limit", "1000", "--entrypoint", "/bin/sh", "--user", "0", IMAGE];
        let (done, said) = place.client(&[&loose[..], &limits, &["-c", line]].concat());
        assert!(done, "{name} fails without the guard, too: {said}");
    }
    hold.end().await.unwrap();
}

async fn one_that_takes_too_much_memory_is_killed_and_says_so(which: Which) {
    let Some(place) = engine(which, "memory").await else { return };
    // dd is the server itself; it holds a block of 200 MB.
    let line = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"].map(str::to_owned);
    let program = Program::Image { reference: IMAGE.into(), command: Some(line.into()) };
    let end = |memory_bytes, name: &'static str| {
        let limits = Limits { memory_bytes, ..Limits::default() };
        let order = Order { program: program.clone(), limits, ..order("memory", name) };
        let engine = place.engine.clone();
        async move {
            let sandbox = engine.start(&order).await.unwrap();
            tokio::time::timeout(SOON, sandbox.hold.ended()).await.unwrap()
        }
    };
    let killed = end(64 << 20, "small").await;
    let words = match which {
        Which::Docker => "killed: out of memory",
        // Podman 4.3 does not say why with control groups of version 1.
        Which::Podman => "killed by signal 9",
    };
    assert_eq!((killed.code, killed.words.as_str()), (Some(137), words));
    assert_eq!(end(400 << 20, "large").await.code, Some(0));
}
