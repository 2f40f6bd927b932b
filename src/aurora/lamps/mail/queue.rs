//! What is sent to slow lamps, and when. Pure: told of wishes and answers with their times (seconds of
//! one clock), asked what to send now.
//!
//! Beats go first and snap; everything else goes when it differs enough from what the lamp shows, most
//! overdue lamp first, fading until its next turn. Lamps that want the same go into one call. A lamp
//! whose call is not answered gets no other, so that nothing piles up behind one that stalls; when it was
//! in a call with others, they go on without it. What cannot be seen in time is dropped and counted.

use super::Wish;
use super::budget::Budget;
use crate::aurora::light::Light;
use serde::Serialize;

/// A wish may go so much before its time (seconds): a tick, and what the show leads the sound by.
const EARLY: f64 = 0.05;
/// A lamp that failed alone is left alone for so long at first and at most, in seconds.
const REST: (f64, f64) = (1.0, 30.0);
/// The longest fade, in seconds.
const LONGEST_FADE: f64 = 2.0;

/// How an output is used.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Calls a second, for all lamps together.
    pub per_second: f64,
    /// Calls a second to one lamp.
    pub per_lamp: f64,
    /// The smallest difference that is sent, in the brightest channel, after the eye's curve: 0 to 1.
    pub threshold: f32,
    /// A wish that would be seen later than it should by more than this (seconds) is dropped.
    pub tolerance: f64,
    /// Calls that may wait for their answers.
    pub in_flight: usize,
    /// A lamp that shares a call waits so long (seconds) for a slower one in it.
    pub patience: f64,
    /// Whether a lamp is free when its command was answered, or only when it said so itself.
    pub waits_for_lamp: bool,
}

/// One call to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Its number, for [`Queue::answered`].
    pub id: u64,
    /// The lamps, by their place.
    pub lamps: Vec<usize>,
    /// What they are to show.
    pub light: Light,
    /// Over how long, in seconds.
    pub fade: f64,
}

/// What was counted, for all lamps of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Calls that were made.
    pub sent: u64,
    /// Of them beats.
    pub beats: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Wishes that were dropped because they would have been seen too late.
    pub stale: u64,
}

/// A lamp's place in the queue.
#[derive(Clone, Debug, Default)]
struct Lane {
    /// Lamps of one kind may share a call.
    kind: u32,
    latency: f64,
    wish: Option<Wish>,
    beat: Option<Wish>,
    shown: Option<Light>,
    last: f64,
    /// Usual seconds between two calls.
    pause: f64,
    waits: Option<Waits>,
    /// It did not keep up, or made a shared call fail: its calls are its own.
    alone: bool,
    rests_until: f64,
    rest: f64,
}

#[derive(Clone, Copy, Debug)]
struct Waits {
    id: u64,
    since: f64,
    is_shared: bool,
    is_answered: bool,
    has_stirred: bool,
}

/// Decides. See the module.
#[derive(Debug)]
pub struct Queue {
    rules: Rules,
    budget: Budget,
    lanes: Vec<Lane>,
    next: u64,
    flying: usize,
    counts: Counts,
    silent: bool,
}

impl Queue {
    /// A queue for lamps of these kinds.
    pub fn new(rules: Rules, kinds: &[u32]) -> Queue {
        let pause = (1.0 / rules.per_lamp).max(kinds.len() as f64 / rules.per_second);
        let lane = |kind: &u32| Lane {
            kind: *kind,
            pause: pause.min(LONGEST_FADE),
            last: f64::NEG_INFINITY,
            rests_until: f64::NEG_INFINITY,
            ..Lane::default()
        };
        let lanes = kinds.iter().map(lane).collect();
        let budget = Budget::new(rules.per_second);
        Queue { rules, budget, lanes, next: 1, flying: 0, counts: Counts::default(), silent: false }
    }

    /// Takes what a lamp should show, and how long it takes (seconds).
    pub fn offer(&mut self, lamp: usize, wish: Wish, latency: f64) {
        let lane = &mut self.lanes[lamp];
        lane.latency = latency;
        let place = if wish.accent { &mut lane.beat } else { &mut lane.wish };
        if place.replace(wish).is_some() && wish.accent {
            self.counts.stale += 1;
        }
        if wish.accent {
            lane.wish = None;
        }
    }

