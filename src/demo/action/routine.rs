//! Scenes, scripts and automations.

use crate::demo::action::appliance;
use crate::demo::entity::Context;
use crate::demo::house::House;
use crate::demo::plan::{self, Kind};
use crate::demo::time::iso;

/// Starts or switches a routine.
pub(crate) fn act(house: &mut House, id: &str, service: &str, by: Context) {
    let Some((_, thing)) = plan::thing(id) else { return };
    match (&thing.kind, service) {
        (Kind::Scene(steps), "turn_on" | "toggle") => {
            let at = iso(house.now);
            house.change(id, by, |e| e.put(at));
            house.do_steps(steps, by);
        }
        (Kind::Script(_), "turn_on" | "toggle") => run_script(house, id, by),
        (Kind::Automation(_), "trigger") => {
            // Triggered by hand it runs even when it is switched off.
            if let Kind::Automation(steps) = thing.kind {
                house.trigger(id, steps, by);
            }
        }
        (Kind::Automation(_), _) => appliance::switch(house, id, service, by),
        _ => {}
    }
}

/// Runs a script.
pub(crate) fn run_script(house: &mut House, id: &str, by: Context) {
    if let Some((_, plan::Thing { kind: Kind::Script(steps), .. })) = plan::thing(id) {
        house.trigger(id, steps, by);
    }
}
