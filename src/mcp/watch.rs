//! Telling a client what changes: resources it asked about, and the lists it was shown.
//!
//! Reads the event bus and the toolbox's changes, one loop for each session or subscription, and
//! sends notices. A client that does not keep up loses events on the bus; it is then told of each
//! resource it asked about, so that it reads them again. Never sends contents.

#![expect(deprecated, reason = "sessions before 2026-07-28 need what the newest protocol drops")]

use crate::events::{Event, Next, Reader, Service};
use crate::mcp::client::{protocol_level, rank};
use crate::mcp::wanted::{MOST, Versions, Wanted};
use crate::mcp::{Changes, Mcp, Profile, lists};
use crate::policy::{Caller, Level};
use rmcp::model::{
    LoggingLevel, LoggingMessageNotificationParam, ResourceUpdatedNotificationParam,
};
use rmcp::service::{SubscriptionContext, SubscriptionSink};
use rmcp::{Peer, RoleServer};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Changes of the resource list are gathered so long before one notice goes out.
const GATHER: Duration = Duration::from_millis(100);

/// Resources whose changes are no events are looked up so often.
const LOOK: Duration = Duration::from_millis(100);

/// Changes of what is the sum of many things are gathered so long.
const GATHER_SUMS: Duration = Duration::from_secs(1);

/// Where notices go.
enum Sink<'a> {
    Session(&'a Peer<RoleServer>),
    Subscription(&'a SubscriptionSink),
}

/// The resources that a client asked about.
enum Uris<'a> {
    Session(&'a Wanted),
    Subscription(BTreeSet<String>),
}

impl Uris<'_> {
    fn contain(&self, uri: &str) -> bool {
        match self {
            Uris::Session(wanted) => wanted.contains(uri),
            Uris::Subscription(uris) => uris.contains(uri),
        }
    }

    fn all(&self) -> BTreeSet<String> {
        match self {
            Uris::Session(wanted) => wanted.uris(),
            Uris::Subscription(uris) => uris.clone(),
        }
    }
}

/// Sums that changed and that the client is not told of yet; never more than it asked about.
#[derive(Default)]
struct Sums {
    uris: BTreeSet<String>,
    due: Option<Instant>,
}

impl Sums {
    fn add(&mut self, uris: Vec<String>) {
        if !uris.is_empty() {
            self.uris.extend(uris);
            self.due.get_or_insert_with(|| Instant::now() + GATHER_SUMS);
        }
    }
}

/// A notice to the client.
enum Notice {
    Updated(String),
    Tools,
    Resources,
    Prompts,
    Log(LoggingLevel, Service),
}

/// One client's view of what changes.
pub(crate) struct Watch {
    mcp: Mcp,
    profile: Profile,
    caller: Caller,
    wanted: Arc<Wanted>,
}

impl Watch {
    pub(crate) fn new(mcp: Mcp, profile: Profile, caller: Caller, wanted: Arc<Wanted>) -> Watch {
        Watch { mcp, profile, caller, wanted }
    }

    /// Tells a session until it ends.
    pub(crate) async fn session(
        &self,
        reader: Reader,
        peer: Peer<RoleServer>,
        ended: CancellationToken,
    ) {
        let (sink, uris) = (Sink::Session(&peer), Uris::Session(&self.wanted));
        let versions = self.wanted.versions();
        tokio::select! {
            () = self.run(reader, sink, uris, &versions) => {}
            () = ended.cancelled() => {}
        }
    }

    /// Tells a subscription until it is cancelled, its token revoked, or the program ends.
    pub(crate) async fn subscription(&self, reader: Reader, context: &SubscriptionContext) {
        let asked = context.accepted().resource_subscriptions.clone().unwrap_or_default();
        let asked: BTreeSet<String> = asked.into_iter().take(MOST).collect();
        let versions = Versions::default();
        for uri in &asked {
            if let Some(version) = self.version(uri) {
                versions.add(uri, version);
            }
        }
        let (sink, uris) = (Sink::Subscription(context.sink()), Uris::Subscription(asked));
        tokio::select! {
            () = self.run(reader, sink, uris, &versions) => {}
            () = context.cancelled() => {}
        }
    }

    /// The version of a resource whose changes are no events.
    fn version(&self, uri: &str) -> Option<u64> {
        lists::version(&self.mcp.toolbox, &self.caller, &self.profile, uri)
    }

