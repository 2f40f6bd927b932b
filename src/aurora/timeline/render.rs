//! From a sound file to its timeline: once through the analysis that live sound goes through, with what
//! is known only at the end (beats, sections) worked out then.

use super::{FAST, FULL, HOPS, Mark, SLOW, TONES, Timeline, sections};
use crate::aurora::analyse::{Analysis, Arc, Frame, InBar, Kind, Settings, offline::Whole};
use crate::aurora::file::Sound;
use crate::aurora::moment::{LOUD, SIXTEEN, THREE};
use crate::error::Error;
use std::path::Path;

/// Levels of one hop as timelines keep them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Levels {
    pub(super) fast: [u8; 4],
    pub(super) slow: [u8; 16],
}

/// A magnitude as a kept level. Square roots are exact everywhere, other curves are not.
fn kept(magnitude: f32, factor: f32) -> u8 {
    ((magnitude * factor).sqrt() * f32::from(FULL)).round().clamp(0.0, f32::from(FULL)) as u8
}

impl Levels {
    /// What a timeline keeps of a frame.
    pub(super) fn of(frame: &Frame) -> Levels {
        let level = frame.level;
        if !level.open {
            return Levels::default();
        }
        let loud = kept(level.rms * level.gain * std::f32::consts::SQRT_2, LOUD);
        let three: [u8; 3] = std::array::from_fn(|k| kept(frame.three[k], THREE[k]));
        Levels {
            fast: [loud, three[0], three[1], three[2]],
            slow: std::array::from_fn(|k| kept(frame.sixteen[k], SIXTEEN[k])),
        }
    }
}

/// Listens to a whole file (`-`: standard input) and returns its timeline under this name.
///
/// # Errors
/// NotFound, Invalid: as `print_beats`. Limit: the file is longer than three hours.
pub fn render(path: &Path, name: &str) -> Result<Timeline, Error> {
    let mut sound = Sound::open(path)?;
    let mut analysis = Analysis::new(sound.rate(), Settings::default())?;
    let (mut pen, mut whole) = (Pen::default(), Whole::default());
    let (mut piece, mut done) = (Vec::new(), Ok(()));
    while done.is_ok() && sound.next(&mut piece)? {
        analysis.push(&piece, |frame, events| {
            pen.write(frame);
            if done.is_ok() {
                done = whole.add(frame, events);
            }
        });
    }
    done?;
    let mut timeline = pen.timeline;
    if f64::from(pen.hops) < HOPS {
        return Err(Error::invalid(format!(
            "{} is shorter than a second; a timeline needs more",
            path.display()
        )));
    }
    timeline.name = name.to_owned();
    timeline.seconds = f64::from(pen.hops) / HOPS;
    timeline.key = pen.key;
    timeline.beats = beats(whole);
    timeline.sections = sections::found(&timeline);
    Ok(timeline)
}

/// Writes frames down.
#[derive(Default)]
struct Pen {
    timeline: Timeline,
    hops: u32,
    key: Option<crate::aurora::analyse::Key>,
    open: bool,
    arc: Arc,
}

impl Pen {
    fn write(&mut self, frame: &Frame) {
        let (hop, line) = (self.hops, &mut self.timeline);
        let levels = Levels::of(frame);
        most(&mut line.fast, hop, FAST, levels.fast);
        most(&mut line.slow, hop, SLOW, levels.slow);
        if hop.is_multiple_of((HOPS / TONES) as u32) {
            line.tones.push(tone(frame));
        }
        // A hop is known at its end.
        for (list, began) in line.onsets.iter_mut().zip(frame.onsets) {
            if began {
                list.push(hop + 1);
            }
        }
        if frame.level.open != self.open {
            self.open = frame.level.open;
            line.open.push(hop);
        }
        if frame.arc != self.arc {
            self.arc = frame.arc;
            line.arcs.push((hop, frame.arc));
        }
        // The last key that was clear is that of the most music.
        self.key = frame.key.or(self.key);
        self.hops += 1;
    }
}

/// Keeps the largest of the hops that share a place, so that no stroke is lost between two.
fn most<const N: usize>(list: &mut Vec<[u8; N]>, hop: u32, rate: f64, levels: [u8; N]) {
    let place = (f64::from(hop) * rate / HOPS) as usize;
    match list.get_mut(place) {
        Some(old) => *old = std::array::from_fn(|k| old[k].max(levels[k])),
        None => list.push(levels),
    }
}

fn tone(frame: &Frame) -> u8 {
    let strongest = frame.chroma.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    strongest
        .filter(|(_, strength)| frame.level.open && **strength > 0.0)
        .map_or(12, |(k, _)| k as u8)
}

/// The beats with their places in bars.
fn beats(whole: Whole) -> Vec<Mark> {
    let mut beats: Vec<(u32, bool)> = Vec::new();
    for event in whole.events().iter().filter(|event| event.kind != Kind::Onset) {
        let ms = (event.seconds * 1000.0).round().max(0.0) as u32;
        if beats.last().is_none_or(|(last, _)| ms > *last) {
            beats.push((ms, event.kind == Kind::Downbeat));
        }
    }
    marked(&beats)
}

/// Counts the beats of each bar: from one downbeat to the next, two to seven.
pub(super) fn marked(beats: &[(u32, bool)]) -> Vec<Mark> {
    let firsts: Vec<usize> = (0..beats.len()).filter(|k| beats[*k].1).collect();
    let bar = |k: usize| {
        let next = firsts.partition_point(|first| *first <= k);
        let first = firsts[next.checked_sub(1)?];
        let of = match firsts.get(next) {
            Some(end) => end - first,
            // The last bar is as long as the one before it.
            None => first - firsts.get(next.checked_sub(2)?)?,
        };
        let beat = k - first;
        ((2..=7).contains(&of) && beat < of).then_some(InBar { beat: beat as u8 + 1, of: of as u8 })
    };
    beats.iter().enumerate().map(|(k, (ms, _))| Mark { ms: *ms, bar: bar(k) }).collect()
}
