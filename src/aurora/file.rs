//! Sound from a file: WAV, FLAC, MP3 or OGG Vorbis, decoded piece by piece and mixed to one channel.

use crate::error::Error;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Fault;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

/// So many packets in a row may be damaged before the rest of a file is given up.
const DAMAGED: u32 = 50;

/// A file that is being decoded.
pub(super) struct Sound {
    name: String,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    rate: u32,
    /// The piece decoded last, all channels one after the other in each frame.
    woven: Vec<f32>,
    mono: Vec<f32>,
}

impl Sound {
    /// Opens a file, or standard input for `-`.
    ///
    /// # Errors
    /// NotFound: there is no such file. Invalid: it cannot be read, is empty or holds no sound of a
    /// kind that is known.
    pub(super) fn open(path: &Path) -> Result<Sound, Error> {
        let name = path.display().to_string().escape_debug().to_string();
        let source: Box<dyn MediaSource> = if path.as_os_str() == "-" {
            Box::new(ReadOnlySource::new(std::io::stdin()))
        } else {
            Box::new(opened(path, &name)?)
        };
        let mut hint = Hint::new();
        if let Some(extension) = path.extension().and_then(|e| e.to_str()) {
            hint.with_extension(extension);
        }
        let unknown = |e: Fault| {
            Error::invalid(format!(
                "{name} is no sound that can be read; give a WAV, FLAC, MP3 or OGG Vorbis file"
            ))
            .because(e)
        };
        let stream = MediaSourceStream::new(source, Default::default());
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(unknown)?;
        let track = format.default_track(TrackType::Audio).ok_or_else(|| silent(&name))?;
        let parameters = track.codec_params.as_ref().and_then(|p| p.audio());
        let parameters = parameters.ok_or_else(|| silent(&name))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(parameters, &AudioDecoderOptions::default())
            .map_err(unknown)?;
        let (track, rate) = (track.id, parameters.sample_rate.unwrap_or_default());
        let (woven, mono) = (Vec::new(), Vec::new());
        let mut sound = Sound { name, format, decoder, track, rate, woven, mono };
        // Some formats say their rate only with the first piece.
        if !sound.decode()? {
            return Err(silent(&sound.name));
        }
        Ok(sound)
    }

    /// Samples in a second.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// The next samples, -1 to 1; none at the end.
    ///
    /// # Errors
    /// Invalid: the file is damaged beyond what can be skipped, or changes its rate.
    pub(super) fn next(&mut self, piece: &mut Vec<f32>) -> Result<bool, Error> {
        if self.mono.is_empty() && !self.decode()? {
            return Ok(false);
        }
        piece.clear();
        std::mem::swap(piece, &mut self.mono);
        Ok(true)
    }

    /// Decodes the next packet that can be decoded into `mono`; false at the end.
    fn decode(&mut self) -> Result<bool, Error> {
        let mut damaged = 0;
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                // A file cut short ends where it was cut.
                Err(Fault::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => return Ok(false),
                Err(e) => return Err(self.broken(e)),
            };
            if packet.track_id != self.track {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(sound) => {
                    let (rate, channels) = (sound.spec().rate(), sound.num_planes());
                    sound.copy_to_vec_interleaved(&mut self.woven);
                    if self.rate == 0 {
                        self.rate = rate;
                    } else if rate != self.rate {
                        let (name, was) = (&self.name, self.rate);
                        return Err(Error::invalid(format!(
                            "{name} changes from {was} to {rate} samples a second; cut it there"
                        )));
                    }
                    if channels == 0 || self.woven.is_empty() {
                        continue;
                    }
                    let frames = self.woven.chunks_exact(channels);
                    let share = 1.0 / channels as f32;
                    self.mono.clear();
                    self.mono.extend(frames.map(|frame| frame.iter().sum::<f32>() * share));
                    return Ok(true);
                }
                Err(Fault::DecodeError(_) | Fault::IoError(_)) if damaged < DAMAGED => damaged += 1,
                Err(e) => return Err(self.broken(e)),
            }
        }
    }

    fn broken(&self, e: Fault) -> Error {
        let name = &self.name;
        Error::invalid(format!("{name} is damaged; convert it anew from its source")).because(e)
    }
}

fn silent(name: &str) -> Error {
    Error::invalid(format!("{name} holds no sound; give another file"))
}

/// The file itself, with what can be said before looking into it.
fn opened(path: &Path, name: &str) -> Result<File, Error> {
    let file = File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => Error::not_found(format!("there is no file {name}")),
        _ => Error::invalid(format!("cannot open {name}")).because(e),
    })?;
    match file.metadata() {
        Ok(about) if about.is_dir() => {
            Err(Error::invalid(format!("{name} is a folder; give a file")))
        }
        Ok(about) if about.is_file() && about.len() == 0 => {
            Err(Error::invalid(format!("{name} is empty; give a file with sound")))
        }
        _ => Ok(file),
    }
}
