//! The integration tests: one binary, one module per service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on panics"
)]

mod demo;
mod dependencies;
mod harness;
mod home;
mod http;
mod layers;
mod mcp;
mod store;
mod web;
