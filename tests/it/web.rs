//! Tests of web: its routes behind the guard, without sockets. The page itself is tested in a real
//! browser, by `scripts/ui test`.

mod live;
mod page;

use hearth::error::Error;
use hearth::events::Events;
use hearth::http::guard::Guard;
use hearth::http::{Body, HeaderMap, Method, Request, Router, StatusCode, header, to_bytes};
use hearth::policy::{self, Caller, Grant, Level, Policy, Via};
use hearth::store::Store;
use hearth::tasks::{Tasks, Whose};
use hearth::web::{Line, Meter, Page, Parts, bundled_pages, routes};
use serde_json::{Value, json};
use std::sync::Arc;
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
            check: Some(Arc::new(|_, filter, value| match value {
                "attic" => Err(Error::not_found(format!("there is no {filter} 'attic'"))),
                _ => Ok(()),
            })),
        };
        let line = Line { at: 1.0, level: "info", target: "store".into(), text: "opened".into() };
        let parts = Parts {
            policy: policy.clone(),
            tasks: tasks.clone(),
            events: events.clone(),
            local: vec!["mcp".into(), "--data-dir".into(), "/srv/my data".into()],
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
