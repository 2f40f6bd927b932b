//! Sample rates: everything is brought to 32 to 50 kHz by whole factors, so that windows last as long
//! as they should. There is no resampling beyond that; the hop takes the rest.

use super::lanes::dot;
use crate::error::Error;

/// Taps of the low-pass on each side of its middle.
const SIDE: usize = 24;

/// Halves, quarters or doubles a rate.
pub(super) struct Converter {
    from: u32,
    /// One sample is kept out of so many.
    keep: usize,
    /// Each sample becomes so many.
    repeat: usize,
    taps: [f32; 2 * SIDE + 1],
    past: [f32; 2 * SIDE + 1],
    at: usize,
    phase: usize,
}

impl Converter {
    /// # Errors
    /// Invalid: a rate that whole factors do not bring to 32 to 50 kHz.
    pub(super) fn new(rate: u32) -> Result<Converter, Error> {
        let (keep, repeat) = match rate {
            16_000..=25_000 => (1, 2),
            32_000..=50_000 => (1, 1),
            64_000..=100_000 => (2, 1),
            128_000..=200_000 => (4, 1),
            _ => {
                return Err(Error::invalid(format!(
                    "sound at {rate} samples a second cannot be analysed; convert it to 44100 or \
                     48000 (16 to 25, 32 to 50, 64 to 100 and 128 to 200 thousand will do)"
                )));
            }
        };
        let factor = keep.max(repeat);
        let taps = low_pass(0.45 / factor as f32, repeat as f32);
        let past = [0.0; 2 * SIDE + 1];
        Ok(Converter { from: rate, keep, repeat, taps, past, at: 0, phase: 0 })
    }

    /// The rate of what comes out (Hz).
    pub(super) fn rate(&self) -> f32 {
        self.from as f32 * self.repeat as f32 / self.keep as f32
    }

    /// Whether what comes out is what goes in.
    pub(super) fn is_idle(&self) -> bool {
        self.keep == 1 && self.repeat == 1
    }

    /// What comes out for one sample: none, one or two.
    pub(super) fn step(&mut self, sample: f32) -> impl Iterator<Item = f32> + use<> {
        let mut out = [0.0; 2];
        let mut count = 0;
        if self.is_idle() {
            return [sample, 0.0].into_iter().take(1);
        }
        for copy in 0..self.repeat {
            // Between two samples stands nothing; the low-pass fills it.
            self.past[self.at] = if copy == 0 { sample } else { 0.0 };
            self.at = (self.at + 1) % self.past.len();
            self.phase = (self.phase + 1) % self.keep;
            if self.phase == 0 {
                out[count] = self.filtered();
                count += 1;
            }
        }
        out.into_iter().take(count)
    }

    fn filtered(&self) -> f32 {
        let (new, old) = self.past.split_at(self.at);
        let (older, newer) = self.taps.split_at(old.len());
        dot(old, older) + dot(new, newer)
    }
}

/// A windowed sinc (Hann) that passes what is below `cut` (as a share of the rate).
fn low_pass(cut: f32, gain: f32) -> [f32; 2 * SIDE + 1] {
    let pi = std::f32::consts::PI;
    let raw: [f32; 2 * SIDE + 1] = std::array::from_fn(|i| {
        let t = i as f32 - SIDE as f32;
        let sinc = if t == 0.0 { 2.0 * cut } else { (2.0 * pi * cut * t).sin() / (pi * t) };
        sinc * (0.5 + 0.5 * (pi * t / (SIDE as f32 + 1.0)).cos())
    });
    let sum: f32 = raw.iter().sum();
    raw.map(|tap| tap * gain / sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The amplitude of a tone after conversion.
    fn passed(rate: u32, hertz: f32) -> f32 {
        let mut converter = Converter::new(rate).unwrap();
        let wave = |i: usize| (2.0 * std::f32::consts::PI * hertz * i as f32 / rate as f32).sin();
        let out: Vec<f32> = (0..rate as usize / 10).flat_map(|i| converter.step(wave(i))).collect();
        let want = (rate as f32 / 10.0 * converter.rate() / rate as f32) as usize;
        assert_eq!(out.len(), want);
        out[200..].iter().fold(0.0, |most, x| x.abs().max(most))
    }

    #[test]
    fn what_is_wanted_passes_and_what_would_fold_back_does_not() {
        for rate in [16_000, 22_050, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000] {
            assert!((passed(rate, 1_000.0) - 1.0).abs() < 0.02, "{rate}");
        }
        for (rate, hertz) in [(96_000, 40_000.0), (192_000, 40_000.0), (192_000, 90_000.0)] {
            assert!(passed(rate, hertz) < 0.01, "{hertz} at {rate}: {}", passed(rate, hertz));
        }
    }

    #[test]
    fn other_rates_are_refused_with_what_to_do() {
        for rate in [0, 8_000, 11_025, 30_000, 55_000, 120_000, 300_000] {
            let Err(e) = Converter::new(rate) else { panic!("{rate} was taken") };
            assert!(e.to_string().contains("convert it to 44100"), "{e}");
        }
    }
}
