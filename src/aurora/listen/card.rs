//! A device of a sound card, read directly: no conversion but our own stands between.
//!
//! The buffer is eight periods or more, so that a machine that is busy for 150 ms loses nothing; it
//! adds no delay, because what is there is read at once.

use crate::aurora::Abilities;
use crate::aurora::clock;
use crate::aurora::listen::choice::Hardware;
use crate::aurora::listen::mix::{Form, Format, MOST_CHANNELS, RATES};
use crate::aurora::listen::source::{Got, PATIENCE, PIECE, Source};
use crate::error::Error;
use alsa::pcm::{Access, Format as Alsa, HwParams, PCM};
use alsa::{Direction, ValueOr};
use nix::libc;

/// Samples of each channel between two wake-ups: 5 ms at 48 kHz.
const PERIOD: i64 = 256;
/// What is asked for as the buffer (samples of each channel), and the least that will do, in periods.
const BUFFER: i64 = 32 * PERIOD;
const LEAST_PERIODS: i64 = 8;
/// A device that gives nothing for so many waits in a row does not run.
const DEAD: u32 = 20;

/// ALSA's word for a format.
const fn alsa_of(format: Format) -> Alsa {
    match format {
        Format::S16 => Alsa::S16LE,
        Format::S24In3 => Alsa::S243LE,
        Format::S24 => Alsa::S24LE,
        Format::S32 => Alsa::S32LE,
    }
}

/// A device that is recording.
pub(super) struct Card {
    name: String,
    pcm: PCM,
    form: Form,
    bytes: Vec<u8>,
    /// Waits in a row that brought nothing.
    silent: u32,
}

impl Card {
    /// Opens a device and starts recording as `wanted`, or as suits it best.
    ///
    /// # Errors
    /// Offline: it is not there, or another program has it. Refused: this user may not. Invalid: it
    /// can nothing of what Hearth reads, and what it can.
    pub(super) fn open(hardware: &Hardware, wanted: Option<Form>) -> Result<Card, Error> {
        let name = hardware.to_string();
        let pcm = opened(&name)?;
        let form = settle(&pcm, &name, wanted)?;
        pcm.start().map_err(|e| Error::offline(format!("{name} does not start")).because(e))?;
        let bytes = vec![0; form.frame() * PIECE];
        Ok(Card { name, pcm, form, bytes, silent: 0 })
    }

    /// What follows from a failed call: recording starts again, or the device is gone.
    fn recover(&mut self, e: alsa::Error) -> Result<Got<'_>, Error> {
        match e.errno() {
            libc::EAGAIN | libc::EINTR => Ok(Got::Nothing),
            libc::EPIPE | libc::ESTRPIPE => {
                let again = self.pcm.try_recover(e, true).and_then(|()| self.pcm.start());
                again.map(|()| Got::Overrun).map_err(|e| self.gone(e))
            }
            _ => Err(self.gone(e)),
        }
    }

    fn gone(&self, e: alsa::Error) -> Error {
        let name = &self.name;
        // What ALSA says of it depends on where it was when the card went.
        let is_there = crate::aurora::input_names().is_ok_and(|names| names.contains(name));
        match (is_there, e.errno()) {
            (false, _) | (_, libc::ENODEV | libc::EBADFD) => Error::offline(format!(
                "{name} was unplugged; it is taken up again when it is back"
            )),
            _ => Error::offline(format!("{name} has stopped")).because(e),
        }
    }
}

impl Source for Card {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate(&self) -> Option<u32> {
        Some(self.form.rate)
    }

    fn form(&self) -> String {
        self.form.to_string()
    }

    fn read(&mut self, into: &mut [f32; PIECE]) -> Result<Got<'_>, Error> {
        match self.pcm.wait(Some(PATIENCE.as_millis() as u32)) {
            Ok(true) => {}
            Ok(false) => {
                self.silent += 1;
                if self.silent > DEAD {
                    let name = &self.name;
                    return Err(Error::offline(format!(
                        "{name} gives no sound; is it switched on?"
                    )));
                }
                return Ok(Got::Nothing);
            }
            Err(e) => return self.recover(e),
        }
        // What a hop needs, so that it is known as soon as it was heard.
        let frames = (self.form.rate as usize / 100).min(PIECE);
        let bytes = &mut self.bytes[..frames * self.form.frame()];
        let read = self.pcm.io_bytes().readi(bytes);
        let count = match read {
            Ok(count) => count,
            Err(e) => return self.recover(e),
        };
        if count == 0 {
            return Ok(Got::Nothing);
        }
        self.silent = 0;
        // What waits behind these samples was heard after them.
        let behind = self.pcm.avail_update().map_or(0, |waiting| waiting.max(0));
        let at = clock::now() - behind as f64 / f64::from(self.form.rate);
        let count = self.form.mix(&bytes[..count * self.form.frame()], into);
        Ok(Got::Sound { count, at })
    }
}

/// Keeps what alsa-lib writes to standard error in a buffer of this thread, which is emptied first:
/// errors are told by what calls return.
pub(in crate::aurora) fn hush() {
    // Without memory for the buffer it goes on writing, which does no harm.
    let _ = alsa::Output::local_error_handler();
}

