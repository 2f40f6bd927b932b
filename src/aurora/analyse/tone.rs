//! Which notes sound, and in which key: twelve pitch classes from the long spectrum.

use super::spectrum::LONG;

/// Peaks are looked for from here to there (Hz): below, semitones lie closer than bins.
const RANGE: (f32, f32) = (80.0, 2_000.0);
/// The mean that colours follow forgets by half in 0.7 s, the one for the key in 14 s (the long
/// spectrum comes 25 times a second).
const COLOUR: f32 = 0.04;
const KEY: f32 = 0.002;
/// A key is named when it is better than every other by this much correlation.
const CLEAR: f32 = 0.05;

/// How well each step of the scale fits a major and a minor key, as listeners rated them (Krumhansl
/// and Kessler 1982, figure 3).
const MAJOR: [f32; 12] = [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88];
const MINOR: [f32; 12] = [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17];

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The tonic in semitones above C, 0 to 11.
    pub tonic: u8,
    /// Whether it is a minor key.
    pub minor: bool,
}

impl std::fmt::Display for Key {
    /// As people write it: `F# minor`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [&str; 12] = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
        let name = NAMES[usize::from(self.tonic) % 12];
        write!(f, "{name} {}", if self.minor { "minor" } else { "major" })
    }
}

/// Follows the pitch classes.
pub(super) struct Tone {
    bin: f32,
    colour: [f32; 12],
    long: [f32; 12],
    heard: u32,
}

impl Tone {
    pub(super) fn new(rate: f32) -> Tone {
        Tone { bin: rate / LONG as f32, colour: [0.0; 12], long: [0.0; 12], heard: 0 }
    }

    /// Takes the power of a long spectrum.
    pub(super) fn step(&mut self, power: &[f32]) {
        let mut now = [0.0f32; 12];
        let (from, to) = ((RANGE.0 / self.bin) as usize, (RANGE.1 / self.bin) as usize);
        for k in from.max(1)..to.min(power.len() - 1) {
            let (left, here, right) = (power[k - 1], power[k], power[k + 1]);
            if here <= left || here < right || here < 1e-12 {
                continue;
            }
            // The top of the parabola through the logarithms of three bins (Smith, Spectral Audio
            // Signal Processing, "Quadratic Interpolation of Spectral Peaks").
            let (a, b, c) = (left.max(1e-20).ln(), here.ln(), right.max(1e-20).ln());
            let shift = 0.5 * (a - c) / (a - 2.0 * b + c).min(-1e-6);
            let note = 12.0 * ((k as f32 + shift) * self.bin / 440.0).log2() + 69.0;
            let class = note.round().rem_euclid(12.0) as usize % 12;
            // What lies between two notes belongs to neither.
            let sure = 1.0 - 2.0 * (note - note.round()).abs();
            now[class] += here.sqrt() * sure;
        }
        let most = now.iter().copied().fold(0.0, f32::max);
        if most < 1e-5 {
            return;
        }
        self.heard = self.heard.saturating_add(1);
        // The first seconds count as much as all that comes.
        let key = KEY.max(1.0 / self.heard as f32);
        for (class, value) in now.iter().enumerate() {
            self.colour[class] += (value / most - self.colour[class]) * COLOUR;
            self.long[class] += (value / most - self.long[class]) * key;
        }
    }

    /// How strongly each pitch class sounded in the last second, C first, the strongest 1.
    pub(super) fn chroma(&self) -> [f32; 12] {
        let most = self.colour.iter().copied().fold(1e-9, f32::max);
        self.colour.map(|value| value / most)
    }

    /// The key of the last half minute, when one fits clearly and five seconds were heard.
    pub(super) fn key(&self) -> Option<Key> {
        if self.heard < 125 {
            return None;
        }
        // The two that fit best.
        let mut best = [(f32::MIN, Key { tonic: 0, minor: false }); 2];
        for tonic in 0..12u8 {
            for (minor, profile) in [(false, &MAJOR), (true, &MINOR)] {
                let turned = std::array::from_fn(|i| self.long[(i + usize::from(tonic)) % 12]);
                let fit = (correlation(&turned, profile), Key { tonic, minor });
                if fit.0 > best[0].0 {
                    best = [fit, best[0]];
                } else if fit.0 > best[1].0 {
                    best[1] = fit;
                }
            }
        }
        let [(first, key), (second, _)] = best;
        (first > 0.5 && first - second > CLEAR).then_some(key)
    }
}

/// Pearson's correlation.
fn correlation(a: &[f32; 12], b: &[f32; 12]) -> f32 {
    let mean = |x: &[f32; 12]| x.iter().sum::<f32>() / 12.0;
    let (ma, mb) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma) * (x - ma);
        bb += (y - mb) * (y - mb);
    }
    ab / (aa * bb).sqrt().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::analyse::spectrum::Spectrum;

    /// Plays chords of MIDI notes, half a second each.
    fn played(chords: &[&[i32]], rate: f32) -> Tone {
        let (mut spectrum, mut tone) = (Spectrum::new(), Tone::new(rate));
        for at in 0..chords.len() * 12 {
            let chord = chords[at / 12];
            let hop: Vec<f32> = (0..(rate / 25.0) as usize)
                .map(|i| {
                    let t = (at as f32) / 25.0 + i as f32 / rate;
                    let wave = |note: &i32| {
                        let hertz = 440.0 * 2f32.powf((*note as f32 - 69.0) / 12.0);
                        (2.0 * std::f32::consts::PI * hertz * t).sin() * 0.1
                    };
                    chord.iter().map(wave).sum()
                })
                .collect();
            spectrum.push(&hop);
            tone.step(spectrum.long());
        }
        tone
    }

    #[test]
    fn a_note_is_heard_in_its_class_in_every_octave() {
        for rate in [44_100.0, 48_000.0] {
            for note in [48, 53, 57, 62, 67, 71, 75, 80, 83] {
                let chroma = played(&[&[note], &[note]], rate).chroma();
                let most = (0..12).max_by(|a, b| chroma[*a].total_cmp(&chroma[*b]));
                assert_eq!(most, Some(note as usize % 12), "{note} at {rate}: {chroma:?}");
            }
        }
    }

    #[test]
    fn cadences_name_their_key() {
        let (major, minor) = (
            [[0, 4, 7], [5, 9, 12], [7, 11, 14], [0, 4, 7]],
            [[0, 3, 7], [5, 8, 12], [7, 11, 14], [0, 3, 7]],
        );
        for tonic in [0, 4, 9] {
            for (steps, is_minor) in [(&major, false), (&minor, true)] {
                let chords: Vec<Vec<i32>> = steps
                    .iter()
                    .cycle()
                    .take(12)
                    .map(|c| c.map(|n| 54 + tonic + n).to_vec())
                    .collect();
                let chords: Vec<&[i32]> = chords.iter().map(Vec::as_slice).collect();
                let want = Key { tonic: ((54 + tonic) % 12) as u8, minor: is_minor };
                assert_eq!(played(&chords, 44_100.0).key(), Some(want));
            }
        }
    }

    #[test]
    fn twelve_equal_notes_have_no_key() {
        let all: Vec<i32> = (60..72).collect();
        assert_eq!(played(&[&all[..]; 11], 44_100.0).key(), None);
        assert_eq!(played(&[&[60]], 44_100.0).key(), None, "too short to say");
    }
}
