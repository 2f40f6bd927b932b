//! The show thread's work: waits for the next time at which an output is due, or for news, and gives every
//! output its turn.
//!
//! It allocates nothing, locks nothing and logs nothing while the show runs. There is no queue: what was
//! not sent at its time is painted anew for the next one. Outputs cannot delay each other, as no send
//! ever waits.

use super::bell::Clock;
use super::line::Line;
use super::paint::Paint;
use super::post::{Posted, Sync};
use std::sync::atomic::{AtomicBool, Ordering};

/// The thread looks for the end at least so often, in nanoseconds.
const AT_LEAST: u64 = 100_000_000;

/// All outputs of a show. When it is dropped each of them is told that the show is over, also when
/// whoever paints panics.
pub(crate) struct Stage {
    pub(crate) lines: Vec<Line>,
    pub(crate) posted: Vec<Posted>,
    pub(crate) sync: Option<Sync>,
    /// Seconds by which light is seen ahead of the sound.
    pub(crate) lead: f64,
}

impl Stage {
    /// Plays until `stop`, which is looked at with each picture.
    pub(crate) fn run(&mut self, clock: &mut dyn Clock, paint: &mut dyn Paint, stop: &AtomicBool) {
        let mut news = false;
        while !stop.load(Ordering::Acquire) {
            self.turn(clock, news, paint);
            let dues = self.lines.iter().map(Line::due);
            let due = dues.chain(self.posted.iter().map(Posted::due)).min();
            let latest = clock.now() + AT_LEAST;
            news = clock.wait(due.map_or(latest, |due| due.min(latest)));
        }
    }

    fn turn(&mut self, clock: &dyn Clock, news: bool, paint: &mut dyn Paint) {
        for line in &mut self.lines {
            line.turn(clock, news, self.lead, paint);
        }
        for posted in &mut self.posted {
            posted.turn(clock, news, self.lead, paint);
        }
        if news && let Some(sync) = &mut self.sync {
            sync.turn(clock);
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for line in &mut self.lines {
            line.end();
        }
        if let Some(sync) = &mut self.sync {
            sync.end();
        }
    }
}

#[cfg(test)]
mod tests;
