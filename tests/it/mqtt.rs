//! Tests of MQTT, against Debian's mosquitto and its clients.

mod mosquitto;
mod reader;
mod web;
