//! Conversations: what people and models said, kept for whoever goes on with it later.
//!
//! Fed and read by assistants and scripts over tools and routes. Each conversation belongs to the token
//! that began it; each message is an entry of its own in the store, written before it is answered, so
//! several nodes on one Redis may append at once. What stands in a message is data and never read here:
//! only its length counts. Works without the orchestrator.

mod config;
mod keep;
mod message;
mod routes;
mod tools;

pub use config::{Config, ENV, RANGES};
pub use message::{Message, Role, check_id, estimate, window};
pub use routes::{API, routes};

use crate::error::Error;
use crate::mcp::Toolbox;
use crate::policy::Policy;
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often conversations whose life has ended are removed.
const ROUND: Duration = Duration::from_secs(600);

/// The conversations. Cloning it is cheap.
#[derive(Clone)]
pub struct Talk {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    store: Store,
    policy: Policy,
}

impl Talk {
    /// Starts it.
    pub fn start(config: &Config, store: &Store, policy: &Policy, tasks: &Tasks) -> Talk {
        let (config, store, policy) = (config.clone(), store.clone(), policy.clone());
        let talk = Talk { shared: Arc::new(Shared { config, store, policy }) };
        let own = talk.clone();
        tasks.spawn("talk", move |stop| {
            let own = own.clone();
            async move {
                loop {
                    match own.forget_old().await {
                        Ok(0) => {}
                        Ok(count) => log::debug!("{count} conversations came to their end"),
                        Err(e) => log::debug!("old conversations stay for now: {e}"),
                    }
                    tokio::select! {
                        () = tokio::time::sleep(ROUND) => {}
                        () = stop.cancelled() => return Ok::<(), Error>(()),
                    }
                }
            }
        });
        tasks.status("talk", Whose::Own).up();
        talk
    }

    fn policy(&self) -> &Policy {
        &self.shared.policy
    }
}

/// Hands in the tools.
pub fn offer(talk: &Talk, toolbox: &Toolbox) {
    toolbox.add_tools(tools::tools(talk));
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}
