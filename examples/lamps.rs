//! Measures the lamps: how late pictures leave, beside a bare loop of `clock_nanosleep` that has the same
//! priority and runs at the same time.
//!
//! `cargo run --profile fast --example lamps -- [SECONDS]` (20 by default) prints a table and fails when a
//! bound is not kept: scheduled pictures may be 1 ms later than the bare loop (99 of 100), sound that comes
//! in may be 3 ms later than it as light that goes out, and nothing may be allocated while the show runs.
//! Everything stays on loopback.

use hearth::aurora::analyse::{Analysis, Frame, Settings};
use hearth::aurora::lamps::{Bell, Config, Lamps, Paint, Show};
use hearth::aurora::light::Light;
use hearth::aurora::moment::Watcher;
use hearth::events::Events;
use hearth::http::ask::Ask;
use hearth::http::mdns::Mdns;
use hearth::http::tls;
use hearth::store::Store;
use hearth::tasks::Tasks;
use nix::libc;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A hop of the analysis, in nanoseconds and in samples.
const HOP: u64 = 10_000_000;
const SAMPLES: usize = 441;
/// Every so many hops it flashes.
const BEAT: u64 = 50;

thread_local! {
    static IS_SHOW: Cell<bool> = const { Cell::new(false) };
}
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

/// Counts what the show thread allocates.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(unsafe_code, reason = "an allocator is made of unsafe functions; these pass everything on")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_SHOW.with(Cell::get) {
            ALLOCATED.fetch_add(1, Ordering::Relaxed);
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if IS_SHOW.with(Cell::get) {
            ALLOCATED.fetch_add(1, Ordering::Relaxed);
        }
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn now() -> u64 {
    nanos(ClockId::CLOCK_MONOTONIC)
}

fn nanos(clock: ClockId) -> u64 {
    let now = clock_gettime(clock).unwrap_or(TimeSpec::new(0, 0));
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

fn sleep_until(until: u64) {
    let until = TimeSpec::new((until / 1_000_000_000) as i64, (until % 1_000_000_000) as i64);
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &until)
        .is_err()
    {}
}

/// The same priority that the show thread asks for.
fn raise() {
    let wanted = libc::sched_param { sched_priority: 9 };
    #[allow(unsafe_code, reason = "no safe call sets a policy; the pointer lives through the call")]
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_FIFO, std::ptr::from_ref(&wanted));
    }
}

/// When the system received the packet that was read last, in nanoseconds of `CLOCK_MONOTONIC`.
fn received(socket: &UdpSocket) -> u64 {
    const SIOCGSTAMPNS: libc::c_ulong = 0x8907;
    let mut stamp = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[allow(unsafe_code, reason = "no safe call reads the time of a packet")]
    let read = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSTAMPNS as _, &raw mut stamp) };
    if read != 0 {
        return now();
    }
    let at = stamp.tv_sec as u64 * 1_000_000_000 + stamp.tv_nsec as u64;
    let ago = nanos(ClockId::CLOCK_REALTIME).saturating_sub(at);
    now().saturating_sub(ago)
}

/// Nanoseconds of lateness, and what of them is shown.
#[derive(Default)]
struct Late(Vec<u64>);

