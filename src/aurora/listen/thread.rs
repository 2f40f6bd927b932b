//! The one thread that reads sound: idle while nobody listens, then open, read, analyse, publish.

use crate::aurora::analyse::{Frame, Settings};
use crate::aurora::clock;
use crate::aurora::listen::hearing::{Hearing, Shelf};
use crate::aurora::listen::report::Doing;
use crate::aurora::listen::source::{Got, PIECE, Source, open};
use crate::aurora::listen::{Shared, Turn};
use crate::aurora::priority;
use crate::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// An input that is not there is tried again after so long.
pub(super) const AGAIN: Duration = Duration::from_millis(500);

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
    let ended = loop {
        if !shared.is_wanted(turn) {
            break Ended::Left;
        }
        match hop(shared, &mut *source, hearing.as_mut(), &mut shelf, &mut piece) {
            Ok(true) => {}
            Ok(false) => break Ended::Over,
            Err(e) => {
                *lost = true;
                break Ended::Away(e);
            }
        }
    };
    // Nobody must take the last frame for what is heard from now on.
    shared.slot.write(&Frame::default(), clock::now());
    ended
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
    let is_raised = priority::raise(priority::EAR);
    match is_raised {
        true => log::info!("sound is read with real-time priority {}", priority::EAR),
        false => log::info!(
            "sound is read with normal priority, as this user may not ask for more; allow it with \
             LimitRTPRIO=10 (systemd), --ulimit rtprio=10 (Docker) or /etc/security/limits.conf"
        ),
    }
    is_raised
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::listen::counted::allocations;
    use crate::aurora::listen::{Config, Listening};
    use crate::aurora::sample::Song;
    use crate::events::Events;
    use crate::tasks::Tasks;

    /// Music as a card would give it: in periods, with an overrun and pauses.
    struct Periods {
        song: Song,
        count: u32,
        at: f64,
    }

    impl Source for Periods {
        fn name(&self) -> &str {
            "periods"
        }

        fn rate(&self) -> Option<u32> {
            Some(Song::RATE)
        }

        fn form(&self) -> String {
            "periods".into()
        }

        fn read(&mut self, into: &mut [f32; PIECE]) -> Result<Got<'_>, Error> {
            self.count += 1;
            if self.count == 700 {
                self.at += 0.3;
                return Ok(Got::Overrun);
            }
            if self.count == 900 {
                return Ok(Got::Nothing);
            }
            self.song.render(&mut into[..256]);
            self.at += 256.0 / f64::from(Song::RATE);
            Ok(Got::Sound { count: 256, at: self.at })
        }
    }

    #[tokio::test]
    async fn a_hop_allocates_nothing() {
        assert!(allocations(|| drop(std::hint::black_box(vec![1u8; 100]))) > 0, "it is counted");
        let tasks = Tasks::new(Events::new());
        let listening = Listening::start(&Config::default(), &tasks).unwrap();
        let shared = &listening.shared;
        let mut source = Periods { song: Song::default(), count: 0, at: clock::now() };
        let mut hearing = Hearing::new(Song::RATE, Settings::default()).unwrap();
        for delay in [0.0, 0.5] {
            let (mut shelf, mut piece) = (Shelf::new(delay), [0.0; PIECE]);
            let mut reader = listening.reader();
            let before = shared.slot.written();
            let count = allocations(|| {
                for _ in 0..2_000 {
                    let hop = hop(shared, &mut source, Some(&mut hearing), &mut shelf, &mut piece);
                    assert!(matches!(hop, Ok(true)));
                    while reader.next().is_some() {}
                }
            });
            assert_eq!(count, 0, "allocations in 2000 reads, with a delay of {delay} s");
            assert!(shared.slot.written() - before > 900, "and it was heard");
        }
        assert_eq!(listening.report().overruns, 1);
        tasks.stop().await;
    }
}
