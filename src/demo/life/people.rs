//! Who is there: a person comes and goes, walks past the sensors and opens doors.

use crate::demo::entity::Context;
use crate::demo::house::House;
use crate::demo::life::What;
use crate::demo::plan::{self, Kind};
use crate::demo::time::iso;
use serde_json::json;

const PERSON: &str = "person.robin";
const LOCK: &str = "lock.front_door";
const FRONT: &str = "binary_sensor.front_door";
const GARDEN: &str = "binary_sensor.garden_door";
const HALLWAY: &str = "binary_sensor.hallway_motion";
/// Sensor, and how many seconds pass on average until someone walks past it.
const MOTION: &[(&str, f64)] = &[(HALLWAY, 90.0), ("binary_sensor.living_room_motion", 45.0)];
/// Average seconds at home and away.
const STAY: f64 = 1500.0;
const AWAY: f64 = 600.0;
const GARDEN_EVERY: f64 = 400.0;
const HALLWAY_OFF: &[plan::Step] =
    &[plan::Step { service: "light.turn_off", on: &["light.hallway"], data: &[] }];

impl House {
    pub(crate) fn meet_people(&mut self, seconds: f64) {
        let is_home = self.is(PERSON, "home");
        let on_average = if is_home { STAY } else { AWAY };
        if self.dice.happens(on_average, seconds) {
            self.walk_through_front_door(!is_home);
        }
        if !is_home {
            return;
        }
        for (sensor, every) in MOTION {
            if self.is(sensor, "off") && self.dice.happens(*every, seconds) {
                self.sense_motion(sensor);
            }
        }
        let is_quiet = self.is("sun.sun", "below_horizon")
            || !self.is("alarm_control_panel.home_alarm", "disarmed");
        if !is_quiet && self.is(GARDEN, "off") && self.dice.happens(GARDEN_EVERY, seconds) {
            let open = self.dice.between(5.0, 40.0);
            self.open_door(GARDEN, 0.0, open);
        }
    }

    fn sense_motion(&mut self, sensor: &str) {
        let by = self.own_context();
        let seconds = self.dice.between(15.0, 40.0);
        self.change(sensor, by, |e| e.put("on"));
        self.later(sensor, seconds, What::State("off"), by);
        if sensor == HALLWAY && self.is("sun.sun", "below_horizon") {
            self.run_automation("automation.hallway_light", by);
        }
    }

    /// Runs an automation's steps, when it is switched on.
    pub(crate) fn run_automation(&mut self, id: &str, by: Context) {
        let Some((_, plan::Thing { kind: Kind::Automation(steps), .. })) = plan::thing(id) else {
            return;
        };
        if !self.is(id, "on") {
            return;
        }
        self.trigger(id, steps, by);
        self.forget_later("light.hallway");
        self.later("light.hallway", 120.0, What::Steps(HALLWAY_OFF), by);
    }

    /// Does the steps of a script or automation and notes when.
    pub(crate) fn trigger(&mut self, id: &str, steps: &'static [plan::Step], by: Context) {
        let at = iso(self.now);
        self.change(id, by, |e| e.set("last_triggered", at));
        let (is_script, name) =
            (id.starts_with("script."), self.get(id).map(|e| e.name().to_owned()));
        let event = if is_script { "script_started" } else { "automation_triggered" };
        self.fire(event, json!({ "name": name, "entity_id": id }), by);
        self.do_steps(steps, by);
    }

    fn open_door(&mut self, sensor: &str, in_seconds: f64, for_seconds: f64) {
        let by = self.own_context();
        if in_seconds == 0.0 {
            self.change(sensor, by, |e| e.put("on"));
        } else {
            self.later(sensor, in_seconds, What::State("on"), by);
        }
        self.later(sensor, in_seconds + for_seconds, What::State("off"), by);
    }

    fn walk_through_front_door(&mut self, comes_home: bool) {
        let by = self.own_context();
        for id in [LOCK, FRONT, PERSON] {
            self.forget_later(id);
        }
        let was_locked = !self.is(LOCK, "unlocked");
        if was_locked {
            self.change(LOCK, by, |e| e.put("unlocking"));
            self.later(LOCK, 1.0, What::State("unlocked"), by);
        }
        self.open_door(FRONT, 3.0, 6.0);
        if was_locked {
            self.later(LOCK, 12.0, What::State("locking"), by);
            self.later(LOCK, 13.0, What::State("locked"), by);
        }
        self.change(PERSON, by, |e| {
            e.put(if comes_home { "home" } else { "not_home" });
            e.set("in_zones", if comes_home { json!(["zone.home"]) } else { json!([]) });
        });
        self.change("zone.home", by, |e| {
            e.put(if comes_home { "1" } else { "0" });
            e.set("persons", if comes_home { json!([PERSON]) } else { json!([]) });
        });
    }
}
