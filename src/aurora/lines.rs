//! `hearth audio beats` and `hearth audio levels`: a file through the very analysis that live sound
//! goes through, as lines for scripts.

use crate::aurora::analyse::{Analysis, Event, Frame, Kind, Settings, offline};
use crate::aurora::file::Sound;
use crate::error::Error;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

/// Writes one line for each event: seconds, `beat`, `downbeat` or `onset`, confidence from 0 to 1,
/// with tabs between them.
///
/// Seconds are the predicted time of the event or the end of what was read when it was told,
/// whichever is later, so that a file cut anywhere gives the same lines up to there. With `two_way`
/// the whole file is read first and beats are placed by what comes before and after them.
///
/// # Errors
/// NotFound and Invalid as [`Sound::open`]; Broken when `out` cannot be written to.
pub(super) fn beats(path: &Path, two_way: bool, out: impl Write) -> Result<(), Error> {
    let mut out = Lines::new(out);
    let mut whole = offline::Whole::default();
    run(path, |frame, events| {
        if two_way {
            whole.add(frame, events)?;
            return Ok(!out.closed);
        }
        for event in events {
            out.event(event)?;
        }
        Ok(!out.closed)
    })?;
    if two_way {
        for event in whole.events() {
            out.event(&event)?;
        }
    }
    out.end()
}

/// Writes one line for each hop of 10 ms, after a line that names the columns: seconds; RMS, peak,
/// clipped (0 or 1), noise floor (dBFS), gate (0 or 1), gain, centroid (Hz); three, sixteen and mel
/// bands; the onset of each of four groups (0 or 1); build-up and drop.
///
/// # Errors
/// As [`beats`].
pub(super) fn levels(path: &Path, out: impl Write) -> Result<(), Error> {
    let mut out = Lines::new(out);
    out.line(&head())?;
    run(path, |frame, _| {
        out.line(&row(frame))?;
        Ok(!out.closed)
    })?;
    out.end()
}

/// Pushes a file through an analysis; `each` returns whether to go on.
fn run(
    path: &Path,
    mut each: impl FnMut(&Frame, &[Event]) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut sound = Sound::open(path)?;
    let mut analysis = Analysis::new(sound.rate(), Settings::default())?;
    let (mut piece, mut done) = (Vec::new(), Ok(true));
    while sound.next(&mut piece)? {
        analysis.push(&piece, |frame, events| {
            if matches!(done, Ok(true)) {
                done = each(frame, events);
            }
        });
        if !matches!(done, Ok(true)) {
            break;
        }
    }
    done.map(drop)
}

fn head() -> String {
    let mut names: Vec<String> =
        ["seconds", "rms", "peak", "clipped", "floor", "gate", "gain", "centroid"]
            .map(str::to_owned)
            .to_vec();
    let frame = Frame::default();
    names.extend(["low", "middle", "high"].map(str::to_owned));
    names.extend((0..frame.sixteen.len()).map(|i| format!("band{i}")));
    names.extend((0..frame.mel.len()).map(|i| format!("mel{i}")));
    names.extend((0..frame.onsets.len()).map(|i| format!("onset{i}")));
    names.push("arc".into());
    names.join("\t")
}

fn row(frame: &Frame) -> String {
    use std::fmt::Write as _;
    let (level, bit) = (frame.level, |on: bool| u8::from(on));
    let mut line = format!(
        "{:.3}\t{:.5}\t{:.5}\t{}\t{:.1}\t{}\t{:.3}\t{:.0}",
        frame.seconds,
        level.rms,
        level.peak,
        bit(level.clipped),
        level.floor,
        bit(level.open),
        level.gain,
        frame.centroid,
    );
    for band in frame.three.iter().chain(&frame.sixteen).chain(&frame.mel) {
        let _ = write!(line, "\t{band:.5}");
    }
    for onset in frame.onsets {
        let _ = write!(line, "\t{}", bit(onset));
    }
    line + "\t" + frame.arc.word()
}

/// Lines to somebody who may have seen enough (`hearth audio beats song.mp3 | head`).
struct Lines<W: Write> {
    out: BufWriter<W>,
    closed: bool,
}

impl<W: Write> Lines<W> {
    fn new(out: W) -> Lines<W> {
        Lines { out: BufWriter::new(out), closed: false }
    }

    fn event(&mut self, event: &Event) -> Result<(), Error> {
        let Event { seconds, kind, confidence } = event;
        self.line(&format!("{seconds:.3}\t{}\t{confidence:.2}", kind.word()))?;
        // Whoever reads from a pipe while the sound is still coming wants each beat at once.
        if *kind != Kind::Onset { self.check(|out| out.flush()) } else { Ok(()) }
    }

    fn line(&mut self, line: &str) -> Result<(), Error> {
        self.check(|out| writeln!(out, "{line}"))
    }

    fn end(mut self) -> Result<(), Error> {
        self.check(|out| out.flush())
    }

    fn check(
        &mut self,
        write: impl FnOnce(&mut BufWriter<W>) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        match write(&mut self.out) {
            Err(e) if e.kind() == ErrorKind::BrokenPipe => self.closed = true,
            Err(e) => return Err(Error::broken("cannot write the lines").because(e)),
            Ok(()) => {}
        }
        Ok(())
    }
}
