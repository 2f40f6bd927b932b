//! The one thread that reads sound: idle while nobody listens, then open, read, analyse, publish.

use crate::aurora::analyse::{Frame, Settings};
use crate::aurora::clock;
use crate::aurora::listen::hearing::{Hearing, Shelf};
use crate::aurora::listen::report::Doing;
use crate::aurora::listen::source::{Got, PIECE, Source, open};
use crate::aurora::listen::{Shared, Turn};
use crate::error::Error;
use nix::libc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// An input that is not there is tried again after so long.
const AGAIN: Duration = Duration::from_millis(500);
/// The priority that is asked for: above everything that is not real-time, below the system's own.
const PRIORITY: i32 = 10;

/// Runs until `stop`.
///
/// # Errors
/// None: what goes wrong with an input is its state.
pub(super) fn run(shared: &std::sync::Arc<Shared>, stop: &CancellationToken) -> Result<(), Error> {
    if shared.notes.priority_is_unknown() {
        shared.notes.priority(is_raised());
    }
    shared.watch(stop);
    let mut lost = false;
    while shared.wait_for_work(stop) {
        let turn = shared.turn();
        let ended = listen(shared, &turn, &mut lost);
        shared.slot.write(&Frame::default(), clock::now());
        match ended {
            Ended::Left => {
                shared.notes.is(Doing::Idle, None);
                shared.status.up();
            }
            Ended::Over => {
                shared.notes.is(Doing::Ended, None);
                shared.status.up();
                shared.wait_for_change(stop, &turn, None);
            }
            Ended::Away(e) => {
                let why = e.to_string();
                shared.notes.is(Doing::Waiting, Some(why.clone()));
                shared.status.degraded(why);
                shared.wait_for_change(stop, &turn, Some(AGAIN));
            }
        }
    }
    Ok(())
}

/// Why listening ended.
enum Ended {
    /// Nobody listens any more, or to something else.
    Left,
    /// The input has ended.
    Over,
    /// It is not there.
    Away(Error),
}

/// Listens to one input for as long as it is wanted. `lost`: it was open and went away.
fn listen(shared: &Shared, turn: &Turn, lost: &mut bool) -> Ended {
    let mut source = match open(&turn.choice, &shared.config) {
        Ok(source) => source,
        Err(e) => return Ended::Away(e),
    };
    let rate = source.rate();
    let settings = Settings { automatic_gain: shared.config.automatic_gain };
    let mut hearing = match rate.map(|rate| Hearing::new(rate, settings)).transpose() {
        Ok(hearing) => hearing,
        Err(e) => return Ended::Away(e),
    };
    shared.notes.opened(source.name(), source.form(), rate);
    shared.status.up();
    if std::mem::take(lost) {
        shared.notes.reopened.fetch_add(1, Ordering::Relaxed);
    }
    let mut shelf = Shelf::new(shared.config.delay_ms as f64 / 1e3);
    let mut piece = [0.0; PIECE];
    while shared.is_wanted(turn) {
        match hop(shared, &mut *source, hearing.as_mut(), &mut shelf, &mut piece) {
            Ok(true) => {}
            Ok(false) => return Ended::Over,
            Err(e) => {
                *lost = true;
                return Ended::Away(e);
            }
        }
    }
    Ended::Left
}

/// Reads once and publishes what came of it; false at the end. Allocates nothing, locks nothing.
fn hop(
    shared: &Shared,
    source: &mut dyn Source,
    hearing: Option<&mut Hearing>,
    shelf: &mut Shelf,
    piece: &mut [f32; PIECE],
) -> Result<bool, Error> {
    let mut publish = |frame: &Frame, at: f64| {
        shelf.step(frame, at, clock::now(), |frame, at| shared.slot.write(frame, at));
    };
    match (source.read(piece)?, hearing) {
        (Got::Sound { count, at }, Some(hearing)) => hearing.sound(&piece[..count], at, publish),
        (Got::Nothing, Some(hearing)) => hearing.silence(clock::now(), publish),
        (Got::Levels(frame, at), _) => publish(frame, at),
        (Got::Overrun, _) => drop(shared.notes.overruns.fetch_add(1, Ordering::Relaxed)),
        (Got::End, _) => return Ok(false),
        (Got::Sound { .. } | Got::Nothing, None) => {}
    }
    Ok(true)
}

/// Asks for real-time priority for the calling thread; whether it was given.
pub(super) fn is_raised() -> bool {
    #[allow(unsafe_code, reason = "nix has no call for the scheduling of one thread")]
    // SAFETY: all zero is a valid `sched_param` (musl has more fields in it than glibc), the thread is
    // the calling one, and the parameters are only read.
    let refused = unsafe {
        let mut how: libc::sched_param = std::mem::zeroed();
        how.sched_priority = PRIORITY;
        libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_FIFO, &raw const how)
    };
    match refused {
        0 => log::info!("sound is read with real-time priority {PRIORITY}"),
        _ => log::info!(
            "sound is read with normal priority, as this user may not ask for more; allow it with \
             LimitRTPRIO=10 (systemd), --ulimit rtprio=10 (Docker) or /etc/security/limits.conf"
        ),
    }
    refused == 0
}
