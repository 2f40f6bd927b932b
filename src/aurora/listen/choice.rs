//! Which input is listened to: what stands in the settings, read.

use crate::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where WLED's sound packets go (WLED, `audio_reactive.cpp`, version 2 of its sound sync).
pub(super) const WLED_GROUP: Ipv4Addr = Ipv4Addr::new(239, 0, 0, 1);
const WLED_PORT: u16 = 11_988;

/// An input.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    /// The first sound card that can record.
    First,
    /// A device of a sound card, as ALSA opens it: `hw:CARD=Device,DEV=0`.
    Card(Hardware),
    /// A named pipe that raw sound is written into.
    Fifo(PathBuf),
    /// A server that sends raw sound: host and port.
    From(String),
    /// Whoever connects to this address and sends raw sound.
    Listen(SocketAddr),
    /// A sound file.
    File(PathBuf),
    /// Music that Hearth makes itself.
    Sample,
    /// WLED's sound packets at this address.
    Wled(SocketAddr),
}

/// A device by its card's id, which stays when cards are numbered anew.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hardware {
    /// The card's id, or its number.
    pub(super) card: String,
    pub(super) device: u32,
}

impl std::fmt::Display for Hardware {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "hw:CARD={},DEV={}", self.card, self.device)
    }
}

/// What can be written, for errors.
const FORMS: &str = "write hw:CARD=NAME,DEV=0 (`hearth audio list` shows them), fifo:/PATH, tcp:HOST:PORT, \
                     listen:PORT, file:/PATH, wled or sample";
/// No name of an input is longer.
const LONGEST: usize = 4_096;

impl Choice {
    /// Reads the name of an input.
    ///
    /// # Errors
    /// Invalid: what must be written instead.
    pub(super) fn parse(text: &str) -> Result<Choice, Error> {
        let text = text.trim();
        let wrong = |why: &str| {
            let shown: String = text.chars().take(80).collect();
            Error::invalid(format!("'{}' {why}; {FORMS}", shown.escape_debug()))
        };
        if text.len() > LONGEST || text.chars().any(char::is_control) {
            return Err(wrong("is no name of a sound input"));
        }
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        // Both `pipe:///tmp/snapfifo` and `fifo:/tmp/snapfifo`.
        let rest = rest.strip_prefix("//").filter(|_| kind != "file").unwrap_or(rest);
        match kind {
            "" if text.is_empty() => Ok(Choice::First),
            "hw" => hardware(rest).map(Choice::Card).ok_or_else(|| wrong("names no device")),
            "fifo" | "pipe" => path(rest)
                .map(Choice::Fifo)
                .ok_or_else(|| wrong("needs the whole path of a named pipe (`mkfifo` makes one)")),
            "file" => {
                let rest = rest.strip_prefix("//").unwrap_or(rest);
                path(rest).map(Choice::File).ok_or_else(|| wrong("needs the whole path of a file"))
            }
            "tcp" => match rest.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
                Some((host, Ok(1..))) if !host.is_empty() => Ok(Choice::From(rest.into())),
                _ => Err(wrong("needs a host and a port")),
            },
            "listen" => address(rest, IpAddr::V4(Ipv4Addr::LOCALHOST), None)
                .map(Choice::Listen)
                .ok_or_else(|| wrong("needs a port, or ADDRESS:PORT")),
            "wled" => address(rest, IpAddr::V4(Ipv4Addr::UNSPECIFIED), Some(WLED_PORT))
                .map(Choice::Wled)
                .ok_or_else(|| wrong("needs nothing more, or ADDRESS:PORT")),
            "sample" if rest.is_empty() => Ok(Choice::Sample),
            _ => Err(no_hardware(text).unwrap_or_else(|| wrong("is no sound input"))),
        }
    }
}

/// `Device,0`, `CARD=Device,DEV=0`, `0,0` or `Device`.
fn hardware(rest: &str) -> Option<Hardware> {
    let mut parts = rest.split(',');
    let mut next = |key: &str| parts.next().map(|part| part.strip_prefix(key).unwrap_or(part));
    let card = next("CARD=")?;
    let device = next("DEV=").unwrap_or("0").parse().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    // A subdevice is for players; who records takes the first that is free.
    let whole = next("SUBDEV=").is_none();
    (whole && !card.is_empty() && card.chars().all(plain))
        .then(|| Hardware { card: card.to_owned(), device })
}

