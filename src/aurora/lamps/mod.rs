//! Outputs: how light leaves Hearth.
//!
//! `mail` has what every slow output shares: a slot that the show thread writes without waiting, and
//! the decision when to send. `house`, `zigbee` and `hue` are the outputs that are no plain UDP.

mod clock;
pub mod house;
pub mod hue;
pub mod mail;
pub mod zigbee;
