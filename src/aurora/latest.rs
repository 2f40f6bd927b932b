//! The latest value of some words, from one thread that must not wait to one that may look again.
//!
//! A count stands beside the words: odd while they are being written, 0 before the first (a sequence
//! lock: Boehm 2012, "Can seqlocks get along with programming language memory models?"). The words are
//! atomics, so that reading them while they are written is defined, if useless.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

/// A reader that meets the writer looks again so often, and else at its next turn.
const TRIES: u32 = 100;

/// The slot: one writer, any number of readers, of which each keeps its place.
#[derive(Debug)]
pub(super) struct Latest<const N: usize> {
    turn: AtomicU64,
    words: [AtomicU64; N],
}

impl<const N: usize> Default for Latest<N> {
    fn default() -> Latest<N> {
        let words = std::array::from_fn(|_| AtomicU64::new(0));
        Latest { turn: AtomicU64::new(0), words }
    }
}

impl<const N: usize> Latest<N> {
    /// Puts a value in place of the one before. For one thread; it never waits.
    pub(super) fn put(&self, words: [u64; N]) {
        let turn = self.turn.load(Relaxed);
        self.turn.store(turn + 1, Relaxed);
        // The odd count is out before any of the words.
        fence(Release);
        for (cell, word) in self.words.iter().zip(words) {
            cell.store(word, Relaxed);
        }
        self.turn.store(turn + 2, Release);
    }

    /// Returns the value when it is newer than `place`.
    pub(super) fn take(&self, place: &mut u64) -> Option<[u64; N]> {
        for _ in 0..TRIES {
            let turn = self.turn.load(Acquire);
            if turn == *place || turn == 0 {
                return None;
            }
            if turn % 2 == 1 {
                std::hint::spin_loop();
                continue;
            }
            let words = std::array::from_fn(|k| self.words[k].load(Relaxed));
            fence(Acquire);
            if self.turn.load(Relaxed) == turn {
                *place = turn;
                return Some(words);
            }
        }
        None
    }
}
