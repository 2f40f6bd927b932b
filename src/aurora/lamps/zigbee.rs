//! Lights on the home's broker as lamps of a show: Zigbee2MQTT's, its groups, and those that announced
//! themselves to Home Assistant with the schema `json`. A lamp is named by its command topic.
//!
//! Messages go with QoS 0 and are never queued; each passes the rules for publishing (`mqtt.read_only`
//! and what goes with it) as the caller who started the show. What a lamp said of itself before is kept
//! in the store, and put back when the show ends, when the broker is back, or when Hearth starts again.

mod carrier;
mod dress;

use super::mail::Mailbox;
use super::mail::carrier::run;
use super::mail::held::{Busy, Held, Lease};
use super::mail::kept::{Before, Kept};
use super::mail::queue::Rules;
use crate::error::{Error, Kind};
use crate::mqtt::{Lamps, Mqtt, MqttLight};
use crate::policy::{Caller, Outcome, Policy};
use crate::store::Store;
use crate::tasks::{Tasks, Whose};
use carrier::MqttCarrier;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a lamp takes that was not measured yet, in seconds.
const GUESS: f64 = 0.08;
/// At most so many lamps in one show.
const MOST: usize = 64;
/// A lamp that is asked how it is has so long to answer.
const ASKED: Duration = Duration::from_secs(2);
/// The broker has so long to take what puts a lamp back.
const BACK: Duration = Duration::from_secs(5);
/// What could not be put back is tried again after so long.
const AGAIN: Duration = Duration::from_secs(30);
/// At the end of the program the shows have so long to end.
const LAST: Duration = Duration::from_secs(5);

/// How messages are paced when the owner sets nothing else: what a Zigbee network takes.
pub const RULES: Rules = Rules {
    per_second: 5.0,
    per_lamp: 3.0,
    threshold: 0.04,
    tolerance: 0.15,
    in_flight: 16,
    patience: 1.0,
    waits_for_lamp: true,
};

/// The lights of the broker. Cloning it is cheap.
#[derive(Clone)]
pub struct MqttLamps {
    shared: Arc<Shared>,
}

struct Shared {
    mqtt: Mqtt,
    policy: Policy,
    kept: Kept,
    tasks: Tasks,
    busy: Busy,
    /// Ends every show.
    stop: CancellationToken,
}

/// A light that a caller may use.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Lamp {
    /// Its command topic.
    pub id: String,
    /// For people.
    pub name: String,
    /// Why it cannot be in a show; `None` when it can.
    pub refused: Option<String>,
}

impl MqttLamps {
    /// Starts with putting back what an earlier run left behind, as soon as the broker is connected.
    pub fn start(mqtt: &Mqtt, policy: &Policy, store: &Store, tasks: &Tasks) -> MqttLamps {
        let shared = Shared {
            mqtt: mqtt.clone(),
            policy: policy.clone(),
            kept: Kept::new(store, "mqtt"),
            tasks: tasks.clone(),
            busy: Busy::default(),
            stop: CancellationToken::new(),
        };
        let own = MqttLamps { shared: Arc::new(shared) };
        let keeper = own.clone();
        tasks.status("aurora mqtt", Whose::Own).up();
        tasks.spawn("aurora mqtt", move |stop| watch(keeper.clone(), stop));
        own
    }

    /// Lists the lights that `caller` may use.
    ///
    /// # Errors
    /// Refused for a caller who may not control MQTT; Offline when no broker is configured.
    pub fn list(&self, caller: &Caller) -> Result<Vec<Lamp>, Error> {
        let all = self.shared.mqtt.lamps(caller)?.list().into_iter().map(|light| {
            let refused = dress::check(&light).err().map(|e| e.to_string());
            Lamp { id: light.command, name: light.name.chars().take(100).collect(), refused }
        });
        Ok(all.collect())
    }

    /// Takes lights into a show of `caller`. Those that cannot be in one are [left out](Held::refused),
    /// each with its reason.
    ///
    /// # Errors
    /// The reason of the first when all are left out; Refused when nothing may be published; Limit for
    /// too many; what the store says.
    pub async fn open(&self, caller: &Caller, ids: &[String], rules: Rules) -> Result<Held, Error> {
        if ids.len() > MOST {
            let count = ids.len();
            return Err(Error::limit(format!("{count} lights on MQTT; a show takes {MOST}")));
        }
        let caller = Caller { underway: None, ..caller.clone() };
        let way = self.shared.mqtt.lamps(&caller)?;
        let known: BTreeMap<String, MqttLight> =
            way.list().into_iter().map(|light| (light.command.clone(), light)).collect();
        let _turn = self.shared.kept.turn().await;
        let (mut taken, mut refused) = (Vec::new(), Vec::new());
        let (mut before, mut leases) = (Vec::new(), Vec::new());
        for id in ids.iter().collect::<BTreeSet<_>>() {
            match self.look(&way, known.get(id), id).await {
                Ok((light, state, lease)) => {
                    leases.push(lease);
                    before.push(Before::new(id, &caller, state));
                    taken.push(light);
                }
                Err(e) => refused.push((id.clone(), e)),
            }
        }
        let names: Vec<String> = taken.iter().map(|light| light.command.clone()).collect();
        if names.is_empty() {
            let nothing = || Error::invalid("no lights are named");
            return Err(refused.into_iter().next().map_or_else(nothing, |(_, e)| e));
        }
        self.shared.kept.keep(&before).await?;
        let why = Some("a show takes these lights until it ends");
        let target = names.join(", ");
        self.shared.policy.record(&caller, "aurora show", &target, Outcome::Allowed, why);
        Ok(self.begin(way, taken, refused, rules, leases))
    }

