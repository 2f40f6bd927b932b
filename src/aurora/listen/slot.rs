//! The newest frames, from one thread that must not wait to any number that may.
//!
//! A ring of places, each guarded by a count that is odd while it is written (a sequence lock: Boehm
//! 2012, "Can seqlocks get along with programming language memory models?", figure 6). The writer
//! never waits and never fails; a reader that was overtaken reads again, and one that slept through
//! the whole ring goes on with what is left. Everything in a place is an atomic word, so that reading
//! one while it is written is defined, if useless.

use crate::aurora::analyse::Frame;
use crate::aurora::listen::pack::{WORDS, pack, unpack};
use crate::aurora::listen::wake::Bell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// How many frames a reader may be behind before it misses one: 160 ms.
const PLACES: u64 = 16;

/// What was heard in a hop.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// What the analysis made of it.
    pub frame: Frame,
    /// When its last sample was heard: seconds of [`clock`](crate::aurora::clock).
    pub at: f64,
}

struct Place {
    turn: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// The ring.
pub(super) struct Slot {
    places: [Place; PLACES as usize],
    /// How many frames were written since the beginning.
    written: AtomicU64,
    pub(super) bell: Arc<Bell>,
}

impl Slot {
    pub(super) fn new() -> Slot {
        let place = |_| Place {
            turn: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        };
        Slot {
            places: std::array::from_fn(place),
            written: AtomicU64::new(0),
            bell: Arc::default(),
        }
    }

    /// Adds a frame and wakes whoever waits for one. One thread only may call it.
    pub(super) fn write(&self, frame: &Frame, at: f64) {
        let number = self.written.load(Ordering::Relaxed);
        let place = &self.places[(number % PLACES) as usize];
        let words = pack(frame, at);
        // Odd: being written. Even: the number of the frame after this one, doubled.
        place.turn.store(2 * number + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        for (cell, word) in place.words.iter().zip(words) {
            cell.store(word, Ordering::Relaxed);
        }
        place.turn.store(2 * number + 2, Ordering::Release);
        self.written.store(number + 1, Ordering::Release);
        self.bell.ring();
    }

    /// How many frames were written.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// The frame of this number, while it is kept.
    fn read(&self, number: u64) -> Option<Heard> {
        let place = &self.places[(number % PLACES) as usize];
        if place.turn.load(Ordering::Acquire) != 2 * number + 2 {
            return None;
        }
        let words = std::array::from_fn(|k| place.words[k].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        if place.turn.load(Ordering::Relaxed) != 2 * number + 2 {
            return None;
        }
        let (frame, at) = unpack(&words);
        Some(Heard { frame, at })
    }

    /// The newest frame; nothing before the first.
    pub(super) fn latest(&self) -> Option<Heard> {
        loop {
            let written = self.written();
            if let Some(heard) = self.read(written.checked_sub(1)?) {
                return Some(heard);
            }
        }
    }

    /// The frame after those that were read, and how many there are before the one after it. A reader
    /// that is too far behind goes on with the oldest that is still there.
    pub(super) fn after(&self, read: u64) -> Option<(Heard, u64)> {
        loop {
            let written = self.written();
            // One place may be being written.
            let next = read.max((written + 1).saturating_sub(PLACES));
            if next >= written {
                return None;
            }
            if let Some(heard) = self.read(next) {
                return Some((heard, next + 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn frame(number: u64) -> Frame {
        let x = number as f32;
        Frame {
            seconds: number as f64,
            sixteen: [x; 16],
            chroma: [x; 12],
            likely: [x; 2],
            ..Frame::default()
        }
    }

    fn is_whole(heard: &Heard) -> bool {
        let x = heard.frame.seconds as f32;
        let frame = &heard.frame;
        heard.at == frame.seconds
            && frame.sixteen == [x; 16]
            && frame.chroma == [x; 12]
            && frame.likely == [x; 2]
    }

    #[test]
    fn readers_get_each_frame_once_and_in_order_until_they_are_too_late() {
        let slot = Slot::new();
        assert!(slot.latest().is_none() && slot.after(0).is_none());
        let mut read = 0;
        for number in 0..5 {
            slot.write(&frame(number), number as f64);
        }
        for number in 0..5 {
            let (heard, next) = slot.after(read).unwrap();
            assert_eq!((heard.at, next), (number as f64, number + 1));
            read = next;
        }
        assert!(slot.after(read).is_none());
        for number in 5..105 {
            slot.write(&frame(number), number as f64);
        }
        let (heard, _) = slot.after(read).unwrap();
        assert_eq!(heard.at, 90.0, "15 are left");
        assert_eq!(slot.latest().unwrap().at, 104.0);
    }

    #[test]
    fn no_reader_ever_sees_half_a_frame() {
        let (slot, done) = (Slot::new(), AtomicBool::new(false));
        let read = || {
            let (mut read, mut last, mut seen) = (0, -1.0, 0u32);
            while !done.load(Ordering::Relaxed) {
                if let Some((heard, next)) = slot.after(read) {
                    assert!(is_whole(&heard), "{heard:?}");
                    assert!(heard.at > last, "{} after {last}", heard.at);
                    (read, last) = (next, heard.at);
                    seen += 1;
                }
                if let Some(heard) = slot.latest() {
                    assert!(is_whole(&heard), "{heard:?}");
                }
            }
            seen
        };
        std::thread::scope(|scope| {
            let readers = [scope.spawn(read), scope.spawn(read)];
            for number in 0..200_000 {
                slot.write(&frame(number), number as f64);
            }
            done.store(true, Ordering::Relaxed);
            for reader in readers {
                assert!(reader.join().unwrap() > 0);
            }
        });
    }
}
