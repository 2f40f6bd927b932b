//! Where sound comes from: one small trait, and opening what was chosen.

use crate::aurora::analyse::Frame;
use crate::aurora::listen::choice::Choice;
use crate::aurora::listen::config::card_form;
use crate::aurora::listen::mix::Form;
use crate::aurora::listen::{Config, pcm, play, wled};
use crate::error::Error;
use std::time::Duration;

/// Samples in the buffer that a source fills: 10 ms at the highest rate, and a little more.
pub(super) const PIECE: usize = 1_024;
/// A read waits at most so long for sound, so that its thread can be stopped.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// What a read gave.
#[derive(Debug)]
pub(super) enum Got<'a> {
    /// So many samples at the begin of the buffer; the last of them arrived at `at` (seconds of
    /// [`clock`](crate::aurora::clock)).
    Sound {
        /// How many; not zero.
        count: usize,
        /// When the last one arrived.
        at: f64,
    },
    /// Levels without samples, from somebody who analyses himself.
    Levels(&'a Frame, f64),
    /// Nothing yet.
    Nothing,
    #[cfg_attr(not(feature = "alsa"), allow(dead_code, reason = "only cards overrun"))]
    /// Nothing, and what was missed is lost: the machine was too slow (an xrun).
    Overrun,
    /// Nothing will come any more.
    End,
}

/// Something that can be listened to. Between opening and an error it allocates nothing.
pub(super) trait Source: Send {
    /// How it is called, as the settings would name it.
    fn name(&self) -> &str;

    /// Samples in a second; nothing when it has levels only.
    fn rate(&self) -> Option<u32>;

    /// What its sound looks like, for people.
    fn form(&self) -> String;

    /// Waits for sound, at most [`PATIENCE`].
    ///
    /// # Errors
    /// Offline: it went away, and may be opened again when it is back. Others: it will not get better.
    fn read(&mut self, into: &mut [f32; PIECE]) -> Result<Got<'_>, Error>;
}

/// Opens an input.
///
/// # Errors
/// Offline: it is not there, or somebody else has it; it can be tried again. Invalid: it cannot be
/// used as it is, and why.
pub(super) fn open(choice: &Choice, config: &Config) -> Result<Box<dyn Source>, Error> {
    let raw = || Form::parse(&config.pcm_format);
    Ok(match choice {
        Choice::First | Choice::Card(_) => hardware(choice, config)?,
        Choice::Fifo(path) => Box::new(pcm::Stream::fifo(path, raw()?)?),
        Choice::From(address) => Box::new(pcm::Stream::connect(address, raw()?)?),
        Choice::Listen(address) => Box::new(pcm::Stream::listen(*address, raw()?)?),
        Choice::File(path) => Box::new(play::Paced::file(path, config.repeat)?),
        Choice::Sample => Box::new(play::Paced::sample()),
        Choice::Wled(address) => Box::new(wled::Packets::bind(*address)?),
    })
}

#[cfg(feature = "alsa")]
fn hardware(choice: &Choice, config: &Config) -> Result<Box<dyn Source>, Error> {
    use crate::aurora::listen::card::Card;
    let wanted = card_form(config)?;
    if let Choice::Card(hardware) = choice {
        return Ok(Box::new(Card::open(hardware, wanted)?));
    }
    let names = crate::aurora::input_names()?;
    let first = names.first().ok_or_else(|| {
        Error::offline(
            "there is no sound input: plug in a microphone or line-in, or set aurora.input",
        )
    })?;
    match Choice::parse(first)? {
        Choice::Card(hardware) => Ok(Box::new(Card::open(&hardware, wanted)?)),
        _ => Err(Error::broken(format!("ALSA names a card '{first}', which is no hardware"))),
    }
}

#[cfg(not(feature = "alsa"))]
fn hardware(_: &Choice, _: &Config) -> Result<Box<dyn Source>, Error> {
    Err(Error::offline("this hearth was built without ALSA; use a build with the feature 'alsa'"))
}
