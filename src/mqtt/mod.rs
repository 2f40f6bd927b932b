//! MQTT: the home's broker, listened to all the time, for an assistant and a person.
//!
//! `link` keeps a connection; what arrives goes into the `inbox` of its `session`, which tools, routes
//! and the page read. Nothing is published but through the gates.

mod address;
mod broker;
mod config;
mod filter;
mod inbox;
mod link;
mod message;
mod session;
mod tools;

pub use broker::{Broker, Embedded, Heard, Local, User};
pub use config::{Config, ENV, Profile, RANGES};

use crate::error::Error;
use crate::events::Events;
use crate::mcp::Toolbox;
use crate::policy::{Caller, Policy};
use crate::tasks::{Tasks, Whose};
use session::{HOME, Session, State};
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
    broker: Option<Broker>,
}

impl Mqtt {
    /// Starts the embedded broker when it is to run, and listens to the home's broker: the configured
    /// one, else the embedded one.
    ///
    /// # Errors
    /// Invalid when a setting is wrong; Broken when the embedded broker cannot have its port.
    pub fn start(
        config: &Config,
        events: &Events,
        tasks: &Tasks,
        policy: &Policy,
    ) -> Result<Mqtt, Error> {
        let mut config = config.clone();
        let embedded = &config.embedded;
        let broker = embedded.enabled.then(|| Broker::start(embedded, tasks)).transpose()?;
        if let Some(broker) = broker.as_ref().filter(|_| !config.is_configured()) {
            config.listen_to(broker);
        }
        let home = config.home().map(|target| {
            let session = Session::open(HOME, target, &config, tasks);
            watch(&session, tasks);
            session
        });
        let shared = Shared {
            config,
            tasks: tasks.clone(),
            events: events.clone(),
            policy: policy.clone(),
            home,
            broker,
        };
        Ok(Mqtt { shared: Arc::new(shared) })
    }

    /// Returns the embedded broker, when it runs.
    pub(crate) fn broker(&self) -> Option<&Broker> {
        self.shared.broker.as_ref()
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
}
