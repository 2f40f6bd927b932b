//! The tools with which an assistant looks at a broker, one family to a file.

mod record;
mod topics;

use crate::mcp::Tool;
use crate::mqtt::Mqtt;

/// Returns the tools.
pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let mut all = topics::tools(mqtt);
    all.extend(record::tools(mqtt));
    all
}