impl Late {
    fn row(&mut self, name: &str) -> (String, f64) {
        self.0.sort_unstable();
        let at = |share: f64| {
            let place = (share * self.0.len().saturating_sub(1) as f64).round() as usize;
            self.0.get(place).copied().unwrap_or(u64::MAX) as f64 / 1e6
        };
        let text = format!(
            "{name:<44} {:>6} {:>8.3} {:>8.3} {:>8.3}",
            self.0.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
        (text, at(0.99))
    }
}

/// A bare loop with this period.
fn bare(period: u64, stop: &AtomicBool) -> Late {
    raise();
    let mut late = Late::default();
    let mut next = now() + period;
    while !stop.load(Ordering::Relaxed) {
        sleep_until(next);
        let woke = now();
        late.0.push(woke - next);
        next += period * ((woke - next) / period + 1);
    }
    late
}

/// Paints the second for which it paints, and marks its thread.
struct Clockwork;

impl Paint for Clockwork {
    fn paint(&mut self, _: usize, seconds: f64, pixels: &mut [Light]) {
        IS_SHOW.with(|is| is.set(true));
        let red = (seconds * 50.0).rem_euclid(1.0) as f32;
        pixels.fill(Light([red, 0.5, 0.25]));
    }
}

/// Frames of the analysis as they come, with the number of their hop.
type Heard = Arc<Mutex<(u64, Frame)>>;

/// Paints lamp 0 with the number of the last hop, and lamp 1 bright on beats.
struct Counter {
    heard: Heard,
    hop: u64,
    watcher: Watcher,
}

impl Paint for Counter {
    fn paint(&mut self, lamp: usize, seconds: f64, pixels: &mut [Light]) {
        IS_SHOW.with(|is| is.set(true));
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

/// What is measured with.
struct Bench {
    lamps: Lamps,
    seconds: u64,
    rows: Vec<String>,
    failed: bool,
    allocated: u64,
}

fn receiver() -> std::io::Result<(UdpSocket, u16)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

impl Bench {
    fn bound(&mut self, what: &str, p99: f64, bare: f64, most: f64) {
        let over = p99 - bare;
        let kept = if over <= most { "kept" } else { "NOT KEPT" };
        self.failed |= over > most;
        self.rows.push(format!("{what}: {over:.3} ms over the bare loop, {most} allowed: {kept}"));
    }

    /// Lets a show play while a bare loop runs beside it.
    async fn beside(
        &mut self,
        show: Show,
        period: u64,
    ) -> Outcome<(Late, Vec<hearth::aurora::lamps::Counts>)> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        #[allow(clippy::disallowed_methods, reason = "a loop that is measured beside the threads")]
        let bare = std::thread::spawn(move || bare(period, &stopped));
        let playing = self.lamps.play(show).await?;
        // The first pictures fill the caches of the system.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = ALLOCATED.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
        self.allocated += ALLOCATED.load(Ordering::Relaxed) - before;
        let counts = playing.report().await.into_iter().map(|lamp| lamp.counts).collect();
        stop.store(true, Ordering::Relaxed);
        playing.stop().await?;
        Ok((bare.join().map_err(|_| "the bare loop panicked")?, counts))
    }

    /// Pictures at planned times, in all four protocols.
    async fn scheduled(&mut self) -> Outcome<()> {
        let mut toml = String::from("lead_ms = 0\n");
        let mut sockets = Vec::new();
        for (kind, pixels) in [("ddp", 300), ("wled", 600), ("e131", 340), ("artnet", 170)] {
            let (socket, port) = receiver()?;
            toml += &format!(
                "[[lamp]]\nname='{kind}'\nkind='{kind}'\naddress='127.0.0.1:{port}'\npixels={pixels}\nlatency_ms=0\n"
            );
            sockets.push(socket);
        }
        let clock = Box::new(Bell::new()?);
        let config: Config = toml::from_str(&toml)?;
        let show =
            Show { config, paint: Box::new(Clockwork), hear: None, posts: Vec::new(), clock };
        let (mut late, counts) = self.beside(show, 20_000_000).await?;
        let (row, bare) = late.row("bare loop, 50 a second");
        self.rows.push(row);
        let mut worst: f64 = 0.0;
        for (kind, counts) in ["ddp", "wled", "e131", "artnet"].iter().zip(counts) {
            let p99 = counts.p99_us as f64 / 1000.0;
            worst = worst.max(p99);
            self.rows.push(format!(
                "{:<44} {:>6} {:>8.3} {:>8.3} {:>8}",
                format!("scheduled picture, sent: {kind}"),
                counts.ticks,
                counts.p50_us as f64 / 1000.0,
                p99,
                "-"
            ));
        }
        self.bound("scheduled sends", worst, bare, 1.0);
        drop(sockets);
        Ok(())
    }

    /// Sound into a pipe, light out of a socket.
    async fn heard(&mut self) -> Outcome<()> {
        let (all, all_port) = receiver()?;
        let (beats, beats_port) = receiver()?;
        let toml = format!(
            "rate = 100\n[[lamp]]\nname='all'\nkind='ddp'\naddress='127.0.0.1:{all_port}'\n\
             [[lamp]]\nname='beats'\nkind='ddp'\naddress='127.0.0.1:{beats_port}'\nrate=50\n"
        );
        let stop = Arc::new(AtomicBool::new(false));
        let bell = Bell::new()?;
        let heard: Heard = Arc::default();
        let (mut sound, mut into) = std::io::pipe()?;
        let first = now() + 500_000_000;
        // Whoever plays: a hop each 10 ms, as a sound card gives it.
        let stopped = stop.clone();
        #[allow(clippy::disallowed_methods, reason = "stands in for a sound card")]
        let player = std::thread::spawn(move || {
            raise();
            let mut hop = 0u64;
            let mut pcm = [0u8; SAMPLES * 2];
            while !stopped.load(Ordering::Relaxed) {
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
        });
        let (shelf, rings) = (heard.clone(), bell.clone());
        #[allow(clippy::disallowed_methods, reason = "stands in for the thread that listens")]
        let listener = std::thread::spawn(move || {
            raise();
            let Ok(mut analysis) = Analysis::new(44_100, Settings::default()) else { return };
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
                rings.ring();
                hop += 1;
            }
        });
        let stopped = stop.clone();
        let reader = move |socket: UdpSocket, read: fn(&[u8]) -> Option<u64>| {
            let stopped = stopped.clone();
            #[allow(clippy::disallowed_methods, reason = "stands in for a lamp")]
            std::thread::spawn(move || {
                let (mut late, mut last) = (Late::default(), None);
                let mut packet = [0; 1500];
                while !stopped.load(Ordering::Relaxed) {
                    let Ok(length) = socket.recv(&mut packet) else { continue };
                    let at = received(&socket);
                    let Some(hop) = read(&packet[10..length]) else {
                        last = None;
                        continue;
                    };
                    if last == Some(hop) {
                        continue;
                    }
                    last = Some(hop);
                    late.0.push(at.saturating_sub(first + hop * HOP));
                }
                late
            })
        };
        let every =
            reader(all, |data| Some(u64::from(u32::from_be_bytes([0, data[0], data[1], data[2]]))));
        // Which beat it is follows from the time: they are half a second apart.
        let flashes = reader(beats, |data| (data[0] > 128).then_some(0));
        let paint = Counter { heard, hop: u64::MAX, watcher: Watcher::default() };
        let config: Config = toml::from_str(&toml)?;
        let clock = Box::new(bell);
        let show = Show { config, paint: Box::new(paint), hear: None, posts: Vec::new(), clock };
        let (mut late, _) = self.beside(show, HOP).await?;
        stop.store(true, Ordering::Relaxed);
        let mut every = every.join().map_err(|_| "a receiver panicked")?;
        let mut flashes = flashes.join().map_err(|_| "a receiver panicked")?;
        for thread in [player, listener] {
            thread.join().map_err(|_| "a thread panicked")?;
        }
        // The first hops are those of waking up.
        every.0 = every.0.split_off(every.0.len().min(20));
        for late in &mut flashes.0 {
            *late %= BEAT * HOP;
        }
        let (row, bare) = late.row("bare loop, 100 a second");
        self.rows.push(row);
        let (row, all) = every.row("sound in to light out, each hop");
        self.rows.push(row);
        let (row, beats) = flashes.row("sound in to light out, beats at rate 50");
        self.rows.push(row);
        self.bound("sound in to light out, each hop", all, bare, 3.0);
        self.bound("sound in to light out, beats", beats, bare, 3.0);
        Ok(())
    }
}

fn run() -> Outcome<bool> {
    let seconds = std::env::args().nth(1).map_or(Ok(20), |text| text.parse())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let tasks = Tasks::new(Events::new());
        let mdns = Mdns::new(&tasks);
        let ask = Ask::new(tls::client(None)?, &mdns, &tasks);
        let lamps = Lamps::start(&tasks, &mdns, &ask, &Store::memory()).await?;
        let mut bench = Bench { lamps, seconds, rows: Vec::new(), failed: false, allocated: 0 };
        bench.scheduled().await?;
        bench.heard().await?;
        let mut out = std::io::stdout();
        let is_ahead = bench.lamps.is_ahead_of_others();
        writeln!(
            out,
            "milliseconds after the planned time; threads run ahead of others: {is_ahead}"
        )?;
        writeln!(out, "{:<44} {:>6} {:>8} {:>8} {:>8}", "", "count", "p50", "p99", "max")?;
        for row in &bench.rows {
            writeln!(out, "{row}")?;
        }
        let allocated = bench.allocated;
        writeln!(out, "allocated by the show thread while it played: {allocated}")?;
        tasks.stop().await;
        Ok(!bench.failed && allocated == 0)
    })
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "lamps: {e}");
            ExitCode::FAILURE
        }
    }
}
