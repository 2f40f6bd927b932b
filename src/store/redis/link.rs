//! The connection to Redis: kept up, watched, and its failures put into words.

use crate::error::Error;
use crate::tasks::{State, Status, Tasks, Whose};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, FromRedisValue, RedisError, ScriptInvocation, ServerErrorKind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// Calls that may be under way at once.
const CALLS: usize = 32;
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(3);
/// How often a Redis that answers is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// How long to wait before one that does not answer is tried again, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The connection.
pub(super) struct Link {
    client: Client,
    /// Where Redis is, without the password.
    place: String,
    manager: Mutex<ConnectionManager>,
    calls: Semaphore,
    status: Status,
    failed: Notify,
}

/// Reads the address of a Redis; nothing is connected.
pub(super) fn read(url: &str) -> Result<Client, Error> {
    // The address holds the password, so neither it nor redis' text about it is shown.
    Client::open(url).map_err(|_| {
        Error::invalid(
            "not an address of Redis: it must look like redis://host:6379, \
             redis://user:password@host:6379/0 or unix:///run/redis.sock (no TLS)",
        )
    })
}

impl Link {
    /// Reads the address; nothing is connected yet.
    pub(super) fn new(url: &str, tasks: &Tasks) -> Result<Link, Error> {
        let client = read(url).map_err(|e| e.at("store.redis_url (REDIS_URL)"))?;
        let place = client.get_connection_info().addr().to_string();
        let status = tasks.status("redis", Whose::Peer);
        let manager = manager(&client, &place)?;
        Ok(Link {
            client,
            place,
            manager: Mutex::new(manager),
            calls: Semaphore::new(CALLS),
            status,
            failed: Notify::new(),
        })
    }

