//! The newest samples and their power spectra: a short one for time, a long one for pitch.

use super::lanes::product;
use microfft::Complex32;
use microfft::real::{rfft_1024, rfft_4096};

/// Samples of the short transform, taken at every hop.
pub(super) const SHORT: usize = 1024;
/// Samples of the long transform.
pub(super) const LONG: usize = 4096;

/// Keeps the newest 4096 samples and transforms them on demand, without allocating.
pub(super) struct Spectrum {
    ring: Box<[f32; LONG]>,
    at: usize,
    short_window: Box<[f32; SHORT]>,
    long_window: Box<[f32; LONG]>,
    scratch: Box<[f32; LONG]>,
    short_power: [f32; SHORT / 2],
    long_power: Box<[f32; LONG / 2]>,
}

/// A Hann window, scaled so that a sine of full scale has the power 1 in its bin.
fn hann<const N: usize>() -> Box<[f32; N]> {
    let shape = |i: usize| {
        let turn = 2.0 * std::f64::consts::PI * (i as f64 + 0.5) / N as f64;
        // The window adds up to half its length; a real sine gives half its height to each side.
        (1.0 - turn.cos()) * 2.0 / N as f64
    };
    let mut window = Box::new([0.0; N]);
    window.iter_mut().enumerate().for_each(|(i, w)| *w = shape(i) as f32);
    window
}

impl Spectrum {
    pub(super) fn new() -> Spectrum {
        Spectrum {
            ring: Box::new([0.0; LONG]),
            at: 0,
            short_window: hann(),
            long_window: hann(),
            scratch: Box::new([0.0; LONG]),
            short_power: [0.0; SHORT / 2],
            long_power: Box::new([0.0; LONG / 2]),
        }
    }

    /// Adds samples, at most 4096; the oldest go.
    pub(super) fn push(&mut self, samples: &[f32]) {
        let (first, rest) = samples.split_at(samples.len().min(LONG - self.at));
        self.ring[self.at..self.at + first.len()].copy_from_slice(first);
        self.ring[..rest.len()].copy_from_slice(rest);
        self.at = (self.at + samples.len()) % LONG;
    }

    /// Transforms the newest 1024 samples.
    pub(super) fn transform_short(&mut self) {
        let mut buffer = [0.0f32; SHORT];
        windowed(&self.ring, self.at, &self.short_window[..], &mut buffer);
        keep(rfft_1024(&mut buffer), &mut self.short_power);
    }

    /// The power in the 512 bins of the newest 1024 samples, as they were last transformed.
    pub(super) fn short(&self) -> &[f32] {
        &self.short_power
    }

    /// The power in the 2048 bins of the newest 4096 samples.
    pub(super) fn long(&mut self) -> &[f32] {
        windowed(&self.ring, self.at, &self.long_window[..], &mut self.scratch[..]);
        keep(rfft_4096(&mut self.scratch), &mut self.long_power[..]);
        &self.long_power[..]
    }
}

/// The newest samples of a ring whose oldest is `at`, as many as the window has, times the window.
fn windowed(ring: &[f32; LONG], at: usize, window: &[f32], out: &mut [f32]) {
    let (new, old) = ring.split_at(at);
    let begin = LONG - window.len();
    let (first, rest) = match begin.checked_sub(old.len()) {
        None => (&old[begin..], new),
        Some(begin) => (&new[begin..], &[][..]),
    };
    let (first_window, rest_window) = window.split_at(first.len());
    let (first_out, rest_out) = out.split_at_mut(first.len());
    product(first, first_window, first_out);
    product(rest, rest_window, rest_out);
}

/// Complex bins to power. The package packs the bin at half the rate into the first one's imaginary
/// part; nobody wants it.
fn keep(bins: &mut [Complex32], power: &mut [f32]) {
    bins[0].im = 0.0;
    for (p, bin) in power.iter_mut().zip(bins) {
        *p = bin.re * bin.re + bin.im * bin.im;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transform by its definition, in double precision.
    fn reference(samples: &[f32]) -> Vec<f64> {
        let n = samples.len();
        let turn = 2.0 * std::f64::consts::PI / n as f64;
        let window = |i: usize| (1.0 - (turn * (i as f64 + 0.5)).cos()) * 2.0 / n as f64;
        (0..n / 2)
            .map(|k| {
                let (mut re, mut im) = (0.0, 0.0);
                for (i, x) in samples.iter().enumerate() {
                    let angle = turn * ((k * i) % n) as f64;
                    re += f64::from(*x) * window(i) * angle.cos();
                    im -= f64::from(*x) * window(i) * angle.sin();
                }
                re * re + im * im
            })
            .collect()
    }

    /// Noise that is the same everywhere.
    fn noise(n: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn both_transforms_agree_with_the_definition() {
        let mut spectrum = Spectrum::new();
        let samples = noise(5000);
        // In uneven pieces, so that the ring wraps where it likes.
        samples.chunks(333).for_each(|piece| spectrum.push(piece));
        let close = |got: &[f32], want: &[f64]| {
            let scale = want.iter().copied().fold(0.0, f64::max);
            for (k, (g, w)) in got.iter().zip(want).enumerate() {
                assert!((f64::from(*g) - w).abs() < 1e-5 * scale, "bin {k}: {g} and {w}");
            }
        };
        spectrum.transform_short();
        close(spectrum.short(), &reference(&samples[5000 - SHORT..]));
        close(spectrum.long(), &reference(&samples[5000 - LONG..]));
    }

    #[test]
    fn a_sine_of_full_scale_has_power_one_in_its_bin() {
        let mut spectrum = Spectrum::new();
        let sine = |i: usize| (2.0 * std::f32::consts::PI * 64.0 * i as f32 / 1024.0).sin();
        spectrum.push(&(0..LONG).map(sine).collect::<Vec<_>>());
        spectrum.transform_short();
        assert!((spectrum.short()[64] - 1.0).abs() < 0.001);
        assert!((spectrum.long()[256] - 1.0).abs() < 0.001);
    }
}
