//! MQTT: the home's broker, listened to all the time, for an assistant and a person.
//!
//! `link` keeps a connection; what arrives goes into the `inbox` of its `session`, which tools, routes
//! and the page read. Nothing is published but through the gates.

mod address;
mod config;
mod face;
mod filter;
mod inbox;
mod levels;
mod link;
mod message;
mod record;
mod resources;
mod routes;
mod series;
mod session;
mod show;
mod tools;

pub use config::{Config, ENV, Profile, RANGES};
pub use face::{gather, page};
pub use routes::{API, routes};

use crate::error::Error;
use crate::events::Events;
use crate::mcp::Toolbox;
use crate::policy::{self, Caller, Policy};
use crate::tasks::{Tasks, Whose};
use record::Recorder;
use series::Series;
use session::{HOME, Session, State};
use std::path::Path;
use std::sync::Arc;

/// The service. Cloning it is cheap.
#[derive(Clone)]
pub struct Mqtt {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    tasks: Tasks,
    events: Events,
    policy: Policy,
    home: Option<Arc<Session>>,
    series: Series,
    recorder: Recorder,
    /// Stands for this start of the program.
    run: String,
}

impl Mqtt {
    /// Starts listening to the home's broker, when one is configured.
    ///
    /// # Errors
    /// Invalid when a setting is wrong.
    pub fn start(
        config: &Config,
        data_dir: &Path,
        events: &Events,
        tasks: &Tasks,
        policy: &Policy,
    ) -> Result<Mqtt, Error> {
        let home = config.home().map(|target| {
            let session = Session::open(HOME, target, config, tasks);
            watch(&session, tasks);
            session
        });
        let charted: Vec<Arc<Session>> = home.iter().cloned().collect();
        let shared = Shared {
            series: Series::start(tasks, move || charted.clone()),
            recorder: Recorder::new(data_dir, tasks),
            run: policy::random_token()?[..12].to_owned(),
            config: config.clone(),
            tasks: tasks.clone(),
            events: events.clone(),
            policy: policy.clone(),
            home,
        };
        Ok(Mqtt { shared: Arc::new(shared) })
    }

    /// Returns the session of that id, the home's without one, when the caller may use it.
    ///
    /// # Errors
    /// NotFound when there is none, Offline when no broker is configured.
    pub(crate) fn session(
        &self,
        _caller: &Caller,
        id: Option<&str>,
    ) -> Result<Arc<Session>, Error> {
        match (id.unwrap_or(HOME), &self.shared.home) {
            (HOME, Some(home)) => Ok(home.clone()),
            (HOME, None) => Err(Error::offline(
                "no broker is configured: set DEFAULT_MQTT_BROKER (mqtt.broker), or open a session \
                 with mqtt_establish_connection",
            )),
            _ => Err(Error::not_found("there is no such session")),
        }
    }

    /// Returns the sessions that the caller may use, the home's first.
    pub(crate) fn sessions_of(&self, caller: &Caller) -> Vec<Arc<Session>> {
        self.session(caller, None).into_iter().collect()
    }

    /// Returns every session, the home's first; for what nobody in particular asks.
    fn all_sessions(&self) -> Vec<Arc<Session>> {
        self.shared.home.iter().cloned().collect()
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

/// Shows in `/health` and `/ready` how the home's broker is.
fn watch(session: &Arc<Session>, tasks: &Tasks) {
    let status = tasks.status("mqtt", Whose::Peer);
    let mut states = session.states();
    let stop = tasks.stopping();
    tasks.job(async move {
        loop {
            match &*states.borrow_and_update() {
                State::Connecting => {}
                State::Connected => status.up(),
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
