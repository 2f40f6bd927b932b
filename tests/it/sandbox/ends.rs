//! How sandboxes begin and end: what the server gets, what is read back, and that nothing is left.

use crate::harness::{Folder, SOON, wait_for};
use crate::sandbox::rig::{PYTHON, Rig, to_the_end};
use hearth::http::peer;
use hearth::orchestrator::kernel::Kernel;
use hearth::orchestrator::sandbox::{Level, Place as _, Program};
use std::collections::BTreeSet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Levels that run programs of the machine.
const BOTH: [Level; 2] = [Level::Apart, Level::Confined];

/// A server that leaves a child in a session of its own, whose parent is gone, and another that asked
/// not to be told of its end.
pub const SCATTER: &str = "
import os, sys, time, signal
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    os._exit(0)
if os.fork() == 0:
    time.sleep(600)
print('up', flush=True)
sys.stdin.read()
time.sleep(600)
";

pub fn of_node(rig: &Rig) -> Vec<u32> {
    let node = rig.kernel.mark();
    peer::marked(|(_, of)| of == node)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_takes_every_process_group_and_folder_with_it() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    for level in BOTH {
        if !rig.offers(level).await {
            continue;
        }
        let order = rig.order("scattered", &[PYTHON, "-c", SCATTER], &[]);
        let mut sandbox = rig.start(&order, level, Kernel::guards(level)).await;
        let mut up = [0; 3];
        sandbox.stdout.read_exact(&mut up).await.unwrap();
        // The two stages, the server and its two children.
        wait_for("all of them", || (of_node(&rig).len() >= 4).then_some(()));
        sandbox.hold.end().await.unwrap();
        assert_eq!(of_node(&rig), Vec::<u32>::new(), "level {level:?}");
        assert_eq!(sandbox.hold.ended().await.words, "ended");
        assert!(sandbox.hold.in_force().await.is_err());
        assert!(!scratch_of(&rig).join("scattered").exists());
        assert_eq!(groups_of(&rig), Vec::<String>::new());
    }
    rig.close().await;
}

fn scratch_of(rig: &Rig) -> std::path::PathBuf {
    std::env::temp_dir().join(rig.kernel.group_name())
}

/// Names of the groups of this node's sandboxes, in whatever tree.
fn groups_of(rig: &Rig) -> Vec<String> {
    let own = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points =
        own.lines().filter(|l| l.contains(" - cgroup")).filter_map(|l| l.split(' ').nth(4));
    let mut found = Vec::new();
    for point in points {
        walk(std::path::Path::new(point), &rig.kernel.group_name(), 4, &mut found);
    }
    found
}

