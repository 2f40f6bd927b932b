//! Timelines: rendered from sound made here, kept, played, and followed.

mod files;
mod followed;
mod music;
mod played;
mod sound;

use crate::audio::wav;
use crate::harness::Folder;
use hearth::aurora::timeline::{Timeline, render};
use std::sync::OnceLock;

/// The timeline of these samples.
fn rendered(samples: &[f32], name: &str) -> Timeline {
    let folder = Folder::new();
    let path = folder.path().join("sound.wav");
    std::fs::write(&path, wav(samples, sound::RATE)).unwrap();
    render(&path, name).unwrap()
}

/// A minute of song and its timeline, made once.
fn minute() -> &'static (Vec<f32>, Timeline) {
    static MADE: OnceLock<(Vec<f32>, Timeline)> = OnceLock::new();
    MADE.get_or_init(|| {
        let samples = sound::song(1, 60.0, 120.0);
        let timeline = rendered(&samples, "a minute");
        (samples, timeline)
    })
}
