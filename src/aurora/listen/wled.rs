//! WLED's sound packets as an input: a WLED with a microphone says how loud it is and what its
//! sixteen channels hear. There are no samples in them, so there is no beat, but everything that goes
//! by level and colour works. Layout: WLED, `audio_reactive.cpp`, sound sync version 2.

use crate::aurora::analyse::{Frame, Level};
use crate::aurora::clock;
use crate::aurora::listen::choice::WLED_GROUP;
use crate::aurora::listen::source::{Got, PATIENCE, PIECE, Source};
use crate::error::Error;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket, sockopt,
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Bytes of a packet; receivers leave others alone.
const SIZE: usize = 44;
/// A sender that was silent for so long makes way for another (seconds).
const AWAY: f64 = 2.0;
/// After so long without a packet the group is joined anew: routers forget members that nobody asks
/// about (seconds).
const REJOIN: f64 = 20.0;
/// After so long without a packet it is silent (seconds); they come each 25 ms.
const SILENT: f64 = 0.25;
/// Smoothed levels up to this are silence (WLED's squelch, of 255).
const QUIET: f32 = 2.0;
/// A group of channels that rises by so much begins something, at most each so many seconds.
const RISE: f32 = 0.12;
const APART: f64 = 0.08;

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Packet {
    /// Level now and smoothed, 0 to 255.
    raw: f32,
    smooth: f32,
    peak: bool,
    /// The sixteen channels, 0 to 1.
    sixteen: [f32; 16],
    /// The strongest frequency (Hz), and how strong.
    magnitude: f32,
    hertz: f32,
}

impl Packet {
    fn parse(bytes: &[u8]) -> Option<Packet> {
        let bytes: &[u8; SIZE] = bytes.try_into().ok()?;
        if &bytes[..6] != b"00002\0" {
            return None;
        }
        let float = |at: usize, most: f32| {
            let x = f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
            if x.is_finite() { x.clamp(0.0, most) } else { 0.0 }
        };
        Some(Packet {
            raw: float(8, 255.0),
            smooth: float(12, 255.0),
            peak: bytes[16] != 0,
            sixteen: std::array::from_fn(|k| f32::from(bytes[18 + k]) / 255.0),
            magnitude: float(36, f32::MAX),
            hertz: float(40, 11_025.0),
        })
    }
}

/// Channels of bass, middle and treble, as Aurora divides them (250 and 4000 Hz).
const THREE: [std::ops::Range<usize>; 3] = [0..4, 4..14, 14..16];
/// Channels in which onsets are told apart.
const GROUPS: [std::ops::Range<usize>; 4] = [0..3, 3..7, 7..12, 12..16];
/// Middles of the sixteen channels (Hz).
const MIDDLES: [f32; 16] = [
    65.0, 108.0, 173.0, 259.0, 366.0, 495.0, 689.0, 969.0, 1271.0, 1658.0, 2154.0, 2714.0, 3360.0,
    4092.0, 5793.0, 8183.0,
];

/// Turns packets into frames.
#[derive(Default)]
struct Reader {
    begun: Option<f64>,
    frame: Frame,
    last: [f32; 4],
    struck: [f64; 4],
}

impl Reader {
    fn quiet(&mut self, at: f64) -> &Frame {
        let seconds = at - self.begun.unwrap_or(at);
        self.frame = Frame { seconds, ..Frame::default() };
        self.last = [0.0; 4];
        &self.frame
    }

    fn see(&mut self, packet: &Packet, at: f64) -> &Frame {
        let begun = *self.begun.get_or_insert(at);
        let loudest = |range: &std::ops::Range<usize>| {
            packet.sixteen[range.clone()].iter().copied().fold(0.0, f32::max)
        };
        let open = packet.smooth > QUIET;
        let frame = &mut self.frame;
        frame.seconds = at - begun;
        // A sine of full scale has this mean, so that full here is full there.
        let rms = packet.raw / 255.0 * std::f32::consts::FRAC_1_SQRT_2;
        frame.level = Level { rms, peak: packet.raw / 255.0, open, gain: 1.0, ..Level::default() };
        frame.sixteen = packet.sixteen;
        frame.three = std::array::from_fn(|k| loudest(&THREE[k]));
        frame.mel = std::array::from_fn(|band| {
            // As many mel bands as channels share the range, more or less; the nearest will do.
            packet.sixteen[band * 16 / crate::aurora::analyse::MELS]
        });
        let all: f32 = packet.sixteen.iter().map(|x| x * x).sum();
        let weighted: f32 =
            packet.sixteen.iter().zip(MIDDLES).map(|(x, hertz)| x * x * hertz).sum();
        frame.centroid = if open && all > 0.0 { weighted / all } else { 0.0 };
        frame.chroma = [0.0; 12];
        if open && packet.magnitude > 0.0 && packet.hertz > 60.0 {
            let above_c = 12.0 * (packet.hertz / 261.626).log2();
            frame.chroma[(above_c.round() as i32).rem_euclid(12) as usize] = 1.0;
        }
        for (group, channels) in GROUPS.iter().enumerate() {
            let level = loudest(channels);
            let rose = level - self.last[group] > RISE || (group == 0 && packet.peak);
            frame.onsets[group] = open && rose && at - self.struck[group] > APART;
            if frame.onsets[group] {
                self.struck[group] = at;
            }
            self.last[group] = level;
        }
        frame
    }
}

