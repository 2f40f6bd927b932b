use super::*;
use crate::aurora::lamps::colour::Colours;
use crate::aurora::lamps::encode::{Ddp, Encoder};
use crate::aurora::lamps::line::{Delay, Part};
use crate::aurora::lamps::pace::Pace;
use crate::aurora::lamps::{Counts, Hear, Levels, Post, Sent, To, Wire};
use crate::aurora::light::Light;
use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

const MS: u64 = 1_000_000;

/// Time that only goes on when somebody waits, or when it is told to.
#[derive(Clone)]
struct Virtual {
    now: Arc<AtomicU64>,
    /// When news comes.
    news: VecDeque<u64>,
    /// At the first wait after this time the thread is held up for so long.
    stall: Option<(u64, u64)>,
    end: u64,
    stop: Arc<AtomicBool>,
}

impl Virtual {
    fn new(end: u64) -> Virtual {
        let (now, stop) = (Arc::default(), Arc::default());
        Virtual { now, news: VecDeque::new(), stall: None, end, stop }
    }
}

impl Clock for Virtual {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn wait(&mut self, until: u64) -> bool {
        let news = self.news.front().is_some_and(|at| *at <= until);
        let mut woken = if news { self.news.pop_front().unwrap() } else { until };
        if let Some((at, long)) = self.stall
            && woken >= at
        {
            woken += long;
            self.stall = None;
            // What was said meanwhile is one ring.
            self.news.retain(|at| *at > woken);
        }
        let now = woken.max(self.now());
        self.now.store(now, Ordering::SeqCst);
        self.stop.store(now >= self.end, Ordering::SeqCst);
        news
    }
}

/// A packet and when it was sent.
type Packets = Arc<Mutex<Vec<(u64, Vec<u8>)>>>;

/// A wire that answers as it is told.
struct Told {
    clock: Virtual,
    packets: Packets,
    answer: fn(u64) -> Sent,
}

impl Wire for Told {
    fn send(&mut self, _: To, packet: &[u8]) -> Sent {
        let answer = (self.answer)(self.clock.now());
        if answer == Sent::Out {
            self.packets.lock().unwrap().push((self.clock.now(), packet.to_vec()));
        }
        answer
    }
}

/// Paints red the number of 10 ms at which the light is to be seen, and green the lamp.
struct Dial;

impl Paint for Dial {
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        let red = (seconds * 100.0).round() % 256.0;
        pixels.fill(Light([red as f32 / 255.0, lamp as f32 / 255.0, 0.0]));
    }
}

fn line(
    lamp: usize,
    delay_ms: f64,
    rate: u32,
    clock: &Virtual,
    answer: fn(u64) -> Sent,
) -> (Line, Packets) {
    let packets = Packets::default();
    let delay = Delay::default();
    delay.set(delay_ms);
    let colours = Colours::new("rgb", 1.0, 1.0).unwrap();
    let part = Part::new(lamp, colours, delay, vec![0]);
    let wire = Box::new(Told { clock: clock.clone(), packets: packets.clone(), answer });
    let encoder = Encoder::Ddp(Ddp::new(0, 3));
    (Line::new(vec![part], 3, encoder, wire, Pace::new(rate, 100, 0)), packets)
}

fn play(lines: Vec<Line>, clock: &Virtual, paint: &mut dyn Paint) {
    let mut stage = Stage { lines, posted: Vec::new(), sync: None, lead: 0.03 };
    stage.run(&mut clock.clone(), paint, &clock.stop);
}

/// Time in ms and red of each packet.
fn brief(packets: &Packets) -> Vec<(u64, u8)> {
    packets.lock().unwrap().iter().map(|(at, packet)| (at / MS, packet[10])).collect()
}

#[test]
fn each_lamp_is_painted_for_when_its_light_is_seen() {
    let clock = Virtual::new(100 * MS);
    let (fast, fast_said) = line(0, 0.0, 50, &clock, |_| Sent::Out);
    let (slow, slow_said) = line(1, 250.0, 50, &clock, |_| Sent::Out);
    play(vec![fast, slow], &clock, &mut Dial);
    // The lead of 30 ms, and 250 ms more. At the end three packets of dark.
    let dark = [(100, 0); 3];
    assert_eq!(brief(&fast_said)[..5], [(0, 3), (20, 5), (40, 7), (60, 9), (80, 11)]);
    assert_eq!(brief(&fast_said)[5..], dark);
    assert_eq!(brief(&slow_said)[..5], [(0, 28), (20, 30), (40, 32), (60, 34), (80, 36)]);
    assert_eq!(brief(&slow_said)[5..], dark);
}

