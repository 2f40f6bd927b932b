use super::*;
use crate::events::Events;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};

/// The server's end of the pipe, which says what no real server does.
struct Far {
    read: tokio::io::Lines<BufReader<DuplexStream>>,
    write: DuplexStream,
}

impl Far {
    async fn heard(&mut self) -> Value {
        let line = self.read.next_line().await.unwrap().expect("the client closed its end");
        serde_json::from_str(&line).unwrap()
    }

    async fn say(&mut self, line: &str) {
        self.write.write_all(line.as_bytes()).await.unwrap();
        self.write.write_all(b"\n").await.unwrap();
    }

    async fn answer(&mut self, to: &Value, result: Value) {
        let line = json!({ "result": result, "jsonrpc": "2.0", "id": to["id"] }).to_string();
        self.say(&line).await;
    }
}

fn pipes() -> (Box<DuplexStream>, Box<DuplexStream>, Far) {
    let (stdin, far_in) = tokio::io::duplex(1 << 16);
    let (far_out, stdout) = tokio::io::duplex(1 << 16);
    let far = Far { read: BufReader::new(far_in).lines(), write: far_out };
    (Box::new(stdin), Box::new(stdout), far)
}

const SOON: Duration = Duration::from_secs(20);

async fn connected() -> (Peer, Far, Tasks) {
    let tasks = Tasks::new(Events::new());
    let (stdin, stdout, mut far) = pipes();
    let served = async {
        let hello = far.heard().await;
        assert_eq!(hello["method"], "initialize");
        let version = hello["params"]["protocolVersion"].clone();
        far.answer(
            &hello,
            json!({
                "protocolVersion": version, "capabilities": { "tools": {} },
                "serverInfo": { "name": "odd\u{1b}", "version": "1" },
            }),
        )
        .await;
        assert_eq!(far.heard().await["method"], "notifications/initialized");
        far
    };
    let (peer, far) = tokio::join!(Peer::connect(stdin, stdout, SOON, &tasks), served);
    (peer.unwrap(), far, tasks)
}

fn ask(peer: &Peer, wait: Wait) -> impl Future<Output = Result<Value, Error>> + use<> {
    let peer = peer.clone();
    async move { peer.call("t", Map::new(), &wait).await }
}

