//! Calls a service of Home Assistant on behalf of somebody, and says what came of it.
//!
//! The order of things: find the entities that it would touch and check that this caller may touch
//! each of them (`plan`), ask for a confirmation where one is needed, call, and watch the entities
//! until the state shows the result, for a bounded time (`under`). Tools and routes both end here;
//! nothing else calls a service.

mod known;
mod plan;
mod under;

pub(crate) use known::meet;
pub(crate) use plan::{Order, Plan, plan, written};
pub(crate) use under::{Done, Verdict};

use crate::error::Error;
use crate::home::Home;
use crate::home::house::House;
use crate::policy::{Caller, Outcome};
use std::sync::Arc;
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
