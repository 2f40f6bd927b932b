//! What every effect looks like, and that no two look the same.

use super::{played, song};
use crate::harness::golden;
use hearth::aurora::light::Light;
use hearth::aurora::show::{Zone, effects};
use std::fmt::Write as _;

/// Colours as a screen would show them, a hexadecimal digit each.
fn digits(lights: &[Light]) -> String {
    lights.iter().fold(String::new(), |mut text, light| {
        let [r, g, b] = light.bytes(2.2).map(|byte| byte >> 4);
        let _ = write!(text, " {r:x}{g:x}{b:x}");
        text
    })
}

#[test]
fn every_effect_looks_as_it_did() {
    for effect in effects::all() {
        let zone = Zone::of(effect.name);
        let (strip, bulb) = (played(&zone, 14), played(&zone, 1));
        let mut text = format!(
            "{}: {}\nThe song each 0.4 seconds, 14 pixels, then a single lamp.\n",
            effect.name, effect.what
        );
        for k in (0..strip.len()).step_by(20) {
            let (strip, bulb) = (digits(&strip[k]), digits(&bulb[k]));
            let _ = writeln!(text, "{:5.2} {strip}  |{bulb}", k as f64 / 50.0);
        }
        golden(&format!("show/{}.txt", effect.name), &text);
    }
}

/// How far two pictures are apart: the mean difference of channels, as the eye sees them.
fn apart(a: &[Vec<Light>], b: &[Vec<Light>]) -> f32 {
    let eye = |x: f32| x.powf(1.0 / 2.2);
    let (mut sum, mut count) = (0.0, 0.0);
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        for k in 0..3 {
            sum += (eye(a.0[k]) - eye(b.0[k])).abs();
            count += 1.0;
        }
    }
    sum / count
}

#[test]
fn any_two_effects_differ_on_strips_and_on_single_lamps() {
    let names: Vec<&str> = effects::all().map(|effect| effect.name).collect();
    assert!(names.len() >= 20, "{names:?}");
    let mut faults = Vec::new();
    for (pixels, least) in [(30, 0.08), (1, 0.05)] {
        let shown: Vec<_> = names.iter().map(|name| played(&Zone::of(name), pixels)).collect();
        for a in 0..names.len() {
            for b in 0..a {
                let apart = apart(&shown[a], &shown[b]);
                if apart <= least {
                    faults.push(format!("{} and {} on {pixels}: {apart}", names[a], names[b]));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_effect_answers_to_music_and_is_calm_in_silence() {
    let mut faults = Vec::new();
    for effect in effects::all() {
        for pixels in [1, 40] {
            let shown = played(&Zone::of(effect.name), pixels);
            let light = |at: f64| {
                let lights = &shown[(at * 50.0) as usize];
                lights.iter().map(|l| l.luminance()).sum::<f32>() / pixels as f32
            };
            let most = (50..550).map(|k| light(f64::from(k) / 50.0)).fold(0.0, f32::max);
            let moves = (60..540).any(|k| {
                let (a, b) = (&shown[k], &shown[k + 5]);
                a.iter().zip(b).any(|(a, b)| (0..3).any(|c| (a.0[c] - b.0[c]).abs() > 0.03))
            });
            // In silence at most a twentieth of all light, in music at least some.
            if light(0.5) > 0.05 || most < 0.04 || !moves {
                let name = effect.name;
                faults.push(format!("{name} on {pixels}: {} {most} {moves}", light(0.5)));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_parameter_changes_the_picture() {
    use hearth::aurora::show::{Value, effects::Kind};
    let mut faults = Vec::new();
    for effect in effects::all() {
        for parameter in effect.parameters {
            let other = match parameter.kind {
                Kind::Number(low, high, usual) => {
                    Value::Number(if high - usual > usual - low { high } else { low })
                }
                Kind::Count(low, high, usual) => {
                    Value::Number(f32::from(if high - usual > usual - low { high } else { low }))
                }
                Kind::Switch(on) => Value::Switch(!on),
                Kind::Choice(words) => Value::Word((*words.last().unwrap()).to_owned()),
            };
            let usual = Zone::of(effect.name);
            let mut changed = usual.clone();
            changed.set.insert(parameter.name.to_owned(), other);
            let apart = apart(&played(&usual, 40), &played(&changed, 40));
            if apart <= 0.003 {
                faults.push(format!("{}.{}: {apart}", effect.name, parameter.name));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_common_settings_change_every_picture() {
    type Change = (&'static str, fn(&mut Zone));
    let change: [Change; 6] = [
        ("palette", |zone| zone.palette = "white".into()),
        ("brightness", |zone| zone.brightness = 0.3),
        ("speed", |zone| zone.speed = 2.0),
        ("intensity", |zone| zone.intensity = 0.0),
        ("mirror", |zone| zone.mirror = true),
        ("reverse", |zone| zone.reverse = true),
    ];
    // Symmetric ones look the same from both ends, some have no motion of their own, and the height of
    // some is the music itself.
    let same: [(&str, &[&str]); 3] = [
        ("reverse", &["pulse", "heartbeat", "trio", "breath", "kit"]),
        (
            "speed",
            &[
                "pulse",
                "heartbeat",
                "alternate",
                "bars",
                "meter",
                "spectrum",
                "trio",
                "tone",
                "metronome",
            ],
        ),
        ("intensity", &["sparkle"]),
    ];
    let mut faults = Vec::new();
    for (what, change) in change {
        for effect in effects::all() {
            if same.iter().any(|(set, names)| *set == what && names.contains(&effect.name)) {
                continue;
            }
            let usual = Zone::of(effect.name);
            let mut changed = usual.clone();
            change(&mut changed);
            let apart = apart(&played(&usual, 41), &played(&changed, 41));
            if apart <= 0.003 {
                faults.push(format!("{what} of {}: {apart}", effect.name));
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_rate_of_painting_changes_nothing() {
    // Painted 50 times a second, the song gives at each time what it gives painted 25 times.
    use super::lamps;
    use hearth::aurora::show::{Profile, Show};
    for effect in effects::all() {
        let often = played(&Zone::of(effect.name), 20);
        let (mut show, desk) =
            Show::new(lamps(&[20]), &Profile::of(Zone::of(effect.name)), 7).unwrap();
        desk.limit_flashes(false);
        let mut lights = vec![Light::BLACK; 20];
        for (k, frame) in often.iter().enumerate() {
            let moment = song::moment(k as f64 / 50.0);
            show.hear(&moment);
            if k % 2 == 0 {
                show.paint_moment(0, moment.seconds, &moment, &mut lights);
                assert_eq!(&lights, frame, "{} at {}", effect.name, moment.seconds);
            }
        }
    }
}

#[test]
fn the_document_names_every_effect_with_its_parameters() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/AURORA.md");
    let text = std::fs::read_to_string(path).unwrap();
    for effect in effects::all() {
        let names: Vec<&str> = effect.parameters.iter().map(|p| p.name).collect();
        let own = if names.is_empty() { "–".to_owned() } else { names.join(", ") };
        let row = format!("| `{}` | {} | {own} |\n", effect.name, effect.what);
        assert!(text.contains(&row), "docs/AURORA.md lacks: {row}");
    }
}
