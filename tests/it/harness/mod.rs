//! Starts the built binary on a free port, waits until it is ready, talks to it, and ends it.
//! Its log is printed when the test fails.

#![allow(dead_code, reason = "a harness offers more than each test uses")]

pub mod authority;
pub mod cable;
mod client;
mod golden;
mod house;

pub use client::Mcp;
pub use golden::golden;
pub use house::{House, real_house};

use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What everything that should happen soon is given.
pub const SOON: Duration = Duration::from_secs(20);

/// A folder of its own, gone with the value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("hearth-test-{}-{n}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Polls until `ready` gives something; panics with `what` when it takes too long.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(began.elapsed() < SOON, "waited {SOON:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A program of `examples/`, built as these tests are.
pub fn example(name: &'static str) -> PathBuf {
    static BUILT: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let test = std::env::current_exe().unwrap();
    // Cargo builds examples only for a plain `cargo test`, and an old one would test old code.
    let mut done = BUILT.lock().unwrap();
    if let Some(cargo) = std::env::var_os("CARGO").filter(|_| !done.contains(&name)) {
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--example", name]);
        if !cfg!(feature = "alsa") {
            build.arg("--no-default-features");
        }
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the example {name} does not build");
        done.push(name);
    }
    let built = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(built.exists(), "{} is missing: cargo build --examples", built.display());
    built
}

/// A running hearth.
pub struct Hearth {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
    pub folder: Folder,
    pub url: String,
    pub token: String,
}

/// The token that [`Hearth::serve`] sets.
pub const TOKEN: &str = "token-of-the-tests";

/// A command with none of this process' settings.
pub fn hearth(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("DATA_DIR", folder).env("HOME", folder).current_dir(folder);
    command
}

impl Hearth {
    /// Starts `hearth demo` and waits until it is ready.
    pub fn demo() -> Hearth {
        let folder = Folder::new();
        let mut command = hearth(folder.path());
        command.args(["demo", "--port", "0"]);
        let mut started = Hearth::start(command, folder);
        let path = started.folder.path().join("demo-token");
        started.token = std::fs::read_to_string(path).unwrap().trim().to_owned();
        started.until_ready();
        started
    }

    /// The same, and programs on this machine need no token: what the official suites need.
    pub fn demo_open() -> Hearth {
        let folder = Folder::new();
        let mut command = hearth(folder.path());
        command.args(["demo", "--port", "0"]).env("OPEN_LOOPBACK", "true");
        let started = Hearth::start(command, folder);
        started.until_ready();
        started
    }

    /// Starts `hearth serve` on loopback with this configuration; does not wait until it is ready.
    pub fn serve(toml: &str) -> Hearth {
        let folder = Folder::new();
        std::fs::write(folder.path().join("hearth.toml"), toml).unwrap();
        let mut command = hearth(folder.path());
        command.args(["serve", "--host", "127.0.0.1", "--port", "0"]).env("AUTH_TOKEN", TOKEN);
        Hearth::start(command, folder)
    }

    /// Starts a prepared command; returns when it listens.
    pub fn start(mut command: Command, folder: Folder) -> Hearth {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (copy, mut stderr) = (log.clone(), child.stderr.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut part = [0u8; 4096];
            while let Ok(n @ 1..) = stderr.read(&mut part) {
                copy.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..n]));
            }
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| {
            let end = child.wait();
            panic!("hearth did not listen but said {line:?} ({end:?})\n{}", log.lock().unwrap())
        });
        Hearth {
            url: url.to_owned(),
            token: TOKEN.into(),
            child,
            log,
            reader: Some(reader),
            folder,
        }
    }

    pub fn until_ready(&self) {
        wait_for("/ready", || (self.status("/ready") == 200).then_some(()));
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The status that a GET without a token gets.
    pub fn status(&self, path: &str) -> u16 {
        agent().get(format!("{}{path}", self.url)).call().map_or(0, |r| r.status().as_u16())
    }

    /// GET with the token; status and JSON (null when there is none).
    pub fn get(&self, path: &str) -> (u16, Value) {
        let request = agent().get(format!("{}{path}", self.url));
        answer(request.header("authorization", format!("Bearer {}", self.token)).call())
    }

    /// POST with the token; status and JSON.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = agent().post(format!("{}{path}", self.url));
        answer(request.header("authorization", format!("Bearer {}", self.token)).send_json(body))
    }

    /// DELETE with the token and a body; status and JSON.
    pub fn delete(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = agent().delete(format!("{}{path}", self.url));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        answer(request.force_send_body().send_json(body))
    }

    /// Opens an MCP session at `path` with the token.
    pub fn mcp(&self, path: &str) -> Mcp {
        Mcp::open(&format!("{}{path}", self.url), &self.token)
    }

    /// Resident memory in bytes.
    pub fn rss(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and returns its exit code; the log is whole then.
    pub fn stop(&mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let end = wait_for("the end", || self.child.try_wait().unwrap()).code();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        end
    }
}

impl Drop for Hearth {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("--- the log of hearth ---\n{}", self.log.lock().unwrap());
        }
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .into()
}

fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut response = result.unwrap();
    let status = response.status().as_u16();
    (status, response.body_mut().read_json().unwrap_or(Value::Null))
}
