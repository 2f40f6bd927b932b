//! Lets the packets of a broker through, but for the messages that are too large: those are swallowed
//! as they are read, in constant memory.
//!
//! Stands between the socket and the client library, which takes a packet only whole. It reads the
//! fixed headers (MQTT 3.1.1, section 2.2; the same in MQTT 5) in the caller's buffer and moves nothing
//! while no message is too large. In place of one that is, the library gets a small message of the same
//! topic, id and flags, so that it is acknowledged and not sent again; its payload is the [`Mark`] and
//! the size of what was swallowed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Type and four bytes of length.
const HEADER: usize = 5;
/// While a large message is swallowed the library hears nothing. So that it does not take the broker for
/// dead it gets an answer to its ping for each so many bytes.
const SIGN_OF_LIFE: u64 = 1 << 20;
/// At most so much is read at once: the room that the library offers has to be cleared first.
const PIECE: usize = 64 << 10;
const PINGRESP: [u8; 2] = [0xD0, 0];
const PUBLISH: u8 = 3;
/// A broker begins with CONNACK, or AUTH.
const FIRST: [u8; 2] = [2, 15];

/// What stands in place of a payload that was swallowed: bytes that nobody else can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(pub(super) [u8; 16]);

impl Mark {
    /// Returns the size of the payload that this stands for, if it stands for one.
    pub(super) fn read(&self, payload: &[u8]) -> Option<u64> {
        let size = payload.strip_prefix(&self.0)?;
        size.try_into().ok().map(u64::from_be_bytes)
    }
}

/// A stream of a broker without messages above a size.
pub(super) struct Sieve<S> {
    inner: S,
    mark: Mark,
    /// Largest packet that passes, without its fixed header.
    most: u64,
    /// MQTT 5: a message has properties.
    has_properties: bool,
    /// What the library is to read before anything else.
    ready: Vec<u8>,
    read: usize,
    part: Part,
    is_first: bool,
}

enum Part {
    /// In the first bytes of a packet; they are held back until the length is known.
    Header { held: [u8; HEADER], len: usize },
    /// In a packet that passes; so many bytes are left of it.
    Pass(u64),
    /// In a message that does not.
    Swallow(Large),
}

/// A message that is being swallowed.
struct Large {
    first: u8,
    /// Bytes of the packet that are not read yet.
    left: u64,
    /// Up to here the bytes are wanted: topic, id and the length of the properties.
    head: Vec<u8>,
    /// Payload bytes, once the head is known.
    payload: Option<u64>,
    /// Bytes since the last sign of life.
    quiet: u64,
}

impl<S> Sieve<S> {
    pub(super) fn new(inner: S, most: u64, has_properties: bool, mark: Mark) -> Sieve<S> {
        let part = Part::Header { held: [0; HEADER], len: 0 };
        let (ready, read, is_first) = (Vec::new(), 0, true);
        Sieve { inner, mark, most, has_properties, ready, read, part, is_first }
    }

    /// Takes the bytes that were read, keeps in `bytes` what the library may see of them now, and returns
    /// how many these are. What comes after a swallowed message goes into `ready`.
    fn sift(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let (mut at, mut kept) = (0, 0);
        // Once something had to be put in between, what follows waits behind it.
        let mut aside = false;
        while at < bytes.len() {
            let rest = &mut bytes[at..];
            match &mut self.part {
                Part::Pass(left) => {
                    let n = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= n as u64;
                    if aside {
                        self.ready.extend_from_slice(&rest[..n]);
                    } else {
                        bytes.copy_within(at..at + n, kept);
                        kept += n;
                    }
                    at += n;
                    if matches!(self.part, Part::Pass(0)) {
                        self.part = Part::Header { held: [0; HEADER], len: 0 };
                    }
                }
                Part::Header { held, len } => {
                    held[*len] = rest[0];
                    *len += 1;
                    at += 1;
                    let (held, len) = (*held, *len);
                    let Some(length) = length_of(&held[1..len])? else { continue };
                    self.part = self.part_of(held[0], length)?;
                    if let Part::Swallow(_) = self.part {
                        aside = true;
                    } else if aside {
                        self.ready.extend_from_slice(&held[..len]);
                    } else {
                        bytes[kept..kept + len].copy_from_slice(&held[..len]);
                        kept += len;
                    }
                    if matches!(self.part, Part::Pass(0)) {
                        self.part = Part::Header { held: [0; HEADER], len: 0 };
                    }
                }
                Part::Swallow(large) => {
                    let n = large.swallow(rest, self.has_properties, &mut self.ready)?;
                    at += n;
                    aside = true;
                    if large.left == 0 {
                        large.stand_in(self.has_properties, self.mark, &mut self.ready)?;
                        self.part = Part::Header { held: [0; HEADER], len: 0 };
                    }
                }
            }
        }
        Ok(kept)
    }

    fn part_of(&mut self, first: u8, length: u64) -> io::Result<Part> {
        if std::mem::take(&mut self.is_first) && !FIRST.contains(&(first >> 4)) {
            return Err(bad("what is no MQTT"));
        }
        if length <= self.most {
            return Ok(Part::Pass(length));
        }
        if first >> 4 != PUBLISH {
            return Err(bad(format!("a packet of type {} with {length} bytes", first >> 4)));
        }
        let (head, payload) = (Vec::new(), None);
        Ok(Part::Swallow(Large { first, left: length, head, payload, quiet: 0 }))
    }

