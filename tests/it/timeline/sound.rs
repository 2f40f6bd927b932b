//! Songs made here: the same samples every time, with parts, chords and a melody of their own.

pub const RATE: u32 = 44_100;

/// Numbers that are the same everywhere, 0 to 1.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 16_777_216.0
    }
}

/// A note or stroke: added to `samples` from `at` on (s).
fn add(samples: &mut [f32], at: f64, length: f64, mut wave: impl FnMut(f32) -> f32) {
    let from = (at * f64::from(RATE)) as usize;
    let to = ((at + length) * f64::from(RATE)) as usize;
    for i in from..to.min(samples.len()) {
        samples[i] += wave((i - from) as f32 / RATE as f32);
    }
}

fn tone(hertz: f32, t: f32) -> f32 {
    let turn = std::f32::consts::TAU * hertz * t;
    turn.sin() + 0.4 * (2.0 * turn).sin() + 0.2 * (3.0 * turn).sin()
}

fn hertz(note: f32) -> f32 {
    440.0 * 2f32.powf((note - 69.0) / 12.0)
}

/// A song in A minor of so many seconds at so many beats a minute. From a third to two thirds of it
/// there are no drums and no bass.
pub fn song(seed: u64, seconds: f64, bpm: f64) -> Vec<f32> {
    let mut dice = Dice(seed.wrapping_mul(77) + 5);
    (0..20).for_each(|_| drop_roll(&mut dice));
    let mut samples = vec![0.0; (seconds * f64::from(RATE)) as usize];
    let beat = 60.0 / bpm;
    let roots = [57.0, 53.0, 60.0, 55.0, 50.0, 52.0];
    let mut hiss = Dice(seed + 99);
    let mut k = 0;
    while f64::from(k) * beat < seconds {
        let at = f64::from(k) * beat;
        let quiet = (1.0 / 3.0..2.0 / 3.0).contains(&(at / seconds));
        if k % 4 == 0 {
            let root = roots[(dice.roll() * 6.0) as usize % 6];
            for step in [0.0, 3.0 + (dice.roll() * 2.0).floor(), 7.0] {
                let note = hertz(root + step);
                let strength = if quiet { 0.14 } else { 0.05 };
                add(&mut samples, at, 4.0 * beat, |t| strength * tone(note, t) * (-0.4 * t).exp());
            }
            if !quiet {
                let note = hertz(root - 24.0);
                (0..4).for_each(|b| {
                    let at =
                        at + f64::from(b) * beat + if dice.roll() < 0.3 { beat / 2.0 } else { 0.0 };
                    add(&mut samples, at, 0.3, |t| 0.25 * tone(note, t) * (-6.0 * t).exp());
                });
            }
        }
        if !quiet {
            if k % 2 == 0 || dice.roll() < 0.2 {
                add(&mut samples, at, 0.25, |t| {
                    let fall = 50.0 + 60.0 * (-30.0 * t).exp();
                    0.7 * (std::f32::consts::TAU * fall * t).sin() * (-14.0 * t).exp()
                });
            }
            if k % 2 == 1 {
                add(&mut samples, at, 0.2, |t| 0.3 * (2.0 * hiss.roll() - 1.0) * (-22.0 * t).exp());
            }
            for half in 0..2 {
                if half == 0 || dice.roll() < 0.7 {
                    let at = at + f64::from(half) * beat / 2.0;
                    add(&mut samples, at, 0.06, |t| {
                        0.1 * (2.0 * hiss.roll() - 1.0) * (-70.0 * t).exp()
                    });
                }
            }
        }
        for half in 0..2 {
            if dice.roll() < 0.45 {
                let scale = [69.0, 71.0, 72.0, 74.0, 76.0, 77.0, 79.0, 81.0];
                let note = hertz(scale[(dice.roll() * 8.0) as usize % 8]);
                let at = at + f64::from(half) * beat / 2.0;
                add(&mut samples, at, 0.4, |t| 0.1 * tone(note, t) * (-5.0 * t).exp());
            }
        }
        k += 1;
    }
    samples.iter().map(|x| (0.8 * x).clamp(-1.0, 1.0)).collect()
}

fn drop_roll(dice: &mut Dice) {
    dice.roll();
}

/// The sound of `samples` played `rate` times as fast, from `from` (s) on.
pub fn faster(samples: &[f32], from: f64, rate: f64) -> Vec<f32> {
    let begin = from * f64::from(RATE);
    let count = ((samples.len() as f64 - begin - 2.0) / rate) as usize;
    (0..count)
        .map(|i| {
            let at = begin + i as f64 * rate;
            let (k, share) = (at as usize, at.fract() as f32);
            samples[k] + (samples[k + 1] - samples[k]) * share
        })
        .collect()
}

/// As a small loudspeaker and a microphone in a room give it back: no bass, dull, quiet, echoes, noise.
pub fn through_a_room(samples: &[f32], noise: f32) -> Vec<f32> {
    let (mut low, mut dull) = (0.0, 0.0);
    let mut dice = Dice(4711);
    let heard: Vec<f32> = samples
        .iter()
        .map(|x| {
            low += (x - low) * 0.02;
            dull += (x - low - dull) * 0.35;
            0.15 * dull
        })
        .collect();
    let echo = |i: usize, ms: usize, part: f32| {
        i.checked_sub(ms * RATE as usize / 1000).map_or(0.0, |k| part * heard[k])
    };
    (0..heard.len())
        .map(|i| {
            let echoes = echo(i, 11, 0.4) + echo(i, 23, 0.3) + echo(i, 37, 0.2) + echo(i, 71, 0.15);
            heard[i] + echoes + noise * (2.0 * dice.roll() - 1.0)
        })
        .collect()
}
