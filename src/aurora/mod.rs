//! Aurora: music becomes light. So far: which sound inputs this machine has, and the analysis of
//! files ([`analyse`] says how), through the code that live sound will go through.
//!
//! Sound comes through alsa-lib, which is linked into the static binary; without the cargo feature
//! `alsa` the program builds without it and says so when asked.

pub mod analyse;
#[cfg(feature = "alsa")]
mod cards;
mod file;
pub mod light;
mod lines;
pub mod moment;
#[cfg(all(feature = "alsa", target_env = "musl"))]
mod rules;
pub mod show;
pub mod timeline;

use crate::error::Error;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

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

/// Writes the beats, downbeats and onsets of a sound file (`-`: standard input), a line each: seconds,
/// what, confidence, with tabs between. `two_way` looks ahead; without it nothing does, and a file cut
/// anywhere gives the same lines up to there.
///
/// # Errors
/// NotFound: there is no such file. Invalid: it is no WAV, FLAC, MP3 or OGG Vorbis, or damaged, or of
/// a rate that is not handled. Limit: longer than three hours with `two_way`. Broken: `out` failed.
pub fn print_beats(path: &Path, two_way: bool, out: impl Write) -> Result<(), Error> {
    lines::beats(path, two_way, out)
}

/// Writes levels and bands of a sound file, a line for each hop of 10 ms, after a line of names.
///
/// # Errors
/// As [`print_beats`].
pub fn print_levels(path: &Path, out: impl Write) -> Result<(), Error> {
    lines::levels(path, out)
}

/// Writes the timeline of a sound file (`-`: standard input) as a document, under the name of the file.
///
/// # Errors
/// As [`timeline::render`]; Broken: `out` failed.
pub fn print_timeline(path: &Path, mut out: impl Write) -> Result<(), Error> {
    let name = path.file_stem().map_or("-".into(), |stem| stem.to_string_lossy());
    let text = timeline::render(path, &name)?.text()?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| Error::broken("cannot write the timeline").because(e))
}
