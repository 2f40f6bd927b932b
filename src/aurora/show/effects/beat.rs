//! Effects that live on the beat.

use super::{Effect, Kind, set};
use crate::aurora::light::Light;
use crate::aurora::show::scene::{Scene, hill, part, ramp};
use std::f32::consts::TAU;

pub(super) const ALL: &[Effect] = &[
    Effect {
        name: "pulse",
        what: "Everything lights up on the beat and fades; each beat has the next colour.",
        palette: "party",
        parameters: &[
            set("fade", "how fast the light goes, per beat", Kind::Number(0.5, 8.0, 3.0)),
            set("colours", "beats until the colours begin again", Kind::Count(1, 32, 8)),
        ],
        paint: pulse,
    },
    Effect {
        name: "heartbeat",
        what: "Two thumps in a row, the second weaker, swelling from the middle, once in two beats.",
        palette: "rose",
        parameters: &[set("reach", "how far the first thump swells", Kind::Number(0.1, 1.0, 0.7))],
        paint: heartbeat,
    },
    Effect {
        name: "alternate",
        what: "Neighbouring fields take turns: at each beat light and dark change places.",
        palette: "sunset",
        parameters: &[
            set("fields", "how many fields the line has", Kind::Count(2, 32, 4)),
            set("rest", "how much light a field keeps in its pause", Kind::Number(0.0, 1.0, 0.12)),
        ],
        paint: alternate,
    },
    Effect {
        name: "metronome",
        what: "A light swings from end to end and is at an end on every beat.",
        palette: "neon",
        parameters: &[set("width", "width of the light", Kind::Number(0.02, 0.6, 0.16))],
        paint: metronome,
    },
    Effect {
        name: "bars",
        what: "The line fills up beat by beat until the bar is full, then begins again in a new colour.",
        palette: "party",
        parameters: &[set("trace", "how much of the last bar stays", Kind::Number(0.0, 1.0, 0.15))],
        paint: bars,
    },
    Effect {
        name: "chase",
        what: "A chain of lights that moves on by one place twice in a beat.",
        palette: "candle",
        parameters: &[
            set("gap", "places from light to light", Kind::Count(2, 12, 4)),
            set("places", "places on the line", Kind::Count(4, 120, 24)),
        ],
        paint: chase,
    },
    Effect {
        name: "orbit",
        what: "Lights that go round at different tempi of the same beat and meet on the downbeat.",
        palette: "neon",
        parameters: &[
            set("lights", "how many", Kind::Count(1, 6, 3)),
            set("width", "width of each", Kind::Number(0.02, 0.4, 0.1)),
        ],
        paint: orbit,
    },
];

fn pulse(scene: &Scene, pixels: &mut [Light]) {
    let colours = scene.value(1).max(1.0);
    let colour = scene.palette.along((scene.step() as f64 / f64::from(colours)).fract() as f32);
    let least = 0.35 * (1.0 - scene.dials.intensity);
    let bright = least + (1.0 - least) * scene.pulse(scene.value(0));
    // A little later towards the ends, so that a strip opens rather than switches.
    scene.each(pixels, |x| colour.times(bright * (1.0 - 0.25 * (2.0 * x - 1.0).powi(2))));
}

fn heartbeat(scene: &Scene, pixels: &mut [Light]) {
    let place = if scene.moment.beat.is_some() {
        part((scene.step() as f64 + f64::from(scene.phase())) / 2.0)
    } else {
        // Without a beat a heart at rest.
        part(scene.seconds() / 1.2)
    };
    let thump = |at: f32, strength: f32| {
        let since = (place - at).rem_euclid(1.0);
        strength * ramp(since, 0.0, 0.03) * (-9.0 * since).exp() / (-0.27f32).exp()
    };
    let strength = (thump(0.0, 1.0) + thump(0.19, 0.6)).min(1.0);
    let strength = strength * scene.swell(scene.trail.smooth.three[0]);
    let colour = scene.palette.at(0.25 + 0.5 * strength);
    let reach = 0.5 * scene.value(0) * (0.35 + 0.65 * strength);
    let single = scene.single();
    scene.each(pixels, |x| {
        let near =
            if single { 1.0 } else { 1.0 - ramp((x - 0.5).abs(), reach * 0.6, reach + 0.05) };
        colour.times(near * (0.08 + 0.92 * strength))
    });
}