    /// Marks a light as being in a show, and returns it with what is kept of it.
    async fn look(
        &self,
        way: &Lamps,
        light: Option<&MqttLight>,
        id: &str,
    ) -> Result<(MqttLight, Value, Lease), Error> {
        let light = light.ok_or_else(|| {
            Error::not_found(format!(
                "no light of the broker is told what to show on '{}'",
                id.escape_debug().to_string().chars().take(120).collect::<String>()
            ))
        })?;
        dress::check(light)?;
        way.may_tell(&light.command)?;
        let lease = self.shared.busy.take(id)?;
        let said = stand(way, light).await?;
        Ok((light.clone(), dress::state(light, &said)?, lease))
    }

    fn begin(
        &self,
        way: Lamps,
        taken: Vec<MqttLight>,
        refused: Vec<(String, Error)>,
        rules: Rules,
        leases: Vec<Lease>,
    ) -> Held {
        let mailbox = |light: &MqttLight| (light.command.clone(), Arc::new(Mailbox::new(GUESS)));
        let lamps: Vec<(String, Arc<Mailbox>)> = taken.iter().map(mailbox).collect();
        let boxes: Vec<_> = (0..).zip(&lamps).map(|(n, (_, b))| (b.clone(), n)).collect();
        let carrier = MqttCarrier::new(way, taken);
        let (held, grip) = Held::new(lamps, refused, self.shared.stop.child_token());
        let own = self.clone();
        self.shared.tasks.job(async move {
            run(Box::new(carrier), rules, boxes, &grip).await;
            put_back(&own, |before| grip.names().contains(&before.lamp)).await;
            drop(leases);
            grip.over();
        });
        held
    }
}

/// Returns what a light says of itself; asks it when it has said nothing yet.
async fn stand(way: &Lamps, light: &MqttLight) -> Result<Arc<[u8]>, Error> {
    let mut arrivals = way.arrivals();
    if let Some((_, said)) = way.newest(&light.state) {
        return Ok(said);
    }
    let Some(ask) = &light.ask else { return Err(dress::unknown(light)) };
    way.tell(ask, br#"{"state":""}"#.to_vec(), ASKED).await?;
    let answer = async {
        loop {
            if let Some((_, said)) = way.newest(&light.state) {
                return Some(said);
            }
            arrivals.changed().await.ok()?;
        }
    };
    let answer = tokio::time::timeout(ASKED, answer).await;
    answer.ok().flatten().ok_or_else(|| dress::unknown(light))
}

/// Puts back what is kept of lights that are in no show, whenever the broker can be reached. Ends every
/// show when the program ends.
async fn watch(lamps: MqttLamps, stop: CancellationToken) -> Result<(), Error> {
    let Shared { mqtt, kept, busy, .. } = &*lamps.shared;
    loop {
        let is_left = !kept.all().await?.is_empty();
        tokio::select! {
            () = stop.cancelled() => break,
            () = mqtt.home_connected() => {}
        }
        let turn = kept.turn().await;
        put_back(&lamps, |before| !busy.has(&before.lamp)).await;
        drop(turn);
        tokio::select! {
            () = stop.cancelled() => break,
            () = mqtt.home_away() => {}
            () = tokio::time::sleep(AGAIN), if is_left => {}
        }
    }
    lamps.shared.stop.cancel();
    let _ = tokio::time::timeout(LAST, busy.empty()).await;
    Ok(())
}

/// Puts these lights back, as far as they can be reached now.
async fn put_back(lamps: &MqttLamps, which: impl Fn(&Before) -> bool) {
    let all = match lamps.shared.kept.all().await {
        Ok(all) => all,
        Err(e) => return log::warn!("lights of a show cannot be put back now: {e}"),
    };
    for before in all.iter().filter(|before| which(before)) {
        let (topic, told) = (&before.lamp, dress::back(&before.state).to_string());
        let done = async {
            let way = lamps.shared.mqtt.lamps(&before.caller(&lamps.shared.policy))?;
            way.tell_surely(topic, told.into_bytes(), BACK).await
        };
        match done.await {
            Ok(()) => {}
            Err(e) => {
                log::warn!("{} is not as it was before the show: {e}", topic.escape_debug());
                if !matches!(e.kind(), Kind::Refused | Kind::Invalid) {
                    continue;
                }
            }
        }
        if let Err(e) = lamps.shared.kept.forget(topic).await {
            log::warn!("what is kept of a light stays in the store: {e}");
        }
    }
}
