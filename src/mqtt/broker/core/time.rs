//! What happens because time passes: silent clients, wills that waited, sessions that end.

use crate::mqtt::broker::core::Core;
use crate::mqtt::broker::wire::{Fault, code};
use std::time::{Duration, Instant};

/// How often retained messages that ran out are swept away.
const SWEEP: Duration = Duration::from_secs(60);

impl Core {
    /// Does what is due and returns when the next thing is.
    pub(in crate::mqtt::broker) fn tick(&mut self, now: Instant) -> Instant {
        let mut keys: Vec<u32> = self.sessions.keys().copied().collect();
        keys.sort_unstable();
        for key in keys {
            self.tick_one(key, now);
        }
        self.end_overflowed(now);
        if self.status.sweeps(now, SWEEP) {
            self.retained.sweep(now);
        }
        let next = self.tell_status(now);
        let dues = self.sessions.values().flat_map(|session| {
            let silent = session.link.as_ref().and_then(|link| Some(link.heard + link.patience?));
            [silent, session.will_due, session.ends].into_iter().flatten()
        });
        dues.fold(next, Instant::min).max(now)
    }

    fn tick_one(&mut self, key: u32, now: Instant) {
        let Some(session) = self.sessions.get(&key) else { return };
        if let Some(link) = &session.link {
            if link.patience.is_some_and(|patience| link.heard + patience <= now) {
                let why = "nothing was heard for one and a half of the keep alive";
                self.end(key, Fault::new(code::KEEP_ALIVE, why), now);
            }
            return;
        }
        if session.ends.is_some_and(|ends| ends <= now) {
            return self.drop_session(key, now);
        }
        if session.will_due.is_some_and(|due| due <= now) {
            self.publish_will(key, now);
        }
    }
}
