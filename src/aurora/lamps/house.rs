//! Lights of Home Assistant as lamps of a show.
//!
//! Every call goes through `home` as the caller who started the show: their scope, the house's own
//! list, and read-only hold at each one. What the lights were before is kept in the store, and put back
//! when the show ends, when Home Assistant is back, or when Hearth starts again. Lights of the first
//! house only.

mod carrier;
mod dress;
mod restore;

use super::mail::Mailbox;
use super::mail::carrier::{Board, Report, run};
use super::mail::kept::{Before, Kept};
use super::mail::queue::Rules;
use crate::error::Error;
use crate::home::Home;
use crate::policy::{Caller, Outcome, Policy};
use crate::store::Store;
use crate::tasks::Tasks;
use carrier::HouseCarrier;
use dress::Suit;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a light takes that was not measured yet, in seconds: a Zigbee lamp behind Home Assistant.
const GUESS: f64 = 0.1;
/// At most so many lights in one show.
const MOST: usize = 64;

/// How calls to Home Assistant are paced when the owner sets nothing else: what it and a Zigbee network
/// behind it take without queueing.
pub const RULES: Rules = Rules {
    per_second: 8.0,
    per_lamp: 3.0,
    threshold: 0.04,
    tolerance: 0.15,
    in_flight: 24,
    patience: 0.5,
    waits_for_lamp: false,
};

/// The lights of the house. Cloning it is cheap.
#[derive(Clone)]
pub struct HouseLamps {
    shared: Arc<Shared>,
}

struct Shared {
    home: Home,
    policy: Policy,
    kept: Kept,
    tasks: Tasks,
    /// The lights that are in a show.
    busy: watch::Sender<BTreeSet<String>>,
    /// Ends every show.
    stop: CancellationToken,
}

/// A light that a caller may use.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Light {
    /// Entity id.
    pub id: String,
    /// For people.
    pub name: String,
    /// Why it cannot be in a show; `None` when it can.
    pub refused: Option<String>,
}

/// Lights in a show. The show ends when this is dropped, too.
pub struct HouseShow {
    lamps: Vec<(String, Arc<Mailbox>)>,
    refused: Vec<(String, Error)>,
    board: Board,
    stop: CancellationToken,
    over: watch::Receiver<bool>,
}

impl HouseLamps {
    /// Starts with putting back what an earlier run left behind, as soon as the house is connected.
    pub fn start(home: &Home, policy: &Policy, store: &Store, tasks: &Tasks) -> HouseLamps {
        let shared = Shared {
            home: home.clone(),
            policy: policy.clone(),
            kept: Kept::new(store, "home"),
            tasks: tasks.clone(),
            busy: watch::Sender::new(BTreeSet::new()),
            stop: CancellationToken::new(),
        };
        let own = HouseLamps { shared: Arc::new(shared) };
        let keeper = own.clone();
        tasks.spawn("aurora house", move |stop| restore::watch(keeper.clone(), stop));
        own
    }

    /// Lists the lights that `caller` may use.
    ///
    /// # Errors
    /// Refused for a caller who may not use the house; Offline when it was never reached.
    pub fn list(&self, caller: &Caller) -> Result<Vec<Light>, Error> {
        let all = self.shared.home.bulbs(caller)?.into_iter().map(|(id, bulb)| {
            let refused = Suit::of(&id, &bulb).err().map(|e| e.to_string());
            Light { id, name: bulb.name, refused }
        });
        Ok(all.collect())
    }

