//! A timeline that plays in place of what is heard, by itself or after sound that something else plays.

use super::running::Running;
use super::{Aurora, fixtures};
use crate::aurora::clock;
use crate::aurora::listen::Reader;
use crate::aurora::show::{Desk, Profile, Show};
use crate::aurora::timeline::{Deck, Follower, Player, Stage, State, Timeline};
use crate::error::Error;
use crate::policy::Caller;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Between two looks at what was heard, for following; frames are kept for 150 ms.
const LOOK: Duration = Duration::from_millis(80);
const SEED: u32 = 1;
/// A timeline that has come to its end stays there for so long, for whoever wants to go back in it.
const REST: Duration = Duration::from_secs(3);

/// The timeline that plays.
pub(super) struct Playback {
    deck: Deck,
    desk: Desk,
    timeline: Arc<Timeline>,
    /// The show was started for it and ends with it.
    pub(super) alone: bool,
    /// Whether the place is found in what is heard; none when nobody looks for it.
    found: Option<Arc<AtomicBool>>,
    /// Follows what is heard until this is dropped.
    _follows: Option<DropGuard>,
    /// Waits for the end until this is dropped.
    _ends: DropGuard,
}

/// What is played, and how.
#[derive(Clone, Debug, Default)]
pub(in crate::aurora) struct Wanted {
    pub(in crate::aurora) timeline: String,
    /// From here on (s).
    pub(in crate::aurora) position: f64,
    /// Again and again.
    pub(in crate::aurora) looped: bool,
    /// After the sound that is really heard.
    pub(in crate::aurora) follow: bool,
    /// The lamps, when no show runs yet.
    pub(in crate::aurora) lamps: Vec<String>,
}

/// Where a timeline is.
#[derive(Clone, Debug)]
pub(in crate::aurora) struct Place {
    pub(in crate::aurora) timeline: Arc<Timeline>,
    pub(in crate::aurora) player: Player,
    /// Whether it is found in what is heard; none when it is not to follow.
    pub(in crate::aurora) found: Option<bool>,
}

/// What can be done to a timeline that plays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::aurora) enum Act {
    Pause,
    Resume,
    Stop,
    /// To this second.
    Seek(f64),
    /// Whether it begins again at its end.
    Loop(bool),
}

impl Playback {
    pub(super) fn change(&self, profile: &Profile) -> Result<(), Error> {
        self.desk.change(profile).map(drop)
    }

    pub(super) fn place(&self) -> Place {
        let found = self.found.as_ref().map(|found| found.load(Ordering::Relaxed));
        Place { timeline: self.timeline.clone(), player: self.deck.player(), found }
    }
}

impl Aurora {
    /// Plays a timeline of the library on the lamps of the running show, or on these.
    ///
    /// # Errors
    /// NotFound for a timeline that is not there; Invalid for a position beyond its end; as
    /// [`Aurora::begin`].
    pub(in crate::aurora) async fn play(
        &self,
        caller: &Caller,
        wanted: Wanted,
    ) -> Result<Place, Error> {
        let timeline = Arc::new(self.library().load(&wanted.timeline)?);
        let mut player = Player::new(timeline.seconds);
        player.seek(0.0, wanted.position)?;
        // The look that was saved with it is shown for as long as it plays, and is not chosen for later.
        let look = self.shelf().load(&wanted.timeline).unwrap_or_else(|_| self.look());
        let alone = self.runs().await.is_none();
        if alone {
            self.begin(caller, &wanted.lamps, &look).await?;
        } else {
            self.may_direct(caller).await?;
        }
        let mut running = self.shared.running.lock().await;
        let Some(running) = running.as_mut() else {
            return Err(Error::conflict("the show was stopped meanwhile; play it again"));
        };
        let alone = alone || running.playback.as_ref().is_some_and(|old| old.alone);
        let lamps = fixtures(&running.lamps);
        let count = lamps.len();
        let (show, desk) = Show::new(lamps, &look, SEED)?;
        desk.limit_flashes(self.config().limit_flashes);
        let (stage, deck) = Stage::new(show, timeline.clone(), count);
        let now = clock::now();
        deck.change(|player| {
            player.seek(now, wanted.position)?;
            player.set_loop(now, wanted.looped.then_some(None))?;
            player.play(now);
            Ok::<(), Error>(())
        })?;
        let found = wanted.follow.then(Arc::<AtomicBool>::default);
        let follows = found.as_ref().map(|found| self.follow(&timeline, &deck, found.clone()));
        if let Some((_, exchange)) = &running.director {
            exchange.put(Some(Box::new(stage)));
        }
        let ends = self.end_with(&deck);
        let playback =
            Playback { deck, desk, timeline, alone, found, _follows: follows, _ends: ends };
        let place = playback.place();
        running.playback = Some(playback);
        Ok(place)
    }