/// The socket that they come to.
pub(super) struct Packets {
    name: String,
    socket: UdpSocket,
    grouped: bool,
    sender: Option<IpAddr>,
    last: f64,
    joined: f64,
    reader: Reader,
}

impl Packets {
    /// Waits for packets at `address`; those sent to WLED's group too, unless it is a loopback address.
    ///
    /// # Errors
    /// Offline: the port is taken, or there is no network.
    pub(super) fn bind(address: SocketAddr) -> Result<Packets, Error> {
        let failed = |e: std::io::Error| {
            Error::offline(format!("cannot wait for WLED's sound at {address}")).because(e)
        };
        let socket = shared(address).map_err(|e| failed(e.into()))?;
        let grouped = address.ip().is_unspecified();
        if grouped {
            socket.join_multicast_v4(&WLED_GROUP, &Ipv4Addr::UNSPECIFIED).map_err(failed)?;
        }
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let (now, name) = (clock::now(), format!("wled:{address}"));
        let reader = Reader::default();
        Ok(Packets { name, socket, grouped, sender: None, last: now, joined: now, reader })
    }

    /// Joins the group anew when nothing has come for long.
    fn stay(&mut self, now: f64) {
        if self.grouped && now - self.last > REJOIN && now - self.joined > REJOIN {
            self.joined = now;
            // When there is no network just now, there is again later.
            let _ = self.socket.leave_multicast_v4(&WLED_GROUP, &Ipv4Addr::UNSPECIFIED);
            let _ = self.socket.join_multicast_v4(&WLED_GROUP, &Ipv4Addr::UNSPECIFIED);
        }
    }
}

/// A socket at a port that other programs on this machine may listen at too.
fn shared(address: SocketAddr) -> nix::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let fd = socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &SockaddrStorage::from(address))?;
    Ok(UdpSocket::from(fd))
}

impl Source for Packets {
    fn name(&self) -> &str {
        &self.name
    }

    fn rate(&self) -> Option<u32> {
        None
    }

    fn form(&self) -> String {
        "levels of 16 channels".into()
    }

    fn read(&mut self, _: &mut [f32; PIECE]) -> Result<Got<'_>, Error> {
        let mut bytes = [0; SIZE + 1];
        let received = self.socket.recv_from(&mut bytes);
        let now = clock::now();
        let Ok((size, from)) = received else {
            self.stay(now);
            // Who heard the last packet must not take it for what is heard now.
            let fell_silent = self.sender.is_some() && now - self.last > SILENT;
            return Ok(if fell_silent {
                Got::Levels(self.reader.quiet(now), now)
            } else {
                Got::Nothing
            });
        };
        let Some(packet) = Packet::parse(&bytes[..size]) else { return Ok(Got::Nothing) };
        let known = self.sender.is_none_or(|sender| sender == from.ip());
        if !known && now - self.last < AWAY {
            return Ok(Got::Nothing);
        }
        (self.sender, self.last) = (Some(from.ip()), now);
        Ok(Got::Levels(self.reader.see(&packet, now), now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet byte by byte, as the layout has it.
    fn packet(raw: f32, smooth: f32, peak: u8, bands: [u8; 16], hertz: f32) -> Vec<u8> {
        let mut bytes = b"00002\0\0\0".to_vec();
        bytes.extend(raw.to_le_bytes());
        bytes.extend(smooth.to_le_bytes());
        bytes.extend([peak, 0]);
        bytes.extend(bands);
        bytes.extend([0, 0]);
        bytes.extend(1234.0f32.to_le_bytes());
        bytes.extend(hertz.to_le_bytes());
        bytes
    }

    #[test]
    fn a_packet_becomes_levels_bands_and_onsets() {
        let mut bands = [0; 16];
        (bands[1], bands[15]) = (255, 51);
        let bytes = packet(255.0, 200.0, 1, bands, 440.0);
        assert_eq!(bytes.len(), SIZE);
        let mut reader = Reader::default();
        let frame = reader.see(&Packet::parse(&bytes).unwrap(), 10.0).clone();
        assert!(frame.level.open && (frame.level.peak - 1.0).abs() < 1e-6);
        assert_eq!(frame.three, [1.0, 0.0, 0.2]);
        assert_eq!((frame.sixteen[1], frame.sixteen[15]), (1.0, 0.2));
        assert_eq!(frame.chroma[9], 1.0, "A is nine semitones above C");
        assert_eq!(frame.onsets, [true, false, false, true]);
        // The same again begins nothing.
        let frame = reader.see(&Packet::parse(&bytes).unwrap(), 10.02);
        assert_eq!((frame.onsets, frame.seconds > 0.019), ([false; 4], true));
        let quiet = Packet::parse(&packet(0.0, 1.0, 0, [0; 16], 1.0)).unwrap();
        let frame = reader.see(&quiet, 10.04);
        assert_eq!((frame.level.open, frame.centroid), (false, 0.0));
    }

    #[test]
    fn what_is_no_packet_is_left_alone_and_what_is_no_number_is_nothing() {
        let good = packet(f32::NAN, f32::INFINITY, 0, [0; 16], -5.0);
        let read = Packet::parse(&good).unwrap();
        assert_eq!((read.raw, read.smooth, read.hertz), (0.0, 0.0, 0.0));
        assert_eq!(Packet::parse(&good[..43]), None);
        assert_eq!(Packet::parse(&[&good[..], &[0]].concat()), None);
        let mut first = good.clone();
        first[4] = b'1';
        assert_eq!(Packet::parse(&first), None, "version 1 has another layout");
    }
}
