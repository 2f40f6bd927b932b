//! Hearth: one static binary that turns a home server into the home's AI and light hub.
//!
//! This file is the table of contents. The groups below are in order: **a module may use only
//! modules from groups above its own**. `tests/it/layers.rs` checks it.

pub mod error;

pub mod config;
pub mod events;
pub mod journal;
mod text;

pub mod tasks;

pub mod store;

pub mod policy;

pub mod http;

pub mod mcp;
pub mod web;

pub mod home;
pub mod mqtt;
pub mod talk;

pub mod devices;

pub mod aurora;
pub mod demo;
pub mod orchestrator;
pub mod plugins;

pub mod app;
