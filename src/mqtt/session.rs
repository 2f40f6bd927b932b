//! Sessions: a broker that is listened to, and everything known of it.
//!
//! The first, named [`HOME`], is the home's own broker and never ends; tools open others, which belong
//! to the token that opened them and end when they are not used.

use crate::error::Error;
use crate::mqtt::config::{Config, Target};
use crate::mqtt::inbox::{Bounds, Inbox};
use crate::mqtt::link::{Happening, Link, Listener, Options};
use crate::mqtt::message::{Outcome, Publish, Qos};
use crate::tasks::Tasks;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Name of the session with the home's broker.
pub(crate) const HOME: &str = "home";

/// How the connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not there yet.
    Connecting,
    /// Reading.
    Connected,
    /// Lost, or never made; why, for people.
    Away(String),
}

/// A broker that is listened to.
pub(crate) struct Session {
    pub(crate) id: Arc<str>,
    pub(crate) target: Target,
    inbox: Mutex<Inbox>,
    state: watch::Sender<State>,
    /// Number of the newest message.
    newest: watch::Sender<u64>,
    link: Mutex<Option<Link>>,
    timeout: Duration,
}

impl Session {
    /// Opens a session that listens to `mqtt.listen`.
    pub(crate) fn open(id: &str, target: Target, config: &Config, tasks: &Tasks) -> Arc<Session> {
        let megabytes = if id == HOME { config.keep_mb } else { config.session_keep_mb };
        let bounds = Bounds {
            ring_bytes: usize::try_from(megabytes << 20).unwrap_or(usize::MAX),
            topics: usize::try_from(config.max_topics).unwrap_or(usize::MAX),
        };
        let session = Arc::new(Session {
            id: id.into(),
            target: target.clone(),
            inbox: Mutex::new(Inbox::new(bounds)),
            state: watch::Sender::new(State::Connecting),
            newest: watch::Sender::new(0),
            link: Mutex::new(None),
            timeout: Duration::from_secs(config.timeout_seconds),
        });
        let options = Options {
            filters: config.listen.iter().map(|f| (f.clone(), Qos::ExactlyOnce)).collect(),
            connect: Duration::from_secs(config.connect_seconds),
            keep_alive: Duration::from_secs(config.keep_alive),
            max_packet: config.max_packet_bytes,
        };
        let link = Link::open(target, options, Ear(session.clone()), tasks);
        *lock(&session.link) = Some(link);
        session
    }

    /// Returns what has arrived. Held for as short as can be: the link waits for it.
    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.inbox)
    }

    /// Returns how the connection is.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Returns what tells of changes of the state.
    pub(crate) fn states(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Returns what tells the number of the newest message, each time there is one.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Publishes; whether it may be is asked before.
    ///
    /// # Errors
    /// Offline when the session is closed or not connected.
    pub(crate) async fn publish(&self, message: Publish) -> Result<Outcome, Error> {
        if let State::Away(why) = self.state() {
            return Err(Error::offline(format!(
                "{} cannot be reached: {why}",
                self.target.address
            )));
        }
        let link = lock(&self.link).clone();
        let link = link.ok_or_else(|| Error::offline("the session is closed"))?;
        Ok(link.publish(message, self.timeout).await)
    }

    /// Ends the connection.
    pub(crate) fn close(&self) {
        if let Some(link) = lock(&self.link).take() {
            link.close();
        }
    }
}

/// Writes into the session what its link tells.
struct Ear(Arc<Session>);

impl Listener for Ear {
    fn happened(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Connected(_) => drop(self.0.state.send_replace(State::Connected)),
            Happening::Arrived(arrived) => {
                let number = self.0.inbox().push(&arrived);
                self.0.newest.send_replace(number);
            }
            Happening::Lost { why, pause } => {
                log::debug!("{}: {why}; again in {pause:?}", self.0.target.address);
                self.0.state.send_replace(State::Away(why));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
