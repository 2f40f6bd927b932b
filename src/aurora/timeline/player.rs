//! The player: where in a timeline the music is. It is told the time and never asks for it, so it can
//! be asked about any time near now: a lamp that is slow asks a little ahead.

use crate::error::Error;

/// A player of one timeline. Small enough to be copied to whoever paints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Player {
    length: f64,
    run: Run,
    /// What is played again and again: from and to.
    looped: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Run {
    Stopped,
    Paused(f64),
    /// Since this time of the clock, from this position, so many seconds of it in a second.
    Playing {
        since: f64,
        from: f64,
        rate: f64,
    },
}

/// What a player does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was started, or it was ended.
    Stopped,
    /// It stands.
    Paused,
    /// It goes.
    Playing,
    /// It has come to the end.
    Over,
}

impl State {
    /// The word for it in answers.
    pub const fn word(self) -> &'static str {
        match self {
            State::Stopped => "stopped",
            State::Paused => "paused",
            State::Playing => "playing",
            State::Over => "over",
        }
    }
}

/// Where the music is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    /// Seconds from the beginning of the timeline.
    pub(super) position: f64,
    /// How often the loop has been gone through, and its length.
    pub(super) rounds: f64,
    pub(super) round: f64,
    /// Where the loop begins.
    pub(super) begin: f64,
}

impl Player {
    /// A stopped player of something so many seconds long.
    pub fn new(length: f64) -> Player {
        Player { length: length.max(0.0), run: Run::Stopped, looped: None }
    }

    /// Plays from where it was paused, else from the beginning.
    pub fn play(&mut self, now: f64) {
        let from = match self.state(now) {
            State::Playing => return,
            State::Paused => self.position(now).unwrap_or(0.0),
            State::Stopped | State::Over => self.looped.map_or(0.0, |(from, _)| from),
        };
        self.run = Run::Playing { since: now, from, rate: 1.0 };
    }

    /// Stands still where it is.
    pub fn pause(&mut self, now: f64) {
        if let (State::Playing, Some(at)) = (self.state(now), self.position(now)) {
            self.run = Run::Paused(at);
        }
    }

    /// Ends; the next [`Player::play`] begins anew.
    pub fn stop(&mut self) {
        self.run = Run::Stopped;
    }

    /// Goes to a position, and plays or stands there as before; what is stopped stands there.
    ///
    /// # Errors
    /// Invalid: no position of this timeline.
    pub fn seek(&mut self, now: f64, position: f64) -> Result<(), Error> {
        self.within(position)?;
        self.run = match (self.run, self.state(now)) {
            (Run::Playing { rate, .. }, State::Playing | State::Over) => {
                Run::Playing { since: now, from: position, rate }
            }
            _ => Run::Paused(position),
        };
        Ok(())
    }

    /// Plays `part` (from, to in seconds) again and again, or everything for none; `None` ends that.
    ///
    /// # Errors
    /// Invalid: the part is shorter than a second or not of this timeline.
    pub fn set_loop(&mut self, now: f64, part: Option<Option<(f64, f64)>>) -> Result<(), Error> {
        let looped = match part {
            None => None,
            Some(None) => Some((0.0, self.length)),
            Some(Some((from, to))) => {
                self.within(from)?;
                self.within(to)?;
                if to - from < 1.0 {
                    return Err(Error::invalid(
                        "a loop is at least a second long; set its end later",
                    ));
                }
                Some((from, to))
            }
        };
        // What was gone through counts no longer.
        if let (Run::Playing { rate, .. }, Some(at)) = (self.run, self.position(now)) {
            self.run = Run::Playing { since: now, from: at, rate };
        }
        self.looped = looped.filter(|(from, to)| to - from >= 1.0);
        Ok(())
    }

    /// Goes with music that something else plays: at `now` it was at `position` and went so many
    /// seconds in a second. Rates beyond 0.9 to 1.1 are taken as those.
    pub fn follow(&mut self, now: f64, position: f64, rate: f64) {
        let from = position.clamp(0.0, self.length);
        self.run = Run::Playing { since: now, from, rate: rate.clamp(0.9, 1.1) };
    }

    /// What it does at `now`.
    pub fn state(&self, now: f64) -> State {
        match self.run {
            Run::Stopped => State::Stopped,
            Run::Paused(_) => State::Paused,
            Run::Playing { .. } if self.spot(now).is_some() => State::Playing,
            Run::Playing { .. } => State::Over,
        }
    }

    /// Where it is at `now` (s); none when stopped or over.
    pub fn position(&self, now: f64) -> Option<f64> {
        self.spot(now).map(|spot| spot.position)
    }

    /// How long the timeline is (s).
    pub fn length(&self) -> f64 {
        self.length
    }

    /// What is played again and again.
    pub fn looped(&self) -> Option<(f64, f64)> {
        self.looped
    }

    pub(super) fn spot(&self, now: f64) -> Option<Spot> {
        let straight = match self.run {
            Run::Stopped => return None,
            Run::Paused(at) => at,
            Run::Playing { since, from, rate } => from + (now - since) * rate,
        };
        let (begin, end) = self.looped.unwrap_or((0.0, self.length));
        let round = end - begin;
        if self.looped.is_some() && straight >= end {
            let rounds = ((straight - begin) / round).floor();
            return Some(Spot { position: straight - rounds * round, rounds, round, begin });
        }
        let position = straight.max(0.0);
        // Standing at the very end is still a place.
        let there = position < self.length || matches!(self.run, Run::Paused(_));
        there.then_some(Spot { position, rounds: 0.0, round, begin })
    }

    fn within(&self, position: f64) -> Result<(), Error> {
        if (0.0..=self.length).contains(&position) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{position} s is not in this timeline; it goes from 0 to {:.2} s",
            self.length
        )))
    }
}
