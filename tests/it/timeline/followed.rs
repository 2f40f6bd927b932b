//! Sound that something else plays is found in its timeline, and other sound is not.

use super::sound::{RATE, faster, song, through_a_room};
use super::{minute, rendered};
use hearth::aurora::analyse::{Analysis, Settings};
use hearth::aurora::timeline::{Follower, Timeline};

/// Where the clock of the microphone stands when the sound begins.
const BEGIN: f64 = 5000.0;

/// What a follower says while it hears these samples: seconds heard and, when it knows it, the position.
pub fn followed(timeline: &Timeline, samples: &[f32]) -> Vec<(f64, Option<f64>)> {
    let mut follower = Follower::new(timeline);
    let mut analysis = Analysis::new(RATE, Settings::default()).unwrap();
    let mut said = Vec::new();
    analysis.push(samples, |frame, _| {
        let clock = BEGIN + frame.seconds;
        follower.hear(frame, clock);
        said.push((frame.seconds, follower.found().map(|found| found.at(clock))));
    });
    said
}

/// When the position was first known, and how far off it was at most `settled` seconds later.
fn judged(
    said: &[(f64, Option<f64>)],
    truth: impl Fn(f64) -> f64,
    settled: f64,
) -> (f64, f64, f64) {
    let first = said.iter().find(|(_, found)| found.is_some()).map_or(f64::MAX, |(at, _)| *at);
    let late = said.iter().filter(|(at, _)| *at > first + settled);
    let (mut worst, mut known, mut all) = (0.0f64, 0.0, 0.0);
    for (at, found) in late {
        all += 1.0;
        if let Some(found) = found {
            known += 1.0;
            worst = worst.max((found - truth(*at)).abs());
        }
    }
    (first, worst, known / f64::max(all, 1.0))
}

fn check(what: &str, samples: &[f32], truth: impl Fn(f64) -> f64) {
    let (first, worst, known) = judged(&followed(&minute().1, samples), truth, 4.0);
    assert!(first < 13.0, "{what}: first known after {first} s");
    assert!(worst < 0.02, "{what}: off by {worst} s");
    assert!(known > 0.9, "{what}: known for {known} of the time");
}

#[test]
fn the_same_sound_is_found_wherever_it_begins() {
    let (samples, _) = minute();
    for from in [0.0, 3.37, 31.115] {
        let heard = faster(samples, from, 1.0);
        check(&format!("from {from}"), &heard[..heard.len().min(27 * RATE as usize)], |at| {
            from + at
        });
    }
}

#[test]
fn a_small_loudspeaker_in_a_noisy_room_is_followed() {
    let (samples, _) = minute();
    let heard = through_a_room(&faster(samples, 7.77, 1.0)[..30 * RATE as usize], 0.004);
    check("in a room", &heard, |at| 7.77 + at);
}

#[test]
fn a_clock_that_drifts_is_followed() {
    let (samples, _) = minute();
    for rate in [1.001, 0.999] {
        let heard = faster(samples, 2.0, rate);
        check(&format!("at {rate}"), &heard[..45 * RATE as usize], |at| 2.0 + at * rate);
    }
}

#[test]
fn another_song_is_not_taken_for_it() {
    let (_, timeline) = minute();
    for (seed, bpm) in [(11, 120.0), (12, 120.0), (13, 97.0), (14, 140.0)] {
        let said = followed(timeline, &song(seed, 30.0, bpm));
        let known = said.iter().filter(|(_, found)| found.is_some()).count();
        assert_eq!(known, 0, "song {seed} was found for {known} hops");
    }
    let hush = vec![0.0; 20 * RATE as usize];
    assert!(followed(timeline, &hush).iter().all(|(_, found)| found.is_none()));
}

#[test]
fn when_the_music_changes_or_ends_the_place_is_lost_and_found_again() {
    let (samples, timeline) = minute();
    let second = |from: usize, to: usize| &samples[from * RATE as usize..to * RATE as usize];
    // Somebody skips forward, then another song is played.
    let heard = [second(2, 16), second(38, 58), &song(12, 20.0, 120.0)].concat();
    let said = followed(timeline, &heard);
    let at = |seconds: f64| said[(seconds * 100.0) as usize].1;
    assert!((at(13.9).unwrap() - 15.9).abs() < 0.03, "{:?}", at(13.9));
    assert!((at(33.0).unwrap() - 57.0).abs() < 0.03, "{:?}", at(33.0));
    assert!(said[said.len() - 800..].iter().all(|(_, found)| found.is_none()), "still found");
    let short = rendered(&samples[..2 * RATE as usize], "short");
    assert!(followed(&short, second(0, 10)).iter().all(|(_, found)| found.is_none()));
}
