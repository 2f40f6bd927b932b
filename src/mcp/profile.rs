//! Which part of the toolbox an address shows.

use crate::mcp::Tool;
use std::sync::Arc;

/// Most tools in the default profile.
pub const MOST_TOOLS: usize = 40;
/// Most bytes of the default profile's `tools/list`.
pub const MOST_BYTES: usize = 40 << 10;

/// Which part of the toolbox an address shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// What most homes need most days; the rest is reached by find and call.
    #[default]
    Default,
    /// Everything of one service and nothing else.
    Service(Arc<str>),
}

impl Profile {
    /// Whether the tool is in this profile's list.
    pub fn lists(&self, tool: &Tool) -> bool {
        match self {
            Profile::Default => tool.in_profile,
            Profile::Service(service) => tool.service() == &**service,
        }
    }

    /// Whether a client of this profile may name the tool. The default profile reaches all.
    pub fn reaches(&self, service: &str) -> bool {
        match self {
            Profile::Default => true,
            Profile::Service(own) => service == &**own,
        }
    }
}
