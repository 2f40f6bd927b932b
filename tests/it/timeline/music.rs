//! What a timeline says is what was in the sound.

use super::{minute, rendered, sound};
use hearth::aurora::analyse::{Analysis, Settings};
use hearth::aurora::moment::Watcher;

#[test]
fn beats_key_and_parts_are_those_of_the_song() {
    let (_, timeline) = minute();
    let about = timeline.about();
    assert!((about.tempo.unwrap() - 120.0).abs() < 1.0, "{about:?}");
    let drums = timeline.beats().iter().filter(|beat| !(20_000..42_000).contains(&beat.ms));
    let off: Vec<u32> = drums.map(|beat| (beat.ms % 500).min(500 - beat.ms % 500)).collect();
    assert!(off.len() >= 65, "{} beats in 38 s of drums", off.len());
    assert!(off.iter().filter(|off| **off > 30).count() * 20 < off.len(), "{off:?}");
    let borders: Vec<f64> = timeline.sections.iter().skip(1).map(|part| part.from).collect();
    for want in [20.0, 40.0] {
        assert!(borders.iter().any(|at| (at - want).abs() < 1.6), "{want} in {borders:?}");
    }
    assert!(borders.len() <= 5, "{:?}", timeline.sections);
    let label = |at: f64| {
        timeline.sections.iter().find(|part| part.from <= at && at < part.to).unwrap().label
    };
    assert_eq!(label(10.0), label(50.0), "{:?}", timeline.sections);
    assert_ne!(label(10.0), label(30.0), "{:?}", timeline.sections);
    let last = timeline.sections.last().unwrap();
    assert!((last.to - 60.0).abs() < 0.1, "{last:?}");
    // The same notes are in both keys.
    assert!(["A minor", "C major"].contains(&about.key.as_deref().unwrap()), "{about:?}");
}

#[test]
fn moments_are_those_that_were_heard_live() {
    let (samples, timeline) = minute();
    let (mut watcher, mut off, mut count) = (Watcher::default(), [0.0f64; 4], 0.0);
    let mut struck = 0;
    let mut analysis = Analysis::new(sound::RATE, Settings::default()).unwrap();
    analysis.push(&samples[..20 * sound::RATE as usize], |frame, _| {
        watcher.see(frame, frame.seconds);
        let (live, kept) = (watcher.at(frame.seconds), timeline.moment(frame.seconds));
        if frame.seconds < 0.5 {
            return;
        }
        assert_eq!(live.playing, kept.playing, "{}", frame.seconds);
        off[0] += f64::from((live.loud - kept.loud).abs());
        for k in 0..3 {
            off[k + 1] += f64::from((live.three[k] - kept.three[k]).abs());
        }
        count += 1.0;
        for group in 0..4 {
            let (a, b) = (live.struck[group], kept.struck[group]);
            struck += usize::from((a - b).abs() > 0.2);
        }
    });
    // A timeline keeps the louder of two hops, so it is a little above.
    assert!(off.iter().all(|sum| sum / count < 0.08), "{off:?} of {count}");
    assert!(struck < 20, "{struck} marks differ");
}

#[test]
fn before_after_and_between_there_is_silence() {
    let (_, timeline) = minute();
    for at in [-1.0, 60.5, 1e9, f64::NAN] {
        let moment = timeline.moment(at);
        assert!(!moment.playing && moment.beat.is_none() && moment.loud == 0.0, "{at}");
    }
    let mut samples = sound::song(3, 8.0, 120.0);
    samples[3 * 44_100..6 * 44_100].fill(0.0);
    let holed = rendered(&samples, "holed");
    assert!(holed.moment(2.0).playing && !holed.moment(5.5).playing && holed.moment(7.0).playing);
    let nothing = rendered(&vec![0.0; 44_100 * 3], "nothing");
    assert!(nothing.beats().is_empty() && nothing.tempo().is_none() && nothing.key.is_none());
    assert!((0..300).all(|k| !nothing.moment(f64::from(k) / 100.0).playing));
}
