//! What all the bad input together costs: the listener runs in a process of its own, so that its
//! memory can be told from the tests'.

use crate::http::house::{House, Plan};
use crate::http::raw::Raw;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CHILD: &str = "HEARTH_TEST_LISTENER";
const DESCRIPTORS: &str = "HEARTH_TEST_DESCRIPTORS";
const MOST: u64 = 16 * 1000;

#[test]
fn bad_input_costs_at_most_16_mb() {
    if std::env::var_os(CHILD).is_some() {
        return listen();
    }
    let mut child = start("bad_input_costs_at_most_16_mb", &[]);
    let at = address(&mut child);
    for _ in 0..100 {
        assert_eq!(Raw::connect(at).get("/").status, 200);
    }
    let before = kilobytes(&child, "VmRSS");
    for (name, input) in INPUTS {
        input(at);
        let began = Instant::now();
        assert_eq!(Raw::connect(at).get("/").status, 200, "after {name}");
        assert!(began.elapsed() < Duration::from_secs(1), "{name}: {:?}", began.elapsed());
        let grown = kilobytes(&child, "VmHWM").saturating_sub(before);
        println!("{name}: at most {grown} kB above the start");
        assert!(grown <= MOST, "{name}: {grown} kB");
    }
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn running_out_of_descriptors_is_survived() {
    if std::env::var_os(CHILD).is_some() {
        return listen();
    }
    let mut child = start("running_out_of_descriptors_is_survived", &[(DESCRIPTORS, "60")]);
    let at = address(&mut child);
    let idle: Vec<Raw> = (0..200).map(|_| Raw::connect(at)).collect();
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(Raw::connect(at).get("/").status, 200);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    drop(idle);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

/// Starts this test again as the listener.
fn start(test: &str, env: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("http::memory::{test}"), "--nocapture"])
        .env(CHILD, "1")
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The child: listens until its standard input ends.
fn listen() {
    let mut plan = Plan::default();
    if let Some(most) = std::env::var(DESCRIPTORS).ok().and_then(|most| most.parse().ok()) {
        let resource = nix::sys::resource::Resource::RLIMIT_NOFILE;
        nix::sys::resource::setrlimit(resource, most, most).unwrap();
        plan.limits.per_address = 1000;
        plan.limits.connections = 1000;
        plan.limits.head = Duration::from_secs(60);
    }
    let house = House::with(plan);
    println!("listening at {}", house.at);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn address(child: &mut Child) -> SocketAddr {
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    // The test harness may have begun the line.
    lines.find_map(|line| line.split_once("listening at ")?.1.parse().ok()).unwrap()
}

fn kilobytes(child: &Child, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

type Input = fn(SocketAddr);

const INPUTS: &[(&str, Input)] = &[
    ("a header of 256 MiB", |at| {
        let mut raw = Raw::connect(at);
        raw.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
        raw.flood(&[b'a'; 64 * 1024], 4096);
        raw.until_end();
    }),
    ("200,000 headers", |at| {
        let mut raw = Raw::connect(at);
        raw.send("GET / HTTP/1.1\r\nHost: localhost\r\n");
        raw.flood("a: b\r\n".repeat(1000).as_bytes(), 200);
        raw.until_end();
    }),
    ("64 slow headers", |at| {
        let mut all: Vec<Raw> = (0..64).map(|_| Raw::connect(at)).collect();
        all.iter_mut().for_each(|raw| {
            raw.send("GET / HTTP/1.1\r\nX: ").send([b'a'; 15_000]);
        });
        all.iter_mut().for_each(|raw| assert_eq!(raw.answer().status, 408));
    }),
    ("a length of a terabyte", |at| {
        let mut raw = Raw::connect(at);
        raw.send(
            "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n",
        );
        raw.flood(&[b'x'; 64 * 1024], 1024);
        raw.until_end();
    }),
    ("a chunked body of 64 MiB", |at| {
        let mut raw = Raw::connect(at);
        raw.send("POST /count HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        raw.flood(&[b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat(), 1024);
        raw.until_end();
    }),
    ("3,000 requests with reset", |at| {
        for _ in 0..3000 {
            let mut raw = Raw::connect(at);
            raw.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            raw.reset();
        }
    }),
    ("1,000 idle connections", |at| {
        let idle: Vec<Raw> = (0..1000).map(|_| Raw::connect(at)).collect();
        assert_eq!(Raw::connect(at).get("/").status, 200);
        drop(idle);
    }),
    ("60 bodies that never come", |at| {
        let mut all: Vec<Raw> = (0..60).map(|_| Raw::connect(at)).collect();
        all.iter_mut().for_each(|raw| {
            raw.send("POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\nx");
        });
        all.iter_mut().for_each(|raw| assert_eq!(raw.answer().status, 408));
    }),
    ("60 readers that stopped", |at| {
        let mut all: Vec<Raw> = (0..60).map(|_| Raw::connect(at)).collect();
        all.iter_mut().for_each(|raw| {
            raw.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
        });
        // The first to read on may still get all of it; the others have stopped for too long by then.
        let got: usize = all.iter_mut().map(|raw| raw.until_end().1.len()).sum();
        assert!(got < 10 * (64 << 20), "{got} bytes were sent");
    }),
    ("smuggling", |at| {
        for _ in 0..100 {
            let mut raw = Raw::connect(at);
            raw.send(
                "POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\
                 Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            );
            assert_eq!(raw.answer().text(), "0");
            assert!(raw.until_end().1.is_empty());
        }
    }),
    ("10,000 pipelined requests", |at| {
        let mut raw = Raw::connect(at);
        for _ in 0..100 {
            raw.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100));
            (0..100).for_each(|_| assert_eq!(raw.answer().status, 200));
        }
    }),
];
