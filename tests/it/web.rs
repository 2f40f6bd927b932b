//! Tests of web: its routes behind the guard, without sockets. The page itself is tested in a real browser, by
//! `scripts/ui test`.

use futures_util::StreamExt as _;
use hearth::error::Error;
use hearth::events::{Entity, Event, Events};
use hearth::http::guard::Guard;
use hearth::http::{Body, HeaderMap, Method, Request, Router, StatusCode, header, to_bytes};
use hearth::policy::{self, Caller, EntityScope, Grant, Level, Policy, Via};
use hearth::store::Store;
use hearth::tasks::{Tasks, Whose};
use hearth::web::{Line, Meter, Page, Parts, bundled_pages, routes};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt as _;

/// A web with one service of its own. A caller that a test hands in passes the guard as it does
/// from the control socket; without one the guard decides.
struct House {
    router: Router,
    policy: Policy,
    tasks: Tasks,
    events: Events,
}

impl House {
    async fn new() -> House {
        let (events, store) = (Events::new(), Store::memory());
        let tasks = Tasks::new(events.clone());
        let config = policy::Config::default();
        let policy = Policy::start(&config, &store, &events, &tasks, None).await.unwrap();
        let counters = hearth::http::Counters::default();
        let http = hearth::http::Config::default();
        let guard = Guard::new(&http, &policy, &counters).unwrap();
        let page = Page {
            name: "rooms",
            title: "Rooms",
            events: &["entity"],
            summary: Some(Arc::new(|caller| format!("hello {}", caller.name))),
        };
        let line = Line { at: 1.0, level: "info", target: "store".into(), text: "opened".into() };
        let parts = Parts {
            policy: policy.clone(),
            tasks: tasks.clone(),
            events: events.clone(),
            demo: true,
            pages: vec![page],
            log: Arc::new(move || vec![line.clone()]),
            guard: guard.clone(),
            counters,
            gather: vec![Arc::new(|meter: &mut Meter| {
                meter.gauge("hearth_rooms", "Rooms", &[("floor", "ground")], 4.0);
            })],
        };
        House { router: guard.protect(routes(parts)), policy, tasks, events }
    }

    /// Makes a token; returns its secret and its caller.
    async fn token(&self, name: &str, grant: Grant) -> (String, Caller) {
        let made = self.policy.new_token(name, grant).await.unwrap();
        let caller = self.policy.caller_of_token(&made.secret, Via::Http).unwrap();
        (made.secret, caller)
    }

    async fn ask(&self, request: Ask<'_>) -> Answer {
        let mut built = Request::builder().method(request.method).uri(request.path);
        built = built.header("host", "localhost:7123");
        for (name, value) in request.headers {
            built = built.header(*name, *value);
        }
        let mut built = built.body(Body::from(request.body.to_owned())).unwrap();
        if let Some(caller) = request.caller {
            built.extensions_mut().insert(caller.clone());
        }
        let answer = self.router.clone().oneshot(built).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, body: answer.into_body() }
    }

    async fn get(&self, path: &str, caller: Option<&Caller>) -> Answer {
        self.ask(Ask { path, caller, ..Ask::default() }).await
    }
}

struct Ask<'a> {
    method: Method,
    path: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
    caller: Option<&'a Caller>,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Ask { method: Method::GET, path: "/", headers: &[], body: "", caller: None }
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

impl Answer {
    async fn bytes(self) -> Vec<u8> {
        to_bytes(self.body, 1 << 20).await.unwrap().to_vec()
    }

    async fn text(self) -> String {
        String::from_utf8(self.bytes().await).unwrap()
    }

    async fn json(self) -> Value {
        serde_json::from_slice(&self.bytes().await).unwrap()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(&name).map_or("", |v| v.to_str().unwrap())
    }
}

