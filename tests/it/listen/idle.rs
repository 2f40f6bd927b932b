//! What listening costs while nobody listens, in a process of its own.

use super::rig::Ears;
use crate::harness::{Folder, wait_for};
use hearth::aurora::listen::Doing;
use nix::sys::resource::{UsageWho, getrusage};
use std::process::Command;
use std::time::Duration;

/// Processor time of this process so far.
fn spent() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000)
    };
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[test]
fn nothing_is_read_and_nothing_spent_while_nobody_listens() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "listen::idle::idle_child", "--ignored", "--nocapture", "--quiet"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let figure = |name: &str| -> u64 {
        let line = said.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name}: {said}")).trim().parse().unwrap()
    };
    let (busy, idle) = (figure("busy ms:"), figure("idle ms:"));
    assert!(busy > 0, "it analysed: {said}");
    assert!(idle <= 5, "{idle} ms of processor time in two idle seconds: {said}");
}

#[test]
#[ignore = "the process whose time the other test measures"]
fn idle_child() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.unwrap();
    runtime.block_on(async {
        let folder = Folder::new();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        let mut ears = Ears::open("sample");
        let before = spent();
        ears.until("two seconds of music", |heard| heard.frame.seconds > 2.0);
        println!("busy ms: {}", (spent() - before).as_millis());
        // A second listener keeps it going, the last one ends it.
        let second = ears.listening.join();
        ears.joined = None;
        let hops = ears.listening.report().hops;
        wait_for("more frames", || (ears.listening.report().hops > hops + 20).then_some(()));
        drop(second);
        ears.until_it_is(Doing::Idle);
        let (hops, before) = (ears.listening.report().hops, spent());
        // What is measured is a length of time.
        tokio::time::sleep(Duration::from_secs(2)).await;
        println!("idle ms: {}", (spent() - before).as_millis());
        assert_eq!(ears.listening.report().hops, hops, "nothing was read");
        ears.joined = Some(ears.listening.join());
        let old = ears.listening.latest().unwrap().at;
        ears.until("music again", |heard| heard.at > old + 1.5 && heard.frame.level.rms > 0.01);
        ears.stop().await;
    });
}
