//! Tests of home: on a real Home Assistant, and on a scripted one for what a real one never does.
//!
//! `HEARTH_TEST_HA` names the file with `HA_URL` and `HA_TOKEN` of the real one; `./scripts/test`
//! sets it. Every test puts back what it changed.

mod bad_days;
pub mod bench;
mod calls;
mod fake;
pub mod furniture;
mod gate;
mod hidden;
mod itself;
mod kept;
mod killed;
mod lists;
mod looks;
mod own;
mod past;
mod peer;
mod people;
pub mod proxy;
pub mod raw;
mod refs;
mod rename;
mod restart;
pub mod rig;
mod runs;
mod scopes;
mod seed;
mod settings;
mod shelf;
mod stories;
mod tls;
mod waits;
mod ways;
mod web;
