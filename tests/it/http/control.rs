//! The control socket, with its own client and with bad ones.

use crate::http::house::{policy, routes, wait};
use hearth::error::Kind;
use hearth::events::Events;
use hearth::http::control::{self, SOCKET, ask};
use hearth::http::{Counters, Reason};
use hearth::tasks::Tasks;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

struct Desk {
    folder: PathBuf,
    counters: Counters,
    tasks: Tasks,
    runtime: Runtime,
}

impl Desk {
    fn open(name: &str) -> Desk {
        let folder =
            std::env::temp_dir().join(format!("hearth-control-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let entered = runtime.enter();
        let tasks = Tasks::new(Events::new());
        let counters = Counters::default();
        let policy = runtime.block_on(policy(&tasks));
        control::start(&folder, routes(Default::default()), &policy, &tasks, &counters).unwrap();
        drop(entered);
        Desk { folder, counters, tasks, runtime }
    }

    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.folder.join(SOCKET)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.runtime.block_on(self.tasks.stop());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_command_is_answered_as_local() {
    let desk = Desk::open("answer");
    let answer = ask(&desk.folder, "GET", "/who", None).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"local by control".as_slice()));
    let body = vec![b'x'; 100_000];
    assert_eq!(ask(&desk.folder, "POST", "/count", Some(&body)).unwrap().body, b"100000");
    assert_eq!(ask(&desk.folder, "GET", "/nowhere", None).unwrap().status, 404);
    assert_eq!(ask(&desk.folder, "GET", "/panic", None).unwrap().status, 500);
    let too_large = ask(&desk.folder, "GET", "/big", None).unwrap_err();
    assert_eq!(too_large.kind(), Kind::Limit);
}

#[test]
fn only_this_user_may_open_the_socket() {
    let desk = Desk::open("mode");
    for name in [SOCKET, "control-engine.sock"] {
        let mode = std::fs::metadata(desk.folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn another_user_is_turned_away() {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: another_user_is_turned_away needs root");
        return;
    }
    let desk = Desk::open("peer");
    let path = desk.folder.join(SOCKET);
    // The file mode alone would do; the peer is checked for folders that cannot hold one.
    std::fs::set_permissions(&desk.folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let script = "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!;
        $s->print(\"GET /who HTTP/1.1\\r\\n\\r\\n\"); print $s->getline;";
    let run = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/perl", "-e", script])
        .arg(&path)
        .output()
        .unwrap();
    assert!(run.stderr.is_empty(), "{run:?}");
    wait("the stranger is counted", || desk.counters.count(Reason::WrongPeer) == 1);
    assert!(!String::from_utf8_lossy(&run.stdout).contains("200"), "{run:?}");
}

#[test]
fn the_engine_answers_nobody_but_the_gate() {
    let desk = Desk::open("engine");
    let mut stream = UnixStream::connect(desk.folder.join("control-engine.sock")).unwrap();
    stream
        .write_all(b"GET /who HTTP/1.1\r\nx-hearth-pass: guess\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(!answer.contains("local"), "{answer}");
}

#[test]
fn bad_commands_are_refused_and_the_next_is_answered() {
    let desk = Desk::open("bad");
    let check = |bytes: &[u8], status: &str| {
        let answer = desk.raw(bytes);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
        assert_eq!(ask(&desk.folder, "GET", "/health", None).unwrap().status, 200);
    };
    check(b"POST /count HTTP/1.1\r\nContent-Length: 1000000000000\r\n\r\n", "413");
    check(b"POST /count HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello", "400");
    check(b"POST /count HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411");
    check(b"GET / HTTP/1.1\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n", "400");
    check(&[b"GET / HTTP/1.1\r\na: ".as_slice(), &[b'x'; 20_000]].concat(), "431");
    check(b"\xff\xfe\r\n\r\n", "400");
    for _ in 0..200 {
        let mut stream = UnixStream::connect(desk.folder.join(SOCKET)).unwrap();
        let _ = stream.write_all(b"POST /count HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
    }
    assert_eq!(ask(&desk.folder, "GET", "/health", None).unwrap().status, 200);
}

#[test]
fn a_stream_is_sent_as_it_comes() {
    let desk = Desk::open("stream");
    let mut stream = UnixStream::connect(desk.folder.join(SOCKET)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream.write_all(b"GET /stream HTTP/1.1\r\n\r\n").unwrap();
    let mut got = String::new();
    while !got.ends_with("first\n") {
        let mut piece = [0; 1024];
        let n = stream.read(&mut piece).unwrap();
        assert_ne!(n, 0, "{got}");
        got += &String::from_utf8_lossy(&piece[..n]);
    }
}

#[test]
fn two_hearths_in_one_folder_are_one_too_many_and_a_stale_socket_is_none() {
    let desk = Desk::open("two");
    let entered = desk.runtime.enter();
    let again = |folder: &Path| {
        let policy = desk.runtime.block_on(policy(&desk.tasks));
        control::start(folder, routes(Default::default()), &policy, &desk.tasks, &desk.counters)
    };
    let e = again(&desk.folder).unwrap_err();
    assert_eq!(e.kind(), Kind::Conflict, "{e}");
    let stale = desk.folder.join("stale");
    std::fs::create_dir(&stale).unwrap();
    drop(std::os::unix::net::UnixListener::bind(stale.join(SOCKET)).unwrap());
    again(&stale).unwrap();
    assert_eq!(ask(&stale, "GET", "/health", None).unwrap().status, 200);
    drop(entered);
    desk.runtime.block_on(desk.tasks.stop());
    assert!(!desk.folder.join(SOCKET).exists(), "the socket is left behind");
    assert_eq!(ask(&desk.folder, "GET", "/health", None).unwrap_err().kind(), Kind::Offline);
}
