//! An identity on whose behalf something is done.

use crate::policy::Grant;
use crate::policy::underway::Draft;
use std::sync::Arc;

/// By which way a caller came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// A bearer token over HTTP.
    Http,
    /// MCP over stdio, by `hearth mcp`.
    Stdio,
    /// The web page, by its cookie.
    Page,
    /// The command line, by the control socket.
    Control,
    /// A script of the house: nobody is there to be asked.
    Script,
}

impl Via {
    /// Returns the word used in the audit log.
    pub fn word(self) -> &'static str {
        match self {
            Via::Http => "http",
            Via::Stdio => "stdio",
            Via::Page => "page",
            Via::Control => "control",
            Via::Script => "script",
        }
    }
}

/// An identity on whose behalf something is done. Cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Name of the token, `local` for the command line and stdio, or `plugin:<name>` for a script.
    pub name: Arc<str>,
    /// By which way it came.
    pub via: Via,
    /// What it may do.
    pub grant: Arc<Grant>,
    /// Which token it came with: two tokens of one name differ here. Sessions are bound to it.
    pub token: u64,
    /// The call that it makes just now, whose line in the audit log is not written yet.
    pub(crate) underway: Option<Arc<Draft>>,
}
