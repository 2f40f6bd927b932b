//! Starting sandboxes: which place, which name, what is promised, and what is said when it fails.

use crate::config::Secret;
use crate::error::{Error, Kind};
use crate::orchestrator::live::{Running, Slot, Turn};
use crate::orchestrator::plan::{least_level, order};
use crate::orchestrator::sandbox::{Level, Order, Place, Program};
use crate::orchestrator::sessions::{Receipt, Wish};
use crate::orchestrator::{Orchestrator, Shared};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

impl Orchestrator {
    /// Returns what runs for a session, started now when nothing does. The caller has its turn.
    pub(super) async fn ensure_running(
        &self,
        slot: &Slot,
        turn: &mut Turn,
    ) -> Result<Arc<Running>, Error> {
        if let Some(running) = slot.running() {
            if running.is_open() {
                return Ok(running);
            }
            self.clear(slot, turn, &running).await;
        }
        let shared = &self.shared;
        shared.keeper.check_trust()?;
        let held = turn.held.clone().ok_or_else(|| gone(&slot.key.id))?;
        turn.note_start()?;
        let lease = shared.keeper.lease();
        // No two sandboxes have one epoch, and none is started for a session that is somebody else's.
        let held = match turn.used_epoch || held.record.lease != lease {
            true => {
                let next = held.record.next(lease);
                shared.keeper.write(Some(&held), next).await?
            }
            false => held,
        };
        turn.held = Some(held.clone());
        turn.used_epoch = true;
        let record = &held.record;
        let running = match self.take_ready(&record.wish, &turn.env) {
            Some(ready) => ready,
            None => {
                let wish = &record.wish;
                Arc::new(self.start_one(wish, &turn.env, record.epoch).await?)
            }
        };
        slot.set_running(Some((running.clone(), record.epoch)));
        slot.touch();
        let (id, epoch) = (&slot.key.id, record.epoch);
        let (name, level) = (&running.name, running.level.number());
        log::info!(
            "Session provisioned: {id} in {} {} ({name}) at level {level}, epoch {epoch}",
            running.place,
            running.id
        );
        Ok(running)
    }

    /// Takes away what does not run any more, and adds what it has used to the record.
    async fn clear(&self, slot: &Slot, turn: &mut Turn, running: &Running) {
        let used = self.stop(running).await;
        slot.set_running(None);
        if let Some(end) = running.ended() {
            log::info!("the server of the session {} {}", slot.key.id, end.words);
        }
        // It is written with the next write of the record, which the start makes.
        if let Some(held) = turn.held.as_mut() {
            held.record.receipt = held.record.receipt.and(used);
        }
    }

    /// Ends a sandbox and gives its name free.
    pub(super) async fn stop(&self, running: &Running) -> Receipt {
        let used = running.end().await;
        self.shared.give_back(&running.name);
        used
    }

    /// Starts a sandbox for a wish, and greets its server.
    pub(super) async fn start_one(
        &self,
        wish: &Wish,
        env: &BTreeMap<String, Secret>,
        epoch: u64,
    ) -> Result<Running, Error> {
        let shared = &self.shared;
        let name = shared.take_name()?;
        let made = async {
            let names = (name.clone(), shared.node.clone(), epoch);
            let order = order(names, wish, env, &shared.catalogue)?;
            let memory = shared.memory.promise(order.limits.memory_bytes)?;
            let (place, level) = self.place_for(&order).await?;
            let least = least_level(&order.program, &shared.config);
            if level < least {
                return Err(Error::refused(format!(
                    "this needs a sandbox of level {}, and {} gives level {} here; a container engine \
                     gives level 4 (`hearth sandbox probe` says what is missing)",
                    least.number(),
                    place.name(),
                    level.number()
                )));
            }
            let sandbox = place.start(&order).await?;
            let named = (name.clone(), place.name().to_owned());
            Running::greet(named, sandbox, memory, &shared.tasks).await
        };
        let made = made.await;
        if made.is_err() {
            shared.give_back(&name);
        }
        made
    }

    /// The first place that can make a sandbox for this order: engines come before the kernel's means.
    async fn place_for(&self, order: &Order) -> Result<(Arc<dyn Place>, Level), Error> {
        let needs_engine = matches!(order.program, Program::Image { .. });
        let mut why = Vec::new();
        let mut best: Option<(Arc<dyn Place>, Level)> = None;
        for place in &self.shared.places {
            match place.level().await {
                Ok(level) if needs_engine && level < Level::Container => {}
                Ok(level) => {
                    if best.as_ref().is_none_or(|(_, known)| level > *known) {
                        best = Some((place.clone(), level));
                    }
                }
                Err(e) => why.push(format!("{}: {e}", place.name())),
            }
        }
        best.ok_or_else(|| {
            let what = match needs_engine {
                true => "no container engine can be reached, and only one runs images",
                false => "no sandbox can be made here",
            };
            let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
            Error::new(Kind::Offline, format!("{what}{why}"))
        })
    }
}

impl Shared {
    /// Makes up a name and keeps it from the sweep.
    pub(super) fn take_name(&self) -> Result<String, Error> {
        let random = crate::policy::random_token()?;
        let name = format!("hearth-{}", random.get(..16).unwrap_or(&random));
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        Ok(name)
    }

    pub(super) fn give_back(&self, name: &str) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

pub(super) fn gone(id: &str) -> Error {
    Error::not_found(format!("there is no session '{id}'; acquire one first"))
}