#[test]
fn a_latency_that_turns_out_smaller_does_not_turn_time_back() {
    struct Noted(Delay, Vec<u64>);
    impl Paint for Noted {
        fn paint(&mut self, _: usize, seconds: f64, pixels: &mut [Light]) {
            self.1.push((seconds * 1000.0).round() as u64);
            if self.1.len() == 3 {
                self.0.set(60.0);
            }
            pixels.fill(Light::BLACK);
        }
    }
    let clock = Virtual::new(160 * MS);
    let delay = Delay::default();
    delay.set(100.0);
    let packets = Packets::default();
    let part = Part::new(0, Colours::new("rgb", 1.0, 1.0).unwrap(), delay.clone(), vec![0]);
    let wire = Box::new(Told { clock: clock.clone(), packets, answer: |_| Sent::Out });
    let pace = Pace::new(50, 100, 0);
    let one = Line::new(vec![part], 3, Encoder::Ddp(Ddp::new(0, 3)), wire, pace);
    let mut noted = Noted(delay, Vec::new());
    play(vec![one], &clock, &mut noted);
    assert_eq!(noted.1, [130, 150, 170, 170, 170, 190, 210, 230]);
}

#[test]
fn after_a_stall_of_ten_seconds_nothing_stale_is_sent() {
    let mut clock = Virtual::new(11_000 * MS);
    clock.stall = Some((500 * MS, 10_000 * MS));
    clock.news = (0..1100).map(|hop| hop * 10 * MS + 3 * MS).collect();
    let (one, said) = line(0, 100.0, 50, &clock, |_| Sent::Out);
    let counters = one.counters().clone();
    play(vec![one], &clock, &mut Dial);
    let all = brief(&said);
    // Whatever was sent was painted for the time at which it was sent: 130 ms ahead of it.
    for (at, red) in &all[..all.len() - 3] {
        assert!(((at + 130).div_ceil(10) % 256).abs_diff((*red).into()) <= 1, "{at}: {red}");
    }
    let after: Vec<u64> = all.iter().map(|p| p.0).filter(|at| (500..10_560).contains(at)).collect();
    assert!(after.len() <= 4 && after[0] >= 10_500, "{after:?}");
    let counts = counters.read();
    assert!((495..=500).contains(&counts.missed) && counts.late == 1, "{counts:?}");
}

#[test]
fn what_took_ten_seconds_to_paint_is_not_sent() {
    /// Is held up once, at 100 ms.
    struct Slow(Virtual, bool);
    impl Paint for Slow {
        fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
            if !self.1 && seconds >= 0.13 {
                self.0.now.fetch_add(10_000 * MS, Ordering::SeqCst);
                self.1 = true;
            }
            Dial.paint(lamp, seconds, pixels);
        }
    }
    let clock = Virtual::new(10_200 * MS);
    let (one, said) = line(0, 0.0, 50, &clock, |_| Sent::Out);
    let counters = one.counters().clone();
    play(vec![one], &clock, &mut Slow(clock.clone(), false));
    let all = brief(&said);
    assert_eq!(all[4], (80, 11));
    assert_eq!(all[5], (10_100, (10_130 / 10 % 256) as u8), "{all:?}");
    assert_eq!(counters.read().stale, 1);
}

#[test]
fn dead_full_and_flapping_outputs_delay_nobody() {
    let clock = Virtual::new(1000 * MS);
    let answers: [fn(u64) -> Sent; 4] = [
        |_| Sent::Failed(111),
        |_| Sent::Full,
        |now| if (now / (100 * MS)).is_multiple_of(2) { Sent::Out } else { Sent::Failed(113) },
        |_| Sent::Out,
    ];
    let (lines, said): (Vec<_>, Vec<_>) =
        answers.into_iter().enumerate().map(|(n, answer)| line(n, 0.0, 50, &clock, answer)).unzip();
    let counters: Vec<_> = lines.iter().map(|line| line.counters().clone()).collect();
    play(lines, &clock, &mut Dial);
    let counts: Vec<Counts> = counters.iter().map(|c| c.read()).collect();
    assert!(counts.iter().all(|c| c.ticks == 50 && c.late == 0), "{counts:?}");
    let brief_counts: Vec<_> = counts.iter().map(|c| (c.packets, c.dropped, c.errors)).collect();
    // 50 pictures and three packets of the end.
    assert_eq!(brief_counts, [(0, 0, 53), (0, 53, 0), (28, 0, 25), (53, 0, 0)]);
    let good = brief(&said[3]);
    assert!((0..50).all(|tick| good[tick].0 == 20 * tick as u64), "{good:?}");
    // As soon as it is there again it gets what is right now.
    assert!(brief(&said[2]).contains(&(200, 23)), "{:?}", brief(&said[2]));
}

#[test]
fn what_stays_the_same_is_not_said_again_and_again() {
    struct Steady;
    impl Paint for Steady {
        fn paint(&mut self, _: usize, _: f64, pixels: &mut [Light]) {
            pixels.fill(Light::WHITE);
        }
    }
    let clock = Virtual::new(3000 * MS);
    let (one, said) = line(0, 0.0, 50, &clock, |_| Sent::Out);
    let counters = one.counters().clone();
    play(vec![one], &clock, &mut Steady);
    let times: Vec<u64> = brief(&said).iter().map(|p| p.0).collect();
    assert_eq!(times, [0, 20, 40, 940, 1840, 2740, 3000, 3000, 3000]);
    assert_eq!(counters.read().same, 144);
}

