//! The lamps of the house: those of the settings, and those that were added while Hearth ran.

use crate::aurora::Config;
use crate::aurora::lamps::{Kind, LAMPS_MAX, Lamp};
use crate::error::Error;
use crate::store::Store;
use crate::text::clean;
use tokio::sync::watch;

const TABLE: &str = "aurora";
const KEY: &str = "lamps";

/// The lamps, in the order in which they were named.
pub(super) struct Roster {
    config: Config,
    store: Store,
    added: watch::Sender<Vec<Lamp>>,
}

impl Roster {
    /// Reads which lamps were added before.
    pub(super) async fn open(config: &Config, store: &Store) -> Result<Roster, Error> {
        let kept = store.get(TABLE, KEY).await?;
        let added = match kept.map(|bytes| serde_json::from_slice::<Vec<Lamp>>(&bytes)) {
            None => Vec::new(),
            Some(Ok(added)) => added,
            Some(Err(e)) => {
                log::warn!("the lamps that were added before cannot be read ({e}): add them again");
                Vec::new()
            }
        };
        Ok(Roster {
            config: config.clone(),
            store: store.clone(),
            added: watch::Sender::new(added),
        })
    }

    /// Told whenever lamps are added or removed.
    pub(super) fn watch(&self) -> watch::Receiver<Vec<Lamp>> {
        self.added.subscribe()
    }

    /// All lamps. One that was added has no say where the settings name one alike.
    pub(super) fn all(&self) -> Vec<Lamp> {
        let mut all = self.config.lamp.clone();
        let added = self.added.borrow();
        all.extend(added.iter().filter(|one| self.configured(&one.name).is_none()).cloned());
        all
    }

    fn configured(&self, name: &str) -> Option<&Lamp> {
        self.config.lamp.iter().find(|lamp| lamp.name == name)
    }

    /// Adds a lamp or puts it in the place of one that was added under its name.
    ///
    /// # Errors
    /// Conflict for a name of the settings; Invalid for a lamp that cannot be; Limit for too many; what
    /// the store says.
    pub(super) async fn add(&self, lamp: Lamp) -> Result<(), Error> {
        if self.configured(&lamp.name).is_some() {
            return Err(Error::conflict(format!(
                "'{}' stands in the settings; change it there",
                clean(&lamp.name, 60)
            )));
        }
        let next = {
            let mut next = self.added.borrow().clone();
            next.retain(|one| one.name != lamp.name);
            next.push(lamp);
            next
        };
        if self.config.lamp.len() + next.len() > LAMPS_MAX {
            return Err(Error::limit(format!("at most {LAMPS_MAX} lamps; remove one first")));
        }
        let faults = self.config.lights(next.clone()).faults("lamp");
        if let Some(fault) = faults.first() {
            let field = fault.path.rsplit('.').next().unwrap_or_default();
            return Err(Error::invalid(format!("{field}: {}", fault.text)));
        }
        self.keep(next).await
    }

    /// Removes a lamp that was added.
    ///
    /// # Errors
    /// NotFound when there is none of that name; Conflict for one of the settings.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        if self.configured(name).is_some() {
            let name = clean(name, 60);
            return Err(Error::conflict(format!(
                "'{name}' stands in the settings; remove it there"
            )));
        }
        let next = {
            let mut next = self.added.borrow().clone();
            let before = next.len();
            next.retain(|one| one.name != name);
            if next.len() == before {
                return Err(unknown(name, &self.all()));
            }
            next
        };
        self.keep(next).await
    }

    async fn keep(&self, next: Vec<Lamp>) -> Result<(), Error> {
        let bytes = serde_json::to_vec(&next)
            .map_err(|e| Error::broken("the lamps are no JSON").because(e))?;
        self.store.put(TABLE, KEY, &bytes, None).await?;
        self.added.send_replace(next);
        Ok(())
    }

    /// The lamps of these names, all of them when none are named. A light of Home Assistant or of the
    /// broker needs no row: its entity id, or its command topic, is name and address.
    ///
    /// # Errors
    /// NotFound: says which there are.
    pub(super) fn named(&self, names: &[String]) -> Result<Vec<Lamp>, Error> {
        let all = self.all();
        if names.is_empty() {
            return Ok(all);
        }
        let mut chosen: Vec<Lamp> = Vec::new();
        for name in names.iter().map(|name| name.trim()) {
            let known = all.iter().find(|lamp| lamp.name == name).cloned();
            let is_light = name.starts_with("light.");
            let is_topic = name.contains('/') && name.ends_with("/set");
            let lamp = known
                .or_else(|| is_light.then(|| of(Kind::Home, name)))
                .or_else(|| is_topic.then(|| of(Kind::Mqtt, name)));
            let lamp = lamp.ok_or_else(|| unknown(name, &all))?;
            // One light under two names is one lamp.
            let is_same = |one: &Lamp| {
                let is_light = matches!(lamp.kind, Kind::Home | Kind::Mqtt);
                one.name == lamp.name
                    || (is_light && one.kind == lamp.kind && one.address == lamp.address)
            };
            if !chosen.iter().any(is_same) {
                chosen.push(lamp);
            }
        }
        Ok(chosen)
    }
}

/// A light that needs no row, as a lamp.
fn of(kind: Kind, id: &str) -> Lamp {
    Lamp { name: id.into(), kind, address: id.into(), ..Lamp::default() }
}

fn unknown(name: &str, known: &[Lamp]) -> Error {
    let names: Vec<&str> = known.iter().map(|lamp| &*lamp.name).collect();
    let known = match names[..] {
        [] => "there are none yet".to_owned(),
        _ => format!("there are: {}", clean(&names.join(", "), 300)),
    };
    Error::not_found(format!(
        "no lamp is called '{}'; {known}. A light of Home Assistant is named by its entity id, like \
         light.sofa",
        clean(name, 60)
    ))
}
