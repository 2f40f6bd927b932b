//! The analysis: from samples to levels, bands, onsets and beats, hop by hop.
//!
//! Pure: whoever has sound pushes it in ([`Analysis::push`]), a file as well as a sound card; what it
//! says of a hop depends on nothing that comes after. It opens nothing, knows no clock, and allocates
//! nothing after [`Analysis::new`]. Its parts, in the order in which a hop goes through them:
//! [`rate`] brings the input to 32 to 50 kHz, [`front`] measures the level and opens the gate,
//! [`spectrum`] and [`bands`] look at frequencies, [`novelty`] at what is new, [`ear`] says how much
//! that is like a beat, [`pulse`] and [`beat`] find tempo, phase and the next beat, [`meter`] the bar,
//! [`onset`] what began, [`tone`] the key, [`energy`] build-up and drop.

mod bands;
mod beat;
mod ear;
mod energy;
mod front;
mod lanes;
mod meter;
mod novelty;
pub mod offline;
mod onset;
mod pulse;
mod rate;
mod spectrum;
mod tone;

pub use bands::MELS;
pub use beat::Beat;
pub use energy::Arc;
pub use front::Level;
pub use meter::InBar;
pub use tone::Key;

use crate::error::Error;
use bands::Bank;
use novelty::BANDS;
use onset::Peaks;

/// Hops in a second.
pub const HOPS: f64 = 100.0;

/// How the analysis is set.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether levels are brought to full scale by a slow gain. Beats and onsets never depend on it.
    pub automatic_gain: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { automatic_gain: true }
    }
}

/// What is known after a hop.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Seconds of input so far: the end of this hop.
    pub seconds: f64,
    /// The level of the hop.
    pub level: Level,
    /// Magnitude of low, middle and high (20, 250, 4000, 16,000 Hz), times the gain.
    pub three: [f32; 3],
    /// Magnitude in WLED's sixteen channels, times the gain.
    pub sixteen: [f32; 16],
    /// Magnitude in mel bands from 30 Hz to 12 kHz, times the gain.
    pub mel: [f32; MELS],
    /// Centre of the spectrum (Hz); 0 in silence.
    pub centroid: f32,
    /// What began in this hop: in the bass, in the lower and upper middle, in the treble.
    pub onsets: [bool; 4],
    /// The beat.
    pub beat: Beat,
    /// How strongly each pitch class sounded in the last second, C first.
    pub chroma: [f32; 12],
    /// The key, when one is clear.
    pub key: Option<Key>,
    /// Build-up and drop.
    pub arc: Arc,
    /// How much this hop was like the begin of a beat and of a bar, 0 to 1, before any tracking.
    pub likely: [f32; 2],
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A beat, in no bar or not the first of one.
    Beat,
    /// The first beat of a bar.
    Downbeat,
    /// Something began.
    Onset,
}

impl Kind {
    /// The word for it in lines and on the bus.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Beat => "beat",
            Kind::Downbeat => "downbeat",
            Kind::Onset => "onset",
        }
    }
}

/// Something that happened or is about to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    /// When, in seconds of input; never before what was pushed so far.
    pub seconds: f64,
    /// What.
    pub kind: Kind,
    /// How sure, 0 to 1.
    pub confidence: f32,
}

/// The bands of novelty in which onsets are told apart.
const GROUPS: [std::ops::Range<usize>; 4] = [0..4, 4..9, 9..17, 17..BANDS];

/// The whole analysis of one input.
pub struct Analysis {
    converter: rate::Converter,
    hop: Vec<f32>,
    filled: usize,
    hops: u64,
    front: front::Front,
    spectrum: spectrum::Spectrum,
    three: Bank<3>,
    sixteen: Bank<16>,
    mel: Bank<MELS>,
    bin: f32,
    novelty: novelty::Novelty,
    ear: ear::Ear,
    beats: beat::Beats,
    onset: Peaks,
    groups: [Peaks; 4],
    tone: tone::Tone,
    energy: energy::Energy,
    frame: Frame,
}

impl Analysis {
    /// An analysis of mono samples at `rate` (Hz).
    ///
    /// # Errors
    /// Invalid: no rate from 16 to 25, 32 to 50, 64 to 100 or 128 to 200 kHz.
    pub fn new(rate: u32, settings: Settings) -> Result<Analysis, Error> {
        let converter = rate::Converter::new(rate)?;
        let own = converter.rate();
        Ok(Analysis {
            hop: vec![0.0; (f64::from(own) / HOPS).round() as usize],
            converter,
            filled: 0,
            hops: 0,
            front: front::Front::new(own, settings.automatic_gain),
            spectrum: spectrum::Spectrum::new(),
            three: Bank::new(&bands::THREE, own, spectrum::SHORT),
            sixteen: Bank::new(&bands::SIXTEEN, own, spectrum::SHORT),
            mel: Bank::new(&bands::mel_edges(), own, spectrum::SHORT),
            bin: own / spectrum::SHORT as f32,
            novelty: novelty::Novelty::new(own),
            ear: ear::Ear::new(),
            beats: beat::Beats::new(),
            onset: Peaks::new(0.35, 0.1),
            groups: std::array::from_fn(|_| Peaks::new(0.12, 0.08)),
            tone: tone::Tone::new(own),
            energy: energy::Energy::default(),
            frame: Frame::default(),
        })
    }

