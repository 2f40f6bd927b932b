//! A Hearth that listens, in this process, and what is played to it.

use hearth::aurora::listen::{Config, Doing, Heard, Joined, Listening, Reader};
use hearth::events::Events;
use hearth::tasks::Tasks;
use std::time::{Duration, Instant};

/// What everything that should happen soon is given: the machine may be busy.
pub const SOON: Duration = Duration::from_secs(20);

/// Listens for as long as it lives.
pub struct Ears {
    pub listening: Listening,
    pub tasks: Tasks,
    pub reader: Reader,
    pub joined: Option<Joined>,
}

impl Ears {
    pub fn open(input: &str) -> Ears {
        Ears::with(Config { input: input.into(), ..Config::default() })
    }

    pub fn with(config: Config) -> Ears {
        let tasks = Tasks::new(Events::new());
        let listening = Listening::start(&config, &tasks).unwrap();
        let (reader, joined) = (listening.reader(), Some(listening.join()));
        Ears { listening, tasks, reader, joined }
    }

    /// Reads frames until one is as it should be.
    pub fn until(&mut self, what: &str, mut is: impl FnMut(&Heard) -> bool) -> Heard {
        let end = Instant::now() + SOON;
        loop {
            while let Some(heard) = self.reader.next() {
                if is(&heard) {
                    return heard;
                }
            }
            let report = self.listening.report();
            assert!(Instant::now() < end, "waited {SOON:?} for {what}: {report:?}");
            self.reader.wait(hearth::aurora::clock::now_ns() + 100_000_000);
        }
    }

    /// Waits until the input does this.
    pub fn until_it_is(&self, state: Doing) {
        crate::harness::wait_for(&format!("{state:?}"), || {
            (self.listening.report().state == state).then_some(())
        });
    }

    pub async fn stop(self) {
        self.tasks.stop().await;
    }
}

/// Samples as 16-bit sound of so many channels.
pub fn raw(samples: &[f32], channels: usize) -> Vec<u8> {
    let sample = |x: &f32| ((x * 32_767.0).round() as i16).to_le_bytes();
    samples.iter().flat_map(|x| std::iter::repeat_n(sample(x), channels)).flatten().collect()
}

/// A tone of 440 Hz.
pub fn tone(seconds: f32, amplitude: f32) -> Vec<f32> {
    let count = (seconds * 48_000.0) as usize;
    let step = std::f32::consts::TAU * 440.0 / 48_000.0;
    (0..count).map(|i| amplitude * (i as f32 * step).sin()).collect()
}
