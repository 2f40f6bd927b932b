//! Effects that show how loud it is, and where in the spectrum.

use super::{Effect, Kind, set};
use crate::aurora::light::Light;
use crate::aurora::show::scene::{Scene, hill, ramp};
use std::f32::consts::TAU;

pub(super) const ALL: &[Effect] = &[
    Effect {
        name: "meter",
        what: "A bar as long as the sound is loud, with a mark at the loudest of the last second.",
        palette: "forest",
        parameters: &[set(
            "of",
            "what is measured",
            Kind::Choice(&["all", "bass", "middle", "treble"]),
        )],
        paint: meter,
    },
    Effect {
        name: "spectrum",
        what: "Sixteen bands from bass to treble along the line, each as bright as it is loud.",
        palette: "rainbow",
        parameters: &[set(
            "blur",
            "how much neighbours run into each other",
            Kind::Number(0.0, 1.0, 0.5),
        )],
        paint: spectrum,
    },
    Effect {
        name: "trio",
        what: "Bass swells in the middle, the middle around it, treble at the ends.",
        palette: "rainbow",
        parameters: &[],
        paint: trio,
    },
    Effect {
        name: "waterfall",
        what: "What was heard runs along the line: bass, middle and treble as colour, loudness as light.",
        palette: "aurora",
        parameters: &[set("seconds", "how long it takes to the end", Kind::Number(0.3, 4.0, 1.5))],
        paint: waterfall,
    },
    Effect {
        name: "breath",
        what: "The whole room breathes slowly, deeper when the music is louder; no beats.",
        palette: "ocean",
        parameters: &[set("seconds", "how long a breath is", Kind::Number(2.0, 20.0, 8.0))],
        paint: breath,
    },
    Effect {
        name: "tide",
        what: "A level rises with the energy of the music, through a build-up to the brim, and breaks at the drop.",
        palette: "ocean",
        parameters: &[set("waves", "height of the waves on it", Kind::Number(0.0, 0.3, 0.06))],
        paint: tide,
    },
];

fn meter(scene: &Scene, pixels: &mut [Light]) {
    let which = scene.value(0) as usize;
    let level = |ago: f32| {
        let step = scene.ago(ago);
        let value = if which == 0 { step.loud } else { step.three[(which - 1).min(2)] };
        // The ear hears ratios: half the length at a quarter of the level.
        value.max(0.0).sqrt()
    };
    let now = (0..4).map(|k| level(k as f32 * 0.02)).fold(0.0, f32::max);
    if scene.single() {
        return scene.each(pixels, |_| scene.palette.at(now).times(scene.swell(now * now)));
    }
    // The mark falls from the loudest of the last second and a half.
    let peak = (0..50).map(|k| level(k as f32 * 0.03) - k as f32 * 0.012).fold(0.0, f32::max);
    let edge = scene.pixel();
    scene.each(pixels, |x| {
        let lit = 1.0 - ramp(x, now - edge, now + edge);
        let mark = hill(x, peak.clamp(edge, 1.0 - edge), 1.5 * edge);
        let bar = scene.palette.at(x).times(lit * scene.swell(0.3 + 0.7 * x.max(now)));
        bar.plus(scene.palette.at(1.0).times(0.8 * mark))
    });
}

fn spectrum(scene: &Scene, pixels: &mut [Light]) {
    let bands = scene.moment.sixteen;
    if scene.single() {
        // The colour of the centre of the spectrum.
        let all: f32 = bands.iter().sum::<f32>() + 1e-6;
        let centre: f32 = bands.iter().enumerate().map(|(k, b)| k as f32 * b).sum::<f32>() / all;
        let most = bands.iter().copied().fold(0.0, f32::max);
        return scene.each(pixels, |_| scene.palette.at(centre / 15.0).times(scene.swell(most)));
    }
    let blur = scene.value(0);
    scene.each(pixels, |x| {
        let at = x * 16.0 - 0.5;
        let near = |k: f32| bands[(k.max(0.0) as usize).min(15)];
        let sharp = near(at.round());
        let smooth =
            near(at.floor()) + (near(at.floor() + 1.0) - near(at.floor())) * (at - at.floor());
        let level = sharp + (smooth - sharp) * blur;
        scene.palette.at(x).times(level * scene.swell(level))
    });
}

