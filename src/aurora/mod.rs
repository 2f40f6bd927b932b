//! Aurora: music becomes light. So far: which sound inputs this machine has, listening to them
//! ([`listen`]), and the analysis of live sound and of files ([`analyse`] says how), through one code.
//!
//! Sound comes through alsa-lib, which is linked into the static binary; without the cargo feature
//! `alsa` the program builds without it and says so when asked.

pub mod analyse;
#[cfg(feature = "alsa")]
mod cards;
pub mod clock;
mod config;
mod face;
mod file;
pub mod lamps;
mod latest;
mod levels;
pub mod light;
mod lines;
pub mod listen;
pub mod moment;
mod priority;
mod routes;
#[cfg(all(feature = "alsa", target_env = "musl"))]
mod rules;
mod sample;
pub mod show;
mod status;
mod studio;
pub mod timeline;
mod tools;

pub use config::{Config, ENV, RANGES};
pub use face::{gather, page};
pub use routes::{API, routes};
pub use studio::{Aurora, Base};

use crate::error::Error;
use crate::mcp::Toolbox;
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
    /// What it can, of what Hearth reads; nothing when it could not be asked.
    pub can: Option<Abilities>,
    /// Why it could not be asked: another program has it, or this user may not.
    pub why: Option<String>,
}

/// What a sound input can do, as far as Hearth can use it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Abilities {
    /// ALSA's words for the formats that Hearth reads: `S16_LE`, `S24_3LE`, `S24_LE`, `S32_LE`.
    pub formats: Vec<String>,
    /// Samples in a second, of 44,100, 48,000 and 96,000.
    pub rates: Vec<u32>,
    /// The least and the most channels.
    pub channels: [u32; 2],
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

/// The names of the sound cards' inputs; none without ALSA.
///
/// # Errors
/// Broken when ALSA fails.
fn input_names() -> Result<Vec<String>, Error> {
    #[cfg(feature = "alsa")]
    return cards::names();
    #[cfg(not(feature = "alsa"))]
    Ok(Vec::new())
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

/// Listens to an input for a while and writes what comes: a line a second, and at the end what is to
/// be said of it.
///
/// # Errors
/// Invalid: no name of an input. Offline: it is not there, nothing or only silence came, or it went
/// away. Broken: `out`, or the file that it is saved to, failed.
pub fn test_input(test: &listen::Test<'_>, out: &mut dyn Write) -> Result<(), Error> {
    listen::meter::test(test, out)
}

/// Hands in the tools.
pub fn offer(aurora: &Aurora, toolbox: &Toolbox) {
    toolbox.add_tools(tools::tools(aurora));
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
