//! Nothing flashes more than three times in a second, whatever is heard and whatever is shown.

use super::lamps;
use hearth::aurora::analyse::{Arc, InBar};
use hearth::aurora::light::Light;
use hearth::aurora::moment::{Moment, Place};
use hearth::aurora::show::{Paint, Profile, Show, Zone, effects};

/// The most flashes in any second of a curve: pairs of opposing changes of at least `least`, found by
/// their turning points. Each change is at the time at which it ended, and began where the one before ended.
fn flashes(curve: &[(f64, f32)], least: f32) -> usize {
    // The turning points of all swings that are large enough.
    let mut turns: Vec<(f64, f32)> = vec![curve[0]];
    let mut rising = None;
    for (at, value) in curve {
        let last = turns.last_mut().unwrap();
        match rising {
            Some(true) if *value > last.1 => *last = (*at, *value),
            Some(false) if *value < last.1 => *last = (*at, *value),
            _ if (value - last.1).abs() < least => continue,
            _ => {
                rising = Some(*value > last.1);
                turns.push((*at, *value));
            }
        }
    }
    // A change counts where it happens; two neighbours within a second are a pair.
    let changes: Vec<f64> = turns.iter().skip(1).map(|turn| turn.0).collect();
    let within =
        |from: usize| changes[from..].iter().filter(|at| **at < changes[from] + 1.0).count();
    (0..changes.len()).map(within).max().unwrap_or(0) / 2
}

#[test]
fn the_count_of_flashes_is_right() {
    let square = |hertz: f64| -> Vec<(f64, f32)> {
        let value = |at: f64| if (at * hertz).fract() < 0.5 { 1.0 } else { 0.0 };
        (0..400).map(|k| f64::from(k) / 100.0).map(|at| (at, value(at))).collect()
    };
    assert_eq!(flashes(&square(2.0), 0.1), 2);
    assert_eq!(flashes(&square(8.0), 0.1), 8);
    let small: Vec<_> = square(8.0).into_iter().map(|(at, x)| (at, 0.09 * x)).collect();
    assert_eq!(flashes(&small, 0.1), 0);
    let slope: Vec<_> = (0..100).map(|k| (f64::from(k) / 10.0, k as f32 / 100.0)).collect();
    assert_eq!(flashes(&slope, 0.1), 0);
}

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 16_777_216.0
    }
}

/// Moments made to do harm: everything on and off at random or as fast as possible, beats at any tempo.
struct Attack {
    noise: Noise,
    hertz: f64,
    period: f32,
}

impl Attack {
    fn new(seed: u64) -> Attack {
        let mut noise = Noise(seed);
        for _ in 0..9 {
            noise.next();
        }
        let hertz = [0.0, 2.0, 4.0, 7.0, 12.0, 25.0][(noise.next() * 6.0) as usize];
        let period = 0.1 + noise.next();
        Attack { noise, hertz, period }
    }

    fn moment(&mut self, at: f64) -> Moment {
        let noise = &mut self.noise;
        let on = match self.hertz {
            0.0 => noise.next() > 0.5,
            hertz => (at * hertz).fract() < 0.5,
        };
        let level = if on { 1.0 } else { 0.0 };
        let wild = noise.next() < 0.02;
        let beats = at / f64::from(self.period) + if wild { 0.4 } else { 0.0 };
        let bar = Some(InBar { beat: (beats as u64 % 3 + 1) as u8, of: 3 });
        let place = Place {
            count: beats as u64,
            phase: beats.fract() as f32,
            period: self.period,
            bar,
            sure: 1.0,
        };
        Moment {
            seconds: at,
            playing: noise.next() > 0.02,
            loud: level,
            three: [level, noise.next().round(), 1.0 - level],
            sixteen: std::array::from_fn(|_| level),
            struck: std::array::from_fn(|_| if on { 1.0 } else { 0.01 }),
            tone: (noise.next() * 12.0).floor() / 12.0,
            arc: [Arc::Steady, Arc::Rising, Arc::Drop][(noise.next() * 3.0) as usize % 3],
            beat: (noise.next() > 0.01).then_some(place),
        }
    }
}

fn luminance(lights: &[Light]) -> f32 {
    lights.iter().map(|l| l.luminance()).sum::<f32>() / lights.len() as f32
}

fn red(lights: &[Light]) -> f32 {
    let red = |Light([r, g, b]): &Light| (r - g - b).max(0.0);
    lights.iter().map(red).sum::<f32>() / lights.len() as f32
}

/// Shows ten seconds of an attack on lamps of so many pixels; returns for each lamp, and for all of them
/// together, how bright and how red they were.
fn shown(zone: &Zone, pixels: &[usize], seed: u64, careful: bool) -> Vec<[Vec<(f64, f32)>; 2]> {
    let (mut show, desk) = Show::new(lamps(pixels), &Profile::of(zone.clone()), 3).unwrap();
    desk.limit_flashes(careful);
    let mut attack = Attack::new(seed);
    let mut curves = vec![[Vec::new(), Vec::new()]; pixels.len() + 1];
    for k in 0..600 {
        let at = f64::from(k) / 60.0;
        let moment = attack.moment(at);
        show.hear(&moment);
        let (mut all, mut all_red) = (0.0, 0.0);
        for (lamp, count) in pixels.iter().enumerate() {
            let mut lights = vec![Light::BLACK; *count];
            show.paint_moment(lamp, at, &moment, &mut lights);
            let (bright, reddish) = (luminance(&lights), red(&lights));
            curves[lamp][0].push((at, bright));
            curves[lamp][1].push((at, reddish));
            all += bright / pixels.len() as f32;
            all_red += reddish / pixels.len() as f32;
        }
        curves[pixels.len()][0].push((at, all));
        curves[pixels.len()][1].push((at, all_red));
    }
    curves
}

