//! Calls a service of Home Assistant on behalf of somebody, and says what came of it.
//!
//! The order of things: find the entities that it would touch and check that this caller may touch
//! each of them and whether the data makes sense (`plan`, `data`), ask for a confirmation where one is needed, call, and watch the entities
//! until the state shows the result, for a bounded time (`under`). Tools and routes both end here;
//! nothing else calls a service.

mod data;
mod known;
mod plan;
mod reach;
mod under;

pub(crate) use known::meet;
pub(crate) use plan::{Order, Plan, plan, written};
pub(crate) use under::{Done, Verdict};

use crate::error::{Error, Kind};
use crate::home::Home;
use crate::home::changes::{Stand, undo};
use crate::home::feed::link::Asked;
use crate::home::house::House;
use crate::policy::{Caller, Outcome};
use std::sync::Arc;
use std::time::Duration;
use under::Under;

/// Calls the service as planned.
///
/// # Errors
/// Conflict when a confirmation is needed and `confirm` is none; Offline while the house is away;
/// what Home Assistant says.
pub(crate) async fn run(
    home: &Home,
    house: &Arc<House>,
    caller: &Caller,
    plan: Plan,
    confirm: Option<&str>,
) -> Result<Done, Error> {
    if !plan.risky.is_empty() {
        let target = plan.confirmed_target(house);
        home.policy().confirm(caller, &plan.service, &target, confirm)?;
    }
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    // A version goes to the disk while Home Assistant is at it: a light must not wait for that, and
    // nobody is told that the call was done before both are.
    let remembered = undo::remember(home, house, caller, &plan);
    let (change, result) = tokio::join!(remembered, run_agreed(home, house, caller, plan.clone()));
    let change = change.unwrap_or_else(|e| {
        log::warn!("home '{}': this call cannot be undone: {e}", house.name);
        None
    });
    match (result, change) {
        (Ok(done), change) => Ok(Done { change: change.map(|change| change.id), ..done }),
        (Err(e), Some(mut change)) => {
            // What Home Assistant refused changed nothing; what was cut off may have.
            if !matches!(e.kind(), Kind::Offline | Kind::Timeout) {
                change.stand = Stand::Failed;
                home.changes().end(&mut change, None).await;
            }
            Err(e)
        }
        (Err(e), None) => Err(e),
    }
}

/// Calls what a person agreed to, or need not agree to; remembers nothing.
///
/// # Errors
/// Offline while the house is away; what Home Assistant says.
pub(crate) async fn run_agreed(
    home: &Home,
    house: &Arc<House>,
    caller: &Caller,
    plan: Plan,
) -> Result<Done, Error> {
    let target = plan.audit_target(house);
    let service = plan.service.clone();
    let result = Under::start(home, house, &plan)?.finish(home, caller, &target).await;
    let (outcome, reason) = match &result {
        Ok(_) => (Outcome::Allowed, None),
        Err(e) => (Outcome::Failed, Some(e.to_string())),
    };
    home.policy().record(caller, &service, &target, outcome, reason.as_deref());
    result
}

/// A call that is sent and not watched. Dropping it forgets the answer.
pub(crate) struct Sent(Asked);

impl Sent {
    /// Waits for the answer, and returns the context that the changes it caused have.
    ///
    /// # Errors
    /// What Home Assistant says; Offline when the connection went; Timeout.
    pub(crate) async fn context(self, within: Duration) -> Result<Option<String>, Error> {
        under::context(&self.0.answer(within).await?)
    }
}

/// Sends one of many calls a second, as a show of lights makes them. It is planned like every other;
/// it is not watched and cannot be undone, and only a refusal goes to the audit log: whoever runs the
/// show writes down that it began and ended, and puts back what was before.
///
/// # Errors
/// As [`plan`]; Refused when a person would have to agree; Offline while the house is away.
pub(crate) fn send(
    home: &Home,
    house: &Arc<House>,
    caller: &Caller,
    order: Order,
) -> Result<Sent, Error> {
    let plan = plan(home, house, caller, order)?;
    if !plan.risky.is_empty() {
        return Err(Error::refused(format!(
            "{} needs a confirmation by a person, and nobody can give one many times a second",
            plan.service
        )));
    }
    if !house.is_fresh() {
        return Err(house.link.away());
    }
    house.link.send(&plan.command()).map(Sent)
}
