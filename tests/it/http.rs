//! Tests of http: raw sockets against a real listener, because the faults are in the bytes.

mod asking;
mod control;
mod door;
mod house;
mod limits;
mod mdns;
mod memory;
mod public;
mod raw;
mod refusals;
mod room;
