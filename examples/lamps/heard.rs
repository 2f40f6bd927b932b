//! From sound to light: somebody plays into a pipe, somebody listens, and lamps are painted with it.

use crate::clock::{Late, now, raise, received, sleep_until};
use crate::{Outcome, is_show};
use hearth::aurora::analyse::{Analysis, Frame, Settings};
use hearth::aurora::lamps::{Bell, Paint};
use hearth::aurora::light::Light;
use hearth::aurora::moment::Watcher;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A hop of the analysis, in nanoseconds and in samples.
pub(crate) const HOP: u64 = 10_000_000;
const SAMPLES: usize = 441;
/// Every so many hops it flashes.
const BEAT: u64 = 50;

/// Frames of the analysis as they come, with the number of their hop.
type Heard = Arc<Mutex<(u64, Frame)>>;

/// Paints lamp 0 with the number of the last hop, and lamp 1 bright on beats.
pub(crate) struct Counter {
    heard: Heard,
    hop: u64,
    watcher: Watcher,
}

impl Paint for Counter {
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        is_show();
        if let Ok(heard) = self.heard.try_lock()
            && heard.0 != self.hop
        {
            self.hop = heard.0;
            self.watcher.see(&heard.1, seconds);
        }
        let moment = self.watcher.at(seconds);
        let byte = |shift: u64| ((self.hop >> shift) & 255) as f32 / 255.0;
        let flash = if self.hop % BEAT < 5 { 1.0 } else { 0.0 };
        pixels.fill(match lamp {
            0 => Light([byte(16), byte(8), byte(0)]),
            _ => Light([flash, flash, flash * moment.loud.max(0.5)]),
        });
    }
}

/// The threads around the lamps, which run until [`Around::end`].
pub(crate) struct Around {
    stop: Arc<AtomicBool>,
    player: JoinHandle<()>,
    /// The listener, and both lamps.
    noted: Vec<JoinHandle<Late>>,
}

/// Starts who plays, who listens and two lamps: one that is told each hop, one that flashes on beats.
/// Returns who paints, and the bell that is rung for each frame.
pub(crate) fn start(each: UdpSocket, beats: UdpSocket) -> Outcome<(Around, Counter, Bell)> {
    let (stop, bell, heard) = (Arc::new(AtomicBool::new(false)), Bell::new()?, Heard::default());
    let (sound, into) = std::io::pipe()?;
    let first = now() + 500_000_000;
    let (stopped, shelf, rings) = (stop.clone(), heard.clone(), bell.clone());
    #[allow(clippy::disallowed_methods, reason = "stands in for a sound card")]
    let player = std::thread::spawn(move || play(into, first, &stopped));
    #[allow(clippy::disallowed_methods, reason = "stands in for the thread that listens")]
    let listener = std::thread::spawn(move || listen(sound, first, &shelf, &rings));
    let receiver = |socket: UdpSocket, hop: fn(&[u8]) -> Option<u64>| {
        let stopped = stop.clone();
        #[allow(clippy::disallowed_methods, reason = "stands in for a lamp")]
        std::thread::spawn(move || receive(&socket, first, hop, &stopped))
    };
    // The dark at the end has the number of the first hop, which is not counted.
    let number = |data: &[u8]| {
        let hop = u64::from(u32::from_be_bytes([0, data[0], data[1], data[2]]));
        (hop > 0).then_some(hop)
    };
    // Which beat it is follows from the time: they are half a second apart.
    let flash = |data: &[u8]| (data[0] > 128).then_some(0);
    let noted = vec![listener, receiver(each, number), receiver(beats, flash)];
    let paint = Counter { heard, hop: u64::MAX, watcher: Watcher::default() };
    Ok((Around { stop, player, noted }, paint, bell))
}

impl Around {
    /// Ends all, and returns how late each hop was as a frame and as light, and each beat as light.
    pub(crate) fn end(self) -> Outcome<[Late; 3]> {
        self.stop.store(true, Ordering::Relaxed);
        self.player.join().map_err(|_| "a thread panicked")?;
        let mut late = <[Late; 3]>::default();
        for (late, thread) in late.iter_mut().zip(self.noted) {
            *late = thread.join().map_err(|_| "a thread panicked")?;
        }
        // The first hops are those of waking up.
        for late in &mut late[..2] {
            late.0 = late.0.split_off(late.0.len().min(20));
        }
        for late in &mut late[2].0 {
            *late %= BEAT * HOP;
        }
        Ok(late)
    }
}

/// Plays a hop each 10 ms, as a sound card gives it.
fn play(mut into: PipeWriter, first: u64, stop: &AtomicBool) {
    raise();
    let mut pcm = [0u8; SAMPLES * 2];
    let mut hop = 0u64;
    while !stop.load(Ordering::Relaxed) {
        for (k, sample) in pcm.chunks_exact_mut(2).enumerate() {
            let at = (hop as usize * SAMPLES + k) as f32;
            let value = ((at * 0.03).sin() * 9000.0) as i16;
            sample.copy_from_slice(&value.to_le_bytes());
        }
        sleep_until(first + hop * HOP);
        if into.write_all(&pcm).is_err() {
            return;
        }
        hop += 1;
    }
}

/// Reads what is played through the analysis, until nobody plays.
fn listen(mut sound: PipeReader, first: u64, shelf: &Mutex<(u64, Frame)>, bell: &Bell) -> Late {
    raise();
    let mut late = Late::default();
    let Ok(mut analysis) = Analysis::new(44_100, Settings::default()) else { return late };
    let mut pcm = [0u8; SAMPLES * 2];
    let mut samples = [0f32; SAMPLES];
    let mut hop = 0;
    while sound.read_exact(&mut pcm).is_ok() {
        for (sample, bytes) in samples.iter_mut().zip(pcm.chunks_exact(2)) {
            *sample = f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0;
        }
        let mut last = Frame::default();
        analysis.push(&samples, |frame, _| last = frame.clone());
        if let Ok(mut shelf) = shelf.lock() {
            *shelf = (hop, last);
        }
        bell.ring();
        late.0.push(now().saturating_sub(first + hop * HOP));
        hop += 1;
    }
    late
}

/// Notes when each hop that `read` sees in a picture came, in nanoseconds after it was played.
fn receive(
    socket: &UdpSocket,
    first: u64,
    read: fn(&[u8]) -> Option<u64>,
    stop: &AtomicBool,
) -> Late {
    let (mut late, mut last) = (Late::default(), None);
    let mut packet = [0; 1500];
    while !stop.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut packet) else { continue };
        let at = received(socket);
        let hop = read(&packet[10..length]);
        if let Some(hop) = hop.filter(|_| last != hop) {
            late.0.push(at.saturating_sub(first + hop * HOP));
        }
        last = hop;
    }
    late
}
