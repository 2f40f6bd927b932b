//! Who is calling, and what they may do.
//!
//! Every tool call, page action and control command passes here: tokens become a [`Caller`], a
//! caller has a [`Grant`], and each action is allowed, asked about or denied, and written to the
//! audit log. Knows no HTTP and no MCP: those hand in secrets and actions and get answers.

mod caller;
mod grant;

pub use caller::{Caller, Via};
pub use grant::{EntityFacts, EntityScope, Grant, Level};
