//! The files of the embedded store on bad days: in use, damaged, not writable, full.

use super::{Dice, Dir, Opened, open, open_with};
use hearth::error::{Error, Kind};
use hearth::store::{Config, Store};
use hearth::tasks::State;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const DIR: &str = "HEARTH_TEST_STORE_DIR";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn file_in(dir: &Dir) -> PathBuf {
    dir.path().join("hearth.redb")
}

async fn refusal(dir: &Path) -> Error {
    open(dir).await.err().expect("the store opened")
}

#[tokio::test]
async fn files_belong_to_their_owner_alone() {
    let dir = Dir::new();
    let data = dir.path().join("a/b");
    let opened = open(&data).await.unwrap();
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    assert_eq!(opened.state("store"), State::Up);
    opened.tasks.stop().await;
}

#[tokio::test]
async fn a_second_daemon_is_told_which_file_is_in_use() {
    let dir = Dir::new();
    let first = open(dir.path()).await.unwrap();
    let e = refusal(dir.path()).await;
    assert_eq!(e.kind(), Kind::Conflict);
    let expected = format!("hearth.redb is in use by process {}", std::process::id());
    assert!(e.what().contains(&expected) && e.what().contains("another DATA_DIR"), "{e}");
    first.store.put("t", "k", b"still works", None).await.unwrap();
    first.tasks.stop().await;
    let second = open(dir.path()).await.unwrap();
    assert_eq!(second.store.get("t", "k").await.unwrap().unwrap(), b"still works");
    second.tasks.stop().await;
}

#[tokio::test]
async fn a_stopped_store_answers_that_it_is_closed() {
    let dir = Dir::new();
    let opened = open(dir.path()).await.unwrap();
    opened.tasks.stop().await;
    for e in [
        opened.store.get("t", "k").await.unwrap_err(),
        opened.store.put("t", "k", b"", None).await.unwrap_err(),
        opened.store.sweep().await.unwrap_err(),
    ] {
        assert_eq!(e.kind(), Kind::Offline);
        assert!(e.what().contains("stopping"), "{e}");
    }
}

#[tokio::test]
async fn what_waits_when_the_stop_comes_is_still_written() {
    let dir = Dir::new();
    let opened = open(dir.path()).await.unwrap();
    let keys: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let puts = keys.iter().map(|key| opened.store.put("t", key, b"v", None));
    let (answers, ()) =
        futures_util::future::join(futures_util::future::join_all(puts), opened.tasks.stop()).await;
    let again = open(dir.path()).await.unwrap();
    for (key, answer) in keys.iter().zip(answers) {
        let there = again.store.get("t", key).await.unwrap().is_some();
        assert!(there || answer.is_err(), "{key} was acknowledged and is not there");
    }
    again.tasks.stop().await;
}

/// Opens, writes 300 entries, and stops (or only drops the process' grip, as a crash does).
async fn filled(dir: &Dir) -> Vec<u8> {
    let opened = open(dir.path()).await.unwrap();
    write_all(&opened.store).await;
    opened.tasks.stop().await;
    std::fs::read(file_in(dir)).unwrap()
}

async fn write_all(store: &Store) {
    let keys: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    let puts = keys
        .iter()
        .map(|key| async move { store.put("t", key, key.repeat(40).as_bytes(), None).await });
    assert!(futures_util::future::join_all(puts).await.iter().all(Result::is_ok));
}

async fn holds_all(store: &Store) -> bool {
    is_prefix(&store.list("t", "", None, 1000).await.unwrap(), 300)
}

#[tokio::test]
async fn a_file_that_is_none_of_ours_is_left_as_it_is() {
    let dir = Dir::new();
    let good = filled(&dir).await;
    let cases: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("text", b"# a shopping list\n".repeat(500)),
        ("zeros", vec![0; good.len()]),
        ("half", good[..good.len() / 2].to_vec()),
        ("no header", [vec![0; 512], good[512..].to_vec()].concat()),
    ];
    for (what, bytes) in cases {
        std::fs::write(file_in(&dir), &bytes).unwrap();
        let e = refusal(dir.path()).await;
        assert_eq!(e.kind(), Kind::Broken, "{what}: {e}");
        let path = file_in(&dir).display().to_string();
        let told = e.to_string();
        assert!(told.contains(&format!("{path} is damaged")), "{what}: {told}");
        assert!(told.contains(&format!("mv {path} {path}.damaged")), "{what}: {told}");
        assert_eq!(std::fs::read(file_in(&dir)).unwrap(), bytes, "{what}: was overwritten");
    }
    std::fs::write(file_in(&dir), &good).unwrap();
    let opened = open(dir.path()).await.unwrap();
    assert!(holds_all(&opened.store).await);
    opened.tasks.stop().await;
}

