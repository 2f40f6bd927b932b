//! Redis away, back, hanging, refusing: calls fail in words, and everything comes back by itself.

use super::redis_server::RedisServer;
use super::{Dir, Opened, open_with, until};
use futures_util::future::{join, join_all};
use hearth::config::Secret;
use hearth::error::Kind;
use hearth::store::{Bounds, Config, Store};
use hearth::tasks::{State, Whose};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

async fn open_redis(server: &RedisServer, dir: &Dir) -> Opened {
    let config = Config { redis_url: server.url(), ..Config::default() };
    open_with(&config, dir.path()).await.unwrap()
}

impl Opened {
    async fn becomes(&self, word: &str) {
        until(&format!("redis is {word}"), || async { self.state("redis").word() == word }).await;
    }
}

/// What the writers of the test below share.
#[derive(Default)]
struct Load {
    enough: AtomicBool,
    acknowledged: AtomicU32,
    failures: AtomicU32,
}

impl Load {
    /// Puts entries and pushes messages until there is enough; returns the acknowledged ones.
    async fn write(&self, store: &Store, writer: u32) -> Vec<(String, u64)> {
        let outbox = store.outbox("load", Bounds { items: 1 << 20, bytes: 1 << 30 }).unwrap();
        let mut kept = Vec::new();
        let mut n = 0;
        while !self.enough.load(Ordering::SeqCst) {
            n += 1;
            let key = format!("{writer}/{n}");
            let put = store.put("load", &key, key.as_bytes(), None).await;
            let push = outbox.push(key.as_bytes()).await;
            for e in [put.as_ref().err(), push.as_ref().err()].into_iter().flatten() {
                assert!(e.kind().row().retryable, "{e:?}");
                assert!(e.what().contains("redis.sock"), "{e:?}");
                self.failures.fetch_add(1, Ordering::SeqCst);
            }
            if let (Ok(()), Ok(id)) = (put, push) {
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                kept.push((key, id));
            }
        }
        kept
    }

    async fn goes_on(&self) {
        let before = self.acknowledged.load(Ordering::SeqCst);
        let more = || async { self.acknowledged.load(Ordering::SeqCst) > before + 50 };
        until("writes go on", more).await;
    }

    async fn fails(&self) {
        let before = self.failures.load(Ordering::SeqCst);
        until("writes fail", || async { self.failures.load(Ordering::SeqCst) > before }).await;
    }
}

#[tokio::test]
async fn a_redis_killed_under_load_comes_back_with_every_acknowledged_write() {
    let dir = Dir::new();
    let mut server = RedisServer::start(dir.path()).await;
    let opened = open_redis(&server, &dir).await;
    opened.becomes("up").await;
    let load = Load::default();
    let writers = join_all((0..8).map(|writer| load.write(&opened.store, writer)));
    let outages = async {
        for _ in 0..3 {
            load.goes_on().await;
            server.kill();
            load.fails().await;
            opened.becomes("degraded").await;
            assert!(opened.tasks.is_healthy() && !opened.tasks.is_ready());
            server.restart().await;
            opened.becomes("up").await;
        }
        load.goes_on().await;
        load.enough.store(true, Ordering::SeqCst);
    };
    let (kept, ()) = join(writers, outages).await;
    let outbox = opened.store.outbox("load", Bounds { items: 1, bytes: 1 }).unwrap();
    for (key, id) in kept.into_iter().flatten() {
        let value = opened.store.get("load", &key).await.unwrap();
        assert_eq!(value.as_deref(), Some(key.as_bytes()), "{key} is lost");
        assert!(outbox.ack(id).await.unwrap(), "the message {key} is lost");
    }
    opened.tasks.stop().await;
}

