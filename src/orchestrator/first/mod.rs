//! The first process of every sandbox: `hearth sandbox-first`, a subcommand that people never type.
//!
//! Hearth has many threads and so never forks itself; it starts its own binary anew, which does what
//! the kernel lets only a single-threaded process do to itself. Two stages make a sandbox of the
//! kernel's own means: the *outer* one stays outside, dies with Hearth, and ends all that is inside;
//! the *inner* one puts up the guards and starts the server behind them. In a container one stage is
//! enough: the engine has put up the guards, and only the environment is to be taken from stdin.
//!
//! It runs before anything else of Hearth does, with one thread. Secrets come in a frame on stdin and
//! are in no argument and on no disk.

mod contained;
mod filter;
mod frame;
mod guard;
mod inner;
mod net;
mod outer;
mod plan;
mod reap;
mod root;
mod trial;

pub use filter::apply as apply_filter;
pub(crate) use guard::SYSTEM;
pub use plan::{Filter, Guards, Inner, Limits, Outer, Run, Said};
pub(crate) use root::BINARY;

pub(crate) use frame::{MOST as FRAME_MAX, make as make_frame};

use std::ffi::OsString;
use std::process::ExitCode;

/// The subcommand's name.
pub const NAME: &str = "sandbox-first";
/// Exit code of a first process that could not do its part: as shells say it, 126 is "cannot run".
const FAILED: u8 = 126;

/// Runs as the first process when the command line says so; `None` when it is an ordinary one.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter();
    if arguments.next()? != NAME {
        return None;
    }
    let rest: Vec<OsString> = arguments.collect();
    let stage = rest.first().and_then(|word| word.to_str());
    let done = match stage {
        Some("--outer") => outer::run(),
        Some("--inner") => inner::run(),
        Some("--wait") => trial::run(),
        _ => contained::run(rest),
    };
    Some(done.unwrap_or_else(|words| {
        eprintln!("hearth {NAME}: {words}");
        ExitCode::from(FAILED)
    }))
}