#[tokio::test]
async fn health_fails_only_when_a_part_of_hearth_is_down() {
    let house = House::new().await;
    house.tasks.status("store", Whose::Own).up();
    let peer = house.tasks.status("hub", Whose::Peer);
    peer.set(hearth::tasks::State::Down("no route to 192.0.2.7".into()));

    let answer = house.get("/health", None).await;
    assert_eq!(answer.status, 200);
    let body = answer.json().await;
    assert_eq!((&body["status"], &body["demo"]), (&json!("ok"), &json!(true)));
    assert_eq!(body["services"], json!({"store": "up", "hub": "down"}));
    assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
    let stamp = body["timestamp"].as_str().unwrap();
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
    assert!(!body.to_string().contains("192.0.2.7"));

    let own = house.tasks.status("clock", Whose::Own);
    own.set(hearth::tasks::State::Down("stopped".into()));
    let answer = house.get("/health", None).await;
    assert_eq!(
        (answer.status, answer.json().await["status"].clone()),
        (StatusCode::SERVICE_UNAVAILABLE, json!("down"))
    );
}

#[tokio::test]
async fn ready_waits_for_everything_and_tells_callers_why_not() {
    let house = House::new().await;
    let (_, caller) = house.token("monitor", Grant::default()).await;
    let hub = house.tasks.status("hub", Whose::Peer);
    hub.degraded("waiting for the hub");

    let answer = house.get("/ready", None).await;
    assert_eq!(
        (answer.status, answer.text().await),
        (StatusCode::SERVICE_UNAVAILABLE, r#"{"ready":false}"#.into())
    );
    let told = house.get("/ready", Some(&caller)).await.json().await;
    assert_eq!(told["reasons"], json!({"hub": "waiting for the hub"}));
    hub.up();
    let answer = house.get("/ready", None).await;
    assert_eq!((answer.status, answer.text().await), (StatusCode::OK, r#"{"ready":true}"#.into()));
}

#[tokio::test]
async fn clients_find_mcp_without_a_token() {
    let house = House::new().await;
    let body = house.get("/.well-known/mcp-config", None).await.json().await;
    assert_eq!(body["name"], "Home Assistant MCP Server");
    assert_eq!((&body["transport"], &body["url"]), (&json!("streamable-http"), &json!("/mcp")));
}

#[tokio::test]
async fn what_needs_a_caller_is_refused_without_one() {
    let house = House::new().await;
    for path in ["/metrics", "/events", "/api/web/state", "/api/web/logs", "/api/web/audit"] {
        let answer = house.get(path, None).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.json().await["error"]["code"], "unauthenticated", "{path}");
    }
}

#[tokio::test]
async fn metrics_carry_the_process_the_tasks_and_what_services_measure() {
    let house = House::new().await;
    let (_, caller) = house.token("prometheus", Grant::default()).await;
    house.tasks.status("store", Whose::Own).up();
    let text = house.get("/metrics", Some(&caller)).await.text().await;
    for line in [
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "hearth_uptime_seconds ",
        "hearth_events_total 1.0",
        r#"hearth_task_state{task="store",whose="own",state="up"} 1.0"#,
        r#"hearth_http_answers_total{status="2xx"} 0.0"#,
        r#"hearth_http_refused_total{reason="wrong_token"} 0.0"#,
        r#"hearth_rooms{floor="ground"} 4.0"#,
    ] {
        assert!(text.lines().any(|l| l.starts_with(line)), "no '{line}' in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_token_given_once_opens_a_page_session_that_ends_at_logout() {
    let house = House::new().await;
    let (secret, _) = house.token("phone", Grant::admin()).await;
    let json_body = [("content-type", "application/json")];
    let body = json!({ "token": secret }).to_string();
    let login = Ask {
        method: Method::POST,
        path: "/login",
        headers: &json_body,
        body: &body,
        ..Ask::default()
    };
    let answer = house.ask(login).await;
    assert_eq!(answer.status, 200);
    let cookie = answer.header(header::SET_COOKIE).to_owned();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains(&secret) && !answer.text().await.contains(&secret));
    let pair = cookie.split(';').next().unwrap();
    let session = pair.split_once('=').unwrap().1;
    let caller = house.policy.caller_of_page(session).unwrap();
    assert_eq!((&*caller.name, caller.via), ("phone", Via::Page));

    let logout = Ask {
        method: Method::POST,
        path: "/logout",
        headers: &[("cookie", pair), ("origin", "http://localhost:7123")],
        ..Ask::default()
    };
    let answer = house.ask(logout).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "login"));
    assert!(answer.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert!(house.policy.caller_of_page(session).is_none());
    let actions: Vec<String> = house.policy.audit().into_iter().map(|a| a.action).collect();
    assert_eq!(actions, ["login", "logout"]);
}

#[tokio::test]
async fn a_wrong_token_gets_401_as_json_and_as_a_page() {
    let house = House::new().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let ask = |headers, body| Ask {
        method: Method::POST,
        path: "/login",
        headers,
        body,
        ..Ask::default()
    };
    let answer = house.ask(ask(&form, "token=wrong")).await;
    assert_eq!((answer.status, answer.header(header::SET_COOKIE)), (StatusCode::UNAUTHORIZED, ""));
    assert!(answer.header(header::CONTENT_SECURITY_POLICY).contains("frame-ancestors 'none'"));
    assert!(answer.text().await.contains("this token is not known"));

    let json_body = [("content-type", "application/json")];
    let answer = house.ask(ask(&json_body, r#"{"token":"wrong"}"#)).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json().await["error"]["code"], "unauthenticated");
    assert_eq!(house.ask(ask(&json_body, "not json")).await.status, 401);
}

#[tokio::test]
async fn the_form_alone_logs_in_without_a_script() {
    let house = House::new().await;
    let (secret, caller) = house.token("old browser", Grant::default()).await;
    let body = format!("token={secret}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let ask =
        Ask { method: Method::POST, path: "/login", headers: &form, body: &body, ..Ask::default() };
    let answer = house.ask(ask).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (StatusCode::SEE_OTHER, "./"));
    // Who is logged in already has nothing to do at the form.
    assert_eq!(house.get("/login", Some(&caller)).await.status, 303);
    assert_eq!(house.get("/login", None).await.status, 200);
}

#[tokio::test]
async fn a_browser_without_a_session_is_sent_to_the_login_page() {
    let house = House::new().await;
    let html = [("accept", "text/html,application/xhtml+xml")];
    let check = async |path: &str, want: &str| {
        let answer = house.ask(Ask { path, headers: &html, ..Ask::default() }).await;
        assert_eq!((answer.status.as_u16(), answer.header(header::LOCATION)), (303, want));
    };
    check("/", "login").await;
    check("/metrics", "login").await;
    check("/api/web/state", "../../login").await;
    assert_eq!(house.get("/", None).await.status, 401);
}

#[tokio::test]
async fn wrong_tokens_at_the_login_make_an_address_wait() {
    let house = House::new().await;
    let headers = [("content-type", "application/json")];
    let mut last = StatusCode::OK;
    for _ in 0..12 {
        let body = r#"{"token":"wrong"}"#;
        let method = Method::POST;
        let ask = Ask { method, path: "/login", headers: &headers, body, ..Ask::default() };
        last = house.ask(ask).await.status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn documents_forbid_everything_that_is_not_ours() {
    let house = House::new().await;
    let (_, caller) = house.token("phone", Grant::default()).await;
    for (path, caller) in [("/", Some(&caller)), ("/login", None)] {
        let answer = house.get(path, caller).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY).to_owned();
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "same-origin", "{path}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-cache", "{path}");
        let html = answer.text().await;
        for inline in
            ["<style", " style=", "onload=", "onclick=", "javascript:", "http://", "https://"]
        {
            assert!(!html.contains(inline), "{path} holds {inline}");
        }
        assert!(html.split("<script").skip(1).all(|s| s.contains("src=\"assets/")), "{html}");
    }
}

#[tokio::test]
async fn assets_are_kept_for_good_and_packed_for_who_takes_it() {
    let house = House::new().await;
    let html = house.get("/login", None).await.text().await;
    let name = html.split("\"assets/style-").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("/assets/style-{name}");
    let ask = |headers| Ask { path: &path, headers, ..Ask::default() };

    let plain = house.ask(ask(&[])).await;
    assert_eq!(plain.header(header::CONTENT_TYPE), "text/css; charset=utf-8");
    assert_eq!(plain.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
    assert_eq!(plain.header(header::CONTENT_ENCODING), "");
    let tag = plain.header(header::ETAG).to_owned();
    let plain = plain.bytes().await;

    let packed = house.ask(ask(&[("accept-encoding", "gzip, br")])).await;
    assert_eq!(packed.header(header::CONTENT_ENCODING), "gzip");
    let packed = packed.bytes().await;
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() * 2 < plain.len());

    let known = house.ask(ask(&[("if-none-match", tag.as_str())])).await;
    assert_eq!(known.status, 304);
    assert!(known.bytes().await.is_empty());
    assert_eq!(house.get("/assets/gone-12345678.js", None).await.status, 404);
}

#[tokio::test]
async fn the_state_names_only_pages_that_the_caller_may_read() {
    let house = House::new().await;
    house.tasks.status("hub", Whose::Peer).degraded("it is away");
    let (_, all) = house.token("all", Grant::default()).await;
    let other = Grant { services: vec!["other".into()], ..Grant::default() };
    let (_, other) = house.token("other", other).await;

    let body = house.get("/api/web/state", Some(&all)).await.json().await;
    assert_eq!(body["pages"], json!([{"name": "rooms", "title": "Rooms", "summary": "hello all"}]));
    assert_eq!(body["who"], json!({"name": "all", "via": "http", "level": "read"}));
    let hub = json!({"name": "hub", "own": false, "state": "degraded", "reason": "it is away", "restarts": 0});
    assert_eq!(body["services"], json!([hub]));
    let body = house.get("/api/web/state", Some(&other)).await.json().await;
    assert_eq!(body["pages"], json!([]));
}

#[tokio::test]
async fn log_is_for_admins_and_audit_for_the_one_it_is_about() {
    let house = House::new().await;
    let (_, admin) = house.token("admin", Grant::admin()).await;
    let (_, reader) = house.token("reader", Grant::default()).await;
    let line = json!([{"at": 1.0, "level": "info", "target": "store", "text": "opened"}]);
    assert_eq!(house.get("/api/web/logs", Some(&admin)).await.json().await, line);
    assert_eq!(house.get("/api/web/logs", Some(&reader)).await.status, 403);

    house.policy.record(&admin, "rooms_clean", "hall", policy::Outcome::Allowed, None);
    let who = async |caller: &Caller| {
        let entries = house.get("/api/web/audit", Some(caller)).await.json().await;
        let names =
            entries.as_array().unwrap().iter().map(|e| e["who"].as_str().unwrap().to_owned());
        names.collect::<Vec<String>>()
    };
    assert_eq!(who(&admin).await, ["reader", "admin"]);
    assert_eq!(who(&reader).await, ["reader"]);
}

fn entity(id: &str, area: &str) -> Event {
    Event::Entity(Entity {
        house: "home".into(),
        entity_id: id.into(),
        state: Some("on".into()),
        old_state: None,
        name: None,
        area: Some(area.into()),
        labels: Vec::new().into(),
        exposed: true,
        changed: 5.0,
    })
}

/// Reads from an open stream until `want` stands in it.
async fn until(answer: &mut hearth::http::Body, seen: &mut String, want: &str) {
    let mut chunks = std::mem::take(answer).into_data_stream();
    while !seen.contains(want) {
        let next = tokio::time::timeout(Duration::from_secs(10), chunks.next()).await;
        let chunk = next.unwrap_or_else(|_| panic!("no '{want}' in\n{seen}"));
        let chunk = chunk.unwrap_or_else(|| panic!("the stream ended before '{want}':\n{seen}"));
        seen.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
    }
    *answer = Body::from_stream(chunks);
}

#[tokio::test]
async fn events_are_filtered_by_wish_and_by_what_the_caller_may_see() {
    let house = House::new().await;
    let scope = EntityScope { areas: vec!["kitchen".into()], ..EntityScope::default() };
    let (_, caller) = house.token("cook", Grant { entities: scope, ..Grant::default() }).await;
    let answer = house.get("/events?event=entity&entity_id=light.*", Some(&caller)).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    let mut body = answer.body;
    for (id, area) in
        [("light.bed", "bedroom"), ("switch.pan", "kitchen"), ("light.stove", "kitchen")]
    {
        house.events.publish(entity(id, area));
    }
    let mut seen = String::new();
    until(&mut body, &mut seen, "light.stove").await;
    assert!(seen.contains("event: entity\n") && seen.contains("id: 3\n"), "{seen}");
    assert!(!seen.contains("light.bed") && !seen.contains("switch.pan"), "{seen}");
}

#[tokio::test]
async fn a_reader_that_returns_is_told_what_it_missed_and_what_is_gone() {
    let house = House::new().await;
    let (_, caller) = house.token("screen", Grant::default()).await;
    for n in 1..=hearth::events::RECENT + 2 {
        house.events.publish(entity(&format!("light.n{n}"), "hall"));
    }
    let back = [("last-event-id", "1")];
    let ask =
        house.ask(Ask { path: "/events", headers: &back, caller: Some(&caller), ..Ask::default() });
    let (mut body, mut seen) = (ask.await.body, String::new());
    until(&mut body, &mut seen, "light.n514\"").await;
    assert!(seen.contains("event: lost\ndata: {\"lost\":1}\n\n"), "{}", &seen[..200]);
    assert!(!seen.contains("light.n2\"") && seen.contains("light.n3\""));
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked() {
    let house = House::new().await;
    let (_, caller) = house.token("guest", Grant::default()).await;
    let (_, other) = house.token("other", Grant::default()).await;
    let body = house.get("/events", Some(&caller)).await.body;
    let mut stays = house.get("/events", Some(&other)).await.body;
    house.policy.revoke_token("guest").await.unwrap();
    let end = tokio::time::timeout(Duration::from_secs(10), to_bytes(body, 1 << 20)).await;
    assert!(end.expect("the stream goes on").is_ok());
    house.events.publish(entity("light.still", "hall"));
    until(&mut stays, &mut String::new(), "light.still").await;
}

#[tokio::test]
async fn a_filter_that_does_not_exist_is_refused() {
    let house = House::new().await;
    let (_, caller) = house.token("script", Grant::default()).await;
    assert_eq!(house.get("/events?entity=light.x", Some(&caller)).await.status, 400);
    let long = vec!["x"; 65].join(",");
    let answer = house.get(&format!("/events?area={long}"), Some(&caller)).await;
    assert_eq!(answer.json().await["error"]["code"], "invalid");
}

#[test]
fn every_folder_with_a_page_is_bundled() {
    let mut found: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("page/index.tsx").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    assert_eq!(bundled_pages(), found);
}

#[tokio::test]
async fn a_revoked_caller_is_refused_by_name() {
    let house = House::new().await;
    let (_, caller) = house.token("gone", Grant { level: Level::Admin, ..Grant::default() }).await;
    house.policy.revoke_token("gone").await.unwrap();
    let body = house.get("/api/web/logs", Some(&caller)).await.json().await;
    let want = Error::unauthenticated("the token 'gone' is revoked");
    assert_eq!(body["error"]["message"], want.what());
}
