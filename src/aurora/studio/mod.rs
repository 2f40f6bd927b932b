//! The studio: what Aurora is doing now, and the handle on it.
//!
//! It holds the ear ([`Listening`]), the lamps of the house ([`roster`]), the look that was chosen
//! ([`look`]) and, while there is one, the running show ([`running`]). Whoever only looks sees a
//! [`rehearsal`]: the same look on the same lamps, painted for the page alone.

mod delay;
mod held;
mod look;
mod painter;
mod playback;
mod rehearsal;
mod roster;
mod running;
mod taken;

pub(super) use look::{Change, UNSAVED};
pub(super) use playback::{Act, Place, Wanted};
pub(super) use rehearsal::Rehearsal;

use crate::aurora::Config;
use crate::aurora::lamps::house::HouseLamps;
use crate::aurora::lamps::hue::{HueLamps, Ports};
use crate::aurora::lamps::zigbee::MqttLamps;
use crate::aurora::lamps::{Kind, Lamp, LampReport, Lamps};
use crate::aurora::listen::Listening;
use crate::aurora::show::{Fixture, Profile, Shelf};
use crate::aurora::timeline::Library;
use crate::error::Error;
use crate::home::Home;
use crate::http::ask::Ask;
use crate::http::mdns::Mdns;
use crate::mqtt::Mqtt;
use crate::policy::{Caller, Policy};
use crate::store::Store;
use crate::tasks::Tasks;
use delay::Taps;
use look::Look;
use roster::Roster;
use running::Running;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{Mutex, watch};

/// Aurora. Cloning it is cheap.
#[derive(Clone)]
pub struct Aurora {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    tasks: Tasks,
    policy: Policy,
    listening: Listening,
    lamps: Lamps,
    house: Option<HouseLamps>,
    broker: Option<MqttLamps>,
    hue: HueLamps,
    roster: Roster,
    shelf: Shelf,
    library: Library,
    /// Where sound files are.
    audio: PathBuf,
    look: Look,
    running: Mutex<Option<Running>>,
    taps: Mutex<Option<Taps>>,
}

/// What the service stands on.
pub struct Base<'a> {
    /// Where sound files and saved looks are, unless the settings say otherwise.
    pub data_dir: &'a Path,
    /// What keeps it running.
    pub tasks: &'a Tasks,
    /// Who may what.
    pub policy: &'a Policy,
    /// Where delays, lamps and the look are kept.
    pub store: &'a Store,
    /// Finds lamps.
    pub mdns: &'a Mdns,
    /// Asks lamps that speak HTTP.
    pub ask: &'a Ask,
    /// The house whose lights can be lamps.
    pub home: Option<&'a Home>,
    /// The broker whose lights can be lamps.
    pub mqtt: Option<&'a Mqtt>,
}

impl Aurora {
    /// Starts the threads for sound and light, which sleep until they are needed. Lamps that a Hearth
    /// that was killed had taken get back what they showed.
    ///
    /// # Errors
    /// Invalid when a setting is wrong; Broken when the system gives no thread; what the store says.
    pub async fn start(config: &Config, base: Base<'_>) -> Result<Aurora, Error> {
        let Base { data_dir, tasks, policy, store, mdns, ask, home, mqtt } = base;
        let folder = |own: &str, usual: &str| match own {
            "" => data_dir.join(usual),
            own => PathBuf::from(own),
        };
        let shared = Shared {
            listening: Listening::start(config, tasks)?,
            lamps: Lamps::start(tasks, mdns, ask, store).await?,
            house: home.map(|home| HouseLamps::start(home, policy, store, tasks)),
            broker: mqtt.map(|mqtt| MqttLamps::start(mqtt, policy, store, tasks)),
            hue: HueLamps::start(policy, store, tasks, mdns, Ports::default()),
            roster: Roster::open(config, store).await?,
            shelf: Shelf::new(folder(&config.profiles_dir, "aurora-profiles")),
            library: Library::new(data_dir.join("aurora-timelines")),
            audio: folder(&config.audio_dir, "audio"),
            look: Look::open(store).await?,
            running: Mutex::new(None),
            taps: Mutex::new(None),
            tasks: tasks.clone(),
            policy: policy.clone(),
            config: config.clone(),
        };
        Ok(Aurora { shared: Arc::new(shared) })
    }

    pub(super) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    pub(super) fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    pub(super) fn listening(&self) -> &Listening {
        &self.shared.listening
    }

    pub(super) fn lamps(&self) -> &Lamps {
        &self.shared.lamps
    }

    pub(super) fn house(&self) -> Option<&HouseLamps> {
        self.shared.house.as_ref()
    }

    pub(super) fn broker(&self) -> Option<&MqttLamps> {
        self.shared.broker.as_ref()
    }

    pub(super) fn hue(&self) -> &HueLamps {
        &self.shared.hue
    }

    pub(super) fn shelf(&self) -> &Shelf {
        &self.shared.shelf
    }

    pub(super) fn library(&self) -> &Library {
        &self.shared.library
    }

    pub(super) fn audio(&self) -> &Path {
        &self.shared.audio
    }

    /// The lamps that this caller may use.
    pub(super) fn roster(&self, caller: &Caller) -> Vec<Lamp> {
        let mut all = self.shared.roster.all();
        self.hide(caller, &mut all);
        all
    }

