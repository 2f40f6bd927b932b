//! What the tools that read more than states are called, and what each call of them needs.

use crate::home::Home;
use crate::home::tools::{Words, history, tool};
use crate::mcp::Tool;
use crate::policy::Level;
use std::time::Duration;

/// The recorder may take so much longer than an answer of Home Assistant: its turn, and the reading.
const TURNS: u64 = 20;

/// Returns the tools.
pub(super) fn tools(home: &Home) -> Vec<Tool> {
    let history = Words {
        name: "home_history",
        title: "Look back",
        about: "States over time, long-term statistics, energy, logbook; even buckets.",
    };
    let patience = Duration::from_secs(home.config().timeout_seconds + TURNS);
    vec![
        tool::<_, history::Past, _, _>(home, history, Level::Read, history::history)
            .within(patience * 2),
    ]
}