    /// Takes samples, as many as there are, and calls `told` at the end of every hop with what is
    /// known and what has happened in it.
    pub fn push(&mut self, samples: &[f32], mut told: impl FnMut(&Frame, &[Event])) {
        if self.converter.is_idle() {
            return self.push_as_is(samples, told);
        }
        for sample in samples {
            for converted in self.converter.step(*sample) {
                self.hop[self.filled] = converted;
                self.filled += 1;
                if self.filled == self.hop.len() {
                    self.filled = 0;
                    let (events, count) = self.step();
                    told(&self.frame, &events[..count]);
                }
            }
        }
    }

    /// As [`Analysis::push`], for samples of the analysis' own rate.
    fn push_as_is(&mut self, mut samples: &[f32], mut told: impl FnMut(&Frame, &[Event])) {
        while !samples.is_empty() {
            let room = (self.hop.len() - self.filled).min(samples.len());
            let (now, later) = samples.split_at(room);
            self.hop[self.filled..self.filled + room].copy_from_slice(now);
            (self.filled, samples) = (self.filled + room, later);
            if self.filled == self.hop.len() {
                self.filled = 0;
                let (events, count) = self.step();
                told(&self.frame, &events[..count]);
            }
        }
    }

    /// Seconds of `hops`.
    fn seconds(&self, hops: f64) -> f64 {
        hops * self.hop.len() as f64 / f64::from(self.converter.rate())
    }

    /// One full hop. At most one beat and one onset are in it.
    fn step(&mut self) -> ([Event; 2], usize) {
        self.hops += 1;
        let level = self.front.step(&mut self.hop);
        self.spectrum.push(&self.hop);
        self.spectrum.transform_short();
        self.look(level);
        self.novelty.step(self.spectrum.short());
        if self.hops.is_multiple_of(4) {
            self.tone.step(self.spectrum.long());
            self.frame.chroma = self.tone.chroma();
            if self.hops.is_multiple_of(100) {
                self.frame.key = self.tone.key();
            }
        }
        self.listen(level)
    }

    /// Bands and centroid.
    fn look(&mut self, level: Level) {
        let power = self.spectrum.short();
        let magnitude = |sum: f32| sum.sqrt() * level.gain;
        let three = self.three.sums(power);
        let (mut weighted, mut all) = (0.0, 0.0);
        for (k, p) in power.iter().enumerate() {
            weighted += k as f32 * p;
            all += p;
        }
        let frame = &mut self.frame;
        frame.centroid = if level.open && all > 0.0 { weighted / all * self.bin } else { 0.0 };
        frame.sixteen = self.sixteen.sums(power).map(magnitude);
        frame.mel = self.mel.sums(power).map(magnitude);
        frame.three = three.map(magnitude);
        frame.arc = self.energy.step(&three, level.open);
        frame.level = level;
    }

    /// Onsets and beats.
    fn listen(&mut self, level: Level) -> ([Event; 2], usize) {
        let mut inputs = [0.0; ear::INPUTS];
        inputs[..BANDS].copy_from_slice(&self.novelty.level);
        inputs[BANDS..].copy_from_slice(&self.novelty.rise);
        let heard = self.ear.step(&inputs);
        self.frame.likely = [heard.beat, heard.downbeat];
        let beat = self.beats.step(heard, level.open);
        for ((group, peaks), range) in
            self.frame.onsets.iter_mut().zip(&mut self.groups).zip(GROUPS)
        {
            let rise = &self.novelty.rise[range];
            let mean = rise.iter().sum::<f32>() / rise.len() as f32;
            *group = peaks.step(mean) && level.open;
        }
        let now = self.seconds(self.hops as f64);
        let state = self.beats.state();
        self.frame.seconds = now;
        self.frame.beat = Beat {
            period: self.seconds(f64::from(state.period)) as f32,
            next: self.seconds(state.next),
            ..state
        };
        let blank = Event { seconds: now, kind: Kind::Onset, confidence: heard.onset };
        let (mut events, mut count) = ([blank; 2], 0);
        if self.onset.step(heard.onset) && level.open {
            count += 1;
        }
        if let Some(beat) = beat {
            let first = beat.bar.is_some_and(|bar| bar.beat == 1);
            let kind = if first { Kind::Downbeat } else { Kind::Beat };
            let seconds = self.seconds(beat.at).max(now);
            events[count] = Event { seconds, kind, confidence: state.confidence };
            count += 1;
        }
        (events, count)
    }
}