    /// Says what to send at `now`, if anything; ask again until there is nothing.
    pub fn choose(&mut self, now: f64) -> Option<Letter> {
        self.drop_stale(now);
        self.free_the_quick(now);
        if self.flying >= self.rules.in_flight {
            return None;
        }
        if self.budget.has(now, 0.0)
            && let Some(letter) = self.beat(now)
        {
            return Some(letter);
        }
        // The last call is kept for a beat that comes meanwhile.
        if self.budget.has(now, 1.0) { self.change(now) } else { None }
    }

    /// Notes that a call was answered.
    pub fn answered(&mut self, id: u64, now: f64) {
        self.flying = self.flying.saturating_sub(1);
        let waits_for_lamp = self.rules.waits_for_lamp;
        for lane in &mut self.lanes {
            let Some(waits) = lane.waits.as_mut().filter(|waits| waits.id == id) else { continue };
            waits.is_answered = true;
            lane.rest = 0.0;
            lane.alone &= now - waits.since > self.rules.patience;
            if !waits_for_lamp || waits.has_stirred {
                lane.waits = None;
            }
        }
    }

    /// Whether a lamp that says when it was told has not done so in time: then the way to it may be
    /// closed, and what is sent now would be delivered late.
    pub fn is_silent(&mut self, now: f64) -> bool {
        self.free_the_quick(now);
        std::mem::take(&mut self.silent)
    }

    /// Notes that a call failed. Those that shared it are tried one by one; one that was alone rests,
    /// longer each time, unless the whole output `is_away`.
    pub fn failed(&mut self, id: u64, now: f64, is_away: bool) {
        self.flying = self.flying.saturating_sub(1);
        self.counts.failed += 1;
        for lane in &mut self.lanes {
            let Some(waits) = lane.waits.filter(|waits| waits.id == id) else { continue };
            (lane.waits, lane.shown) = (None, None);
            if is_away {
                lane.rests_until = now + REST.0;
                continue;
            }
            if !waits.is_shared {
                lane.rest = (lane.rest * 2.0).clamp(REST.0, REST.1);
                lane.rests_until = now + lane.rest;
            }
            lane.alone = true;
        }
    }

    /// Notes that a lamp said something of its state.
    pub fn stirred(&mut self, lamp: usize) {
        let lane = &mut self.lanes[lamp];
        if let Some(waits) = &mut lane.waits {
            waits.has_stirred = true;
            if waits.is_answered {
                lane.waits = None;
            }
        }
    }

