//! The document of a timeline: one JSON object of whole numbers and strings, so that the same music
//! gives the same bytes everywhere. `docs/AURORA.md` describes it for others.

use super::{APART, FAST, FULL, HOPS, Mark, SLOW, Section, TONES, Timeline};
use crate::aurora::analyse::{Arc, InBar, Key};
use crate::error::Error;
use crate::text::clean;
use serde::{Deserialize, Serialize};

/// The version of the format, which every document names first.
const VERSION: u32 = 1;
/// Largest document (bytes): three hours of dense music and room to spare.
pub(super) const LARGEST: usize = 12 * 1024 * 1024;
/// Longest timeline (hops).
const LONGEST: u32 = 3 * 3600 * 100;
/// A level, 0 to 63, as a character.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TONE_LETTERS: &[u8; 13] = b"0123456789ab-";
const NOTES: [&str; 12] = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    hearth_timeline: u32,
    name: String,
    /// Length in hops of 10 ms.
    hops: u32,
    key: Option<String>,
    sections: Vec<Part>,
    /// Milliseconds from each beat to the next, the first from the beginning.
    beats: Vec<u32>,
    /// The beat's place in its bar and the beats of that bar, a character each, `-` for unclear.
    bar: String,
    of: String,
    /// Hops from each onset to the next, from bass to treble.
    onsets: [Vec<u32>; 4],
    /// Hops of sound and of silence in turn, beginning with silence.
    open: Vec<u32>,
    /// Hops from change to change, and what holds from there on.
    arcs: Vec<(u32, String)>,
    /// 50 levels a second.
    loud: String,
    bass: String,
    middle: String,
    treble: String,
    /// 25 levels a second for each of sixteen channels.
    channels: Vec<String>,
    /// 5 pitch classes a second.
    tones: String,
    /// FNV-1a (64 bits) over the document without this, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// Milliseconds.
    from: u32,
    to: u32,
    label: char,
    /// Per cent.
    loud: u8,
}

impl Timeline {
    /// The document.
    ///
    /// # Errors
    /// Broken: it cannot be written (never seen).
    pub fn text(&self) -> Result<String, Error> {
        let fault = |e| Error::broken("cannot write the timeline").because(e);
        let mut document = self.document();
        let bare = serde_json::to_string(&document).map_err(fault)?;
        document.check = Some(sum(&bare));
        Ok(serde_json::to_string(&document).map_err(fault)? + "\n")
    }

    fn document(&self) -> Document {
        let fast = |k: usize| letters(self.fast.iter().map(|levels| levels[k]));
        let digit = |of: fn(InBar) -> u8| -> String {
            let one = |beat: &Mark| beat.bar.map_or('-', |bar| char::from(b'0' + of(bar).min(9)));
            self.beats.iter().map(one).collect()
        };
        let ms = |seconds: f64| (seconds * 1000.0).round() as u32;
        let part = |part: &Section| Part {
            from: ms(part.from),
            to: ms(part.to),
            label: part.label,
            loud: (part.loud * 100.0).round() as u8,
        };
        let mut before = 0;
        let arcs = self.arcs.iter().map(|(hop, arc)| {
            let step = hop - before;
            before = *hop;
            (step, arc.word().to_owned())
        });
        Document {
            hearth_timeline: VERSION,
            name: self.name.clone(),
            hops: (self.seconds * HOPS).round() as u32,
            key: self.key.map(word),
            sections: self.sections.iter().map(part).collect(),
            beats: steps(self.beats.iter().map(|beat| beat.ms)),
            bar: digit(|bar| bar.beat),
            of: digit(|bar| bar.of),
            onsets: std::array::from_fn(|k| steps(self.onsets[k].iter().copied())),
            open: steps(self.open.iter().copied()),
            arcs: arcs.collect(),
            loud: fast(0),
            bass: fast(1),
            middle: fast(2),
            treble: fast(3),
            channels: (0..16).map(|k| letters(self.slow.iter().map(|l| l[k]))).collect(),
            tones: self
                .tones
                .iter()
                .map(|tone| char::from(TONE_LETTERS[usize::from(*tone).min(12)]))
                .collect(),
            check: None,
        }
    }

