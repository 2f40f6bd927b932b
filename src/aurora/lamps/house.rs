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
use super::mail::carrier::run;
use super::mail::held::{Busy, Held, Lease};
use super::mail::kept::{Before, Kept};
use super::mail::queue::Rules;
use crate::error::Error;
use crate::home::Home;
use crate::policy::{Caller, Outcome, Policy};
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use carrier::HouseCarrier;
use dress::Suit;
use std::collections::BTreeSet;
use std::sync::Arc;
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
    busy: Busy,
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
    /// The name of its area; empty without one.
    pub area: String,
    /// Of `brightness`, `color` and `color_temp` what it has.
    pub can: Vec<&'static str>,
    /// Why it cannot be in a show; `None` when it can.
    pub refused: Option<String>,
}

impl HouseLamps {
    /// Starts with putting back what an earlier run left behind, as soon as the house is connected.
    pub fn start(home: &Home, policy: &Policy, store: &Store, tasks: &Tasks) -> HouseLamps {
        let shared = Shared {
            home: home.clone(),
            policy: policy.clone(),
            kept: Kept::new(store, "home"),
            tasks: tasks.clone(),
            busy: Busy::default(),
            stop: CancellationToken::new(),
        };
        let own = HouseLamps { shared: Arc::new(shared) };
        let keeper = own.clone();
        tasks.status("aurora house", Whose::Own).up();
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
            let can = dress::abilities(&bulb);
            Light { id, name: bulb.name, area: bulb.area, can, refused }
        });
        Ok(all.collect())
    }

    /// Takes lights into a show of `caller`. Those that cannot be in one are [left out](Held::refused), each with its reason.
    ///
    /// # Errors
    /// The reason of the first when all are left out; Limit for too many; what the store says.
    pub async fn open(&self, caller: &Caller, ids: &[String], rules: Rules) -> Result<Held, Error> {
        if ids.len() > MOST {
            let count = ids.len();
            return Err(Error::limit(format!("{count} lights of the house; a show takes {MOST}")));
        }
        // The call that starts the show ends before the show does.
        let caller = Caller { underway: None, ..caller.clone() };
        let _turn = self.shared.kept.turn().await;
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        let (mut before, mut leases) = (Vec::new(), Vec::new());
        for id in ids.iter().collect::<BTreeSet<_>>() {
            let bulb = self.shared.home.bulb(&caller, id);
            let suited = bulb.and_then(|bulb| Ok((Suit::of(id, &bulb)?, bulb)));
            match suited.and_then(|suited| Ok((suited, self.shared.busy.take(id)?))) {
                Ok(((suit, bulb), lease)) => {
                    leases.push(lease);
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
        self.shared.kept.keep(&before).await?;
        let target = names.join(", ");
        let why = Some("a show takes these lights until it ends");
        self.shared.policy.record(&caller, "aurora show", &target, Outcome::Allowed, why);
        Ok(self.begin(caller, taken, refused, rules, leases))
    }

    fn begin(
        &self,
        caller: Caller,
        taken: Vec<(String, Suit)>,
        refused: Vec<(String, Error)>,
        rules: Rules,
        leases: Vec<Lease>,
    ) -> Held {
        let mailbox = |(id, _): &(String, Suit)| (id.clone(), Arc::new(Mailbox::new(GUESS)));
        let lamps: Vec<(String, Arc<Mailbox>)> = taken.iter().map(mailbox).collect();
        let carrier = HouseCarrier::new(&self.shared.home, caller, taken);
        let boxes = lamps.iter().enumerate().map(|(n, (_, b))| (b.clone(), carrier.kind(n)));
        let boxes: Vec<_> = boxes.collect();
        let (held, grip) = Held::new(lamps, refused, self.shared.stop.child_token());
        let own = self.clone();
        self.shared.tasks.job(async move {
            run(Box::new(carrier), rules, boxes, &grip).await;
            restore::put_back(&own, grip.names()).await;
            drop(leases);
            grip.over();
        });
        held
    }
}
