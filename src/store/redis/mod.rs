//! The engine in Redis: the same tables and outboxes on a server of the user's.
//!
//! Each change is one Lua script, which Redis does whole or not at all. A table is one string per
//! entry and one sorted set that gives the order; what lives for a while is also in a sorted set of
//! endings, so that the indexes are cleaned. All names begin with `{prefix}:`; the braces keep them
//! on one node of a cluster.
//!
//! A Redis that is away makes calls fail as Offline within seconds; the connection comes back by
//! itself. How safe an acknowledged change is against a power cut is Redis' own setting
//! (`appendonly`, `appendfsync`); one warning is logged when it keeps nothing on disk.

mod link;

use crate::config::Fault;
use crate::error::Error;
use crate::store::change::{
    Answer, Bounds, Change, Counts, Engine, Op, PAGE_BYTES, Peeked, millis,
};
use crate::store::config::Config;
use crate::store::records;
use crate::tasks::Tasks;
use link::Link;
use redis::{Script, ScriptInvocation};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most endings that one call of the sweep looks at.
const SWEEP_MAX: u64 = 1000;

/// The engine.
pub(super) struct Redis {
    link: Arc<Link>,
    names: Names,
    scripts: Scripts,
    changes: AtomicU64,
}

struct Scripts {
    change: Script,
    list: Script,
    push: Script,
    ack: Script,
    peek: Script,
    sweep: Script,
}

/// How things are called in Redis.
struct Names {
    start: String,
}

impl Names {
    fn new(prefix: &str) -> Names {
        Names { start: format!("{{{prefix}}}:") }
    }

    /// What an entry is called in the index of endings.
    fn member(table: &str, key: &str) -> String {
        format!("{table}:{key}")
    }

    fn entry(&self, table: &str, key: &str) -> String {
        format!("{}e:{table}:{key}", self.start)
    }

    fn index(&self, table: &str) -> String {
        format!("{}t:{table}", self.start)
    }

    fn endings(&self) -> String {
        format!("{}endings", self.start)
    }

    /// Counters, ids and messages of an outbox.
    fn outbox(&self, name: &str) -> [String; 3] {
        ["c", "i", "m"].map(|part| format!("{}o:{part}:{name}", self.start))
    }
}

/// Returns what is wrong with the settings of Redis.
pub(super) fn faults(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Err(e) = link::read(config.redis_url.reveal()) {
        faults.push(Fault::new("store.redis_url", e.to_string()));
    }
    let prefix = &config.redis_prefix;
    if prefix.is_empty() || prefix.len() > 64 || prefix.contains(['{', '}']) {
        faults.push(Fault::new("store.redis_prefix", "must have 1 to 64 bytes and no braces"));
    }
    faults
}

impl Redis {
    /// Makes the engine and starts looking after its connection. Redis need not be there yet.
    pub(super) fn open(config: &Config, tasks: &Tasks) -> Result<Redis, Error> {
        Fault::refuse(faults(config))?;
        let names = Names::new(&config.redis_prefix);
        let link = Arc::new(Link::new(config.redis_url.reveal(), tasks)?);
        link.clone().look_after(tasks);
        Ok(Redis {
            link,
            names,
            scripts: Scripts {
                change: Script::new(include_str!("change.lua")),
                list: Script::new(include_str!("list.lua")),
                push: Script::new(include_str!("push.lua")),
                ack: Script::new(include_str!("ack.lua")),
                peek: Script::new(include_str!("peek.lua")),
                sweep: Script::new(include_str!("sweep.lua")),
            },
            changes: AtomicU64::new(0),
        })
    }

    async fn batch(&self, ops: &[Op]) -> Result<u64, Error> {
        let mut call = self.scripts.change.prepare_invoke();
        for op in ops {
            match op {
                Op::Put { table, key, value, ttl } => {
                    let ttl = ttl.map_or(String::new(), |ttl| millis(ttl).to_string());
                    self.step(&mut call, "put", table, key, value, &ttl);
                }
                Op::Delete { table, key } => self.step(&mut call, "delete", table, key, &[], ""),
            }
        }
        Ok(self.run(call).await?.1)
    }

