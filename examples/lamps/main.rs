//! Measures the lamps: how late pictures leave, beside a bare loop of `clock_nanosleep` that has the same
//! priority and runs at the same time.
//!
//! `cargo run --profile fast --example lamps -- [SECONDS]` (20 by default) prints a table and fails when a
//! bound is not kept: scheduled pictures may be 1 ms later than the bare loop (99 of 100), sound that comes
//! in may be 3 ms later than it as light that goes out, and nothing may be allocated while the show runs.
//! Everything stays on loopback.

mod clock;
mod heard;

use clock::{Late, bare};
use hearth::aurora::lamps::{Bell, Config, Counts, Lamps, Paint, Show};
use hearth::aurora::light::Light;
use hearth::events::Events;
use hearth::http::ask::Ask;
use hearth::http::mdns::Mdns;
use hearth::http::tls;
use hearth::store::Store;
use hearth::tasks::Tasks;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::net::UdpSocket;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

thread_local! {
    static IS_SHOW: Cell<bool> = const { Cell::new(false) };
}
static ALLOCATED: AtomicU64 = AtomicU64::new(0);

/// Says that this thread is the one whose allocations count.
fn is_show() {
    IS_SHOW.with(|is| is.set(true));
}

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

/// Paints the second for which it paints, and marks its thread.
struct Clockwork;

impl Paint for Clockwork {
    fn paint(&mut self, _: usize, seconds: f64, pixels: &mut [Light]) {
        is_show();
        let red = (seconds * 50.0).rem_euclid(1.0) as f32;
        pixels.fill(Light([red, 0.5, 0.25]));
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
    async fn beside(&mut self, show: Show, period: u64) -> Outcome<(Late, Vec<Counts>)> {
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
        let (each, each_port) = receiver()?;
        let (beats, beats_port) = receiver()?;
        let toml = format!(
            "rate = 100\n[[lamp]]\nname='each'\nkind='ddp'\naddress='127.0.0.1:{each_port}'\n\
             [[lamp]]\nname='beats'\nkind='ddp'\naddress='127.0.0.1:{beats_port}'\nrate=50\n"
        );
        let (around, paint, bell) = heard::start(each, beats)?;
        let (config, clock): (Config, _) = (toml::from_str(&toml)?, Box::new(bell));
        let show = Show { config, paint: Box::new(paint), hear: None, posts: Vec::new(), clock };
        let (mut late, _) = self.beside(show, heard::HOP).await?;
        let [mut frames, mut each, mut beats] = around.end()?;
        let (row, bare) = late.row("bare loop, 100 a second");
        self.rows.push(row);
        let (row, _) = frames.row("sound in to frame of the analysis");
        self.rows.push(row);
        let (row, each) = each.row("sound in to light out, each hop");
        self.rows.push(row);
        let (row, beats) = beats.row("sound in to light out, beats at rate 50");
        self.rows.push(row);
        self.bound("sound in to light out, each hop", each, bare, 3.0);
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
