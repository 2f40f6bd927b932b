//! What the program shows of MQTT beside its tools: its page, its numbers, and places in its streams.

use crate::mqtt::session::{Session, State};
use crate::mqtt::{Mqtt, broker};
use crate::policy::{Caller, Level};
use crate::web;
use std::sync::Arc;

impl Mqtt {
    /// Returns the place of a message as a reader may keep it: `<run>-<number>`. Numbers begin anew
    /// with each start of the program.
    pub(crate) fn place(&self, number: u64) -> String {
        format!("{}-{number}", self.shared.run)
    }

    /// Returns the number of a place of this run.
    pub(crate) fn number(&self, place: &str) -> Option<u64> {
        place.strip_prefix(&*self.shared.run)?.strip_prefix('-')?.parse().ok()
    }
}

/// Returns the page.
pub fn page(mqtt: &Mqtt) -> web::Page {
    let own = mqtt.clone();
    let summary = move |caller: &Caller| sentence(&own, caller);
    let summary: web::Summary = Arc::new(summary);
    web::Page { name: "mqtt", title: "MQTT", events: &[], summary: Some(summary), check: None }
}

/// The home's broker in one sentence.
fn sentence(mqtt: &Mqtt, caller: &Caller) -> String {
    if !mqtt.config().is_configured() {
        return "no broker is configured".into();
    }
    // Who may not look is told so by the page; a count of topics would say something already.
    let session = match mqtt.session(caller, None) {
        Ok(session) if mqtt.policy().may(caller, "mqtt", Level::Read) => session,
        _ => return "not for this token".into(),
    };
    match session.state() {
        State::Connecting => format!("connecting to {}", session.target.address),
        State::Connected => {
            let topics = session.inbox().topics().len();
            let (rate, _) = mqtt.series().rate(&session.id, 10);
            format!("{topics} topics, {rate:.0} messages a second")
        }
        State::Away(_) => format!("{} cannot be reached", session.target.address),
    }
}

/// Returns what `/metrics` shows of the home's broker.
pub fn gather(mqtt: &Mqtt) -> web::Gather {
    let mqtt = mqtt.clone();
    Arc::new(move |meter| {
        // Others have names made up at random, which no chart could follow.
        if let Some(home) = &mqtt.shared.home {
            measure(home, meter);
        }
        if let Some(broker) = mqtt.broker() {
            broker::measure(broker, meter);
        }
        let open = u32::try_from(mqtt.shared.sessions.count()).map_or(f64::MAX, f64::from);
        meter.gauge("hearth_mqtt_sessions", "Sessions that tools opened", &[], open);
    })
}

fn measure(session: &Session, meter: &mut web::Meter) {
    let labels = [("session", &*session.id)];
    let connected = f64::from(u8::from(session.state() == State::Connected));
    meter.gauge("hearth_mqtt_connected", "Whether the broker is connected", &labels, connected);
    let (totals, topics, kept) = {
        let inbox = session.inbox();
        (inbox.totals(), inbox.topics().len(), inbox.ring().iter().len())
    };
    let count = |n: usize| u32::try_from(n).map_or(f64::MAX, f64::from);
    meter.gauge("hearth_mqtt_topics", "Topics that were seen", &labels, count(topics));
    meter.gauge("hearth_mqtt_messages_kept", "Messages that are kept", &labels, count(kept));
    for (name, help, value) in [
        ("hearth_mqtt_messages", "Messages that arrived", totals.messages),
        ("hearth_mqtt_payload_bytes", "Bytes of payload that arrived", totals.bytes),
        (
            "hearth_mqtt_too_large",
            "Messages whose payload was skipped for its size",
            totals.too_large,
        ),
        (
            "hearth_mqtt_unindexed",
            "Messages whose topic found no place in the index",
            totals.unindexed,
        ),
        ("hearth_mqtt_dropped", "Messages that were dropped for newer ones", totals.dropped),
    ] {
        meter.counter(name, help, &labels, value);
    }
}
