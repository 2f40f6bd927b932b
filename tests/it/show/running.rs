//! Shows that are changed while they run, and profiles as files.

use super::{lamps, song};
use crate::harness::Folder;
use hearth::aurora::analyse::{Beat, Frame, Level};
use hearth::aurora::light::Light;
use hearth::aurora::show::{Colours, Paint, Part, Profile, Shelf, Show, Zone};
use hearth::error::Kind;

fn plain(name: &str, colour: &str, lamps: &[&str]) -> Zone {
    let part = |lamp: &&str| Part { lamp: (*lamp).to_owned(), from: 0, to: None, reverse: false };
    // The flow of a palette of one colour, which no music changes.
    Zone {
        name: name.to_owned(),
        lamps: lamps.iter().map(part).collect(),
        palette: colour.to_owned(),
        intensity: 0.0,
        ..Zone::of("flow")
    }
}

/// A profile of these zones with palettes `red` and `blue`.
fn profile(zones: Vec<Zone>, fade: f32) -> Profile {
    let one = |colour: &str| Colours { colours: vec![colour.to_owned()], round: false };
    let palettes = [("red".to_owned(), one("ff0000")), ("blue".to_owned(), one("0000ff"))];
    let name = zones[0].name.clone();
    Profile { fade, name, palettes: palettes.into(), zones, ..Profile::of(Zone::of("flow")) }
}

/// Plays until `to`, 50 times a second, from the second 2 of the song on, where it is loud; calls `each`.
fn play(show: &mut Show, from: f64, to: f64, mut each: impl FnMut(f64, [f32; 3])) {
    for k in (from * 50.0) as u32..(to * 50.0) as u32 {
        let at = f64::from(k) / 50.0;
        let moment = song::moment(2.0 + at % 2.0);
        let moment = hearth::aurora::moment::Moment { seconds: at, ..moment };
        show.hear(&moment);
        let mut light = [Light::BLACK];
        show.paint_moment(0, at, &moment, &mut light);
        each(at, light[0].0);
    }
}

#[test]
fn a_change_fades_from_one_profile_to_the_other() {
    let red = profile(vec![plain("red", "red", &[])], 0.0);
    let (mut show, desk) = Show::new(lamps(&[1]), &red, 1).unwrap();
    play(&mut show, 0.0, 4.0, |_, _| {});
    desk.change(&profile(vec![plain("blue", "blue", &[])], 2.0)).unwrap();
    let (mut last, mut shares) = ([1.0, 0.0, 0.0], Vec::new());
    play(&mut show, 4.0, 8.0, |_, light| {
        assert!(light[0] <= last[0] + 1e-3 && light[2] >= last[2] - 1e-3, "{last:?} {light:?}");
        last = light;
        shares.push(light[2]);
    });
    assert!(shares[0] < 0.02 && shares[150] > 0.98, "{shares:?}");
    assert!((0.4..0.6).contains(&shares[50]), "in the middle {}", shares[50]);
}

#[test]
fn the_next_change_hastens_a_long_fade_and_the_last_of_many_wins() {
    let red = profile(vec![plain("red", "red", &[])], 0.0);
    let (mut show, desk) = Show::new(lamps(&[1]), &red, 1).unwrap();
    play(&mut show, 0.0, 4.0, |_, _| {});
    desk.change(&profile(vec![plain("blue", "blue", &[])], 30.0)).unwrap();
    play(&mut show, 4.0, 5.0, |_, _| {});
    for _ in 0..5 {
        desk.change(&profile(vec![plain("blue", "blue", &[])], 0.0)).unwrap();
    }
    desk.change(&profile(vec![plain("red", "red", &[])], 0.1)).unwrap();
    let mut lights = Vec::new();
    play(&mut show, 5.0, 7.0, |_, light| lights.push(light));
    assert!(lights.iter().any(|light| light[2] > 0.6), "it went to blue first: {lights:?}");
    assert!(lights[99][0] > 0.98 && lights[99][2] < 0.02, "{:?}", lights[99]);
    // A change that cannot be made leaves the show as it is.
    let mut bad = red.clone();
    bad.zones[0].effect = "none such".into();
    assert_eq!(desk.change(&bad).unwrap_err().kind(), Kind::Invalid);
    desk.dim(0.5);
    play(&mut show, 7.0, 8.0, |_, light| assert!((light[0] - 0.5).abs() < 0.01, "{light:?}"));
}

