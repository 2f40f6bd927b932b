//! The slot between the show thread and a bridge: colours of all channels at once, the latest wins.

use crate::aurora::latest::Latest;
use crate::aurora::light::Light;

/// A bridge takes so many channels.
pub(super) const CHANNELS: usize = 20;
/// Light goes with about this power of what bridges are told: they expect sRGB.
const GAMMA: f32 = 2.2;
/// Colours of a bridge's channels: one writer, one reader. Three numbers of 16 bits in each word.
#[derive(Debug, Default)]
pub struct Picture(Latest<CHANNELS>);

/// Red, green and blue of each channel, as bridges are told.
pub(super) type Colours = [[u16; 3]; CHANNELS];

impl Picture {
    /// Puts a picture in place of the one before: a light for each channel, in the order of the
    /// channels; those that are missing are dark. For one thread; it never waits.
    pub fn put(&self, lights: &[Light]) {
        let mut colours = [0; CHANNELS];
        for (colour, light) in colours.iter_mut().zip(lights) {
            let part = |x: f32| (x.clamp(0.0, 1.0).powf(1.0 / GAMMA) * 65535.0).round() as u64;
            let [r, g, b] = light.0.map(part);
            *colour = r << 32 | g << 16 | b;
        }
        self.0.put(colours);
    }

    /// Returns the picture when it is newer than `place`.
    pub(super) fn take(&self, place: &mut u64) -> Option<Colours> {
        let words = self.0.take(place)?;
        Some(words.map(|c| [(c >> 32) as u16, (c >> 16) as u16, c as u16]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::{Acquire, Release};

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
