//! The look that was chosen last: kept over restarts, watched by whoever paints.

use crate::aurora::show::{Profile, Value, Zone};
use crate::error::Error;
use crate::store::Store;
use crate::text::clean;
use std::collections::BTreeMap;
use tokio::sync::watch;

const TABLE: &str = "aurora";
const KEY: &str = "look";
/// What is shown before anybody chose.
const USUAL: &str = "pulse";

/// The name of a look that was not saved.
pub(in crate::aurora) const UNSAVED: &str = "unsaved";

/// The look.
pub(super) struct Look {
    store: Store,
    now: watch::Sender<Profile>,
}

impl Look {
    /// Reads what was chosen before.
    pub(super) async fn open(store: &Store) -> Result<Look, Error> {
        let usual = usual();
        let kept = store.get(TABLE, KEY).await?;
        let read = |bytes: Vec<u8>| Profile::parse(&String::from_utf8_lossy(&bytes));
        let now = match kept.map(read) {
            Some(Ok(profile)) => profile,
            None => usual,
            Some(Err(e)) => {
                log::warn!("the look that was chosen last cannot be shown by this version: {e}");
                usual
            }
        };
        Ok(Look { store: store.clone(), now: watch::Sender::new(now) })
    }

    pub(super) fn now(&self) -> Profile {
        self.now.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Profile> {
        self.now.subscribe()
    }

    /// Keeps a look that is shown from now on.
    pub(super) async fn keep(&self, next: Profile) -> Result<(), Error> {
        self.store.put(TABLE, KEY, next.text()?.as_bytes(), None).await?;
        self.now.send_replace(next);
        Ok(())
    }
}

/// One zone with every lamp.
pub(super) fn usual() -> Profile {
    Profile { name: UNSAVED.into(), ..Profile::of(Zone::of(USUAL)) }
}

/// What is to be different; what is not named stays.
#[derive(Clone, Debug, Default)]
pub(in crate::aurora) struct Change {
    /// The zone; without it the first.
    pub(in crate::aurora) zone: Option<String>,
    pub(in crate::aurora) effect: Option<String>,
    pub(in crate::aurora) palette: Option<String>,
    pub(in crate::aurora) brightness: Option<f32>,
    pub(in crate::aurora) speed: Option<f32>,
    pub(in crate::aurora) intensity: Option<f32>,
    pub(in crate::aurora) mirror: Option<bool>,
    pub(in crate::aurora) reverse: Option<bool>,
    /// Parameters of the effect.
    pub(in crate::aurora) set: BTreeMap<String, Value>,
    /// Seconds in which the old look fades into the new one.
    pub(in crate::aurora) fade: Option<f32>,
}

impl Change {
    /// Makes the change.
    ///
    /// # Errors
    /// NotFound for a zone that is not there. What the values may be is checked when they are shown.
    pub(in crate::aurora) fn apply(self, mut profile: Profile) -> Result<Profile, Error> {
        let known = profile.zones.iter().map(|z| z.name.clone()).collect::<Vec<_>>().join(", ");
        let zone = match &self.zone {
            None => profile.zones.first_mut(),
            Some(name) => profile.zones.iter_mut().find(|zone| zone.name == *name),
        };
        let zone = zone.ok_or_else(|| {
            let name = clean(self.zone.as_deref().unwrap_or_default(), 60);
            Error::not_found(format!("the look has no zone '{name}'; it has: {known}"))
        })?;
        if let Some(effect) = self.effect.filter(|effect| *effect != zone.effect) {
            // Parameters of one effect mean nothing to another.
            zone.set.clear();
            zone.effect = effect;
        }
        if let Some(palette) = self.palette {
            zone.palette = palette;
        }
        for (field, value) in [
            (&mut zone.brightness, self.brightness),
            (&mut zone.speed, self.speed),
            (&mut zone.intensity, self.intensity),
        ] {
            *field = value.unwrap_or(*field);
        }
        zone.mirror = self.mirror.unwrap_or(zone.mirror);
        zone.reverse = self.reverse.unwrap_or(zone.reverse);
        zone.set.extend(self.set);
        profile.fade = self.fade.unwrap_or(profile.fade);
        // It is no longer what was saved under that name.
        profile.name = UNSAVED.into();
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_look_outlives_a_restart_and_whoever_watches_is_told() {
        let store = Store::memory();
        let look = Look::open(&store).await.unwrap();
        assert_eq!(look.now().zones[0].effect, USUAL);
        let mut watched = look.watch();
        let change = Change { effect: Some("fire".into()), speed: Some(2.0), ..Change::default() };
        look.keep(change.apply(look.now()).unwrap()).await.unwrap();
        assert!(watched.has_changed().unwrap());
        assert_eq!(watched.borrow_and_update().zones[0].effect, "fire");
        let again = Look::open(&store).await.unwrap().now();
        assert_eq!((&*again.zones[0].effect, again.zones[0].speed), ("fire", 2.0));
    }

    #[test]
    fn a_zone_that_is_not_there_is_named_and_another_effect_forgets_parameters() {
        let mut profile = Profile::of(Zone::of("fire"));
        profile.zones[0].set.insert("x".into(), Value::Switch(true));
        let change = Change { zone: Some("attic".into()), ..Change::default() };
        let e = change.apply(profile.clone()).unwrap_err().to_string();
        assert!(e.contains("no zone 'attic'; it has: all"), "{e}");
        let change = Change { effect: Some("tide".into()), ..Change::default() };
        assert!(change.apply(profile).unwrap().zones[0].set.is_empty());
    }

    #[tokio::test]
    async fn a_look_that_cannot_be_read_is_replaced_by_the_usual_one() {
        let store = Store::memory();
        store.put(TABLE, KEY, b"{\"version\":9}", None).await.unwrap();
        assert_eq!(Look::open(&store).await.unwrap().now().zones[0].effect, USUAL);
    }
}