#[test]
fn zones_have_their_pixels_and_everything_else_is_dark() {
    let part = |lamp: &str, from, to, reverse| Part { lamp: lamp.into(), from, to, reverse };
    let left = Zone { lamps: vec![part("lamp1", 2, Some(5), false)], ..plain("left", "red", &[]) };
    let right = Zone {
        lamps: vec![part("lamp1", 5, None, false), part("away", 0, None, false)],
        ..plain("right", "blue", &[])
    };
    let profile = profile(vec![left, right.clone()], 0.0);
    let (mut show, desk) = Show::new(lamps(&[8, 3]), &profile, 1).unwrap();
    assert_eq!(desk.change(&profile).unwrap(), ["away"]);
    for k in 0..100 {
        show.hear(&song::moment(2.0 + f64::from(k) / 50.0));
    }
    let (moment, mut lights) = (song::moment(4.0), [Light::WHITE; 8]);
    show.paint_moment(0, 4.0, &moment, &mut lights);
    let seen: String = lights
        .iter()
        .map(|light| match light.0 {
            [r, _, b] if r > 0.9 && b < 0.1 => 'r',
            [r, _, b] if b > 0.9 && r < 0.1 => 'b',
            [r, _, b] if r + b == 0.0 => '.',
            _ => '?',
        })
        .collect();
    assert_eq!(seen, "..rrrbbb");
    show.paint_moment(1, 4.0, &moment, &mut lights[..3]);
    assert_eq!(lights[..3], [Light::BLACK; 3], "no zone has the second lamp");
    let mut twice = profile.clone();
    twice.zones[1].lamps[0].from = 4;
    let e = desk.change(&twice).unwrap_err().to_string();
    assert!(e.contains("lamp1") && e.contains("in a zone already"), "{e}");
    twice.zones[1].lamps[0] = part("lamp1", 5, Some(9), false);
    let e = desk.change(&twice).unwrap_err().to_string();
    assert!(e.contains("pixels 5 to 9") && e.contains("has 8"), "{e}");
}

#[test]
fn a_line_goes_over_all_lamps_of_a_zone_and_a_reversed_lamp_runs_back() {
    let part = |lamp: &str, reverse| Part { lamp: lamp.into(), from: 0, to: None, reverse };
    let show = |across: bool, parts: Vec<Part>, sizes: &[usize]| {
        let zone = Zone { across, lamps: parts, ..Zone::of("waterfall") };
        let (mut show, desk) = Show::new(lamps(sizes), &Profile::of(zone), 1).unwrap();
        desk.limit_flashes(false);
        (0..150).for_each(|k| show.hear(&song::moment(1.0 + f64::from(k) / 50.0)));
        let moment = song::moment(4.0);
        let paint = |(k, size): (usize, &usize)| {
            let mut lights = vec![Light::BLACK; *size];
            show.paint_moment(k, 4.0, &moment, &mut lights);
            lights
        };
        sizes.iter().enumerate().map(paint).collect::<Vec<_>>()
    };
    let one = show(true, vec![part("lamp1", false)], &[8]).concat();
    let two = show(true, vec![part("lamp1", false), part("lamp2", false)], &[5, 3]).concat();
    assert_eq!(one, two);
    let turned = show(true, vec![part("lamp1", false), part("lamp2", true)], &[5, 3]);
    assert_eq!(turned[0], one[..5]);
    assert_eq!(turned[1].iter().rev().copied().collect::<Vec<_>>(), one[5..]);
    let each = show(false, vec![part("lamp1", false), part("lamp2", false)], &[8, 8]);
    assert_eq!((&each[0], &each[1]), (&one, &one));
}

