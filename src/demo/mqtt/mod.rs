//! The devices of the demo house on its broker: what they say, what can be said to them, who is there.
//!
//! Small sensors, lamps and plugs hang on a gateway that speaks as zigbee2mqtt does; the larger devices
//! speak for themselves below `demo/`. Both announce themselves by Home Assistant's discovery. `topics`,
//! `state`, `announce` and `command` are pure; only this file touches the broker and the house.

mod announce;
mod command;
mod expose;
mod state;
mod topics;

#[cfg(test)]
mod tests;

use crate::demo::house::Happening;
use crate::demo::plan::DEVICES;
use crate::demo::server::Shared;
use crate::error::Error;
use crate::mqtt::{Broker, Heard, Local};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use topics::{GATEWAY, Speaker};

/// Who speaks on the broker.
struct Voices {
    gateway: Local,
    /// The devices that speak for themselves, each with its own connection and its own last will.
    own: Vec<(&'static str, Local)>,
    /// Hears what is said to those.
    ear: Local,
}

/// Lets the devices speak until the end.
pub(crate) async fn run(
    broker: Broker,
    shared: Arc<Shared>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut voices = Voices::join(&broker)?;
    let mut told = shared.told();
    voices.announce();
    voices.say_all(&shared);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            happening = told.recv() => match happening {
                Ok(happening) => if let Happening::Changed { new, .. } = &*happening {
                    voices.say_of(&new.id, &shared);
                },
                // What was missed is in what the devices are now.
                Err(RecvError::Lagged(_)) => voices.say_all(&shared),
                Err(RecvError::Closed) => return Ok(()),
            },
            heard = voices.gateway.next() => obey(&shared, heard)?,
            heard = voices.ear.next() => obey(&shared, heard)?,
        }
    }
}

/// Does what a message asks for.
fn obey(shared: &Shared, heard: Option<Heard>) -> Result<(), Error> {
    let heard = heard.ok_or_else(|| Error::offline("the demo's broker has ended"))?;
    for call in command::calls(&heard.topic, &heard.payload) {
        let done = shared.with(|house| {
            let by = house.own_context();
            house.call(&call, by)
        });
        if let Err(refusal) = done {
            log::debug!("demo: a device does not do what it was sent: {}", refusal.message);
        }
    }
    Ok(())
}

impl Voices {
    fn join(broker: &Broker) -> Result<Voices, Error> {
        let (topic, payload) = topics::gateway_presence(false);
        let gateway = broker.join(GATEWAY, Some((topic, payload)))?;
        gateway.subscribe(&format!("{GATEWAY}/+/set"));
        let mut own = Vec::new();
        for device in DEVICES.iter().filter(|device| topics::speaker(device) == Speaker::Own) {
            let presence = topics::presence(device);
            let voice =
                broker.join(&format!("demo-{}", device.id), Some((&presence, "offline")))?;
            own.push((device.id, voice));
        }
        let ear = broker.join("demo-commands", None)?;
        ear.subscribe("demo/+/+/set");
        Ok(Voices { gateway, own, ear })
    }

    /// Says who is there and what it can do.
    fn announce(&self) {
        let json = |value: &Value| value.to_string().into_bytes();
        let (topic, payload) = topics::gateway_presence(true);
        self.gateway.publish(topic, payload.as_bytes(), true);
        let (info, devices) = expose::bridge();
        self.gateway.publish("zigbee2mqtt/bridge/info", &json(&info), true);
        self.gateway.publish("zigbee2mqtt/bridge/devices", &json(&devices), true);
        for device in DEVICES {
            let Some(voice) = self.of(device.id) else { continue };
            let presence = match topics::speaker(device) {
                Speaker::Gateway => "{\"state\":\"online\"}",
                _ => "online",
            };
            voice.publish(&topics::presence(device), presence.as_bytes(), true);
            for (topic, config) in announce::configs(device) {
                voice.publish(&topic, &json(&config), true);
            }
        }
    }

    fn of(&self, id: &str) -> Option<&Local> {
        let device = DEVICES.iter().find(|device| device.id == id)?;
        match topics::speaker(device) {
            Speaker::Gateway => Some(&self.gateway),
            Speaker::Own => self.own.iter().find(|(own, _)| *own == id).map(|(_, voice)| voice),
            Speaker::Nobody => None,
        }
    }

    fn say_all(&self, shared: &Shared) {
        for device in DEVICES {
            if let Some(thing) = device.things.first() {
                self.say_of(thing.id, shared);
            }
        }
    }

    /// Says how the device of an entity is.
    fn say_of(&self, entity: &str, shared: &Shared) {
        let has =
            |device: &&crate::demo::plan::Device| device.things.iter().any(|t| t.id == entity);
        let Some(device) = DEVICES.iter().find(has) else { return };
        let Some(voice) = self.of(device.id) else { return };
        let state = shared.with(|house| state::of(device, house));
        voice.publish(&topics::state(device), state.to_string().as_bytes(), true);
    }
}