fn walk(folder: &std::path::Path, node: &str, depth: u32, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if folder.file_name().is_some_and(|name| name == node) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        } else if depth > 0 {
            walk(&entry.path(), node, depth - 1, found);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_handle_ends_it_and_a_server_may_end_by_itself() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    for level in BOTH {
        if !rig.offers(level).await {
            continue;
        }
        let order = rig.order("dropped", &[PYTHON, "-c", SCATTER], &[]);
        drop(rig.start(&order, level, Kernel::guards(level)).await);
        wait_for("its end", || of_node(&rig).is_empty().then_some(()));
        for (script, words, code) in [
            ("import sys; print('to stderr', file=sys.stderr); sys.exit(3)", "exited with 3", 3),
            ("import os; os.kill(os.getpid(), 11) or os.abort()", "killed by SIG", 128),
        ] {
            let order = rig.order("short", &[PYTHON, "-c", script], &[]);
            let sandbox = rig.start(&order, level, Kernel::guards(level)).await;
            let (_, end, stderr) = to_the_end(sandbox).await;
            assert!(end.words.starts_with(words), "level {level:?}: {end:?}");
            assert!(end.code.is_some_and(|c| c >= code), "{end:?}");
            assert_eq!(stderr.contains("to stderr"), code == 3, "{stderr}");
        }
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_the_servers_environment_and_in_no_argument() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    const CANARY: &str = "canary-7f3a9c51";
    let script =
        "import os, sys, json; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()";
    for level in BOTH {
        if !rig.offers(level).await {
            continue;
        }
        let order = rig.order("secretive", &[PYTHON, "-c", script], &[("API_KEY", CANARY)]);
        let mut sandbox = rig.start(&order, level, Kernel::guards(level)).await;
        let mut said = vec![0; 4096];
        let n = sandbox.stdout.read(&mut said).await.unwrap();
        let environment: serde_json::Value = serde_json::from_slice(&said[..n]).unwrap();
        assert_eq!(environment["API_KEY"], CANARY);
        let names: BTreeSet<&str> = environment.as_object().unwrap().keys().map(|k| &**k).collect();
        let allowed = ["API_KEY", "HOME", "LC_CTYPE", "PATH", "TMPDIR"];
        assert!(names.iter().all(|name| allowed.contains(name)), "nothing of ours: {names:?}");
        for pid in of_node(&rig) {
            let argv = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            assert!(!argv.contains(CANARY), "{argv}");
        }
        // The end of stdin reaches the server, which ends by itself.
        sandbox.stdin.shutdown().await.unwrap();
        let taken = std::mem::replace(&mut sandbox.stdin, Box::new(tokio::io::sink()));
        drop(taken);
        assert_eq!(to_the_end(sandbox).await.1.words, "exited with 0");
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_start_says_why_and_leaves_nothing() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    for level in BOTH {
        if !rig.offers(level).await {
            continue;
        }
        let guards = Kernel::guards(level);
        let order = rig.order("absent", &["/usr/bin/no-such-program"], &[]);
        let e = rig.kernel.start_guarded(&order, level, guards).await.err().unwrap().to_string();
        assert!(e.contains("no program '/usr/bin/no-such-program'"), "{e}");
        let mut order = rig.order("nosy", &[PYTHON], &[]);
        order.program =
            Program::Command { argv: vec![PYTHON.into()], reads: vec![data.path().join("x")] };
        let e = rig.kernel.start_guarded(&order, level, guards).await.err().unwrap().to_string();
        assert!(e.contains("Hearth's own data folder"), "{e}");
        let image = Program::Image { reference: "mcp-server:latest".into(), command: None };
        order.program = image;
        let e = rig.kernel.start_guarded(&order, level, guards).await.err().unwrap().to_string();
        assert!(e.contains("needs level 4"), "{e}");
        order.name = "../up".into();
        assert!(rig.kernel.start_guarded(&order, level, guards).await.is_err());
        assert_eq!(of_node(&rig), Vec::<u32>::new());
        assert_eq!(groups_of(&rig), Vec::<String>::new());
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_reads_what_its_order_names_also_by_a_link_and_nothing_beside_it() {
    let (data, own) = (Folder::new(), Folder::new());
    let rig = Rig::new(data.path());
    let at = |name: &str| own.path().join(name);
    // Readable for everybody, so that nothing but the sandbox keeps anybody away.
    std::fs::set_permissions(own.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    std::fs::create_dir(at("real")).unwrap();
    std::fs::write(at("real/file"), "named").unwrap();
    std::fs::write(at("beside"), "not named").unwrap();
    std::os::unix::fs::symlink(at("real"), at("link")).unwrap();
    let script = "
import sys
for path in sys.argv[1:]:
    try:
        print(open(path).read())
    except OSError:
        print('no')
try:
    open(sys.argv[1], 'a')
except OSError:
    print('read-only')
";
    for level in BOTH {
        if !rig.offers(level).await {
            continue;
        }
        let files = [at("link/file"), at("beside")].map(|p| p.to_str().unwrap().to_owned());
        let argv = [PYTHON, "-c", script, &files[0], &files[1]];
        let mut order = rig.order("reader", &argv, &[]);
        if let Program::Command { reads, .. } = &mut order.program {
            reads.push(at("link"));
        }
        let sandbox = rig.start(&order, level, Kernel::guards(level)).await;
        let (said, _, stderr) = to_the_end(sandbox).await;
        assert_eq!(said, "named\nno\nread-only\n", "level {level:?}: {stderr}");
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_and_usage_are_read_back_while_it_runs() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    for level in BOTH {
        if !rig.offers(level).await {
            continue;
        }
        let script = "print(sum(range(10_000_000)), flush=True)\nimport sys; sys.stdin.read()";
        let order = rig.order("busy", &[PYTHON, "-c", script], &[]);
        let mut sandbox = rig.start(&order, level, Kernel::guards(level)).await;
        sandbox.stdout.read_u8().await.unwrap();
        let guards = sandbox.hold.in_force().await.unwrap();
        let found = |name: &str| {
            let guard = guards.iter().find(|g| g.name == name).unwrap();
            guard.in_force.clone().unwrap_or_else(|| panic!("{name} is not in force: {guards:?}"))
        };
        for name in
            ["capabilities", "no new privileges", "landlock", "memory", "processes", "scratch"]
        {
            found(name);
        }
        assert_eq!(found("open files"), "256");
        if level == Level::Apart {
            assert_eq!(found("namespaces"), "user, mnt, pid, net, ipc, uts, cgroup of its own");
            assert_eq!(found("network"), "loopback of its own");
            assert_eq!(found("root"), "read-only, in memory");
        }
        let usage = sandbox.hold.usage().await.unwrap();
        assert!(usage.cpu_seconds > 0.05, "{usage:?}");
        sandbox.hold.end().await.unwrap();
        assert!(sandbox.hold.usage().await.unwrap().cpu_seconds >= usage.cpu_seconds);
    }
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_ends_what_is_not_kept() {
    let data = Folder::new();
    let rig = Rig::new(data.path());
    if rig.kernel.level().await.is_err() {
        return println!("skipped: no sandboxes here");
    }
    let level = rig.kernel.level().await.unwrap();
    let start = async |name: &str| {
        let order = rig.order(name, &["/bin/sleep", "600"], &[]);
        rig.start(&order, level, Kernel::guards(level)).await
    };
    let (kept, left) = (start("kept").await, start("left").await);
    assert_eq!(rig.kernel.sweep(&["kept".to_owned()].into()).await.unwrap(), 1);
    let end = tokio::time::timeout(SOON, left.hold.ended()).await.unwrap();
    assert_eq!(end.words, "ended");
    assert!(kept.hold.in_force().await.is_ok());
    assert_eq!(rig.kernel.sweep(&["kept".to_owned()].into()).await.unwrap(), 0);
    rig.close().await;
}
