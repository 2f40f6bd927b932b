//! Blinds, shades and the garage door. They take time to move.

use crate::demo::action::Data;
use crate::demo::entity::Context;
use crate::demo::house::House;
use crate::demo::life::Move;
use serde_json::Value;

/// Percent per second.
const BLIND_SPEED: f64 = 8.0;
const GARAGE_SPEED: f64 = 10.0;

/// Moves or stops a cover.
pub(crate) fn act(house: &mut House, id: &str, service: &str, data: &Data, by: Context) {
    let is_moving = house.is(id, "opening") || house.is(id, "closing");
    let goal = match service {
        "open_cover" | "turn_on" => 100.0,
        "close_cover" | "turn_off" => 0.0,
        "set_cover_position" => data.get("position").and_then(Value::as_f64).unwrap_or(0.0),
        "toggle" if is_moving => return house.halt(id, by),
        "toggle" if house.is(id, "closed") => 100.0,
        "toggle" => 0.0,
        _ => return house.halt(id, by),
    };
    let at = position(house, id);
    house.life.moves.retain(|m| &*m.id != id);
    if at == goal {
        return house.change(id, by, |e| e.put(if at == 0.0 { "closed" } else { "open" }));
    }
    house.change(id, by, |e| {
        e.put(if goal > at { "opening" } else { "closing" });
        e.set("is_closed", false);
    });
    let Some(entity) = house.get(id) else { return };
    let has_position = entity.attrs.has("current_position");
    let speed = if has_position { BLIND_SPEED } else { GARAGE_SPEED };
    let id = entity.id.clone();
    house.life.moves.push(Move { id, at, goal, speed, by });
}

/// Where it stands, in percent open; a cover that shows no position remembers only its ends.
fn position(house: &House, id: &str) -> f64 {
    let moving = house.life.moves.iter().find(|m| &*m.id == id).map(|m| m.at);
    let shown = house.get(id).and_then(|e| e.number("current_position"));
    let end = if house.is(id, "closed") { 0.0 } else { 100.0 };
    moving.or(shown).unwrap_or(end)
}
