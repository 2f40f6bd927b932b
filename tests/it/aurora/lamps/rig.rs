//! Lamps without the rest of Hearth, painters, and receivers.

use crate::harness::{SOON, wait_for};
use hearth::aurora::lamps::{Bell, Clock, Config, Lamps, Paint, Playing, Show};
use hearth::aurora::light::Light;
use hearth::events::Events;
use hearth::http::ask::Ask;
use hearth::http::mdns::Mdns;
use hearth::http::tls;
use hearth::store::Store;
use hearth::tasks::Tasks;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Lamps, and what they stand on.
pub struct Rig {
    pub lamps: Lamps,
    pub tasks: Tasks,
    pub store: Store,
    pub ask: Ask,
}

impl Rig {
    pub async fn new() -> Rig {
        Rig::on(Store::memory()).await
    }

    pub async fn on(store: Store) -> Rig {
        let tasks = Tasks::new(Events::new());
        let mdns = Mdns::new(&tasks);
        let ask = Ask::new(tls::client(None).unwrap(), &mdns, &tasks);
        let lamps = Lamps::start(&tasks, &mdns, &ask, &store).await.unwrap();
        Rig { lamps, tasks, store, ask }
    }

    /// Plays on lamps that are configured in these lines.
    pub async fn play(&self, toml: &str, paint: impl Paint + 'static) -> Playing {
        self.lamps.play(show(toml, paint)).await.unwrap()
    }
}

pub fn show(toml: &str, paint: impl Paint + 'static) -> Show {
    let config: Config = toml::from_str(toml).unwrap();
    let clock = Box::new(Bell::new().unwrap());
    Show { config, paint: Box::new(paint), hear: None, posts: Vec::new(), clock }
}

/// The byte that [`Steps`] paints into channel `c` of light `k` of a lamp.
pub fn step(lamp: usize, k: usize, c: usize) -> u8 {
    ((lamp * 50 + k * 3 + c) % 200 + 1) as u8
}

/// Paints every channel with a byte of its own.
pub struct Steps;

impl Paint for Steps {
    fn paint(&mut self, lamp: usize, _: f64, pixels: &mut [Light]) {
        for (k, pixel) in pixels.iter_mut().enumerate() {
            *pixel = Light(std::array::from_fn(|c| f32::from(step(lamp, k, c)) / 255.0));
        }
    }
}

/// Paints the time for which it paints: milliseconds in 24 bits.
pub struct Dial;

impl Paint for Dial {
    fn paint(&mut self, _: usize, seconds: f64, pixels: &mut [Light]) {
        let [_, high, middle, low] = ((seconds * 1000.0) as u64 as u32).to_be_bytes();
        pixels.fill(Light([high, middle, low].map(|byte| f32::from(byte) / 255.0)));
    }
}

/// The milliseconds that [`Dial`] painted into the first light of a picture.
pub fn dial(picture: &[u8]) -> u64 {
    u32::from_be_bytes([0, picture[0], picture[1], picture[2]]).into()
}

/// Milliseconds of the clock of the lamps, in 24 bits.
pub fn now_ms() -> u64 {
    Bell::new().unwrap().now() / 1_000_000 % (1 << 24)
}

/// Milliseconds from one such time to another; less than 0 when that is before it.
pub fn ms_from(earlier: u64, later: u64) -> i64 {
    let apart = later.wrapping_sub(earlier) & 0xff_ffff;
    if apart < 0x80_0000 { apart as i64 } else { apart as i64 - 0x100_0000 }
}

/// A receiver that never waits for long.
pub fn socket() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// The next packet.
pub fn packet(socket: &UdpSocket) -> Vec<u8> {
    let mut packet = [0; 2048];
    let length = socket.recv(&mut packet).expect("no packet came");
    packet[..length].to_vec()
}

/// All that is there and comes until nothing does for 300 ms.
pub fn rest(socket: &UdpSocket) -> Vec<Vec<u8>> {
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut packet = [0; 2048];
    let mut all = Vec::new();
    while let Ok(length) = socket.recv(&mut packet) {
        all.push(packet[..length].to_vec());
    }
    socket.set_read_timeout(Some(SOON)).unwrap();
    all
}

/// Where the Python receivers are.
fn peers() -> &'static str {
    static FOLDER: OnceLock<String> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/lights/install");
        let made = Command::new(install).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    })
}

/// A receiver in Python.
pub struct Peer {
    child: Child,
    lines: Receiver<Value>,
}

impl Peer {
    /// Starts it and waits until it listens.
    pub fn start(args: &[&str]) -> Peer {
        let folder = peers();
        let mut child = Command::new(format!("{folder}/python/bin/python"))
            .arg(format!("{folder}/receive.py"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(serde_json::from_str(&line).unwrap());
            }
        });
        let mut peer = Peer { child, lines };
        peer.next(|line| line["ready"] == true);
        peer
    }

    /// The next line that is wanted.
    pub fn next(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        wait_for("a line of the receiver", || self.lines.try_iter().find(&wanted))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
