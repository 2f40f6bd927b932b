//! Ends what nobody uses, sweeps what nobody owns, writes activity down, keeps the pool filled.

use crate::error::Error;
use crate::orchestrator::live::{Slot, now};
use crate::orchestrator::sessions::{Standing, State};
use crate::orchestrator::{Held, Orchestrator, is_lost};
use crate::policy::{Caller, Grant};
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often it looks at what this node has.
const LOOK: Duration = Duration::from_secs(5);
/// How often it looks at the store and sweeps the places.
const ROUND: Duration = Duration::from_secs(60);
/// An ended session is kept for so long, for its receipt.
const KEPT: f64 = 3600.0;
/// Activity is written down when it is so much newer than what stands there.
const STEP: f64 = 60.0;

/// Runs until `stop`; then it ends every sandbox. Sessions stay in the store and go on at the next start.
pub(super) async fn run(own: Orchestrator, stop: CancellationToken) -> Result<(), Error> {
    own.shared.status.up();
    let mut revoked = own.shared.policy.revoked();
    let mut round = Instant::now();
    let (mut first, mut trouble) = (true, false);
    loop {
        if first || round.elapsed() >= ROUND {
            (first, round) = (false, Instant::now());
            own.sweep().await;
            own.look_at_store().await;
        }
        own.fill_pool().await;
        tokio::select! {
            // What could not be ended now is not tried again at once.
            () = tokio::time::sleep(if trouble { LOOK } else { own.next_look() }) => {}
            () = own.shared.refill.notified() => {}
            _ = revoked.changed() => own.end_of_the_revoked().await,
            () = stop.cancelled() => {
                own.empty_pool().await;
                own.rest().await;
                for place in &own.shared.places {
                    place.close().await;
                }
                return Ok(());
            }
        }
        trouble = own.look_at_slots().await;
    }
}

impl Orchestrator {
    fn all_slots(&self) -> Vec<Arc<Slot>> {
        self.shared.slots().values().cloned().collect()
    }

    /// Until somebody's time may be over, at most five seconds.
    fn next_look(&self) -> Duration {
        let left = |slot: &Arc<Slot>| {
            // Whoever has the turn is busy with it just now.
            let turn = slot.turn.try_lock().ok()?;
            let ttl = Duration::from_secs(turn.held.as_ref()?.record.ttl);
            Some(ttl.saturating_sub(slot.idle()))
        };
        let soonest = self.all_slots().iter().filter_map(left).min().unwrap_or(LOOK);
        soonest.clamp(Duration::from_millis(20), LOOK)
    }

    /// Ends what was not used and writes activity down; whether something could not be ended.
    async fn look_at_slots(&self) -> bool {
        let looks = self.all_slots().into_iter().map(|slot| async move {
            let Ok(mut turn) = slot.turn.try_lock() else { return false };
            let Some(held) = turn.held.clone() else { return false };
            let ttl = held.record.ttl;
            if slot.idle() >= Duration::from_secs(ttl) {
                let why = format!("{ttl} s without activity");
                if let Err(e) = self.finish(&slot, &mut turn, &why).await {
                    log::warn!("the session {} could not be ended: {e}", slot.key.id);
                    return true;
                }
            } else if slot.used() - held.record.used > STEP {
                let record = held.record.used_at(slot.used());
                match self.shared.keeper.write(Some(&held), record).await {
                    Ok(new) => turn.held = Some(new),
                    Err(e) if is_lost(&e) => {
                        log::warn!("the session {} is held by somebody else", slot.key.id);
                        self.forget_slot(&slot, &mut turn).await;
                    }
                    Err(e) => log::debug!("activity of {} is not stored: {e}", slot.key.id),
                }
            }
            false
        });
        futures_util::future::join_all(looks).await.contains(&true)
    }

    /// Ends what the places still have of this node and nobody here knows.
    async fn sweep(&self) {
        let names = self.shared.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let keep: BTreeSet<String> = names;
        for place in &self.shared.places {
            match place.sweep(&keep).await {
                Ok(0) => {}
                Ok(count) => {
                    log::info!("{count} sandboxes without a session ended ({})", place.name())
                }
                Err(e) => log::debug!("{} cannot be swept now: {e}", place.name()),
            }
        }
    }

    /// Ends sessions of the store whose time is over and whose node is no more, and forgets what ended
    /// an hour ago.
    async fn look_at_store(&self) {
        let all = match self.shared.keeper.all().await {
            Ok(all) => all,
            Err(e) => return log::debug!("the sessions cannot be read now: {e}"),
        };
        for held in all {
            if let Err(e) = self.look_at(&held).await
                && !is_lost(&e)
            {
                log::debug!("the session {} cannot be looked at: {e}", held.record.id);
            }
        }
    }

    async fn look_at(&self, held: &Held) -> Result<(), Error> {
        let keeper = &self.shared.keeper;
        match &held.record.state {
            State::Ended(end) if now() - end.at > KEPT => keeper.forget(held).await.map(drop),
            State::Ended(_) => Ok(()),
            State::Open => {
                let here = self.shared.slots().contains_key(&held.key());
                if here || held.record.left(now()) > 0.0 {
                    return Ok(());
                }
                if keeper.standing(&held.record).await? == Standing::Other {
                    return Ok(());
                }
                let why = format!("{} s without activity", held.record.ttl);
                let ended = held.record.next(keeper.lease());
                let ended = ended.ended(now(), &why, held.record.receipt);
                keeper.write(Some(held), ended).await.map(drop)
            }
        }
    }

    /// Ends the sessions of tokens that are revoked.
    async fn end_of_the_revoked(&self) {
        for slot in self.all_slots() {
            let mut turn = slot.turn.lock().await;
            let Some(held) = turn.held.as_ref() else { continue };
            let policy = self.policy();
            let owner = &held.record.owner;
            let caller =
                Caller { token: owner.token, ..policy.acting(&owner.name, &Grant::default()) };
            if policy.is_live(&caller) {
                continue;
            }
            if let Err(e) = self.finish(&slot, &mut turn, "its token was revoked").await {
                log::warn!("the session {} could not be ended: {e}", slot.key.id);
            }
        }
    }

    /// Ends all sandboxes and writes activity down; the sessions go on at the next start.
    async fn rest(&self) {
        let rests = self.all_slots().into_iter().map(|slot| async move {
            let mut turn = slot.turn.lock().await;
            let mut used = Default::default();
            if let Some(running) = slot.running() {
                used = self.stop(&running).await;
            }
            slot.set_running(None);
            let Some(held) = turn.held.take() else { return };
            let mut record = held.record.used_at(slot.used());
            record.receipt = record.receipt.and(used);
            if let Err(e) = self.shared.keeper.write(Some(&held), record).await {
                log::debug!("the last activity of {} is not stored: {e}", slot.key.id);
            }
        });
        futures_util::future::join_all(rests).await;
    }
}
