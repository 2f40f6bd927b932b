//! The slot between the show thread and a bridge: colours of all channels at once, the latest wins.

use crate::aurora::light::Light;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

/// A bridge takes so many channels.
pub(super) const CHANNELS: usize = 20;
/// Light goes with about this power of what bridges are told: they expect sRGB.
const GAMMA: f32 = 2.2;
/// A reader that meets the writer looks again so often, and else at its next turn.
const TRIES: u32 = 100;

/// Colours of a bridge's channels: one writer, one reader.
#[derive(Debug, Default)]
pub struct Picture {
    /// Odd while it is being written, 0 before the first.
    turn: AtomicU64,
    /// Three numbers of 16 bits each.
    cells: [AtomicU64; CHANNELS],
}

/// Red, green and blue of each channel, as bridges are told.
pub(super) type Colours = [[u16; 3]; CHANNELS];

impl Picture {
    /// Puts a picture in place of the one before: a light for each channel, in the order of the
    /// channels; those that are missing are dark. For one thread; it never waits.
    pub fn put(&self, lights: &[Light]) {
        // Computed before the slot is closed: a reader that comes meanwhile has to wait.
        let mut colours = [0; CHANNELS];
        for (colour, light) in colours.iter_mut().zip(lights) {
            let part = |x: f32| (x.clamp(0.0, 1.0).powf(1.0 / GAMMA) * 65535.0).round() as u64;
            let [r, g, b] = light.0.map(part);
            *colour = r << 32 | g << 16 | b;
        }
        let turn = self.turn.load(Relaxed);
        self.turn.store(turn + 1, Relaxed);
        // The odd count is out before any part of the picture.
        fence(Release);
        for (cell, colour) in self.cells.iter().zip(colours) {
            cell.store(colour, Relaxed);
        }
        self.turn.store(turn + 2, Release);
    }

    /// Returns the picture when it is newer than `place`.
    pub(super) fn take(&self, place: &mut u64) -> Option<Colours> {
        for _ in 0..TRIES {
            let turn = self.turn.load(Acquire);
            if turn == *place || turn == 0 {
                return None;
            }
            if turn % 2 == 1 {
                std::hint::spin_loop();
                continue;
            }
            let cells: [u64; CHANNELS] = std::array::from_fn(|k| self.cells[k].load(Relaxed));
            fence(Acquire);
            if self.turn.load(Relaxed) == turn {
                *place = turn;
                return Some(cells.map(|c| [(c >> 32) as u16, (c >> 16) as u16, c as u16]));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn the_latest_picture_wins_and_what_is_missing_is_dark() {
        let (picture, mut place) = (Picture::default(), 0);
        assert_eq!(picture.take(&mut place), None);
        picture.put(&[Light::BLACK; 20]);
        picture.put(&[Light([1.0, 0.2140, 0.0])]);
        let colours = picture.take(&mut place).unwrap();
        assert_eq!((colours[0], colours[1]), ([65535, 32517, 0], [0; 3]));
        assert_eq!(picture.take(&mut place), None);
    }

    #[test]
    fn a_reader_never_sees_half_of_a_picture() {
        let (picture, over) = (Picture::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut n = 0u16;
                while !over.load(Acquire) {
                    n = n.wrapping_add(1);
                    picture.put(&[Light([f32::from(n) / 65535.0; 3]); CHANNELS]);
                }
            });
            let (mut place, mut count) = (0, 0);
            while count < 5000 {
                let Some(colours) = picture.take(&mut place) else { continue };
                assert!(colours.iter().all(|c| *c == colours[0]), "{colours:?}");
                count += 1;
            }
            over.store(true, Release);
        });
    }
}
