//! A minute of music of Hearth's own, made as it is played: what the demo and `input = "sample"` play.
//!
//! 120 beats a minute, four to the bar, 32 bars that begin anew: an introduction, a groove, a build-up
//! without bass, a drop, a way out. The same each time.

/// Samples in a second; a sixteenth note is a whole number of them.
const RATE: u32 = 48_000;
/// Samples of a sixteenth note.
const STEP: u32 = RATE / 8;
const STEPS_A_BAR: u32 = 16;
const BARS: u32 = 32;
/// Bars of the build-up; the drop comes after it.
const BUILD: std::ops::Range<u32> = 12..16;
/// Samples between a pluck and its echo: three sixteenths.
const ECHO: usize = 3 * STEP as usize;

/// Roots and chords of four bars, in semitones above A: A minor, F, C, G.
const CHORDS: [[i32; 4]; 4] = [[0, 0, 3, 7], [-4, -4, 0, 3], [3, 3, 7, 10], [-2, -2, 2, 5]];
/// Which note of the chord each sixteenth plucks, and how many octaves up; 9 is a rest.
const PLUCKS: [(usize, i32); 16] = [
    (9, 0),
    (9, 0),
    (1, 1),
    (9, 0),
    (2, 1),
    (9, 0),
    (3, 1),
    (9, 0),
    (1, 2),
    (9, 0),
    (3, 1),
    (2, 1),
    (1, 1),
    (9, 0),
    (2, 2),
    (1, 2),
];

/// A tone that fades.
#[derive(Clone, Copy, Default)]
struct Voice {
    /// 0 to 1, round.
    phase: f32,
    /// What the phase gains with each sample, and what it comes to rest at.
    step: f32,
    rest: f32,
    level: f32,
    fade: f32,
}

impl Voice {
    /// A tone that falls from `from` to `hertz` and fades to a third within `seconds`.
    fn strike(&mut self, from: f32, hertz: f32, level: f32, seconds: f32) {
        let fade = (-1.0 / (seconds * RATE as f32)).exp();
        let (step, rest) = (from / RATE as f32, hertz / RATE as f32);
        *self = Voice { phase: self.phase, step, rest, level, fade };
    }

    fn next(&mut self, sines: &[f32; SINES]) -> f32 {
        self.phase = (self.phase + self.step).fract();
        self.step = self.rest + (self.step - self.rest) * 0.9992;
        self.level *= self.fade;
        sines[(self.phase * SINES as f32) as usize % SINES] * self.level
    }
}

const SINES: usize = 2_048;

/// The music, from wherever it is.
pub(super) struct Song {
    sines: Box<[f32; SINES]>,
    /// Samples since the beginning, and the sixteenth that begins next.
    at: u32,
    kick: Voice,
    bass: Voice,
    /// Each note of the chord twice, a little apart.
    pad: [Voice; 6],
    plucks: [Voice; 3],
    pluck: usize,
    echo: Vec<f32>,
    noise: u32,
    /// Levels of clap, hat and riser, and what they fade with.
    clap: f32,
    hat: f32,
    hat_fade: f32,
    riser: f32,
    last: f32,
    low: f32,
    /// How much the kick pushes everything else down.
    duck: f32,
}

impl Default for Song {
    fn default() -> Song {
        let sine = |k: usize| (k as f32 / SINES as f32 * std::f32::consts::TAU).sin();
        Song {
            sines: Box::new(std::array::from_fn(sine)),
            at: 0,
            kick: Voice::default(),
            bass: Voice::default(),
            pad: Default::default(),
            plucks: Default::default(),
            pluck: 0,
            echo: vec![0.0; ECHO],
            noise: 1,
            clap: 0.0,
            hat: 0.0,
            hat_fade: 0.0,
            riser: 0.0,
            last: 0.0,
            low: 0.0,
            duck: 0.0,
        }
    }
}

/// The pitch so many semitones above A (Hz), the A of 110 Hz.
fn hertz(semitones: i32) -> f32 {
    110.0 * (semitones as f32 / 12.0).exp2()
}

impl Song {
    /// Samples in a second.
    pub(super) const RATE: u32 = RATE;

    /// Writes what comes next, -1 to 1.
    pub(super) fn render(&mut self, out: &mut [f32]) {
        for sample in out {
            if self.at.is_multiple_of(STEP) {
                self.begin(self.at / STEP);
            }
            *sample = self.sample();
            self.at = (self.at + 1) % (STEP * STEPS_A_BAR * BARS);
        }
    }