    /// All lamps that a caller may use, and after them those that the running show has beside them: lights
    /// that were named by their id.
    pub(super) async fn lamps_here(&self, caller: &Caller) -> Vec<Lamp> {
        let mut all = self.shared.roster.all();
        if let Some(running) = &*self.shared.running.lock().await {
            let is_new = |lamp: &&Lamp| all.iter().all(|known| known.name != lamp.name);
            let named: Vec<Lamp> = running.lamps.iter().filter(is_new).cloned().collect();
            all.extend(named);
        }
        self.hide(caller, &mut all);
        all
    }

    /// Leaves out the lamps that a caller may not use, or even know of.
    fn hide(&self, caller: &Caller, lamps: &mut Vec<Lamp>) {
        if caller.grant.entities.is_open() {
            return;
        }
        let house = self.shared.house.as_ref();
        let seen = house.and_then(|house| house.list(caller).ok()).unwrap_or_default();
        lamps.retain(|lamp| {
            lamp.kind == Kind::Home && seen.iter().any(|light| light.id == lamp.address)
        });
    }

    /// Told whenever lamps are added or removed.
    pub(super) fn rosters(&self) -> watch::Receiver<Vec<Lamp>> {
        self.shared.roster.watch()
    }

    /// Adds a lamp.
    ///
    /// # Errors
    /// Refused for a token of chosen entities; Conflict, Invalid and Limit say what is wrong with it.
    pub(super) async fn add_lamp(&self, caller: &Caller, lamp: Lamp) -> Result<(), Error> {
        whole_house(caller)?;
        self.shared.roster.add(lamp).await
    }

    /// Removes a lamp that was added.
    ///
    /// # Errors
    /// As [`Aurora::add_lamp`]; NotFound when there is none of that name.
    pub(super) async fn remove_lamp(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        whole_house(caller)?;
        self.shared.roster.remove(name).await
    }

    /// The look of a Hearth in which nobody has chosen one: every lamp in one zone.
    pub(super) fn usual_look() -> Profile {
        look::usual()
    }

    /// The look that is shown, or would be.
    pub(super) fn look(&self) -> Profile {
        self.shared.look.now()
    }

    /// Told whenever the look changes.
    pub(super) fn looks(&self) -> watch::Receiver<Profile> {
        self.shared.look.watch()
    }

    /// Changes the look; returns the lamps it names that are not in the running show.
    ///
    /// # Errors
    /// Invalid says what cannot be; nothing is changed then.
    pub(super) async fn change_look(
        &self,
        caller: &Caller,
        change: Change,
    ) -> Result<Vec<String>, Error> {
        self.may_direct(caller).await?;
        // Two changes at once are one after the other: none is made to a look that is gone.
        let running = self.shared.running.lock().await;
        let next = change.apply(self.look())?;
        self.show_look(running.as_ref(), next).await
    }

    /// Shows another profile.
    ///
    /// # Errors
    /// As [`Aurora::change_look`].
    pub(super) async fn use_look(
        &self,
        caller: &Caller,
        next: Profile,
    ) -> Result<Vec<String>, Error> {
        self.may_direct(caller).await?;
        let running = self.shared.running.lock().await;
        self.show_look(running.as_ref(), next).await
    }

    async fn show_look(
        &self,
        running: Option<&Running>,
        next: Profile,
    ) -> Result<Vec<String>, Error> {
        next.check()?;
        let missing = running.map_or(Ok(Vec::new()), |running| running.change(&next))?;
        self.shared.look.keep(next).await?;
        Ok(missing)
    }

    /// How each lamp of the running show does; of the others what is known of their delay.
    pub(super) async fn reports(&self) -> Vec<LampReport> {
        match &*self.shared.running.lock().await {
            Some(running) => running.reports().await,
            None => Vec::new(),
        }
    }

    /// A rehearsal of the look for the page, on the lamps that `caller` may use.
    ///
    /// # Errors
    /// Invalid when the look cannot be shown on them.
    pub(super) fn rehearse(&self, caller: &Caller) -> Result<Rehearsal, Error> {
        Rehearsal::new(fixtures(&self.stage(caller)), &self.look(), self.config().limit_flashes)
    }

    /// What is painted when nobody names lamps: those there are, or two to look at while there are none.
    pub(super) fn stage(&self, caller: &Caller) -> Vec<Lamp> {
        let lamps = self.roster(caller);
        if !lamps.is_empty() {
            return lamps;
        }
        let example = |name: &str, pixels| Lamp { name: name.into(), pixels, ..Lamp::default() };
        vec![example("example strip", 60), example("example bulb", 1)]
    }
}

/// Lamps as a show sees them.
fn fixtures(lamps: &[Lamp]) -> Vec<Fixture> {
    let fixture = |lamp: &Lamp| Fixture { name: lamp.name.clone(), pixels: lamp.pixels.into() };
    lamps.iter().map(fixture).collect()
}

/// Refuses a token whose grant is limited to entities where no entity is meant.
pub(super) fn whole_house(caller: &Caller) -> Result<(), Error> {
    if caller.grant.entities.is_open() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "'{}' may use only some entities: with it, start a show on those lights (aurora_start with their \
         ids); the rest of Aurora needs a token without such limits",
        caller.name
    )))
}