    /// Takes lights into a show of `caller`. Those that cannot be in one are [left
    /// out](HouseShow::refused), each with its reason.
    ///
    /// # Errors
    /// The reason of the first when all are left out; Limit for too many; what the store says.
    pub async fn open(
        &self,
        caller: &Caller,
        ids: &[String],
        rules: Rules,
    ) -> Result<HouseShow, Error> {
        if ids.len() > MOST {
            let count = ids.len();
            return Err(Error::limit(format!("{count} lights of the house; a show takes {MOST}")));
        }
        // The call that starts the show ends before the show does.
        let caller = Caller { underway: None, ..caller.clone() };
        let (mut taken, mut refused, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for id in ids.iter().collect::<BTreeSet<_>>() {
            let bulb = self.shared.home.bulb(&caller, id);
            let suited = bulb.and_then(|bulb| Ok((Suit::of(id, &bulb)?, bulb)));
            match suited.and_then(|suited| self.take(id).map(|()| suited)) {
                Ok((suit, bulb)) => {
                    before.push(Before::new(id, &caller, dress::state(&bulb)));
                    taken.push((id.clone(), suit));
                }
                Err(e) => refused.push((id.clone(), e)),
            }
        }
        let names: Vec<String> = taken.iter().map(|(id, _)| id.clone()).collect();
        if names.is_empty() {
            let nothing = || Error::invalid("no lights are named");
            return Err(refused.into_iter().next().map_or_else(nothing, |(_, e)| e));
        }
        if let Err(e) = self.shared.kept.keep(&before).await {
            self.give_back(&names);
            return Err(e);
        }
        let target = names.join(", ");
        let why = Some("a show takes these lights until it ends");
        self.shared.policy.record(&caller, "aurora show", &target, Outcome::Allowed, why);
        Ok(self.begin(caller, taken, refused, rules))
    }

    fn begin(
        &self,
        caller: Caller,
        taken: Vec<(String, Suit)>,
        refused: Vec<(String, Error)>,
        rules: Rules,
    ) -> HouseShow {
        let (stop, board) = (self.shared.stop.child_token(), Board::new(taken.len()));
        let lamps: Vec<(String, Arc<Mailbox>)> =
            taken.iter().map(|(id, _)| (id.clone(), Arc::new(Mailbox::new(GUESS)))).collect();
        let carrier = HouseCarrier::new(&self.shared.home, caller, taken);
        let boxes = lamps.iter().enumerate().map(|(n, (_, b))| (b.clone(), carrier.kind(n)));
        let (boxes, own, names): (Vec<_>, _, Vec<_>) =
            (boxes.collect(), self.clone(), lamps.iter().map(|(id, _)| id.clone()).collect());
        let (told, over) = watch::channel(false);
        let (ended, written) = (stop.clone(), board.clone());
        self.shared.tasks.job(async move {
            run(Box::new(carrier), rules, boxes, written, ended).await;
            restore::put_back(&own, &names).await;
            own.give_back(&names);
            told.send_replace(true);
        });
        HouseShow { lamps, refused, board, stop, over }
    }

    /// Marks a light as being in a show.
    fn take(&self, id: &str) -> Result<(), Error> {
        let is_free = self.shared.busy.send_if_modified(|busy| busy.insert(id.to_owned()));
        match is_free {
            true => Ok(()),
            false => Err(Error::conflict(format!("{id} is in another show: stop that one first"))),
        }
    }

    fn give_back(&self, ids: &[String]) {
        self.shared.busy.send_modify(|busy| busy.retain(|id| !ids.contains(id)));
    }
}

impl HouseShow {
    /// Returns the lights that are in the show and the slots for what they are to show, in the order of
    /// [`Report::lamps`].
    pub fn lamps(&self) -> &[(String, Arc<Mailbox>)] {
        &self.lamps
    }

    /// Returns the lights that were left out, and why.
    pub fn refused(&self) -> &[(String, Error)] {
        &self.refused
    }

    /// Returns what was counted and measured so far.
    pub fn report(&self) -> Report {
        self.board.read()
    }

    /// Ends the show, and returns when the lights are as they were, or cannot be now.
    pub async fn close(mut self) {
        self.stop.cancel();
        // A job that panicked has dropped its end; the lights are put back at the next occasion.
        let _ = self.over.wait_for(|over| *over).await;
    }
}

impl Drop for HouseShow {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