#[tokio::test]
async fn lines_that_are_no_messages_are_skipped_and_counted() {
    let (peer, mut far, _tasks) = connected().await;
    assert_eq!(peer.about().unwrap().name, "odd\\u{1b}");
    let served = async {
        let call = far.heard().await;
        for line in ["Server started!", "", "{", "{}", "[1]", r#"{"id":"x","result":{}}"#] {
            far.say(line).await;
        }
        far.say(r#"{"jsonrpc":"2.0","id":999,"result":{"not":"asked"}}"#).await;
        far.answer(&call, json!({ "content": [], "unknown": { "kept": true } })).await;
        far
    };
    let (answer, _far) = tokio::join!(ask(&peer, Wait::default()), served);
    assert_eq!(answer.unwrap()["unknown"]["kept"], true);
    assert_eq!(peer.skipped(), 5);
}

#[tokio::test]
async fn what_is_too_long_fails_its_own_call_and_no_other() {
    let (peer, mut far, _tasks) = connected().await;
    let served = async {
        let (one, two) = (far.heard().await, far.heard().await);
        let long = "x".repeat(LONGEST);
        // As the official library for TypeScript writes it: the id at the end.
        far.answer(&one, json!({ "content": [{ "type": "text", "text": long }] })).await;
        far.answer(&two, json!({ "content": [] })).await;
        far
    };
    let (one, two) = (ask(&peer, Wait::default()), ask(&peer, Wait::default()));
    let (one, two, _far) = tokio::join!(one, two, served);
    assert_eq!(one.unwrap_err().kind(), Kind::Limit);
    two.unwrap();
}

#[tokio::test]
async fn a_call_that_is_given_up_is_cancelled_at_the_server() {
    let (peer, mut far, _tasks) = connected().await;
    let late = ask(&peer, Wait::at_most(Duration::from_millis(30)));
    let (late, call) = tokio::join!(late, far.heard());
    assert_eq!(late.unwrap_err().kind(), Kind::Timeout);
    let note = far.heard().await;
    assert_eq!(note["method"], "notifications/cancelled");
    assert_eq!(note["params"]["requestId"], call["id"]);
    let cancelled = CancellationToken::new();
    let wait = Wait { cancelled: Some(cancelled.clone()), ..Wait::default() };
    let served = async {
        let call = far.heard().await;
        cancelled.cancel();
        let note = far.heard().await;
        assert_eq!(note["params"]["requestId"], call["id"]);
        // Its answer comes all the same, and the next call gets its own.
        far.answer(&call, json!({ "late": true })).await;
        let next = far.heard().await;
        far.answer(&next, json!({ "late": false })).await;
    };
    let client = async {
        assert_eq!(ask(&peer, wait).await.unwrap_err().kind(), Kind::Timeout);
        ask(&peer, Wait::default()).await.unwrap()
    };
    let (answer, ()) = tokio::join!(client, served);
    assert_eq!(answer["late"], false);
}

#[tokio::test]
async fn progress_is_passed_on_and_a_changed_list_is_asked_anew() {
    let (peer, mut far, _tasks) = connected().await;
    let steps = Arc::new(Mutex::new(Vec::new()));
    let kept = steps.clone();
    let progress = Progress::new(move |done, _, text| {
        kept.lock().unwrap().push((done, text));
        Box::pin(async {})
    });
    let wait = Wait { progress: Some(progress), ..Wait::default() };
    let mut changes = peer.changes();
    let served = async {
        let call = far.heard().await;
        let token = call["params"]["_meta"]["progressToken"].clone();
        for (token, done) in [(&token, 1), (&json!(777), 5), (&token, 2)] {
            let params = json!({ "progressToken": token, "progress": done, "message": "a\u{7}" });
            let note = json!({ "method": "notifications/progress", "params": params });
            far.say(&note.to_string()).await;
        }
        far.answer(&call, json!({})).await;
        for name in ["old", "new"] {
            let list = far.heard().await;
            assert_eq!(list["method"], "tools/list");
            far.answer(&list, json!({ "tools": [{ "name": name }], "nextCursor": "p" })).await;
            let rest = far.heard().await;
            assert_eq!(rest["params"]["cursor"], "p");
            far.answer(&rest, json!({ "tools": [{ "name": "b" }] })).await;
            far.say(r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#).await;
        }
    };
    let client = async {
        ask(&peer, wait).await.unwrap();
        let old = peer.tools(&Wait::default()).await.unwrap();
        assert_eq!((old[0]["name"].as_str(), old.len()), (Some("old"), 2));
        changes.changed().await.unwrap();
        peer.tools(&Wait::default()).await.unwrap()
    };
    let (new, ()) = tokio::join!(client, served);
    assert_eq!(new[0]["name"], "new");
    let steps = steps.lock().unwrap().clone();
    let text = Some("a\\u{7}".to_owned());
    assert_eq!(steps, [(1.0, text.clone()), (2.0, text)]);
}

#[tokio::test]
async fn what_a_server_asks_of_us_is_refused_and_a_ping_is_answered() {
    let (_peer, mut far, _tasks) = connected().await;
    far.say(r#"{"jsonrpc":"2.0","id":"s1","method":"ping"}"#).await;
    let pong = far.heard().await;
    assert_eq!((&pong["id"], &pong["result"]), (&json!("s1"), &json!({})));
    far.say(r#"{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{}}"#).await;
    assert_eq!(far.heard().await["error"]["code"], -32601);
}

#[tokio::test]
async fn a_server_that_ends_fails_what_waits_and_what_comes() {
    let (peer, mut far, _tasks) = connected().await;
    let served = async {
        far.heard().await;
        drop(far);
    };
    let (answer, ()) = tokio::join!(ask(&peer, Wait::default()), served);
    assert_eq!(answer.unwrap_err().kind(), Kind::Offline);
    assert!(!peer.is_open());
    assert_eq!(ask(&peer, Wait::default()).await.unwrap_err().kind(), Kind::Offline);
}

#[tokio::test]
async fn so_many_may_wait_and_no_more() {
    let (peer, _far, _tasks) = connected().await;
    let mut waiting = Vec::new();
    for _ in 0..WAITING {
        let mut one = Box::pin(ask(&peer, Wait::default()));
        assert!(futures_util::poll!(&mut one).is_pending());
        waiting.push(one);
    }
    assert_eq!(ask(&peer, Wait::default()).await.unwrap_err().kind(), Kind::Limit);
    waiting.pop();
    let mut again = Box::pin(ask(&peer, Wait::default()));
    assert!(futures_util::poll!(&mut again).is_pending());
}

#[tokio::test]
async fn a_server_of_another_time_is_spoken_to_in_its_way_or_refused() {
    let tasks = Tasks::new(Events::new());
    let (stdin, stdout, mut far) = pipes();
    let served = async {
        let hello = far.heard().await;
        let error = json!({ "code": -32601, "message": "Method not found" });
        far.say(&json!({ "id": hello["id"], "error": error }).to_string()).await;
        let discover = far.heard().await;
        assert_eq!(discover["method"], "server/discover");
        let info = json!({ "name": "new", "version": "2" });
        let said = json!({ "supportedVersions": [SESSIONLESS], "serverInfo": info });
        far.answer(&discover, said).await;
        let call = far.heard().await;
        let tag = &call["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
        assert_eq!(tag, SESSIONLESS);
        far.answer(&call, json!({})).await;
    };
    let client = async {
        let peer = Peer::connect(stdin, stdout, SOON, &tasks).await.unwrap();
        assert_eq!(peer.about().unwrap().name, "new");
        peer.call("t", Map::new(), &Wait::default()).await.unwrap();
    };
    tokio::join!(client, served);

    let (stdin, stdout, mut far) = pipes();
    let served = async {
        let hello = far.heard().await;
        far.answer(&hello, json!({ "protocolVersion": "1999-01-01" })).await;
    };
    let (peer, ()) = tokio::join!(Peer::connect(stdin, stdout, SOON, &tasks), served);
    let e = peer.err().unwrap();
    assert!(e.to_string().contains("speaks MCP '1999-01-01'"), "{e}");
    let (stdin, stdout, _far) = pipes();
    let silent = Peer::connect(stdin, stdout, Duration::from_millis(20), &tasks).await;
    assert_eq!(silent.err().unwrap().kind(), Kind::Timeout);
}
