//! Floods and crowds: there is always room for one more who has something to say.

use crate::http::house::{House, Plan, wait};
use crate::http::raw::Raw;
use hearth::error::Kind;
use hearth::http::serve::{Limits, Server};
use hearth::http::{Config, Reason, Router};
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[test]
fn a_thousand_idle_connections_do_not_keep_a_new_one_out() {
    let mut plan = Plan::default();
    plan.limits.head = Duration::from_secs(60);
    let house = House::with(plan);
    let idle: Vec<Raw> = (0..1000).map(|_| Raw::connect(house.at)).collect();
    let began = Instant::now();
    assert_eq!(Raw::connect(house.at).get("/").status, 200);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    wait("the others are closed", || house.counters.open() <= 65);
    assert_eq!(house.counters.count(Reason::Full), 0);
    drop(idle);
    house.wait_empty();
}

#[test]
fn bodies_that_never_come_do_not_keep_a_new_one_out() {
    let mut plan = Plan::default();
    plan.limits.body = Duration::from_secs(60);
    let house = House::with(plan);
    let mut waiting: Vec<Raw> = (0..64).map(|_| Raw::connect(house.at)).collect();
    for raw in &mut waiting {
        raw.send("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n");
    }
    wait("all are accepted", || house.counters.accepted() == 64);
    let began = Instant::now();
    assert_eq!(Raw::connect(house.at).get("/").status, 200);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn open_streams_and_calls_are_not_idle() {
    let mut plan = Plan::default();
    plan.limits.per_address = 4;
    let house = House::with(plan);
    let mut streams: Vec<Raw> = (0..2).map(|_| Raw::connect(house.at)).collect();
    for raw in &mut streams {
        let answer = raw.get("/stream");
        assert_eq!((answer.status, answer.text().as_str()), (200, "first\n"));
    }
    let mut calls: Vec<Raw> = (0..2).map(|_| Raw::connect(house.at)).collect();
    for raw in &mut calls {
        raw.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    wait("the calls are at work", || house.seen.waiting.load(Ordering::SeqCst) == 2);
    let answer = Raw::connect(house.at).get("/");
    assert_eq!(answer.status, 503);
    let said: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(said["error"]["code"], "limit", "{said}");
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.contains("all 4 ") && message.contains("connections_per_address"), "{said}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    house.wait_for(Reason::Full, 1);
    // Whoever watches Hearth on this machine is answered all the same, as often as it asks.
    for _ in 0..20 {
        assert_eq!(Raw::connect(house.at).get("/health").status, 200);
    }
    assert!(!streams.iter_mut().chain(&mut calls).any(Raw::is_ended));
    // A client that hangs up ends its call, and there is room again.
    drop(calls.pop());
    wait("room for one", || {
        Raw::connect(house.at)
            .send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .try_answer()
            .is_some_and(|answer| answer.status == 200)
    });
    assert!(!streams.iter_mut().any(Raw::is_ended));
}

#[test]
fn three_thousand_requests_with_reset_are_survived() {
    let house = House::open();
    for _ in 0..3000 {
        let mut raw = Raw::connect(house.at);
        raw.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        raw.reset();
    }
    let began = Instant::now();
    assert_eq!(Raw::connect(house.at).get("/").status, 200);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    house.wait_empty();
    assert!(house.counters.accepted() > 1000);
}

#[test]
fn shutdown_ends_idle_connections_and_lets_calls_finish() {
    let house = House::open();
    let mut idle = Raw::connect(house.at);
    assert_eq!(idle.get("/").status, 200);
    let mut upload = Raw::connect(house.at);
    upload.send("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhe");
    wait("both are accepted", || house.counters.accepted() == 2);
    let tasks = house.tasks.clone();
    let stopping = house.runtime.spawn(async move { tasks.stop().await });
    assert!(idle.until_end().1.is_empty());
    upload.send("llo");
    assert_eq!(upload.answer().text(), "5");
    assert!(upload.until_end().1.is_empty());
    let began = Instant::now();
    house.runtime.block_on(stopping).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(std::net::TcpStream::connect(house.at).is_err(), "it still listens");
}

#[test]
fn shutdown_does_not_wait_for_streams() {
    let mut plan = Plan::default();
    plan.limits.grace = Duration::from_millis(200);
    let house = House::with(plan);
    let mut stream = Raw::connect(house.at);
    assert_eq!(stream.get("/stream").status, 200);
    let began = Instant::now();
    house.runtime.block_on(house.tasks.stop());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    stream.until_end();
}

#[test]
fn nothing_listens_beyond_this_machine_without_a_token_unless_told_so() {
    let house = House::open();
    let listen = |host: &'static str, has_tokens: bool, told: bool| {
        let config = Config { listen_without_token: told, ..Config::default() };
        let limits = Limits::new(&config);
        let _entered = house.runtime.enter();
        let server = Server::new(&config, limits, has_tokens, &house.tasks, &house.counters);
        let server = server.unwrap();
        let bound = house.runtime.block_on(server.listen("second", host, 0, Router::new()));
        bound.map(|_| ()).map_err(|e| e.kind())
    };
    assert_eq!(listen("all", false, false), Err(Kind::Refused));
    assert_eq!(listen("0.0.0.0", false, false), Err(Kind::Refused));
    assert_eq!(listen("localhost", false, false), Ok(()));
    assert_eq!(listen("all", true, false), Ok(()));
    assert_eq!(listen("all", false, true), Ok(()));
}
