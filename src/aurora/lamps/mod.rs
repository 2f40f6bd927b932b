//! Lamps: how light leaves Hearth.
//!
//! One thread paints every lamp for the moment at which its light will be seen, and sends the picture at
//! once. It is handed somebody who paints ([`Paint`]) and knows neither effects nor sound. `config` says
//! which lamps there are, `plan` makes outputs of them, `encode` (pure) packets of pictures, `pace`
//! (pure) says when, `wire` has the sockets, `run` is the thread's loop. `mail` has what every slow output
//! shares: a slot that the show thread writes without waiting, and the decision when to send; `house`,
//! `zigbee` and `hue` are the outputs that are no plain UDP.

mod ack;
mod before;
mod bell;
mod colour;
mod config;
mod counters;
mod diagnose;
mod encode;
mod find;
pub mod house;
pub mod hue;
mod latency;
mod line;
pub mod mail;
mod outlet;
mod pace;
mod paint;
mod plan;
mod play;
mod post;
mod run;
pub mod tap;
mod wire;
mod wled;
pub mod zigbee;

pub use bell::{Bell, Clock};
pub use config::{Config, Kind, LAMPS_MAX, LATENCY_MAX, Lamp, PIXELS_MAX};
pub use counters::{Counters, Counts, Sent};
pub use diagnose::{Case, Finding, diagnose};
pub use encode::To;
pub use encode::sync::Levels;
pub use find::{Found, HUE, WLED, find};
pub use latency::{Measured, Row, Source, Table};
pub use paint::{Hear, Paint, Post};
pub use play::{LampReport, Lamps, Playing, Show};
pub use wire::Wire;
pub use wled::{Info, info};
