//! Asking the server of a session: its tools, and calls of them.
//!
//! A session whose sandbox is gone is started anew by the next call; the epoch in the answer says so.
//! Only who made a session may call its tools.

use crate::error::{Error, Kind};
use crate::mcp::peer::Wait;
use crate::orchestrator::Orchestrator;
use crate::orchestrator::live::{Running, Slot};
use crate::orchestrator::service::Open;
use crate::orchestrator::sessions::{Key, check_id};
use crate::orchestrator::starting::gone;
use crate::policy::Caller;
use crate::text::clean;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The last lines of stderr that are told when a server ended under a call.
const TOLD: usize = 5;

/// A call of a tool.
pub struct Asked {
    /// The tool's name, as its server says it.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// How long it may take, and who follows it.
    pub wait: Wait,
}

/// What came of it.
#[derive(Debug)]
pub struct Told {
    /// The server's `CallToolResult`, as it wrote it.
    pub result: Value,
    /// The epoch of the sandbox that answered.
    pub epoch: u64,
}

impl Orchestrator {
    /// Returns the tools of a session's server, as it describes them.
    ///
    /// # Errors
    /// NotFound without a session; what starting and asking say.
    pub async fn tools_of(&self, caller: &Caller, id: &str) -> Result<Arc<Vec<Value>>, Error> {
        let slot = self.own(caller, id).await?;
        let _busy = slot.busy();
        let (running, _) = self.running(&slot).await?;
        let wait = Wait::default();
        running.peer.tools(&wait).await.map_err(|e| fallen(id, &running, e))
    }

    /// Calls a tool of a session's server. What the tool itself refuses is in the result.
    ///
    /// # Errors
    /// NotFound without a session; Offline when the server ended meanwhile, with the last of its
    /// stderr; what starting and asking say otherwise.
    pub async fn call(&self, caller: &Caller, id: &str, asked: Asked) -> Result<Told, Error> {
        let slot = self.own(caller, id).await?;
        let _busy = slot.busy();
        self.shared.keeper.check_trust()?;
        let (running, epoch) = self.running(&slot).await?;
        running.calls.fetch_add(1, Ordering::Relaxed);
        let Asked { tool, arguments, wait } = asked;
        let result = running.peer.call(&tool, arguments, &wait).await;
        let result = result.map_err(|e| fallen(id, &running, e))?;
        // Whoever lost the lease meanwhile must not tell an answer as if it were the session's.
        self.shared.keeper.check_trust()?;
        Ok(Told { result, epoch })
    }

    /// The caller's own session, in this node's hands.
    pub(super) async fn own(&self, caller: &Caller, id: &str) -> Result<Arc<Slot>, Error> {
        check_id(id)?;
        let key = Key { token: caller.token, id: id.to_owned() };
        match self.open(&key).await? {
            Open::Here(slot) => Ok(slot),
            Open::Ended(_) => Err(gone(id)),
        }
    }

    async fn running(&self, slot: &Arc<Slot>) -> Result<(Arc<Running>, u64), Error> {
        // Without waiting for a turn: the usual case, many calls at once.
        if let Some((running, epoch)) = slot.open_one() {
            return Ok((running, epoch));
        }
        let mut turn = slot.turn.lock().await;
        if turn.over || turn.held.is_none() {
            return Err(gone(&slot.key.id));
        }
        let running = self.ensure_running(slot, &mut turn).await?;
        let epoch = turn.held.as_ref().map_or(0, |held| held.record.epoch);
        Ok((running, epoch))
    }
}

/// Says more of a failure when the server ended by itself.
fn fallen(id: &str, running: &Running, e: Error) -> Error {
    if e.kind() != Kind::Offline || running.is_open() {
        return e;
    }
    let end = running.ended().map_or("closed its output", |end| end.words.as_str());
    let (lines, _) = running.hold.stderr().lines();
    let last: Vec<String> =
        lines[lines.len().saturating_sub(TOLD)..].iter().map(|line| clean(line, 300)).collect();
    let said = if last.is_empty() { "nothing".to_owned() } else { last.join(" | ") };
    Error::offline(format!(
        "the server of the session '{id}' {}; it wrote to stderr: {said}. The next call starts it anew, \
         with an empty folder",
        clean(end, 200)
    ))
}
