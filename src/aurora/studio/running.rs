//! A show that runs: from the lamps that were named to the thread that paints them, and back.

use super::painter::{Exchange, Painter, Teller, Wakeful};
use super::playback::{Place, Playback};
use super::taken::{LeftOut, Taken};
use super::{Aurora, fixtures, whole_house};
use crate::aurora::Config;
use crate::aurora::lamps::{self, Kind, Lamp, LampReport, Playing};
use crate::aurora::listen::Joined;
use crate::aurora::show::{Desk, Profile, Show};
use crate::error::Error;
use crate::policy::Caller;
use std::sync::Arc;

/// The seed of shows: the same music gives the same lights.
const SEED: u32 = 1;

/// What changes a running show: its look, and what it follows.
type Director = (Desk, Arc<Exchange>);
/// Who paints, and what changes that.
type Made = (Box<dyn lamps::Paint>, Option<Director>);

/// The show, for as long as it runs.
pub(super) struct Running {
    playing: Playing,
    /// Changes what is painted; a test has none.
    pub(super) director: Option<Director>,
    pub(super) playback: Option<Playback>,
    taken: Taken,
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
        self.director.as_ref().map_or(Ok(Vec::new()), |(desk, _)| desk.change(profile))
    }

    pub(super) fn place(&self) -> Option<Place> {
        self.playback.as_ref().map(Playback::place)
    }

    pub(super) async fn reports(&self) -> Vec<LampReport> {
        let mut reports = self.playing.report().await;
        self.taken.correct(&self.lamps, &mut reports);
        reports
    }
}

impl Aurora {
    /// Starts a show of this look on these lamps, on all of the house when none are named.
    ///
    /// # Errors
    /// NotFound for a lamp that is not there; Conflict when a show runs; Refused for lamps that the
    /// caller may not use; Invalid when there are none.
    pub(in crate::aurora) async fn begin(
        &self,
        caller: &Caller,
        names: &[String],
        look: &Profile,
    ) -> Result<Started, Error> {
        let mut running = self.shared.running.lock().await;
        if let Some(running) = &*running {
            return Err(Error::conflict(format!(
                "a show is running, started by '{}'; stop it first with aurora_stop",
                running.by
            )));
        }
        if let Some(lamp) = self.tested().await {
            return Err(Error::conflict(format!(
                "a tap test of '{lamp}' runs; end it with aurora_calibrate, action end, or wait a minute"
            )));
        }
        let mut lamps = self.shared.roster.named(names)?;
        if names.is_empty() {
            self.hide(caller, &mut lamps);
        }
        // A lamp that nothing is painted for is not taken: it would be dark for no reason.
        let (lamps, bare): (Vec<Lamp>, Vec<Lamp>) =
            lamps.into_iter().partition(|lamp| look.paints(&lamp.name));
        if lamps.is_empty() && !bare.is_empty() {
            return Err(Error::invalid(format!(
                "the look '{}' has no zone for these lamps; start with an effect, or choose another \
                 look (aurora_profiles, action reset, has all lamps)",
                look.name
            )));
        }
        let mut bare: Vec<LeftOut> = bare
            .into_iter()
            .map(|lamp| (lamp.name, "it is in no zone of the look".to_owned()))
            .collect();
        let listening = &self.shared.listening;
        let mut missing = Vec::new();
        let (own, mut left_out) = self
            .open(caller, lamps, |lamps, config| {
                let (show, desk) = Show::new(fixtures(lamps), look, SEED)?;
                desk.limit_flashes(config.limit_flashes);
                missing = desk.change(look)?;
                let (painter, exchange) = Painter::new(show, listening.reader());
                Ok((Box::new(painter), Some((desk, exchange))))
            })
            .await?;
        let lamps = own.lamps.iter().map(|lamp| lamp.name.clone()).collect();
        *running = Some(own);
        left_out.append(&mut bare);
        Ok(Started { lamps, left_out, missing })
    }

    /// Takes lamps and lets whoever `make` returns paint those that can be taken.
    ///
    /// # Errors
    /// As [`Aurora::begin`].
    pub(super) async fn open(
        &self,
        caller: &Caller,
        mut lamps: Vec<Lamp>,
        make: impl FnOnce(&[Lamp], &Config) -> Result<Made, Error>,
    ) -> Result<(Running, Vec<LeftOut>), Error> {
        if lamps.iter().any(|lamp| lamp.kind != Kind::Home) {
            whole_house(caller)?;
        }
        if lamps.is_empty() {
            return Err(Error::invalid(
                "there are no lamps: name lights of Home Assistant, like light.sofa, or add lamps \
                 with aurora_lamps",
            ));
        }
        let (taken, left_out) = self.take(caller, &mut lamps).await?;
        let listening = &self.shared.listening;
        let (paint, director) = make(&lamps, self.config())?;
        let joined = listening.join();
        let teller = Box::new(Teller(listening.reader())) as Box<dyn lamps::Hear>;
        let told = lamps.iter().any(|lamp| lamp.kind == Kind::WledSync);
        let play = lamps::Show {
            config: self.config().lights(lamps.clone()),
            paint,
            hear: told.then_some(teller),
            posts: taken.posts(&lamps, self.lamps().latencies()),
            clock: Box::new(Wakeful(listening.reader())),
        };
        let playing = self.shared.lamps.play(play).await?;
        let (by, playback) = (caller.name.to_string(), None);
        let _joined = joined;
        Ok((Running { playing, director, playback, taken, lamps, by, _joined }, left_out))
    }

    /// Ends the running show; the lamps get back what they showed before.
    ///
    /// # Errors
    /// Conflict when none runs; Broken when it had ended by a fault of its own.
    pub(in crate::aurora) async fn end(&self) -> Result<(), Error> {
        let mut running = self.shared.running.lock().await;
        match running.take() {
            Some(own) => self.shut(own).await,
            None => match self.tested().await {
                Some(lamp) => self.tap_end(&lamp).await.map(drop),
                None => Err(Error::conflict("no show is running")),
            },
        }
    }

    /// Ends a show or a test.
    pub(super) async fn shut(&self, own: Running) -> Result<(), Error> {
        let Running { playing, taken, lamps, .. } = own;
        let ended = playing.stop().await;
        taken.close(&lamps, self.lamps().latencies()).await;
        ended
    }

    /// Whether a caller may change what Aurora does: with a token for some entities only the show that it
    /// started itself.
    ///
    /// # Errors
    /// Refused when not.
    pub(in crate::aurora) async fn may_direct(&self, caller: &Caller) -> Result<(), Error> {
        match self.runs().await {
            Some(by) if *by == *caller.name => Ok(()),
            _ => whole_house(caller),
        }
    }

    /// Who started the running show.
    pub(in crate::aurora) async fn runs(&self) -> Option<String> {
        self.shared.running.lock().await.as_ref().map(|running| running.by.clone())
    }
}
