//! The routes, without sockets: what is no MCP, whose session is whose, and which service is where.

use crate::mcp::{Bench, request};
use futures_util::StreamExt as _;
use hearth::http::{Body, Request, Response, Router, to_bytes};
use hearth::mcp::{Config, Prompt, PromptArg, over_http};
use hearth::policy::{Caller, Level};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;

/// One client of the routes.
struct Web {
    router: Router,
    caller: Option<Caller>,
}

impl Web {
    fn new(bench: &Bench, caller: Option<Caller>) -> Web {
        Web { router: over_http::router(&bench.mcp()), caller }
    }

    fn of(&self, caller: Caller) -> Web {
        Web { router: self.router.clone(), caller: Some(caller) }
    }

    async fn send(&self, method: &str, path: &str, session: &str, body: &str) -> Response {
        let more = [("mcp-session-id", session)];
        let more = if session.is_empty() { &[][..] } else { &more[..] };
        let request = request(method, path, more, body, self.caller.as_ref());
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn hello(&self, path: &str, version: &str) -> Response {
        let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "0" },
        } });
        self.send("POST", path, "", &hello.to_string()).await
    }

    /// Opens a session and returns its id.
    async fn open(&self, path: &str) -> String {
        let answer = self.hello(path, "2025-11-25").await;
        assert_eq!(answer.status(), 200);
        let id = answer.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let said = message(answer).await;
        assert_eq!(said["result"]["serverInfo"]["name"], "hearth");
        assert_eq!(said["result"]["serverInfo"]["title"], "Hearth test");
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert_eq!(self.send("POST", path, &id, &ready.to_string()).await.status(), 202);
        id
    }

    async fn ask(&self, path: &str, session: &str, method: &str, params: Value) -> (u16, Value) {
        let ask = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.send("POST", path, session, &ask.to_string()).await;
        (answer.status().as_u16(), message(answer).await)
    }
}

/// The JSON-RPC message of an answer, be it JSON or a stream that ends with it.
async fn message(answer: Response) -> Value {
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    let last = text.lines().rev().find_map(|line| line.strip_prefix("data: {"));
    let json = last.map_or(text.clone(), |rest| format!("{{{rest}"));
    serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[tokio::test]
async fn what_is_no_message_gets_a_json_rpc_error() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let session = web.open("/mcp").await;
    let call = |id: Value, params: Value| {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }).to_string()
    };
    for (body, status, code, id) in [
        ("{".into(), 400, -32700, json!(null)),
        ("".into(), 400, -32700, json!(null)),
        ("\u{0}".into(), 400, -32700, json!(null)),
        ("[]".into(), 400, -32600, json!(null)),
        ("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]".into(), 400, -32600, json!(null)),
        ("{\"id\":1,\"method\":\"ping\"}".into(), 400, -32600, json!(1)),
        ("{\"jsonrpc\":2.0,\"id\":\"b\",\"method\":\"ping\"}".into(), 400, -32600, json!("b")),
        ("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":7}".into(), 400, -32600, json!(4)),
        ("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}".into(), 400, -32600, json!(null)),
        ("{\"jsonrpc\":\"2.0\",\"id\":1}".into(), 400, -32600, json!(1)),
        (call(json!(5), json!({ "name": 7 })), 200, -32602, json!(5)),
        (call(json!("a"), json!({ "name": "lamp_paint" })), 200, -32602, json!("a")),
        ("{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"no/such\"}".into(), 200, -32601, json!(9)),
    ] as [(String, u16, i32, Value); 13]
    {
        let answer = web.send("POST", "/mcp", &session, &body).await;
        assert_eq!(answer.status().as_u16(), status, "{body}");
        let said = message(answer).await;
        assert_eq!((&said["error"]["code"], &said["id"]), (&json!(code), &id), "{body}: {said}");
    }
    let said = web.ask("/mcp", &session, "nope", json!({})).await.1;
    assert_eq!(said["error"]["message"], "unknown method 'nope'");
    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(web.send("POST", "/mcp", &session, &large).await.status(), 413);
    // And the session is as good as before.
    assert_eq!(web.ask("/mcp", &session, "ping", json!({})).await.1["result"], json!({}));
}

