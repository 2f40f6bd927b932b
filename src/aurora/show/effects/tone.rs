//! Effects of pitch.

use super::{Effect, Kind, set};
use crate::aurora::light::Light;
use crate::aurora::show::scene::{Scene, ramp};
use std::f32::consts::TAU;

pub(super) const ALL: &[Effect] = &[
    Effect {
        name: "tone",
        what: "The colour of the note that is heard most, its light the loudness; colours glide.",
        palette: "rainbow",
        parameters: &[set(
            "spread",
            "how far colours fan out along the line",
            Kind::Number(0.0, 1.0, 0.15),
        )],
        paint: tone,
    },
    Effect {
        name: "melody",
        what: "Notes as they came, side by side: each change of pitch pushes the last ones along.",
        palette: "rainbow",
        parameters: &[set(
            "seconds",
            "how long a note takes to the end",
            Kind::Number(1.0, 4.5, 3.0),
        )],
        paint: melody,
    },
];

fn tone(scene: &Scene, pixels: &mut [Light]) {
    let [x0, y0] = scene.trail.tone;
    let hue = y0.atan2(x0) / TAU;
    // Where notes are far apart the mean says little, and the colour is paler.
    let clear = x0.hypot(y0).min(1.0);
    let loud = scene.trail.smooth.loud;
    let bright = scene.swell(loud.sqrt()) * (0.35 + 0.65 * loud.sqrt());
    let spread = scene.value(0);
    scene.each(pixels, |x| {
        let colour = scene.palette.along(2.0 * (hue + 1.0) + spread * (x - 0.5));
        Light::WHITE.times(0.3).mix(colour, 0.4 + 0.6 * clear).times(bright)
    });
}

fn melody(scene: &Scene, pixels: &mut [Light]) {
    let length = (scene.value(0) / scene.dials.speed.max(0.2)).clamp(0.5, 4.8);
    let single = scene.single();
    scene.each(pixels, |x| {
        let step = scene.ago(if single { 0.0 } else { x * length });
        let colour = scene.palette.along(2.0 * step.tone);
        let edge = if single { 1.0 } else { 1.0 - ramp(x, 0.75, 1.0) };
        let bright = 0.15 + 0.85 * scene.swell(step.three[1].sqrt());
        colour.times(bright * edge * ramp(step.loud, 0.0, 0.1))
    });
}