    /// Bytes of a header that are held back.
    fn held(&self) -> usize {
        if let Part::Header { len, .. } = self.part { len } else { 0 }
    }
}

impl Large {
    /// Takes the next bytes and returns how many of them are of this message.
    fn swallow(&mut self, bytes: &[u8], v5: bool, ready: &mut Vec<u8>) -> io::Result<usize> {
        let mut n = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if self.payload.is_none() {
            // Byte by byte: a few dozen for a message of megabytes.
            n = 1;
            self.head.push(bytes[0]);
            if let Some(head) = self.head_len(v5)? {
                let after = self.left - 1;
                let payload = after.checked_sub(head);
                let payload =
                    payload.ok_or_else(|| bad("a message shorter than its properties"))?;
                self.payload = Some(payload);
            }
        }
        self.left -= n as u64;
        self.quiet += n as u64;
        if self.quiet >= SIGN_OF_LIFE {
            self.quiet -= SIGN_OF_LIFE;
            ready.extend_from_slice(&PINGRESP);
        }
        Ok(n)
    }

    /// Returns how many bytes of properties follow, once topic, id and their length are there.
    fn head_len(&self, v5: bool) -> io::Result<Option<u64>> {
        let Some(topic) = self.head.get(..2) else { return Ok(None) };
        let topic = usize::from(u16::from_be_bytes([topic[0], topic[1]]));
        let own = 2 + topic + if self.has_id() { 2 } else { 0 };
        match self.head.get(own..) {
            None => Ok(None),
            Some(_) if !v5 => Ok(Some(0)),
            Some(length) => length_of(length),
        }
    }

    fn has_id(&self) -> bool {
        self.first & 0b110 != 0
    }

    /// Writes the message that stands for this one.
    fn stand_in(&self, v5: bool, mark: Mark, ready: &mut Vec<u8>) -> io::Result<()> {
        let size = self.payload.ok_or_else(|| bad("a message shorter than its topic"))?;
        let topic = usize::from(u16::from_be_bytes([self.head[0], self.head[1]]));
        let head = &self.head[..2 + topic + if self.has_id() { 2 } else { 0 }];
        let mut length = head.len() + usize::from(v5) + 16 + 8;
        ready.push(self.first);
        loop {
            let byte = (length % 128) as u8;
            length /= 128;
            ready.push(if length > 0 { byte | 128 } else { byte });
            if length == 0 {
                break;
            }
        }
        ready.extend_from_slice(head);
        if v5 {
            ready.push(0);
        }
        ready.extend_from_slice(&mark.0);
        ready.extend_from_slice(&size.to_be_bytes());
        Ok(())
    }
}

/// Reads a Variable Byte Integer (MQTT 5, section 1.5.5); `None` when it is not there whole.
fn length_of(bytes: &[u8]) -> io::Result<Option<u64>> {
    let mut length = 0;
    for (n, byte) in bytes.iter().enumerate().take(4) {
        length |= u64::from(byte & 127) << (7 * n);
        if byte & 128 == 0 {
            return Ok(Some(length));
        }
    }
    if bytes.len() >= 4 { Err(bad("a length of more than four bytes")) } else { Ok(None) }
}

fn bad(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the broker sent {what}"))
}

impl<S: AsyncRead + Unpin> AsyncRead for Sieve<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if this.read < this.ready.len() {
                let n = buf.remaining().min(this.ready.len() - this.read);
                buf.put_slice(&this.ready[this.read..this.read + n]);
                this.read += n;
                if this.read == this.ready.len() {
                    // What a flood of large messages needed once is not kept for good.
                    (this.ready, this.read) = (Vec::new(), 0);
                }
                return Poll::Ready(Ok(()));
            }
            // The held bytes of a header will stand before what is read now.
            let held = this.held();
            if buf.remaining() <= held {
                let mut one = [0; 1];
                let mut small = ReadBuf::new(&mut one);
                ready!(Pin::new(&mut this.inner).poll_read(cx, &mut small))?;
                if small.filled().is_empty() {
                    return Poll::Ready(Ok(()));
                }
                let mut wide = [0; HEADER];
                wide[held] = one[0];
                let kept = this.sift_behind(&mut wide, held, 1)?;
                this.ready.splice(..0, wide[..kept].iter().copied());
                continue;
            }
            let before = buf.filled().len();
            let place = buf.initialize_unfilled_to(buf.remaining().min(PIECE));
            let mut after = ReadBuf::new(&mut place[held..]);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut after))?;
            let n = after.filled().len();
            if n == 0 {
                return Poll::Ready(Ok(()));
            }
            let kept = this.sift_behind(place, held, n)?;
            if kept > 0 {
                buf.set_filled(before + kept);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S> Sieve<S> {
    /// Sifts `n` bytes that stand behind room for the `held` ones.
    fn sift_behind(&mut self, place: &mut [u8], held: usize, n: usize) -> io::Result<usize> {
        if held > 0 {
            // As if they came just now: the room in front was left for them.
            if let Part::Header { held: bytes, len } = &mut self.part {
                place[..held].copy_from_slice(&bytes[..held]);
                *len = 0;
            }
        }
        self.sift(&mut place[..held + n])
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sieve<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
