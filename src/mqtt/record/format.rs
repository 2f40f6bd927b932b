//! The form of a recording: lines of JSON, readable by anything.
//!
//! The first line is the head (`"format": "hearth-mqtt"`, `version`, `broker`, `filters`, `started` in
//! seconds since 1970). Then one line for each message: `t` in microseconds since `started`, `topic`,
//! `payload` as text or `base64`, `qos`, `retain`, and what else it had. The last line is the end: how
//! many messages and bytes of payload, how many were lost on the way, and `sha256` over every byte of
//! the lines before. An export has the same form. Pure.

use crate::error::Error;
use crate::mqtt::inbox::Kept;
use crate::mqtt::message::{Properties, Qos};
use crate::text::hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

const FORMAT: &str = "hearth-mqtt";
const VERSION: u32 = 1;

/// The first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    format: String,
    version: u32,
    pub(crate) broker: String,
    pub(crate) filters: Vec<String>,
    /// Seconds since 1970.
    pub(crate) started: f64,
}

impl Head {
    /// Makes the head of a recording that begins at `started`, in microseconds since 1970.
    pub(crate) fn new(broker: String, filters: Vec<String>, started: i64) -> Head {
        let started = crate::mqtt::show::seconds(started);
        Head { format: FORMAT.into(), version: VERSION, broker, filters, started }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Microseconds since the start; below 0 when it had arrived before.
    pub(crate) t: i64,
    pub(crate) topic: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// Bytes, of a payload that was too large to be taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) too_large: Option<u64>,
    pub(crate) qos: u8,
    pub(crate) retain: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    dup: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    properties: Option<Extras>,
}

/// The properties of MQTT 5 that travel from sender to receiver (section 3.3.2.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Extras {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_text: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    /// In base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    user: Vec<(String, String)>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Line {
    /// Makes the line of a message; `started` in microseconds since 1970.
    pub(crate) fn of(kept: &Kept, started: i64) -> Line {
        let bytes = kept.payload.as_deref();
        let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        Line {
            t: kept.at - started,
            topic: kept.topic.to_string(),
            payload: text.map(str::to_owned),
            base64: bytes.filter(|_| text.is_none()).map(|bytes| STANDARD.encode(bytes)),
            too_large: kept.payload.is_none().then_some(kept.size),
            qos: kept.qos.number(),
            retain: kept.retained,
            dup: kept.dup,
            properties: kept.properties.as_deref().and_then(Extras::of),
        }
    }

    /// Returns the payload; `None` when it was too large to be taken in.
    ///
    /// # Errors
    /// Invalid when it is no base64.
    pub(crate) fn bytes(&self) -> Result<Option<Vec<u8>>, Error> {
        match (&self.payload, &self.base64) {
            (Some(text), _) => Ok(Some(text.clone().into_bytes())),
            (None, Some(coded)) => (STANDARD.decode(coded).map(Some))
                .map_err(|_| Error::invalid("a message of the recording holds no base64")),
            (None, None) => Ok(None),
        }
    }

    /// Returns how surely it was delivered.
    pub(crate) fn level(&self) -> Qos {
        Qos::of(self.qos).unwrap_or_default()
    }

    /// Returns its properties; our subscriptions are not among them.
    pub(crate) fn properties(&self) -> Option<Properties> {
        let of = self.properties.as_ref()?;
        let correlation = of.correlation.as_ref().and_then(|coded| STANDARD.decode(coded).ok());
        Some(Properties {
            is_text: of.is_text,
            expiry: of.expiry,
            response_topic: of.response_topic.as_deref().map(Arc::from),
            correlation: correlation.map(Arc::from),
            content_type: of.content_type.as_deref().map(Arc::from),
            subscriptions: Vec::new(),
            user: of.user.clone(),
        })
    }
}

impl Extras {
    fn of(of: &Properties) -> Option<Extras> {
        let plain = Properties { subscriptions: of.subscriptions.clone(), ..Properties::default() };
        (*of != plain).then(|| Extras {
            is_text: of.is_text,
            expiry: of.expiry,
            response_topic: of.response_topic.as_deref().map(str::to_owned),
            correlation: of.correlation.as_deref().map(|bytes| STANDARD.encode(bytes)),
            content_type: of.content_type.as_deref().map(str::to_owned),
            user: of.user.clone(),
        })
    }
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct End {
    /// Always true: tells the line from a message's.
    end: bool,
    pub(crate) messages: u64,
    /// Of payload.
    pub(crate) bytes: u64,
    /// Messages that were gone before they could be written.
    pub(crate) lost: u64,
    /// Over every byte of the lines before, their line ends included.
    pub(crate) sha256: String,
}

/// Writes the lines of one recording and keeps count.
pub(crate) struct Writer {
    started: i64,
    sum: Sha256,
    messages: u64,
    bytes: u64,
    lost: u64,
    written: u64,
}

impl Writer {
    /// Begins at `started`, in microseconds since 1970, and adds the head to `out`.
    pub(crate) fn begin(head: &Head, started: i64, out: &mut Vec<u8>) -> Result<Writer, Error> {
        let (sum, messages) = (Sha256::new(), 0);
        let mut writer = Writer { started, sum, messages, bytes: 0, lost: 0, written: 0 };
        writer.line(head, out)?;
        Ok(writer)
    }

    /// Adds a message to `out`.
    pub(crate) fn message(&mut self, kept: &Kept, out: &mut Vec<u8>) -> Result<(), Error> {
        self.messages += 1;
        self.bytes += kept.payload.as_ref().map_or(0, |bytes| bytes.len() as u64);
        self.line(&Line::of(kept, self.started), out)
    }

    /// Counts messages that are gone.
    pub(crate) fn lose(&mut self, count: u64) {
        self.lost += count;
    }

