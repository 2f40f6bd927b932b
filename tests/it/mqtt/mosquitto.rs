//! A real mosquitto on a free loopback port, and its two clients as peers that know nothing of us.

#![allow(dead_code, reason = "a harness offers more than each test uses")]

use crate::harness::{Folder, SOON, wait_for};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// Debian's broker, with what it keeps in a folder of its own; ends with the value.
pub struct Mosquitto {
    child: Child,
    pub port: u16,
    pub folder: Folder,
}

impl Mosquitto {
    /// Starts one that lets everybody in, otherwise as it comes.
    pub fn start() -> Mosquitto {
        Mosquitto::with("allow_anonymous true\n")
    }

    /// Starts one with these lines of configuration behind its listener.
    pub fn with(lines: &str) -> Mosquitto {
        let folder = Folder::new();
        let port = free_port();
        // A broker that root starts would give up root, and with it the right to read the folder.
        let file = format!("user root\nlistener {port} 127.0.0.1\n{lines}");
        std::fs::write(folder.path().join("mosquitto.conf"), file).unwrap();
        Mosquitto { child: launch(&folder, port), port, folder }
    }

    /// As `mqtt.broker` takes it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its port, after [`Mosquitto::kill`].
    pub fn again(&mut self) {
        self.child = launch(&self.folder, self.port);
    }

    /// Publishes with `mosquitto_pub`, with more options behind; returns when it is done.
    pub fn publish(&self, topic: &str, payload: &[u8], more: &[&str]) {
        let mut command = self.client("mosquitto_pub");
        // It takes nothing at all only by an option of its own.
        let how = if payload.is_empty() { "-n" } else { "-s" };
        let mut child =
            command.args(["-t", topic, how]).args(more).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(payload).unwrap();
        assert!(child.wait().unwrap().success(), "mosquitto_pub on {topic}");
    }

    /// Publishes each line as a message of its own, in order, over one connection.
    pub fn publish_lines(&self, topic: &str, lines: &[String], more: &[&str]) {
        let mut command = self.client("mosquitto_pub");
        let mut child =
            command.args(["-t", topic, "-l"]).args(more).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        lines.iter().for_each(|line| writeln!(input, "{line}").unwrap());
        drop(input);
        assert!(child.wait().unwrap().success(), "mosquitto_pub on {topic}");
    }

    /// Starts `mosquitto_sub` with these options and returns when it is subscribed.
    pub fn listen(&self, filters: &[&str], format: &str) -> Heard {
        // What is retained comes at once, so the marker shows that the subscription holds.
        self.publish(MARKER, b"x", &["-r", "-q", "1"]);
        let mut command = self.client("mosquitto_sub");
        command.args(["-t", MARKER, "-q", "2", "-F", format]);
        for filter in filters {
            command.args(["-t", filter]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in output.split(b'\n').map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let heard = Heard { child, lines };
        heard.until(|line| find(line, MARKER.as_bytes()));
        heard
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-V", "mqttv5"]);
        command
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const MARKER: &str = "mosquitto-sub/is/ready";

/// A running `mosquitto_sub`.
pub struct Heard {
    child: Child,
    lines: Receiver<Vec<u8>>,
}

impl Heard {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the lines up to the one that `is_last`, which is left out.
    pub fn until(&self, is_last: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let line = self.lines.recv_timeout(SOON).expect("mosquitto_sub fell silent");
            if is_last(&line) {
                return all;
            }
            all.push(line);
        }
    }
}

impl Heard {
    /// Returns the next line, which must begin with `topic`.
    pub fn next_line(&self, topic: &str) -> String {
        let line = self.lines.recv_timeout(SOON).expect("mosquitto_sub fell silent");
        let line = String::from_utf8(line).unwrap();
        assert!(line.starts_with(topic), "{line}");
        line
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `part` stands in `text`.
pub fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// A port that nobody has just now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn launch(folder: &Folder, port: u16) -> Child {
    // Debian keeps it where only root looks.
    let path = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists());
    let log = std::fs::File::create(folder.path().join("mosquitto.log")).unwrap();
    let mut child = Command::new(path.unwrap_or("mosquitto"))
        .arg("-c")
        .arg(folder.path().join("mosquitto.conf"))
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("mosquitto is missing: scripts/install test");
    wait_for("mosquitto", || {
        if let Some(end) = child.try_wait().unwrap() {
            let log = std::fs::read_to_string(folder.path().join("mosquitto.log"));
            panic!("mosquitto ended ({end}): {}", log.unwrap_or_default());
        }
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    child
}
