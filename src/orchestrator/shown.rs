//! A session as its owner sees it.

use crate::config::JsonSchema;
use crate::orchestrator::live::{Running, Slot, now};
use crate::orchestrator::sessions::{Record, State};
use serde::Serialize;

/// A session as its owner sees it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Shown {
    /// Its id, among those of its owner.
    pub id: String,
    /// Name of the token that made it.
    pub owner: String,
    /// running, stopped (the next call starts it anew), elsewhere (another node has it), ended.
    pub state: &'static str,
    /// What it runs: `worker` or a name of the catalogue.
    pub image: String,
    /// Goes up with each new sandbox and each new node.
    pub epoch: u64,
    /// The node that has it.
    pub node: String,
    /// How far its sandbox is from the rest: 1 to 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// What made its sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Container or process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Name and version that its server says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Seconds without activity after which it ends.
    pub ttl: u64,
    /// Seconds until then.
    pub left: u64,
    /// When it was made, seconds since 1970.
    pub made: f64,
    /// When it was used last, seconds since 1970.
    pub used: f64,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it has used; while it runs, by what ended before.
    pub receipt: Receipt,
}

/// What a session has used, all its sandboxes together.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct Receipt {
    /// Processor time.
    pub cpu_seconds: f64,
    /// In bytes; 0 where nobody counts it.
    pub peak_memory: u64,
    /// Bytes to its server.
    pub bytes_in: u64,
    /// Bytes from its server.
    pub bytes_out: u64,
    /// Calls of tools.
    pub calls: u64,
    /// Sandboxes that were started.
    pub sandboxes: u32,
}

impl Shown {
    pub(super) fn new(record: &Record, slot: Option<&Slot>, is_ours: bool) -> Shown {
        let running = slot.and_then(Slot::running).filter(|running| running.is_open());
        let used = slot.map_or(record.used, Slot::used);
        let (state, why) = match &record.state {
            State::Ended(end) => ("ended", Some(end.why.clone())),
            State::Open if running.is_some() => ("running", None),
            State::Open if is_ours => ("stopped", None),
            State::Open => ("elsewhere", None),
        };
        let left = match record.is_open() {
            true => record.used_at(used).left(now()).ceil() as u64,
            false => 0,
        };
        let of = |get: fn(&Running) -> String| running.as_deref().map(get);
        let so_far = record.receipt;
        let more = running.as_deref().map(|running| {
            let (bytes_in, bytes_out) = running.peer.bytes();
            let calls = running.calls.load(std::sync::atomic::Ordering::Relaxed);
            let sandboxes = 1;
            let none = crate::orchestrator::sessions::Receipt::default();
            crate::orchestrator::sessions::Receipt { bytes_in, bytes_out, calls, sandboxes, ..none }
        });
        let all = so_far.and(more.unwrap_or_default());
        Shown {
            id: record.id.clone(),
            owner: record.owner.name.clone(),
            state,
            image: record.wish.image.clone().unwrap_or_else(|| "worker".into()),
            epoch: record.epoch,
            node: record.lease.node.clone(),
            level: running.as_deref().map(|running| running.level.number()),
            place: of(|running| running.place.clone()),
            sandbox: of(|running| running.id.clone()),
            server: of(|running| {
                let about = running.peer.about();
                about.map_or(String::new(), |a| format!("{} {}", a.name, a.release))
            }),
            ttl: record.ttl,
            left,
            made: record.made,
            used,
            why,
            receipt: Receipt {
                cpu_seconds: all.cpu_seconds,
                peak_memory: all.peak_memory,
                bytes_in: all.bytes_in,
                bytes_out: all.bytes_out,
                calls: all.calls,
                sandboxes: all.sandboxes,
            },
        }
    }
}
