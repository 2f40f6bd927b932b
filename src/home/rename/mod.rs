//! Renames an entity, a device or an area, and everything that names it, as one change.
//!
//! The plan is written into the store before the first write to the house (`journal`); then each write
//! is compared and done (`carry`). Whatever ends in between – this process, the house, the network –
//! the change is finished or taken back as soon as the house is connected again, never left mixed.
//! Fed by `home_rename`, and by `home_undo` through `undo`.

mod carry;
mod journal;
mod plan;
pub(crate) mod undo;

pub(crate) use journal::{Head, Stage};
pub(crate) use plan::{Order, Plan, plan};

use crate::error::Error;
use crate::events::{Event, HouseChange, Next, Reader};
use crate::home::Home;
use crate::home::house::{House, now};
use crate::policy::{Caller, Outcome};
use journal::{Journal, Step};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, Notify, oneshot};

/// What stayed open without a lost connection is tried again so often.
const AGAIN: Duration = Duration::from_secs(10);
/// The word for it in the audit log and in questions to the person.
const ACTION: &str = "home_rename";

/// Whose turn it is to rename something in a house.
#[derive(Default)]
pub(crate) struct Desk {
    turn: Mutex<()>,
    /// Something may be open in the journal.
    open: AtomicBool,
    /// Tells the one who waits that it is.
    opened: Notify,
}

/// Finishes what an earlier process left open, whenever a house is connected. Runs until the end.
pub(crate) fn watch(home: &Home) {
    for house in home.houses().iter().filter(|house| house.is_configured()) {
        house.desk.open.store(true, Ordering::Relaxed);
        let (home, house) = (home.clone(), house.clone());
        let (mut bus, stop) = (home.events().read(), home.tasks().stopping());
        home.tasks().clone().job(async move {
            loop {
                let turn = async {
                    if house.is_fresh() && house.desk.open.load(Ordering::Relaxed) {
                        carry_on(&home, &house).await;
                    }
                    wait(&house, &mut bus).await
                };
                tokio::select! {
                    is_over = turn => if is_over { return },
                    () = stop.cancelled() => return,
                }
            }
        });
    }
}

/// Waits until there is something to look at again; true when the bus is closed.
async fn wait(house: &House, bus: &mut Reader) -> bool {
    let by = tokio::time::Instant::now() + AGAIN;
    loop {
        tokio::select! {
            next = bus.next() => match next {
                Next::Event(heard) => match &heard.event {
                    Event::House(told)
                        if told.house == house.name && told.change == HouseChange::Connected =>
                    {
                        return false;
                    }
                    _ => {}
                },
                Next::Lost(_) => return false,
                Next::Closed => return true,
            },
            // On with the loop, which looks at `open` again.
            () = house.desk.opened.notified() => {}
            () = tokio::time::sleep_until(by), if house.desk.open.load(Ordering::Relaxed) => {
                return false;
            }
        }
    }
}

/// Finishes every open change of a house.
async fn carry_on(home: &Home, house: &House) {
    let _turn = house.desk.turn.lock().await;
    if let Err(e) = settle(home, house).await {
        log::warn!("home '{}': a rename is not finished yet: {e}", house.name);
    }
}

/// The same, by whoever has the turn.
async fn settle(home: &Home, house: &House) -> Result<(), Error> {
    let journal = Journal::of(home.store(), &house.name);
    for mut head in journal.heads().await? {
        if head.stage.is_final() {
            continue;
        }
        carry::out(home, house, &journal, &mut head).await?;
        let (id, from, to) = (&head.id, &head.from, &head.to);
        match &head.why {
            None => log::info!("home '{}': finished the change {id}: {from} to {to}", house.name),
            Some(why) => {
                log::warn!("home '{}': took the change {id} back: {why}", house.name);
            }
        }
    }
    house.desk.open.store(false, Ordering::Relaxed);
    Ok(())
}

