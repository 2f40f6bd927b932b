//! The orchestrator: sessions of MCP servers, each in a sandbox of its own.
//!
//! `sandbox` says what a sandbox is and what it promises; the places that make one stand below it.
//! `sessions` (pure) says what a session is, `keeper` has them in the store. A session that this node
//! holds is a slot (`live`) with a sandbox and the server in it; `service` makes, renews and ends them,
//! `starting` starts sandboxes, `call` asks their servers, `janitor` ends what nobody uses.
//! Everything that a server in a sandbox says is data from outside.

mod beyond;
mod call;
mod catalogue;
mod config;
pub mod egress;
pub mod engine;
mod face;
pub mod first;
mod janitor;
mod keeper;
pub mod kernel;
mod live;
mod memory;
mod node;
mod places;
mod plan;
mod pool;
mod routes;
pub mod sandbox;
mod service;
pub mod sessions;
mod shown;
mod starting;
mod tools;

pub use beyond::{Beyond, nodes_router};
pub use call::{Asked, Told};
pub use config::{Config, ENV, RANGES};
pub use face::{gather, offer, page};
pub use keeper::{Held, Keeper, is_lost};
pub use places::places;
pub use plan::{Wanted, WantedLimits};
pub use routes::{API, routes};
pub use shown::Shown;

use crate::error::Error;
use crate::policy::Policy;
use crate::store::Store;
use crate::tasks::{Status, Tasks, Whose};
use catalogue::Catalogue;
use live::Slot;
use memory::Memory;
use pool::Pool;
use sandbox::Place;
use sessions::{Key, LEASE, Lease};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What the orchestrator stands on.
pub struct Base<'a> {
    /// Where this node's name and the catalogue are.
    pub data_dir: &'a Path,
    /// Starts what runs beside.
    pub tasks: &'a Tasks,
    /// Who may do what.
    pub policy: &'a Policy,
    /// Where sessions are written down.
    pub store: &'a Store,
    /// Where sandboxes are made.
    pub places: Vec<Arc<dyn Place>>,
    /// How long a node's word holds when other nodes use this store, too; `None` when none can.
    pub lease: Option<Duration>,
    /// How other nodes are reached; only with a lease.
    pub beyond: Option<Beyond>,
}

/// The orchestrator. Cloning it is cheap.
#[derive(Clone)]
pub struct Orchestrator {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    config: Config,
    catalogue: Catalogue,
    policy: Policy,
    tasks: Tasks,
    keeper: Keeper,
    /// This node, as it stands on its sandboxes.
    node: String,
    places: Vec<Arc<dyn Place>>,
    slots: Mutex<BTreeMap<Key, Arc<Slot>>>,
    /// Names of sandboxes that start or run: the sweep leaves them alone.
    names: Mutex<BTreeSet<String>>,
    memory: Memory,
    pool: Pool,
    /// The pool has one less.
    refill: Notify,
    status: Status,
    beyond: Option<Beyond>,
}

impl Shared {
    fn slots(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orchestrator {
    /// Starts it. A store, an engine or an image that is away is no error here: `/ready` says so.
    ///
    /// # Errors
    /// Broken when this node's name cannot be read or written.
    pub fn start(config: &Config, base: Base<'_>) -> Result<Orchestrator, Error> {
        let node = node::name(base.data_dir)?;
        let lease = Lease { node: node.clone(), run: node::run()? };
        let keeper = match base.lease {
            None => Keeper::alone(base.store, lease),
            Some(length) => {
                let url = match config.node_address.as_str() {
                    "" => String::new(),
                    address => format!("http://{address}"),
                };
                Keeper::among_others(base.store, lease, length, &url)
            }
        };
        let shared = Shared {
            config: config.clone(),
            catalogue: Catalogue::new(&config.catalogue, base.data_dir),
            policy: base.policy.clone(),
            tasks: base.tasks.clone(),
            keeper,
            node,
            places: base.places,
            slots: Mutex::default(),
            names: Mutex::default(),
            memory: Memory::new(config.memory_mb << 20),
            pool: Pool::default(),
            refill: Notify::new(),
            status: base.tasks.status("orchestrator", Whose::Own),
            beyond: base.beyond,
        };
        let orchestrator = Orchestrator { shared: Arc::new(shared) };
        let length = base.lease.unwrap_or(LEASE);
        if base.lease.is_some() {
            let own = orchestrator.clone();
            base.tasks.spawn("nodes", move |stop| node::run_beside(own.clone(), length, stop));
        }
        let own = orchestrator.clone();
        base.tasks.spawn("orchestrator", move |stop| janitor::run(own.clone(), stop));
        Ok(orchestrator)
    }

    fn policy(&self) -> &Policy {
        &self.shared.policy
    }
}
pub mod worker;
