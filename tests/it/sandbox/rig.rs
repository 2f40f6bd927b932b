//! Sandboxes for tests: a place of the test's own, and programs that run in it.

use crate::harness::{Folder, SOON};
use hearth::config::Secret;
use hearth::events::Events;
use hearth::orchestrator::first::Guards;
use hearth::orchestrator::kernel::{Kernel, Settings};
use hearth::orchestrator::sandbox::{End, Level, Limits, Order, Program, Sandbox};
use hearth::tasks::Tasks;
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::AsyncReadExt as _;

/// What Debian's own interpreter is called; others may be in folders that no sandbox is shown.
pub const PYTHON: &str = "/usr/bin/python3";

/// A place for sandboxes with a node of its own.
pub struct Rig {
    pub kernel: Kernel,
    pub tasks: Tasks,
    pub node: String,
}

impl Rig {
    pub fn new(data: &Path) -> Rig {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let node = format!("test {} {}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        Rig::of_node(data, &node)
    }

    pub fn of_node(data: &Path, node: &str) -> Rig {
        let tasks = Tasks::new(Events::new());
        let settings = Settings {
            binary: std::env::var_os("HEARTH_BENCH_BINARY")
                .map_or(env!("CARGO_BIN_EXE_hearth").into(), Into::into),
            data: data.to_owned(),
            node: node.to_owned(),
        };
        Rig { kernel: Kernel::new(settings, &tasks), tasks, node: node.to_owned() }
    }

    /// An order for a program with this environment.
    pub fn order(&self, name: &str, argv: &[&str], environment: &[(&str, &str)]) -> Order {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::new(*value));
        Order {
            name: name.to_owned(),
            node: self.node.clone(),
            epoch: 1,
            program: Program::Command { argv, reads: Vec::new() },
            environment: environment.iter().map(secret).collect::<BTreeMap<_, _>>(),
            limits: Limits::default(),
            egress: Vec::new(),
        }
    }

    /// Starts a sandbox; `None` prints why and skips where this machine does not offer the level.
    pub async fn start(&self, order: &Order, level: Level, guards: Guards) -> Sandbox {
        self.kernel.start_guarded(order, level, guards).await.unwrap()
    }

    /// Whether the machine offers this level; says so when not.
    pub async fn offers(&self, level: Level) -> bool {
        let probed = self.kernel.probe().await;
        let rung = probed.rungs.iter().find(|rung| rung.level == level).unwrap();
        if let Err(why) = &rung.found {
            println!("skipped: sandboxes of level {}: {why}", level.number());
        }
        rung.found.is_ok()
    }

    /// Ends everything; nothing of this node is left.
    pub async fn close(self) {
        self.kernel.clear().await;
        self.tasks.stop().await;
    }
}

/// Reads all that the server writes, and waits for its end.
pub async fn to_the_end(mut sandbox: Sandbox) -> (String, End, String) {
    let mut said = String::new();
    let read = tokio::time::timeout(SOON, sandbox.stdout.read_to_string(&mut said)).await;
    let end = tokio::time::timeout(SOON, sandbox.hold.ended()).await;
    let stderr = sandbox.hold.stderr().lines().0.join("\n");
    assert!(read.is_ok() && end.is_ok(), "it does not end; said {said:?}, {stderr}");
    (said, end.unwrap(), stderr)
}

/// Runs an ignored test of this program as a user that has nothing, when we are root.
pub fn as_ordinary_user(test: &str) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: {test}: only root can become another user; the other test was one");
        return;
    }
    let own = Folder::new();
    let user = 61_000 + std::process::id() % 1000;
    std::os::unix::fs::chown(own.path(), Some(user), Some(user)).unwrap();
    let reached =
        Command::new("/bin/true").uid(user).current_dir(env!("CARGO_MANIFEST_DIR")).status();
    if reached.is_err() {
        println!("skipped: {test}: the project's folder is closed to other users");
        return;
    }
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", test])
        .env("TMPDIR", own.path())
        .env("HOME", own.path())
        .uid(user)
        .gid(user)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let faults = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}\n{faults}");
}
