//! A sound file, or the music of the demo, as if it were played: at the pace of the clock.

use crate::aurora::clock;
use crate::aurora::file::Sound;
use crate::aurora::listen::source::{Got, PIECE, Source};
use crate::aurora::sample::Song;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// A machine that slept for longer than this goes on where it was (seconds).
const SLEPT: f64 = 0.5;

/// What is played.
enum Player {
    File { path: PathBuf, sound: Box<Sound>, repeat: bool },
    Sample(Box<Song>),
}

/// Something played at the pace of the clock.
pub(super) struct Paced {
    name: String,
    rate: u32,
    player: Player,
    /// What is decoded and was not given yet, from `next` on.
    piece: Vec<f32>,
    next: usize,
    /// When the last sample that was given is heard; nothing before the first.
    heard: Option<f64>,
}

impl Paced {
    /// Plays a file, again and again with `repeat`.
    ///
    /// # Errors
    /// NotFound or Invalid: it cannot be played.
    pub(super) fn file(path: &Path, repeat: bool) -> Result<Paced, Error> {
        let sound = Box::new(Sound::open(path)?);
        let name = format!("file:{}", path.display().to_string().escape_debug());
        let rate = sound.rate();
        Ok(Paced::new(name, rate, Player::File { path: path.to_owned(), sound, repeat }))
    }

    /// Plays Hearth's own music for ever.
    pub(super) fn sample() -> Paced {
        Paced::new("sample".into(), Song::RATE, Player::Sample(Box::default()))
    }

    fn new(name: String, rate: u32, player: Player) -> Paced {
        Paced { name, rate, player, piece: Vec::new(), next: 0, heard: None }
    }

    /// Decodes more; false at the end.
    fn more(&mut self) -> Result<bool, Error> {
        self.next = 0;
        match &mut self.player {
            Player::Sample(song) => {
                self.piece.resize(PIECE / 2, 0.0);
                song.render(&mut self.piece);
                Ok(true)
            }
            Player::File { path, sound, repeat } => {
                if sound.next(&mut self.piece)? {
                    return Ok(true);
                }
                if !*repeat {
                    return Ok(false);
                }
                **sound = Sound::open(path)?;
                if sound.rate() != self.rate {
                    let name = &self.name;
                    return Err(Error::invalid(format!("{name} has another rate than before")));
                }
                sound.next(&mut self.piece)
            }
        }
    }
}

impl Source for Paced {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate(&self) -> Option<u32> {
        Some(self.rate)
    }

    fn form(&self) -> String {
        format!("{} Hz, decoded", self.rate)
    }

    fn read(&mut self, into: &mut [f32; PIECE]) -> Result<Got<'_>, Error> {
        if self.next == self.piece.len() && !self.more()? {
            return Ok(Got::End);
        }
        let left = &self.piece[self.next..];
        let count = left.len().min(self.rate as usize / 100).min(PIECE);
        into[..count].copy_from_slice(&left[..count]);
        self.next += count;
        let now = clock::now();
        let before = self.heard.filter(|heard| now - heard < SLEPT).unwrap_or(now);
        let at = before + count as f64 / f64::from(self.rate);
        self.heard = Some(at);
        clock::sleep_until(clock::nanoseconds(at));
        Ok(Got::Sound { count, at })
    }
}
