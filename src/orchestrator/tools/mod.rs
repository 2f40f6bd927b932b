//! The tools of the orchestrator, as assistants see them.

mod call;
mod sessions;

use crate::mcp::Tool;
use crate::orchestrator::Orchestrator;

/// Returns all of them.
pub(super) fn tools(orchestrator: &Orchestrator) -> Vec<Tool> {
    let mut all = sessions::tools(orchestrator);
    all.extend(call::tools(orchestrator));
    // The default profile is small; who orchestrates connects to /mcp/orchestrator.
    all.into_iter().map(Tool::on_demand).collect()
}