    /// Strikes what begins with this sixteenth.
    fn begin(&mut self, step: u32) {
        let (bar, place) = (step / STEPS_A_BAR, step % STEPS_A_BAR);
        let chord = CHORDS[bar as usize % CHORDS.len()];
        let (build, dropped) = (BUILD.contains(&bar), (BUILD.end..28).contains(&bar));
        let groove = (4..BUILD.start).contains(&bar) || dropped;
        if place == 0 {
            for (k, voice) in self.pad.iter_mut().enumerate() {
                let apart = if k < 3 { 1.0 } else { 1.005 };
                let tone = hertz(chord[1 + k % 3] + 12) * apart;
                // It glides from chord to chord and never begins.
                let from = if voice.rest > 0.0 { voice.rest * RATE as f32 } else { tone };
                voice.strike(from, tone, 0.035, 1e6);
            }
        }
        if place.is_multiple_of(4) && (groove || !(4..28).contains(&bar)) {
            // The first of the bar is the loudest and the third the softest, as a drummer plays it.
            let level = match place {
                0 => 0.95,
                8 => 0.7,
                _ => 0.8,
            };
            self.kick.strike(190.0, 46.0, level, 0.11);
            self.duck = 1.0;
        }
        // The bar begins with a long note; the others stand between the kicks.
        if groove && (place == 0 || place % 4 == 2 || (dropped && place % 8 == 7)) {
            let tone = hertz(chord[0] - 12);
            let (level, seconds) = if place == 0 { (0.6, 0.2) } else { (0.4, 0.15) };
            self.bass.strike(tone, tone, level, seconds);
        }
        let (note, octave) = PLUCKS[place as usize];
        if note < 4 && bar >= 2 && !(build && bar + 1 == BUILD.end) {
            let tone = hertz(chord[note] + 12 * (1 + octave));
            self.pluck = (self.pluck + 1) % self.plucks.len();
            self.plucks[self.pluck].strike(tone, tone, 0.11, 0.1);
        }
        // The roll of the build-up comes twice as often with each bar.
        let often = if build { (8u32 >> (bar - BUILD.start)).max(1) } else { 8 };
        if (groove && place % 8 == 4) || (build && place.is_multiple_of(often)) {
            self.clap = if build { 0.25 } else { 0.4 };
        }
        if !build && place != 0 && place.is_multiple_of(2) {
            let open = place % 4 == 2;
            self.hat = if open { 0.16 } else { 0.09 };
            self.hat_fade = if open { 0.9994 } else { 0.998 };
        }
        self.riser = match build {
            true => (step - BUILD.start * STEPS_A_BAR) as f32 / 64.0,
            false => 0.0,
        };
        if bar == BUILD.end && place == 0 {
            // A crash on the drop.
            (self.hat, self.hat_fade) = (0.4, 0.999_95);
        }
    }

    fn sample(&mut self) -> f32 {
        let sines = &self.sines;
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (self.noise >> 8) as f32 / 8_388_608.0 - 1.0;
        // What changes from sample to sample is high: the sizzle of hats. The rest is a clap's body.
        let high = (noise - self.last) * 0.5;
        self.last = noise;
        self.low += (noise - self.low) * (0.15 + 0.5 * self.riser);
        self.clap *= 0.9996;
        self.hat *= self.hat_fade;
        self.duck *= 0.9998;
        let drums = self.kick.next(sines)
            + high * self.hat
            + (0.5 * self.low + 0.5 * high) * self.clap
            + self.low * self.riser * self.riser * 0.22;
        let bass = self.bass.next(sines);
        let pad: f32 = self.pad.iter_mut().map(|voice| voice.next(sines)).sum();
        let pluck: f32 = self.plucks.iter_mut().map(|voice| voice.next(sines)).sum();
        let place = self.at as usize % ECHO;
        let wet = pluck + 0.3 * self.echo[place];
        self.echo[place] = wet;
        let rest = (bass + pad + wet) * (1.0 - 0.6 * self.duck);
        let all = drums + rest;
        // Loud passages bend instead of breaking.
        all / (1.0 + all * all).sqrt() * 0.9
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::analyse::{Analysis, Arc, Kind, Settings};

    #[test]
    fn aurora_finds_the_beat_the_build_up_and_the_drop_and_it_never_clips() {
        let mut song = Song::default();
        let mut analysis = Analysis::new(RATE, Settings::default()).unwrap();
        let mut piece = vec![0.0; RATE as usize / 10];
        let (mut beats, mut downbeats, mut arcs) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..600 {
            song.render(&mut piece);
            analysis.push(&piece, |frame, events| {
                assert!(!frame.level.clipped && frame.level.peak < 0.95, "{:?}", frame.level);
                for event in events {
                    match event.kind {
                        Kind::Onset => continue,
                        Kind::Downbeat => downbeats.push(event.seconds),
                        Kind::Beat => {}
                    }
                    beats.push(event.seconds);
                }
                if arcs.last().is_none_or(|(arc, _)| *arc != frame.arc) {
                    arcs.push((frame.arc, frame.seconds));
                }
            });
        }
        let off = |s: &f64| (s * 2.0 - (s * 2.0).round()).abs() / 2.0;
        let late: Vec<f64> = beats.iter().copied().filter(|s| *s > 15.0).collect();
        assert!(late.len() >= 86, "of 90: {beats:?}");
        let near = late.iter().filter(|s| off(s) < 0.03).count();
        assert!(near * 100 >= late.len() * 97, "{late:?}");
        let bars = downbeats.iter().filter(|s| **s > 15.0);
        let right = bars.clone().filter(|s| (**s / 2.0 - (**s / 2.0).round()).abs() < 0.02).count();
        // Where it is not sure of the bar it tells none.
        assert!(right >= 12 && right * 10 >= bars.count() * 9, "{downbeats:?}");
        let dropped = arcs.iter().find(|(arc, _)| *arc == Arc::Drop).unwrap().1;
        assert!((32.0..33.0).contains(&dropped), "{arcs:?}");
        let rising = arcs.iter().any(|(arc, s)| *arc == Arc::Rising && (24.0..32.0).contains(s));
        assert!(rising, "{arcs:?}");
    }

    #[test]
    fn it_begins_anew_after_its_last_bar() {
        let mut song = Song::default();
        let mut piece = vec![0.0; (STEP * STEPS_A_BAR) as usize];
        let mut levels = Vec::new();
        for _ in 0..BARS + 4 {
            song.render(&mut piece);
            let power = piece.iter().map(|x| x * x).sum::<f32>() / piece.len() as f32;
            levels.push(power.sqrt());
        }
        assert!(levels.iter().all(|level| *level > 0.02), "{levels:?}");
        for bar in 1..4 {
            let again = levels[BARS as usize + bar];
            assert!((again / levels[bar] - 1.0).abs() < 0.2, "{levels:?}");
        }
    }
}
