//! Reads one request per connection under limits, checks who sent it, and hands it to the engine.

use crate::error::Error;
use crate::http::control::PASS;
use crate::http::peer;
use crate::http::{Counters, Reason};
use crate::tasks::{Tasks, Whose};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Bytes of a request's head and body, header lines, requests at once.
const HEAD_MAX: usize = 16 * 1024;
const BODY_MAX: usize = 1 << 20;
const LINES_MAX: usize = 64;
const AT_ONCE: usize = 16;
/// Time for a whole request, and for a client to take a piece of the answer.
const READ: Duration = Duration::from_secs(10);
const WRITE: Duration = Duration::from_secs(30);

struct Gate {
    listener: UnixListener,
    path: PathBuf,
    engine: PathBuf,
    pass: String,
    slots: Arc<Semaphore>,
    tasks: Tasks,
    counters: Counters,
}

pub(super) fn start(
    listener: StdListener,
    path: PathBuf,
    engine: PathBuf,
    pass: String,
    tasks: &Tasks,
    counters: &Counters,
) -> Result<(), Error> {
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| UnixListener::from_std(listener))
        .map_err(|e| Error::broken("cannot open the control socket").because(e))?;
    let gate = Arc::new(Gate {
        listener,
        path,
        engine,
        pass,
        slots: Arc::new(Semaphore::new(AT_ONCE)),
        tasks: tasks.clone(),
        counters: counters.clone(),
    });
    tasks.spawn("control", move |stop| {
        let gate = gate.clone();
        gate.tasks.status("control", Whose::Own).up();
        async move {
            tokio::select! {
                () = gate.clone().run() => {}
                () = stop.cancelled() => {}
            }
            let _ = std::fs::remove_file(&gate.path);
            Ok(())
        }
    });
    Ok(())
}

impl Gate {
    async fn run(self: Arc<Gate>) {
        loop {
            // Clients beyond the limit wait in the system's queue.
            let Ok(slot) = self.slots.clone().acquire_owned().await else { return };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(e) => {
                    self.counters.refuse(Reason::Accept, &e);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let gate = self.clone();
            self.tasks.job(async move {
                let _slot = slot;
                gate.admit(stream).await;
            });
        }
    }

    async fn admit(&self, mut stream: UnixStream) {
        let own = nix::unistd::geteuid().as_raw();
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == own || peer.uid() == 0 => {}
            Ok(peer) => {
                return self.counters.refuse(Reason::WrongPeer, format_args!("uid {}", peer.uid()));
            }
            Err(e) => return self.counters.refuse(Reason::WrongPeer, e),
        }
        if let Some(why) = peer::stranger(stream.peer_cred().ok().and_then(|peer| peer.pid())) {
            return self.counters.refuse(Reason::WrongPeer, why);
        }
        let request = match timeout(READ, read(&mut stream, &self.pass)).await {
            Ok(Ok(Some(request))) => request,
            Ok(Ok(None)) => return,
            Ok(Err(refusal)) => return self.refuse(stream, refusal).await,
            Err(_) => return self.refuse(stream, (408, "Request Timeout")).await,
        };
        if let Err(e) = pass_on(&self.engine, &request, &mut stream).await {
            log::debug!("a command's connection ended early: {e}");
        }
    }

