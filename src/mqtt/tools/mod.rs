//! The tools with which an assistant looks at a broker, one family to a file.

mod answer;
mod broker;
mod collect;
mod device;
mod devices;
mod history;
mod performance;
mod publish;
mod record;
mod replay;
mod retained;
mod schema;
mod sessions;
mod silent;
mod topics;
mod tree;
mod watch;

use crate::mcp::Tool;
use crate::mqtt::Mqtt;

/// Returns the tools.
pub(super) fn tools(mqtt: &Mqtt) -> Vec<Tool> {
    let mut tools = topics::tools(mqtt);
    tools.extend(history::tools(mqtt));
    for more in [collect::tools, schema::tools, device::tools, performance::tools] {
        tools.extend(more(mqtt));
    }
    tools.extend(silent::tools(mqtt));
    tools.extend(watch::tools(mqtt));
    tools.extend(sessions::tools(mqtt));
    tools.extend(publish::tools(mqtt));
    tools.extend(broker::tools(mqtt));
    tools.extend(devices::tools(mqtt));
    tools.extend(retained::tools(mqtt));
    tools.extend(record::tools(mqtt));
    tools.extend(replay::tools(mqtt));
    tools
}

/// Returns a text of others for one line: at most 300 characters, nothing hidden in it.
fn short(text: &str) -> String {
    clean(text, 300)
}

/// Returns `text` with at most `most` characters; what has no shape of its own is written out.
fn clean(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for (count, c) in text.chars().enumerate() {
        if count == most {
            out.push('…');
            break;
        }
        match c {
            '"' | '\'' | '\\' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}
