//! Making, renewing, listing and ending sessions, on behalf of whoever owns them.

use crate::error::Error;
use crate::orchestrator::live::{Slot, Turn, now};
use crate::orchestrator::plan::{Plan, Wanted};
use crate::orchestrator::sandbox::Guard;
use crate::orchestrator::sessions::{Key, Owner, Record, Standing, check_id};
use crate::orchestrator::shown::Shown;
use crate::orchestrator::starting::gone;
use crate::orchestrator::{Held, Orchestrator, is_lost};
use crate::policy::{Caller, Level};
use std::sync::Arc;

impl Orchestrator {
    /// Makes a session, or renews the caller's session of that id. Both answer only when its server can
    /// be asked, and when it is written down.
    ///
    /// # Errors
    /// Invalid and Refused as the wish is; Conflict when the session runs something else; Limit when
    /// there are too many; Offline, with what to do, when no sandbox can be started.
    pub async fn acquire(&self, caller: &Caller, wanted: Wanted) -> Result<Shown, Error> {
        let shared = &self.shared;
        shared.keeper.check_trust()?;
        let named = wanted.image.is_some();
        let id = match &wanted.id {
            Some(id) => id.clone(),
            None => format!("s-{}", crate::orchestrator::node::run()?),
        };
        let may_widen = self.policy().may(caller, "orchestrator", Level::Admin);
        let plan = wanted.plan(&shared.config, &shared.catalogue, may_widen)?;
        check_id(&id)?;
        let key = Key { token: caller.token, id };
        loop {
            let slot = self.slot_or_new(&key)?;
            let _busy = slot.busy();
            let mut turn = slot.turn.lock().await;
            if turn.over {
                continue;
            }
            let done = self.make_or_renew(caller, &slot, &mut turn, &plan, named).await;
            if turn.held.is_none() {
                self.drop_slot(&slot, &mut turn);
            }
            done?;
            let held = turn.held.as_ref().ok_or_else(|| gone(&key.id))?;
            return Ok(Shown::new(&held.record, Some(&slot), true));
        }
    }

    async fn make_or_renew(
        &self,
        caller: &Caller,
        slot: &Slot,
        turn: &mut Turn,
        plan: &Plan,
        named: bool,
    ) -> Result<(), Error> {
        let keeper = &self.shared.keeper;
        let former = match &turn.held {
            Some(held) => Some(held.clone()),
            None => keeper.get(&slot.key).await?,
        };
        if let Some(held) = former.filter(|held| held.record.is_open()) {
            self.settle(slot, turn, held).await?;
            return self.renew(slot, turn, plan, named).await;
        }
        let former = keeper.get(&slot.key).await?;
        let owner = Owner { token: caller.token, name: caller.name.to_string() };
        let ttl = plan.ttl.unwrap_or(self.shared.config.session_ttl);
        let record = Record::new(
            (&slot.key.id, owner),
            (plan.wish.clone(), ttl),
            keeper.lease(),
            now(),
            former.as_ref().map(|held| &held.record),
        );
        turn.held = Some(keeper.write(former.as_ref(), record).await?);
        turn.used_epoch = false;
        turn.env = plan.env.clone();
        let started = self.ensure_running(slot, turn).await;
        if started.is_err()
            && let Some(held) = turn.held.take()
            && let Err(e) = keeper.forget(&held).await
        {
            log::warn!("the session {} that did not start stands in the store: {e}", slot.key.id);
        }
        started.map(drop)
    }

    /// Renews a session: its time begins anew, with another ttl if one was given.
    async fn renew(
        &self,
        slot: &Slot,
        turn: &mut Turn,
        plan: &Plan,
        named: bool,
    ) -> Result<(), Error> {
        let Some(held) = turn.held.clone() else { return Err(gone(&slot.key.id)) };
        let (now_wanted, has) = (&plan.wish.image, &held.record.wish.image);
        if named && now_wanted != has {
            let has = has.as_deref().unwrap_or("our own worker");
            return Err(Error::conflict(format!(
                "the session '{}' runs {has}; end it first, or take another id",
                slot.key.id
            )));
        }
        if !plan.env.is_empty() {
            turn.env = plan.env.clone();
        }
        slot.touch();
        if let Some(ttl) = plan.ttl.filter(|ttl| *ttl != held.record.ttl) {
            let record = Record { ttl, ..held.record.used_at(now()) };
            turn.held = Some(self.shared.keeper.write(Some(&held), record).await?);
        }
        self.ensure_running(slot, turn).await.map(drop)
    }

