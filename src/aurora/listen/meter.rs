//! `hearth audio test`: opens an input and shows what comes, so that a person can set its volume.

use crate::aurora::analyse::{Frame, Settings};
use crate::aurora::clock;
use crate::aurora::listen::Config;
use crate::aurora::listen::choice::Choice;
use crate::aurora::listen::hearing::Hearing;
use crate::aurora::listen::source::{Got, PIECE, open};
use crate::aurora::listen::thread;
use crate::error::Error;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// An input has so much longer than the test to give all its samples (seconds).
const PATIENCE: f64 = 3.0;
/// Characters of the bar, a step each 2 dB.
const BAR: usize = 30;

/// What a test is asked to do.
pub struct Test<'a> {
    /// The settings; `input` of them when none is named.
    pub config: &'a Config,
    /// The input.
    pub input: Option<&'a str>,
    /// How long to listen.
    pub seconds: u32,
    /// Where to keep what was heard: a WAV file of one channel of 32-bit floats.
    pub save: Option<&'a Path>,
}

/// The second that is being heard.
#[derive(Default)]
struct Second {
    square: f64,
    peak: f32,
    hops: u32,
    clipped: bool,
    open: bool,
}

impl Second {
    fn add(&mut self, frame: &Frame) {
        self.square += f64::from(frame.level.rms).powi(2);
        self.peak = self.peak.max(frame.level.peak);
        self.clipped |= frame.level.clipped;
        self.open |= frame.level.open;
        self.hops += 1;
    }

    fn line(&self, number: u32) -> String {
        let decibels = |x: f64| 20.0 * x.max(1e-5).log10();
        let level = decibels((self.square / f64::from(self.hops.max(1))).sqrt());
        let full = ((level + 2.0 * BAR as f64) / 2.0).round().clamp(0.0, BAR as f64) as usize;
        let bar = "#".repeat(full) + &" ".repeat(BAR - full);
        let peak = decibels(f64::from(self.peak));
        let word = match (self.clipped, self.open) {
            (true, _) => "  CLIPPED: turn the input down",
            (_, true) => "",
            _ => "  silent",
        };
        format!("{number:>4} s  |{bar}|  {level:>6.1} dBFS, peak {peak:>6.1}{word}")
    }
}

