//! A Hue bridge as far as Hearth sees one: a scripted HTTPS server with a certificate of its own, OpenSSL's
//! DTLS server for the stream, and a UDP proxy that loses and reorders what runs through it.

use crate::harness::{Folder, wait_for};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const AREA: &str = "1a8d99cc-967b-44f2-9202-43f976c0fa6b";
pub const KEY: &str = "e3b550c65f78022efd9e52e28378583a";
pub const NAME: &str = "5b8e7f2a-app";

/// Serves what Hearth asks, and writes down each change as a line of JSON. The button is pressed while
/// there is a file `pressed`.
const SCRIPT: &str = r#"
import http.server, json, os, ssl, sys
AREA, KEY, NAME = sys.argv[1:4]
area = {"id": AREA, "type": "entertainment_configuration", "metadata": {"name": "Living room"},
  "status": "inactive",
  "channels": [{"channel_id": c, "position": {"x": x, "y": 0.5, "z": 0.0}, "members": []}
               for c, x in ((0, -0.5), (2, 0.75))],
  "light_services": [{"rid": r, "rtype": "light"} for r in ("l1", "l2")]}
lights = [{"id": "l1", "on": {"on": True}, "dimming": {"brightness": 42.0},
           "color": {"xy": {"x": 0.3, "y": 0.4}}, "color_temperature": {"mirek": None, "mirek_valid": False}},
          {"id": "l2", "on": {"on": False}, "dimming": {"brightness": 7.0}},
          {"id": "l3", "on": {"on": True}}]
class Bridge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def say(self, what, status=200, header=None):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if header: self.send_header(*header)
        self.end_headers()
        self.wfile.write(body)
    def known(self):
        if self.headers.get("hue-application-key") == "app-key": return True
        self.say({"errors": [{"description": "not authorized"}], "data": []}, 403)
    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
    def do_GET(self):
        if self.path == "/api/0/config":
            return self.say({"bridgeid": "001788FFFE123456", "name": "Hue\u0007 Bridge"})
        if not self.known(): return
        if self.path == "/auth/v1":
            return self.say({}, header=("hue-application-id", NAME))
        what = {"/clip/v2/resource/entertainment_configuration": [area],
                "/clip/v2/resource/light": lights}.get(self.path)
        self.say({"errors": [], "data": what or []}, 200 if what else 404)
    def do_POST(self):
        body = self.body()
        if not os.path.exists("pressed"):
            return self.say([{"error": {"type": 101, "description": "link button not pressed"}}])
        assert body["generateclientkey"] is True
        self.say([{"success": {"username": "app-key", "clientkey": KEY}}])
    def do_PUT(self):
        body = self.body()
        if not self.known(): return
        if self.path.endswith(AREA):
            area["status"] = "active" if body["action"] == "start" else "inactive"
        with open("changes", "a") as file:
            file.write(json.dumps([self.path.rsplit("/", 1)[1], body]) + "\n")
        self.say({"errors": [], "data": [{"rid": "x"}]})
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[4])), Bridge)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("bridge.pem", "bridge.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// The HTTPS half.
pub struct Bridge {
    pub folder: Folder,
    pub port: u16,
    child: Child,
}

impl Bridge {
    pub fn start() -> Bridge {
        let folder = Folder::new();
        certify(&folder);
        let (child, port) = Bridge::launch(&folder, 0);
        Bridge { folder, port, child }
    }

    fn launch(folder: &Folder, port: u16) -> (Child, u16) {
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT, AREA, KEY, NAME, &port.to_string()])
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        (child, port.trim().parse().unwrap())
    }

    /// Presses the button.
    pub fn press(&self) {
        std::fs::write(self.folder.path().join("pressed"), "").unwrap();
    }

    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again at the same port.
    pub fn again(&mut self) {
        (self.child, self.port) = Bridge::launch(&self.folder, self.port);
    }

    /// Gets another certificate, as after a reset.
    pub fn reset(&self) {
        certify(&self.folder);
    }

    /// What was changed so far: the last part of the path, and the body.
    pub fn changes(&self) -> Vec<(String, Value)> {
        let text = std::fs::read_to_string(self.folder.path().join("changes")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn certify(folder: &Folder) {
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout \
                bridge.key -out bridge.pem -subj /CN=001788fffe123456";
    let mut command = Command::new("openssl");
    let made = command.args(make.split_whitespace()).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// The stream's half: OpenSSL.
pub struct Receiver {
    child: Child,
    got: Arc<Mutex<Vec<u8>>>,
}

impl Receiver {
    /// Listens at a UDP port; with `cookie` it asks for one first, as bridges do.
    pub fn start(port: u16, key: &str, cookie: bool) -> Receiver {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-dtls1_2", "-accept", &format!("127.0.0.1:{port}"), "-nocert"]);
        command.args(["-psk", key, "-psk_identity", NAME, "-quiet"]);
        command.args(["-cipher", "PSK-AES128-GCM-SHA256"]);
        if cookie {
            command.arg("-listen");
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut out, got) = (child.stdout.take().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let into = got.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                into.lock().unwrap().extend(&buffer[..count]);
            }
        });
        // It has the port when nobody else can.
        wait_for("openssl listens", || UdpSocket::bind(("127.0.0.1", port)).is_err().then_some(()));
        Receiver { child, got }
    }

    /// The pictures that came so far: the number of each and its channels.
    pub fn pictures(&self) -> Vec<(u8, Vec<u8>)> {
        let got = self.got.lock().unwrap();
        let size = 52 + 2 * 7;
        let read = |packet: &[u8]| {
            assert_eq!(&packet[..11], b"HueStream\x02\x00");
            assert_eq!(&packet[12..16], [0; 4], "reserved, RGB, reserved");
            assert_eq!(&packet[16..52], AREA.as_bytes());
            (packet[11], packet[52..].to_vec())
        };
        got.chunks_exact(size).map(read).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A UDP port that nobody has just now.
pub fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Passes datagrams on, but for each third of the first twenty each way, and every fifth only after the
/// one that follows it.
pub struct Lossy {
    over: Arc<AtomicBool>,
}

impl Lossy {
    pub fn start(port: u16, to: u16) -> Lossy {
        let over = Arc::new(AtomicBool::new(false));
        let end = over.clone();
        let here = UdpSocket::bind(("127.0.0.1", port)).unwrap();
        let there = UdpSocket::bind("127.0.0.1:0").unwrap();
        there.connect(("127.0.0.1", to)).unwrap();
        for socket in [&here, &there] {
            socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        }
        std::thread::spawn(move || {
            let mut client = None::<SocketAddr>;
            let mut ways = [Way::default(), Way::default()];
            let mut buffer = [0; 2048];
            while !end.load(Ordering::Relaxed) {
                if let Ok((count, from)) = here.recv_from(&mut buffer) {
                    client = Some(from);
                    for datagram in ways[0].pass(&buffer[..count]) {
                        let _ = there.send(&datagram);
                    }
                }
                if let (Ok(count), Some(client)) = (there.recv(&mut buffer), client) {
                    for datagram in ways[1].pass(&buffer[..count]) {
                        let _ = here.send_to(&datagram, client);
                    }
                }
            }
        });
        Lossy { over }
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Way {
    count: u32,
    held: Option<Vec<u8>>,
}

impl Way {
    fn pass(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.count += 1;
        if self.count <= 20 && self.count % 3 == 1 {
            return Vec::new();
        }
        if self.count.is_multiple_of(5) && self.held.is_none() {
            self.held = Some(datagram.to_vec());
            return Vec::new();
        }
        std::iter::once(datagram.to_vec()).chain(self.held.take()).collect()
    }
}
