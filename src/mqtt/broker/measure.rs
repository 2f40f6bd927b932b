//! What `/metrics` shows of the broker.

use crate::mqtt::broker::Broker;
use crate::web::Meter;

/// Writes what there is and what has happened.
pub(crate) fn measure(broker: &Broker, meter: &mut Meter) {
    let (counts, sizes) = (broker.counts(), broker.sizes());
    let number = |n: usize| u32::try_from(n).map_or(f64::MAX, f64::from);
    for (name, help, value) in [
        ("hearth_broker_clients", "Clients that are connected", sizes.clients),
        ("hearth_broker_sessions", "Sessions, those that wait included", sizes.sessions),
        ("hearth_broker_subscriptions", "Subscriptions", sizes.subscriptions),
        ("hearth_broker_retained", "Retained messages", sizes.retained),
        ("hearth_broker_retained_bytes", "Bytes of retained messages", sizes.retained_bytes),
        ("hearth_broker_waiting", "Messages that wait for their clients", sizes.waiting),
        ("hearth_broker_waiting_bytes", "Bytes that wait for their clients", sizes.waiting_bytes),
    ] {
        meter.gauge(name, help, &[], number(value));
    }
    let dropped = "hearth_broker_dropped";
    let about = "Messages that did not reach a client or the store";
    for (why, value) in [
        ("slow client", counts.dropped_slow),
        ("full queue", counts.dropped_full),
        ("too large for the client", counts.too_large),
        ("not allowed", counts.refused),
        ("no room to retain", counts.unretained),
    ] {
        meter.counter(dropped, about, &[("why", why)], value);
    }
    for (name, help, value) in [
        ("hearth_broker_received", "Messages that clients published", counts.received),
        ("hearth_broker_sent", "Messages that went out to clients", counts.sent),
        ("hearth_broker_cut_off", "Clients sent away for reading too slowly", counts.cut_off),
    ] {
        meter.counter(name, help, &[], value);
    }
}
