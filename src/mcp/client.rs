//! The client at the other end of a call: what it can be asked, what it answered, and its log.
//!
//! Filled by the server for each request; tools read it. A call that comes from elsewhere (a test,
//! another service) has a silent one.

#![expect(deprecated, reason = "sessions before 2026-07-28 need what the newest protocol drops")]

use crate::mcp::{Ability, Answers};
use rmcp::model::{ClientCapabilities, LoggingLevel, LoggingMessageNotificationParam};
use rmcp::{Peer, RoleServer};
use serde_json::Value;
use std::sync::Arc;

/// The client at the other end of a call. Cloning it is cheap.
#[derive(Clone, Default)]
pub struct Client {
    line: Option<Arc<Line>>,
    answers: Arc<Answers>,
}

/// The way to the client.
pub(crate) struct Line {
    pub(crate) peer: Peer<RoleServer>,
    pub(crate) can: ClientCapabilities,
    /// The least level that the client wants to hear of; `None` means nothing.
    pub(crate) log: Option<LoggingLevel>,
}

impl Client {
    pub(crate) fn new(line: Line, answers: Answers) -> Client {
        Client { line: Some(Arc::new(line)), answers: Arc::new(answers) }
    }

    /// The same client with what it answered meanwhile.
    pub(crate) fn answered(&self, answers: Answers) -> Client {
        Client { line: self.line.clone(), answers: Arc::new(answers) }
    }

    /// Whether the client said that it can be asked this.
    pub fn can(&self, ability: Ability) -> bool {
        let Some(line) = &self.line else { return false };
        match ability {
            Ability::Form => line.can.elicitation.as_ref().is_some_and(|e| {
                // One that names no mode is of the time when there were only forms.
                e.form.is_some() || e.url.is_none()
            }),
            Ability::Sampling => line.can.sampling.is_some(),
            Ability::Roots => line.can.roots.is_some(),
        }
    }

    /// Returns what came back for the questions of the run before.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Writes a line to the client's log, when it asked for lines of this level.
    pub async fn log(&self, level: log::Level, logger: &str, data: impl Into<Value>) {
        let Some(line) = &self.line else { return };
        let level = protocol_level(level);
        if line.log.is_none_or(|least| rank(level) < rank(least)) {
            return;
        }
        let message = LoggingMessageNotificationParam::new(level, data.into()).with_logger(logger);
        // A client that is gone misses its log; the call itself ends by its own means.
        let _ = line.peer.notify_logging_message(message).await;
    }
}

/// The protocol's name for a level.
pub(crate) fn protocol_level(level: log::Level) -> LoggingLevel {
    match level {
        log::Level::Error => LoggingLevel::Error,
        log::Level::Warn => LoggingLevel::Warning,
        log::Level::Info => LoggingLevel::Info,
        log::Level::Debug | log::Level::Trace => LoggingLevel::Debug,
    }
}

/// The place of a level, least urgent first.
pub(crate) fn rank(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        _ => 7,
    }
}
