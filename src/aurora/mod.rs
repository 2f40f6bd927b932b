//! Aurora: music becomes light. So far: which sound inputs this machine has.
//!
//! Sound comes through alsa-lib, which is linked into the static binary; without the cargo feature
//! `alsa` the program builds without it and says so when asked.

#[cfg(feature = "alsa")]
mod cards;
#[cfg(all(feature = "alsa", target_env = "musl"))]
mod rules;

use crate::error::Error;
use serde::Serialize;

/// A sound input that can be listened to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Input {
    /// The name that ALSA opens, by card id so that it survives a reboot: `hw:CARD=Device,DEV=0`.
    pub name: String,
    /// The card's name for people.
    pub card: String,
    /// The device's name for people.
    pub device: String,
}

/// Prepares alsa-lib. Call it first in `main`, before any thread exists.
///
/// A static alsa-lib opens no device without a configuration file, and the files that distributions
/// ship make it fail, so the static binary brings its own.
///
/// # Errors
/// Broken: the system gives neither a memfd nor `/proc`.
pub fn prepare() -> Result<(), Error> {
    #[cfg(all(feature = "alsa", target_env = "musl"))]
    rules::embed()?;
    Ok(())
}

/// Lists the sound inputs of this machine.
///
/// # Errors
/// Offline when built without ALSA; Broken when ALSA fails.
pub fn inputs() -> Result<Vec<Input>, Error> {
    #[cfg(feature = "alsa")]
    return cards::inputs();
    #[cfg(not(feature = "alsa"))]
    Err(Error::offline("this hearth was built without ALSA; use a build with the feature 'alsa'"))
}