/// Listens to an input and writes a line a second, and at the end what is to be said.
///
/// # Errors
/// As opening the input. Offline: nothing or only silence came, or it went away. Broken: `out` or the file failed.
pub(in crate::aurora) fn test(test: &Test<'_>, out: &mut dyn Write) -> Result<(), Error> {
    let choice = Choice::parse(test.input.unwrap_or(&test.config.input))?;
    let mut source = open(&choice, test.config)?;
    let settings = Settings { automatic_gain: test.config.automatic_gain };
    let rate = source.rate();
    let mut hearing = rate.map(|rate| Hearing::new(rate, settings)).transpose()?;
    let mut kept = match (test.save, rate) {
        (Some(path), Some(rate)) => Some(Wav::create(path, rate)?),
        (Some(_), None) => {
            let name = source.name();
            return Err(Error::invalid(format!(
                "{name} has levels only; there is nothing to save"
            )));
        }
        (None, _) => None,
    };
    let priority = if thread::is_raised() { "real-time" } else { "normal" };
    say(out, &format!("{}: {}, {priority} priority", source.name(), source.form()))?;

    let (mut second, mut told, mut any, mut clipped) = (Second::default(), 0, false, false);
    let (mut overruns, mut samples, mut last) = (0u32, 0u64, Frame::default());
    let wanted = rate.map(|rate| u64::from(rate) * u64::from(test.seconds));
    let begun = clock::now();
    let mut piece = [0.0; PIECE];
    let mut lines = Vec::new();
    loop {
        let elapsed = clock::now() - begun;
        let over = match wanted {
            Some(wanted) => samples >= wanted || elapsed > f64::from(test.seconds) + PATIENCE,
            None => elapsed >= f64::from(test.seconds),
        };
        if over {
            break;
        }
        let mut see = |frame: &Frame, _: f64| {
            second.add(frame);
            last = frame.clone();
            if second.hops == 100 {
                told += 1;
                (any, clipped) = (any || second.open, clipped || second.clipped);
                lines.push(std::mem::take(&mut second).line(told));
            }
        };
        match (source.read(&mut piece)?, &mut hearing) {
            (Got::Sound { count, at }, Some(hearing)) => {
                let left = wanted.unwrap_or(u64::MAX) - samples;
                let heard = &piece[..count.min(usize::try_from(left).unwrap_or(count))];
                samples += heard.len() as u64;
                if let Some(kept) = &mut kept {
                    kept.write(heard)?;
                }
                hearing.sound(heard, at, see);
            }
            (Got::Levels(frame, at), _) => see(frame, at),
            (Got::Overrun, _) => overruns += 1,
            (Got::End, _) => break,
            (Got::Sound { .. } | Got::Nothing, _) => {}
        }
        for line in lines.drain(..) {
            say(out, &line)?;
        }
    }
    (any, clipped) = (any || second.open, clipped || second.clipped);
    if let Some(kept) = kept {
        kept.end()?;
    }
    let name = source.name();
    if let Some(rate) = rate {
        let seconds = samples as f64 / f64::from(rate);
        let elapsed = clock::now() - begun;
        let noun = if overruns == 1 { "overrun" } else { "overruns" };
        say(out, &format!("{seconds:.2} s of sound in {elapsed:.2} s, {overruns} {noun}"))?;
    }
    if last.beat.there {
        say(out, &format!("{:.1} beats a minute", 60.0 / last.beat.period))?;
    }
    if clipped {
        say(out, "some of it was too loud for the input: turn it down until no line says CLIPPED")?;
    }
    if wanted.is_some_and(|_| samples == 0) || (rate.is_none() && !any) {
        return Err(Error::offline(format!(
            "nothing came from {name}; is something playing, and does it play to there?"
        )));
    }
    if !any {
        return Err(Error::offline(format!(
            "only silence came from {name}: is something playing, is the right input chosen, and is its \
             volume up (`alsamixer`, F4)?"
        )));
    }
    Ok(())
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), Error> {
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.map_err(|e| Error::broken("cannot write the lines").because(e))
}

/// A WAV file of one channel of 32-bit floats (format 3 of `WAVE_FORMAT_IEEE_FLOAT`).
struct Wav {
    file: BufWriter<File>,
    rate: u32,
    bytes: u32,
}

impl Wav {
    fn create(path: &Path, rate: u32) -> Result<Wav, Error> {
        let shown = path.display().to_string().escape_debug().to_string();
        let file = File::create(path)
            .map_err(|e| Error::invalid(format!("cannot write {shown}")).because(e))?;
        let mut wav = Wav { file: BufWriter::new(file), rate, bytes: 0 };
        wav.head()?;
        Ok(wav)
    }

    fn head(&mut self) -> Result<(), Error> {
        let mut head = b"RIFF".to_vec();
        head.extend((36 + self.bytes).to_le_bytes());
        head.extend(b"WAVEfmt \x10\0\0\0\x03\0\x01\0");
        head.extend(self.rate.to_le_bytes());
        head.extend((self.rate * 4).to_le_bytes());
        head.extend(b"\x04\0\x20\0data");
        head.extend(self.bytes.to_le_bytes());
        self.file.write_all(&head).map_err(unsaved)
    }

    fn write(&mut self, samples: &[f32]) -> Result<(), Error> {
        for sample in samples {
            self.file.write_all(&sample.to_le_bytes()).map_err(unsaved)?;
        }
        self.bytes += 4 * samples.len() as u32;
        Ok(())
    }

    /// Writes the sizes, which are known only now.
    fn end(mut self) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(0)).map_err(unsaved)?;
        self.head()?;
        self.file.flush().map_err(unsaved)
    }
}

fn unsaved(e: std::io::Error) -> Error {
    Error::broken("cannot save what was heard").because(e)
}
