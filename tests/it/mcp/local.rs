//! The local socket and stdio: who gets in, what a bad line gets, how it ends.

use crate::harness::Folder;
use crate::mcp::Bench;
use crate::mcp::clients::{Fixtures, example};
use hearth::error::Kind;
use hearth::mcp::Config;
use hearth::mcp::stdio;
use hearth::policy::Level;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader as SyncReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

const PATIENCE: Duration = Duration::from_secs(10);

/// A client of the local socket, line by line.
pub(crate) struct Line {
    up: OwnedWriteHalf,
    down: Lines<BufReader<OwnedReadHalf>>,
}

impl Line {
    pub(crate) async fn dial(socket: &PathBuf) -> Line {
        let (down, up) = UnixStream::connect(socket).await.unwrap().into_split();
        Line { up, down: BufReader::new(down).lines() }
    }

    pub(crate) async fn say(&mut self, line: &str) {
        self.up.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    pub(crate) async fn ask(&mut self, id: u32, method: &str, params: Value) {
        self.say(
            &json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string(),
        )
        .await;
    }

    /// The next line; `None` at the end.
    pub(crate) async fn hear(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.down.next_line()).await.expect("no line").unwrap()
    }

    /// The next message that answers something or is a fault; notices are passed over.
    pub(crate) async fn answer(&mut self) -> Value {
        loop {
            let line = self.hear().await.expect("the line ended");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message.get("method").is_none() {
                return message;
            }
        }
    }

    pub(crate) async fn begin(&mut self) {
        let client = json!({ "name": "test", "version": "0" });
        let params =
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        self.ask(0, "initialize", params).await;
        assert_eq!(self.answer().await["result"]["serverInfo"]["version"], "7");
        self.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string())
            .await;
    }

    async fn tools(&mut self) -> Vec<String> {
        self.ask(1, "tools/list", json!({})).await;
        let answer = self.answer().await;
        let tools = answer["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn an_id_that_is_in_use_is_refused_on_a_line_too() {
    let socket = Socket::open(Bench::new().await).await;
    let mut line = Line::dial(&socket.path).await;
    line.begin().await;
    let wait = json!({ "name": "door_wait", "arguments": { "text": "x" } });
    line.ask(7, "tools/call", wait).await;
    line.ask(7, "tools/list", json!({})).await;
    let refused = line.answer().await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(7), &json!(-32600)));
    let done = line.answer().await;
    assert_eq!((&done["id"], &done["result"]["isError"]), (&json!(7), &json!(true)), "{done}");
    line.ask(7, "tools/list", json!({})).await;
    assert!(line.answer().await["result"]["tools"].is_array());
}

/// A socket of its own for each test, gone with it.
pub(crate) struct Socket {
    pub(crate) bench: Bench,
    pub(crate) path: PathBuf,
    _folder: Folder,
}

impl Socket {
    pub(crate) async fn open(bench: Bench) -> Socket {
        let folder = Folder::new();
        let path = folder.path().join("mcp.sock");
        stdio::serve_socket(&bench.mcp(), &path).await.unwrap();
        Socket { bench, path, _folder: folder }
    }
}

#[tokio::test]
async fn the_socket_is_its_owners_and_there_is_one() {
    let socket = Socket::open(Bench::new().await).await;
    let mode = std::fs::metadata(&socket.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let e = stdio::serve_socket(&socket.bench.mcp(), &socket.path).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Conflict);
    // One that a killed Hearth left behind is replaced.
    socket.bench.tasks.stop().await;
    drop(std::os::unix::net::UnixListener::bind(&socket.path).unwrap());
    let again = Bench::new().await;
    stdio::serve_socket(&again.mcp(), &socket.path).await.unwrap();
    Line::dial(&socket.path).await.begin().await;
}

#[tokio::test]
async fn a_first_line_picks_the_service_and_the_token() {
    let socket = Socket::open(Bench::new().await).await;
    let mut plain = Line::dial(&socket.path).await;
    plain.begin().await;
    // The local identity may control.
    assert!(plain.tools().await.contains(&"lamp_set".to_owned()));
    let grant = hearth::policy::Grant { level: Level::Read, ..Default::default() };
    let token = socket.bench.policy.new_token("looker", grant).await.unwrap();
    let mut looker = Line::dial(&socket.path).await;
    looker.say(&format!("hearth-mcp 1 service=lamp token={}", token.secret)).await;
    assert_eq!(looker.hear().await.unwrap(), "ok");
    looker.begin().await;
    assert_eq!(looker.tools().await, ["lamp_get"]);
    for (hello, want) in [
        ("hearth-mcp 1 service=cellar", "error: there is no service 'cellar' here"),
        ("hearth-mcp 1 token=wrong", "error: the token is not known"),
        ("hearth-mcp 1 colour=red", "error: the first line has an unknown part"),
    ] {
        let mut line = Line::dial(&socket.path).await;
        line.say(hello).await;
        assert!(line.hear().await.unwrap().starts_with(want), "{hello}");
        assert_eq!(line.hear().await, None);
    }
    // The session ends with its token.
    socket.bench.policy.revoke_token("looker").await.unwrap();
    while looker.hear().await.is_some() {}
}

