//! A show that runs: from the lamps that were named to the thread that paints them, and back.

use super::painter::{Painter, Teller};
use super::{Aurora, fixtures, whole_house};
use crate::aurora::lamps::house::{self, HouseShow};
use crate::aurora::lamps::mail::queue::Rules;
use crate::aurora::lamps::mail::{Mailbox, Wish};
use crate::aurora::lamps::{self, Kind, Lamp, LampReport, Playing};
use crate::aurora::light::Light;
use crate::aurora::listen::Joined;
use crate::aurora::show::{Desk, Profile, Show};
use crate::error::Error;
use crate::policy::Caller;
use std::sync::Arc;

/// The seed of shows: the same music gives the same lights.
const SEED: u32 = 1;

/// The show, for as long as it runs.
pub(super) struct Running {
    playing: Playing,
    desk: Desk,
    house: Option<HouseShow>,
    /// Who started it.
    by: String,
    /// Sound is read for it.
    _joined: Joined,
}

/// What is told of a running show.
#[derive(Clone, Debug)]
pub(in crate::aurora) struct Started {
    /// The lamps in it.
    pub(in crate::aurora) lamps: Vec<String>,
    /// Lamps that were named and cannot be in it, with the reason.
    pub(in crate::aurora) left_out: Vec<(String, String)>,
    /// Lamps that the look names and the show has not.
    pub(in crate::aurora) missing: Vec<String>,
}

impl Running {
    pub(super) fn change(&self, profile: &Profile) -> Result<Vec<String>, Error> {
        self.desk.change(profile)
    }

    pub(super) async fn reports(&self) -> Vec<LampReport> {
        self.playing.report().await
    }
}

impl Aurora {
    /// Starts a show on these lamps, on all of the house when none are named.
    ///
    /// # Errors
    /// NotFound for a lamp that is not there; Conflict when a show runs; Refused for lamps that the
    /// caller may not use; Invalid when there are none.
    pub(in crate::aurora) async fn begin(
        &self,
        caller: &Caller,
        names: &[String],
    ) -> Result<Started, Error> {
        let mut running = self.shared.running.lock().await;
        if let Some(running) = &*running {
            return Err(Error::conflict(format!(
                "a show is running, started by '{}'; stop it first with aurora_stop",
                running.by
            )));
        }
        let mut lamps = self.shared.roster.named(names)?;
        if names.is_empty() {
            lamps.retain(|lamp| super::may_use(caller, lamp));
        } else if lamps.iter().any(|lamp| lamp.kind != Kind::Home) {
            whole_house(caller)?;
        }
        if lamps.is_empty() {
            return Err(Error::invalid(
                "there are no lamps: name lights of Home Assistant, like light.sofa, or add lamps \
                 with aurora_lamps",
            ));
        }
        let (house, left_out) = self.take_house(caller, &mut lamps).await?;
        let (show, desk) = Show::new(fixtures(&lamps), &self.look(), SEED)?;
        desk.limit_flashes(self.config().limit_flashes);
        let missing = desk.change(&self.look())?;
        let joined = self.shared.listening.join();
        let posts = house.as_ref().map(|house| posts(house, &lamps)).unwrap_or_default();
        let teller = Box::new(Teller(self.shared.listening.reader())) as Box<dyn lamps::Hear>;
        let told = lamps.iter().any(|lamp| lamp.kind == Kind::WledSync);
        let names = lamps.iter().map(|lamp| lamp.name.clone()).collect();
        let play = lamps::Show {
            config: self.config().lights(lamps),
            paint: Box::new(Painter { show, heard: self.shared.listening.reader() }),
            hear: told.then_some(teller),
            posts,
            bell: self.shared.bell.clone(),
        };
        let playing = self.shared.lamps.play(play).await?;
        let by = caller.name.to_string();
        *running = Some(Running { playing, desk, house, by, _joined: joined });
        Ok(Started { lamps: names, left_out, missing })
    }

    /// Takes the lights of Home Assistant among `lamps` into the show and leaves out those that cannot
    /// be in it.
    async fn take_house(
        &self,
        caller: &Caller,
        lamps: &mut Vec<Lamp>,
    ) -> Result<(Option<HouseShow>, Vec<(String, String)>), Error> {
        let of_house = |lamp: &&Lamp| lamp.kind == Kind::Home;
        let ids: Vec<String> = lamps.iter().filter(of_house).map(|l| l.address.clone()).collect();
        if ids.is_empty() {
            return Ok((None, Vec::new()));
        }
        let house = self.shared.house.as_ref().ok_or_else(|| {
            Error::offline("the service home does not run here, so its lights cannot be lamps")
        })?;
        let per_second = f64::from(self.config().home_calls_per_second);
        let rules = Rules { per_second, ..house::RULES };
        let is_all = ids.len() == lamps.len();
        let show = match house.open(caller, &ids, rules).await {
            Ok(show) => show,
            Err(e) if is_all => return Err(e),
            // The other lamps need not wait for the house.
            Err(e) => {
                let out = ids.iter().map(|id| (id.clone(), e.to_string())).collect();
                lamps.retain(|lamp| lamp.kind != Kind::Home);
                return Ok((None, out));
            }
        };
        let taken = |lamp: &Lamp| show.lamps().iter().any(|(id, _)| *id == lamp.address);
        lamps.retain(|lamp| lamp.kind != Kind::Home || taken(lamp));
        let out = show.refused().iter().map(|(id, e)| (id.clone(), e.to_string())).collect();
        Ok((Some(show), out))
    }

    /// Ends the running show; the lamps get back what they showed before.
    ///
    /// # Errors
    /// Conflict when none runs; Broken when it had ended by a fault of its own.
    pub(in crate::aurora) async fn end(&self) -> Result<(), Error> {
        let mut running = self.shared.running.lock().await;
        let Some(Running { playing, house, .. }) = running.take() else {
            return Err(Error::conflict("no show is running"));
        };
        let ended = playing.stop().await;
        if let Some(house) = house {
            house.close().await;
        }
        ended
    }

    /// Who started the running show.
    pub(in crate::aurora) async fn runs(&self) -> Option<String> {
        self.shared.running.lock().await.as_ref().map(|running| running.by.clone())
    }
}

/// The outputs for lights of Home Assistant, by the numbers of their lamps.
fn posts(house: &HouseShow, lamps: &[Lamp]) -> Vec<(usize, Box<dyn lamps::Post>)> {
    let of = |(id, mailbox): &(String, Arc<Mailbox>)| {
        let number = lamps.iter().position(|l| l.kind == Kind::Home && l.address == *id)?;
        Some((number, Box::new(Posted(mailbox.clone())) as Box<dyn lamps::Post>))
    };
    house.lamps().iter().filter_map(of).collect()
}

/// A mailbox as an output of the thread of the lamps: one colour for the whole lamp.
struct Posted(Arc<Mailbox>);

impl lamps::Post for Posted {
    fn latency(&self) -> f64 {
        self.0.latency()
    }

    fn post(&mut self, pixels: &[Light], accent: bool, seen: f64) {
        let share = 1.0 / pixels.len().max(1) as f32;
        let sum = pixels
            .iter()
            .fold([0.0; 3], |sum: [f32; 3], light| std::array::from_fn(|k| sum[k] + light.0[k]));
        self.0.put(Wish { light: Light(sum.map(|x| x * share)), accent, seen });
    }
}
