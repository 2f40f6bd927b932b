//! Sessions: a broker that is listened to, and everything known of it.
//!
//! The first, named [`HOME`], is the home's own broker and never ends; tools open others, which belong
//! to the token that opened them and end when they are not used.

use crate::error::Error;
use crate::mqtt::clock::now;
use crate::mqtt::config::{Config, Target};
use crate::mqtt::filter::{Filter, without_covered};
use crate::mqtt::inbox::{Bounds, Clock, Inbox};
use crate::mqtt::link::{Happening, Link, Listener, Options, Reach, Rules, Welcome};
use crate::mqtt::message::{Outcome, Publish, Qos};
use crate::mqtt::outages::{Outage, Outages};
use crate::mqtt::probe::own_probes;
use crate::tasks::Tasks;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
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
    /// What was last said at the door.
    welcome: Mutex<Option<Welcome>>,
    filters: Vec<(String, Qos)>,
    ways: Ways,
    probes: AtomicU64,
    granted: Mutex<Vec<Result<Qos, String>>>,
    outages: Mutex<Outages>,
    unreadable: AtomicU64,
}

/// How the brokers of a session may be reached.
#[derive(Clone)]
pub(crate) struct Ways {
    pub(crate) reach: Reach,
    /// Asked about the address when it is not the owner's own word.
    pub(crate) rules: Option<Arc<Rules>>,
}

impl Session {
    /// Opens a session that listens to `mqtt.listen`.
    pub(crate) fn open(
        id: &str,
        target: Target,
        config: &Config,
        ways: &Ways,
        tasks: &Tasks,
    ) -> Arc<Session> {
        let megabytes = if id == HOME { config.keep_mb } else { config.session_keep_mb };
        let bounds = Bounds {
            ring_bytes: usize::try_from(megabytes << 20).unwrap_or(usize::MAX),
            topics: usize::try_from(config.max_topics).unwrap_or(usize::MAX),
        };
        let filters = without_covered(&config.listen);
        let filters: Vec<_> = filters.into_iter().map(|f| (f, Qos::ExactlyOnce)).collect();
        let session = Arc::new(Session {
            id: id.into(),
            target: target.clone(),
            inbox: Mutex::new(Inbox::new(bounds)),
            state: watch::Sender::new(State::Connecting),
            newest: watch::Sender::new(0),
            link: Mutex::new(None),
            timeout: Duration::from_secs(config.timeout_seconds),
            welcome: Mutex::default(),
            filters,
            ways: ways.clone(),
            granted: Mutex::default(),
            outages: Mutex::new(Outages::begin(now())),
            unreadable: AtomicU64::new(0),
            probes: AtomicU64::new(0),
        });
        let options = Options { kept_first: true, ..session.options(config) };
        let link = Link::open(target, options, Ear(session.clone(), Clock::default()), tasks);
        *lock(&session.link) = Some(link);
        session
    }

    /// Returns what a link to this session's broker is opened with.
    pub(crate) fn options(&self, config: &Config) -> Options {
        Options {
            filters: self.filters.clone(),
            kept_first: false,
            connect: Duration::from_secs(config.connect_seconds),
            keep_alive: Duration::from_secs(config.keep_alive),
            max_packet: config.max_packet_bytes,
            reach: self.ways.reach.clone(),
            rules: self.ways.rules.clone(),
        }
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
        let arrivals = self.newest.subscribe();
        // Nothing is told while nobody listens, so the number may be an old one.
        let newest = self.inbox().totals().messages;
        self.newest.send_replace(newest);
        arrivals
    }

    /// Returns what the broker said when it last let us in.
    pub(crate) fn welcome(&self) -> Option<Welcome> {
        lock(&self.welcome).clone()
    }

    /// Returns what is listened to, each with the QoS that the broker grants or why it does not; empty
    /// until it has answered.
    pub(crate) fn granted(&self) -> Vec<(String, Result<Qos, String>)> {
        let filters = self.filters.iter().map(|(filter, _)| filter.clone());
        filters.zip(lock(&self.granted).iter().cloned()).collect()
    }

    /// Whether everything that `filter` matches arrives here.
    pub(crate) fn hears(&self, filter: &Filter) -> bool {
        let granted = lock(&self.granted);
        let own = self.filters.iter().enumerate().filter(|(place, _)| {
            // Until the broker has answered, it is taken to agree.
            granted.get(*place).is_none_or(Result::is_ok)
        });
        let mut own = own.filter_map(|(_, (own, _))| Filter::read(own).ok());
        own.any(|own| own.covers(filter))
    }

