//! The front door lock and the alarm.

use crate::demo::action::{Data, Refusal};
use crate::demo::attr::Val;
use crate::demo::entity::Context;
use crate::demo::house::House;
use crate::demo::life::What;
use serde_json::{Value, json};

/// The code of the demo alarm; shown in the documentation, guards nothing.
pub(crate) const CODE: &str = "1234";
/// Seconds the bolt takes, and the alarm gives to leave the house.
const BOLT: f64 = 1.0;
const LEAVE: f64 = 20.0;

/// Locks or unlocks.
pub(crate) fn lock(house: &mut House, id: &str, service: &str, by: Context) {
    let (on_the_way, then) = match service {
        "lock" => ("locking", "locked"),
        "unlock" => ("unlocking", "unlocked"),
        _ => return,
    };
    house.forget_later(id);
    if !house.is(id, then) {
        house.change(id, by, |e| e.put(on_the_way));
        house.later(id, BOLT, What::State(then), by);
    }
}

/// Arms, disarms or triggers the alarm.
pub(crate) fn alarm(
    house: &mut House,
    id: &str,
    service: &str,
    data: &Data,
    by: Context,
) -> Result<(), Refusal> {
    let before = house.state(id).to_owned();
    let (state, next, wait) = match service {
        "alarm_disarm" => {
            if data.get("code").and_then(Value::as_str) != Some(CODE) {
                let told = json!({ "entity_id": id, "target_state": "disarmed",
                    "user_id": crate::demo::entity::USER });
                house.fire("manual_alarm_bad_code_attempt", told, by);
                let key = ("invalid_code", "manual");
                return Err(Refusal::validation("invalid_code", key, Value::Null));
            }
            ("disarmed", None, 0.0)
        }
        "alarm_arm_home" => ("armed_home", None, 0.0),
        "alarm_arm_night" => ("armed_night", None, 0.0),
        "alarm_arm_away" => ("arming", Some("armed_away"), LEAVE),
        "alarm_trigger" => ("triggered", None, 0.0),
        _ => return Ok(()),
    };
    house.forget_later(id);
    house.change(id, by, |e| {
        e.put(state);
        e.set("previous_state", before);
        e.set("next_state", next.map_or(Val::Null, Val::from));
    });
    if let Some(next) = next {
        house.later(id, wait, What::State(next), by);
    }
    Ok(())
}