/// Opens a device without waiting for whoever has it.
fn opened(name: &str) -> Result<PCM, Error> {
    hush();
    PCM::new(name, Direction::Capture, true).map_err(|e| match e.errno() {
        libc::EBUSY => Error::offline(format!(
            "{name} is in use by another program; end it there, or let it share the sound (a loopback \
             card, snd-aloop)"
        )),
        libc::EACCES | libc::EPERM => Error::refused(format!(
            "this user may not use {name}: add it to the group 'audio', or hand in /dev/snd"
        )),
        libc::ENOENT | libc::ENODEV | libc::ENXIO => Error::offline(format!(
            "there is no {name}; it is taken when it is plugged in (`hearth audio list` shows what is)"
        )),
        _ => Error::offline(format!("cannot open {name}")).because(e),
    })
}

/// What a device can, of what Hearth reads.
///
/// # Errors
/// As [`Card::open`].
pub(in crate::aurora) fn abilities(name: &str) -> Result<Abilities, Error> {
    let pcm = opened(name)?;
    let params = HwParams::any(&pcm)
        .map_err(|e| Error::offline(format!("{name} does not say what it can")).because(e))?;
    Ok(able(&params))
}

fn able(params: &HwParams<'_>) -> Abilities {
    let formats = Format::ALL.iter().filter(|format| params.test_format(alsa_of(**format)).is_ok());
    let mut rates: Vec<u32> =
        RATES.into_iter().filter(|rate| params.test_rate(*rate).is_ok()).collect();
    rates.sort_unstable();
    let least = params.get_channels_min().unwrap_or(0);
    Abilities {
        formats: formats.map(|format| format.word().to_owned()).collect(),
        rates,
        channels: [least, params.get_channels_max().unwrap_or(least)],
    }
}

/// Sets a device to the form that is wanted, or that suits it best.
fn settle(pcm: &PCM, name: &str, wanted: Option<Form>) -> Result<Form, Error> {
    let failed = |what: &str| {
        let what = format!("{name} does not take {what}");
        move |e: alsa::Error| Error::offline(what.clone()).because(e)
    };
    let params = HwParams::any(pcm).map_err(failed("any setting"))?;
    params.set_access(Access::RWInterleaved).map_err(failed("interleaved reading"))?;
    let form = chosen(&params, name, wanted)?;
    params.set_format(alsa_of(form.format)).map_err(failed("its own format"))?;
    params.set_rate(form.rate, ValueOr::Nearest).map_err(failed("its own rate"))?;
    params.set_channels(form.channels as u32).map_err(failed("its own channels"))?;
    let period = params
        .set_period_size_near(PERIOD, ValueOr::Nearest)
        .map_err(failed("a period of about 5 ms"))?;
    params.set_buffer_size_near(BUFFER.max(LEAST_PERIODS * period)).map_err(failed("a buffer"))?;
    pcm.hw_params(&params).map_err(failed("these settings together"))?;
    let software = pcm.sw_params_current().map_err(failed("a threshold"))?;
    let hop = i64::from(form.rate / 100);
    software.set_avail_min(period.min(hop)).map_err(failed("a threshold"))?;
    pcm.sw_params(&software).map_err(failed("a threshold"))?;
    Ok(form)
}

/// The form that is wanted when the device has it, else the first of each kind that it has.
fn chosen(params: &HwParams<'_>, name: &str, wanted: Option<Form>) -> Result<Form, Error> {
    let unable = |what: &str, can: String| {
        let asked = match wanted {
            Some(form) => format!("of aurora.card_format ({form})"),
            None => "that Hearth reads".into(),
        };
        Error::invalid(format!(
            "{name} has no {what} {asked}; it can: {can}. Change the setting or use another device"
        ))
    };
    let able = able(params);
    let formats = wanted.map_or(Format::ALL.to_vec(), |form| vec![form.format]);
    let format = formats.into_iter().find(|f| params.test_format(alsa_of(*f)).is_ok());
    let format = format.ok_or_else(|| match able.formats.as_slice() {
        [] => unable("format", other_formats(params)),
        some => unable("format", some.join(", ")),
    })?;
    let rates = wanted.map_or(RATES.to_vec(), |form| vec![form.rate]);
    let rate = rates.into_iter().find(|rate| params.test_rate(*rate).is_ok());
    let rate = rate.ok_or_else(|| {
        let (low, high) = (params.get_rate_min(), params.get_rate_max());
        unable("rate", format!("{} to {} Hz", low.unwrap_or(0), high.unwrap_or(0)))
    })?;
    let [least, most] = able.channels;
    let counts = wanted.map_or(vec![2, 1, least], |form| vec![form.channels as u32]);
    let channels = counts.into_iter().find(|n| params.test_channels(*n).is_ok());
    let channels = channels.map(|n| n as usize).filter(|n| (1..=MOST_CHANNELS).contains(n));
    let channels = channels.ok_or_else(|| unable("channels", format!("{least} to {most}")))?;
    Ok(Form { rate, format, channels })
}

/// The formats of a device that can nothing of what Hearth reads, in ALSA's words.
fn other_formats(params: &HwParams<'_>) -> String {
    const OTHERS: &[Alsa] =
        &[Alsa::S8, Alsa::U8, Alsa::S16BE, Alsa::U16LE, Alsa::S20LE, Alsa::S203LE, Alsa::S24BE];
    const FLOATS: &[Alsa] =
        &[Alsa::S243BE, Alsa::S32BE, Alsa::FloatLE, Alsa::Float64LE, Alsa::MuLaw, Alsa::ALaw];
    let all = OTHERS.iter().chain(FLOATS).chain(&[Alsa::IEC958SubframeLE, Alsa::DSDU8]);
    let has = all.filter(|format| params.test_format(**format).is_ok());
    let words: Vec<String> = has.map(ToString::to_string).collect();
    if words.is_empty() { "no format of known name".into() } else { words.join(", ") }
}