    /// Returns what was counted.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn drop_stale(&mut self, now: f64) {
        let tolerance = self.rules.tolerance;
        let mut stale = 0;
        for lane in &mut self.lanes {
            let latency = lane.latency;
            let is_late = |wish: &mut Wish| now + latency > wish.seen + tolerance;
            stale += u64::from(lane.beat.take_if(is_late).is_some());
            stale += u64::from(lane.wish.take_if(is_late).is_some());
        }
        self.counts.stale += stale;
    }

    /// In a call that takes long, whoever has shown its change already is free for the next.
    fn free_the_quick(&mut self, now: f64) {
        let rules = self.rules;
        for lane in &mut self.lanes {
            let Some(waits) = lane.waits else { continue };
            if now - waits.since <= rules.patience {
                continue;
            }
            match (waits.is_answered, waits.is_shared, waits.has_stirred) {
                // It says nothing of itself: what was written must do.
                (true, ..) => (lane.waits, self.silent) = (None, true),
                (_, true, true) => lane.waits = None,
                _ => lane.alone = true,
            }
        }
    }

    fn beat(&mut self, now: f64) -> Option<Letter> {
        let least = 0.5 / self.rules.per_lamp;
        let due = |lane: &Lane| {
            let beat = lane.beat.filter(|wish| wish.seen - lane.latency - EARLY <= now)?;
            (lane.is_free(now) && now - lane.last >= least).then_some(beat)
        };
        let first = (0..self.lanes.len())
            .filter_map(|lamp| Some((lamp, due(&self.lanes[lamp])?)))
            .min_by(|a, b| a.1.seen.total_cmp(&b.1.seen))?;
        let lamps = self.alike(first.0, first.1.light, due);
        self.counts.beats += 1;
        for lamp in &lamps {
            self.lanes[*lamp].beat = None;
        }
        Some(self.post(lamps, first.1.light, 0.0, now))
    }

    fn change(&mut self, now: f64) -> Option<Letter> {
        let Rules { threshold, per_lamp, .. } = self.rules;
        let due = |lane: &Lane| {
            let wish = lane.wish.filter(|wish| wish.seen - lane.latency - EARLY <= now)?;
            let is_turn = lane.is_free(now) && now - lane.last >= 1.0 / per_lamp;
            // While a beat waits for its moment, the lamp is kept free for it.
            let differs = lane.beat.is_none() && lane.differs(wish.light, threshold);
            (is_turn && differs).then_some(wish)
        };
        let weight = |lane: &Lane, wish: &Wish| {
            let gap = lane.shown.map_or(1.0, |shown| distance(shown, wish.light));
            f64::from(gap) * (now - lane.last).min(10.0)
        };
        let (first, wish) =
            (0..self.lanes.len()).filter_map(|lamp| Some((lamp, due(&self.lanes[lamp])?))).max_by(
                |a, b| weight(&self.lanes[a.0], &a.1).total_cmp(&weight(&self.lanes[b.0], &b.1)),
            )?;
        let lamps = self.alike(first, wish.light, due);
        let fade = self.lanes[first].pause;
        for lamp in &lamps {
            self.lanes[*lamp].wish = None;
        }
        Some(self.post(lamps, wish.light, fade, now))
    }

    /// The lamps that want the same as `first` and may share its call, in their order.
    fn alike(&self, first: usize, light: Light, due: impl Fn(&Lane) -> Option<Wish>) -> Vec<usize> {
        let own = &self.lanes[first];
        if own.alone {
            return vec![first];
        }
        let fits = |lane: &Lane| {
            let wants = due(lane).is_some_and(|wish| {
                let is_close = distance(wish.light, light) < self.rules.threshold;
                is_close && (wish.light == Light::BLACK) == (light == Light::BLACK)
            });
            lane.kind == own.kind && !lane.alone && wants
        };
        (0..self.lanes.len()).filter(|lamp| *lamp == first || fits(&self.lanes[*lamp])).collect()
    }

    fn post(&mut self, lamps: Vec<usize>, light: Light, fade: f64, now: f64) -> Letter {
        let id = self.next;
        self.next += 1;
        self.budget.take();
        self.flying += 1;
        self.counts.sent += 1;
        let is_shared = lamps.len() > 1;
        for lamp in &lamps {
            let lane = &mut self.lanes[*lamp];
            lane.shown = Some(light);
            if now - lane.last < 2.0 * LONGEST_FADE {
                let usual = lane.pause * 0.75 + (now - lane.last) * 0.25;
                lane.pause = usual.clamp(1.0 / self.rules.per_lamp, LONGEST_FADE);
            }
            lane.last = now;
            let (is_answered, has_stirred) = (false, false);
            lane.waits = Some(Waits { id, since: now, is_shared, is_answered, has_stirred });
        }
        Letter { id, lamps, light, fade }
    }
}

impl Lane {
    fn is_free(&self, now: f64) -> bool {
        self.waits.is_none() && now >= self.rests_until
    }

    fn differs(&self, light: Light, threshold: f32) -> bool {
        let Some(shown) = self.shown else { return true };
        // The last step into the dark is small, and seen.
        distance(shown, light) >= threshold || (light == Light::BLACK) != (shown == Light::BLACK)
    }
}

/// How different two lights look: 0 to 1.
fn distance(a: Light, b: Light) -> f32 {
    let eye = |x: f32| x.clamp(0.0, 1.0).powf(1.0 / 2.2);
    (0..3).map(|k| (eye(a.0[k]) - eye(b.0[k])).abs()).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests;
