//! What is new in the sound: bands of the short spectrum, freed of their level, and their rises.
//!
//! Each band is divided by its own recent peak (adaptive whitening: Stowell and Plumbley 2007,
//! section 3), compressed by a logarithm, and compared with the largest of itself and its neighbours
//! two hops before, so that a gliding note is no novelty (SuperFlux: Böck and Widmer 2013, section 3).

use super::bands::Bank;
use super::spectrum::SHORT;

/// How many bands novelty looks at: about three in an octave, no narrower than a bin.
pub(super) const BANDS: usize = 23;

const EDGES: [f32; BANDS + 1] = [
    20.0, 65.0, 108.0, 155.0, 205.0, 265.0, 335.0, 425.0, 535.0, 670.0, 840.0, 1060.0, 1340.0,
    1680.0, 2120.0, 2670.0, 3360.0, 4230.0, 5330.0, 6720.0, 8460.0, 10_660.0, 13_400.0, 16_900.0,
];

/// A band's peak falls by 1/e in so many hops.
const MEMORY: f32 = 800.0;
/// Strength of the compression: log(1 + GAMMA x).
const GAMMA: f32 = 30.0;
/// A band's peak is at least this share of the loudest band's, so that hiss is not blown up.
const FLOOR: f32 = 0.003;
/// And at least this magnitude: the noise of 16 bits.
const LEAST: f32 = 3e-5;

/// The bands of one hop, without their level.
pub(super) struct Novelty {
    bank: Bank<BANDS>,
    decay: f32,
    peaks: [f32; BANDS],
    loudest: f32,
    past: [[f32; BANDS]; 2],
    /// Each band, 0 to 1.
    pub(super) level: [f32; BANDS],
    /// How far each rose, 0 to 1.
    pub(super) rise: [f32; BANDS],
}

impl Novelty {
    pub(super) fn new(rate: f32) -> Novelty {
        Novelty {
            bank: Bank::new(&EDGES, rate, SHORT),
            decay: (-1.0 / MEMORY).exp(),
            peaks: [0.0; BANDS],
            loudest: 0.0,
            past: [[0.0; BANDS]; 2],
            level: [0.0; BANDS],
            rise: [0.0; BANDS],
        }
    }

    /// Takes the power of a short spectrum.
    pub(super) fn step(&mut self, power: &[f32]) {
        let magnitudes = self.bank.sums(power).map(f32::sqrt);
        let most = magnitudes.iter().copied().fold(0.0, f32::max);
        self.loudest = most.max(self.loudest * self.decay);
        let floor = (self.loudest * FLOOR).max(LEAST);
        let [before, newer] = self.past;
        let scale = 1.0 / (1.0 + GAMMA).ln();
        for (band, magnitude) in magnitudes.into_iter().enumerate() {
            let peak = magnitude.max(self.peaks[band] * self.decay).max(floor);
            self.peaks[band] = peak;
            self.level[band] = (1.0 + GAMMA * magnitude / peak).ln() * scale;
        }
        self.past = [newer, self.level];
        for band in 0..BANDS {
            let near = band.saturating_sub(1)..(band + 2).min(BANDS);
            let most = before[near].iter().copied().fold(0.0, f32::max);
            self.rise[band] = (self.level[band] - most).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flat spectrum of this power.
    fn flat(power: f32) -> Vec<f32> {
        vec![power; SHORT / 2]
    }

    #[test]
    fn a_step_is_new_for_two_hops_and_then_old() {
        let mut novelty = Novelty::new(44_100.0);
        novelty.step(&flat(1e-2));
        (0..10).for_each(|_| novelty.step(&flat(1e-6)));
        assert!(novelty.rise.iter().all(|rise| *rise < 0.001), "{:?}", novelty.rise);
        let mut rises = Vec::new();
        for _ in 0..4 {
            novelty.step(&flat(1e-2));
            rises.push(novelty.rise.iter().sum::<f32>() > 1.0);
        }
        assert_eq!(rises, [true, true, false, false]);
    }

    #[test]
    fn the_level_of_the_input_changes_nothing() {
        let mut both = [Novelty::new(44_100.0), Novelty::new(44_100.0)];
        for hop in 0..400u32 {
            let power = if hop % 50 < 10 { 1e-2 } else { 1e-4 };
            both[0].step(&flat(power));
            both[1].step(&flat(power * 1e-4));
            for (a, b) in both[0].rise.iter().zip(&both[1].rise) {
                assert!((a - b).abs() < 1e-4, "hop {hop}: {a} {b}");
            }
        }
    }

    #[test]
    fn a_note_that_glides_into_the_next_band_is_not_new() {
        let mut novelty = Novelty::new(44_100.0);
        let tone =
            |bin: usize| (0..SHORT / 2).map(|k| if k == bin { 1e-2 } else { 1e-13 }).collect();
        let hop = |novelty: &mut Novelty, bin| {
            let power: Vec<f32> = tone(bin);
            novelty.step(&power);
            novelty.rise.iter().copied().fold(0.0, f32::max)
        };
        for _ in 0..20 {
            hop(&mut novelty, 30);
        }
        assert!(hop(&mut novelty, 36) < 0.05, "one band further");
        assert!(hop(&mut novelty, 200) > 0.5, "a new one far away");
    }
}
