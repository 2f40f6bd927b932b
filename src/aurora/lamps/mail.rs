//! The way from the show thread to outputs that are slower than it: a slot per lamp in which the latest
//! wish wins, and everything that decides when a wish is sent.
//!
//! The show thread writes ([`Mailbox::put`]) without a lock, an allocation or a system call. One actor
//! per output ([`carrier`]) reads, and asks the [`queue`] what to send. Nothing waits in line: a wish
//! that was not sent when the next one came is gone.

pub mod budget;
pub mod carrier;
pub mod held;
pub(super) mod kept;
pub mod latency;
pub mod queue;

use crate::aurora::latest::Latest;
use crate::aurora::light::Light;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// What a lamp should show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// The colour.
    pub light: Light,
    /// A beat: sent before everything else, and not forgotten when the next wish comes.
    pub accent: bool,
    /// When it is to be seen: seconds of CLOCK_MONOTONIC, now and the lamp's latency.
    pub seen: f64,
}

/// A slot for one lamp: one writer, one reader. Times are seconds of CLOCK_MONOTONIC.
#[derive(Debug)]
pub struct Mailbox {
    latest: Slot,
    accent: Slot,
    /// Seconds as bits of an `f64`; NaN until there is one.
    measured: AtomicU64,
    /// What a person or a tap test says; NaN until they do.
    set: AtomicU64,
    /// What holds until something is measured.
    guess: f64,
}

/// Where a reader stands in a mailbox.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    latest: u64,
    accent: u64,
}

impl Mailbox {
    /// An empty slot for a lamp of which nothing is known but that it takes about `guess` seconds.
    pub fn new(guess: f64) -> Mailbox {
        let nothing = || AtomicU64::new(f64::NAN.to_bits());
        Mailbox {
            latest: Slot::default(),
            accent: Slot::default(),
            measured: nothing(),
            set: nothing(),
            guess,
        }
    }

    /// Puts a wish in place of the one before. For one thread; it never waits.
    pub fn put(&self, wish: Wish) {
        self.latest.put(wish);
        if wish.accent {
            self.accent.put(wish);
        }
    }

    /// Returns what came since `place`: the latest wish, and the latest accent when it is another one.
    pub fn take(&self, place: &mut Place) -> [Option<Wish>; 2] {
        let accent = self.accent.take(&mut place.accent).map(|w| Wish { accent: true, ..w });
        let latest = self.latest.take(&mut place.latest);
        [accent, latest.filter(|wish| !wish.accent)]
    }

    /// Returns how long the lamp takes, in seconds: what was [set](Mailbox::set_latency), else what was
    /// measured, else a guess.
    pub fn latency(&self) -> f64 {
        let read = |bits: &AtomicU64| f64::from_bits(bits.load(Relaxed));
        [read(&self.set), read(&self.measured)]
            .into_iter()
            .find(|s| !s.is_nan())
            .unwrap_or(self.guess)
    }

    /// Returns what the acknowledgements of the lamp show, in seconds.
    pub fn measured(&self) -> Option<f64> {
        let measured = f64::from_bits(self.measured.load(Relaxed));
        (!measured.is_nan()).then_some(measured)
    }

    /// Sets what holds in place of what is measured; `None` takes it back.
    pub fn set_latency(&self, seconds: Option<f64>) {
        self.set.store(seconds.unwrap_or(f64::NAN).to_bits(), Relaxed);
    }

    /// Notes what the acknowledgements show.
    pub(super) fn measure(&self, seconds: f64) {
        self.measured.store(seconds.to_bits(), Relaxed);
    }
}

/// A wish as words: two channels of the colour in the first, the third and the accent in the second.
#[derive(Debug, Default)]
struct Slot(Latest<3>);

impl Slot {
    fn put(&self, wish: Wish) {
        let [r, g, b] = wish.light.0.map(|x| u64::from(x.to_bits()));
        self.0.put([r << 32 | g, b << 32 | u64::from(wish.accent), wish.seen.to_bits()]);
    }

    fn take(&self, place: &mut u64) -> Option<Wish> {
        let [red_green, blue_accent, seen] = self.0.take(place)?;
        let high = |word: u64| f32::from_bits((word >> 32) as u32);
        let light = Light([high(red_green), f32::from_bits(red_green as u32), high(blue_accent)]);
        let accent = blue_accent as u32 != 0;
        Some(Wish { light, accent, seen: f64::from_bits(seen) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::{Acquire, Release};

    fn wish(seen: f64, accent: bool) -> Wish {
        Wish { light: Light([seen as f32; 3]), accent, seen }
    }

    #[test]
    fn the_latest_wish_wins_and_a_beat_is_not_forgotten() {
        let (mailbox, mut place) = (Mailbox::new(0.1), Place::default());
        assert_eq!(mailbox.take(&mut place), [None, None]);
        mailbox.put(wish(1.0, false));
        mailbox.put(wish(2.0, true));
        mailbox.put(wish(3.0, false));
        assert_eq!(mailbox.take(&mut place), [Some(wish(2.0, true)), Some(wish(3.0, false))]);
        assert_eq!(mailbox.take(&mut place), [None, None]);
        mailbox.put(wish(4.0, true));
        assert_eq!(mailbox.take(&mut place), [Some(wish(4.0, true)), None]);
    }

    #[test]
    fn what_a_person_says_counts_before_what_is_measured() {
        let mailbox = Mailbox::new(0.1);
        assert_eq!((mailbox.latency(), mailbox.measured()), (0.1, None));
        mailbox.measure(0.2);
        assert_eq!((mailbox.latency(), mailbox.measured()), (0.2, Some(0.2)));
        mailbox.set_latency(Some(0.3));
        assert_eq!((mailbox.latency(), mailbox.measured()), (0.3, Some(0.2)));
        mailbox.set_latency(None);
        assert_eq!(mailbox.latency(), 0.2);
    }

    #[test]
    fn a_reader_never_sees_half_of_a_wish() {
        let (mailbox, over) = (Mailbox::new(0.1), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut n = 0;
                while !over.load(Acquire) {
                    n += 1;
                    mailbox.put(wish(f64::from(n), n % 50 == 0));
                }
            });
            let (mut place, mut last, mut count) = (Place::default(), 0.0, 0);
            while count < 10_000 {
                for got in mailbox.take(&mut place).into_iter().flatten() {
                    assert_eq!(got.light, Light([got.seen as f32; 3]));
                    if !got.accent {
                        assert!(got.seen > last, "{} came after {last}", got.seen);
                        last = got.seen;
                    }
                    count += 1;
                }
            }
            over.store(true, Release);
        });
    }
}