    /// Calls a script. One that only reads is called again when the connection broke meanwhile.
    pub(super) async fn call<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        only_reads: bool,
    ) -> Result<T, Error> {
        let _place = self.calls.acquire().await;
        let mut answer = call.invoke_async(&mut self.manager()).await;
        if only_reads && answer.as_ref().is_err_and(RedisError::is_connection_dropped) {
            answer = call.invoke_async(&mut self.manager()).await;
        }
        answer.map_err(|e| self.told(e))
    }

    /// Returns the bytes of a key.
    pub(super) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let _place = self.calls.acquire().await;
        let get = redis::cmd("GET").arg(key).to_owned();
        let mut answer = get.query_async(&mut self.manager()).await;
        if answer.as_ref().is_err_and(RedisError::is_connection_dropped) {
            answer = get.query_async(&mut self.manager()).await;
        }
        answer.map_err(|e| self.told(e))
    }

    /// Starts the task that says how Redis does and makes a new connection when the old one hangs.
    pub(super) fn look_after(self: Arc<Link>, tasks: &Tasks) {
        tasks.spawn("redis", move |stop| {
            let link = self.clone();
            async move {
                link.watch(&stop).await;
                Ok(())
            }
        });
    }

    async fn watch(&self, stop: &CancellationToken) {
        let mut pause = AGAIN.0;
        let mut asked = false;
        loop {
            let ping = redis::cmd("PING");
            match ping.query_async::<()>(&mut self.manager()).await {
                Ok(()) => {
                    if self.status.state() != State::Up {
                        log::info!("Redis connected");
                    }
                    self.status.up();
                    pause = AGAIN.0;
                    if !asked {
                        asked = true;
                        self.warn_if_it_forgets().await;
                    }
                    tokio::select! {
                        () = tokio::time::sleep(LOOK) => {}
                        () = self.failed.notified() => {}
                        () = stop.cancelled() => return,
                    }
                }
                Err(e) => {
                    self.status.degraded(self.told(e).to_string());
                    self.renew();
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = stop.cancelled() => return,
                    }
                    pause = AGAIN.1.min(pause * 2);
                }
            }
        }
    }

    /// A Redis that keeps nothing on its disk, or drops keys when memory is short, is the user's
    /// choice; say it once. One that does not show its settings is not asked again.
    async fn warn_if_it_forgets(&self) {
        let mut settings = redis::cmd("CONFIG");
        settings.arg("GET").arg("appendonly").arg("save").arg("maxmemory-policy");
        let answer = settings.query_async(&mut self.manager()).await;
        let Ok::<std::collections::HashMap<String, String>, _>(has) = answer else { return };
        let is = |name: &str, value: &str| has.get(name).is_some_and(|v| v == value);
        if is("appendonly", "no") && is("save", "") {
            log::warn!(
                "Redis at {} keeps nothing on its disk: what Hearth stores is lost when it \
                 restarts; set `appendonly yes`",
                self.place
            );
        }
        if has.get("maxmemory-policy").is_some_and(|policy| policy.starts_with("allkeys")) {
            log::warn!(
                "Redis at {} drops any key when its memory is short, also Hearth's; set \
                 `maxmemory-policy noeviction` or `volatile-ttl`",
                self.place
            );
        }
    }

    /// Says when Redis acknowledges changes before they are on its disk; one that does not show its
    /// settings says nothing.
    pub(super) async fn weakness(&self) -> Option<String> {
        let mut settings = redis::cmd("CONFIG");
        settings.arg("GET").arg("appendonly").arg("appendfsync");
        let answer = settings.query_async(&mut self.manager()).await;
        let has: std::collections::HashMap<String, String> = answer.ok()?;
        let is = |name: &str, value: &str| has.get(name).is_some_and(|v| v == value);
        if is("appendonly", "yes") && is("appendfsync", "always") {
            return None;
        }
        Some(format!(
            "Redis at {} acknowledges changes before they are on its disk, so a crash of it can lose \
             some; set `appendonly yes` and `appendfsync always` where sessions must not be lost",
            self.place
        ))
    }

    /// Makes a new connection. The manager does so by itself when the old one breaks, but not when
    /// it hangs, nor when Redis refused the first greeting.
    fn renew(&self) {
        if let Ok(new) = manager(&self.client, &self.place) {
            *self.manager.lock().unwrap_or_else(PoisonError::into_inner) = new;
        }
    }

    fn manager(&self) -> ConnectionManager {
        self.manager.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a failure into words; one of the connection also wakes the watch.
    fn told(&self, e: RedisError) -> Error {
        let place = &self.place;
        let kind = match (e.kind(), e.code().unwrap_or_default()) {
            (ErrorKind::AuthenticationFailed, _) | (_, "NOAUTH" | "WRONGPASS") => {
                Error::offline(format!(
                    "Redis at {place} refuses the name or password in REDIS_URL; it must be \
                     redis://user:password@host:6379"
                ))
            }
            (_, "OOM") => Error::limit(format!(
                "Redis at {place} has no memory left: raise its maxmemory or delete something"
            )),
            (_, "MISCONF") => Error::limit(format!("Redis at {place} cannot save to its disk")),
            (ErrorKind::Io, _) if e.is_timeout() => Error::timeout(format!(
                "Redis at {place} did not answer within {} s",
                ANSWER.as_secs()
            )),
            (ErrorKind::Io | ErrorKind::Parse, _) => Error::offline(format!(
                "cannot reach Redis at {place}; check REDIS_URL (store.redis_url) and whether Redis runs"
            )),
            (ErrorKind::Server(kind), _) if comes_back(kind) => {
                Error::offline(format!("Redis at {place} is not ready"))
            }
            _ => Error::broken(format!("Redis at {place} refused a command")),
        };
        if kind.kind().row().retryable {
            self.failed.notify_one();
        }
        kind.because(e)
    }
}

fn comes_back(kind: ServerErrorKind) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
    matches!(kind, BusyLoading | ClusterDown | MasterDown | ReadOnly | TryAgain)
}

fn manager(client: &Client, place: &str) -> Result<ConnectionManager, Error> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER))
        .set_number_of_retries(1)
        .set_min_delay(AGAIN.0);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
        .map_err(|e| Error::broken(format!("cannot prepare to reach Redis at {place}")).because(e))
}
