//! The orchestrator: sessions of MCP servers, each in a sandbox of its own.
//!
//! `sandbox` says what a sandbox is and what it promises; the places that make one stand below it.
//! Everything that a server in a sandbox says is data from outside.

pub mod egress;
pub mod engine;
pub mod first;
pub mod kernel;
pub mod sandbox;
pub mod worker;
