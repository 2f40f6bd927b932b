//! Effects that flow: music moves them, but nothing flashes.

use super::{Effect, Kind, set};
use crate::aurora::light::Light;
use crate::aurora::show::scene::{Scene, hill, part, ramp};
use std::f32::consts::TAU;

pub(super) const ALL: &[Effect] = &[
    Effect {
        name: "flow",
        what: "The palette drifts along the line, faster when the music is louder.",
        palette: "rainbow",
        parameters: &[set(
            "waves",
            "how often the palette fits on the line",
            Kind::Number(0.2, 4.0, 1.0),
        )],
        paint: flow,
    },
    Effect {
        name: "plasma",
        what: "Waves of three lengths run through each other on the clock of the beat.",
        palette: "aurora",
        parameters: &[set("scale", "how fine the pattern is", Kind::Number(0.3, 4.0, 1.0))],
        paint: plasma,
    },
    Effect {
        name: "curtains",
        what: "Northern lights: slow curtains, lit from within by middle and treble.",
        palette: "aurora",
        parameters: &[set("folds", "how many folds the curtains have", Kind::Count(2, 16, 6))],
        paint: curtains,
    },
    Effect {
        name: "fire",
        what: "Flames that the bass blows higher, from the beginning of the line.",
        palette: "ember",
        parameters: &[set(
            "height",
            "height of the flames in quiet music",
            Kind::Number(0.1, 0.9, 0.3),
        )],
        paint: fire,
    },
    Effect {
        name: "embers",
        what: "Single places glow up and die down by themselves, more of them the more is going on.",
        palette: "candle",
        parameters: &[set("places", "places that can glow", Kind::Count(4, 64, 20))],
        paint: embers,
    },
];

fn flow(scene: &Scene, pixels: &mut [Light]) {
    let at = part(scene.travel() * 0.125) * 2.0;
    let swell = scene.swell(scene.trail.smooth.loud.sqrt());
    let waves = if scene.single() { 0.0 } else { scene.value(0) };
    scene.each(pixels, |x| scene.palette.along(x * waves - at).times(swell));
}

fn plasma(scene: &Scene, pixels: &mut [Light]) {
    let beats = scene.beats();
    let scale = if scene.single() { 0.0 } else { scene.value(0) };
    let turn = |rounds: f64| part(beats * rounds) * TAU;
    let [a, b, c] = [turn(0.125), turn(0.1875), turn(-0.0625)];
    let push = 0.5 * scene.trail.smooth.three[0] * scene.dials.intensity;
    scene.each(pixels, |x| {
        let wave = (x * 7.0 * scale + a).sin()
            + (x * 12.0 * scale - b).sin()
            + (x * 4.0 * scale + c).cos();
        let bright = 0.55 + 0.45 * (x * 17.0 * scale + wave * 2.0 + a - b).cos();
        scene
            .palette
            .along(0.5 + wave / 4.0 + push)
            .times(bright * scene.swell(scene.trail.smooth.loud))
    });
}

fn curtains(scene: &Scene, pixels: &mut [Light]) {
    let folds = f64::from(scene.value(0).round());
    let time = scene.seconds() * 0.22 * f64::from(scene.dials.speed) + 0.15 * scene.travel();
    let [_, middle, treble] = scene.trail.smooth.three;
    scene.each(pixels, |x| {
        let place = f64::from(x) * folds;
        let veil = scene.noise2(place + time * 0.6, time);
        let ray = scene.noise2(place * 3.0 - time * 0.9, time * 2.3 + 400.0);
        let bright = ramp(veil, 0.25, 0.9) * (0.35 + scene.dials.intensity * middle.sqrt())
            + 0.35 * ramp(ray, 0.6, 1.0) * treble.sqrt();
        scene
            .palette
            .along(0.9 * veil + 0.15 * x + (time % 20.0) as f32 * 0.1)
            .times(bright.min(1.0))
    });
}

fn fire(scene: &Scene, pixels: &mut [Light]) {
    let time = scene.seconds() * f64::from(scene.dials.speed);
    let bass = scene.trail.smooth.three[0].max(0.7 * scene.moment.struck[0]);
    let height = scene.value(0) + (0.95 - scene.value(0)) * bass * scene.dials.intensity;
    let single = scene.single();
    scene.each(pixels, |x| {
        let x = if single { 0.25 } else { x };
        let flicker = scene.noise2(f64::from(x) * 7.0 - time * 3.1, time * 1.9);
        let lick = scene.noise2(f64::from(x) * 3.0 - time * 1.7, time * 0.8 + 90.0);
        let top = height * (0.65 + 0.7 * lick);
        let heat = ((1.0 - x / top.max(0.05)) * (0.7 + 0.6 * flicker)).clamp(0.0, 1.0);
        scene.palette.at(0.1 + 0.9 * heat).times(heat.powf(1.3))
    });
}

fn embers(scene: &Scene, pixels: &mut [Light]) {
    let places = scene.value(0).round().max(1.0) as u64;
    let time = scene.seconds() * 0.35 * f64::from(scene.dials.speed);
    let awake = 0.35 + 0.75 * scene.trail.energy.sqrt().min(1.0) * scene.dials.intensity;
    let width = (0.7 * scene.pixel()).max(0.9 / places as f32);
    let single = scene.single();
    scene.each(pixels, |x| {
        let mut sum = Light::BLACK;
        for k in 0..if single { 1 } else { places } {
            let own = time * (0.6 + 0.8 * f64::from(scene.chance(k)))
                + f64::from(scene.chance(k + 500)) * 9.0;
            let round = own.floor() as i64 as u64;
            let asleep = !single && scene.chance(round * 131 + k) > awake;
            if asleep {
                continue;
            }
            let glow = (part(own) * TAU / 2.0).sin().powi(2);
            let near = match single {
                true => 1.0,
                false => hill(x, scene.chance(round * 977 + k + 90), width),
            };
            let colour = scene.palette.along(scene.chance(round * 31 + k + 7));
            sum = sum.plus(colour.times(near * glow * (0.5 + 0.5 * scene.trail.smooth.loud)));
        }
        sum
    });
}
