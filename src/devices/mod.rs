//! The devices of a house from both sides: what is on the broker, and what Home Assistant made of it.
//!
//! `join` finds which device of the broker is which of Home Assistant's (pure), `calls` remembers the
//! services that were called lately, `trace` follows one from the call to the message to the state
//! (pure), `tools` offers both. It asks `home` and `mqtt`, keeps nothing but the calls, and changes
//! nothing.

mod calls;
mod join;
mod tools;
mod trace;

use crate::home::Home;
use crate::mcp::Toolbox;
use crate::mqtt::Mqtt;
use crate::tasks::Tasks;
use calls::Calls;

/// The service. Cloning it is cheap.
#[derive(Clone)]
pub struct Devices {
    home: Home,
    mqtt: Mqtt,
    calls: Calls,
}

impl Devices {
    /// Starts listening to the services that are called in the first house.
    pub fn start(home: &Home, mqtt: &Mqtt, tasks: &Tasks) -> Devices {
        let calls = Calls::default();
        calls::listen(home, &calls, tasks);
        Devices { home: home.clone(), mqtt: mqtt.clone(), calls }
    }
}

/// Hands in the tools.
pub fn offer(devices: &Devices, toolbox: &Toolbox) {
    toolbox.add_tools(tools::tools(devices));
}
