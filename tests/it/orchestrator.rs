//! Tests of the orchestrator: sessions on every store, their ends, and servers that speak MCP.

mod keeper;
mod killed;
mod nodes;
mod rig;
mod serve;
mod wrong;
