//! What happens in the house by itself. Pure: time comes in as seconds, chance from a seed.
//!
//! [`House::live`] catches up with the clock in steps of about a second; each part below moves its
//! own entities. It changes entities only through [`House::change`], so that sessions hear of it.

mod moving;
mod people;
mod power;
mod room;
mod sky;

pub(crate) use moving::Move;
pub(crate) use sky::condition;

use crate::demo::entity::Context;
use crate::demo::house::House;
use crate::demo::plan::Step;
use std::sync::Arc;

/// A house that was asleep for longer does not live through all of it.
const CATCH_UP: f64 = 7200.0;
/// Things that wait to happen; more than the house ever has.
const LATER_MAX: usize = 128;

/// What moves the house and is not seen from outside.
pub(crate) struct Life {
    lived_to: f64,
    has_begun: bool,
    rooms: Vec<room::Room>,
    sky: sky::Sky,
    meter: power::Meter,
    pub(crate) moves: Vec<Move>,
    later: Vec<Later>,
    pub(crate) player: moving::Player,
    charge: f64,
    next_extra: usize,
}

/// Something that is to happen.
struct Later {
    at: f64,
    id: Arc<str>,
    what: What,
    by: Context,
}

/// What is to happen to the entity.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// It goes into this state.
    State(&'static str),
    /// These steps are done.
    Steps(&'static [Step]),
}

impl Life {
    /// Makes the life of a house that starts at `now`.
    pub(crate) fn new(now: f64) -> Life {
        Life {
            lived_to: now,
            has_begun: false,
            rooms: room::rooms(),
            sky: sky::Sky::default(),
            meter: power::Meter::default(),
            moves: Vec::new(),
            later: Vec::new(),
            player: moving::Player::default(),
            charge: 100.0,
            next_extra: 0,
        }
    }
}

impl House {
    /// Catches up with the clock.
    pub(crate) fn live(&mut self) {
        let goal = self.now;
        if !self.life.has_begun {
            self.life.has_begun = true;
            self.step(0.0);
        }
        self.life.lived_to = self.life.lived_to.max(goal - CATCH_UP);
        while goal - self.life.lived_to >= 0.1 {
            let left = goal - self.life.lived_to;
            let seconds = if left < 1.5 { left } else { 1.0 };
            self.now = self.life.lived_to + seconds;
            self.step(seconds);
            self.life.lived_to += seconds;
        }
        self.now = goal;
    }

    fn step(&mut self, seconds: f64) {
        self.come_due();
        self.move_covers(seconds);
        self.play(seconds);
        self.clean(seconds);
        self.look_at_sky(seconds);
        self.warm_rooms(seconds);
        self.meet_people(seconds);
        self.measure_power(seconds);
        self.move_extra();
    }

    /// Whether a new period of `period` seconds begins in this step; true in the very first.
    fn is_due(&self, period: f64, seconds: f64) -> bool {
        seconds == 0.0 || (self.now / period).floor() != ((self.now - seconds) / period).floor()
    }

    /// Lets `what` happen to `id` in `seconds`.
    pub(crate) fn later(&mut self, id: &str, seconds: f64, what: What, by: Context) {
        if self.life.later.len() < LATER_MAX {
            self.life.later.push(Later { at: self.now + seconds, id: id.into(), what, by });
        }
    }

    /// Forgets what was to happen to `id`.
    pub(crate) fn forget_later(&mut self, id: &str) {
        self.life.later.retain(|later| &*later.id != id);
    }

    fn come_due(&mut self) {
        let now = self.now;
        let mut due: Vec<Later> = self.life.later.extract_if(.., |l| l.at <= now).collect();
        due.sort_by(|a, b| a.at.total_cmp(&b.at));
        for later in due {
            match later.what {
                What::State(state) => self.change(&later.id, later.by, |e| {
                    e.put(state);
                    if e.attrs.has("next_state") {
                        e.set("next_state", crate::demo::attr::Val::Null);
                    }
                }),
                What::Steps(steps) => self.do_steps(steps, later.by),
            }
        }
    }

    /// One of the synthetic sensors changes with each step, each in its turn.
    fn move_extra(&mut self) {
        let planned = crate::demo::plan::things().count();
        let count = self.all().len() - planned;
        if count == 0 {
            return;
        }
        let number = self.life.next_extra % count;
        self.life.next_extra += 1;
        let id = self.all()[planned + number].id.clone();
        if id.starts_with("sensor.") {
            let state = format!("{:.1}", self.dice.between(15.0, 25.0));
            self.drift(&id, |e| e.put(state));
        }
    }
}

#[cfg(test)]
mod tests;
