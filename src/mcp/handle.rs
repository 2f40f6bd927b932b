//! Everything that serving a client needs, in one handle.
//!
//! `app` makes it; [`crate::mcp::over_http`] and [`crate::mcp::stdio`] serve from it.

use crate::error::Error;
use crate::events::Events;
use crate::mcp::Toolbox;
use crate::mcp::seal::Seal;
use crate::tasks::Tasks;
use std::sync::Arc;

/// What clients are told about this server.
#[derive(Clone, Debug)]
pub struct About {
    /// Name for people, for example `Hearth` or `Hearth (demo house)`.
    pub title: String,
    /// Version of the program.
    pub version: String,
}

/// Everything that serving a client needs. Cloning it is cheap.
#[derive(Clone)]
pub struct Mcp {
    pub(crate) toolbox: Toolbox,
    pub(crate) events: Events,
    pub(crate) tasks: Tasks,
    pub(crate) seal: Arc<Seal>,
    pub(crate) about: Arc<About>,
}

impl Mcp {
    /// Puts together what serving needs; serves nobody yet.
    ///
    /// # Errors
    /// Broken when the system gives no random numbers.
    pub fn new(
        toolbox: &Toolbox,
        events: &Events,
        tasks: &Tasks,
        about: About,
    ) -> Result<Mcp, Error> {
        Ok(Mcp {
            toolbox: toolbox.clone(),
            events: events.clone(),
            tasks: tasks.clone(),
            seal: Arc::new(Seal::new()?),
            about: Arc::new(about),
        })
    }
}
