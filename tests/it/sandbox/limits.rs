//! Limits: processes, memory and disk run out inside and nowhere else, and are there when asked for.

use crate::sandbox::rig::{PYTHON, Rig, to_the_end};
use hearth::orchestrator::first::Guards;
use hearth::orchestrator::kernel::Kernel;
use hearth::orchestrator::sandbox::{Level, Limits};
use std::path::Path;

/// Starts as many children as the first argument says, all at once, and prints how many there were.
const FORK: &str = "
import os, sys, time
n = 0
for _ in range(int(sys.argv[1])):
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        n += 1
    except OSError:
        break
print(n, flush=True)
if len(sys.argv) > 2:
    sys.stdin.read()
os._exit(0)
";

/// Holds and uses as many mebibytes as the first argument says.
const MEMORY: &str = "
import sys
held = []
for _ in range(int(sys.argv[1])):
    held.append(bytearray(b'x') * (1 << 20))
print('held', flush=True)
";

/// Writes as many mebibytes in files of four, then waits so that a look sees them.
const DISK: &str = "
import os, sys, time
at = os.environ['TMPDIR']
try:
    for n in range(int(sys.argv[1]) // 4):
        with open(f'{at}/{n}', 'wb') as f:
            f.write(bytes(4 << 20))
except OSError as e:
    print(e.strerror, flush=True)
    sys.exit(1)
if len(sys.argv) > 2:
    sys.stdin.read()
print('written', flush=True)
";

const MIB: u64 = 1 << 20;

async fn run(
    rig: &Rig,
    level: Level,
    script: &str,
    argument: &str,
    limits: Limits,
) -> (String, String) {
    let mut order = rig.order("limited", &[PYTHON, "-c", script, argument], &[]);
    order.limits = limits;
    let sandbox = rig.start(&order, level, Kernel::guards(level)).await;
    let (said, end, stderr) = to_the_end(sandbox).await;
    (said.trim().to_owned(), format!("{} {stderr}", end.words))
}

async fn limits_hold() {
    let rig = Rig::new(Path::new("/nonexistent"));
    let is_root = nix::unistd::geteuid().is_root();
    for level in [Level::Apart, Level::Confined] {
        if !rig.offers(level).await {
            continue;
        }
        let limits = Limits::default();
        let few = Limits { processes: 20, ..limits };
        let (said, _) = run(&rig, level, FORK, "100", few).await;
        let children: u32 = said.parse().unwrap();
        // The same user's processes outside count, too, and some of them have ended meanwhile.
        let most = if level == Level::Apart || is_root { 20 } else { 99 };
        assert!((10..=most).contains(&children), "level {level:?}: {children} of 20");
        if !is_root {
            let free = Guards { limits: false, ..Kernel::guards(level) };
            let (_, end) = stays(&rig, (level, free), (FORK, "60"), few).await;
            assert_eq!(end, "killed: too many processes", "level {level:?}");
        }
        let many = Limits { processes: 150, ..limits };
        assert_eq!(run(&rig, level, FORK, "100", many).await.0, "100", "level {level:?}");

        let little = Limits { memory_bytes: 64 * MIB, ..limits };
        let (said, end) = run(&rig, level, MEMORY, "200", little).await;
        assert_ne!(said, "held", "level {level:?}");
        assert!(end.contains("out of memory") || end.contains("MemoryError"), "{level:?}: {end}");
        let much = Limits { memory_bytes: 512 * MIB, ..limits };
        assert_eq!(run(&rig, level, MEMORY, "200", much).await.0, "held", "level {level:?}");

        let small = Limits { scratch_bytes: 16 * MIB, ..limits };
        let all = (level, Kernel::guards(level));
        let (said, end) = stays(&rig, all, (DISK, "32"), small).await;
        let full = said.contains("No space left") || end.contains("scratch folder is full");
        assert!(full, "level {level:?}: {said} {end}");
        let large = Limits { scratch_bytes: 64 * MIB, ..limits };
        assert_eq!(run(&rig, level, DISK, "32", large).await.0, "written", "level {level:?}");
    }
    rig.close().await;
}

/// Runs a script that stays when it is done, so that it is seen by whoever looks now and then.
async fn stays(
    rig: &Rig,
    (level, guards): (Level, Guards),
    (script, argument): (&str, &str),
    limits: Limits,
) -> (String, String) {
    let mut order = rig.order("staying", &[PYTHON, "-c", script, argument, "stay"], &[]);
    order.limits = limits;
    let mut sandbox = rig.start(&order, level, guards).await;
    let _stdin = std::mem::replace(&mut sandbox.stdin, Box::new(tokio::io::sink()));
    let (said, end, _) = to_the_end(sandbox).await;
    (said, end.words)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_bomb_memory_and_disk_end_at_the_limits() {
    limits_hold().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the process of an ordinary user that the next test starts"]
async fn the_process_of_an_ordinary_user() {
    assert!(!nix::unistd::geteuid().is_root());
    limits_hold().await;
}

#[test]
fn limits_hold_without_control_groups_for_an_ordinary_user() {
    super::rig::as_ordinary_user("sandbox::limits::the_process_of_an_ordinary_user");
}