#[tokio::test]
async fn a_tools_failure_is_a_result_and_an_unknown_tool_is_not() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let session = web.open("/mcp").await;
    let call = |name: &str, args: Value| json!({ "name": name, "arguments": args });
    let ask = async |params: Value| web.ask("/mcp", &session, "tools/call", params).await.1;
    let said = ask(call("lamp_get", json!({ "text": "hi" }))).await;
    assert_eq!(said["result"]["structuredContent"], json!({ "text": "hi", "confirm": null }));
    assert_eq!(said["result"]["content"][0]["text"], r#"{"text":"hi","confirm":null}"#);
    for (name, args, code, retry) in [
        ("lamp_get", json!({}), "invalid", false),
        ("lamp_set", json!({ "text": "a" }), "refused", false),
        ("door_panic", json!({ "text": "a" }), "broken", false),
        ("door_wait", json!({ "text": "a" }), "timeout", true),
    ] {
        let said = ask(call(name, args)).await;
        let (result, error) = (&said["result"], &said["result"]["structuredContent"]["error"]);
        assert_eq!(result["isError"], true, "{said}");
        assert_eq!((&error["code"], &error["retryable"]), (&json!(code), &json!(retry)), "{said}");
        assert_eq!(error["message"], result["content"][0]["text"]);
    }
    let said = ask(call("lamp_paint", json!({}))).await;
    assert_eq!(said["error"]["code"], -32602);
}

#[tokio::test]
async fn a_session_answers_only_the_token_and_the_address_that_opened_it() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let other = web.of(bench.caller("other", Level::Admin, &[]).await);
    let session = web.open("/mcp").await;
    for (who, path, want) in [(&web, "/mcp", 200), (&other, "/mcp", 404), (&web, "/mcp/lamp", 404)]
    {
        assert_eq!(who.ask(path, &session, "ping", json!({})).await.0, want, "{path}");
    }
    assert_eq!(other.send("GET", "/mcp", &session, "").await.status(), 404);
    assert_eq!(other.send("DELETE", "/mcp", &session, "").await.status(), 404);
    assert_eq!(web.ask("/mcp", &session, "ping", json!({})).await.0, 200);
    assert_eq!(web.send("DELETE", "/mcp", &session, "").await.status(), 204);
    assert_eq!(web.ask("/mcp", &session, "ping", json!({})).await.0, 404);
}

#[tokio::test]
async fn a_session_and_its_stream_end_when_the_token_is_revoked() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let session = web.open("/mcp").await;
    let stream = web.send("GET", "/mcp", &session, "").await;
    assert_eq!(stream.status(), 200);
    let read = to_bytes(stream.into_body(), 1 << 20);
    bench.policy.revoke_token("reader").await.unwrap();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), read).await;
    ended.expect("the stream goes on").unwrap();
    assert_eq!(web.ask("/mcp", &session, "ping", json!({})).await.0, 404);
}

#[tokio::test]
async fn services_have_addresses_of_their_own_and_nobody_comes_in_unnamed() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let session = web.open("/mcp/lamp").await;
    let (_, said) = web.ask("/mcp/lamp", &session, "tools/list", json!({})).await;
    let tools = said["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 1);
    assert_eq!(tools[0]["annotations"], json!({ "readOnlyHint": true, "openWorldHint": false }));
    let params = json!({ "name": "door_get", "arguments": { "text": "a" } });
    let (_, said) = web.ask("/mcp/lamp", &session, "tools/call", params).await;
    assert_eq!(said["error"]["code"], -32602);
    for path in ["/mcp/cellar", "/mcp/", "/mcp/lamp/x", "/mcp/hearth"] {
        assert_eq!(web.send("POST", path, "", "{}").await.status(), 404, "{path}");
    }
    let nobody = Web { router: web.router.clone(), caller: None };
    assert_eq!(nobody.send("POST", "/mcp", "", "{}").await.status(), 401);
}

#[tokio::test]
async fn the_newest_protocol_needs_no_session() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let ask = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {
        "name": "lamp_get",
        "arguments": { "text": "hi" },
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    } });
    let mut request = Request::builder()
        .method("POST")
        .uri("/mcp")
        .header("host", "127.0.0.1")
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "lamp_get")
        .body(Body::from(ask.to_string()))
        .unwrap();
    request.extensions_mut().insert(web.caller.clone().unwrap());
    let answer = web.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert!(!answer.headers().contains_key("mcp-session-id"));
    assert_eq!(message(answer).await["result"]["structuredContent"]["text"], "hi");
}

#[tokio::test]
async fn a_client_that_takes_anything_is_served() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let session = web.open("/mcp").await;
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
    for (accept, want) in [(None, 200), (Some("*/*"), 200), (Some("text/html"), 406)] {
        let mut request = Request::builder()
            .method("POST")
            .uri("/mcp")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("mcp-session-id", &session);
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let mut request = request.body(Body::from(ping.clone())).unwrap();
        request.extensions_mut().insert(web.caller.clone().unwrap());
        let answer = web.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), want, "{accept:?}");
    }
}

