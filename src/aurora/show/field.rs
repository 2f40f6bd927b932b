//! All lamps together: how often the whole field flashes.
//!
//! Lamps are painted at different times for what is seen at one time: a slow one long before a quick
//! one. So what each shows is kept for a while, and the field at a time is what all lamps show *then*,
//! as far as it is known; of lamps that have not been painted for it yet, the last is taken. Each lamp has
//! its own view of the field, in the order of its own times, and counts the rises in it; all of them draw
//! on the same three grants in a second, placed at the times at which light is seen. A rise at about the
//! time of a grant shares it, so a beat that was painted early for one lamp and late for another is one.
//!
//! Beside that, what all lamps were last painted as is counted in the order of painting. For lamps that
//! are painted for the same time that is exact; the views are for those that are not.

use super::safety::{Guard, MOST, WINDOW};

/// Values that are kept of each lamp, and how close they lie at least (s): two seconds and a half.
const KEPT: usize = 256;
const STEP: f64 = 0.01;
/// Rises so close together (s) are one flash.
const ONE: f64 = 0.05;
/// Grants that are remembered.
const GRANTS: usize = 12;

/// One quantity of all lamps.
#[derive(Clone, Debug)]
pub(super) struct Field {
    change: f32,
    /// The sum of what all lamps were last painted as, in the order of painting.
    path: Guard,
    sum: f32,
    newest: f64,
    lamps: Vec<Kept>,
    views: Vec<View>,
    /// From when to when the field rose, in order; not yet used ones are long ago.
    grants: [(f64, f64); GRANTS],
}

/// What a lamp showed and will show.
#[derive(Clone, Debug)]
struct Kept {
    ring: Box<[(f64, f32); KEPT]>,
    at: usize,
}

/// The field as one lamp sees it.
#[derive(Clone, Debug)]
struct View {
    low: f32,
    high: f32,
    up: bool,
    /// The beginning of the grant that its last rise used.
    used: f64,
}

impl Kept {
    fn put(&mut self, at: f64, value: f32) {
        // Painted more often than kept: the newest stands for the step.
        if at - self.ring[(self.at + KEPT - 1) % KEPT].0 >= STEP {
            self.at = (self.at + 1) % KEPT;
        }
        self.ring[self.at] = (at, value);
    }

    /// What it was last painted as.
    fn last(&self) -> f32 {
        self.ring[self.at].1
    }

    /// What is shown at this time: the last value up to it.
    fn then(&self, at: f64) -> f32 {
        let newest = self.ring[self.at];
        if newest.0 <= at {
            return newest.1;
        }
        let older = (1..KEPT).map(|k| self.ring[(self.at + KEPT - k) % KEPT]);
        older.clone().find(|(time, _)| *time <= at).map_or(0.0, |(_, value)| value)
    }
}

impl Field {
    /// A field of so many lamps in which `change` of the maximum is a change.
    pub(super) fn new(lamps: usize, change: f32) -> Field {
        let kept = Kept { ring: Box::new([(f64::MIN, 0.0); KEPT]), at: 0 };
        let view = View { low: 0.0, high: 0.0, up: false, used: f64::MIN };
        Field {
            change,
            path: Guard::new(change),
            sum: 0.0,
            newest: f64::MIN,
            lamps: vec![kept; lamps],
            views: vec![view; lamps],
            grants: [(f64::MIN, f64::MIN); GRANTS],
        }
    }

    /// What a lamp may show of `want` at this time: all of it or less.
    pub(super) fn ask(&self, lamp: usize, at: f64, want: f32) -> f32 {
        let count = self.lamps.len() as f32;
        let last = self.lamps[lamp].last();
        let all = self.sum + (want - last) / count;
        let allowed = self.path.ask(all, self.newest.max(at));
        let want = match allowed < all {
            true => (last + (allowed - self.sum) * count).clamp(0.0, want),
            false => want,
        };
        let others = self.others(lamp, at);
        let (all, view) = (others + want / count, &self.views[lamp]);
        let low = view.low.min(others + last / count);
        let small = all < low.min(all) + self.change;
        if view.up || small || self.shared(view, at).is_some() || self.has_room(at) {
            return want;
        }
        let most = low + 0.98 * self.change;
        ((most - others) * count).clamp(0.0, want)
    }

    /// Takes what a lamp shows at this time.
    pub(super) fn take(&mut self, lamp: usize, at: f64, shown: f32) {
        let (count, others) = (self.lamps.len() as f32, self.others(lamp, at));
        let last = self.lamps[lamp].last();
        self.lamps[lamp].put(at, shown);
        self.newest = self.newest.max(at);
        // Added up anew, so that rounding does not add up.
        self.sum = self.lamps.iter().map(Kept::last).sum::<f32>() / count;
        self.path.take(self.sum, self.newest);
        // What the others did since the last turn, then what this one does.
        self.look(lamp, at, others + last / count);
        self.look(lamp, at, others + shown / count);
    }

    /// Takes the field as one lamp sees it.
    fn look(&mut self, lamp: usize, at: f64, all: f32) {
        let mut view = self.views[lamp].clone();
        if view.up {
            if all > view.high {
                view.high = all;
                self.extend(view.used, at);
            } else if all <= view.high - self.change {
                (view.up, view.low) = (false, all);
            }
        } else {
            view.low = view.low.min(all);
            if all >= view.low + self.change {
                (view.up, view.high) = (true, all);
                view.used = match self.shared(&view, at) {
                    Some(grant) => grant,
                    None => self.grant(at),
                };
                self.extend(view.used, at);
            }
        }
        self.views[lamp] = view;
    }

    fn others(&self, lamp: usize, at: f64) -> f32 {
        let shown = self.lamps.iter().enumerate().filter(|(k, _)| *k != lamp);
        shown.map(|(_, kept)| kept.then(at)).sum::<f32>() / self.lamps.len() as f32
    }

    /// A grant at this time that this view has not used.
    fn shared(&self, view: &View, at: f64) -> Option<f64> {
        let near = |grant: &&(f64, f64)| {
            grant.0 != view.used && (grant.0 - ONE..=grant.1 + ONE).contains(&at)
        };
        self.grants.iter().find(near).map(|grant| grant.0)
    }

    /// Whether one more grant at this time leaves three in any second.
    fn has_room(&self, at: f64) -> bool {
        let after = self.grants.partition_point(|grant| grant.0 <= at);
        // The new one among its neighbours, in order: no four of them within a second.
        let mut around = [(f64::MAX, f64::MAX); 2 * MOST + 1];
        for (k, place) in around.iter_mut().enumerate() {
            *place = match k.cmp(&MOST) {
                std::cmp::Ordering::Less => match (after + k).checked_sub(MOST) {
                    Some(before) => self.grants[before],
                    None => (f64::MIN, f64::MIN),
                },
                std::cmp::Ordering::Equal => (at, at),
                std::cmp::Ordering::Greater => {
                    self.grants.get(after + k - MOST - 1).copied().unwrap_or((f64::MAX, f64::MAX))
                }
            };
        }
        around.windows(MOST + 1).all(|four| four[MOST].0 - four[0].1 > WINDOW)
    }

    /// Notes a grant in its place; the oldest goes.
    fn grant(&mut self, at: f64) -> f64 {
        let after = self.grants.partition_point(|grant| grant.0 <= at);
        if after > 0 {
            self.grants[..after].rotate_left(1);
            self.grants[after - 1] = (at, at);
        }
        at
    }

    fn extend(&mut self, grant: f64, at: f64) {
        if let Some(found) = self.grants.iter_mut().find(|known| known.0 == grant) {
            found.1 = found.1.max(at);
        }
    }
}
