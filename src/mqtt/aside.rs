//! Hearing for a while what a session does not listen to: a connection of its own into an inbox of its
//! own, which both end with the value.

use crate::error::Error;
use crate::mqtt::Mqtt;
use crate::mqtt::config::Target;
use crate::mqtt::inbox::{Bounds, Inbox};
use crate::mqtt::link::{Happening, Link, Listener, Options};
use crate::mqtt::message::Qos;
use crate::mqtt::session::Session;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Bytes of messages that it keeps.
const RING: usize = 4 << 20;
const TOPICS: usize = 10_000;

/// An inbox for a while.
pub(crate) struct Aside {
    shared: Arc<Shared>,
    link: Link,
}

struct Shared {
    inbox: Mutex<Inbox>,
    newest: watch::Sender<u64>,
    /// `None` until the broker has answered; then what it granted, or why there is no connection.
    granted: watch::Sender<Option<Result<Qos, String>>>,
}

struct Ear(Arc<Shared>);

impl Listener for Ear {
    fn happened(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Arrived(arrived) => {
                let number = lock(&self.0.inbox).push(&arrived);
                self.0.newest.send_replace(number);
            }
            Happening::Granted(granted) => {
                self.0.granted.send_replace(granted.into_iter().next());
            }
            Happening::Lost { why, .. } => {
                self.0.granted.send_replace(Some(Err(why)));
            }
            Happening::Connected(_) | Happening::NoText => {}
        }
    }
}

impl Aside {
    /// Connects as `session` does and subscribes to `filter`.
    ///
    /// # Errors
    /// Offline, or Refused when the broker does not let us hear it.
    pub(crate) async fn open(mqtt: &Mqtt, session: &Session, filter: &str) -> Result<Aside, Error> {
        let bounds = Bounds { ring_bytes: RING, topics: TOPICS };
        let shared = Arc::new(Shared {
            inbox: Mutex::new(Inbox::new(bounds)),
            newest: watch::Sender::new(0),
            granted: watch::Sender::new(None),
        });
        let filters = vec![(filter.to_owned(), Qos::ExactlyOnce)];
        let options = Options { filters, ..session.options(&mqtt.shared.config) };
        let patience = options.connect + Duration::from_secs(5);
        let target = Target { client_id: String::new(), ..session.target.clone() };
        let link = Link::open(target, options, Ear(shared.clone()), &mqtt.shared.tasks);
        let aside = Aside { shared, link };
        let mut granted = aside.shared.granted.subscribe();
        let answer = tokio::time::timeout(patience, granted.wait_for(Option::is_some)).await;
        match answer.map(|said| said.ok().and_then(|said| said.clone())) {
            Ok(Some(Ok(_))) => Ok(aside),
            Ok(Some(Err(why))) => {
                Err(Error::offline(format!("cannot listen to the filter: {why}")))
            }
            Ok(None) => Err(Error::offline("the connection was closed")),
            Err(_) => Err(Error::timeout("the broker did not answer a SUBSCRIBE")),
        }
    }

    /// Returns what has arrived.
    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.shared.inbox)
    }

    /// Returns what tells the number of the newest message.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.shared.newest.subscribe()
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.link.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
