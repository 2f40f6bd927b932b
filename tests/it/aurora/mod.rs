//! Tests of Aurora's outputs, each against its real counterpart.

mod bridge;
mod bulbs;
mod device;
mod house;
mod hue;
mod lamps;
mod paint;
mod stall;
mod studio;
mod zigbee;