#[test]
fn no_effect_flashes_more_than_three_times_in_any_second() {
    let (mut unlimited, mut faults) = (0, Vec::new());
    for effect in effects::all() {
        for seed in 0..6 {
            let mut zone = Zone::of(effect.name);
            zone.intensity = 1.0;
            zone.palette = ["rainbow", "white", "ember"][seed as usize % 3].into();
            zone.speed = if seed % 2 == 0 { 4.0 } else { 1.0 };
            let pixels: &[usize] = [&[1][..], &[30], &[1, 1, 12]][seed as usize % 3];
            for (lamp, [light, red]) in shown(&zone, pixels, seed, true).iter().enumerate() {
                let (name, count) = (effect.name, flashes(light, 0.1));
                let reds = flashes(red, 0.0625);
                if count > 3 || reds > 3 {
                    faults.push(format!("{name}, seed {seed}, lamp {lamp}: {count}, {reds} red"));
                }
            }
            let free = shown(&zone, pixels, seed, false);
            unlimited += usize::from(free.iter().any(|[light, _]| flashes(light, 0.1) > 3));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(unlimited > 40, "without the limit {unlimited} would have");
}

#[test]
fn the_limit_lowers_contrast_and_does_not_freeze() {
    // A flicker of all levels at 12 Hz.
    let mut zone = Zone::of("kit");
    zone.set.insert("fade".into(), hearth::aurora::show::Value::Number(0.1));
    let seed = (0..100).find(|seed| Attack::new(*seed).hertz == 12.0).unwrap();
    let curve = &shown(&zone, &[1], seed, true)[0][0];
    let still = curve[300..].windows(2).filter(|pair| (pair[0].1 - pair[1].1).abs() < 1e-5).count();
    assert!(still < 150, "{still} of 300 frames are as the one before");
}

#[test]
fn ordinary_music_is_shown_in_full() {
    // Two beats a second are nobody's danger: with the limit it looks as without.
    for effect in ["pulse", "alternate", "bars", "metronome", "breath", "flow"] {
        let both = [true, false].map(|careful| {
            let profile = Profile::of(Zone::of(effect));
            let (mut show, desk) = Show::new(lamps(&[1, 20]), &profile, 3).unwrap();
            desk.limit_flashes(careful);
            let mut lights = vec![Light::BLACK; 20];
            (0..500).fold(0.0, |sum, k| {
                let moment = super::song::moment(1.5 + f64::from(k) / 150.0);
                show.hear(&moment);
                show.paint_moment(1, moment.seconds, &moment, &mut lights);
                sum + lights.iter().map(|l| l.luminance()).sum::<f32>()
            })
        });
        assert!((both[0] / both[1] - 1.0).abs() < 0.05, "{effect}: {both:?}");
    }
}

#[test]
fn lamps_of_different_latency_are_safe_one_by_one_and_together() {
    const AHEAD: [f64; 4] = [0.02, 0.03, 0.2, 0.45];
    let mut faults = Vec::new();
    for (effect, seed) in effects::all().zip(0..) {
        let zone = Zone { across: seed % 2 == 0, intensity: 1.0, ..Zone::of(effect.name) };
        let (mut show, _desk) = Show::new(lamps(&[1, 1, 1, 1]), &Profile::of(zone), 3).unwrap();
        let mut curves: [Vec<(f64, f32)>; 4] = [const { Vec::new() }; 4];
        let mut attack = Attack::new(seed);
        for k in 0..1000 {
            let at = f64::from(k) / 100.0;
            let moment = attack.moment(at);
            show.hear(&moment);
            for (lamp, ahead) in AHEAD.into_iter().enumerate() {
                let mut light = [Light::BLACK];
                let seen = at + ahead;
                show.paint_moment(lamp, seen, &Moment { seconds: seen, ..moment }, &mut light);
                curves[lamp].push((seen, light[0].luminance()));
            }
        }
        // What is seen at one time, whenever it was painted.
        let then = |lamp: usize, at: f64| {
            let k = ((at - AHEAD[lamp]) * 100.0 + 0.001).floor().max(0.0) as usize;
            curves[lamp][k.min(999)].1
        };
        let all = (60..1000).map(|k| f64::from(k) / 100.0);
        let all: Vec<_> =
            all.map(|at| (at, (0..4).map(|lamp| then(lamp, at)).sum::<f32>() / 4.0)).collect();
        let counts: Vec<usize> = curves.iter().map(|curve| flashes(curve, 0.1)).collect();
        let together = flashes(&all, 0.1);
        // Of the quick lamps a slow one knows only the past, so one more may slip through under attack.
        if together > 4 || counts.iter().any(|count| *count > 3) {
            faults.push(format!("{}: {counts:?}, {together} together", effect.name));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    // And without any moment at all nothing happens.
    let mut light = [Light::WHITE];
    let mut show = Show::new(lamps(&[1]), &Profile::of(Zone::of("pulse")), 3).unwrap().0;
    show.paint(0, 5.0, &mut light);
    assert!(light[0].luminance() < 0.06, "{light:?}");
}