    async fn run(&self, mut reader: Reader, sink: Sink<'_>, uris: Uris<'_>, versions: &Versions) {
        let mut changes = self.mcp.toolbox.changes();
        let mut seen = *changes.borrow_and_update();
        let mut revoked = self.mcp.toolbox.policy().revoked();
        let stopping = self.mcp.tasks.stopping();
        let mut list_due: Option<Instant> = None;
        let mut look_due: Option<Instant> = None;
        let mut sums = Sums::default();
        loop {
            let notices = tokio::select! {
                next = reader.next() => match next {
                    Next::Event(stamped) => {
                        sums.add(self.sums(&stamped.event, &uris));
                        self.hear(&stamped.event, &uris, &mut list_due).await
                    }
                    Next::Lost(_) => {
                        list_due.get_or_insert_with(|| Instant::now() + GATHER);
                        uris.all().into_iter().map(Notice::Updated).collect()
                    }
                    Next::Closed => return,
                },
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = *changes.borrow_and_update();
                    compare(std::mem::replace(&mut seen, now), now)
                }
                () = versions.any(), if look_due.is_none() => {
                    look_due = Some(Instant::now() + LOOK);
                    Vec::new()
                }
                () = at(look_due) => {
                    look_due = None;
                    let news = versions.changed(|uri| self.version(uri));
                    news.into_iter().map(Notice::Updated).collect()
                }
                () = at(list_due) => {
                    list_due = None;
                    vec![Notice::Resources]
                }
                () = at(sums.due) => {
                    sums.due = None;
                    std::mem::take(&mut sums.uris).into_iter().map(Notice::Updated).collect()
                }
                changed = revoked.changed() => {
                    if changed.is_err() || !self.mcp.toolbox.policy().is_live(&self.caller) {
                        return;
                    }
                    Vec::new()
                }
                () = stopping.cancelled() => return,
            };
            for notice in notices {
                if !sink.send(notice).await {
                    return;
                }
            }
        }
    }

    /// The notices that an event is worth to this client.
    async fn hear(
        &self,
        event: &Event,
        uris: &Uris<'_>,
        list_due: &mut Option<Instant>,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        for shelf in lists::shelves(&self.mcp.toolbox, &self.caller, &self.profile) {
            if shelf.list_changed(event) {
                list_due.get_or_insert_with(|| Instant::now() + GATHER);
            }
            if let Some(uri) = shelf.changed(event)
                && uris.contain(&uri)
                && self.still_sees(&uri).await
            {
                notices.push(Notice::Updated(uri));
            }
        }
        if let Event::Service(service) = event
            && let Some(level) = self.log_level(service)
        {
            notices.push(Notice::Log(level, service.clone()));
        }
        notices
    }

    /// The sums that an event changed and this client asked about.
    fn sums(&self, event: &Event, uris: &Uris<'_>) -> Vec<String> {
        let shelves = lists::shelves(&self.mcp.toolbox, &self.caller, &self.profile);
        let changed = shelves.into_iter().filter_map(|shelf| shelf.gathered(&self.caller, event));
        changed.filter(|uri| uris.contain(uri)).collect()
    }

    /// A caller with a narrow view may have lost sight of what it asked about.
    async fn still_sees(&self, uri: &str) -> bool {
        self.caller.grant.entities.is_open()
            || lists::read(&self.mcp.toolbox, &self.caller, &self.profile, uri).await.is_ok()
    }

    /// The level of a service's change in the client's log, when the client asked for such lines.
    fn log_level(&self, service: &Service) -> Option<LoggingLevel> {
        let least = self.wanted.level()?;
        let level = protocol_level(match service.state {
            "down" => log::Level::Error,
            "degraded" => log::Level::Warn,
            _ => log::Level::Info,
        });
        let may = self.mcp.toolbox.policy().may(&self.caller, &service.service, Level::Read);
        (may && rank(level) >= rank(least)).then_some(level)
    }
}

impl Sink<'_> {
    /// Returns whether the client is still there.
    async fn send(&self, notice: Notice) -> bool {
        match self {
            Sink::Session(peer) => match notice {
                Notice::Updated(uri) => {
                    let update = ResourceUpdatedNotificationParam::new(uri);
                    peer.notify_resource_updated(update).await.is_ok()
                }
                Notice::Tools => peer.notify_tool_list_changed().await.is_ok(),
                Notice::Resources => peer.notify_resource_list_changed().await.is_ok(),
                Notice::Prompts => peer.notify_prompt_list_changed().await.is_ok(),
                Notice::Log(level, service) => {
                    let logger = service.service.clone();
                    let Ok(data) = serde_json::to_value(service) else { return true };
                    let line = LoggingMessageNotificationParam::new(level, data);
                    let sent = peer.notify_logging_message(line.with_logger(logger)).await;
                    sent.is_ok()
                }
            },
            Sink::Subscription(sink) => {
                let asked = sink.accepted();
                let sent = match notice {
                    Notice::Updated(uri) => sink.notify_resource_updated(uri).await,
                    Notice::Tools if asked.tools_list_changed == Some(true) => {
                        sink.notify_tool_list_changed().await
                    }
                    Notice::Resources if asked.resources_list_changed == Some(true) => {
                        sink.notify_resource_list_changed().await
                    }
                    Notice::Prompts if asked.prompts_list_changed == Some(true) => {
                        sink.notify_prompt_list_changed().await
                    }
                    _ => return true,
                };
                sent.is_ok()
            }
        }
    }
}

fn compare(before: Changes, now: Changes) -> Vec<Notice> {
    let mut notices = Vec::new();
    if before.tools != now.tools {
        notices.push(Notice::Tools);
    }
    if before.resources != now.resources {
        notices.push(Notice::Resources);
    }
    if before.prompts != now.prompts {
        notices.push(Notice::Prompts);
    }
    notices
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