#[test]
fn a_beat_does_not_wait_for_the_next_tick() {
    /// Bright from 47 ms on of each 100.
    struct Flash;
    impl Paint for Flash {
        fn paint(&mut self, _: usize, seconds: f64, pixels: &mut [Light]) {
            let bright = (seconds * 1000.0) % 100.0 >= 46.9;
            pixels.fill(if bright { Light::WHITE } else { Light::BLACK });
        }
    }
    let mut clock = Virtual::new(100 * MS);
    // Ticks are each 50 ms; what comes with the frame at 17 ms is seen at 47 with the lead.
    clock.news = [7 * MS, 17 * MS].into();
    let (one, said) = line(0, 0.0, 20, &clock, |_| Sent::Out);
    play(vec![one], &clock, &mut Flash);
    assert_eq!(brief(&said)[..2], [(0, 0), (17, 255)]);
}

#[test]
fn a_painter_that_panics_leaves_no_lamp_on() {
    struct Clumsy;
    impl Paint for Clumsy {
        fn paint(&mut self, _: usize, seconds: f64, pixels: &mut [Light]) {
            assert!(seconds < 0.1, "what a painter can do");
            pixels.fill(Light::WHITE);
        }
    }
    let clock = Virtual::new(1000 * MS);
    let (one, said) = line(0, 0.0, 50, &clock, |_| Sent::Out);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        play(vec![one], &clock, &mut Clumsy);
    }));
    assert!(panicked.is_err());
    let all = brief(&said);
    assert_eq!(all[0], (0, 255));
    assert!(all[all.len() - 3..].iter().all(|p| *p == (80, 0)), "{all:?}");
}

#[test]
fn slow_outputs_are_posted_pictures_with_their_accents() {
    struct Kept(Arc<Mutex<Vec<(u64, bool)>>>);
    impl Post for Kept {
        fn latency(&self) -> f64 {
            0.2
        }
        fn post(&mut self, _: &[Light], accent: bool, seen: f64) {
            self.0.lock().unwrap().push(((seen * 1000.0).round() as u64, accent));
        }
    }
    struct Step;
    impl Paint for Step {
        fn paint(&mut self, _: usize, seconds: f64, pixels: &mut [Light]) {
            pixels.fill(if seconds > 0.26 { Light::WHITE } else { Light::BLACK });
        }
    }
    let clock = Virtual::new(100 * MS);
    let kept = Arc::default();
    let post = Box::new(Kept(Arc::clone(&kept)));
    let posted = vec![Posted::new(0, post, 1, Pace::new(50, 50, 0))];
    let mut stage = Stage { lines: Vec::new(), posted, sync: None, lead: 0.03 };
    stage.run(&mut clock.clone(), &mut Step, &clock.stop);
    let want = [(200, false), (220, false), (240, true), (260, false), (280, false)];
    assert_eq!(*kept.lock().unwrap(), want);
}

#[test]
fn audio_sync_tells_each_second_frame_and_silence_at_the_end() {
    struct Loud;
    impl Hear for Loud {
        fn hear(&mut self, levels: &mut Levels) -> bool {
            levels.volume = 0.5;
            true
        }
    }
    struct Nobody;
    impl Paint for Nobody {
        fn paint(&mut self, _: usize, _: f64, _: &mut [Light]) {}
    }
    let mut clock = Virtual::new(100 * MS);
    clock.news = (0..10).map(|hop| hop * 10 * MS + hop % 2 * MS).collect();
    let packets = Packets::default();
    let told = Told { clock: clock.clone(), packets: packets.clone(), answer: |_| Sent::Out };
    let synced = vec![crate::aurora::lamps::post::Synced::new(Box::new(told))];
    let sync = Some(Sync::new(Box::new(Loud), synced));
    let mut stage = Stage { lines: Vec::new(), posted: Vec::new(), sync, lead: 0.0 };
    stage.run(&mut clock.clone(), &mut Nobody, &clock.stop);
    drop(stage);
    let said = packets.lock().unwrap();
    let times: Vec<u64> = said.iter().map(|p| p.0 / MS).collect();
    assert_eq!(times[..5], [0, 20, 40, 60, 80], "{times:?}");
    let counts: Vec<u8> = said.iter().map(|p| p.1[17]).collect();
    assert_eq!(counts, (0..said.len() as u8).collect::<Vec<_>>());
    assert!(said.iter().rev().take(2).all(|p| p.1[8..16] == [0; 8]));
    assert!(said[0].1[8..12] == 127.5f32.to_le_bytes());
}
