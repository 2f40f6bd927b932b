//! The demo house: a small house that lives, speaking Home Assistant's protocol on loopback, and its
//! devices MQTT through a broker of its own.
//!
//! `home` and `mqtt` connect to it exactly as to real ones, so the demo runs the real paths;
//! nobody it feeds imports it. The house is a pure model ([`house`], [`life`], [`action`]) behind
//! one edge ([`server`]). It listens on 127.0.0.1 only, asks for a token made at its start, keeps
//! nothing on disk, and never reaches out. Tests on it never stand in for tests on Home Assistant.

mod action;
mod attr;
mod birth;
mod colour;
mod command;
mod dice;
mod entity;
mod house;
mod life;
mod mqtt;
mod plan;
mod registry;
mod rest;
mod server;
mod session;
mod strip;
mod sun;
mod template;
mod time;
mod wire;

use crate::config::{Env, Form, JsonSchema, Range, Secret};
use crate::error::Error;
use crate::mqtt::{Broker, Embedded};
use crate::tasks::{Tasks, Whose};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;

/// Settings of the demo house.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// So many more entities, for measuring how a large house does. At most 20,000.
    pub extra: usize,
    /// What chance starts from: houses of equal seeds live equal lives.
    pub seed: u64,
    /// Port of the demo's MQTT broker on 127.0.0.1; 0 takes a free one.
    pub mqtt_port: u16,
}

impl Default for Config {
    fn default() -> Config {
        Config { extra: 0, seed: 1, mqtt_port: 0 }
    }
}

/// Environment variables of the demo house.
pub const ENV: &[Env] = &[Env::new("HEARTH_DEMO_EXTRA", "demo.extra", Form::Number(0, 20_000))];

/// The numbers that make sense.
pub const RANGES: &[Range] =
    &[Range::new("demo.extra", 0, 20_000), Range::new("demo.mqtt_port", 0, 65_535)];

/// A running demo house: what one needs to connect to it as to a Home Assistant and a broker.
#[derive(Clone, Debug)]
pub struct DemoHouse {
    /// Its address, for example `http://127.0.0.1:40123`.
    pub url: String,
    /// Its access token, made anew at each start.
    pub token: Secret,
    /// The broker of its devices.
    pub broker: Broker,
    /// Where its strip of lights takes pictures as DDP.
    pub strip: SocketAddr,
    /// Lights of it that follow music well, by entity id and name.
    pub lights: &'static [(&'static str, &'static str)],
}

/// Lights in several rooms, coloured ones and plain ones.
const LIGHTS: &[(&str, &str)] = &[
    ("light.floor_lamp", "Floor lamp"),
    ("light.bedside_lamp", "Bedside lamp"),
    ("light.living_room_ceiling", "Ceiling light"),
    ("light.kitchen_counter", "Kitchen counter"),
];

/// Starts the demo house on free loopback ports; it runs until `tasks` ends.
///
/// # Errors
/// Broken when loopback gives no port, or not the one that is wanted for MQTT, or the system gives no randomness.
pub async fn start(config: &Config, tasks: &Tasks) -> Result<DemoHouse, Error> {
    let (listener, address) = server::listen().await?;
    let token = token()?;
    let house = house::House::new(config.seed, server::unix_now(), config.extra);
    let shared = Arc::new(server::Shared::new(house, token.clone()));
    let listener = Arc::new(listener);
    let embedded = Embedded { enabled: true, port: config.mqtt_port, ..Embedded::default() };
    let broker = Broker::start(&embedded, tasks)?;
    let (voices, living) = (broker.clone(), shared.clone());
    let speaking = tasks.status("demo_mqtt", Whose::Own);
    tasks.spawn("demo_mqtt", move |stop| {
        speaking.up();
        mqtt::run(voices.clone(), living.clone(), stop)
    });
    let status = tasks.status("demo", Whose::Own);
    let runner = tasks.clone();
    tasks.spawn("demo", move |stop| {
        status.up();
        server::run(listener.clone(), shared.clone(), runner.clone(), stop)
    });
    let (socket, strip) = strip::open().await?;
    tasks.status("demo_strip", Whose::Own).up();
    tasks.spawn("demo_strip", move |stop| strip::run(socket.clone(), stop));
    let url = format!("http://{address}");
    Ok(DemoHouse { url, token: Secret::new(token), broker, strip, lights: LIGHTS })
}

fn token() -> Result<String, Error> {
    let mut bytes = [0u8; 20];
    let bad = |e| Error::broken("the system gives no randomness for the demo token").because(e);
    getrandom::fill(&mut bytes).map_err(bad)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