    async fn refuse(&self, mut stream: UnixStream, (status, words): (u16, &'static str)) {
        self.counters.refuse(Reason::BadRequest, format_args!("control socket: {words}"));
        let text =
            format!("HTTP/1.1 {status} {words}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let _ = timeout(READ, stream.write_all(text.as_bytes())).await;
    }
}

/// Sends the request to the engine and the answer back, until either side hangs up.
async fn pass_on(engine: &Path, request: &[u8], client: &mut UnixStream) -> std::io::Result<()> {
    let mut engine = UnixStream::connect(engine).await?;
    engine.write_all(request).await?;
    let (mut from_client, mut to_client) = client.split();
    let mut buffer = vec![0; 16 * 1024];
    let mut unasked = [0; 64];
    loop {
        tokio::select! {
            n = engine.read(&mut buffer) => match n? {
                0 => return to_client.shutdown().await,
                n => timeout(WRITE, to_client.write_all(&buffer[..n])).await??,
            },
            // The client is gone, or sends what nobody asked for: the call ends with it.
            _ = from_client.read(&mut unasked) => return Ok(()),
        }
    }
}

type Refusal = (u16, &'static str);

/// Reads a request and writes it anew for the engine; `None` when the client hung up.
async fn read(stream: &mut UnixStream, pass: &str) -> Result<Option<Vec<u8>>, Refusal> {
    let mut raw = Vec::with_capacity(1024);
    let end = loop {
        if let Some(end) = raw.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if raw.len() >= HEAD_MAX {
            return Err((431, "Request Header Fields Too Large"));
        }
        match stream.read_buf(&mut raw).await {
            Ok(n) if n > 0 => {}
            _ => return Ok(None),
        }
    };
    let mut body = raw.split_off(end + 4);
    let (mut request, length) = rewrite(&raw[..end], pass)?;
    if body.len() > length {
        return Err((400, "Bad Request"));
    }
    let had = body.len();
    body.resize(length, 0);
    if stream.read_exact(&mut body[had..]).await.is_err() {
        return Ok(None);
    }
    request.extend_from_slice(&body);
    Ok(Some(request))
}

/// Checks a head and writes it anew: one request per connection, one plain length, our pass.
fn rewrite(head: &[u8], pass: &str) -> Result<(Vec<u8>, usize), Refusal> {
    const BAD: Refusal = (400, "Bad Request");
    let text = std::str::from_utf8(head).map_err(|_| BAD)?;
    if !text.bytes().all(|b| b == b'\r' || b == b'\n' || b == b'\t' || (32..127).contains(&b)) {
        return Err(BAD);
    }
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let mut out = format!("{first}\r\n");
    let mut length = None;
    for (number, line) in lines.enumerate() {
        let (name, value) = line.split_once(':').ok_or(BAD)?;
        if number >= LINES_MAX {
            return Err((431, "Request Header Fields Too Large"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if name.is_empty() || !name.bytes().all(plain) || value.contains(['\r', '\n']) {
            return Err(BAD);
        }
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" => return Err((411, "Length Required")),
            "content-length" => {
                let value = value.trim();
                if length.is_some() || !value.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(BAD);
                }
                length = Some(value.parse::<usize>().map_err(|_| (413, "Content Too Large"))?);
            }
            "connection" | "keep-alive" | "expect" | "upgrade" | "te" | PASS => {}
            _ => out.push_str(&format!("{name}: {}\r\n", value.trim())),
        }
    }
    let length = length.unwrap_or(0);
    if length > BODY_MAX {
        return Err((413, "Content Too Large"));
    }
    out.push_str(&format!("Connection: close\r\n{PASS}: {pass}\r\n"));
    out.push_str(&format!("Content-Length: {length}\r\n\r\n"));
    Ok((out.into_bytes(), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_written_anew_or_refused() {
        let check = |head: &str, want: Result<&str, u16>| {
            let got = rewrite(head.as_bytes(), "secret");
            let got = got.map(|(out, _)| String::from_utf8(out).unwrap()).map_err(|e| e.0);
            assert_eq!(got.as_deref().map_err(|e| *e), want, "{head:?}");
        };
        check(
            "GET /health HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nX-Hearth-Pass: guess",
            Ok("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-hearth-pass: secret\r\n\
                Content-Length: 0\r\n\r\n"),
        );
        let get = |line: &str| format!("GET / HTTP/1.1\r\n{line}");
        check(&get("Content-Length: 1000000000000"), Err(413));
        check(&get("Content-Length: 99999999999999999999999"), Err(413));
        check(&get("Content-Length: +5"), Err(400));
        check(&get("Content-Length: 5\r\nContent-Length: 5"), Err(400));
        check(&get("Transfer-Encoding: chunked"), Err(411));
        check(&get("no colon"), Err(400));
        check(&get("a b: c"), Err(400));
        check(&get("a: b\nc"), Err(400));
        check(&get("a: \u{e9}"), Err(400));
        check(&get("a: b\r\n".repeat(80).trim_end()), Err(431));
    }
}