#[test]
fn frames_of_the_analysis_drive_a_show_and_beats_are_painted_ahead() {
    let (mut show, desk) = Show::new(lamps(&[1, 1]), &Profile::of(Zone::of("pulse")), 1).unwrap();
    desk.limit_flashes(false);
    let level = Level { rms: 0.3, gain: 1.0, open: true, ..Level::default() };
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for hop in 0..600u32 {
        let at = f64::from(hop) / 100.0;
        let next = ((at / 0.5).floor() + 1.0) * 0.5;
        let beat = Beat { period: 0.5, next, confidence: 0.9, there: true, bar: None };
        let frame = Frame { seconds: at, level, beat, ..Frame::default() };
        show.see(&frame, 1000.0 + at);
        for (lamp, ahead, list) in [(0, 0.0, &mut near), (1, 0.2, &mut far)] {
            let mut light = [Light::BLACK];
            show.paint(lamp, 1000.0 + at + ahead, &mut light);
            list.push(light[0].luminance());
        }
    }
    // What the quick lamp shows now, the slow one was told a fifth of a second before.
    for hop in 300..600 {
        assert!((near[hop] - far[hop - 20]).abs() < 0.03, "{hop}: {} {}", near[hop], far[hop - 20]);
    }
    let (low, high) = near[300..].iter().fold((1f32, 0f32), |(l, h), x| (l.min(*x), h.max(*x)));
    assert!(high > 2.0 * low, "it does not pulse: {low} to {high}");
}

#[test]
fn profiles_are_kept_as_files_and_come_back_as_they_were() {
    let folder = Folder::new();
    let shelf = Shelf::new(folder.path().join("profiles"));
    assert!(shelf.names().unwrap().is_empty());
    let mut evening = profile(vec![plain("red", "red", &["lamp1"]), Zone::of("fire")], 1.5);
    evening.name = "Evening, upstairs".into();
    let switch = hearth::aurora::show::Value::Switch(true);
    evening.zones.push(Zone { name: "third".into(), ..Zone::of("ripple") });
    evening.zones[2].set.insert("middle".into(), switch);
    shelf.save(&evening).unwrap();
    shelf.save(&evening).unwrap();
    assert_eq!(shelf.names().unwrap(), ["Evening, upstairs"]);
    assert_eq!(shelf.load("Evening, upstairs").unwrap(), evening);
    assert_eq!(Profile::parse(&evening.text().unwrap()).unwrap(), evening);
    shelf.delete("Evening, upstairs").unwrap();
    let e = shelf.load("Evening, upstairs").unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound);
    assert_eq!(shelf.delete("Evening, upstairs").unwrap_err().kind(), Kind::NotFound);
    for bad in ["", "../up", "a/b", ".hidden", "nul\0", "x\n", &"x".repeat(61)] {
        assert_eq!(shelf.load(bad).unwrap_err().kind(), Kind::Invalid, "{bad:?}");
    }
}

#[test]
fn a_bad_profile_says_what_is_wrong_and_where() {
    let folder = Folder::new();
    let shelf = Shelf::new(folder.path());
    let zone = |rest: &str| {
        format!(r#"{{"version":1,"name":"x","zones":[{{"name":"desk","effect":"pulse"{rest}}}]}}"#)
    };
    for (text, wants) in [
        ("no json".to_owned(), ["profile 'x'", "line 1"]),
        (r#"{"name":"x","zones":[]}"#.into(), ["\"version\": 1", "none"]),
        (r#"{"version":2,"name":"x","zones":[]}"#.into(), ["\"version\": 1", "says 2"]),
        (r#"{"version":1,"name":"x","zones":[]}"#.into(), ["1 to 100 zones", "x"]),
        (zone("").replace("pulse", "boom"), ["no effect 'boom'", "there are pulse, heartbeat"]),
        (zone(r#","palette":"mud""#), ["zone 'desk'", "no palette 'mud'"]),
        (zone(r#","speed":9"#), ["speed is 9", "0.1 to 4"]),
        (zone(r#","brightness":-1"#), ["brightness is -1", "0 to 1"]),
        (zone(r#","set":{"fade":99}"#), ["fade is 99", "0.5 to 8"]),
        (zone(r#","set":{"fade":true}"#), ["'fade' must be a number", "0.5 to 8"]),
        (zone(r#","set":{"colours":1.5}"#), ["'colours' must be a whole number", "1 to 32"]),
        (zone(r#","set":{"glow":1}"#), ["no parameter 'glow'", "fade, colours"]),
        (zone(r#","colour":"red""#), ["unknown field", "colour"]),
        (zone("").replace("desk", "d\\u0000"), ["zone 1 needs a name", "control characters"]),
        ("x".repeat(300_000), ["larger than 256 KB", "profile 'x'"]),
    ] {
        std::fs::write(folder.path().join("x.json"), &text).unwrap();
        let e = shelf.load("x").unwrap_err().to_string();
        assert!(wants.iter().all(|want| e.contains(want)), "{e}\n  wanted {wants:?}");
    }
}