    /// Says what of `mqtt.listen` the broker does not let us hear, or less surely than asked.
    pub(crate) fn shortfall(&self) -> Option<String> {
        let granted = self.granted();
        let mut told = granted.iter().filter_map(|(filter, granted)| match granted {
            Err(why) => Some(format!("'{}' is not heard: {why}", filter.escape_debug())),
            Ok(Qos::ExactlyOnce) => None,
            Ok(less) => {
                let filter = filter.escape_debug();
                Some(format!("'{filter}' is heard with QoS {} at most", less.number()))
            }
        });
        told.next().map(|first| told.fold(first, |all, one| format!("{all}; {one}")))
    }

    /// Returns when this session was away from its broker, oldest first, and how many older times are
    /// forgotten. The time before the first connection is one.
    pub(crate) fn outages(&self) -> (Vec<Outage>, u64) {
        lock(&self.outages).list()
    }

    /// Returns how many messages were left out because their topic is no text.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    /// Returns how many messages of our own probes were left out of the index.
    pub(crate) fn probes(&self) -> u64 {
        self.probes.load(Ordering::Relaxed)
    }

    /// Waits until it is known whether the broker lets us in, for the time that connecting may take.
    ///
    /// # Errors
    /// Offline with what the link says.
    pub(crate) async fn settled(&self) -> Result<(), Error> {
        let mut states = self.states();
        loop {
            match &*states.borrow_and_update() {
                State::Connecting => {}
                State::Connected => return Ok(()),
                State::Away(why) => return Err(Error::offline(why.clone())),
            }
            if states.changed().await.is_err() {
                return Err(Error::offline("the session is closed"));
            }
        }
    }

    /// Publishes; whether it may be is asked before.
    ///
    /// # Errors
    /// Offline when the session is closed or not connected.
    pub(crate) async fn publish(&self, message: Publish) -> Result<Outcome, Error> {
        self.publish_within(message, self.timeout).await
    }

    async fn publish_within(&self, message: Publish, within: Duration) -> Result<Outcome, Error> {
        if let State::Away(why) = self.state() {
            return Err(Error::offline(format!(
                "{} cannot be reached: {why}",
                self.target.address
            )));
        }
        let link = lock(&self.link).clone();
        let link = link.ok_or_else(|| Error::offline("the session is closed"))?;
        Ok(link.publish(message, within).await)
    }

    /// Publishes what is of use only now: at once or not at all; whether it may be is asked before.
    ///
    /// # Errors
    /// Offline when the session is closed or not connected.
    pub(crate) async fn publish_now(
        &self,
        message: Publish,
        within: Duration,
    ) -> Result<Outcome, Error> {
        if self.state() == State::Connecting {
            let address = &self.target.address;
            return Err(Error::offline(format!("{address} is not connected yet")));
        }
        self.publish_within(message, within).await
    }

    /// Ends the connection.
    pub(crate) fn close(&self) {
        if let Some(link) = lock(&self.link).take() {
            link.close();
        }
    }
}

/// Writes into the session what its link tells.
struct Ear(Arc<Session>, Clock);

impl Listener for Ear {
    fn happened(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Connected(welcome) => {
                let address = &self.0.target.address;
                log::info!("connected to {address} with MQTT {}", welcome.version.word());
                if let Some(note) = &welcome.note {
                    log::warn!("{address}: {note}");
                }
                *lock(&self.0.welcome) = Some(welcome);
                lock(&self.0.granted).clear();
                lock(&self.0.outages).end(now());
                self.0.inbox().resume(now());
                self.0.state.send_replace(State::Connected);
            }
            Happening::Granted(granted) => {
                *lock(&self.0.granted) = granted;
                if let Some(shortfall) = self.0.shortfall() {
                    log::warn!("{}: {shortfall}", self.0.target.address);
                }
                // Who shows the state shows this too.
                self.0.state.send_modify(|_| {});
            }
            Happening::Arrived(arrived) if arrived.topic.starts_with(own_probes()) => {
                self.0.probes.fetch_add(1, Ordering::Relaxed);
            }
            Happening::Arrived(arrived) => {
                let was = self.1.look(arrived.at, Instant::now);
                let number = {
                    let mut inbox = self.0.inbox();
                    if let Some(was) = was {
                        inbox.clock_set(was, arrived.at);
                    }
                    inbox.push(&arrived)
                };
                // Telling costs more than a look whether anybody listens.
                if self.0.newest.receiver_count() > 0 {
                    self.0.newest.send_replace(number);
                }
            }
            Happening::NoText => drop(self.0.unreadable.fetch_add(1, Ordering::Relaxed)),
            Happening::Lost { why, pause } => {
                let was_up = self.0.state() == State::Connected;
                let level = if was_up { log::Level::Warn } else { log::Level::Debug };
                log::log!(level, "{}: {why}; again in {pause:?}", self.0.target.address);
                lock(&self.0.outages).begin_again(now(), &why);
                self.0.state.send_replace(State::Away(why));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