/// Spoils a copy of a good file at random, many times, and opens it: it must be refused and left
/// as it is, or hold what `is_right` says. Returns how often it was refused and how often right.
async fn spoil(
    dir: &Dir,
    good: &[u8],
    is_right: impl Fn(&[(String, Vec<u8>)]) -> bool,
) -> [u32; 2] {
    let mut dice = Dice::new();
    let mut counts = [0, 0];
    for round in 0..120 {
        let mut bytes = good.to_vec();
        // The first page says where everything is, so every second time it is hit there.
        let most = if round % 2 == 0 { 320 } else { bytes.len() as u64 };
        let at = dice.below(most) as usize;
        if round % 6 == 1 {
            bytes.truncate(at);
        } else {
            let end = bytes.len().min(at + 1 + dice.below(600) as usize);
            bytes[at..end].iter_mut().for_each(|byte| *byte = dice.below(256) as u8);
        }
        std::fs::write(file_in(dir), &bytes).unwrap();
        match open(dir.path()).await {
            Ok(opened) => {
                let page = opened.store.list("t", "", None, 1000).await.unwrap();
                assert!(is_right(&page), "round {round}: {} entries of 300", page.len());
                opened.tasks.stop().await;
                counts[1] += 1;
            }
            Err(e) => {
                assert_eq!(e.kind(), Kind::Broken, "{e}");
                let left = std::fs::read(file_in(dir)).unwrap();
                assert!(left == bytes, "round {round}: was overwritten: {e}");
                counts[0] += 1;
            }
        }
    }
    eprintln!("{} refused, {} right", counts[0], counts[1]);
    counts
}

fn is_prefix(page: &[(String, Vec<u8>)], count: usize) -> bool {
    let right = |(n, (key, value)): (usize, &(String, Vec<u8>))| {
        *key == format!("{n:03}") && key.repeat(40).as_bytes() == value
    };
    page.len() == count && page.iter().enumerate().all(right)
}

#[tokio::test]
async fn a_spoilt_file_is_refused_or_holds_everything() {
    let dir = Dir::new();
    let good = filled(&dir).await;
    let [refused, right] = spoil(&dir, &good, |page| is_prefix(page, 300)).await;
    assert!(refused > 20 && right > 0);
}

/// After a crash the last commit may be one that the crash cut short, which nobody can tell from
/// one that was spoilt later; so there the one before it is right too.
#[tokio::test]
async fn a_file_spoilt_after_a_crash_is_refused_or_holds_all_but_the_last_commit() {
    let dir = Dir::new();
    let opened = open(dir.path()).await.unwrap();
    for n in 0..300 {
        let key = format!("{n:03}");
        opened.store.put("t", &key, key.repeat(40).as_bytes(), None).await.unwrap();
    }
    let good = std::fs::read(file_in(&dir)).unwrap();
    opened.tasks.stop().await;
    let right = |page: &[_]| is_prefix(page, 300) || is_prefix(page, 299);
    let [refused, right] = spoil(&dir, &good, right).await;
    assert!(refused > 20 && right > 0);
}

#[tokio::test]
async fn a_full_store_refuses_puts_and_recovers_by_deletes() {
    let dir = Dir::new();
    let config = Config { max_mb: 2, ..Config::default() };
    let Opened { store, tasks } = open_with(&config, dir.path()).await.unwrap();
    let value = vec![1; 100_000];
    let mut kept = 0;
    let e = loop {
        match store.put("t", &kept.to_string(), &value, None).await {
            Ok(()) => kept += 1,
            Err(e) => break e,
        }
        assert!(kept < 30, "the bound was never reached");
    };
    assert_eq!(e.kind(), Kind::Limit);
    assert!(e.what().contains("max_mb") && e.what().contains("hearth.redb"), "{e}");
    assert!(kept >= 10, "full after {kept} values");
    for n in 0..5 {
        assert!(store.delete("t", &n.to_string()).await.unwrap());
    }
    for n in 0..4 {
        store.put("t", &n.to_string(), &value, None).await.unwrap();
    }
    tasks.stop().await;
}

