//! Outputs that send by themselves, and WLED's audio sync: the two that are not pictures over UDP.

use super::bell::Clock;
use super::counters::Counters;
use super::encode::To;
use super::encode::sync::Levels;
use super::line::STALE;
use super::pace::{Look, Pace};
use super::paint::{Hear, Paint, Post};
use super::wire::Wire;
use crate::aurora::light::Light;
use std::sync::Arc;

/// A lamp has an accent when it became brighter by this since the last picture.
const ACCENT: f32 = 0.1;
/// Pauses between packets of audio sync, in nanoseconds: WLED sends them itself each 20 ms.
const PAUSE: u64 = 20_000_000;
/// Frames come each 10 ms or a little sooner.
const SLACK: u64 = 2_000_000;

/// A lamp whose pictures are posted.
pub(crate) struct Posted {
    lamp: usize,
    post: Box<dyn Post>,
    lights: Vec<Light>,
    pace: Pace,
    luminance: f32,
    /// Painters only go forward, also when the latency turns out smaller.
    painted: f64,
    counters: Arc<Counters>,
}

impl Posted {
    /// The lamp with this number, which has so many lights.
    pub(crate) fn new(lamp: usize, post: Box<dyn Post>, pixels: usize, pace: Pace) -> Posted {
        let (lights, counters) = (vec![Light::BLACK; pixels], Arc::default());
        Posted { lamp, post, lights, pace, luminance: 0.0, painted: 0.0, counters }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(crate) fn due(&self) -> u64 {
        self.pace.due()
    }

    /// Paints and posts when it is time to.
    pub(crate) fn turn(&mut self, clock: &dyn Clock, news: bool, lead: f64, paint: &mut dyn Paint) {
        let now = clock.now();
        let look = self.pace.look(now, news);
        if look == Look::No {
            return;
        }
        let seen = now as f64 * 1e-9 + self.post.latency();
        self.painted = self.painted.max(seen + lead);
        paint.paint(self.lamp, self.painted, &mut self.lights);
        let all: f32 = self.lights.iter().map(|light| light.luminance()).sum();
        let luminance = all / self.lights.len().max(1) as f32;
        let accent = luminance - self.luminance >= ACCENT;
        if clock.now().saturating_sub(now) > STALE {
            self.counters.stale();
        } else if look != Look::OnlyIfStriking || accent {
            self.post.post(&self.lights, accent, seen);
            self.pace.sent(now, true);
            self.luminance = luminance;
            self.counters.picture();
        }
        if let Look::Due { late, missed } = look {
            self.counters.tick(clock.now().saturating_sub(now) + late, missed);
        }
    }
}

/// Audio sync to one address.
pub(crate) struct Synced {
    wire: Box<dyn Wire>,
    counters: Arc<Counters>,
}

impl Synced {
    pub(crate) fn new(wire: Box<dyn Wire>) -> Synced {
        Synced { wire, counters: Arc::default() }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}

/// Everything that is told what was heard.
pub(crate) struct Sync {
    hear: Box<dyn Hear>,
    levels: Levels,
    lines: Vec<Synced>,
    count: u8,
    sent: Option<u64>,
}

impl Sync {
    pub(crate) fn new(hear: Box<dyn Hear>, lines: Vec<Synced>) -> Sync {
        Sync { hear, levels: Levels::SILENCE, lines, count: 0, sent: None }
    }

    /// Tells what is new, at most each 20 ms.
    pub(crate) fn turn(&mut self, clock: &dyn Clock) {
        let now = clock.now();
        let is_soon = self.sent.is_some_and(|sent| now + SLACK < sent + PAUSE);
        if self.hear.hear(&mut self.levels) && !is_soon {
            self.send();
            self.sent = Some(now);
        }
    }

    /// Says that it is silent now, so that no effect freezes with the last sound.
    pub(crate) fn end(&mut self) {
        self.levels = Levels::SILENCE;
        for line in &mut self.lines {
            line.wire.patient();
        }
        self.send();
        self.send();
    }

    fn send(&mut self) {
        let packet = self.levels.packet(self.count);
        for line in &mut self.lines {
            line.counters.sent(line.wire.send(To::Own, &packet));
            line.counters.picture();
        }
        self.count = self.count.wrapping_add(1);
        self.levels.told();
    }
}
