//! Tests of home: on a real Home Assistant, and on a scripted one for what a real one never does.
//!
//! `HEARTH_TEST_HA` names the file with `HA_URL` and `HA_TOKEN` of the real one; `./scripts/test`
//! sets it. Every test puts back what it changed.

mod bad_days;
pub mod bench;
mod calls;
mod fake;
mod looks;
mod own;
mod people;
mod proxy;
pub mod raw;
mod restart;
pub mod rig;
mod scopes;
mod seed;
mod shelf;
mod tls;
mod waits;
mod web;
