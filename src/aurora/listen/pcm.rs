//! Raw sound from a named pipe or over TCP, as Snapcast and many players write it.
//!
//! Pipes and connections have no clock of their own: what comes is read as fast as it is heard and
//! no faster. A pipe whose writer pauses is silence; a connection that ends is made again.

use crate::aurora::clock;
use crate::aurora::listen::mix::Form;
use crate::aurora::listen::pace::Throttle;
use crate::aurora::listen::source::{Got, PATIENCE, PIECE, Source};
use crate::error::Error;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// A server has so long to take a connection.
const CONNECTING: Duration = Duration::from_secs(1);
/// The largest frame: 32 channels of four bytes. A piece of that many bytes is read at once.
const BYTES: usize = 32 * 4 * 480;
/// No pipe holds more than this (Linux, `fs.pipe-max-size`); what is older than its reader is thrown away.
const OLD: usize = 1 << 20;

/// Raw sound from outside.
pub(super) struct Stream {
    name: String,
    form: Form,
    end: End,
    throttle: Throttle,
    bytes: Box<[u8; BYTES]>,
    /// Bytes of a frame whose rest has not come.
    kept: usize,
}

/// Who is at the other end.
enum End {
    Pipe(File),
    Server(TcpStream),
    Door(TcpListener, Option<TcpStream>),
}

impl Stream {
    /// Reads a named pipe.
    ///
    /// # Errors
    /// Offline: there is none. Invalid: it is something else.
    pub(super) fn fifo(path: &Path, form: Form) -> Result<Stream, Error> {
        let shown = path.display().to_string().escape_debug().to_string();
        let about = std::fs::metadata(path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::offline(format!(
                "there is no named pipe {shown}: make it with `mkfifo {shown}`"
            )),
            _ => Error::offline(format!("cannot look at {shown}")).because(e),
        })?;
        if !about.file_type().is_fifo() {
            return Err(Error::invalid(format!(
                "{shown} is no named pipe; make one with `mkfifo`, or write file:{shown} for a sound file"
            )));
        }
        // Open for writing too: then it does not end when a writer goes, and the next one is heard.
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NONBLOCK)
            .open(path);
        let mut pipe = options
            .map_err(|e| Error::offline(format!("cannot open the pipe {shown}")).because(e))?;
        let mut old = [0; 4_096];
        let mut thrown = 0;
        while let Ok(count @ 1..) = pipe.read(&mut old) {
            thrown += count;
            if thrown > OLD {
                break;
            }
        }
        let mut stream = Stream::new(format!("fifo:{shown}"), form, End::Pipe(pipe));
        // What was thrown away may have ended within a frame.
        stream.kept = thrown % form.frame();
        Ok(stream)
    }

    /// Connects to a server that sends.
    ///
    /// # Errors
    /// Offline: it cannot be reached.
    pub(super) fn connect(address: &str, form: Form) -> Result<Stream, Error> {
        let away = |e: std::io::Error| {
            Error::offline(format!("cannot get sound from {}", address.escape_debug())).because(e)
        };
        let mut failure = std::io::Error::from(ErrorKind::NotFound);
        for address in address.to_socket_addrs().map_err(away)?.take(4) {
            match TcpStream::connect_timeout(&address, CONNECTING) {
                Ok(server) => {
                    server.set_nonblocking(true).map_err(away)?;
                    return Ok(Stream::new(format!("tcp:{address}"), form, End::Server(server)));
                }
                Err(e) => failure = e,
            }
        }
        Err(away(failure))
    }

    /// Waits for somebody who connects and sends.
    ///
    /// # Errors
    /// Offline: the port is taken, or not this machine's.
    pub(super) fn listen(address: SocketAddr, form: Form) -> Result<Stream, Error> {
        let taken = |e| Error::offline(format!("cannot wait for sound at {address}")).because(e);
        let door = TcpListener::bind(address).map_err(taken)?;
        door.set_nonblocking(true).map_err(taken)?;
        Ok(Stream::new(format!("listen:{address}"), form, End::Door(door, None)))
    }

    fn new(name: String, form: Form, end: End) -> Stream {
        let throttle = Throttle::default();
        Stream { name, form, end, throttle, bytes: Box::new([0; BYTES]), kept: 0 }
    }

    /// Reads what is there, at most `room` bytes behind those that were kept; nothing when nothing is.
    fn take(&mut self, room: usize) -> Result<Option<usize>, Error> {
        let into = &mut self.bytes[self.kept..room];
        let (read, is_door) = match &mut self.end {
            End::Pipe(pipe) => (pipe.read(into), false),
            End::Server(server) => (server.read(into), false),
            End::Door(_, Some(guest)) => (guest.read(into), true),
            End::Door(door, guest) => {
                if let Ok((new, _)) = door.accept() {
                    *guest = new.set_nonblocking(true).is_ok().then_some(new);
                    self.kept = 0;
                }
                return Ok(None);
            }
        };
        match read {
            Ok(count @ 1..) => Ok(Some(count)),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(None)
            }
            Ok(_) | Err(_) if is_door => {
                // The next guest may come; each begins with a whole frame.
                if let End::Door(_, guest) = &mut self.end {
                    *guest = None;
                }
                self.kept = 0;
                Ok(None)
            }
            Ok(_) => Err(Error::offline(format!("{} has ended the connection", self.name))),
            Err(e) => Err(Error::offline(format!("{} is gone", self.name)).because(e)),
        }
    }
}

/// Waits until there is something to read; false when nothing came in time.
fn wait(end: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(end, PollFlags::POLLIN)];
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::ZERO);
    poll(&mut polled, patience).is_ok_and(|ready| ready > 0)
}

impl Source for Stream {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate(&self) -> Option<u32> {
        Some(self.form.rate)
    }

    fn form(&self) -> String {
        self.form.to_string()
    }

    fn read(&mut self, into: &mut [f32; PIECE]) -> Result<Got<'_>, Error> {
        let pause = self.throttle.wait(clock::now());
        if pause > 0.0 {
            clock::sleep_until(clock::nanoseconds(clock::now() + pause));
        }
        let end = match &self.end {
            End::Pipe(pipe) => pipe.as_fd(),
            End::Server(server) => server.as_fd(),
            End::Door(_, Some(guest)) => guest.as_fd(),
            End::Door(door, None) => door.as_fd(),
        };
        if !wait(end) {
            return Ok(Got::Nothing);
        }
        // A hop at a time, so that none waits for the next.
        let frame = self.form.frame();
        let room = frame * (self.form.rate as usize / 100).min(PIECE);
        let Some(count) = self.take(room)? else { return Ok(Got::Nothing) };
        let filled = self.kept + count;
        let count = self.form.mix(&self.bytes[..filled], into);
        self.bytes.copy_within(count * frame..filled, 0);
        self.kept = filled - count * frame;
        if count == 0 {
            return Ok(Got::Nothing);
        }
        self.throttle.wait(clock::now());
        let at = self.throttle.took(count as f64 / f64::from(self.form.rate));
        Ok(Got::Sound { count, at })
    }
}
