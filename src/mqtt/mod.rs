//! MQTT: the home's broker, listened to all the time, for an assistant and a person.
//!
//! `link` keeps a connection; what arrives goes into the `inbox` of its `session`, which tools, routes
//! and the page read. Nothing is published but through the `gate`.

mod address;
mod aside;
mod belongs;
mod broker;
mod clock;
mod config;
mod decode;
mod discovery;
mod establish;
mod face;
mod filter;
mod gate;
mod inbox;
mod lamps;
mod levels;
mod link;
mod listening;
mod message;
mod outages;
mod probe;
mod prune;
mod publish;
mod rate;
mod record;
mod resources;
mod retained;
mod routes;
mod scan;
mod search;
mod series;
mod session;
mod sessions;
mod show;
mod silence;
mod tools;
mod watcher;

pub use broker::{Broker, Embedded, Heard, Local, User};
pub(crate) use clock::now;
pub use config::{Config, ENV, Profile, RANGES};
pub(crate) use discovery::{Ability, Colour, Device, Message, MqttLight, words};
pub use face::{gather, page};
pub(crate) use lamps::Lamps;
pub use link::Reach;
pub use routes::{API, routes};

use crate::error::Error;
use crate::mcp::Toolbox;
use crate::policy::{self, Caller, Policy};
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use gate::Gate;
use rate::Rate;
use record::Recorder;
use series::Series;
use session::{HOME, Session, State, Ways};
use sessions::Sessions;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Each token may try to connect so often in a minute: more would be a search for what is there.
const CONNECTS_PER_MINUTE: u64 = 10;

/// The service. Cloning it is cheap.
#[derive(Clone)]
pub struct Mqtt {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    tasks: Tasks,
    policy: Policy,
    store: Store,
    reach: Reach,
    home: Option<Arc<Session>>,
    sessions: Arc<Sessions>,
    gate: Gate,
    publishes: Rate,
    connects: Rate,
    series: Series,
    recorder: Recorder,
    /// Stands for this start of the program.
    run: String,
    broker: Option<Broker>,
}

/// What the service stands on.
#[derive(Clone, Copy)]
pub struct Base<'a> {
    /// Where recordings are kept, in a folder of their own.
    pub data_dir: &'a Path,
    /// What keeps it running.
    pub tasks: &'a Tasks,
    /// Who may what.
    pub policy: &'a Policy,
    /// Where copies of retained messages are kept.
    pub store: &'a Store,
    /// How brokers are reached.
    pub reach: &'a Reach,
}

impl Mqtt {
    /// Starts the embedded broker when it is to run, and listens to the home's broker: the configured
    /// one, else the embedded one.
    ///
    /// # Errors
    /// Invalid when a setting is wrong; Broken when the embedded broker cannot have its port.
    pub fn start(config: &Config, base: Base<'_>) -> Result<Mqtt, Error> {
        let Base { data_dir, tasks, policy, store, reach } = base;
        let mut config = config.clone();
        let embedded = &config.embedded;
        let broker = embedded.enabled.then(|| Broker::start(embedded, tasks)).transpose()?;
        if let Some(broker) = broker.as_ref().filter(|_| !config.is_configured()) {
            config.listen_to(broker);
        }
        let gate = Gate::new(&config)?;
        let home = config.home().map(|target| {
            let ways = Ways { reach: reach.clone(), rules: None };
            let session = Session::open(HOME, target, &config, &ways, tasks);
            watch(&session, tasks);
            session
        });
        let (most, ttl) = (config.max_sessions, Duration::from_secs(config.session_ttl));
        let sessions = Sessions::start(most, ttl, policy, tasks);
        let charted = (home.clone(), sessions.clone());
        let shared = Shared {
            series: Series::start(tasks, move || {
                charted.0.iter().cloned().chain(charted.1.all()).collect()
            }),
            recorder: Recorder::new(data_dir, tasks),
            run: policy::random_token()?[..12].to_owned(),
            tasks: tasks.clone(),
            policy: policy.clone(),
            store: store.clone(),
            reach: reach.clone(),
            home,
            sessions,
            gate,
            publishes: Rate::new(config.publishes_per_minute),
            connects: Rate::new(CONNECTS_PER_MINUTE),
            broker,
            config,
        };
        Ok(Mqtt { shared: Arc::new(shared) })
    }

    /// Returns the embedded broker, when it runs.
    pub(crate) fn broker(&self) -> Option<&Broker> {
        self.shared.broker.as_ref()
    }

    /// Returns the first level of Home Assistant's discovery.
    pub(crate) fn discovery_prefix(&self) -> &str {
        self.shared.config.discovery_prefix.trim_matches('/')
    }

    /// Returns the session of that id, the home's without one, when the caller may use it. The one way
    /// in for tools and routes.
    ///
    /// # Errors
    /// Refused for a token that may use only some entities, NotFound when there is none or it is
    /// somebody else's, Offline when no broker is configured.
    pub(crate) fn session(&self, caller: &Caller, id: Option<&str>) -> Result<Arc<Session>, Error> {
        may_see(caller)?;
        match (id.filter(|id| !id.is_empty()).unwrap_or(HOME), &self.shared.home) {
            (HOME, Some(home)) => Ok(home.clone()),
            (HOME, None) => Err(Error::offline(
                "no broker is configured: set DEFAULT_MQTT_BROKER (mqtt.broker), or open a session \
                 with mqtt_establish_connection",
            )),
            (id, _) => self.shared.sessions.find(caller, id),
        }
    }

    /// Returns the sessions that the caller may use, the home's first.
    pub(crate) fn sessions_of(&self, caller: &Caller) -> Vec<Arc<Session>> {
        if may_see(caller).is_err() {
            return Vec::new();
        }
        let others = self.shared.sessions.list(caller).into_iter().map(|entry| entry.session);
        self.shared.home.iter().cloned().chain(others).collect()
    }

    fn config(&self) -> &Config {
        &self.shared.config
    }

    fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    fn series(&self) -> &Series {
        &self.shared.series
    }

    fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }
}

/// Refuses a token whose grant is limited to entities: topics know nothing of entities, and whoever
/// reads all of them reads what the owner took out.
pub(crate) fn may_see(caller: &Caller) -> Result<(), Error> {
    if caller.grant.entities.is_open() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "'{}' may use only some entities, and MQTT shows all devices: use a token without limits to \
         areas, labels, exposed or denied entities",
        caller.name
    )))
}

/// Shows in `/health` and `/ready` how the home's broker is.
fn watch(session: &Arc<Session>, tasks: &Tasks) {
    let status = tasks.status("mqtt", Whose::Peer);
    let mut states = session.states();
    let (session, stop) = (session.clone(), tasks.stopping());
    tasks.job(async move {
        loop {
            match &*states.borrow_and_update() {
                State::Connecting => {}
                State::Connected => match session.shortfall() {
                    Some(shortfall) => status.degraded(shortfall),
                    None => status.up(),
                },
                State::Away(why) => status.degraded(why.clone()),
            }
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
        }
    });
}

/// Hands in the tools.
pub fn offer(mqtt: &Mqtt, toolbox: &Toolbox) {
    toolbox.add_tools(tools::tools(mqtt));
    toolbox.add_resources(resources::resources(mqtt));
}
