//! `hearth audio test`: opens an input and shows what comes, so that a person can set its volume.

use crate::aurora::analyse::{Frame, Settings};
use crate::aurora::clock;
use crate::aurora::listen::Config;
use crate::aurora::listen::choice::Choice;
use crate::aurora::listen::hearing::Hearing;
use crate::aurora::listen::source::{Got, PIECE, Source, open};
use crate::aurora::listen::thread::{self, AGAIN};
use crate::aurora::listen::wav::Wav;
use crate::error::{Error, Kind};
use std::io::Write;
use std::path::Path;

/// An input has so much longer than the test to give all its samples (seconds).
const PATIENCE: f64 = 5.0;
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

/// What came so far.
#[derive(Default)]
struct Seen {
    second: Second,
    seconds: u32,
    /// Lines of the seconds that are over.
    lines: Vec<String>,
    /// Whether there was sound, and whether some of it was more than the input could take.
    open: bool,
    clipped: bool,
    /// Samples in a row at full scale.
    full: u32,
    samples: u64,
    overruns: u32,
    reopened: u32,
    last: Frame,
}

impl Seen {
    fn frame(&mut self, frame: &Frame) {
        self.second.add(frame);
        self.last.clone_from(frame);
        self.open |= self.second.open;
        if self.second.hops == 100 {
            self.seconds += 1;
            self.lines.push(std::mem::take(&mut self.second).line(self.seconds));
        }
    }

    /// The analysis' own mark stays for a second; this one belongs to the line.
    fn sound(&mut self, samples: &[f32]) {
        self.samples += samples.len() as u64;
        for x in samples {
            self.full = if x.abs() >= 0.9999 { self.full + 1 } else { 0 };
            self.second.clipped |= self.full >= 3;
        }
        self.clipped |= self.second.clipped;
    }
}

/// Listens to an input and writes a line a second, and at the end what is to be said.
///
/// # Errors
/// As opening the input. Offline: nothing or only silence came, or it went away. Broken: `out` or the
/// file failed.
pub(in crate::aurora) fn test(test: &Test<'_>, out: &mut dyn Write) -> Result<(), Error> {
    let choice = Choice::parse(test.input.unwrap_or(&test.config.input))?;
    let mut source = open(&choice, test.config)?;
    let mut kept = match (test.save, source.rate()) {
        (Some(path), Some(rate)) => Some(Wav::create(path, rate)?),
        (Some(_), None) => {
            let name = source.name();
            return Err(Error::invalid(format!("{name} has levels only, and no sound to save")));
        }
        (None, _) => None,
    };
    let priority = if thread::is_raised() { "real-time" } else { "normal" };
    say(out, &format!("{}: {}, {priority} priority", source.name(), source.form()))?;
    let (begun, rate) = (clock::now(), source.rate());
    let patience = if rate.is_some() { PATIENCE } else { 0.0 };
    let end = begun + f64::from(test.seconds) + patience;
    let mut seen = Seen::default();
    while let Err(e) = listen(test, &mut *source, end, &mut seen, kept.as_mut(), out) {
        if e.kind() != Kind::Offline {
            return Err(e);
        }
        // Somebody tries the plug.
        say(out, e.what())?;
        // The system forgets a card only when nobody has it open any more.
        drop(source);
        source = again(&choice, test, end).ok_or(e)?;
        if source.rate() != rate {
            return Err(Error::offline(format!("{} came back with another rate", source.name())));
        }
        seen.reopened += 1;
    }
    if let Some(kept) = kept {
        kept.end()?;
    }
    if let Some(rate) = rate {
        let seconds = seen.samples as f64 / f64::from(rate);
        let (elapsed, overruns) = (clock::now() - begun, seen.overruns);
        let noun = if overruns == 1 { "overrun" } else { "overruns" };
        let reopened = match seen.reopened {
            0 => String::new(),
            count => format!(", opened again {count} times"),
        };
        let line =
            format!("{seconds:.2} s of sound in {elapsed:.2} s, {overruns} {noun}{reopened}");
        say(out, &line)?;
    }
    if seen.last.beat.there {
        say(out, &format!("{:.1} beats a minute", 60.0 / seen.last.beat.period))?;
    }
    if seen.clipped {
        say(out, "some of it was too loud for the input: turn it down until no line says CLIPPED")?;
    }
    let name = source.name();
    match (seen.open, rate.is_some() && seen.samples > 0) {
        (true, _) => Ok(()),
        (_, false) => Err(Error::offline(format!(
            "nothing came from {name}; is something playing, and does it play to there?"
        ))),
        (_, true) => Err(Error::offline(format!(
            "only silence came from {name}: is something playing, is the right input chosen, and \
             is its volume up (`alsamixer`, F4)?"
        ))),
    }
}

/// Opens an input that went away as soon as it is back; nothing when the clock stands at `end`.
fn again(choice: &Choice, test: &Test<'_>, end: f64) -> Option<Box<dyn Source>> {
    let mut source = open(choice, test.config).ok();
    while source.is_none() && clock::now() < end {
        clock::sleep_until(clock::now_ns() + AGAIN.as_nanos() as u64);
        source = open(choice, test.config).ok();
    }
    source
}

/// Listens for as long as the test lasts, or until the input goes away.
fn listen(
    test: &Test<'_>,
    source: &mut dyn Source,
    end: f64,
    seen: &mut Seen,
    mut kept: Option<&mut Wav>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let rate = source.rate();
    let settings = Settings { automatic_gain: test.config.automatic_gain };
    let mut hearing = rate.map(|rate| Hearing::new(rate, settings)).transpose()?;
    let wanted = rate.map(|rate| u64::from(rate) * u64::from(test.seconds));
    let mut piece = [0.0; PIECE];
    while wanted.is_none_or(|wanted| seen.samples < wanted) && clock::now() < end {
        match (source.read(&mut piece)?, &mut hearing) {
            (Got::Sound { count, at }, Some(hearing)) => {
                let left = wanted.map_or(count as u64, |wanted| wanted - seen.samples);
                let heard = &piece[..count.min(left as usize)];
                seen.sound(heard);
                if let Some(kept) = &mut kept {
                    kept.write(heard)?;
                }
                hearing.sound(heard, at, |frame, _| seen.frame(frame));
            }
            (Got::Levels(frame, _), _) => seen.frame(frame),
            (Got::Overrun, _) => seen.overruns += 1,
            (Got::End, _) => break,
            (Got::Sound { .. } | Got::Nothing, _) => {}
        }
        for line in seen.lines.drain(..) {
            say(out, &line)?;
        }
    }
    Ok(())
}

fn say(out: &mut dyn Write, line: &str) -> Result<(), Error> {
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    written.map_err(|e| Error::broken("cannot write the lines").because(e))
}
