//! Effects of onsets: whatever begins leaves something on the line.

use super::{Effect, Kind, set};
use crate::aurora::light::Light;
use crate::aurora::show::scene::{Scene, hill, ramp};

pub(super) const ALL: &[Effect] = &[
    Effect {
        name: "ripple",
        what: "Every drum throws a stone: rings run outwards from where it falls and fade.",
        palette: "party",
        parameters: &[
            set("seconds", "how long a ring lives", Kind::Number(0.3, 4.0, 1.2)),
            set("middle", "all stones fall into the middle", Kind::Switch(false)),
        ],
        paint: ripple,
    },
    Effect {
        name: "comets",
        what: "Each beat of the bass sends a comet with a tail down the line.",
        palette: "neon",
        parameters: &[
            set("seconds", "how long it flies", Kind::Number(0.3, 4.0, 1.4)),
            set("tail", "length of the tail", Kind::Number(0.05, 1.0, 0.35)),
        ],
        paint: comets,
    },
    Effect {
        name: "sparkle",
        what: "Cymbals and hats strew sparks that go out again, over a faint ground.",
        palette: "ice",
        parameters: &[
            set("sparks", "sparks for each onset", Kind::Count(1, 24, 8)),
            set("ground", "light of the ground", Kind::Number(0.0, 0.5, 0.08)),
        ],
        paint: sparkle,
    },
    Effect {
        name: "kit",
        what: "A drum kit: bass drum in the middle, snare beside it, toms and cymbals at the ends.",
        palette: "neon",
        parameters: &[set("fade", "seconds until a stroke is gone", Kind::Number(0.1, 1.5, 0.4))],
        paint: kit,
    },
    Effect {
        name: "fireworks",
        what: "Strong strokes burst into sparks that fly apart, slow down and go out.",
        palette: "rainbow",
        parameters: &[set("sparks", "sparks in a burst", Kind::Count(4, 24, 10))],
        paint: fireworks,
    },
];

/// What is to be seen where nothing was struck: very little, as loud as it is.
fn ground(scene: &Scene) -> Light {
    scene.palette.at(0.0).times(0.015 + 0.06 * scene.trail.smooth.loud)
}

fn ripple(scene: &Scene, pixels: &mut [Light]) {
    let life = scene.value(0) / scene.dials.speed.max(0.1);
    let (single, middle) = (scene.single(), scene.value(1) > 0.5);
    let width = 0.05 + scene.pixel();
    let rest = ground(scene);
    scene.each(pixels, |x| {
        let mut sum = rest;
        for group in 0..3 {
            for (age, stone) in scene.strikes(group).take_while(|(age, _)| *age < life) {
                let from = if middle { 0.5 } else { scene.chance(stone.number) };
                let (share, left) = (age / life, (1.0 - age / life).powi(2));
                // A single lamp sees the ring pass a little after the stone has fallen.
                let near = match single {
                    true => ramp(age, 0.0, 0.04),
                    false => hill((x - from).abs(), share * 0.8, width + 0.06 * share),
                };
                let colour = scene.palette.along(group as f32 * 0.3 + 0.15 + 0.3 * share);
                sum = sum.plus(colour.times(near * left * scene.swell(1.0 - 0.25 * group as f32)));
            }
        }
        sum
    });
}

fn comets(scene: &Scene, pixels: &mut [Light]) {
    let life = scene.value(0) / scene.dials.speed.max(0.1);
    let tail = scene.value(1).max(2.0 * scene.pixel());
    let (single, rest) = (scene.single(), ground(scene));
    scene.each(pixels, |x| {
        let mut sum = rest;
        for (age, comet) in scene.strikes(0).chain(scene.strikes(1)) {
            let share = age / life;
            if share > 1.0 + tail {
                continue;
            }
            let colour = scene.palette.along(scene.chance(comet.number));
            let behind = if single { share } else { share * (1.0 + tail) - x };
            let bright = match behind {
                _ if single => (1.0 - share).max(0.0).powi(2) * 0.8,
                // The head is white hot.
                b if b < 0.0 => hill(b, 0.0, scene.pixel()),
                b => (1.0 - b / tail).max(0.0).powi(2),
            };
            let head = if single { (1.0 - share * 6.0).max(0.0) } else { hill(behind, 0.0, 0.04) };
            sum = sum.plus(colour.mix(Light::WHITE, 0.5 * head).times(bright));
        }
        sum.times(scene.swell(0.5 + 0.5 * scene.trail.smooth.loud))
    });
}

