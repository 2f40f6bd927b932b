//! One output with its lamps: asks for their picture when it is due, encodes it, sends it.
//!
//! A WLED is a line of its own; all lamps in the universes of one DMX node are one line, as a universe is
//! always sent whole. Everything that is needed is there before the show begins.

use super::bell::Clock;
use super::colour::Colours;
use super::counters::{Counters, Sent};
use super::encode::Encoder;
use super::pace::{Look, Pace};
use super::paint::Paint;
use super::wire::Wire;
use crate::aurora::light::Light;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// A picture strikes when its bytes rose by so much on average since the one before.
const STRIKING: usize = 16;
/// A picture that took longer than this (ns) shows what was, and is thrown away.
pub(super) const STALE: u64 = 50_000_000;

/// Microseconds from sending to light, as the table of latencies last said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delay(Arc<AtomicU32>);

impl Delay {
    pub(crate) fn set(&self, ms: f64) {
        self.0.store((ms * 1000.0).clamp(0.0, 1e7) as u32, Relaxed);
    }

    pub(crate) fn seconds(&self) -> f64 {
        f64::from(self.0.load(Relaxed)) / 1e6
    }
}

/// One lamp of a line.
#[derive(Debug)]
pub(crate) struct Part {
    lamp: usize,
    colours: Colours,
    delay: Delay,
    /// Where the channels of each light begin in the line's data.
    places: Vec<usize>,
    lights: Vec<Light>,
    /// The last second it was painted for: when its latency turns out smaller, its time stands still until
    /// it is caught up with, as painters only go forward.
    painted: f64,
}

impl Part {
    /// The lamp with this number, whose lights are at `places`.
    pub(crate) fn new(lamp: usize, colours: Colours, delay: Delay, places: Vec<usize>) -> Part {
        let lights = vec![Light::BLACK; places.len()];
        Part { lamp, colours, delay, places, lights, painted: 0.0 }
    }
}

/// One output.
pub(crate) struct Line {
    parts: Vec<Part>,
    encoder: Encoder,
    wire: Box<dyn Wire>,
    pace: Pace,
    counters: Arc<Counters>,
    data: Vec<u8>,
    /// What was sent last.
    last: Vec<u8>,
}

impl Line {
    /// `size` is how many channels the picture has.
    pub(crate) fn new(
        parts: Vec<Part>,
        size: usize,
        encoder: Encoder,
        wire: Box<dyn Wire>,
        pace: Pace,
    ) -> Line {
        let counters = Arc::new(Counters::default());
        Line { parts, encoder, wire, pace, counters, data: vec![0; size], last: vec![0; size] }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(crate) fn due(&self) -> u64 {
        self.pace.due()
    }

    /// Paints and sends when it is time to.
    pub(crate) fn turn(&mut self, clock: &dyn Clock, news: bool, lead: f64, paint: &mut dyn Paint) {
        let now = clock.now();
        let look = self.pace.look(now, news);
        if look == Look::No {
            return;
        }
        self.paint(now as f64 * 1e-9 + lead, paint);
        let strikes = || rise(&self.last, &self.data) >= STRIKING;
        if clock.now().saturating_sub(now) > STALE {
            self.counters.stale();
        } else if look != Look::OnlyIfStriking || strikes() {
            self.send(now);
        }
        if let Look::Due { late, missed } = look {
            self.counters.tick(clock.now().saturating_sub(now) + late, missed);
        }
    }

    fn paint(&mut self, seconds: f64, paint: &mut dyn Paint) {
        for part in &mut self.parts {
            part.painted = part.painted.max(seconds + part.delay.seconds());
            paint.paint(part.lamp, part.painted, &mut part.lights);
            let width = part.colours.width();
            for (light, place) in part.lights.iter().zip(&part.places) {
                part.colours.write(*light, &mut self.data[*place..*place + width]);
            }
        }
    }

    fn send(&mut self, now: u64) {
        let changed = self.data != self.last;
        if !self.pace.wants(now, changed) {
            return self.counters.same();
        }
        if !self.wire.is_clear(now) {
            return self.counters.sent(Sent::Full);
        }
        let (wire, counters) = (&mut self.wire, &self.counters);
        self.encoder.picture(&self.data, &mut |to, packet| counters.sent(wire.send(to, packet)));
        counters.picture();
        self.pace.sent(now, changed);
        self.last.copy_from_slice(&self.data);
    }

    /// Says that no more pictures come.
    pub(crate) fn end(&mut self) {
        self.wire.patient();
        let (wire, counters) = (&mut self.wire, &self.counters);
        self.encoder.end(&mut self.data, &mut |to, packet| counters.sent(wire.send(to, packet)));
    }
}

/// How much brighter the bytes became, on average.
fn rise(before: &[u8], after: &[u8]) -> usize {
    let rise = |(before, after): (&u8, &u8)| usize::from(after.saturating_sub(*before));
    let all: usize = before.iter().zip(after).map(rise).sum();
    all / before.len().max(1)
}
