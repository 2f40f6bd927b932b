//! Tests of Aurora's outputs, each against its real counterpart.

mod bulbs;
mod device;
mod house;
mod lamps;
mod paint;
mod stall;
mod studio;
mod zigbee;
