//! The integration tests: one binary, one module per service.

#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics"
)]

mod app;
mod assistant;
mod audio;
mod aurora;
mod demo;
mod dependencies;
mod docs;
mod engine;
mod first_day;
mod harness;
mod home;
mod http;
mod journeys;
mod layers;
mod listen;
mod mcp;
mod mqtt;
mod orchestrator;
mod plugins;
mod sandbox;
mod show;
mod store;
mod talk;
mod timeline;
mod web;
mod worker;
