//! A show that runs: from the lamps that were named to the thread that paints them, and back.

use super::held::{Group, LeftOut};
use super::painter::{Exchange, Painter, Teller, Wakeful};
use super::playback::{Place, Playback};
use super::{Aurora, fixtures, whole_house};
use crate::aurora::lamps::{self, Kind, Lamp, LampReport, Playing};
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
    pub(super) exchange: Arc<Exchange>,
    pub(super) playback: Option<Playback>,
    groups: Vec<Group>,
    pub(super) lamps: Vec<Lamp>,
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
    pub(in crate::aurora) left_out: Vec<LeftOut>,
    /// Lamps that the look names and the show has not.
    pub(in crate::aurora) missing: Vec<String>,
}

impl Running {
    pub(super) fn change(&self, profile: &Profile) -> Result<Vec<String>, Error> {
        if let Some(playback) = &self.playback {
            playback.change(profile)?;
        }
        self.desk.change(profile)
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.playback.as_ref().map(Playback::place)
    }

    pub(super) async fn reports(&self) -> Vec<LampReport> {
        let mut reports = self.playing.report().await;
        self.groups.iter().for_each(|group| group.correct(&self.lamps, &mut reports));
        reports
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
        let (groups, left_out) = self.take(caller, &mut lamps).await?;
        let (show, desk) = Show::new(fixtures(&lamps), &self.look(), SEED)?;
        desk.limit_flashes(self.config().limit_flashes);
        let missing = desk.change(&self.look())?;
        let joined = self.shared.listening.join();
        let posts = groups.iter().flat_map(|group| group.posts(&lamps)).collect();
        let teller = Box::new(Teller(self.shared.listening.reader())) as Box<dyn lamps::Hear>;
        let told = lamps.iter().any(|lamp| lamp.kind == Kind::WledSync);
        let names = lamps.iter().map(|lamp| lamp.name.clone()).collect();
        let (painter, exchange) = Painter::new(show, self.shared.listening.reader());
        let play = lamps::Show {
            config: self.config().lights(lamps.clone()),
            paint: Box::new(painter),
            hear: told.then_some(teller),
            posts,
            clock: Box::new(Wakeful(self.shared.listening.reader())),
        };
        let playing = self.shared.lamps.play(play).await?;
        let by = caller.name.to_string();
        *running = Some(Running {
            playing,
            desk,
            exchange,
            playback: None,
            groups,
            lamps,
            by,
            _joined: joined,
        });
        Ok(Started { lamps: names, left_out, missing })
    }

    /// Ends the running show; the lamps get back what they showed before.
    ///
    /// # Errors
    /// Conflict when none runs; Broken when it had ended by a fault of its own.
    pub(in crate::aurora) async fn end(&self) -> Result<(), Error> {
        let mut running = self.shared.running.lock().await;
        let Some(Running { playing, groups, lamps, .. }) = running.take() else {
            return Err(Error::conflict("no show is running"));
        };
        let ended = playing.stop().await;
        for group in groups {
            group.close(&lamps, self.shared.lamps.latencies()).await;
        }
        ended
    }

    /// Who started the running show.
    pub(in crate::aurora) async fn runs(&self) -> Option<String> {
        self.shared.running.lock().await.as_ref().map(|running| running.by.clone())
    }
}