    /// Reads a document and checks all of it.
    ///
    /// # Errors
    /// Limit: larger than 12 MB or longer than three hours. Invalid: no timeline, one of another
    /// version, or damaged; it says where.
    pub fn parse(text: &str) -> Result<Timeline, Error> {
        if text.len() > LARGEST {
            return Err(Error::limit(format!(
                "a timeline has at most {} MB, this one {}; it was not made by this program",
                LARGEST >> 20,
                text.len() >> 20
            )));
        }
        #[derive(Deserialize)]
        struct Head {
            hearth_timeline: Option<u32>,
        }
        let wrong = |e: serde_json::Error| {
            let why = clean(&e.to_string(), 300);
            damaged(&format!("{why}; render it again or fetch it anew"))
        };
        let head: Head = serde_json::from_str(text).map_err(wrong)?;
        match head.hearth_timeline {
            Some(VERSION) => {}
            Some(other) => {
                return Err(Error::invalid(format!(
                    "this timeline has version {other}, and {VERSION} is known here; render it again \
                     from its sound, or update Hearth"
                )));
            }
            None => {
                return Err(Error::invalid(
                    "this is no timeline: it does not begin with \"hearth_timeline\"; give a file that \
                     was exported or rendered as one",
                ));
            }
        }
        let mut document: Document = serde_json::from_str(text).map_err(wrong)?;
        let check = document.check.take();
        let bare = serde_json::to_string(&document).map_err(wrong)?;
        if check.is_none_or(|check| check != sum(&bare)) {
            return Err(damaged("its sum does not fit its content; fetch it anew"));
        }
        document.read()
    }
}

impl Document {
    fn read(self) -> Result<Timeline, Error> {
        let hops = self.hops;
        if hops > LONGEST {
            return Err(Error::limit("a timeline is at most three hours long"));
        }
        let count = |rate: f64| (f64::from(hops) * rate / HOPS).ceil() as usize;
        let fast = [
            levels("loud", &self.loud, count(FAST))?,
            levels("bass", &self.bass, count(FAST))?,
            levels("middle", &self.middle, count(FAST))?,
            levels("treble", &self.treble, count(FAST))?,
        ];
        if self.channels.len() != 16 {
            return Err(damaged("it needs 16 channels"));
        }
        let mut slow = vec![[0; 16]; count(SLOW)];
        for (k, channel) in self.channels.iter().enumerate() {
            for (place, level) in slow.iter_mut().zip(levels("channels", channel, count(SLOW))?) {
                place[k] = level;
            }
        }
        let mut onsets = [const { Vec::new() }; 4];
        for (list, steps) in onsets.iter_mut().zip(&self.onsets) {
            *list = sums("onsets", steps, hops)?;
        }
        let arcs = sums("arcs", &self.arcs.iter().map(|arc| arc.0).collect::<Vec<_>>(), hops)?;
        let mut known = Vec::with_capacity(arcs.len());
        for (hop, (_, word)) in arcs.into_iter().zip(&self.arcs) {
            let arc =
                [Arc::Steady, Arc::Rising, Arc::Drop].into_iter().find(|arc| arc.word() == word);
            known.push((hop, arc.ok_or_else(|| damaged("'arcs' holds an unknown word"))?));
        }
        let key = match self.key.as_deref() {
            Some(text) => Some(key(text).ok_or_else(|| damaged("'key' is none"))?),
            None => None,
        };
        Ok(Timeline {
            seconds: f64::from(hops) / HOPS,
            key,
            sections: self.parts()?,
            beats: self.marks()?,
            onsets,
            open: sums("open", &self.open, hops)?,
            arcs: known,
            fast: (0..count(FAST)).map(|k| std::array::from_fn(|i| fast[i][k])).collect(),
            slow,
            tones: decoded("tones", TONE_LETTERS, &self.tones, count(TONES))?,
            name: self.name,
        })
    }