fn path(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    path.is_absolute().then_some(path)
}

fn address(text: &str, host: IpAddr, port: Option<u16>) -> Option<SocketAddr> {
    match text {
        "" => port.map(|port| SocketAddr::new(host, port)),
        _ => text
            .parse()
            .ok()
            .or_else(|| text.parse().ok().map(|port| SocketAddr::new(host, port)))
            .filter(|address| address.port() != 0),
    }
}

/// The error for a name that ALSA would open through its conversions: they hide what the device does,
/// lose sound at the start, and need files that the static program has not.
fn no_hardware(text: &str) -> Option<Error> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let known =
        ["default", "sysdefault", "plug", "plughw", "pulse", "pipewire", "jack", "dsnoop", "front"];
    if !known.contains(&kind) {
        return None;
    }
    let inner = rest.trim_matches(['\'', '"']);
    let device = hardware(inner.strip_prefix("hw:").unwrap_or(inner)).map(|hw| hw.to_string());
    let name = device.unwrap_or_else(|| "one of the names that `hearth audio list` shows".into());
    Some(Error::invalid(format!(
        "'{}' goes through ALSA's conversions, and Hearth reads the device itself: write {name}",
        text.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_its_input() {
        let card = |card: &str, device| Choice::Card(Hardware { card: card.into(), device });
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (text, want) in [
            ("", Choice::First),
            ("hw:CARD=Device,DEV=1", card("Device", 1)),
            ("hw:Device,1", card("Device", 1)),
            ("hw:0", card("0", 0)),
            ("fifo:/tmp/snapfifo", Choice::Fifo("/tmp/snapfifo".into())),
            ("pipe:///tmp/snapfifo", Choice::Fifo("/tmp/snapfifo".into())),
            ("file:/music/a b.flac", Choice::File("/music/a b.flac".into())),
            ("file:///music/a.wav", Choice::File("/music/a.wav".into())),
            ("tcp:music.local:4953", Choice::From("music.local:4953".into())),
            ("tcp://[::1]:4953", Choice::From("[::1]:4953".into())),
            ("listen:4953", Choice::Listen(at("127.0.0.1:4953"))),
            ("listen:0.0.0.0:4953", Choice::Listen(at("0.0.0.0:4953"))),
            ("wled", Choice::Wled(at("0.0.0.0:11988"))),
            ("wled:127.0.0.1:4000", Choice::Wled(at("127.0.0.1:4000"))),
            ("sample", Choice::Sample),
        ] {
            assert_eq!(Choice::parse(text).unwrap(), want, "{text}");
        }
        assert_eq!(Hardware { card: "A".into(), device: 2 }.to_string(), "hw:CARD=A,DEV=2");
    }

    #[test]
    fn a_wrong_name_says_what_to_write() {
        for (text, want) in [
            ("plughw:CARD=Device,DEV=1", "write hw:CARD=Device,DEV=1"),
            ("plug:'hw:Device,1'", "write hw:CARD=Device,DEV=1"),
            ("default", "`hearth audio list`"),
            ("pulse", "`hearth audio list`"),
            ("hw:", "names no device"),
            ("hw:A,0,1", "names no device"),
            ("hw:A B,0", "names no device"),
            ("hw:A,x", "names no device"),
            ("fifo:snapfifo", "whole path"),
            ("tcp:music.local", "host and a port"),
            ("tcp:music.local:0", "host and a port"),
            ("listen:", "needs a port"),
            ("wled:nowhere", "ADDRESS:PORT"),
            ("sample:2", "is no sound input"),
            ("microphone", "is no sound input"),
            ("fifo:/a\nb", "\\n"),
        ] {
            let e = Choice::parse(text).unwrap_err().to_string();
            assert!(e.contains(want), "{text}: {e}");
        }
    }
}
