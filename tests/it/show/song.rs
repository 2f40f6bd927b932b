//! A song as moments: the same every time, with everything in it that effects answer to.

use hearth::aurora::analyse::{Arc, InBar};
use hearth::aurora::moment::{Moment, Place};

/// Seconds of it.
pub const LENGTH: f64 = 12.0;

/// Silence, four bars of a groove at 120 beats a minute, a break without a beat, a build-up, the drop,
/// silence. `at` is in seconds of the song.
pub fn moment(at: f64) -> Moment {
    let mut moment = Moment { seconds: at, ..Moment::default() };
    if !(1.0..11.0).contains(&at) {
        return moment;
    }
    moment.playing = true;
    // Strokes that fade: the time since the last one of each.
    let since = |period: f64, offset: f64| (at - 1.0 - offset).rem_euclid(period);
    let fade = |since: f64, rate: f64| (-since * rate).exp() as f32;
    let (kick, snare, hat) = (since(0.5, 0.0), since(1.0, 0.5), since(0.25, 0.125));
    let (bass, middle, treble, struck) = match at {
        5.0..7.0 => (0.05, 0.35, 0.08, [0.0, 0.0, fade(since(1.0, 0.3), 13.8), 0.0]),
        7.0..9.0 => {
            let grows = 0.3 + 0.25 * (at - 7.0) as f32;
            let roll = since(0.125, 0.0);
            let struck = [0.0, 0.0, fade(roll, 13.8), fade(roll, 13.8)];
            (0.02, 0.4 * grows, grows * (0.5 + 0.5 * fade(roll, 15.0)), struck)
        }
        _ => {
            let strength = if at >= 9.0 { 1.0 } else { 0.8 };
            let struck = [fade(kick, 13.8), fade(snare, 13.8), fade(snare, 13.8), fade(hat, 13.8)];
            let bass = strength * fade(kick, 6.0);
            (bass, 0.2 + 0.4 * fade(snare, 8.0), 0.5 * fade(hat, 20.0), struck)
        }
    };
    moment.three = [bass, middle, treble];
    moment.loud = (bass * 0.7 + middle * 0.4 + treble * 0.3).min(1.0);
    moment.struck = struck.map(|x| if x < 0.001 { 0.0 } else { x });
    moment.sixteen = std::array::from_fn(|k| {
        let place = k as f32 / 15.0;
        let low = (1.0 - 3.0 * place).max(0.0);
        let high = (3.0 * place - 2.0).max(0.0);
        // Partials: every other channel has less.
        let own = if k % 2 == 0 { 1.0 } else { 0.4 };
        (own * (bass * low + middle * (1.0 - low - high) + treble * high)).clamp(0.0, 1.0)
    });
    moment.tone = [0.0, 9.0, 5.0, 7.0][((at - 1.0) / 2.0) as usize % 4] / 12.0;
    moment.arc = match at {
        7.5..9.0 => Arc::Rising,
        9.0..11.0 => Arc::Drop,
        _ => Arc::Steady,
    };
    if !(5.0..7.0).contains(&at) && at >= 1.5 {
        let beats = (at - 1.0) / 0.5;
        let bar = Some(InBar { beat: (beats as u64 % 4 + 1) as u8, of: 4 });
        let phase = beats.fract() as f32;
        let place = Place { count: beats as u64, phase, period: 0.5, bar, sure: 0.9 };
        moment.beat = Some(place);
    }
    moment
}