    async fn swap(
        &self,
        table: &str,
        key: &str,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<u64, Error> {
        let mut call = self.scripts.change.prepare_invoke();
        let (check, value) = expected.map_or(("none", &[][..]), |value| ("is", value));
        self.step(&mut call, check, table, key, value, "");
        match (expected, new) {
            (Some(_), Some(value)) => self.step(&mut call, "keep", table, key, value, ""),
            (None, Some(value)) => self.step(&mut call, "put", table, key, value, ""),
            (_, None) => self.step(&mut call, "delete", table, key, &[], ""),
        }
        Ok(self.run(call).await?.0)
    }

    /// Adds one operation to a call of `change.lua`.
    fn step(
        &self,
        call: &mut ScriptInvocation<'_>,
        what: &str,
        table: &str,
        key: &str,
        value: &[u8],
        ttl: &str,
    ) {
        call.key(self.names.entry(table, key)).key(self.names.index(table));
        call.arg(what).arg(key).arg(Names::member(table, key)).arg(value).arg(ttl);
    }

    async fn run(&self, mut call: ScriptInvocation<'_>) -> Result<(u64, u64), Error> {
        call.key(self.names.endings());
        self.link.call(&call, false).await
    }

    async fn push(&self, outbox: &str, message: &[u8], bounds: Bounds) -> Result<u64, Error> {
        let mut call = self.scripts.push.key(&self.names.outbox(outbox));
        call.arg(message).arg(bounds.items).arg(bounds.bytes);
        let (id, items, bytes): (u64, u64, u64) = self.link.call(&call, false).await?;
        if id == 0 {
            records::room(outbox, items, bytes, message.len(), bounds)?;
        }
        Ok(id)
    }

    async fn ack(&self, outbox: &str, id: u64) -> Result<u64, Error> {
        let mut call = self.scripts.ack.key(&self.names.outbox(outbox));
        call.arg(id);
        self.link.call(&call, false).await
    }

    async fn page(
        &self,
        table: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let low = match after.filter(|after| *after >= prefix) {
            Some(after) => format!("({after}"),
            None if prefix.is_empty() => "-".to_owned(),
            None => format!("[{prefix}"),
        };
        // No UTF-8 text has the byte 0xff, so this is above every key with the prefix.
        let high = if prefix.is_empty() {
            b"+".to_vec()
        } else {
            [b"(", prefix.as_bytes(), &[0xff]].concat()
        };
        let mut call = self.scripts.list.key(self.names.index(table));
        call.arg(self.names.entry(table, "")).arg(low).arg(high).arg(limit).arg(PAGE_BYTES);
        let parts: Vec<Vec<u8>> = self.link.call(&call, true).await?;
        Ok(pairs(parts, |key| Some(String::from_utf8_lossy(&key).into_owned())))
    }
}

/// Puts together what a script returned as first, second, first, second, ...
fn pairs<T>(parts: Vec<Vec<u8>>, first: impl Fn(Vec<u8>) -> Option<T>) -> Vec<(T, Vec<u8>)> {
    let mut pairs = Vec::with_capacity(parts.len() / 2);
    let mut parts = parts.into_iter();
    while let (Some(one), Some(two)) = (parts.next(), parts.next()) {
        pairs.extend(first(one).map(|one| (one, two)));
    }
    pairs
}

impl Engine for Redis {
    fn weakness(&self) -> Answer<'_, Option<String>> {
        Box::pin(async move { Ok(self.link.weakness().await) })
    }

    fn get<'a>(&'a self, table: &'a str, key: &'a str) -> Answer<'a, Option<Vec<u8>>> {
        Box::pin(async move { self.link.get(&self.names.entry(table, key)).await })
    }

    fn list<'a>(
        &'a self,
        table: &'a str,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(self.page(table, prefix, after, limit))
    }

    fn change(&self, change: Change) -> Answer<'_, u64> {
        Box::pin(async move {
            let answer = match &change {
                Change::Batch(ops) => self.batch(ops).await,
                Change::Swap { table, key, expected, new } => {
                    self.swap(table, key, expected.as_deref(), new.as_deref()).await
                }
                Change::Push { outbox, value, bounds } => self.push(outbox, value, *bounds).await,
                Change::Ack { outbox, id } => self.ack(outbox, *id).await,
            };
            self.changes.fetch_add(u64::from(answer.is_ok()), Ordering::Relaxed);
            answer
        })
    }

    fn peek<'a>(&'a self, outbox: &'a str, limit: usize) -> Answer<'a, Peeked> {
        Box::pin(async move {
            let mut call = self.scripts.peek.key(&self.names.outbox(outbox));
            call.arg(limit).arg(PAGE_BYTES);
            let mut parts: Vec<Vec<u8>> = self.link.call(&call, true).await?;
            let number = |text: Vec<u8>| String::from_utf8(text).ok()?.parse::<u64>().ok();
            let waiting = (!parts.is_empty()).then(|| parts.remove(0)).and_then(number);
            Ok(Peeked { messages: pairs(parts, number), waiting: waiting.unwrap_or(0) })
        })
    }

    fn sweep(&self) -> Answer<'_, u64> {
        Box::pin(async move {
            let mut call = self.scripts.sweep.key(self.names.endings());
            call.arg(&self.names.start).arg(SWEEP_MAX);
            let mut seen = 0;
            loop {
                let ended: u64 = self.link.call(&call, true).await?;
                seen += ended;
                if ended < SWEEP_MAX {
                    return Ok(seen);
                }
            }
        })
    }

    fn counts(&self) -> Counts {
        let changes = self.changes.load(Ordering::Relaxed);
        Counts { changes, commits: changes }
    }
}
