//! A client that sends any bytes at all and looks closely at what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Raw {
    stream: TcpStream,
    got: Vec<u8>,
}

/// One answer, read to the end of its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Raw {
    pub(crate) fn connect(at: SocketAddr) -> Raw {
        let stream = TcpStream::connect(at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw { stream, got: Vec::new() }
    }

    /// Sends; the server may have hung up meanwhile.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Raw {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Sends as many of `pieces` as the server takes; returns how many bytes those were.
    pub(crate) fn flood(&mut self, piece: &[u8], times: usize) -> usize {
        for n in 0..times {
            if self.stream.write_all(piece).is_err() {
                return n * piece.len();
            }
        }
        times * piece.len()
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).answer()
    }

    /// Reads one answer.
    pub(crate) fn answer(&mut self) -> Answer {
        self.try_answer().expect("an answer before the connection ends")
    }

    /// Reads one answer; `None` when the connection ends before its head does.
    pub(crate) fn try_answer(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.got.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            if self.read() == 0 {
                assert!(self.got.is_empty(), "cut: {:?}", String::from_utf8_lossy(&self.got));
                return None;
            }
        };
        let head = String::from_utf8(self.got.drain(..end + 4).collect()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        if status == 100 {
            return Some(answer);
        }
        if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.got.len() < length {
                assert_ne!(self.read(), 0, "the body is cut");
            }
            answer.body = self.got.drain(..length).collect();
        } else if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunk();
        }
        Some(answer)
    }

    /// Reads one chunk.
    pub(crate) fn chunk(&mut self) -> Vec<u8> {
        let end = loop {
            if let Some(end) = self.got.windows(2).position(|w| w == b"\r\n") {
                break end;
            }
            assert_ne!(self.read(), 0, "the stream is cut");
        };
        let line: Vec<u8> = self.got.drain(..end + 2).collect();
        let size = usize::from_str_radix(std::str::from_utf8(&line[..end]).unwrap(), 16).unwrap();
        while self.got.len() < size + 2 {
            assert_ne!(self.read(), 0, "the chunk is cut");
        }
        let chunk = self.got.drain(..size).collect();
        self.got.drain(..2);
        chunk
    }

    /// Reads until the server ends the connection, and returns how long that took and what came.
    pub(crate) fn until_end(&mut self) -> (Duration, Vec<u8>) {
        let began = Instant::now();
        while self.read() > 0 {}
        (began.elapsed(), std::mem::take(&mut self.got))
    }

    pub(crate) fn is_ended(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let mut byte = [0];
        let ended = match self.stream.peek(&mut byte) {
            Ok(n) => n == 0,
            Err(e) => e.kind() != ErrorKind::WouldBlock,
        };
        self.stream.set_nonblocking(false).unwrap();
        ended
    }

    /// Hangs up the rude way: the server's side gets a reset.
    pub(crate) fn reset(self) {
        nix::sys::socket::setsockopt(
            &self.stream,
            nix::sys::socket::sockopt::Linger,
            &nix::libc::linger { l_onoff: 1, l_linger: 0 },
        )
        .unwrap();
    }

    fn read(&mut self) -> usize {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece) {
            Ok(n) => {
                self.got.extend_from_slice(&piece[..n]);
                n
            }
            // A reset ends the connection as well.
            Err(e) if matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => 0,
            Err(e) => panic!("nothing within {PATIENCE:?}: {e}"),
        }
    }
}