#[tokio::test]
async fn a_bad_line_gets_an_error_and_the_session_goes_on() {
    let config = Config { message_bytes: 1024, ..Config::default() };
    let socket = Socket::open(Bench::with(config).await).await;
    let mut line = Line::dial(&socket.path).await;
    line.begin().await;
    for (bad, code, id) in [
        ("{".to_owned(), -32700, json!(null)),
        ("7".to_owned(), -32600, json!(null)),
        ("[]".to_owned(), -32600, json!(null)),
        ("{\"jsonrpc\":\"2.0\"}".to_owned(), -32600, json!(null)),
        (r#"{"id":6,"method":"ping"}"#.to_owned(), -32600, json!(6)),
        (r#"{"jsonrpc":"1.0","id":"x","method":"ping"}"#.to_owned(), -32600, json!("x")),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_owned(), -32600, json!(null)),
        ("x".repeat(5_000), -32600, json!(null)),
        (r#"{"jsonrpc":"2.0","id":8,"method":"no/such"}"#.to_owned(), -32601, json!(8)),
        (
            r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":7}}"#.to_owned(),
            -32602,
            json!(9),
        ),
    ] {
        line.say(&bad).await;
        let answer = line.answer().await;
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &id), "{bad:.60}");
    }
    line.say("").await;
    assert!(!line.tools().await.is_empty());
}

#[tokio::test]
async fn what_was_asked_before_the_end_is_still_answered() {
    let socket = Socket::open(Bench::new().await).await;
    let mut line = Line::dial(&socket.path).await;
    line.begin().await;
    let params = json!({ "name": "door_wait", "arguments": { "text": "a" } });
    line.ask(5, "tools/call", params).await;
    line.up.shutdown().await.unwrap();
    let answer = line.answer().await;
    assert_eq!(answer["id"], 5);
    assert_eq!(answer["result"]["structuredContent"]["error"]["code"], "timeout");
    assert_eq!(line.hear().await, None);
}

#[tokio::test]
async fn an_open_subscription_does_not_hold_up_the_end() {
    let socket = Socket::open(Bench::new().await).await;
    let mut line = Line::dial(&socket.path).await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let filter = json!({ "toolsListChanged": true });
    line.ask(1, "subscriptions/listen", json!({ "notifications": filter, "_meta": meta })).await;
    assert!(line.hear().await.unwrap().contains("notifications/subscriptions/acknowledged"));
    socket.bench.toolbox.remove_tool("lamp_get");
    assert!(line.hear().await.unwrap().contains("notifications/tools/list_changed"));
    line.up.shutdown().await.unwrap();
    let began = std::time::Instant::now();
    // The subscription gets its last word, and that is all.
    assert!(line.answer().await["result"].is_object());
    assert_eq!(line.hear().await, None);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn one_client_too_many_is_told_so() {
    let socket =
        Socket::open(Bench::with(Config { local_clients: 2, ..Config::default() }).await).await;
    let (mut first, mut second) = (Line::dial(&socket.path).await, Line::dial(&socket.path).await);
    first.begin().await;
    second.begin().await;
    let mut third = Line::dial(&socket.path).await;
    assert_eq!(third.hear().await.unwrap(), "error: too many local clients");
    assert_eq!(third.hear().await, None);
    drop(second);
    // Its place is free as soon as its end is noticed.
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut next = Line::dial(&socket.path).await;
        next.say("hearth-mcp 1").await;
        if next.hear().await.as_deref() == Some("ok") {
            break;
        }
        assert!(tokio::time::Instant::now() < until, "the place stays taken");
    }
}

/// Starts the fixtures' program as `hearth mcp` runs: with pipes.
fn run(args: &[&str]) -> std::process::Child {
    Command::new(example())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

const BEGIN: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"0"}}}"#;

#[test]
fn three_relays_at_once_end_with_their_input_and_print_nothing_but_mcp() {
    let fixtures = Fixtures::start();
    let socket = fixtures.socket.to_str().unwrap();
    let mut relays: Vec<_> = (0..3).map(|_| run(&["--relay", socket])).collect();
    for relay in &mut relays {
        writeln!(relay.stdin.as_mut().unwrap(), "{BEGIN}").unwrap();
    }
    for mut relay in relays {
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        writeln!(relay.stdin.as_mut().unwrap(), "{list}").unwrap();
        drop(relay.stdin.take());
        let out = relay.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let lines: Vec<Value> = out
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("stdout is MCP's"))
            .collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1]["result"]["tools"].is_array());
    }
}

#[test]
fn a_relay_says_so_when_the_daemon_goes_away() {
    let fixtures = Fixtures::start();
    let mut relay = run(&["--relay", fixtures.socket.to_str().unwrap()]);
    writeln!(relay.stdin.as_mut().unwrap(), "{BEGIN}").unwrap();
    let mut line = String::new();
    SyncReader::new(relay.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("serverInfo"));
    drop(fixtures);
    let status = relay.wait().unwrap();
    assert!(!status.success());
    let mut why = String::new();
    std::io::Read::read_to_string(&mut relay.stderr.take().unwrap(), &mut why).unwrap();
    assert!(why.contains("ended") || why.contains("went away"), "{why}");
}
