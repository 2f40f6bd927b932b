//! Home Assistant: the houses that Hearth controls.

mod config;
mod confirm;
mod entities;
mod expect;
mod feed;
mod find;
mod house;
mod select;
mod text;
mod view;

pub use config::{Config, ENV, HouseConfig};
pub use feed::dial::{Reach, Resolve};
