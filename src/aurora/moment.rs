//! What effects see: the music as it will be when the light of a lamp is seen.
//!
//! A [`Watcher`] takes the frames of the analysis as they come, with the time at which their sound was
//! heard, and tells the [`Moment`] of any time near now: levels as they were last, the beat carried on
//! into the future. Each lamp asks for its own moment, so that a lamp that is slow to answer is painted
//! further ahead. Times are seconds of one clock that never goes back (`CLOCK_MONOTONIC` for live
//! sound); nothing in here reads it.

use super::analyse::{Arc, Frame, InBar};

/// What is left of the mark of an onset after a second: it fades by half each 50 ms or so.
pub(super) const FADE: f64 = 1e-6;
/// An onset shows in full on a lamp that is painted no further ahead than this (s): quick lamps cannot
/// answer sooner, slow ones show it fainter rather than late.
const GRACE: f64 = 0.06;

/// What brings the loud parts of music to about 0.9: for loudness, for the three bands, and for WLED's
/// channels, of which the high ones carry little power (each the inverse of the 95th percentile over
/// rendered songs of ten styles).
pub(super) const LOUD: f32 = 2.0;
pub(super) const THREE: [f32; 3] = [2.0, 2.0, 11.0];
pub(super) const SIXTEEN: [f32; 16] =
    [3.6, 3.2, 2.8, 3.2, 4.0, 4.0, 4.0, 5.0, 6.0, 6.0, 5.0, 6.0, 9.0, 12.0, 16.0, 24.0];
/// The eye's answer to them: levels spread over the range in place of crowding at its lower end.
pub(super) const CURVE: f32 = 0.6;

/// The music at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// The time, in seconds.
    pub seconds: f64,
    /// Whether there is sound.
    pub playing: bool,
    /// How loud, for the eye: 0 to 1.
    pub loud: f32,
    /// Bass, middle and treble, 0 to 1.
    pub three: [f32; 3],
    /// WLED's sixteen channels, 0 to 1.
    pub sixteen: [f32; 16],
    /// What began, from bass to treble: 1 at the onset, then fading within about 0.3 s.
    pub struck: [f32; 4],
    /// The strongest pitch class as a hue: C is 0, each semitone a twelfth.
    pub tone: f32,
    /// Build-up and drop.
    pub arc: Arc,
    /// The beat, when there is one.
    pub beat: Option<Place>,
}

/// A place between two beats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Beats since the show began, up to and with the last one.
    pub count: u64,
    /// 0 at that beat, towards 1 at the next.
    pub phase: f32,
    /// Seconds from beat to beat.
    pub period: f32,
    /// The last beat's place in its bar, when that is clear.
    pub bar: Option<InBar>,
    /// How sure the beat is, 0 to 1.
    pub sure: f32,
}

/// Makes moments of frames.
#[derive(Clone, Debug, Default)]
pub struct Watcher {
    moment: Moment,
    /// The next beat, on the clock of the moments.
    next: f64,
    /// The bar's place of that next beat.
    bar: Option<InBar>,
    /// Beats before that one.
    before: u64,
}

impl Watcher {
    /// Takes a frame whose last sample was heard at `at`.
    pub fn see(&mut self, frame: &Frame, at: f64) {
        let past = at - self.moment.seconds;
        let fade = FADE.powf(past.max(0.0)) as f32;
        let beat = frame.beat;
        if beat.there && beat.period > 0.0 {
            let next = at + (beat.next - frame.seconds);
            // The same beat, foretold anew, moves a little; another one is most of a period later.
            if self.moment.beat.is_none() || next - self.next > f64::from(beat.period) / 2.0 {
                self.before += 1;
            }
            (self.next, self.bar) = (next, beat.bar);
        }
        // Behind a shut gate is only noise, however much the gain makes of it.
        let open = if frame.level.open { 1.0 } else { 0.0 };
        let eye = |x: f32, factor: f32| (x * factor * open).powf(CURVE).clamp(0.0, 1.0);
        let level = frame.level;
        let mut struck = self.moment.struck.map(|x| x * fade);
        for (mark, began) in struck.iter_mut().zip(frame.onsets) {
            if began {
                *mark = 1.0;
            }
        }
        let strongest = frame.chroma.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        self.moment = Moment {
            seconds: at,
            playing: level.open,
            loud: eye(level.rms * level.gain * std::f32::consts::SQRT_2, LOUD),
            three: std::array::from_fn(|k| eye(frame.three[k], THREE[k])),
            sixteen: std::array::from_fn(|k| eye(frame.sixteen[k], SIXTEEN[k])),
            struck,
            tone: strongest.map_or(0.0, |(class, _)| class as f32 / 12.0),
            arc: frame.arc,
            beat: None,
        };
        if beat.there && beat.period > 0.0 {
            let place = Place {
                count: self.before,
                phase: 0.0,
                period: beat.period,
                bar: None,
                sure: beat.confidence,
            };
            self.moment.beat = Some(place);
        }
    }

