//! Build-up and drop: what dance music does before and after the moment everybody waits for.
//!
//! A build-up is a stretch in which the bass is away while the rest gets louder or brighter; a drop
//! is the bass coming back at once, louder than the music was before. The rules are ours; nothing is
//! trained.

/// Where in its arc the music is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arc {
    /// Neither.
    #[default]
    Steady,
    /// The bass is away and the rest grows.
    Rising,
    /// The bass has come back; lasts for two seconds.
    Drop,
}

impl Arc {
    /// The word for it in lines.
    pub const fn word(self) -> &'static str {
        match self {
            Arc::Steady => "steady",
            Arc::Rising => "rising",
            Arc::Drop => "drop",
        }
    }
}

/// Bass is away when it is so far below its own mean of the last half minute (dB).
const AWAY: f32 = -9.0;
/// It is back when it is no further below than this (dB).
const BACK: f32 = -3.0;
/// It must have been away for this many hops before its return is a drop.
const LONG_ENOUGH: u32 = 250;
/// For how many hops a drop is told.
const TOLD: u32 = 200;
/// What "grows" means: power above the bass now against four seconds ago (dB).
const GROWTH: f32 = 2.0;

/// Follows the arc.
#[derive(Default)]
pub(super) struct Energy {
    hops: u32,
    bass: f32,
    bass_mean: f32,
    rest: f32,
    rest_before: f32,
    away: u32,
    told: u32,
    rising: bool,
}

impl Energy {
    /// Takes the power of the low, middle and high band of a hop, and whether the gate is open.
    pub(super) fn step(&mut self, bands: &[f32; 3], open: bool) -> Arc {
        if !open {
            // A pause between two pieces is no build-up.
            *self = Energy::default();
            return Arc::Steady;
        }
        let [low, middle, high] = *bands;
        self.hops = self.hops.saturating_add(1);
        let first = 1.0 / self.hops as f32;
        // High bands carry little power; ten times as much makes brightness count.
        let rest = middle + 10.0 * high;
        self.bass += (low - self.bass) * first.max(0.04);
        self.rest += (rest - self.rest) * first.max(0.01);
        self.rest_before += (rest - self.rest_before) * first.max(0.0025);
        let against_mean = ratio(self.bass, self.bass_mean);
        self.told = self.told.saturating_sub(1);
        if against_mean < AWAY && self.hops > 400 {
            self.away += 1;
            self.rising |= self.away > 200 && ratio(self.rest, self.rest_before) > GROWTH;
        } else {
            // The mean is of music with bass; it does not learn from its absence.
            self.bass_mean += (low - self.bass_mean) * first.max(0.0007);
            if against_mean > BACK {
                if self.away >= LONG_ENOUGH && self.rising {
                    self.told = TOLD;
                }
                (self.away, self.rising) = (0, false);
            }
        }
        match (self.told > 0, self.rising) {
            (true, _) => Arc::Drop,
            (false, true) => Arc::Rising,
            (false, false) => Arc::Steady,
        }
    }
}

/// Decibels of one power over another.
fn ratio(a: f32, b: f32) -> f32 {
    10.0 * (a.max(1e-12) / b.max(1e-12)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs stretches of (seconds, bass from, bass to, rest from, rest to) and returns each change.
    fn arcs(stretches: &[(f32, f32, f32)], grows: f32) -> Vec<(f32, Arc)> {
        let (mut energy, mut told, mut hop, mut last) = (Energy::default(), vec![], 0, Arc::Steady);
        for (seconds, bass, rest) in stretches {
            let hops = (seconds * 100.0) as usize;
            for k in 0..hops {
                // A kick at every half second, so that the bass pulses as in music.
                let kick = if hop % 50 < 15 { 3.0 } else { 0.1 };
                let swell = if *bass < 0.1 { grows.powf(k as f32 / hops as f32) } else { 1.0 };
                let arc = energy.step(&[bass * kick, rest * swell, 0.05 * rest * swell], true);
                hop += 1;
                if arc != last {
                    told.push((hop as f32 / 100.0, arc));
                    last = arc;
                }
            }
        }
        told
    }

    #[test]
    fn a_build_up_and_the_drop_after_it_are_told_in_time() {
        let told = arcs(&[(20.0, 1.0, 1.0), (8.0, 0.001, 1.0), (10.0, 1.2, 1.5)], 10.0);
        let kinds: Vec<Arc> = told.iter().map(|(_, arc)| *arc).collect();
        assert_eq!(kinds, [Arc::Rising, Arc::Drop, Arc::Steady], "{told:?}");
        assert!((20.0..26.0).contains(&told[0].0), "{told:?}");
        assert!((28.0..28.4).contains(&told[1].0), "{told:?}");
    }

    #[test]
    fn music_that_goes_on_has_neither() {
        assert!(arcs(&[(60.0, 1.0, 1.0)], 1.0).is_empty());
        assert!(arcs(&[(20.0, 1.0, 1.0), (20.0, 0.4, 0.4), (20.0, 1.0, 1.0)], 1.0).is_empty());
    }

    #[test]
    fn a_bar_without_bass_is_no_build_up() {
        assert!(arcs(&[(20.0, 1.0, 1.0), (2.0, 0.001, 1.0), (20.0, 1.0, 1.0)], 10.0).is_empty());
    }

    #[test]
    fn silence_ends_everything() {
        let mut energy = Energy::default();
        for _ in 0..2000 {
            energy.step(&[1.0, 1.0, 1.0], true);
        }
        assert_eq!(energy.step(&[0.0; 3], false), Arc::Steady);
        assert!((0..2000).all(|_| energy.step(&[1.0, 1.0, 1.0], true) == Arc::Steady));
    }
}
