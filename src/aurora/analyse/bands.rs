//! Sums of a power spectrum between frequencies, and the edges of every set of bands.

use super::lanes::sum;

/// Low, middle and high (Hz): what three lamps can show.
pub(super) const THREE: [f32; 4] = [20.0, 250.0, 4000.0, 16_000.0];

/// The sixteen channels of WLED's sound-reactive packet (Hz), so that bands from here and from WLED
/// mean the same: 512 samples at 22.05 kHz give bins of 43 Hz, and these are its groups of bins.
pub(super) const SIXTEEN: [f32; 17] = [
    43.0, 86.0, 129.0, 216.0, 301.0, 430.0, 560.0, 818.0, 1120.0, 1421.0, 1895.0, 2412.0, 3015.0,
    3704.0, 4479.0, 7106.0, 9259.0,
];

/// How many mel bands there are.
pub const MELS: usize = 24;

/// Mel bands from 30 Hz to 12 kHz: equal steps on the mel scale (O'Shaughnessy 1987, page 150).
pub(super) fn mel_edges() -> [f32; MELS + 1] {
    let mel = |hertz: f32| 2595.0 * (1.0 + hertz / 700.0).log10();
    let hertz = |mel: f32| 700.0 * (10f32.powf(mel / 2595.0) - 1.0);
    let (low, high) = (mel(30.0), mel(12_000.0));
    std::array::from_fn(|i| hertz(low + (high - low) * i as f32 / MELS as f32))
}

/// Where one band begins and ends in a spectrum, with the shares of its outer bins.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    first: usize,
    last: usize,
    share_of_first: f32,
    share_of_last: f32,
}

/// Adds a power spectrum up into `N` bands. Bins across an edge are shared between both bands, so
/// that a band means the same at every sample rate.
pub(super) struct Bank<const N: usize> {
    rows: [Row; N],
}

impl<const N: usize> Bank<N> {
    /// Bands between neighbours of `edges` (Hz, `N` + 1 of them) for transforms of `size` samples at
    /// `rate`. What lies above half the rate is left out.
    pub(super) fn new(edges: &[f32], rate: f32, size: usize) -> Bank<N> {
        let bin = rate / size as f32;
        let top = (size / 2) as f32 - 0.001;
        let mut rows = [Row::default(); N];
        for (row, edge) in rows.iter_mut().zip(edges.windows(2)) {
            // Bin k stands for what lies within half a bin of it.
            let low = (edge[0] / bin + 0.5).min(top);
            let high = (edge[1] / bin + 0.5).min(top);
            let (first, last) = (low as usize, high as usize);
            *row = match first == last {
                true => Row { first, last, share_of_first: high - low, share_of_last: 0.0 },
                false => Row {
                    first,
                    last,
                    share_of_first: 1.0 - low.fract(),
                    share_of_last: high.fract(),
                },
            };
        }
        Bank { rows }
    }

    /// The power in each band.
    pub(super) fn sums(&self, power: &[f32]) -> [f32; N] {
        self.rows.map(|row| {
            let inner = power.get(row.first + 1..row.last).unwrap_or_default();
            power[row.first] * row.share_of_first + sum(inner) + power[row.last] * row.share_of_last
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::analyse::spectrum::{SHORT, Spectrum};

    /// The power of a tone of full scale in each of the sixteen bands.
    fn heard(hertz: f32, rate: f32) -> [f32; 16] {
        let mut spectrum = Spectrum::new();
        let samples: Vec<f32> = (0..1024)
            .map(|i| (2.0 * std::f32::consts::PI * hertz * i as f32 / rate).sin())
            .collect();
        spectrum.push(&samples);
        spectrum.transform_short();
        Bank::new(&SIXTEEN, rate, SHORT).sums(spectrum.short())
    }

    #[test]
    fn a_tone_in_the_middle_of_a_band_is_in_that_band() {
        for rate in [44_100.0, 48_000.0] {
            // Below the fourth band the window is wider than the bands.
            for band in [3, 5, 8, 11, 15] {
                let middle = (SIXTEEN[band] * SIXTEEN[band + 1]).sqrt();
                let powers = heard(middle, rate);
                let most = (0..16).max_by(|a, b| powers[*a].total_cmp(&powers[*b]));
                assert_eq!(most, Some(band), "{middle} Hz at {rate}");
            }
        }
    }

    #[test]
    fn a_tone_on_an_edge_is_shared_by_its_neighbours() {
        for (edge, at) in SIXTEEN.iter().enumerate().take(16).skip(6).step_by(3) {
            let powers = heard(*at, 44_100.0);
            let (below, above) = (powers[edge - 1], powers[edge]);
            assert!(below / above < 4.0 && above / below < 4.0, "{at} Hz: {below} {above}");
        }
    }

    #[test]
    fn no_power_is_lost_or_counted_twice() {
        let flat = [1.0; SHORT / 2];
        let bin = 44_100.0 / SHORT as f32;
        let sums = Bank::<16>::new(&SIXTEEN, 44_100.0, SHORT).sums(&flat);
        for (sum, edge) in sums.iter().zip(SIXTEEN.windows(2)) {
            assert!((sum - (edge[1] - edge[0]) / bin).abs() < 0.01, "{edge:?}: {sum}");
        }
    }

    #[test]
    fn bands_above_half_the_rate_are_empty() {
        let sums = Bank::<3>::new(&[20.0, 250.0, 4000.0, 90_000.0], 44_100.0, SHORT)
            .sums(&[1.0; SHORT / 2]);
        assert!(sums[2] < 512.0 && sums[2] > 400.0, "{sums:?}");
        let sums = Bank::<1>::new(&[30_000.0, 40_000.0], 44_100.0, SHORT).sums(&[1.0; SHORT / 2]);
        assert_eq!(sums, [0.0]);
    }

    #[test]
    fn mel_bands_are_narrow_below_and_wide_above() {
        let edges = mel_edges();
        assert!((edges[0] - 30.0).abs() < 0.1 && (edges[MELS] - 12_000.0).abs() < 5.0, "{edges:?}");
        assert!(edges.windows(3).all(|e| e[2] - e[1] > e[1] - e[0]));
    }
}
