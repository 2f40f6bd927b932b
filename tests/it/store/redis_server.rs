//! A real redis-server on a socket in a directory of the test's.

use super::until;
use hearth::config::Secret;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server that ends with the value.
pub(crate) struct RedisServer {
    dir: PathBuf,
    child: Child,
}

impl RedisServer {
    /// Starts one that flushes each write to disk, and waits until it answers.
    pub(crate) async fn start(dir: &Path) -> RedisServer {
        RedisServer::start_with(dir, &[]).await
    }

    /// As [`RedisServer::start`], with more settings.
    pub(crate) async fn start_with(dir: &Path, settings: &[&str]) -> RedisServer {
        let server = RedisServer { dir: dir.to_owned(), child: spawn(dir, settings) };
        until("redis-server answers", || async { server.answers() }).await;
        server
    }

    /// Its address as Hearth takes it.
    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("unix://{}", self.socket().display()))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Kills it, so that nothing answers.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same files.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.dir, &[]);
        until("redis-server answers again", || async { self.answers() }).await;
    }

    /// Sends a command and returns the first line of the answer.
    pub(crate) fn tell(&self, command: &str) -> std::io::Result<String> {
        let mut socket = UnixStream::connect(self.socket())?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        socket.write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = [0; 512];
        let length = socket.read(&mut answer)?;
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    fn answers(&self) -> bool {
        // A server that wants a password refuses the question, which is an answer too.
        self.tell("PING").is_ok_and(|line| line == "+PONG" || line.starts_with("-NOAUTH"))
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("redis.sock")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path, settings: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        .arg("--dir")
        .arg(dir)
        .arg("--unixsocket")
        .arg(dir.join("redis.sock"))
        .args(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server must be installed to test the store")
}
