//! What was heard as a WAV file of one channel of 32-bit floats (format 3, `WAVE_FORMAT_IEEE_FLOAT`), so
//! that every sample can be compared with what was played.

use crate::error::Error;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

/// The file that is being written.
pub(super) struct Wav {
    file: BufWriter<File>,
    rate: u32,
    bytes: u32,
    /// How many of them the head knows of.
    told: u32,
}

impl Wav {
    /// # Errors
    /// Conflict: there is a file of that name; it is kept. Invalid: the file cannot be made.
    pub(super) fn create(path: &Path, rate: u32) -> Result<Wav, Error> {
        let shown = path.display().to_string().escape_debug().to_string();
        let file = File::create_new(path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => {
                Error::conflict(format!("{shown} exists already; name a file that does not"))
            }
            _ => Error::invalid(format!("cannot write {shown}")).because(e),
        })?;
        let mut wav = Wav { file: BufWriter::new(file), rate, bytes: 0, told: 0 };
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
        // Whoever ends the test early has what was heard up to the last second.
        match self.bytes - self.told >= 4 * self.rate {
            true => self.tell(),
            false => Ok(()),
        }
    }

    /// Writes what is still to be written.
    pub(super) fn end(mut self) -> Result<(), Error> {
        self.tell()
    }

    /// Writes the sizes up to now into the head.
    fn tell(&mut self) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(0)).map_err(unsaved)?;
        self.head()?;
        self.file.seek(SeekFrom::End(0)).map_err(unsaved)?;
        self.told = self.bytes;
        Ok(())
    }
}

fn unsaved(e: std::io::Error) -> Error {
    Error::broken("cannot save what was heard").because(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_up_to_the_last_second_is_there_without_an_end() {
        let folder = std::env::temp_dir().join(format!("hearth-wav-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("heard.wav");
        let mut wav = Wav::create(&path, 100).unwrap();
        wav.write(&[0.5; 130]).unwrap();
        let so_far = std::fs::read(&path).unwrap();
        assert_eq!(so_far[40..44], (130u32 * 4).to_le_bytes());
        assert_eq!(so_far[4..8], (130u32 * 4 + 36).to_le_bytes());
        wav.write(&[0.25; 20]).unwrap();
        wav.end().unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!((whole.len(), &whole[40..44]), (44 + 600, &600u32.to_le_bytes()[..]));
        let again = Wav::create(&path, 100).err().unwrap();
        assert!(again.to_string().contains("exists already"), "{again}");
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
