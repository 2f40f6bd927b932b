//! What was heard as a WAV file of one channel of 32-bit floats (format 3, `WAVE_FORMAT_IEEE_FLOAT`), so
//! that every sample can be compared with what was played.

use crate::error::Error;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// The file that is being written.
pub(super) struct Wav {
    file: BufWriter<File>,
    rate: u32,
    bytes: u32,
}

impl Wav {
    /// # Errors
    /// Invalid: the file cannot be made.
    pub(super) fn create(path: &Path, rate: u32) -> Result<Wav, Error> {
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

    /// # Errors
    /// Broken: it cannot be written; so for the next.
    pub(super) fn write(&mut self, samples: &[f32]) -> Result<(), Error> {
        for sample in samples {
            self.file.write_all(&sample.to_le_bytes()).map_err(unsaved)?;
        }
        self.bytes += 4 * samples.len() as u32;
        Ok(())
    }

    /// Writes the sizes, which are known only now.
    pub(super) fn end(mut self) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(0)).map_err(unsaved)?;
        self.head()?;
        self.file.flush().map_err(unsaved)
    }
}

fn unsaved(e: std::io::Error) -> Error {
    Error::broken("cannot save what was heard").because(e)
}
