//! What a script's thread reaches of Hearth: tools as the script's identity, and its small memory.
//!
//! Everything here waits for the answer on the script's own thread, no longer than the run may take.

use crate::error::{Error, Kind};
use crate::events::Event;
use crate::mcp::{Answer, Block, Call, Toolbox};
use crate::plugins::meter::Meter;
use crate::policy::{Caller, EntityFacts, Grant, Level};
use crate::store::Store;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Where scripts keep values.
const TABLE: &str = "plugins";
/// A script keeps at most so many values.
const KEYS: usize = 100;
/// The longest key, in bytes.
const KEY: usize = 64;
/// The largest value, in bytes of JSON.
const VALUE: usize = 4 << 10;

/// What leaves the thread of one script.
pub(super) struct Reach {
    pub(super) name: String,
    pub(super) runtime: tokio::runtime::Handle,
    pub(super) toolbox: Toolbox,
    pub(super) store: Store,
    pub(super) caller: Caller,
    pub(super) stop: CancellationToken,
    pub(super) meter: Rc<Meter>,
    /// A tool of level read does no more than read, whatever its script may do.
    pub(super) ceiling: Cell<Level>,
}

impl Reach {
    /// Waits for `future`, at most as long as this run may take.
    fn wait<T>(&self, future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let until = tokio::time::Instant::from_std(self.meter.until());
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => Err(Error::timeout("the script was stopped")),
                done = tokio::time::timeout_at(until, future) => done.unwrap_or_else(|_| {
                    Err(Error::timeout("it was not done in the time of this run (plugins.seconds)"))
                }),
            }
        })
    }

    /// Runs a tool as this script.
    pub(super) fn call(&self, tool: &str, args: Map<String, Value>) -> Result<Value, Error> {
        // Through the pair one could name any tool, and the checks below would not see it.
        if tool.starts_with("hearth_") {
            return Err(Error::invalid(format!("{tool}: a script names the tool itself")));
        }
        if tool.starts_with(&format!("plugins_{}_", self.name)) {
            return Err(Error::invalid(format!("{tool}: a script cannot call a tool of its own")));
        }
        let level = self.caller.grant.level.min(self.ceiling.get());
        let grant = Arc::new(Grant { level, ..(*self.caller.grant).clone() });
        let mut call = Call::new(Caller { grant, ..self.caller.clone() });
        call.cancelled = self.stop.child_token();
        match self.wait(self.toolbox.call(call, tool, args))? {
            Answer::Value(reply) => Ok(reply.value),
            Answer::Blocks(blocks) => {
                let text = |block: Block| match block {
                    Block::Text(text) => Some(text),
                    _ => None,
                };
                Ok(Value::from(blocks.into_iter().filter_map(text).collect::<Vec<_>>().join("\n")))
            }
            Answer::Ask(_) => {
                Err(Error::refused(format!("{tool} asks a person, and a script has nobody to ask")))
            }
        }
    }

    /// Returns an entity as `home_get` shows it; `None` when there is none that this script may see.
    pub(super) fn entity(&self, id: &str) -> Result<Option<Value>, Error> {
        let args = json!({ "entity_ids": [id] });
        let args = args.as_object().cloned().unwrap_or_default();
        match self.call("home_get", args) {
            Ok(mut answer) => {
                Ok(answer.get_mut("entities").and_then(|all| all.get_mut(0)).map(Value::take))
            }
            Err(e) if e.kind() == Kind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether this script may hear of an event.
    pub(super) fn hears(&self, event: &Event) -> bool {
        match event {
            Event::Entity(e) => self.caller.grant.entities.permits(EntityFacts {
                entity_id: &e.entity_id,
                area: e.area.as_deref(),
                labels: &e.labels,
                exposed: e.exposed,
            }),
            Event::House(_) | Event::Service(_) => true,
            Event::Audit(_) | Event::Approval(_) => false,
        }
    }

    /// Returns a value that was kept.
    pub(super) fn kept(&self, key: &str) -> Result<Value, Error> {
        let key = self.key(key)?;
        let found = self.wait(self.store.get(TABLE, &key))?;
        Ok(found.and_then(|raw| serde_json::from_slice(&raw).ok()).unwrap_or(Value::Null))
    }

    /// Keeps a value over restarts; null forgets it.
    pub(super) fn keep(&self, key: &str, value: &Value) -> Result<(), Error> {
        let key = self.key(key)?;
        if value.is_null() {
            return self.wait(self.store.delete(TABLE, &key)).map(drop);
        }
        let raw = value.to_string().into_bytes();
        if raw.len() > VALUE {
            return Err(Error::limit(format!(
                "keep: the value has {} bytes as JSON; the most is {VALUE}",
                raw.len()
            )));
        }
        self.wait(async {
            let own = format!("{}/", self.name);
            let all = self.store.list(TABLE, &own, None, KEYS + 1).await?;
            if all.len() >= KEYS && !all.iter().any(|(known, _)| *known == key) {
                return Err(Error::limit(format!("keep: a script keeps at most {KEYS} values")));
            }
            self.store.put(TABLE, &key, &raw, None).await
        })
    }

    fn key(&self, key: &str) -> Result<String, Error> {
        if key.is_empty() || key.len() > KEY || key.chars().any(char::is_control) {
            return Err(Error::invalid(format!("keep: a key has 1 to {KEY} bytes")));
        }
        Ok(format!("{}/{key}", self.name))
    }
}
