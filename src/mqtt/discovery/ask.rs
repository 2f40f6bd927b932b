//! What services above may ask of the home's broker: its devices, and what was said on some topics.

use crate::error::Error;
use crate::mqtt::Mqtt;
use crate::mqtt::discovery::{Device, gather};
use crate::mqtt::session::State;
use crate::policy::Caller;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A message as others are told of it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Microseconds since 1970 (UTC) at which it arrived.
    pub(crate) at: i64,
    pub(crate) topic: Arc<str>,
    /// `None` when it was skipped for its size.
    pub(crate) payload: Option<Arc<[u8]>>,
    /// Whether it only came because Hearth subscribed.
    pub(crate) is_retained: bool,
}

impl Mqtt {
    /// Returns the devices on the home's broker.
    ///
    /// # Errors
    /// As [`Mqtt::session`].
    pub(crate) fn devices(&self, caller: &Caller) -> Result<Vec<Device>, Error> {
        let session = self.session(caller, None)?;
        Ok(gather(&session, self.discovery_prefix()).devices)
    }

    /// Returns what was said on `topics` since then, oldest first, at most `most` of it, the newest; and
    /// since when messages are known without a gap, in microseconds since 1970.
    ///
    /// # Errors
    /// As [`Mqtt::session`].
    pub(crate) fn heard(
        &self,
        caller: &Caller,
        topics: &BTreeSet<String>,
        since: i64,
        most: usize,
    ) -> Result<(Vec<Message>, Option<i64>), Error> {
        let session = self.session(caller, None)?;
        let inbox = session.inbox();
        let mut all: Vec<Message> = inbox
            .ring()
            .iter()
            .rev()
            .take_while(|kept| kept.at >= since)
            .filter(|kept| topics.contains(&*kept.topic))
            .take(most)
            .map(|kept| Message {
                at: kept.at,
                topic: kept.topic.clone(),
                payload: kept.payload.clone(),
                is_retained: kept.retained,
            })
            .collect();
        all.reverse();
        // The first message that is kept: what came before it is forgotten, or was never heard.
        Ok((all, inbox.ring().iter().next().map(|kept| kept.at)))
    }

    /// Says why the home's broker cannot be heard, if it cannot.
    ///
    /// # Errors
    /// As [`Mqtt::session`].
    pub(crate) fn away(&self, caller: &Caller) -> Result<Option<String>, Error> {
        Ok(match self.session(caller, None)?.state() {
            State::Away(why) => Some(why),
            State::Connecting => Some("it is not connected yet".into()),
            State::Connected => None,
        })
    }
}