    /// The music at `seconds`.
    pub fn at(&self, seconds: f64) -> Moment {
        let mut moment = self.moment;
        let fade = FADE.powf((seconds - moment.seconds - GRACE).max(0.0)) as f32;
        moment.struck = moment.struck.map(|x| x * fade);
        moment.seconds = seconds;
        if let Some(place) = &mut moment.beat {
            let beats = (seconds - self.next) / f64::from(place.period);
            let whole = beats.floor();
            // -1: between the last beat and the next one, as `next` is the beat that is to come.
            let steps = whole as i64 + 1;
            place.count = self.before.saturating_add_signed(steps).saturating_sub(1);
            place.phase = (beats - whole) as f32;
            place.bar = self.bar.map(|bar| {
                let of = i64::from(bar.of.max(1));
                let beat = (i64::from(bar.beat) - 1 + steps - 1).rem_euclid(of) + 1;
                InBar { beat: beat as u8, of: bar.of }
            });
        }
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aurora::analyse::Beat;

    fn frame(seconds: f64, next: f64) -> Frame {
        let bar = Some(InBar { beat: 1, of: 4 });
        let beat = Beat { period: 0.5, next, confidence: 0.9, there: true, bar };
        Frame { seconds, beat, ..Frame::default() }
    }

    #[test]
    fn the_beat_is_carried_on_into_the_future() {
        let mut watcher = Watcher::default();
        // Heard at 100 s of the clock; the next beat, a downbeat, 0.2 s later.
        watcher.see(&frame(3.0, 3.2), 100.0);
        for (at, count, phase, beat) in [
            (100.0, 0, 0.6, 4),
            (100.19, 0, 0.98, 4),
            (100.2001, 1, 0.0, 1),
            (100.45, 1, 0.5, 1),
            (100.95, 2, 0.5, 2),
            (102.45, 5, 0.5, 1),
        ] {
            let place = watcher.at(at).beat.unwrap();
            assert_eq!(place.count, count, "at {at}");
            assert!((place.phase - phase).abs() < 0.01, "at {at}: {place:?}");
            assert_eq!(place.bar.unwrap().beat, beat, "at {at}");
        }
    }

    #[test]
    fn a_beat_foretold_again_is_counted_once() {
        let mut watcher = Watcher::default();
        for hop in 0..400 {
            let now = f64::from(hop) / 100.0;
            // Foretold a little differently each time.
            let next = ((now / 0.5).floor() + 1.0) * 0.5 + 0.01 * f64::from(hop % 3);
            watcher.see(&frame(now, next), now);
        }
        assert_eq!(watcher.at(3.99).beat.unwrap().count, 7);
    }

    #[test]
    fn an_onset_fades_and_without_a_beat_there_is_none() {
        let mut watcher = Watcher::default();
        let struck = Frame { onsets: [true, false, false, false], ..Frame::default() };
        watcher.see(&struck, 1.0);
        let now = watcher.at(1.0);
        assert_eq!((now.struck, now.beat), ([1.0, 0.0, 0.0, 0.0], None));
        assert_eq!(watcher.at(1.06).struck[0], 1.0);
        assert!((watcher.at(1.11).struck[0] - 0.5).abs() < 0.01);
        assert!(watcher.at(1.4).struck[0] < 0.02);
        // With what comes after it, it fades from when it was.
        watcher.see(&Frame::default(), 1.05);
        assert!((watcher.at(1.05).struck[0] - 0.5).abs() < 0.01);
    }

    /// Twelve seconds of drums, a bass and chords, as loud as `gain` says.
    fn song(gain: f32) -> Vec<f32> {
        let mut noise = 1u32;
        let mut hiss = move || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let wave = |hertz: f32, t: f32| (std::f32::consts::TAU * hertz * t).sin();
        let sample = |i: u32| {
            let t = i as f32 / 44_100.0;
            let since = |period: f32| t.rem_euclid(period);
            let kick = wave(55.0, since(0.5)) * (-14.0 * since(0.5)).exp();
            let snare = hiss() * (-22.0 * (t + 0.5).rem_euclid(1.0)).exp();
            let hat = hiss() * (-60.0 * since(0.25)).exp();
            let chord: f32 =
                [220.0, 277.2, 329.6].iter().map(|f| wave(*f, t) + 0.5 * wave(2.0 * f, t)).sum();
            gain * (0.6 * kick + 0.2 * snare + 0.1 * hat + 0.08 * chord + 0.15 * wave(82.4, t))
        };
        (0..12 * 44_100).map(sample).collect()
    }

    #[test]
    fn levels_of_a_song_use_the_range_whatever_its_volume() {
        use crate::aurora::analyse::{Analysis, Settings};
        for gain in [1.0, 0.05] {
            let mut analysis = Analysis::new(44_100, Settings::default()).unwrap();
            let (mut watcher, mut levels) = (Watcher::default(), vec![Vec::new(); 6]);
            analysis.push(&song(gain), |frame, _| {
                watcher.see(frame, frame.seconds);
                let moment = watcher.at(frame.seconds);
                if frame.seconds > 4.0 {
                    let [low, middle, high] = moment.three;
                    let most = moment.sixteen.into_iter().fold(0.0, f32::max);
                    let all = [moment.loud, low, middle, high, moment.sixteen[1], most];
                    all.into_iter().zip(&mut levels).for_each(|(x, list)| list.push(x));
                }
            });
            for (k, list) in levels.iter_mut().enumerate() {
                list.sort_by(f32::total_cmp);
                let part = |share: f32| list[(list.len() as f32 * share) as usize];
                let (low, high) = (part(0.1), part(0.95));
                // The chords go on all the time, so the middle moves less than the rest.
                let least = if k == 2 { 0.1 } else { 0.2 };
                assert!(high > 0.6 && high - low > least, "{gain}, {k}: {low} to {high}");
            }
        }
    }
}