fn sparkle(scene: &Scene, pixels: &mut [Light]) {
    let sparks = scene.value(0).round().max(1.0) as u64;
    let drift = 0.1 * scene.travel();
    let ground = scene.palette.along(drift.fract() as f32 * 2.0).times(scene.value(1));
    let width = (0.6 * scene.pixel()).max(0.012);
    let life = 0.5 / scene.dials.speed.clamp(0.25, 4.0);
    let single = scene.single();
    scene.each(pixels, |x| {
        let mut sum = ground;
        for group in 2..4 {
            for (age, onset) in scene.strikes(group).take_while(|(age, _)| *age < 2.0 * life) {
                for k in 0..if single { 1 } else { sparks } {
                    let number = onset.number * 64 + k;
                    let own = life * (0.4 + 1.6 * scene.chance(number + 32));
                    let left = (1.0 - age / own).max(0.0);
                    if left == 0.0 {
                        continue;
                    }
                    let near = if single { 0.7 } else { hill(x, scene.chance(number), width) };
                    let colour = scene.palette.along(scene.chance(number + 16));
                    sum = sum.plus(colour.mix(Light::WHITE, 0.4 * left).times(near * left * left));
                }
            }
        }
        sum
    });
}

fn kit(scene: &Scene, pixels: &mut [Light]) {
    /// Where each group stands, from the middle outwards, and how wide it is.
    const PLACES: [(f32, f32); 4] = [(0.0, 0.3), (0.4, 0.25), (0.7, 0.22), (1.0, 0.25)];
    let fade = scene.value(0) / scene.dials.speed.max(0.1);
    let single = scene.single();
    let strokes: [f32; 4] = std::array::from_fn(|group| {
        scene.strikes(group).next().map_or(0.0, |(age, _)| (1.0 - age / fade).max(0.0).powi(2))
    });
    scene.each(pixels, |x| {
        let out = (2.0 * x - 1.0).abs();
        let mut sum = scene.palette.at(0.5).times(0.03);
        for (group, (home, width)) in PLACES.into_iter().enumerate() {
            let near = if single { [1.0, 0.7, 0.4, 0.25][group] } else { hill(out, home, width) };
            let colour = scene.palette.at(group as f32 / 3.0);
            sum = sum.plus(colour.times(near * strokes[group] * scene.swell(strokes[group])));
        }
        sum
    });
}

fn fireworks(scene: &Scene, pixels: &mut [Light]) {
    let sparks = scene.value(0).round().max(4.0) as u64;
    let life = 1.6 / scene.dials.speed.max(0.1);
    let width = (0.8 * scene.pixel()).max(0.012);
    let (single, rest) = (scene.single(), ground(scene));
    scene.each(pixels, |x| {
        let mut sum = rest;
        for (age, burst) in scene.strikes(1).take(4).take_while(|(age, _)| *age < life) {
            let from = 0.15 + 0.7 * scene.chance(burst.number);
            let colour = scene.palette.along(scene.chance(burst.number + 7_000));
            // Air slows them down: most of the way is done early.
            let (gone, left) = (1.0 - (-3.5 * age / life).exp(), 1.0 - age / life);
            let flash = (1.0 - age / 0.12).max(0.0);
            if single {
                let glimmer =
                    0.7 + 0.3 * scene.noise(f64::from(age) * 18.0 + burst.number as f64 * 31.0);
                sum = sum.plus(colour.mix(Light::WHITE, flash).times(left * left * left * glimmer));
                continue;
            }
            sum = sum.plus(Light::WHITE.times(flash * hill(x, from, 0.08)));
            for k in 0..sparks {
                let number = burst.number * 64 + k;
                let way = (scene.chance(number) - 0.5) * 0.9 * (0.5 + scene.dials.intensity);
                let near = hill(x, from + way * gone, width);
                sum = sum.plus(colour.times(near * left * (0.5 + 0.5 * scene.chance(number + 40))));
            }
        }
        sum
    });
}