    /// Makes a session of the store this node's own, if it may be.
    pub(super) async fn settle(
        &self,
        slot: &Slot,
        turn: &mut Turn,
        held: Held,
    ) -> Result<(), Error> {
        let keeper = &self.shared.keeper;
        match keeper.standing(&held.record).await? {
            Standing::Ours if turn.held.is_some() => Ok(()),
            Standing::Other => {
                self.forget_slot(slot, turn).await;
                let node = &held.record.lease.node;
                Err(Error::offline(format!(
                    "the session '{}' is held by the node {node}; ask there",
                    slot.key.id
                )))
            }
            Standing::Ours | Standing::Former | Standing::Orphaned => {
                let taken = keeper.write(Some(&held), held.record.next(keeper.lease())).await?;
                log::info!(
                    "the session {} goes on here with epoch {}",
                    slot.key.id,
                    taken.record.epoch
                );
                turn.held = Some(taken);
                turn.used_epoch = false;
                Ok(())
            }
        }
    }

    /// Returns the caller's sessions in the order of their ids; with `all`, which needs level admin,
    /// those of everybody.
    ///
    /// # Errors
    /// Refused when the caller may not see all; what the store says.
    pub async fn list(&self, caller: &Caller, all: bool) -> Result<Vec<Shown>, Error> {
        if all {
            self.policy().check(caller, "orchestrator", Level::Admin)?;
        }
        let mut held = self.shared.keeper.all().await?;
        held.retain(|held| all || held.record.owner.token == caller.token);
        Ok(held.iter().map(|held| self.shown(held)).collect())
    }

    fn shown(&self, held: &Held) -> Shown {
        let slot = self.shared.slots().get(&held.key()).cloned();
        let ours = held.record.lease.node == self.shared.node;
        Shown::new(&held.record, slot.as_deref(), ours)
    }

    /// Ends a session and returns it with its receipt. One that has ended already is answered alike.
    ///
    /// # Errors
    /// NotFound when there is none; what the store says.
    pub async fn end(&self, caller: &Caller, id: &str) -> Result<Shown, Error> {
        let key = self.key_of(caller, id).await?;
        let by = match key.token == caller.token {
            true => "ended by its owner".to_owned(),
            false => format!("ended by {}", caller.name),
        };
        let slot = match self.open(&key).await? {
            Open::Here(slot) => slot,
            Open::Ended(held) => return Ok(self.shown(&held)),
        };
        let mut turn = slot.turn.lock().await;
        if turn.over {
            let held = self.shared.keeper.get(&key).await?.ok_or_else(|| gone(id))?;
            return Ok(self.shown(&held));
        }
        self.finish(&slot, &mut turn, &by).await
    }

    /// Ends the sandbox, writes the end down, and gives the slot up.
    pub(super) async fn finish(
        &self,
        slot: &Arc<Slot>,
        turn: &mut Turn,
        why: &str,
    ) -> Result<Shown, Error> {
        let keeper = &self.shared.keeper;
        let held = match turn.held.clone() {
            Some(held) => held,
            None => keeper.get(&slot.key).await?.ok_or_else(|| gone(&slot.key.id))?,
        };
        if !held.record.is_open() {
            self.drop_slot(slot, turn);
            return Ok(Shown::new(&held.record, None, true));
        }
        let mut used = held.record.receipt;
        if let Some(running) = slot.running() {
            used = used.and(self.stop(&running).await);
            slot.set_running(None);
            // Should the write fail, the next try knows what was used.
            if let Some(held) = turn.held.as_mut() {
                held.record.receipt = used;
            }
        }
        let record = held.record.used_at(slot.used());
        let record = Record { lease: keeper.lease(), ..record }.ended(now(), why, used);
        match keeper.write(Some(&held), record).await {
            Ok(ended) => {
                log::info!("the session {} is over: {why}", slot.key.id);
                self.drop_slot(slot, turn);
                Ok(Shown::new(&ended.record, None, true))
            }
            Err(e) => {
                if is_lost(&e) {
                    self.drop_slot(slot, turn);
                }
                Err(e)
            }
        }
    }

    /// Returns the last lines of a session's stderr, and how many were dropped before them.
    ///
    /// # Errors
    /// NotFound when there is none, or nothing of it runs here.
    pub async fn stderr(&self, caller: &Caller, id: &str) -> Result<(Vec<String>, u64), Error> {
        let key = self.key_of(caller, id).await?;
        let slot = self.shared.slots().get(&key).cloned();
        let running = slot.and_then(|slot| slot.running());
        let running = running.ok_or_else(|| nothing_runs(id))?;
        Ok(running.hold.stderr().lines())
    }