/// Carries a plan out on behalf of `caller`.
///
/// # Errors
/// Refused where nothing may be changed; Conflict when a confirmation is needed and `confirm` is none,
/// or something was changed meanwhile (then all of it is taken back); Offline or Timeout when the
/// house goes away: then the change is finished or taken back when the house is there again.
pub(crate) async fn run(
    home: &Home,
    house: &Arc<House>,
    caller: &Caller,
    plan: Plan,
    confirm: Option<&str>,
) -> Result<Head, Error> {
    check(home)?;
    let target = target(house, &plan);
    home.policy().confirm(caller, ACTION, &target, confirm)?;
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    let (send, done) = oneshot::channel();
    let (job_home, job_house, by) = (home.clone(), house.clone(), caller.clone());
    // A client that hangs up must not stop it half way.
    home.tasks().job(async move {
        let _ = send.send(write(&job_home, &job_house, &by, plan).await);
    });
    let result = match done.await {
        Ok(result) => result,
        Err(_) => {
            Err(Error::offline("Hearth ended before it was done; it goes on at the next start"))
        }
    };
    let result = result.and_then(|head| match head.stage {
        Stage::Done => Ok(head),
        _ => Err(Error::conflict(format!(
            "nothing is renamed, what was written is taken back: {}",
            head.why.unwrap_or_default()
        ))),
    });
    let (outcome, reason) = match &result {
        Ok(_) => (Outcome::Allowed, None),
        Err(e) => (Outcome::Failed, Some(e.to_string())),
    };
    home.policy().record(caller, ACTION, &target, outcome, reason.as_deref());
    result
}

/// Says in the audit log that a plan was only looked at.
pub(crate) fn looked_at(home: &Home, house: &House, caller: &Caller, plan: &Plan) {
    home.policy().record(caller, ACTION, &target(house, plan), Outcome::DryRun, None);
}

fn check(home: &Home) -> Result<(), Error> {
    if home.config().read_only {
        return Err(Error::refused("the houses are set to read-only (home.read_only)"));
    }
    if !home.store().is_lasting() {
        return Err(Error::refused(
            "a rename must be written down first, and this Hearth keeps nothing on disk: start \
             `hearth serve` and ask there",
        ));
    }
    Ok(())
}

fn target(house: &House, plan: &Plan) -> String {
    let Plan { from, to, name, steps, .. } = plan;
    let to = if from == to { String::new() } else { format!(" to {to}") };
    let name = name.as_ref().map(|name| format!(" named '{name}'")).unwrap_or_default();
    let count = steps.len();
    format!("{from}{to}{name} in {count} places of the house '{}'", house.name)
}

async fn write(home: &Home, house: &House, by: &Caller, plan: Plan) -> Result<Head, Error> {
    let _turn = house.desk.turn.lock().await;
    settle(home, house).await.map_err(|e| e.at("an earlier rename is not finished"))?;
    let journal = Journal::of(home.store(), &house.name);
    let at = now();
    let mut head = Head {
        // Milliseconds since 1970; whoever has the turn is alone, and a store write takes longer.
        id: format!("r{:013}", (at * 1000.0) as u64),
        title: plan.steps.first().map(|step| step.title.clone()).unwrap_or_default(),
        new_name: plan.steps.first().and_then(Step::new_name),
        from: plan.from,
        to: plan.to,
        by: by.name.to_string(),
        via: by.via.word().to_owned(),
        undoes: plan.undoes,
        at,
        steps: plan.steps.len(),
        stage: Stage::Forward,
        why: None,
    };
    journal.begin(&head, &plan.steps).await?;
    let done = carry::out(home, house, &journal, &mut head).await;
    if let Err(e) = done {
        house.desk.open.store(true, Ordering::Relaxed);
        house.desk.opened.notify_one();
        return Err(e.at("the change is written down and goes on by itself"));
    }
    if let Err(e) = journal.tidy().await {
        log::warn!("home '{}': old renames are kept for now: {e}", house.name);
    }
    Ok(head)
}
