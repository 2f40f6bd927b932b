//! What the broker says of itself, under `$SYS/broker/`: retained, told anew when it changed.

use crate::mqtt::broker::core::Core;
use crate::mqtt::broker::core::message::Message;
use crate::mqtt::message::Qos;
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(10);

/// What was told, and when.
pub(super) struct Status {
    began: Instant,
    due: Instant,
    swept: Instant,
    told: Vec<String>,
}

impl Status {
    pub(super) fn new(now: Instant) -> Status {
        Status { began: now, due: now, swept: now, told: Vec::new() }
    }

    /// Whether `every` has passed since the last time that it had.
    pub(super) fn sweeps(&mut self, now: Instant, every: Duration) -> bool {
        let is_due = now.duration_since(self.swept) >= every;
        if is_due {
            self.swept = now;
        }
        is_due
    }
}

impl Core {
    /// Tells what changed, when it is time; returns when the next time is.
    pub(super) fn tell_status(&mut self, now: Instant) -> Instant {
        if now < self.status.due {
            return self.status.due;
        }
        self.status.due = now + PERIOD;
        let (counts, sizes) = (self.counts, self.sizes());
        let uptime = now.duration_since(self.status.began).as_secs();
        let rows: [(&str, String); 12] = [
            ("version", format!("hearth version {}", env!("CARGO_PKG_VERSION"))),
            ("uptime", format!("{uptime} seconds")),
            ("clients/connected", sizes.clients.to_string()),
            ("clients/total", sizes.sessions.to_string()),
            ("subscriptions/count", sizes.subscriptions.to_string()),
            ("retained messages/count", sizes.retained.to_string()),
            ("messages/received", counts.received.to_string()),
            ("messages/sent", counts.sent.to_string()),
            ("messages/stored", sizes.waiting.to_string()),
            ("publish/messages/dropped", (counts.dropped_slow + counts.dropped_full).to_string()),
            ("publish/messages/refused", counts.refused.to_string()),
            ("clients/cut off", counts.cut_off.to_string()),
        ];
        self.status.told.resize(rows.len(), String::new());
        for (n, (name, value)) in rows.into_iter().enumerate() {
            if self.status.told[n] == value {
                continue;
            }
            let message = Message {
                topic: format!("$SYS/broker/{name}").into(),
                payload: value.as_bytes().into(),
                kept: Box::default(),
                qos: Qos::AtMostOnce,
                retain: true,
                expires: None,
                from: 0,
            };
            self.status.told[n] = value;
            self.route(message, now);
        }
        self.status.due
    }
}