    /// Reads back every limit and guard of a session's sandbox.
    ///
    /// # Errors
    /// As [`Orchestrator::stderr`]; Offline when the engine cannot be reached.
    pub async fn limits(&self, caller: &Caller, id: &str) -> Result<(u8, Vec<Guard>), Error> {
        let key = self.key_of(caller, id).await?;
        let slot = self.shared.slots().get(&key).cloned();
        let running = slot.and_then(|slot| slot.running());
        let running = running.ok_or_else(|| nothing_runs(id))?;
        Ok((running.level.number(), running.hold.in_force().await?))
    }

    /// The key of the caller's session of that id; for an admin, who has none, that of the only one.
    pub(super) async fn key_of(&self, caller: &Caller, id: &str) -> Result<Key, Error> {
        check_id(id)?;
        let own = Key { token: caller.token, id: id.to_owned() };
        if self.shared.slots().contains_key(&own)
            || !self.policy().may(caller, "orchestrator", Level::Admin)
            || self.shared.keeper.get(&own).await?.is_some()
        {
            return Ok(own);
        }
        let all = self.shared.keeper.all().await?;
        let mut same = all.iter().filter(|held| held.record.id == id);
        match (same.next(), same.next()) {
            (Some(held), None) => Ok(held.key()),
            (Some(_), Some(_)) => Err(Error::conflict(format!(
                "several tokens have a session '{id}'; end it with the token that made it"
            ))),
            (None, _) => Err(gone(id)),
        }
    }

    /// The slot of a session that is open, in this node's hands from now on.
    pub(super) async fn open(&self, key: &Key) -> Result<Open, Error> {
        loop {
            if let Some(slot) = self.shared.slots().get(key).cloned() {
                return Ok(Open::Here(slot));
            }
            let held = self.shared.keeper.get(key).await?.ok_or_else(|| gone(&key.id))?;
            if !held.record.is_open() {
                return Ok(Open::Ended(Box::new(held)));
            }
            let slot = self.slot_or_new(key)?;
            let mut turn = slot.turn.lock().await;
            if turn.over {
                continue;
            }
            if turn.held.is_none() {
                let settled = self.settle(&slot, &mut turn, held).await;
                if turn.held.is_none() {
                    self.drop_slot(&slot, &mut turn);
                }
                settled?;
            }
            drop(turn);
            return Ok(Open::Here(slot));
        }
    }

    fn slot_or_new(&self, key: &Key) -> Result<Arc<Slot>, Error> {
        let config = &self.shared.config;
        let mut slots = self.shared.slots();
        if let Some(slot) = slots.get(key) {
            return Ok(slot.clone());
        }
        let of_token = slots.keys().filter(|known| known.token == key.token).count();
        if of_token >= config.max_sessions_per_token {
            let most = config.max_sessions_per_token;
            return Err(Error::limit(format!("you have {most} sessions already; end one first")));
        }
        if slots.len() >= config.max_sessions {
            let most = config.max_sessions;
            return Err(Error::limit(format!("there are {most} sessions already; end one first")));
        }
        let slot = Arc::new(Slot::new(key.clone(), None));
        slots.insert(key.clone(), slot.clone());
        Ok(slot)
    }

    /// Takes a slot out of use.
    pub(super) fn drop_slot(&self, slot: &Slot, turn: &mut Turn) {
        turn.over = true;
        turn.held = None;
        turn.env.clear();
        let mut slots = self.shared.slots();
        // One that is out of use already may have a successor under its key.
        if slots.get(&slot.key).is_some_and(|known| std::ptr::eq(&**known, slot)) {
            slots.remove(&slot.key);
        }
    }

    /// Lets a session go that is somebody else's by now: its sandbox ends, nothing is written.
    pub(super) async fn forget_slot(&self, slot: &Slot, turn: &mut Turn) {
        if let Some(running) = slot.running() {
            self.stop(&running).await;
            slot.set_running(None);
        }
        self.drop_slot(slot, turn);
    }

    /// Lets all sessions go: others may have them by now.
    pub(super) async fn let_all_go(&self) {
        let slots: Vec<Arc<Slot>> = self.shared.slots().values().cloned().collect();
        let gone = slots.iter().map(|slot| async {
            let mut turn = slot.turn.lock().await;
            self.forget_slot(slot, &mut turn).await;
        });
        futures_util::future::join_all(gone).await;
    }
}

/// Where a session stands.
pub(super) enum Open {
    /// In this node's hands.
    Here(Arc<Slot>),
    /// Over.
    Ended(Box<Held>),
}

fn nothing_runs(id: &str) -> Error {
    Error::not_found(format!("nothing of a session '{id}' runs here"))
}
