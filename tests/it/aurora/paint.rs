//! A show thread as the tests need it: a wish for each lamp a hundred times a second.

use hearth::aurora::lamps::mail::{Mailbox, Wish};
use hearth::aurora::light::Light;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Seconds of CLOCK_MONOTONIC.
pub fn now() -> f64 {
    let at = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    at.tv_sec() as f64 + at.tv_nsec() as f64 * 1e-9
}

/// What lamp so-and-so is to show at that second, and whether that is a beat.
pub type Picture = fn(usize, f64) -> (Light, bool);

/// Paints until it is dropped.
pub struct Painter {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Painter {
    pub fn start(lamps: Vec<Arc<Mailbox>>, picture: Picture) -> Painter {
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                for (lamp, mailbox) in lamps.iter().enumerate() {
                    let seen = now() + mailbox.latency();
                    let (light, accent) = picture(lamp, seen);
                    mailbox.put(Wish { light, accent, seen });
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Painter { over, thread: Some(thread) }
    }
}

impl Drop for Painter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

/// All lamps the same; every half second a beat.
pub fn together(_lamp: usize, seconds: f64) -> (Light, bool) {
    let place = seconds.rem_euclid(0.5);
    let hue = (seconds / 7.0).rem_euclid(1.0) as f32;
    (Light::hsv(hue, 1.0, 1.0 - place as f32), place < 0.011)
}

/// Each lamp another colour, which tells when it was wanted: once round in 36 s, lamps a ninth apart.
pub fn clockwork(lamp: usize, seconds: f64) -> (Light, bool) {
    let hue = (seconds / 36.0 + lamp as f64 / 9.0).rem_euclid(1.0) as f32;
    (Light::hsv(hue, 1.0, 1.0), false)
}

/// How many seconds before `now` a hue (degrees, of what lamps are told) of [`clockwork`] was wanted,
/// less than 18 either way.
pub fn age(lamp: usize, degrees: f64, now: f64) -> f64 {
    let told = Light::hsv((degrees / 360.0) as f32, 1.0, 1.0).0;
    let [r, g, b] = told.map(|x| f64::from(x).powf(2.2));
    let sixth = match (r >= g && r >= b, g >= b) {
        (true, _) => (g - b).rem_euclid(6.0),
        (_, true) => b - r + 2.0,
        _ => r - g + 4.0,
    };
    let age = (now / 36.0 + lamp as f64 / 9.0 - sixth / 6.0).rem_euclid(1.0) * 36.0;
    if age > 18.0 { age - 36.0 } else { age }
}
