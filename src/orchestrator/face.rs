//! What the orchestrator shows of itself elsewhere: its tools, its line on the overview, `/metrics`.

use crate::mcp::Toolbox;
use crate::orchestrator::{Orchestrator, tools};
use crate::policy::{Caller, Level};
use crate::web;
use std::sync::Arc;

/// Hands in the tools.
pub fn offer(orchestrator: &Orchestrator, toolbox: &Toolbox) {
    toolbox.add_tools(tools::tools(orchestrator));
}

/// Returns the page.
pub fn page(orchestrator: &Orchestrator) -> web::Page {
    let own = orchestrator.clone();
    let summary: web::Summary = Arc::new(move |caller: &Caller| sentence(&own, caller));
    web::Page {
        name: "orchestrator",
        title: "Sandboxes",
        events: &[],
        summary: Some(summary),
        check: None,
    }
}

fn sentence(own: &Orchestrator, caller: &Caller) -> String {
    if !own.policy().may(caller, "orchestrator", Level::Read) {
        return "not for this token".into();
    }
    let slots = own.shared.slots();
    let sessions = slots.keys().filter(|key| key.token == caller.token).count();
    match sessions {
        0 => "no sessions".into(),
        1 => "1 session".into(),
        n => format!("{n} sessions"),
    }
}

/// Returns what `/metrics` shows.
pub fn gather(orchestrator: &Orchestrator) -> web::Gather {
    let own = orchestrator.clone();
    Arc::new(move |meter| {
        let shared = &own.shared;
        let count = |n: usize| u32::try_from(n).map_or(f64::MAX, f64::from);
        let (all, running) = {
            let slots = shared.slots();
            let open = slots.values().filter(|slot| slot.open_one().is_some()).count();
            (slots.len(), open)
        };
        let about = "Sessions of MCP servers that this node holds";
        meter.gauge("hearth_orchestrator_sessions", about, &[], count(all));
        let about = "Sandboxes of sessions that run";
        meter.gauge("hearth_orchestrator_sandboxes", about, &[], count(running));
        let about = "Sandboxes that stand ready";
        meter.gauge("hearth_orchestrator_ready", about, &[], count(shared.pool.len()));
        let about = "Memory that is promised to sandboxes, in bytes";
        let promised = shared.memory.promised() as f64;
        meter.gauge("hearth_orchestrator_promised_bytes", about, &[], promised);
    })
}
