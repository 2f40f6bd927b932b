//! Takes letters to the broker as messages, and hears what lamps say of themselves.

use super::dress::payload;
use crate::aurora::lamps::mail::carrier::Carrier;
use crate::aurora::lamps::mail::queue::Letter;
use crate::error::Error;
use crate::mqtt::{Lamps, MqttLight};
use futures_util::future::BoxFuture;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::watch;

/// A message that has not left by then is taken back.
const LEAVE: Duration = Duration::from_millis(300);
/// The broker has so long to say that it is there.
const PROBE: Duration = Duration::from_secs(10);

/// The lamps of one show.
pub(super) struct MqttCarrier {
    way: Lamps,
    lamps: Vec<MqttLight>,
    /// Messages that were seen on the state topic of each.
    counts: Vec<u64>,
    arrivals: watch::Receiver<u64>,
    stirred: VecDeque<usize>,
}

impl MqttCarrier {
    pub(super) fn new(way: Lamps, lamps: Vec<MqttLight>) -> MqttCarrier {
        let arrivals = way.arrivals();
        let counts = way.counts(lamps.iter().map(|lamp| &*lamp.state));
        MqttCarrier { way, lamps, counts, arrivals, stirred: VecDeque::new() }
    }
}

impl Carrier for MqttCarrier {
    fn send(&mut self, letter: &Letter) -> BoxFuture<'static, Result<Option<String>, Error>> {
        // Each lamp is of a kind of its own, so a letter is for one lamp or one group.
        let lamp = letter.lamps[0];
        let light = &self.lamps[lamp];
        let told = payload(light, letter.light, letter.fade).to_string();
        let (way, topic) = (self.way.clone(), light.command.clone());
        // What it said before it was told is no answer.
        self.counts[lamp] = way.count(&light.state);
        Box::pin(async move {
            way.tell(&topic, told.into_bytes(), LEAVE).await?;
            // Messages carry no context: the next word of the lamp is taken for its answer.
            Ok(Some(String::new()))
        })
    }

    fn probe(&mut self) -> BoxFuture<'static, bool> {
        let way = self.way.clone();
        Box::pin(async move { way.is_answering(PROBE).await })
    }

    fn heard(&mut self) -> BoxFuture<'_, (usize, Box<str>)> {
        Box::pin(async {
            loop {
                if let Some(lamp) = self.stirred.pop_front() {
                    return (lamp, Box::default());
                }
                if self.arrivals.changed().await.is_err() {
                    // The session is closed: nothing will be heard any more.
                    std::future::pending::<()>().await;
                }
                // A busy broker tells much that is none of ours.
                let counts = self.way.counts(self.lamps.iter().map(|light| &*light.state));
                for (lamp, count) in counts.into_iter().enumerate() {
                    if count != self.counts[lamp] {
                        self.counts[lamp] = count;
                        self.stirred.push_back(lamp);
                    }
                }
            }
        })
    }
}
