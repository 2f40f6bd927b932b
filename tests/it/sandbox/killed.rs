//! Hearth is killed: what it had started ends with it, and what could not is found by the next run.

use crate::harness::{Folder, wait_for};
use crate::sandbox::ends::{SCATTER, of_node};
use crate::sandbox::rig::{PYTHON, Rig};
use hearth::orchestrator::kernel::Kernel;
use hearth::orchestrator::sandbox::{Level, Place as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use tokio::io::AsyncReadExt as _;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process that the next tests start and kill"]
async fn the_process_that_is_killed() {
    let node = std::env::var("HEARTH_TEST_NODE").unwrap();
    let data = Folder::new();
    let rig = Rig::of_node(data.path(), &node);
    let mut held = Vec::new();
    for level in [Level::Apart, Level::Confined] {
        if rig.offers(level).await {
            let name = format!("level-{}", level.number());
            let order = rig.order(&name, &[PYTHON, "-c", SCATTER], &[]);
            let mut sandbox = rig.start(&order, level, Kernel::guards(level)).await;
            sandbox.stdout.read_u8().await.unwrap();
            held.push(sandbox);
        }
    }
    println!("\nSANDBOXES {}", held.len());
    std::future::pending::<()>().await;
}

/// Starts that process; returns when its sandboxes run, and how many there are.
fn started(node: &str) -> (Child, usize) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("sandbox::killed::the_process_that_is_killed")
        .env("HEARTH_TEST_NODE", node)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let count = lines.filter_map(|l| l.strip_prefix("SANDBOXES ")?.parse().ok()).next();
    (child, count.expect("the sandboxes run"))
}

fn signal(pids: &[u32], which: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(i32::try_from(*pid).unwrap()), which);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_hearth_leaves_no_process() {
    let data = Folder::new();
    let node = format!("killed {}", std::process::id());
    let rig = Rig::of_node(data.path(), &node);
    let (mut child, count) = started(&node);
    // Each has two stages, the server and two children of it, or one less where a stage becomes it.
    wait_for("all of them", || (of_node(&rig).len() >= 4 * count).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the end of all", || of_node(&rig).is_empty().then_some(()));
    assert_eq!(rig.kernel.sweep(&BTreeSet::new()).await.unwrap(), 0);
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlives_a_killed_hearth_is_swept_by_the_next() {
    let data = Folder::new();
    let node = format!("swept {}", std::process::id());
    let rig = Rig::of_node(data.path(), &node);
    let (mut child, count) = started(&node);
    wait_for("all of them", || (of_node(&rig).len() >= 4 * count).then_some(()));
    // Neither Hearth nor the outer stages get to do anything more.
    let is_outer = |pid: &u32| {
        let argv = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        argv.contains("--outer")
    };
    let outer: Vec<u32> = of_node(&rig).into_iter().filter(is_outer).collect();
    assert_eq!(outer.len(), count);
    signal(&outer, Signal::SIGSTOP);
    child.kill().unwrap();
    child.wait().unwrap();
    signal(&outer, Signal::SIGKILL);
    wait_for("their end", || outer.iter().all(|pid| !of_node(&rig).contains(pid)).then_some(()));
    let left = rig.kernel.sweep(&BTreeSet::new()).await.unwrap();
    if rig.offers(Level::Confined).await {
        assert!(left >= 1, "a child in a session of its own outlives its parents at level 2");
    }
    wait_for("the end of all", || of_node(&rig).is_empty().then_some(()));
    rig.close().await;
}