    /// Moves the timeline with the sound that is heard, for as long as what this returns lives.
    fn follow(&self, timeline: &Timeline, deck: &Deck, place: Arc<AtomicBool>) -> DropGuard {
        let stop = CancellationToken::new();
        let (mut follower, deck) = (Follower::new(timeline), deck.clone());
        let mut heard: Reader = self.listening().reader();
        let until = stop.clone();
        self.tasks().job(async move {
            let mut ticks = tokio::time::interval(LOOK);
            while !until.is_cancelled() {
                tokio::select! {
                    () = until.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                while let Some(heard) = heard.next() {
                    follower.hear(&heard.frame, heard.at);
                }
                place.store(follower.found().is_some(), Ordering::Relaxed);
                if let Some(found) = follower.found() {
                    deck.change(|player| player.follow(found.clock, found.position, found.rate));
                }
            }
        });
        stop.drop_guard()
    }

    /// Stops the timeline some seconds after its end, for as long as what this returns lives: lamps that
    /// were taken for a song get back what they showed.
    fn end_with(&self, deck: &Deck) -> DropGuard {
        let stop = CancellationToken::new();
        let (aurora, deck, until) = (self.clone(), deck.clone(), stop.clone());
        self.tasks().job(async move {
            let mut over: Option<Instant> = None;
            while over.is_none_or(|since| since.elapsed() < REST) {
                tokio::select! {
                    () = until.cancelled() => return,
                    () = tokio::time::sleep(REST / 6) => {}
                }
                over = (deck.player().state(clock::now()) == State::Over)
                    .then(|| over.unwrap_or_else(Instant::now));
            }
            // Another may play by now.
            let ended = aurora.leave(|playback| playback.deck.moves_same(&deck)).await;
            if let Err(e) = ended {
                log::debug!("a timeline that was over: {e}");
            }
        });
        stop.drop_guard()
    }

    /// Pauses, resumes, stops or moves the timeline that plays.
    ///
    /// # Errors
    /// Conflict when none plays; Invalid for a position beyond its end.
    pub(in crate::aurora) async fn act(&self, act: Act) -> Result<Option<Place>, Error> {
        if act == Act::Stop {
            return self.leave(|_| true).await.map(|()| None);
        }
        let running = self.shared.running.lock().await;
        let playback = running.as_ref().and_then(|show| show.playback.as_ref());
        let playback = playback.ok_or_else(none_plays)?;
        let now = clock::now();
        match act {
            Act::Pause => playback.deck.change(|player| player.pause(now)),
            Act::Resume => playback.deck.change(|player| player.play(now)),
            Act::Seek(position) => playback.deck.change(|player| player.seek(now, position))?,
            Act::Loop(on) => {
                playback.deck.change(|player| player.set_loop(now, on.then_some(None)))?;
            }
            Act::Stop => {}
        }
        Ok(Some(playback.place()))
    }

    /// Ends the timeline that plays, if it is the one that is meant, and with it the show that was started
    /// for it alone.
    async fn leave(&self, is_meant: impl FnOnce(&Playback) -> bool) -> Result<(), Error> {
        let mut running = self.shared.running.lock().await;
        let show = running.as_mut().ok_or_else(none_plays)?;
        let playback = show.playback.as_ref().filter(|playback| is_meant(playback));
        if !playback.ok_or_else(none_plays)?.alone {
            if let Some((_, exchange)) = &show.director {
                exchange.put(None);
            }
            show.playback = None;
            return Ok(());
        }
        match running.take() {
            Some(own) => self.shut(own).await,
            None => Ok(()),
        }
    }

    /// Where the timeline is that plays.
    pub(in crate::aurora) async fn playback(&self) -> Option<Place> {
        let running = self.shared.running.lock().await;
        running.as_ref().and_then(Running::place)
    }

    /// As [`Aurora::playback`], when that can be said at once.
    pub(in crate::aurora) fn playback_now(&self) -> Option<Place> {
        self.shared.running.try_lock().ok()?.as_ref().and_then(Running::place)
    }
}

fn none_plays() -> Error {
    Error::conflict("no timeline plays; aurora_play_timeline starts one")
}

impl Place {
    /// What it does now.
    pub(in crate::aurora) fn state(&self) -> State {
        self.player.state(clock::now())
    }

    /// Where it is now (s).
    pub(in crate::aurora) fn position(&self) -> f64 {
        match self.state() {
            State::Over => self.timeline.seconds,
            _ => self.player.position(clock::now()).unwrap_or_default(),
        }
    }
}