    /// Adds the end to `out` and returns it.
    pub(crate) fn end(mut self, out: &mut Vec<u8>) -> Result<End, Error> {
        let sha256 = hex(&self.sum.clone().finalize());
        let (messages, bytes, lost) = (self.messages, self.bytes, self.lost);
        let end = End { end: true, messages, bytes, lost, sha256 };
        self.line(&end, out)?;
        Ok(end)
    }

    /// Returns messages, messages that were lost, and bytes of lines so far.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        (self.messages, self.lost, self.written)
    }

    fn line(&mut self, line: &impl Serialize, out: &mut Vec<u8>) -> Result<(), Error> {
        let from = out.len();
        serde_json::to_writer(&mut *out, line)
            .map_err(|e| Error::broken("a message cannot be written as JSON").because(e))?;
        out.push(b'\n');
        self.sum.update(&out[from..]);
        self.written += (out.len() - from) as u64;
        Ok(())
    }
}

/// Reads a recording line by line and checks it at its end.
pub(crate) struct Reader {
    sum: Sha256,
    messages: u64,
}

/// What a line is.
#[derive(Debug)]
pub(crate) enum Piece {
    /// A message.
    Message(Box<Line>),
    /// The end; everything before it is as it was written.
    End(End),
}

impl Reader {
    /// Reads the first line, with its line end.
    ///
    /// # Errors
    /// Invalid when it is no recording, or one of a newer form.
    pub(crate) fn begin(line: &str) -> Result<(Reader, Head), Error> {
        let head: Head = serde_json::from_str(line)
            .map_err(|_| Error::invalid("this file is no recording: its first line is no head"))?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(Error::invalid("this file is no recording that this version can read"));
        }
        let mut sum = Sha256::new();
        sum.update(line);
        Ok((Reader { sum, messages: 0 }, head))
    }

    /// Reads the next line, with its line end.
    ///
    /// # Errors
    /// Invalid when it is neither a message nor the end, or the end says that something before it was
    /// changed.
    pub(crate) fn read(&mut self, line: &str) -> Result<Piece, Error> {
        if line.starts_with("{\"end\":true") {
            let end: End = serde_json::from_str(line)
                .map_err(|_| Error::invalid("the last line of the recording is damaged"))?;
            if end.sha256 != hex(&self.sum.clone().finalize()) || end.messages != self.messages {
                return Err(Error::invalid(
                    "the recording is not as it was written: its checksum does not fit",
                ));
            }
            return Ok(Piece::End(end));
        }
        self.messages += 1;
        self.sum.update(line);
        let message = serde_json::from_str(line).map_err(|_| {
            Error::invalid(format!("line {} of the recording is no message", self.messages + 1))
        })?;
        Ok(Piece::Message(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(topic: &str, payload: Option<&[u8]>) -> Kept {
        let user = vec![("sender".to_owned(), "test".to_owned())];
        Kept {
            number: 1,
            at: 1_700_000_000_000_007,
            topic: topic.into(),
            payload: payload.map(Into::into),
            size: payload.map_or(9_000_000, |bytes| bytes.len() as u64),
            qos: Qos::AtLeastOnce,
            retained: false,
            dup: false,
            properties: Some(Arc::new(Properties { user, ..Properties::default() })),
        }
    }

    fn written() -> String {
        let started = 1_700_000_000_000_000;
        let head = Head::new("mqtt://broker:1883".into(), vec!["#".into()], started);
        let mut out = Vec::new();
        let mut writer = Writer::begin(&head, started, &mut out).unwrap();
        for (topic, payload) in
            [("a/\u{1}", Some(&b"on"[..])), ("b", Some(b"\xff\0")), ("c", None), ("d", Some(b""))]
        {
            writer.message(&kept(topic, payload), &mut out).unwrap();
        }
        writer.lose(3);
        writer.end(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str) -> Result<(Vec<Line>, End), Error> {
        let mut lines = text.split_inclusive('\n');
        let (mut reader, _) = Reader::begin(lines.next().unwrap())?;
        let mut all = Vec::new();
        for line in lines {
            match reader.read(line)? {
                Piece::Message(line) => all.push(*line),
                Piece::End(end) => return Ok((all, end)),
            }
        }
        Err(Error::invalid("no end"))
    }

    #[test]
    fn every_byte_that_was_written_is_read_again() {
        let (all, end) = read(&written()).unwrap();
        let shown: Vec<_> = all.iter().map(|l| (&*l.topic, l.bytes().unwrap())).collect();
        let want: [(&str, Option<Vec<u8>>); 4] = [
            ("a/\u{1}", Some(b"on".to_vec())),
            ("b", Some(b"\xff\0".to_vec())),
            ("c", None),
            ("d", Some(Vec::new())),
        ];
        assert_eq!(shown, want);
        assert_eq!((end.messages, end.bytes, end.lost), (4, 4, 3));
        assert_eq!(
            (all[0].t, all[0].level(), all[2].too_large),
            (7, Qos::AtLeastOnce, Some(9_000_000))
        );
        assert_eq!(all[0].properties().unwrap().user[0].1, "test");
    }

    #[test]
    fn a_changed_or_shortened_recording_is_refused() {
        let text = written();
        for (from, to) in [("\"on\"", "\"no\""), ("\"qos\":1", "\"qos\":0"), ("\"lost\":3,", "")] {
            assert!(read(&text.replacen(from, to, 1)).is_err(), "{from}");
        }
        let without: String = text
            .split_inclusive('\n')
            .enumerate()
            .filter(|(n, _)| *n != 2)
            .map(|(_, l)| l)
            .collect();
        assert!(read(&without).unwrap_err().to_string().contains("checksum"));
    }
}
