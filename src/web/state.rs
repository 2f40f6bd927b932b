//! `/api/web/…`: what the shell of the page shows: services, who is logged in, log and audit.

use crate::error::Error;
use crate::events::Audit;
use crate::http::{Json, State};
use crate::policy::Level;
use crate::web::health::Service;
use crate::web::{Line, MaybeCaller, Web, required};
use serde::Serialize;
use std::sync::Arc;

/// What the page shows around every page.
#[derive(Serialize)]
pub(super) struct Answer {
    version: &'static str,
    demo: bool,
    started: f64,
    healthy: bool,
    ready: bool,
    who: Who,
    /// The command that a client on this machine runs; for admins, since it names a folder.
    command: Option<String>,
    services: Vec<Service>,
    pages: Vec<Listed>,
}

#[derive(Serialize)]
struct Who {
    name: Arc<str>,
    via: &'static str,
    level: Level,
}

#[derive(Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
    summary: Option<String>,
}

/// Answers `/api/web/state`.
pub(super) async fn state(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Json<Answer>, Error> {
    let caller = required(caller)?;
    let parts = &web.parts;
    let seen = parts.pages.iter().filter(|page| caller.grant.covers(page.name, Level::Read));
    let pages = seen.map(|page| Listed {
        name: page.name,
        title: page.title,
        summary: page.summary.as_ref().map(|summary| summary(&caller)),
    });
    let is_admin = caller.grant.covers("web", Level::Admin);
    let command = is_admin.then(|| command(&parts.local));
    Ok(Json(Answer {
        command,
        version: env!("CARGO_PKG_VERSION"),
        demo: parts.demo,
        started: web.started,
        healthy: parts.tasks.is_healthy(),
        ready: parts.tasks.is_ready(),
        pages: pages.collect(),
        services: parts.tasks.health().iter().map(Service::of).collect(),
        who: Who { name: caller.name, via: caller.via.word(), level: caller.grant.level },
    }))
}

/// `hearth` with these arguments, as a shell reads it.
fn command(args: &[String]) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:".contains(c);
    let quoted = |arg: &String| match !arg.is_empty() && arg.chars().all(is_plain) {
        true => arg.clone(),
        false => format!("'{}'", arg.replace('\'', r"'\''")),
    };
    let words: Vec<String> = args.iter().map(quoted).collect();
    format!("hearth {}", words.join(" "))
}

/// Answers `/api/web/logs`; for admins, since it tells of everybody and everything.
pub(super) async fn logs(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Json<Vec<Line>>, Error> {
    web.parts.policy.check(&required(caller)?, "web", Level::Admin)?;
    Ok(Json((web.parts.log)()))
}

/// Answers `/api/web/audit`: everything for admins, their own actions for others.
pub(super) async fn audit(
    State(web): State<Arc<Web>>,
    caller: MaybeCaller,
) -> Result<Json<Vec<Audit>>, Error> {
    let caller = required(caller)?;
    web.parts.policy.check(&caller, "web", Level::Read)?;
    let mut entries = web.parts.policy.audit();
    if !caller.grant.covers("web", Level::Admin) {
        entries.retain(|entry| *entry.who == *caller.name);
    }
    Ok(Json(entries))
}