    fn parts(&self) -> Result<Vec<Section>, Error> {
        let mut at = 0;
        let mut parts = Vec::with_capacity(self.sections.len().min(1000));
        for part in &self.sections {
            if part.from != at
                || part.to <= at
                || part.loud > 100
                || !part.label.is_ascii_uppercase()
            {
                return Err(damaged("'sections' do not follow each other"));
            }
            at = part.to;
            parts.push(Section {
                from: f64::from(part.from) / 1000.0,
                to: f64::from(part.to) / 1000.0,
                label: part.label,
                loud: f32::from(part.loud) / 100.0,
            });
        }
        Ok(parts)
    }

    fn marks(&self) -> Result<Vec<Mark>, Error> {
        let all = sums("beats", &self.beats, self.hops.saturating_mul(10).saturating_add(APART))?;
        if all.windows(2).any(|two| two[0] == two[1]) {
            return Err(damaged("'beats' holds two at the same time"));
        }
        let (bar, of) = (self.bar.as_bytes(), self.of.as_bytes());
        if bar.len() != all.len() || of.len() != all.len() {
            return Err(damaged("'bar' and 'of' need one character for each beat"));
        }
        let place = |beat: u8, of: u8| match (beat, of) {
            (b'-', b'-') => Ok(None),
            (b'1'..=b'7', b'1'..=b'7') if beat <= of => {
                Ok(Some(InBar { beat: beat - b'0', of: of - b'0' }))
            }
            _ => Err(damaged("'bar' holds a beat that its bar has not")),
        };
        let marks = all.iter().zip(bar.iter().zip(of));
        marks.map(|(ms, (beat, of))| Ok(Mark { ms: *ms, bar: place(*beat, *of)? })).collect()
    }
}

fn damaged(why: &str) -> Error {
    Error::invalid(format!("the timeline is damaged: {why}"))
}

/// FNV-1a over 64 bits.
fn sum(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// From each to the next.
fn steps(times: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut before = 0;
    times.map(|time| time - std::mem::replace(&mut before, time)).collect()
}

/// The times again; none is beyond `most`.
fn sums(what: &str, steps: &[u32], most: u32) -> Result<Vec<u32>, Error> {
    let mut at = 0u32;
    let mut times = Vec::with_capacity(steps.len());
    for step in steps {
        at = at.saturating_add(*step);
        if at > most {
            return Err(damaged(&format!("'{what}' goes beyond the end")));
        }
        times.push(at);
    }
    Ok(times)
}

fn letters(levels: impl Iterator<Item = u8>) -> String {
    levels.map(|level| char::from(LETTERS[usize::from(level.min(FULL))])).collect()
}

fn levels(what: &str, text: &str, count: usize) -> Result<Vec<u8>, Error> {
    decoded(what, LETTERS, text, count)
}

fn decoded(what: &str, alphabet: &[u8], text: &str, count: usize) -> Result<Vec<u8>, Error> {
    if text.len() != count {
        let has = text.len();
        return Err(damaged(&format!(
            "'{what}' has {has} values where its length asks for {count}"
        )));
    }
    let one = |byte: u8| alphabet.iter().position(|letter| *letter == byte).map(|k| k as u8);
    let all: Option<Vec<u8>> = text.bytes().map(one).collect();
    all.ok_or_else(|| damaged(&format!("'{what}' holds a character that is no value")))
}

/// `A minor`.
pub(super) fn word(key: Key) -> String {
    let scale = if key.minor { "minor" } else { "major" };
    format!("{} {scale}", NOTES[usize::from(key.tonic) % 12])
}

fn key(text: &str) -> Option<Key> {
    let (note, scale) = text.split_once(' ')?;
    let tonic = NOTES.iter().position(|known| *known == note)? as u8;
    match scale {
        "minor" => Some(Key { tonic, minor: true }),
        "major" => Some(Key { tonic, minor: false }),
        _ => None,
    }
}
