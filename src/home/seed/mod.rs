//! The names that an earlier Home Assistant MCP server used, for prompts that people have saved.
//!
//! Switched on by `home.seed_names` and listed only at `/mcp/seed`: its tools, its `ha://` resources
//! and its prompts. Each does what the tool of our own does that it stands for, under the same scopes
//! and checks; nothing here talks to a house by itself. Names and arguments follow the original
//! (document 000), answers are ours.

mod config;
mod control;
mod prompts;
mod shelf;
mod tools;

pub use prompts::prompts;
pub use shelf::resources;
pub(super) use tools::tools;

use crate::mcp::Place;

/// They belong to `home` and have a profile of their own.
const PLACE: Place = Place { service: "home", profile: "seed" };
