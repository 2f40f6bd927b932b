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

/// Where something stands that has other names than our own: it belongs to `service`, whose scopes
/// count, and is listed only at `/mcp/<profile>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The service that it belongs to.
    pub service: &'static str,
    /// The only profile that lists it.
    pub profile: &'static str,
}

impl Profile {
    /// Whether the tool is in this profile's list.
    pub fn lists(&self, tool: &Tool) -> bool {
        match self {
            Profile::Default => tool.in_profile && tool.place.is_none(),
            Profile::Service(_) => self.reaches_tool(tool),
        }
    }

    /// Whether a client of this profile may name the tool.
    pub(crate) fn reaches_tool(&self, tool: &Tool) -> bool {
        let also = tool.also.is_some_and(|also| self.reaches(also));
        also || self.reaches(tool.profile())
    }

    /// Whether a client of this profile may name what stands in `profile`. The default profile
    /// reaches all.
    pub fn reaches(&self, profile: &str) -> bool {
        match self {
            Profile::Default => true,
            Profile::Service(own) => profile == &**own,
        }
    }
}
