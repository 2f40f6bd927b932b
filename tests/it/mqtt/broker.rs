//! Tests of the embedded broker over sockets, with Debian's clients, paho, and bytes no client sends.

mod garbage;
mod pages;
mod peers;
mod raw;
mod slow;
mod whole;

use hearth::events::Events;
use hearth::mqtt::{Broker, Embedded};
use hearth::tasks::Tasks;

/// A broker on a free loopback port, otherwise as it comes.
fn start() -> (Broker, Tasks) {
    start_with(Embedded::default())
}

/// The same with other settings.
fn start_with(settings: Embedded) -> (Broker, Tasks) {
    let tasks = Tasks::new(Events::new());
    let broker = Broker::start(&Embedded { port: 0, ..settings }, &tasks).unwrap();
    (broker, tasks)
}
