//! Warmth and dampness of the rooms.
//!
//! A room loses warmth to the outside in proportion to the difference and gains it from its heater;
//! thermostats switch with a little hysteresis. It all goes faster than in a real house, so that
//! there is something to see.

use crate::demo::house::House;

/// Seconds of the room's time in one second of ours.
const FAST: f64 = 12.0;
/// Hours until a room without heating has lost two thirds of its warmth.
const HOLDS: f64 = 14.0;
/// What a heater or cooler does, in degrees per hour.
const HEATS: f64 = 3.0;
/// Switching distances around the target.
const BELOW: f64 = 0.25;
const ABOVE: f64 = 0.15;

/// One room.
pub(crate) struct Room {
    warmth_sensor: &'static str,
    /// Its thermostat; none where a thermostat that nobody sees keeps it at `keeps`.
    climate: Option<&'static str>,
    keeps: f64,
    damp_sensor: Option<&'static str>,
    /// What makes it damp while it is on.
    shower: Option<&'static str>,
    warmth: f64,
    damp: f64,
    action: Action,
}

#[derive(Clone, Copy, PartialEq)]
enum Action {
    Idle,
    Heating,
    Cooling,
}

/// Returns the rooms as they begin.
pub(crate) fn rooms() -> Vec<Room> {
    let room = |warmth_sensor, climate, keeps, warmth| Room {
        warmth_sensor,
        climate,
        keeps,
        damp_sensor: None,
        shower: None,
        warmth,
        damp: 45.0,
        action: Action::Idle,
    };
    let living = Some("climate.living_room");
    vec![
        Room {
            damp_sensor: Some("sensor.living_room_humidity"),
            damp: 46.0,
            ..room("sensor.living_room_temperature", living, 21.0, 20.6)
        },
        room("sensor.kitchen_temperature", None, 21.0, 21.1),
        room("sensor.bedroom_temperature", Some("climate.bedroom"), 18.5, 18.9),
        Room {
            damp_sensor: Some("sensor.bathroom_humidity"),
            shower: Some("light.bathroom"),
            damp: 58.0,
            ..room("sensor.bathroom_temperature", None, 22.0, 21.8)
        },
        room("sensor.office_temperature", Some("climate.office"), 20.0, 19.4),
    ]
}

impl House {
    pub(crate) fn warm_rooms(&mut self, seconds: f64) {
        let outside = self.outside();
        let hours = seconds * FAST / 3600.0;
        for mut room in std::mem::take(&mut self.life.rooms) {
            let (mode, target) = self.wanted(&room);
            room.action = decide(room.action, &mode, room.warmth, target);
            let gain = match room.action {
                Action::Idle => 0.0,
                Action::Heating => HEATS,
                Action::Cooling => -HEATS,
            };
            room.warmth += ((outside - room.warmth) / HOLDS + gain) * hours;
            let warmth = (room.warmth * 10.0).round() / 10.0;
            self.drift(room.warmth_sensor, |e| e.put(format!("{warmth:.1}")));
            if let Some(id) = room.climate {
                let action = match (&*mode, room.action) {
                    ("off", _) => "off",
                    (_, Action::Idle) => "idle",
                    (_, Action::Heating) => "heating",
                    (_, Action::Cooling) => "cooling",
                };
                self.drift(id, |e| {
                    e.set("current_temperature", warmth);
                    e.set("hvac_action", action);
                });
            }
            self.dampen(&mut room, seconds);
            self.life.rooms.push(room);
        }
    }

    fn wanted(&self, room: &Room) -> (String, f64) {
        let climate = room.climate.and_then(|id| self.get(id));
        match climate {
            Some(e) => (e.state.to_string(), e.number("temperature").unwrap_or(room.keeps)),
            None => ("heat".to_owned(), room.keeps),
        }
    }

    fn dampen(&mut self, room: &mut Room, seconds: f64) {
        let Some(sensor) = room.damp_sensor else { return };
        let is_wet = room.shower.is_some_and(|id| self.is(id, "on"));
        let rest = match (is_wet, room.shower) {
            (true, _) => 85.0,
            (false, Some(_)) => 57.0,
            (false, None) => 46.0,
        };
        let noise = self.dice.between(-1.0, 1.0) * seconds.sqrt() * 0.15;
        room.damp = (room.damp + (rest - room.damp) * seconds / 400.0 + noise).clamp(20.0, 95.0);
        let damp = format!("{:.0}", room.damp);
        self.drift(sensor, |e| e.put(damp));
    }
}

/// What a thermostat does next.
fn decide(now: Action, mode: &str, warmth: f64, target: f64) -> Action {
    let may_heat = matches!(mode, "heat" | "auto");
    let may_cool = matches!(mode, "cool" | "auto");
    // In auto the two must not take turns around the same point.
    let apart = if mode == "auto" { 0.5 } else { 0.0 };
    match now {
        Action::Heating if may_heat && warmth < target + ABOVE => Action::Heating,
        Action::Cooling if may_cool && warmth > target + apart - ABOVE => Action::Cooling,
        _ if may_heat && warmth < target - BELOW => Action::Heating,
        _ if may_cool && warmth > target + apart + BELOW => Action::Cooling,
        _ => Action::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thermostat_switches_with_hysteresis() {
        use Action::{Cooling, Heating, Idle};
        let rows = [
            (Idle, "heat", 20.9, 21.0, Idle),
            (Idle, "heat", 20.7, 21.0, Heating),
            (Heating, "heat", 21.1, 21.0, Heating),
            (Heating, "heat", 21.2, 21.0, Idle),
            (Heating, "off", 15.0, 21.0, Idle),
            (Idle, "cool", 21.3, 21.0, Cooling),
            (Cooling, "cool", 20.8, 21.0, Idle),
            (Idle, "auto", 21.3, 21.0, Idle),
            (Idle, "auto", 21.8, 21.0, Cooling),
            (Cooling, "heat", 25.0, 21.0, Idle),
        ];
        for (now, mode, warmth, target, next) in rows {
            assert!(decide(now, mode, warmth, target) == next, "{mode} {warmth} {target}");
        }
    }
}
