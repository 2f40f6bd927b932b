//! The chain of the audit log, under kills and beside other processes.

use super::{House, lamp};
use crate::harness::{Folder, SOON, hearth, wait_for};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

fn verify(folder: &Folder, args: &[&str]) -> (bool, String) {
    let all = [&["audit", "verify"], args].concat();
    let output = hearth(folder.path()).args(all).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn entries(folder: &Folder) -> u64 {
    let (good, text) = verify(folder, &[]);
    assert!(good, "{text}");
    let newest = text.lines().find_map(|line| line.strip_prefix("newest: entry "));
    newest.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn a_kill_at_any_moment_leaves_a_chain_that_holds_and_goes_on() {
    let mut folder = Folder::new();
    let mut before = 0;
    for round in 0..3 {
        let mut house = House::of(folder, "audit_bytes = 6000");
        let mut callers: Vec<_> = (0..3)
            .map(|_| {
                let mut assistant = house.assistant();
                std::thread::spawn(move || {
                    let call = || assistant.call("home_call", lamp("light.nowhere"));
                    // Until the program is gone.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe({
                        let mut call = call;
                        move || loop {
                            call();
                        }
                    }));
                })
            })
            .collect();
        // Reading it meanwhile works as well.
        wait_for("thirty entries more", || {
            (entries(&house.hearth.folder) > before + 30).then_some(())
        });
        house.hearth.kill();
        callers.drain(..).for_each(|caller| caller.join().unwrap());
        folder = std::mem::replace(&mut house.hearth.folder, Folder::new());
        let now = entries(&folder);
        assert!(now > before + 30, "round {round}: {before} then {now}");
        before = now;
    }
    // What was noted is found; what is changed is named.
    let (_, text) = verify(&folder, &[]);
    let hash = text.split("hash ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let (good, text) = verify(&folder, &["--hash", &hash]);
    assert!(good && text.contains("the hash that was asked for"), "{text}");
    let (good, text) = verify(&folder, &["--hash", "00"]);
    assert!(!good && text.contains("no entry of the audit log has the hash"), "{text}");
    let path = folder.path().join("audit.1.jsonl");
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, lines.replacen("tablet", "nobody", 1)).unwrap();
    let (good, text) = verify(&folder, &[]);
    assert!(!good && text.contains("audit.1.jsonl, line 1: entry"), "{text}");
}

/// Writes entries to the log of a folder as another process would.
fn writer(folder: &Folder, n: usize) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "policy::audit::the_process_that_writes_entries", "--ignored"])
        .env("HEARTH_TEST_AUDIT", folder.path())
        .env("HEARTH_TEST_ENTRIES", n.to_string())
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

#[tokio::test]
#[ignore = "the process that another test starts"]
async fn the_process_that_writes_entries() {
    use hearth::{events::Events, policy, store::Store, tasks::Tasks};
    let folder = std::path::PathBuf::from(std::env::var("HEARTH_TEST_AUDIT").unwrap());
    let most: usize = std::env::var("HEARTH_TEST_ENTRIES").unwrap().parse().unwrap();
    let events = Events::new();
    let (tasks, store) = (Tasks::new(events.clone()), Store::memory());
    let config = policy::Config { audit_bytes: 4096, ..Default::default() };
    let policy =
        policy::Policy::start(&config, &store, &events, &tasks, Some(&folder)).await.unwrap();
    let local = policy.local(policy::Via::Stdio);
    for n in 0..most {
        let target = n.to_string();
        policy.record(&local, "test", &target, policy::Outcome::Allowed, None);
    }
}

#[test]
fn several_processes_write_one_chain() {
    let folder = Folder::new();
    let mut writers: Vec<Child> = (0..4).map(|_| writer(&folder, 200)).collect();
    let began = Instant::now();
    for writer in &mut writers {
        let end = wait_for("a writer's end", || writer.try_wait().unwrap());
        assert!(end.success() && began.elapsed() < SOON);
    }
    assert_eq!(entries(&folder), 800);
}
