//! MCP over pipes.
