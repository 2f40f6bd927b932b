//! Getting out: what a program tries that wants more than it was given, at levels 3 and 2, as root and
//! as an ordinary user; and that each try succeeds where what holds it back is taken away.

use crate::harness::{Folder, Hearth};
use crate::sandbox::rig::{PYTHON, Rig, to_the_end};
use hearth::orchestrator::first::{Filter, Guards};
use hearth::orchestrator::kernel::Kernel;
use hearth::orchestrator::sandbox::Level;
use serde_json::{Map, Value, json};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::Command;

pub const ATTACKER: &str = include_str!("attacker.py");

/// A running Hearth to reach for.
pub struct Target {
    hearth: Hearth,
    abstract_name: String,
    _listener: UnixListener,
}

impl Target {
    pub fn start() -> Target {
        let hearth = Hearth::serve("");
        let abstract_name = format!("hearth-test-{}", hearth.pid());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        Target { hearth, abstract_name, _listener: listener }
    }

    pub fn described(&self, scratch: &str) -> String {
        let port: u16 = self.hearth.url.rsplit(':').next().unwrap().parse().unwrap();
        json!({
            "pid": self.hearth.pid(),
            "data": self.hearth.folder.path(),
            "port": port,
            "abstract": self.abstract_name,
            "scratch": scratch,
        })
        .to_string()
    }

    pub fn log(&self) -> String {
        self.hearth.log()
    }

    /// What the attacker achieves without any sandbox, as the user that Hearth runs as.
    pub fn attacked_bare(&self) -> Map<String, Value> {
        let scratch = Folder::new();
        let done = Command::new(PYTHON)
            .args(["-c", ATTACKER])
            .env("TARGETS", self.described(scratch.path().to_str().unwrap()))
            .output()
            .unwrap();
        serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)))
    }

    /// What it achieves in a sandbox with these guards.
    async fn attacked(&self, rig: &Rig, level: Level, guards: Guards) -> Map<String, Value> {
        // Where the scratch folder is, the sandbox says itself.
        let attacker = ATTACKER.replace("T[\"scratch\"]", "os.environ[\"TMPDIR\"]");
        let targets = self.described("");
        let argv = [PYTHON, "-c", &attacker];
        let order = rig.order("attacker", &argv, &[("TARGETS", &targets)]);
        let sandbox = rig.start(&order, level, guards).await;
        let (said, end, stderr) = to_the_end(sandbox).await;
        let told = |e| panic!("{e}: {said:?} {end:?} {stderr}");
        serde_json::from_str(&said).unwrap_or_else(told)
    }
}

fn succeeded(said: &Map<String, Value>) -> Vec<&str> {
    said.iter().filter(|(_, how)| *how == "ok").map(|(name, _)| name.as_str()).collect()
}

/// Everything that is tried works where nothing holds: no try fails for a reason of its own.
fn assert_all_work(said: &Map<String, Value>) {
    let yama = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    for (name, how) in said {
        // Some systems let nobody attach to a process but its parent.
        if name == "attach" && yama.as_ref().is_ok_and(|scope| scope.trim() != "0") {
            continue;
        }
        assert_eq!(how, "ok", "the try '{name}' does not even work outside: {said:?}");
    }
}

/// One guard is taken away, and these tries succeed that did not before.
async fn assert_holds(
    (target, rig): (&Target, &Rig),
    level: Level,
    without: &str,
    guards: Guards,
    then: &[&str],
) -> Map<String, Value> {
    let said = target.attacked(rig, level, guards).await;
    for name in then {
        assert_eq!(said[*name], "ok", "level {level:?} without {without}: {name}: {said:?}");
    }
    said
}

async fn nothing_gets_out(is_same_user: bool) {
    let target = Target::start();
    let rig = Rig::new(target.hearth.folder.path());
    assert_all_work(&target.attacked_bare());
    for level in [Level::Apart, Level::Confined] {
        if !rig.offers(level).await {
            continue;
        }
        let said = target.attacked(&rig, level, Kernel::guards(level)).await;
        // Its own loopback is there, and nobody is on it.
        let want = if level == Level::Apart { "ECONNREFUSED" } else { "EPERM" };
        assert_eq!(said["http"], want, "level {level:?}");
        assert_eq!(succeeded(&said), Vec::<&str>::new(), "level {level:?}: {said:?}");
        assert!(!target.hearth.folder.path().join("planted").exists() || is_bare(&target));
    }
    taken_away(&target, &rig, is_same_user).await;
    assert_eq!(target.hearth.status("/health"), 200, "Hearth itself is unharmed");
    rig.close().await;
}

/// The file that the attacker plants when it can; taken away again after the bare run.
fn is_bare(target: &Target) -> bool {
    std::fs::remove_file(target.hearth.folder.path().join("planted")).is_ok()
}

async fn taken_away(target: &Target, rig: &Rig, is_same_user: bool) {
    let both = (target, rig);
    if rig.offers(Level::Apart).await {
        let level = Level::Apart;
        let all = Kernel::guards(level);
        let bare = Guards { root: false, landlock: false, ..all };
        if is_same_user {
            assert_holds(both, level, "a root", bare, &["read data", "list data"]).await;
            // Its sockets are files there, too, and the filter of this level lets sockets be made.
            let then = ["control.sock", "mcp.sock"];
            let said = assert_holds(both, level, "a root", bare, &then).await;
            // Then still nobody serves them.
            assert!(said["ask control.sock"] != "ok" && said["ask mcp.sock"] != "ok", "{said:?}");
        }
        let open = Guards { network: false, landlock: false, ..all };
        assert_holds(both, level, "a network", open, &["http", "abstract"]).await;
        let free = Guards { filter: Filter::None, landlock: false, ..all };
        let then = ["namespaces", "mount", "traced", "unmark"];
        assert_holds(both, level, "the filter", free, &then).await;
    }
    if rig.offers(Level::Confined).await {
        let level = Level::Confined;
        let all = Kernel::guards(level);
        let open = Guards { landlock: false, ..all };
        assert_holds(both, level, "Landlock", open, &["run written"]).await;
        let free = Guards { filter: Filter::None, ..all };
        assert_holds(both, level, "the filter", free, &["namespaces", "traced", "unmark"]).await;
        let none = Guards { landlock: false, filter: Filter::None, ..all };
        assert_holds(both, level, "both", none, &["http", "abstract", "owner of signals"]).await;
        if is_same_user {
            let then = ["read data", "list data", "write data", "environ", "mem", "fd"];
            assert_holds(both, level, "Landlock", open, &then).await;
            let then =
                ["change data", "watch data", "priority", "limits", "control.sock", "mcp.sock"];
            assert_holds(both, level, "the filter", free, &then).await;
            assert_holds(both, level, "both", none, &["signal", "attach"]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_out_of_a_sandbox() {
    nothing_gets_out(!nix::unistd::geteuid().is_root()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process of an ordinary user that the next test starts"]
async fn the_process_of_an_ordinary_user() {
    assert!(!nix::unistd::geteuid().is_root());
    nothing_gets_out(true).await;
}

#[test]
fn nothing_gets_out_of_an_ordinary_users_sandbox() {
    super::rig::as_ordinary_user("sandbox::escapes::the_process_of_an_ordinary_user");
}
