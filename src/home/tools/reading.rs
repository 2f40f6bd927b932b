//! What the tools that read more than states are called, and what each call of them needs.

use crate::home::Home;
use crate::home::tools::{calendar, camera, history, logs, system, todo, tool, trace};
use crate::mcp::{Tool, Words};
use crate::policy::Level;
use serde_json::{Map, Value};
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
    let trace = Words {
        name: "home_trace",
        title: "Trace a run",
        about: "Runs of automations and scripts; one run step by step with results and errors.",
    };
    let logs = Words {
        name: "home_logs",
        title: "Read the log",
        about: "Warnings and errors of Home Assistant, newest first.",
    };
    let system = Words {
        name: "home_system",
        title: "Home Assistant itself",
        about: "Health, repairs, updates, notifications; check the configuration; reload; restart.",
    };
    let todo = Words {
        name: "home_todo",
        title: "To-do lists",
        about: "Lists and their items; add, update, remove.",
    };
    let calendar = Words {
        name: "home_calendar",
        title: "Calendars",
        about: "Events in a span; create, update, delete.",
    };
    let patience = Duration::from_secs(home.config().timeout_seconds + TURNS);
    vec![
        tool::<_, history::Past, _, _>(home, history, Level::Read, history::history)
            .within(patience * 2),
        tool::<_, trace::Traced, _, _>(home, trace, Level::Read, trace::trace)
            .within(patience)
            .for_whole_house(),
        tool::<_, logs::Logged, _, _>(home, logs, Level::Read, logs::logs)
            .within(patience)
            .for_whole_house(),
        tool::<_, system::About, _, _>(home, system, Level::Read, system::system)
            .destructive()
            .acting(system::level)
            .within(patience),
        tool::<_, todo::Listed, _, _>(home, todo, Level::Read, todo::todo)
            .destructive()
            .acting(action)
            .within(patience),
        tool::<_, calendar::Events, _, _>(home, calendar, Level::Read, calendar::calendar)
            .destructive()
            .acting(action)
            .within(patience),
        camera::tool(home).within(patience),
    ]
}

/// To list is to read; every other action changes something.
fn action(args: &Map<String, Value>) -> Level {
    match args.get("action").and_then(Value::as_str).map(str::trim) {
        None | Some("" | "list") => Level::Read,
        Some(_) => Level::Control,
    }
}