fn trio(scene: &Scene, pixels: &mut [Light]) {
    let [bass, middle, treble] = scene.moment.three;
    let smooth = scene.trail.smooth.three;
    let level = |now: f32, smooth: f32| (0.6 * now + 0.4 * smooth).clamp(0.0, 1.0);
    let levels = [level(bass, smooth[0]), level(middle, smooth[1]), level(treble, smooth[2])];
    let colours = [0.0, 0.4, 0.85].map(|place| scene.palette.at(place));
    let single = scene.single();
    scene.each(pixels, |x| {
        let out = if single { 0.0 } else { (2.0 * x - 1.0).abs() };
        let mut sum = Light::BLACK;
        for (k, level) in levels.into_iter().enumerate() {
            let home = [0.0, 0.5, 1.0][k];
            let near = if single { 1.0 } else { hill(out, home, 0.25 + 0.35 * level) };
            sum = sum.plus(colours[k].times(near * level * scene.swell(level)));
        }
        sum
    });
}

fn waterfall(scene: &Scene, pixels: &mut [Light]) {
    let length = (scene.value(0) / scene.dials.speed.max(0.1)).clamp(0.05, 4.8);
    let single = scene.single();
    scene.each(pixels, |x| {
        let step = scene.ago(if single { 0.0 } else { x * length });
        let [bass, middle, treble] = step.three;
        let all = bass + middle + treble + 1e-6;
        let colour = scene.palette.at((0.5 * middle + treble) / all);
        let fade = if single { 1.0 } else { 1.0 - 0.6 * x };
        colour.times(step.loud * fade * scene.swell(step.loud))
    });
}

fn breath(scene: &Scene, pixels: &mut [Light]) {
    let length = f64::from((scene.value(0) / scene.dials.speed.max(0.1)).max(0.5));
    let turn = ((scene.seconds() / length).fract()) as f32;
    let depth = 0.25 + 0.65 * scene.trail.energy.sqrt().min(1.0) * scene.dials.intensity;
    let colour = (scene.seconds() / (length * 3.0)).fract() as f32;
    scene.each(pixels, |x| {
        let wave = 0.5 - 0.5 * ((turn - 0.15 * (2.0 * x - 1.0).abs()) * TAU).cos();
        let bright = 0.12 + depth * wave * wave;
        scene.palette.along(2.0 * colour + 0.2 * x).times(bright.min(1.0))
    });
}

fn tide(scene: &Scene, pixels: &mut [Light]) {
    use crate::aurora::analyse::Arc;
    let since = (scene.seconds() - scene.trail.arc_at) as f32;
    let usual = 0.1 + 0.6 * scene.trail.energy.sqrt().min(1.0);
    let height = match scene.trail.arc {
        Arc::Rising => usual + (1.0 - usual) * (1.0 - (-since / 4.0).exp()),
        Arc::Drop => 1.0 - (1.0 - usual) * ramp(since, 0.2, 2.0),
        Arc::Steady => usual,
    };
    let foam = if scene.trail.arc == Arc::Drop { (1.0 - since / 2.0).max(0.0) } else { 0.0 };
    let (beats, single) = (scene.beats(), scene.single());
    let swing = ((beats / 4.0).fract() as f32) * TAU;
    let lift = scene.dials.intensity * 0.15 * scene.trail.smooth.three[0];
    scene.each(pixels, |x| {
        if single {
            let bright = height * (0.8 + 0.2 * swing.sin()) + lift;
            return scene.palette.at(height).times(bright.clamp(0.0, 1.0)).mix(Light::WHITE, foam);
        }
        let level = height + lift + scene.value(0) * (swing + x * 9.0).sin();
        let under = 1.0 - ramp(x, level - 0.03, level + 0.03);
        let depth = scene.palette.at((x / level.max(0.05)).min(1.0));
        let crest = hill(x, level, 0.06) * 0.6 + foam * under;
        depth.times(under * (0.35 + 0.4 * x)).plus(scene.palette.at(1.0).times(crest.min(1.0)))
    });
}
