//! Tests of MQTT, against Debian's mosquitto and its clients, a broker of another make, and a scripted
//! one for what no real broker does.

mod broker;
mod devices;
mod fake;
mod faults;
mod flood;
mod inbox;
mod link;
pub mod mosquitto;
mod publish;
mod quiet;
mod reader;
mod records;
mod rig;
mod sessions;
mod shelf;
mod tls;
mod web;
