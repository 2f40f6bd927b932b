//! Takes letters to Home Assistant as calls, and hears the changes that come of them.

use super::dress::Suit;
use crate::aurora::lamps::mail::carrier::Carrier;
use crate::aurora::lamps::mail::queue::Letter;
use crate::error::Error;
use crate::events::{Event, Next, Reader};
use crate::home::Home;
use crate::policy::Caller;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::time::Duration;

/// A call that is not answered by then is given up; whether it was done, nobody knows.
const ANSWER: Duration = Duration::from_secs(10);

/// The lights of one show.
pub(super) struct HouseCarrier {
    home: Home,
    caller: Caller,
    lamps: Vec<(String, Suit)>,
    places: HashMap<String, usize>,
    changes: Reader,
}

impl HouseCarrier {
    pub(super) fn new(home: &Home, caller: Caller, lamps: Vec<(String, Suit)>) -> HouseCarrier {
        let places = lamps.iter().enumerate().map(|(n, (id, _))| (id.clone(), n)).collect();
        let changes = home.changes_of_entities();
        HouseCarrier { home: home.clone(), caller, lamps, places, changes }
    }

    /// Returns a number that lights of the same abilities share.
    pub(super) fn kind(&self, lamp: usize) -> u32 {
        let own = self.lamps[lamp].1;
        let first = self.lamps.iter().position(|(_, suit)| *suit == own);
        first.map_or(0, |place| u32::try_from(place).unwrap_or(u32::MAX))
    }
}

impl Carrier for HouseCarrier {
    fn send(&mut self, letter: &Letter) -> BoxFuture<'static, Result<Option<String>, Error>> {
        // Lamps of one letter are of one kind.
        let suit = self.lamps[letter.lamps[0]].1;
        let (service, data) = suit.order(letter.light, letter.fade);
        let ids = letter.lamps.iter().map(|lamp| self.lamps[*lamp].0.clone()).collect();
        // Sent here and now: what waits in a future would be late.
        let sent = self.home.light_call(&self.caller, service, ids, data);
        Box::pin(async move { sent?.context(ANSWER).await })
    }

    fn probe(&mut self) -> BoxFuture<'static, bool> {
        let home = self.home.clone();
        Box::pin(async move { home.is_answering().await })
    }

    fn heard(&mut self) -> BoxFuture<'_, (usize, Box<str>)> {
        Box::pin(async {
            loop {
                match self.changes.next().await {
                    Next::Event(stamped) => {
                        let Event::Entity(change) = &stamped.event else { continue };
                        let Some(lamp) = self.places.get(&*change.entity_id) else { continue };
                        let context = self.home.last_context(&change.entity_id);
                        return (*lamp, context.unwrap_or_default());
                    }
                    // What was lost are samples of a measurement, no more.
                    Next::Lost(_) => {}
                    Next::Closed => std::future::pending().await,
                }
            }
        })
    }
}
