//! The integration tests: one binary, one module per service.

mod demo;
mod home;
mod http;
mod mcp;
mod store;
mod web;