#[tokio::test]
async fn a_redis_that_comes_late_is_no_error_at_the_start() {
    let dir = Dir::new();
    let config = Config {
        redis_url: Secret::new(format!("unix://{}/redis.sock", dir.path().display())),
        ..Config::default()
    };
    let opened = open_with(&config, dir.path()).await.unwrap();
    let e = opened.store.get("t", "k").await.unwrap_err();
    assert_eq!(e.kind(), Kind::Offline);
    assert!(e.what().starts_with("cannot reach Redis at "), "{e}");
    opened.becomes("degraded").await;
    let health = opened.tasks.health();
    assert_eq!((health.len(), health[0].whose), (1, Whose::Peer));
    let _server = RedisServer::start(dir.path()).await;
    opened.becomes("up").await;
    opened.store.put("t", "k", b"v", None).await.unwrap();
    opened.tasks.stop().await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_a_timeout_and_then_works_again() {
    let dir = Dir::new();
    let server = RedisServer::start(dir.path()).await;
    let opened = open_redis(&server, &dir).await;
    opened.store.put("t", "k", b"v", None).await.unwrap();
    kill(Pid::from_raw(server.pid()), Signal::SIGSTOP).unwrap();
    let began = Instant::now();
    let e = opened.store.get("t", "k").await.unwrap_err();
    assert_eq!(e.kind(), Kind::Timeout, "{e}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    opened.becomes("degraded").await;
    kill(Pid::from_raw(server.pid()), Signal::SIGCONT).unwrap();
    opened.becomes("up").await;
    assert_eq!(opened.store.get("t", "k").await.unwrap().unwrap(), b"v");
    opened.tasks.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_said_without_showing_it() {
    let dir = Dir::new();
    let server = RedisServer::start_with(dir.path(), &["--requirepass", "right-one"]).await;
    let socket = dir.path().join("redis.sock");
    let with = |password: &str| Config {
        redis_url: Secret::new(format!("unix://{}?pass={password}", socket.display())),
        ..Config::default()
    };
    let opened = open_with(&with("wrong-one"), dir.path()).await.unwrap();
    let e = opened.store.get("t", "k").await.unwrap_err();
    assert_eq!(e.kind(), Kind::Offline);
    assert!(e.what().contains("refuses the name or password in REDIS_URL"), "{e}");
    assert!(!e.to_string().contains("wrong-one"), "{e}");
    // The owner gives Redis the password that Hearth has; nothing needs a restart.
    let set = "AUTH right-one\r\nCONFIG SET requirepass wrong-one";
    assert_eq!(server.tell(set).unwrap(), "+OK");
    opened.becomes("up").await;
    opened.store.put("t", "k", b"v", None).await.unwrap();
    opened.tasks.stop().await;
}

#[tokio::test]
async fn a_redis_without_memory_is_a_limit() {
    let dir = Dir::new();
    let server = RedisServer::start(dir.path()).await;
    let opened = open_redis(&server, &dir).await;
    assert_eq!(server.tell("CONFIG SET maxmemory 1").unwrap(), "+OK");
    let e = opened.store.put("t", "k", b"v", None).await.unwrap_err();
    assert_eq!(e.kind(), Kind::Limit, "{e:?}");
    assert!(e.what().contains("maxmemory"), "{e}");
    assert_eq!(server.tell("CONFIG SET maxmemory 0").unwrap(), "+OK");
    opened.store.put("t", "k", b"v", None).await.unwrap();
    assert!(matches!(opened.state("redis"), State::Up | State::Starting));
    opened.tasks.stop().await;
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_showing_it() {
    let dir = Dir::new();
    for url in ["localhost", "http://user:hunter2@redis", "rediss://:hunter2@redis:6379", "redis:"]
    {
        let config = Config { redis_url: Secret::new(url), ..Config::default() };
        let e = open_with(&config, dir.path()).await.err().expect(url);
        assert_eq!(e.kind(), Kind::Invalid);
        assert!(e.what().contains("redis://host:6379"), "{e}");
        assert!(!e.to_string().contains("hunter2"), "{e}");
    }
    for prefix in ["", "a{b"] {
        let redis_url = Secret::new("redis://localhost");
        let config = Config { redis_url, redis_prefix: prefix.into(), ..Config::default() };
        let e = open_with(&config, dir.path()).await.err().expect("opened");
        assert!(e.what().contains("redis_prefix"), "{e}");
    }
}