/// A test of this file that runs as a process of its own.
fn child(test: &str, wrap: &[&str], dir: &Path) -> Command {
    let exe = std::env::current_exe().unwrap();
    let mut words = wrap.iter().map(AsRef::as_ref).chain([exe.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(["--exact", test, "--ignored", "--nocapture", "--quiet"]);
    command.env(DIR, dir).stdin(Stdio::null());
    command
}

fn told(output: &Output) -> String {
    let parts = [&output.stdout, &output.stderr];
    parts.map(|part| String::from_utf8_lossy(part).into_owned()).concat()
}

#[tokio::test]
#[ignore = "the process of another user that the other test starts"]
async fn stranger_child() {
    let dir = PathBuf::from(std::env::var_os(DIR).expect("only the other test starts this one"));
    eprintln!("refused: {}", refusal(&dir).await);
}

#[test]
fn a_directory_of_somebody_else_is_named_with_the_line_that_repairs_it() {
    let dir = Dir::new();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o500)).unwrap();
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt;
        me.uid() == 0
    });
    // Root may write anywhere, so for root the other user is `nobody`, who may not even reach the
    // build directory: it gets the program by another name.
    let exe = dir.path().join("exe");
    let built = std::env::current_exe().unwrap();
    if std::fs::hard_link(&built, &exe).is_err() {
        std::fs::copy(&built, &exe).unwrap();
    }
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&exe);
    command.args(["--exact", "store::files::stranger_child", "--ignored", "--nocapture"]);
    command.env(DIR, data.join("hearth")).stdin(Stdio::null()).current_dir("/");
    if root {
        command.uid(65534).gid(65534);
    }
    let text = told(&command.output().unwrap());
    let told = text.lines().find(|line| line.starts_with("refused: ")).expect(&text);
    let data = data.display();
    assert!(told.contains(&format!("cannot write to DATA_DIR {data}/hearth")), "{told}");
    if root {
        let line = format!(
            "{data} belongs to uid 0 and Hearth runs as uid 65534; run `sudo mkdir -p {data}/hearth \
             && sudo chown -R 65534:65534 {data}/hearth`"
        );
        assert!(told.contains(&line), "{told}");
    }
}

/// Fills the disk below it, looks that everything acknowledged is there, makes room, goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process with little disk that the other tests start"]
async fn cramped_child() {
    let dir = PathBuf::from(std::env::var_os(DIR).expect("only the other tests start this one"));
    let opened = open(&dir).await.unwrap();
    let store = &opened.store;
    store.put("t", "small", b"small", None).await.unwrap();
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    for round in 0..200 {
        let keys: Vec<String> = (0..4).map(|n| format!("{round}/{n}")).collect();
        let value = vec![round; 90_000];
        let puts = keys.iter().map(|key| store.put("t", key, &value, None));
        let answers = futures_util::future::join_all(puts).await;
        for (key, answer) in keys.iter().zip(answers) {
            match answer {
                Ok(()) => kept.push((key.clone(), round)),
                Err(e) => refused.push(e),
            }
        }
        if refused.len() > 6 {
            break;
        }
    }
    assert!(refused.len() > 6 && kept.len() > 4, "{} kept, {refused:?}", kept.len());
    for e in &refused {
        assert_eq!(e.kind(), Kind::Limit, "{e}");
        assert!(e.what().contains("is full"), "{e}");
    }
    assert_ne!(opened.state("store"), State::Up);
    let all = |kept: Vec<(String, u8)>| async move {
        for (key, round) in kept {
            let value = store.get("t", &key).await.unwrap();
            assert!(value.is_some_and(|value| value == vec![round; 90_000]), "{key} is lost");
        }
    };
    all(kept.clone()).await;
    make_room(&dir);
    for n in 0..20 {
        store.put("t", &format!("later/{n}"), &[7; 90_000], None).await.unwrap();
    }
    assert_eq!(opened.state("store"), State::Up);
    opened.tasks.stop().await;
    let again = open(&dir).await.unwrap();
    assert_eq!(again.store.get("t", "small").await.unwrap().unwrap(), b"small");
    assert_eq!(again.store.list("t", "later/", None, 99).await.unwrap().len(), 20);
    again.tasks.stop().await;
    eprintln!("went on after {} kept and {} refused", kept.len(), refused.len());
}

fn make_room(dir: &Path) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, most, most).unwrap();
    let remount = Command::new("mount").args(["-o", "remount,size=64m"]).arg(dir).output().unwrap();
    eprintln!("{}", told(&remount));
}

fn goes_on(script: &str) {
    let dir = Dir::new();
    let wrap = ["sh", "-c", script];
    let output = child("store::files::cramped_child", &wrap, dir.path()).output().unwrap();
    let told = told(&output);
    assert!(output.status.success() && told.contains("went on after"), "{told}");
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_then_it_goes_on() {
    goes_on(r#"trap "" XFSZ; ulimit -S -f 6000; exec "$0" "$@""#);
}

#[test]
fn a_full_disk_is_an_error_and_then_it_goes_on() {
    goes_on(
        r#"exec unshare -rm sh -c 'mount -t tmpfs -o size=4m tmpfs "$HEARTH_TEST_STORE_DIR" &&
           exec "$0" "$@"' "$0" "$@""#,
    );
}