#[tokio::test]
async fn at_the_cap_the_session_idle_longest_ends() {
    let bench = Bench::with(Config { sessions: 2, ..Config::default() }).await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let (first, second) = (web.open("/mcp").await, web.open("/mcp").await);
    // The older one is used, so the younger one is idle longest.
    assert_eq!(web.ask("/mcp", &first, "ping", json!({})).await.0, 200);
    let third = web.open("/mcp").await;
    for (session, want) in [(&first, 200), (&second, 404), (&third, 200)] {
        assert_eq!(web.ask("/mcp", session, "ping", json!({})).await.0, want);
    }
}

#[tokio::test]
async fn a_completion_says_how_many_values_there_are() {
    let bench = Bench::new().await;
    bench.toolbox.add_prompts(vec![Prompt {
        name: "lamp_tell",
        title: "Tell of a lamp",
        about: "Tells of a lamp",
        args: vec![PromptArg { name: "lamp", about: "Which", required: true }],
        values: Arc::new(|_, _| (0..250).map(|n| format!("hall lamp {n:03}")).collect()),
        write: Arc::new(|_, _| Box::pin(async { Ok("a lamp".into()) })),
        place: None,
    }]);
    let web = Web::new(&bench, Some(bench.reader().await));
    let session = web.open("/mcp").await;
    for (typed, shown, total, first) in [
        ("", 100, 250, "hall lamp 000"),
        ("LAMP 1", 100, 133, "hall lamp 100"),
        ("p 24", 13, 13, "hall lamp 240"),
        ("07", 13, 13, "hall lamp 070"),
    ] {
        let params = json!({
            "ref": { "type": "ref/prompt", "name": "lamp_tell" },
            "argument": { "name": "lamp", "value": typed },
        });
        let said = web.ask("/mcp", &session, "completion/complete", params).await.1;
        let found = &said["result"]["completion"];
        let values = found["values"].as_array().unwrap();
        assert_eq!((values.len(), &values[0]), (shown, &json!(first)), "{typed}: {said}");
        assert_eq!(found["total"], total, "{typed}");
        assert_eq!(found["hasMore"], total > 100, "{typed}");
    }
}

#[tokio::test]
async fn only_clients_that_know_it_get_an_event_without_data() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let first = async |answer: Response| {
        let mut body = answer.into_body().into_data_stream();
        let piece = tokio::time::timeout(std::time::Duration::from_secs(10), body.next()).await;
        String::from_utf8(piece.expect("nothing comes").unwrap().unwrap().to_vec()).unwrap()
    };
    let is_empty = |piece: &str| piece.lines().any(|line| line.trim_end() == "data:");
    for (version, primed) in [("2025-06-18", false), ("2025-03-26", false), ("2025-11-25", true)] {
        let answer = web.hello("/mcp", version).await;
        let id = answer.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let said = first(answer).await;
        assert_eq!(is_empty(&said), primed, "{version}: {said}");
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        web.send("POST", "/mcp", &id, &ready.to_string()).await;
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }).to_string();
        let said = first(web.send("POST", "/mcp", &id, &ping).await).await;
        assert_eq!(is_empty(&said), primed, "{version}: {said}");
        // On the stream for notices what comes first is the notice.
        let notices = web.send("GET", "/mcp", &id, "").await;
        bench.toolbox.add_prompts(Vec::new());
        let said = first(notices).await;
        assert_eq!(is_empty(&said), primed, "{version}: {said}");
    }
}

#[tokio::test]
async fn an_id_that_is_in_use_is_refused_and_free_again_after_its_answer() {
    let bench = Bench::new().await;
    let web = Web::new(&bench, Some(bench.reader().await));
    let session = web.open("/mcp").await;
    let call = |tool: &str| {
        json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call",
                "params": { "name": tool, "arguments": { "text": "x" } } })
        .to_string()
    };
    let waits = call("door_wait");
    let mut first = Box::pin(web.send("POST", "/mcp", &session, &waits));
    // It is under way once it has been asked and has not answered.
    assert!(futures_util::poll!(&mut first).is_pending());
    let second = web.send("POST", "/mcp", &session, &call("lamp_get")).await;
    assert_eq!(second.status(), 400);
    let said = message(second).await;
    assert_eq!((&said["error"]["code"], &said["id"]), (&json!(-32600), &json!(7)), "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("the id 7 belongs"), "{said}");
    // The first one is answered all the same, and then the id is free.
    let said = message(first.await).await;
    assert_eq!((&said["id"], &said["result"]["isError"]), (&json!(7), &json!(true)), "{said}");
    let third = message(web.send("POST", "/mcp", &session, &call("lamp_get")).await).await;
    assert_eq!(third["result"]["structuredContent"]["text"], "x", "{third}");
}
