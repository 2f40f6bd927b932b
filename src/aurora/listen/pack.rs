//! A frame as a row of words, so that it can be handed over without a lock.

use crate::aurora::analyse::{Arc, Beat, Frame, InBar, Key, Level, MELS};

/// Words of a frame and the time at which it was heard.
pub(super) const WORDS: usize = 1 + 1 + 5 + 3 + 16 + MELS + 1 + 1 + 4 + 12 + 1 + 1 + 2;

/// Writes `words` from the front.
struct Writer<'a> {
    words: &'a mut [u64; WORDS],
    at: usize,
}

impl Writer<'_> {
    fn word(&mut self, word: u64) {
        if let Some(place) = self.words.get_mut(self.at) {
            *place = word;
        }
        self.at += 1;
    }

    fn floats(&mut self, floats: &[f32]) {
        floats.iter().for_each(|x| self.word(x.to_bits().into()));
    }
}

/// Writes a frame that was heard at `at`.
pub(super) fn pack(frame: &Frame, at: f64) -> [u64; WORDS] {
    // Every field by name: one that is added must be carried too.
    let Frame {
        seconds,
        level: Level { rms, peak, clipped, floor, open, gain },
        three,
        sixteen,
        mel,
        centroid,
        onsets,
        beat: Beat { period, next, confidence, there, bar },
        chroma,
        key,
        arc,
        likely,
    } = frame;
    let mut words = [0; WORDS];
    let mut out = Writer { words: &mut words, at: 0 };
    out.word(at.to_bits());
    out.word(seconds.to_bits());
    out.floats(&[*rms, *peak, *floor, *gain]);
    out.word(u64::from(*clipped) | u64::from(*open) << 1 | u64::from(*there) << 2);
    out.floats(three);
    out.floats(sixteen);
    out.floats(mel);
    out.floats(&[*centroid]);
    out.word(onsets.iter().rev().fold(0, |bits, on| bits << 1 | u64::from(*on)));
    out.floats(&[*period, *confidence]);
    out.word(next.to_bits());
    out.word(bar.map_or(0, |InBar { beat, of }| 1 << 16 | u64::from(beat) << 8 | u64::from(of)));
    out.floats(chroma);
    out.word(
        key.map_or(0, |Key { tonic, minor }| 1 << 16 | u64::from(tonic) << 8 | u64::from(minor)),
    );
    out.word(match arc {
        Arc::Steady => 0,
        Arc::Rising => 1,
        Arc::Drop => 2,
    });
    out.floats(likely);
    words
}

/// Reads what [`pack`] wrote.
pub(super) fn unpack(words: &[u64; WORDS]) -> (Frame, f64) {
    let mut left = words.iter().copied();
    let mut word = || left.next().unwrap_or(0);
    let at = f64::from_bits(word());
    let seconds = f64::from_bits(word());
    let float = |word: u64| f32::from_bits(word as u32);
    let [rms, peak, floor, gain] = std::array::from_fn(|_| float(word()));
    let bits = word();
    let three = std::array::from_fn(|_| float(word()));
    let sixteen = std::array::from_fn(|_| float(word()));
    let mel = std::array::from_fn(|_| float(word()));
    let centroid = float(word());
    let struck = word();
    let [period, confidence] = std::array::from_fn(|_| float(word()));
    let next = f64::from_bits(word());
    let bar = word();
    let chroma = std::array::from_fn(|_| float(word()));
    let key = word();
    let arc = [Arc::Steady, Arc::Rising, Arc::Drop][(word() as usize).min(2)];
    let likely = std::array::from_fn(|_| float(word()));
    let frame = Frame {
        seconds,
        level: Level { rms, peak, clipped: bits & 1 != 0, floor, open: bits & 2 != 0, gain },
        three,
        sixteen,
        mel,
        centroid,
        onsets: std::array::from_fn(|k| struck >> k & 1 != 0),
        beat: Beat {
            period,
            next,
            confidence,
            there: bits & 4 != 0,
            bar: (bar != 0).then_some(InBar { beat: (bar >> 8) as u8, of: bar as u8 }),
        },
        chroma,
        key: (key != 0).then_some(Key { tonic: (key >> 8) as u8, minor: key & 1 != 0 }),
        arc,
        likely,
    };
    (frame, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_out_as_it_went_in() {
        let mut next = 0.0f32;
        let mut float = || {
            next += 0.37;
            next
        };
        let level = Level {
            rms: float(),
            peak: float(),
            clipped: true,
            floor: -float(),
            open: false,
            gain: float(),
        };
        let beat = Beat {
            period: float(),
            next: 1e9 + 1e-3,
            confidence: float(),
            there: true,
            bar: Some(InBar { beat: 3, of: 7 }),
        };
        let frame = Frame {
            seconds: 12_345.67,
            level,
            three: std::array::from_fn(|_| float()),
            sixteen: std::array::from_fn(|_| float()),
            mel: std::array::from_fn(|_| float()),
            centroid: float(),
            onsets: [true, false, false, true],
            beat,
            chroma: std::array::from_fn(|_| float()),
            key: Some(Key { tonic: 0, minor: false }),
            arc: Arc::Drop,
            likely: std::array::from_fn(|_| float()),
        };
        let (out, at) = unpack(&pack(&frame, 98.76));
        assert_eq!((format!("{out:?}"), at), (format!("{frame:?}"), 98.76));
        let (out, _) = unpack(&pack(&Frame::default(), 0.0));
        assert_eq!(format!("{out:?}"), format!("{:?}", Frame::default()));
        assert_ne!(pack(&frame, 98.76)[WORDS - 1], 0, "every word is used");
    }
}