fn alternate(scene: &Scene, pixels: &mut [Light]) {
    let fields = scene.value(0).round().max(2.0);
    let (step, rest) = (scene.step(), scene.value(1));
    let turn = ramp(scene.phase(), 0.0, 0.12);
    let swell = scene.swell(scene.trail.smooth.loud);
    let colours = [0.35, 0.8].map(|place| scene.palette.along(place));
    if scene.single() {
        // One lamp takes turns with itself.
        let (old, new) = (colours[(step % 2) as usize], colours[((step + 1) % 2) as usize]);
        return scene.each(pixels, |_| old.mix(new, turn).times(swell));
    }
    scene.each(pixels, |x| {
        let field = (x * fields) as u64;
        let bright = |step: u64| if (field + step).is_multiple_of(2) { 1.0 } else { rest };
        let now = bright(step + 1) + (bright(step) - bright(step + 1)) * turn;
        colours[(field % 2) as usize].times(now * swell)
    });
}

fn metronome(scene: &Scene, pixels: &mut [Light]) {
    let beats = scene.beats();
    // Half a circle from beat to beat, so that it is slow at the ends as a pendulum is.
    let swing = 0.5 - 0.5 * (part(beats / 2.0) * TAU).cos();
    let colour = scene.palette.at(swing);
    let swell = scene.swell(scene.trail.smooth.loud);
    if scene.single() {
        return scene
            .each(pixels, |_| colour.times((0.25 + 0.75 * (2.0 * swing - 1.0).abs()) * swell));
    }
    let width = scene.value(0).max(2.0 * scene.pixel());
    let middle = width * 0.4 + swing * (1.0 - 0.8 * width);
    scene.each(pixels, |x| colour.times((hill(x, middle, width) + 0.03) * swell));
}

fn bars(scene: &Scene, pixels: &mut [Light]) {
    let (place, of) = scene.bar();
    let beat = (place * of as f32).floor();
    let grown = (beat + ramp(scene.phase(), 0.0, 0.3)) / of as f32 + 1e-3;
    let bar = scene.step().saturating_sub(beat as u64) / u64::from(of);
    let colour = |bar: u64| scene.palette.along((bar % 97) as f32 * 0.29);
    let (now, before) = (colour(bar), colour(bar.wrapping_sub(1) % 97));
    let kick = 0.65 + 0.35 * scene.pulse(4.0);
    let full = (beat + 1.0) / of as f32;
    let single = scene.single();
    let swell = scene.swell(scene.trail.smooth.loud) * kick;
    scene.each(pixels, |x| {
        if single {
            return now.times((0.1 + 0.9 * full.min(grown + 1.0 / of as f32)) * swell);
        }
        let reach = grown.max(1.0 / of as f32 * ramp(scene.phase(), 0.0, 0.15));
        let lit = 1.0 - ramp(x, reach - 0.01, reach + 0.01);
        before.times(scene.value(0)).mix(now, lit).times(swell)
    });
}

fn chase(scene: &Scene, pixels: &mut [Light]) {
    let (gap, places) = (scene.value(0).round().max(2.0), scene.value(1).round().max(1.0));
    let clock = 2.0 * scene.beats();
    // It rests for most of the time and then goes quickly.
    let at = clock.floor() + f64::from(ramp(part(clock), 0.55, 1.0));
    let swell = scene.swell(scene.trail.smooth.loud);
    let single = scene.single();
    let off = (at % f64::from(gap * 64.0)) as f32;
    scene.each(pixels, |x| {
        let place = if single { 0.0 } else { (x * places).floor() };
        let from = (place - off).rem_euclid(gap);
        let near = (1.0 - from.min(gap - from)).max(0.0);
        let colour = scene.palette.along((off / gap).floor() * 0.13 + x * 0.3);
        colour.times((0.04 + 0.96 * near) * swell)
    });
}

fn orbit(scene: &Scene, pixels: &mut [Light]) {
    let lights = scene.value(0).round().clamp(1.0, 6.0) as u32;
    let beats = scene.beats();
    let width = scene.value(1).max(2.0 * scene.pixel());
    let (swell, single) = (scene.swell(scene.trail.smooth.loud), scene.single());
    scene.each(pixels, |x| {
        let mut sum = Light::BLACK;
        for k in 0..lights {
            // Rounds in 4, 3, 2 … bars' worth of beats: together again after a while.
            let turn = part(beats * f64::from(k + 1) / 8.0);
            let colour = scene.palette.along(k as f32 / lights as f32 + 0.1);
            let near = match single {
                true => (0.5 + 0.5 * (turn * TAU).cos()).powi(3),
                false => {
                    let off = (x - turn).rem_euclid(1.0);
                    hill(off.min(1.0 - off), 0.0, width)
                }
            };
            sum = sum.plus(colour.times(near * swell));
        }
        sum
    });
}
